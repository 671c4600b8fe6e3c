"""Both colours of a client, in front of the simulator, on each store that a test asks for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from adyen_shop import Shop

import payport.storage


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with nothing in it: migrating one for each test takes long."""
    path = tmp_path_factory.mktemp("adyen") / "migrated.db"
    payport.storage.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the shop keeps its data; `on_every_store` asks for each."""
    kind = getattr(request, "param", "memory")
    if kind == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    if kind == "sqlite":
        migrated = request.getfixturevalue("migrated")
        return f"sqlite:///{shutil.copy(migrated, tmp_path / 'payments.db')}"
    return str(kind)


@pytest.fixture
def shop(colour: str, place: str, request: pytest.FixtureRequest) -> Iterator[Shop]:
    made = Shop(colour, place, **getattr(request, "param", {}))
    yield made
    made.close()
