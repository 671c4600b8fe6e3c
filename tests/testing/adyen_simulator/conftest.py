import pytest
from simulated_adyen import Shop


@pytest.fixture
def shop():
    return Shop()
