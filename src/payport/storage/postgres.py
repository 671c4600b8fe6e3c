"""
The store that several machines share: a PostgreSQL database by psycopg 3, in either colour.

An engine and a pool of payport's own behind the stores of `engines`, which say what a transaction
is. The tables are never made or changed by themselves: that is `payport.storage.upgrade`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import create_async_engine

from payport.domain.errors import ConfigurationError
from payport.storage import forks
from payport.storage.beginning import SCHEMA
from payport.storage.engines import AsyncSqlStore, SyncSqlStore
from payport.storage.postgres_running import ThroughPsycopg

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from payport.storage.base import Transaction

    T = TypeVar("T")

__all__ = ["AsyncPostgresStore", "PostgresStore", "settings_from"]

#: What libpq is told unless the URL says otherwise. Seconds, and milliseconds.
_CONNECTING: Final = {
    "connect_timeout": "5",
    "tcp_user_timeout": "10000",
    "fallback_application_name": "payport",
}

#: In a URL's query: seconds that a unit of work waits for one of the pool's connections.
WAIT: Final = "payport_wait"
#: As long as for a lock: within the time of an operation, so that its caller is told in time.
_WAIT: Final = 5.0
_LONGEST_WAIT: Final = 600.0

#: Of PostgreSQL: longer names are cut off, and another schema might be meant.
_LONGEST_NAME: Final = 63


class PostgresStore(SyncSqlStore):
    """
    A `Store` in a PostgreSQL database. Threads share a pool of up to 15 connections, processes and
    machines the database.

    A forked child opens connections of its own and leaves the parent's alone.

    Args:
        url: `postgresql://...`, with libpq's parameters as its query. `?payport_schema=payments`
            names the schema of payport's tables; without it the role's search path finds them.
            `?payport_wait=2` says how many seconds are waited for a connection of the pool while
            all are in use, before StoreUnavailable; five if left out.
    """

    _running = ThroughPsycopg

    def __init__(self, url: str | sa.URL) -> None:
        target, options = settings_from(url)
        super().__init__(sa.create_engine(target, **options))
        forks.watch(self)

    def close(self) -> None:
        """Close the pool's connections. The next use opens others."""
        self._engine.dispose()
        self._begin_anew()

    def before_fork(self) -> None:
        """See `Forkable`. Sockets may be inherited, as long as the child does not use them."""

    def after_fork_in_parent(self) -> None:
        """See `Forkable`."""

    def after_fork_in_child(self) -> None:
        """See `Forkable`."""
        self._begin_anew()
        forks.abandon(self._engine.pool)
        self._engine.dispose(close=False)


class AsyncPostgresStore(AsyncSqlStore):
    """
    An `AsyncStore` in a PostgreSQL database; belongs to the event loop that first uses it.

    Arguments and forks as `PostgresStore`. On Windows psycopg needs a selector event loop.
    """

    _running = ThroughPsycopg

    def __init__(self, url: str | sa.URL) -> None:
        target, options = settings_from(url)
        super().__init__(create_async_engine(target, **options))
        self._process = os.getpid()

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """See `AsyncStore.transact`."""
        self._leave_parent()
        return await super().transact(work)

    async def upgrade(self) -> None:
        """See `SyncSqlStore.upgrade`."""
        self._leave_parent()
        await super().upgrade()

    async def aclose(self) -> None:
        """Close the pool's connections. The next use opens others, in any loop."""
        self._leave_parent()
        await self._engine.dispose()
        self._begin_anew()

    def _leave_parent(self) -> None:
        """In a forked child: connections and loop stayed behind."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._begin_anew()
            forks.abandon(self._engine.sync_engine.pool)
            self._engine.sync_engine.dispose(close=False)


def settings_from(url: str | sa.URL) -> tuple[sa.URL, dict[str, Any]]:
    """
    The URL without payport's own parameters, and what an engine for it is made with.

    Raises:
        ConfigurationError: The URL is malformed, or names a schema or a wait that cannot be.
    """
    try:
        target = sa.make_url(url)
    except (ArgumentError, ValueError):
        # Not repeated: a URL may hold a password.
        raise ConfigurationError(
            "this is no URL of a PostgreSQL database. Pass "
            "store='postgresql://user:password@host/database'.",
            field="store",
        ) from None
    # A parameter without a value is missing from the query.
    schema = target.query.get(SCHEMA, "" if f"{SCHEMA}=" in str(url) else None)
    if schema is not None and (
        not isinstance(schema, str)
        or not 0 < len(schema.encode()) <= _LONGEST_NAME
        or "\x00" in schema
    ):
        raise ConfigurationError(
            f"{SCHEMA} names one schema, in at most {_LONGEST_NAME} bytes.", field="store"
        )
    wait = _wait_in(target)
    target = target.difference_update_query([SCHEMA, WAIT]).set(drivername="postgresql+psycopg")
    connecting = {k: v for k, v in _CONNECTING.items() if k not in target.query}
    options: dict[str, Any] = {
        "connect_args": connecting,
        "hide_parameters": True,
        # A transaction is begun by hand, in one message with its settings.
        "isolation_level": "AUTOCOMMIT",
        # Left to itself the pool waits for half a minute, longer than any operation may take.
        "pool_timeout": wait,
    }
    if schema is not None:
        options["execution_options"] = {SCHEMA: schema}
    return target, options


def _wait_in(target: sa.URL) -> float:
    """Seconds to wait for a connection of the pool. Raises ConfigurationError."""
    told = target.query.get(WAIT)
    if told is None:
        return _WAIT
    try:
        wait = float(told) if isinstance(told, str) else 0.0
    except ValueError:
        wait = 0.0
    if not 0 < wait <= _LONGEST_WAIT:
        raise ConfigurationError(
            f"{WAIT} is a number of seconds, more than 0 and at most {_LONGEST_WAIT:g}.",
            field="store",
        )
    return wait
