"""
Stores on an engine that the application made, for tables beside its own: `Engine` for the sync
store, `AsyncEngine` for the async one. The application configures and closes its engine; here only
what would lose money is refused.
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from payport.domain.errors import ConfigurationError
from payport.storage.faults import fault_from, guarded, place_of
from payport.storage.loops import OneLoop
from payport.storage.migrate import check, migrate
from payport.storage.postgres_sends import PostgresSends
from payport.storage.running import ThroughToolkit
from payport.storage.sends import ANY_HOME
from payport.storage.sql import run_unit
from payport.storage.sqlite_sends import SqliteSends
from payport.storage.units import Once, unpicklable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from payport.storage.base import Transaction
    from payport.storage.running import Running
    from payport.storage.sends import Sends

__all__ = ["AsyncSqlStore", "SyncSqlStore", "check_encoding"]

T = TypeVar("T")

#: `PRAGMA synchronous`: at FULL and above a commit survives a power cut.
_FULL = 2


class SyncSqlStore:
    """
    A `Store` on an application's `Engine`.

    On SQLite its tables are made or migrated at first use; on PostgreSQL they have to be there, by
    `payport.storage.upgrade`. A transaction is always one of payport's own, on a connection of its
    own: one that the application has open is never joined. A schema is named for payport's tables
    by `engine.execution_options(payport_schema="payments")`.

    Raises:
        ConfigurationError: On construction, when the engine's database cannot be a journal; at
            first use, when its commits are not durable or its tables are not this payport's.
    """

    #: How statements are run: an engine of the application's may have listeners.
    _running: Callable[[Connection, str], Running] = ThroughToolkit

    def __init__(self, engine: Engine) -> None:
        _check(engine)
        self._engine = engine
        self._place = place_of(engine)
        self._sends = _sends_of(engine)
        self._first = threading.Lock()
        self._once = Once()
        self._process: int | None = None

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """See `Store.transact`."""
        if self._process is None:
            with self._first:
                if self._process is None:
                    self._run(_prepare)
                    self._process = os.getpid()
        if self._process != os.getpid():
            raise ConfigurationError(
                "the engine was used before this process was forked. Make the engine and the "
                "store in each process: a forked connection loses what it commits.",
                field="store",
            )
        with self._once:
            return self._run(
                lambda connection: run_unit(
                    connection, work, self._sends, self._running(connection, self._place)
                )
            )

    def upgrade(self) -> None:
        """Make or change the tables; see `payport.storage.upgrade`."""
        self._run(_upgrade)

    def close(self) -> None:
        """Leave the engine open: it is the application's."""
        self._sends.close()

    def _begin_anew(self) -> None:
        """For stores that own their engine: whatever was used before is gone."""
        self._first = threading.Lock()
        self._process = None

    def _run(self, step: Callable[[Connection], T]) -> T:
        with guarded(self._place, self._engine.connect) as connection:
            return step(connection)

    def __reduce__(self) -> NoReturn:
        unpicklable(self)


class AsyncSqlStore:
    """An `AsyncStore` on an application's `AsyncEngine`; as `SyncSqlStore`, in one event loop."""

    _running: Callable[[Connection, str], Running] = ThroughToolkit

    def __init__(self, engine: AsyncEngine) -> None:
        _check(engine.sync_engine)
        self._engine = engine
        self._place = place_of(engine.sync_engine)
        self._sends = _sends_of(engine.sync_engine)
        self._loop = OneLoop("the store")
        self._first: asyncio.Lock | None = None
        self._ready = False

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """See `AsyncStore.transact`."""
        self._loop.check()
        if not self._ready:
            await self._prepare()
        return await self._run(
            lambda connection: run_unit(
                connection, work, self._sends, self._running(connection, self._place)
            )
        )

    async def upgrade(self) -> None:
        """See `SyncSqlStore.upgrade`."""
        self._loop.check()
        await self._run(_upgrade)

    async def aclose(self) -> None:
        """Leave the engine open: it is the application's."""
        self._sends.close()

    def _begin_anew(self) -> None:
        """See `SyncSqlStore`; the next use may be in another loop."""
        self._loop.leave()
        self._first = None
        self._ready = False

    async def _prepare(self) -> None:
        if self._first is None:
            self._first = asyncio.Lock()
        async with self._first:
            if not self._ready:
                await self._run(_prepare)
                self._ready = True

    async def _run(self, step: Callable[[Connection], T]) -> T:
        async with AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(self._engine.connect())
            except SQLAlchemyError as error:
                fault = fault_from(error, self._place)
            else:
                return await connection.run_sync(step)
        raise fault

    def __reduce__(self) -> NoReturn:
        unpicklable(self)


def _check(engine: Engine) -> None:
    """Refuse what can be refused without I/O."""
    if engine.dialect.name == "postgresql":
        if engine.dialect.driver != "psycopg":
            raise ConfigurationError(
                "payport works on PostgreSQL through psycopg 3, and not through "
                f"{engine.dialect.driver}. Make the engine with postgresql+psycopg://...",
                field="store",
            )
        return
    if engine.dialect.name != "sqlite":
        raise ConfigurationError(
            f"payport cannot keep its journal in {engine.dialect.name}. Use PostgreSQL or SQLite.",
            field="store",
        )
    database = engine.url.database
    if not database or ":memory:" in database or isinstance(engine.pool, StaticPool):
        raise ConfigurationError(
            "the engine's database is in memory or shares one connection among threads, so "
            "transactions would mix. Use a file with a pool, or store='memory' in tests.",
            field="store",
        )


def _sends_of(engine: Engine) -> Sends:
    """What tells the engine's database from a copy of it."""
    database = engine.url.database or ""
    if engine.dialect.name == "postgresql":
        return PostgresSends(place_of(engine))
    if database.startswith("file:"):
        # A URI may name anything, through any of SQLite's virtual file systems.
        return ANY_HOME
    return SqliteSends(Path(database).absolute(), place_of(engine))


def _upgrade(connection: Connection) -> None:
    place = place_of(connection.engine)
    run_unit(connection, lambda _: guarded(place, lambda: migrate(connection)))


def _prepare(connection: Connection) -> None:
    """Make sure that commits last, and that the tables are there."""
    place = place_of(connection.engine)
    if connection.dialect.name == "postgresql":
        run_unit(connection, lambda _: guarded(place, lambda: _check_postgresql(connection)))
        return
    durable = guarded(place, lambda: connection.exec_driver_sql("PRAGMA synchronous").scalar_one())
    connection.rollback()
    if durable < _FULL:
        raise ConfigurationError(
            f"{place} has PRAGMA synchronous below FULL on the engine's connections, so a power "
            "cut would take back commits that payport has acted on. Set it to FULL.",
            field="store",
        )
    run_unit(connection, lambda _: guarded(place, lambda: migrate(connection)))


def _check_postgresql(connection: Connection) -> None:
    check_encoding(connection)
    check(connection)


def check_encoding(connection: Connection) -> None:
    """
    Refuse a PostgreSQL database that cannot hold every text.

    Raises:
        ConfigurationError: It is not in UTF-8.
    """
    # Text that does not fit would be refused in the middle of things, after a send.
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise ConfigurationError(
            f"{place_of(connection.engine)} has the encoding {encoding}, which cannot hold every "
            "name and message. Make a database with the encoding UTF8.",
            field="store",
        )
