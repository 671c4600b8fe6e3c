"""Both colours of a client, in front of the simulator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from adyen_shop import Shop


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shop(colour: str, request: pytest.FixtureRequest) -> Iterator[Shop]:
    made = Shop(colour, **getattr(request, "param", {}))
    yield made
    made.close()
