import pytest
from adyen_shop import Shop


@pytest.fixture
def shop():
    return Shop()
