"""Where worlds keep their journals: in memory, or each in a SQLite file of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

from payport.storage.base import Store
from payport.storage.memory import MemoryStore

__all__ = ["STORES", "MakeStore", "OpenData"]

#: Makes a store object on a world's data: the same data at every call.
MakeStore: TypeAlias = Callable[[], Store]
#: Makes new data for one world, and throws it away afterwards.
OpenData: TypeAlias = Callable[[], AbstractContextManager[MakeStore]]

#: A disk that forgets is enough: whether commits last is not what is explored.
_MEMORY_DISK: Final = "/dev/shm"  # noqa: S108 - each run makes a directory of its own in it


@contextmanager
def in_memory() -> Generator[MakeStore]:
    """One store in memory that all processes of a world share."""
    store = MemoryStore()
    yield lambda: store


@contextmanager
def in_sqlite() -> Generator[MakeStore]:
    """A SQLite file that each process of a world opens for itself."""
    from payport.storage.sqlite import SqliteStore  # noqa: PLC0415 - SQLAlchemy is optional

    template = _migrated(os.getpid()).name
    with tempfile.TemporaryDirectory(dir=_disk(), prefix="payport-explorer-") as directory:
        path = str(Path(directory) / "payments.db")
        shutil.copy(Path(template) / "payments.db", path)
        yield lambda: SqliteStore(path)


@cache
def _migrated(pid: int) -> tempfile.TemporaryDirectory[str]:
    """An empty database: migrating one for each world takes long."""
    from payport.storage.sqlite import SqliteStore  # noqa: PLC0415

    del pid  # a forked process makes its own, and removes it
    directory = tempfile.TemporaryDirectory(dir=_disk(), prefix="payport-explorer-")
    store = SqliteStore(str(Path(directory.name) / "payments.db"))
    store.transact(lambda _: None)
    store.close()
    return directory


def _disk() -> str | None:
    return _MEMORY_DISK if os.access(_MEMORY_DISK, os.W_OK) else None


#: By name.
STORES: Final[dict[str, OpenData]] = {"memory": in_memory, "sqlite": in_sqlite}
