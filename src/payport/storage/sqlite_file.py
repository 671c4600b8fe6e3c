"""
The SQLite file and its connection: made private, recognised or refused, set durable, migrated.

Nothing here reads or closes the file but through SQLite: closing any other descriptor of it would
drop SQLite's locks in the whole process (https://sqlite.org/howtocorrupt.html).
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from payport.domain.errors import ConfigurationError, StoreUnavailable
from payport.storage.autogenerate import PREFIX
from payport.storage.faults import guarded, place_of
from payport.storage.migrate import HEAD, migrate, version_of
from payport.storage.sql import run_unit
from payport.storage.sqlite_sends import is_sound

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection

__all__ = ["SqliteFile"]

_log: Final = logging.getLogger("payport.storage")

_warned = threading.Event()

#: One file is made at a time, so that nobody uses it before its maker has closed it.
_making: Final = threading.Lock()

#: Milliseconds between two looks whether another process's transaction is over.
_LOOK: Final = 1

#: How long between two tries to switch to WAL, which SQLite does not wait for by itself.
_PAUSE: Final = 0.02


class SqliteFile:
    """
    One file, by its absolute path; constructing it does no I/O.

    Args:
        path: Relative paths are resolved now: a later change of directory changes nothing.
        wait: Seconds to wait for another process's transaction.
    """

    def __init__(self, path: str, *, wait: float) -> None:
        # Not resolved: what a link points to may be made later.
        self.path: Path = Path(path).absolute()
        self._named = str(self.path)
        self.wait = wait
        self._readers_told = False
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(self.path)),
            poolclass=NullPool,
            connect_args={"isolation_level": None, "check_same_thread": False, "timeout": wait},
            hide_parameters=True,
        )
        self.place: str = place_of(self._engine)
        event.listen(self._engine, "connect", _set_up)

    def connect(self) -> sa.Connection:
        """
        Open the file, made and migrated if need be.

        Raises:
            ConfigurationError: There is no such directory, or the file is not payport's, or a newer
                payport's, or lies where SQLite cannot share it.
            StoreUnavailable: It cannot be made, opened, locked or written.
        """
        _warn_of_wal_reset()
        self._check_directory()
        self._make()
        connection = guarded(self.place, self._engine.connect)
        try:
            guarded(self.place, lambda: self._prepare(connection))
        except BaseException:
            connection.close()
            raise
        return connection

    def identity(self) -> tuple[int, int] | None:
        """What tells the file from another one that takes its place; None if there is none."""
        try:
            found = os.stat(self._named)  # noqa: PTH116 - asked at every transaction
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _check_directory(self) -> None:
        if not self.path.parent.is_dir():
            raise ConfigurationError(
                f"the directory '{self.path.parent}' of {self.place} does not exist. Make it "
                "first, for the user that this process runs as.",
                field="store",
            )
        if self.path.is_dir():
            raise ConfigurationError(
                f"{self.place} is a directory. Name a file in it.", field="store"
            )

    def _make(self) -> None:
        """Make the file for its owner alone; SQLite gives its other files the same mode."""
        try:
            with _making:
                # The real path, because O_EXCL does not follow links; O_EXCL, because closing a
                # file that is there already would drop this process's locks on it.
                flags = os.O_CREAT | os.O_EXCL | os.O_RDWR
                os.close(os.open(self.path.resolve(), flags, 0o600))
        except FileExistsError:
            self._warn_of_readers()
        except OSError as error:
            raise StoreUnavailable(
                f"{self.place} cannot be made. Let this process's user write its directory.",
                operation="store.transact",
            ) from error

    def _warn_of_readers(self) -> None:
        if self._readers_told or os.name != "posix":
            return
        with contextlib.suppress(OSError):
            if self.path.stat().st_mode & 0o077:
                self._readers_told = True
                _log.warning(
                    "%s can be read by other users of this machine, and holds payments. "
                    "Take their permissions: chmod 600",
                    self.place,
                )

    def _prepare(self, connection: sa.Connection) -> None:
        version = self._recognised(connection)
        self._use_wal(connection)
        if version != HEAD:
            # Once more under the lock: another process may have been faster.
            run_unit(connection, lambda _: migrate(connection))
        # From here on whoever begins looks for its turn by itself; see `ThroughDriver`.
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {_LOOK}")
        connection.rollback()

    def _recognised(self, connection: sa.Connection) -> str | None:
        """The version of payport's tables; a file with nothing but other tables is refused."""
        tables = sa.inspect(connection).get_table_names()
        if tables and not any(name.startswith(PREFIX) for name in tables):
            raise ConfigurationError(
                f"{self.place} belongs to something else: it has tables, and none of payport's. "
                "Name a file of payport's own. For tables beside the application's, pass its "
                "SQLAlchemy engine as the store.",
                field="store",
            )
        version = version_of(connection)
        connection.rollback()
        return version

    def _use_wal(self, connection: sa.Connection) -> None:
        deadline = time.monotonic() + self.wait
        while (mode := self._try_wal(connection, deadline)) is None:
            time.sleep(_PAUSE)
        if mode != "wal":
            raise ConfigurationError(
                f"{self.place} cannot use a write-ahead log where it lies, which is usually a "
                "network file system. Name a file on a local disk.",
                field="store",
            )

    @staticmethod
    def _try_wal(connection: sa.Connection, deadline: float) -> str | None:
        """The journal mode after asking for WAL; None while another process is in the way."""
        mode: str | None
        try:
            mode = connection.exec_driver_sql("PRAGMA journal_mode = WAL").scalar_one()
        except OperationalError as error:
            busy = getattr(error.orig, "sqlite_errorname", "") == "SQLITE_BUSY"
            if not busy or time.monotonic() >= deadline:
                raise
            mode = None
        connection.rollback()
        return mode


def _set_up(connection: DBAPIConnection, record: object) -> None:
    """Settings that a connection has and a file has not."""
    del record
    cursor = connection.cursor()
    # FULL: a commit that was acknowledged survives a power cut; on macOS the disk's cache too.
    for pragma in ("synchronous = FULL", "fullfsync = ON", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _warn_of_wal_reset() -> None:
    if not is_sound() and not _warned.is_set():
        _warned.set()
        _log.warning(
            "SQLite %s can damage a database when two processes write to it at the same moment; "
            "3.51.3 cannot. Upgrade SQLite, or let one process alone use this store.",
            sqlite3.sqlite_version,
        )
