"""A provider of each colour, which is closed afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from stripe_help import COLOURS, KEY, SECRET


@pytest.fixture(params=list(COLOURS))
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(colour: str) -> Iterator[Callable[..., Any]]:
    """Makes providers of one colour."""
    made: list[Any] = []

    def new(**options: Any) -> Any:
        provider = COLOURS[colour](**{"api_key": KEY, "webhook_secrets": [SECRET], **options})
        made.append(provider)
        return provider

    yield new
    for provider in made:
        provider.close()
