import pytest
from simulated import Shop


@pytest.fixture
def shop():
    return Shop()
