"""
The store in a Django project's own database: payport's statements run through Django's connection,
so what a handler writes by the ORM commits with the mark that the handler ran, or not at all.

A unit of work is always an outermost `atomic` block of its own. The journal never joins a
transaction of the application's: what that one takes back may have moved money already.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, cast

import sqlalchemy as sa
from django.db import Error, IntegrityError, connections, transaction

from payport.domain.errors import ConfigurationError, InvalidRequest
from payport.integrations.django._reading import Reading
from payport.integrations.django._riding import riding_engine
from payport.storage.engines import check_encoding
from payport.storage.faults import driver_fault, guarded, place_of
from payport.storage.migrate import HEAD, version_of
from payport.storage.postgres_sends import PostgresSends
from payport.storage.running import ThroughToolkit
from payport.storage.sql import SqlTransaction
from payport.storage.sqlite_sends import SqliteSends
from payport.storage.units import Once, unpicklable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from django.db.backends.base.base import BaseDatabaseWrapper

    from payport.domain.errors import PayportError
    from payport.storage.base import Transaction
    from payport.storage.sends import Sends

__all__ = ["DjangoStore"]

T = TypeVar("T")

#: `PRAGMA synchronous` at which a commit survives a power cut: with a write-ahead log, and without
#: one, where the journal's directory has to reach the disk as well.
#: Source: https://sqlite.org/pragma.html#pragma_synchronous
_FULL: Final = 2
_EXTRA: Final = 3


class DjangoStore:
    """
    A `Store` in one of Django's databases: SQLite, or PostgreSQL by psycopg 3.

    Its tables are made by `manage.py migrate payport`. Inside an `atomic` block of the caller's it
    is only read from; everything else is refused there. In a handler, `tx.connection` is a
    SQLAlchemy connection on the same connection of Django's.

    Args:
        using: The alias of the database in `DATABASES`.
    """

    def __init__(self, using: str = "default") -> None:
        self.using = using
        self._once = Once()
        self._bound = threading.local()
        self._targets: dict[tuple[str, str], _Target] = {}

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """
        See `Store.transact`.

        Raises:
            ConfigurationError: It is not a read, and the caller's transaction is open; the tables
                are missing or of another version; or the database cannot be a journal.
        """
        database = connections[self.using]
        target = self._target(database)
        _guarded(target.place, database.ensure_connection)
        # Inside an atomic block Django does not commit by itself.
        if database.get_autocommit():
            return self._run(database, target, work)
        return self._read(database, target, work)

    def upgrade(self) -> NoReturn:
        """
        Refuse: Django's own migrations make the tables, so that it knows of them.

        Raises:
            ConfigurationError: Always.
        """
        raise ConfigurationError(_MIGRATE.format(using=self.using), field="store")

    def close(self) -> None:
        """Leave the connections open: they are Django's."""
        for target in self._targets.values():
            target.sends.close()

    # -- units of work ----------------------------------------------------------------------------

    def _run(
        self, database: BaseDatabaseWrapper, target: _Target, work: Callable[[Transaction], T]
    ) -> T:
        connection = self._prepared(database, target)
        running = ThroughToolkit(connection, target.place)
        unit = SqlTransaction(connection, target.place, running, target.sends)
        ours = True  # whose a database's error is: Django has one kind for all
        try:
            with transaction.atomic(self.using, durable=True), _ending(unit, connection):
                running.begin()
                ours = False
                with self._once:
                    result = work(unit)
                ours = True
                unit.check()
                _check_whole(database)
        except IntegrityError:
            raise  # of a constraint that waited for the commit: payport has none of that kind
        except Error as error:
            if not ours:
                raise
            fault = _fault(error, target.place)
        else:
            for step in unit.afterwards:
                step()
            return result
        raise fault

    def _read(
        self, database: BaseDatabaseWrapper, target: _Target, work: Callable[[Transaction], T]
    ) -> T:
        """Within the caller's transaction, which sees all that payport has committed."""
        database.validate_no_broken_transaction()
        connection = self._riding(database, target).connection
        running = ThroughToolkit(connection, target.place)
        unit = SqlTransaction(connection, target.place, running, target.sends)
        with self._once, _ending(unit, connection):
            return work(cast("Transaction", Reading(unit, self.using)))

    # -- connections ------------------------------------------------------------------------------

    def _target(self, database: BaseDatabaseWrapper) -> _Target:
        """What is known of the database; Django's tests give an alias another one."""
        key = (database.vendor, str(database.settings_dict["NAME"]))
        target = self._targets.get(key)
        if target is None:
            engine = riding_engine(database, lambda: connections[self.using])
            sends = _sends_of(database, place_of(engine))
            target = self._targets.setdefault(key, _Target(engine, place_of(engine), sends))
        return target

    def _riding(self, database: BaseDatabaseWrapper, target: _Target) -> _Bound:
        """This thread's connection on Django's, as long as Django keeps that."""
        bound: _Bound | None = getattr(self._bound, "now", None)
        if bound is None or bound.driver is not database.connection:
            if bound is not None:
                bound.connection.close()
            connection = guarded(target.place, target.engine.connect)
            bound = self._bound.now = _Bound(database.connection, connection, os.getpid())
        if bound.process != os.getpid():
            raise ConfigurationError(
                f"Django's connection {self.using!r} was open when this process was forked, and a "
                "forked connection loses what it commits. Close it before the fork: "
                "django.db.connections.close_all().",
                field="store",
            )
        return bound

    def _prepared(self, database: BaseDatabaseWrapper, target: _Target) -> sa.Connection:
        bound = self._riding(database, target)
        if not bound.durable:
            _make_durable(database, target.place)
            bound.durable = True
        if not target.checked:
            _guarded(target.place, lambda: self._check(target, bound.connection))
            target.checked = True
        return bound.connection

    def _check(self, target: _Target, connection: sa.Connection) -> None:
        with transaction.atomic(self.using, durable=True):
            try:
                guarded(target.place, lambda: _check(connection, self.using))
            finally:
                connection.rollback()

    def __reduce__(self) -> NoReturn:
        unpicklable(self)


@dataclass(slots=True)
class _Target:
    """A database, and what is known of it."""

    engine: sa.Engine
    place: str
    sends: Sends
    checked: bool = False


@dataclass(slots=True)
class _Bound:
    """What rides on one of Django's connections, in one thread."""

    driver: Any
    connection: sa.Connection
    process: int
    durable: bool = False


_MIGRATE: Final = (
    "Django's migrations make payport's tables: put 'payport.integrations.django' into "
    "INSTALLED_APPS and run manage.py migrate payport --database {using}"
)


@contextmanager
def _ending(unit: SqlTransaction, connection: sa.Connection) -> Generator[None]:
    """
    Before Django commits, because what it calls after the commit may begin another unit: SQLAlchemy
    is told that its transaction is over, which does nothing to the database's (see `_riding`).
    """
    try:
        yield
    finally:
        unit.end()
        connection.rollback()


class _InMemory:
    """The `Sends` of a database that ends with its process."""

    def check(self, tx: SqlTransaction, *, count: bool) -> None:
        """Refuse: it forgets what was charged."""
        del tx, count
        raise ConfigurationError(
            "Django's database is in memory and forgets what was charged: real money needs a file "
            "or PostgreSQL.",
            field="store",
        )

    def settle(self, tx: SqlTransaction) -> None:
        """Nobody's word makes it lasting."""

    def close(self) -> None:
        """Nothing is open."""


def _sends_of(database: BaseDatabaseWrapper, place: str) -> Sends:
    if database.vendor == "postgresql":
        return PostgresSends(place)
    name = str(database.settings_dict["NAME"])
    if ":memory:" in name or "mode=memory" in name:
        return _InMemory()
    return SqliteSends(Path(name).absolute(), place)


def _make_durable(database: BaseDatabaseWrapper, place: str) -> None:
    """
    Let commits on a SQLite connection last. On PostgreSQL each transaction asks for it.

    Only this connection is set, and only to more than it had; the file's mode is the project's.
    """
    if database.vendor != "sqlite":
        return

    def pragmas() -> int:
        with database.cursor() as cursor:
            mode: str = cursor.execute("PRAGMA journal_mode").fetchone()[0]
            needed = _FULL if mode == "wal" else _EXTRA
            if cursor.execute("PRAGMA synchronous").fetchone()[0] < needed:
                cursor.execute(f"PRAGMA synchronous = {needed}")
            cursor.execute("PRAGMA fullfsync = ON")
            reached: int = cursor.execute("PRAGMA synchronous").fetchone()[0]
            return reached - needed

    if _guarded(place, pragmas) < 0:
        raise ConfigurationError(
            f"{place} does not let PRAGMA synchronous be raised, so a power cut would take back "
            "commits that payport has acted on.",
            field="store",
        )


def _check(connection: sa.Connection, using: str) -> None:
    if connection.dialect.name == "postgresql":
        check_encoding(connection)
    version = version_of(connection)
    if version != HEAD:
        there = "no tables of payport's" if version is None else f"tables of version {version!r}"
        raise ConfigurationError(
            f"{place_of(connection.engine)} has {there}, and this payport works with {HEAD!r}. "
            f"{_MIGRATE.format(using=using)}; nothing was read or written.",
            field="store",
        )


def _check_whole(database: BaseDatabaseWrapper) -> None:
    """Django takes a marked transaction back without a word, and the mark would be lost with it."""
    if database.needs_rollback:
        raise InvalidRequest(
            "a database error was caught inside the transaction, or set_rollback(True) was called, "
            "so Django takes all of it back. Put what may fail into a block of its own: "
            "with transaction.atomic().",
            operation="store.transact",
        )


def _guarded(place: str, step: Callable[[], T]) -> T:
    """As `guarded`, for what Django does."""
    try:
        return step()
    except Error as error:
        fault = _fault(error, place)
    raise fault


def _fault(error: Error, place: str) -> PayportError:
    """Payport's error for one of Django's, by the driver's that is behind it."""
    cause = error.__cause__
    return driver_fault(cause if isinstance(cause, Exception) else error, place)
