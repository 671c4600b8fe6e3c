"""
Handlers in a client that awaits: coroutine functions in its loop, plain functions in a thread.

A store's unit of work is a plain function, so it cannot await a handler. The handler runs outside,
and what it wants of the transaction is carried to it: `LateTransaction` is a unit of work that
begins when the handler first asks for it, waits for the handler's end, and then marks and commits.
A handler that never asks holds no transaction open while it waits for something else.
"""

from __future__ import annotations

import asyncio
import queue
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from payport.domain.errors import ConfigurationError
from payport.webhooks.handling import Deferring, no_connection

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from payport.storage.base import AsyncStore, Transaction
    from payport.webhooks.outbox import Outbox

__all__ = ["AwaitedTransaction", "LateTransaction"]

T = TypeVar("T")


class LateTransaction:
    """
    One transaction of an async store that a handler runs beside.

    Args:
        begin: Called first in it; raises where the handler has nothing to do there.
        finish: Called last in it, if all went well.
    """

    def __init__(
        self,
        store: AsyncStore,
        begin: Callable[[Transaction], object],
        finish: Callable[[Transaction], None],
    ) -> None:
        self._store = store
        self._begin = begin
        self._finish = finish
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._begun: asyncio.Future[Any] | None = None
        #: Where the unit of work waits: one of the two, whichever kind of store it is.
        self._jobs: queue.SimpleQueue[Callable[[], bool | None]] | None = None
        self._verdict: asyncio.Future[bool] | None = None

    @property
    def is_open(self) -> bool:
        """Whether it was begun."""
        return self._task is not None

    @property
    def is_in_loop(self) -> bool:
        """Whether its connection is an async one of this loop, and not one of a thread."""
        return self._verdict is not None

    async def open(self) -> Any:
        """
        Begin it, if nobody did, and return its connection.

        Raises:
            ConfigurationError: The store is memory.
        """
        if self._task is None:
            self._begun = self._loop.create_future()
            self._task = asyncio.create_task(self._store.transact(self._work))
        begun = self._begun
        assert begun is not None  # noqa: S101 - both are set together
        await asyncio.wait({self._task, begun}, return_when=asyncio.FIRST_COMPLETED)
        if not begun.done():
            # It ended before it began: this raises why.
            self._task.result()
        return begun.result()

    async def run(self, function: Callable[[Any], T]) -> T:
        """Call a function with the transaction's connection, where that may be used."""
        connection = await self.open()
        if self._jobs is None:
            from sqlalchemy.util import greenlet_spawn  # noqa: PLC0415 - there, if this is

            result: T = await greenlet_spawn(function, connection)
            return result
        return await asyncio.wrap_future(_posted(self._jobs, function, connection))

    def connection_from_thread(self) -> Any:
        """
        The connection for a handler in a thread: the unit of work waits meanwhile, so that the two
        never use it at once.
        """
        connection = asyncio.run_coroutine_threadsafe(self.open(), self._loop).result()
        return _Carried(connection, self._loop) if self.is_in_loop else connection

    async def end(self, *, well: bool) -> None:
        """Commit it, or take it back; raises what that raises. If nobody began it, do so now."""
        if self._task is None:
            if well:
                await self._store.transact(self._done)
            return
        if self._verdict is not None and not self._verdict.done():
            self._verdict.set_result(well)
        if self._jobs is not None:
            self._jobs.put(lambda: well)
        if well:
            await asyncio.shield(self._task)
        else:
            # What the handler raised is told, and not what became of its transaction.
            await asyncio.gather(self._task, return_exceptions=True)

    # -- the unit of work -------------------------------------------------------------------------

    def _done(self, tx: Transaction) -> None:
        self._begin(tx)
        self._finish(tx)

    def _work(self, tx: Transaction) -> None:
        self._begin(tx)
        connection = getattr(tx, "connection", None)
        if connection is None:
            raise no_connection()
        if not self._waited_for(connection):
            raise _TakenBack
        self._finish(tx)

    def _waited_for(self, connection: Any) -> bool:
        """Say that it has begun, wait for the handler's end, and return whether it went well."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._waited_in_thread(connection)
        from sqlalchemy.util import await_only  # noqa: PLC0415 - there, if this is

        self._verdict = self._loop.create_future()
        self._tell(connection)
        return bool(await_only(self._verdict))

    def _waited_in_thread(self, connection: Any) -> bool:
        jobs: queue.SimpleQueue[Callable[[], bool | None]] = queue.SimpleQueue()
        self._jobs = jobs
        self._loop.call_soon_threadsafe(self._tell, connection)
        while True:
            well = jobs.get()()
            if well is not None:
                return well

    def _tell(self, connection: Any) -> None:
        if self._begun is not None and not self._begun.done():
            self._begun.set_result(connection)


class _TakenBack(Exception):
    """The handler failed, and its transaction is taken back."""


def _posted(
    jobs: queue.SimpleQueue[Callable[[], bool | None]],
    function: Callable[[Any], T],
    connection: Any,
) -> Future[T]:
    """Have the thread that waits call a function."""
    future: Future[T] = Future()

    def job() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = function(connection)
        except BaseException as error:  # noqa: BLE001 - thrown on, to where it was asked for
            future.set_exception(error)
        else:
            future.set_result(result)

    jobs.put(job)
    return future


class _Carried:
    """
    An async engine's connection for a thread: each method is carried to the loop and waited for.

    Results are read into memory by async drivers, so they may be used in the thread.
    """

    def __init__(self, connection: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        from sqlalchemy.util import greenlet_spawn  # noqa: PLC0415 - there, if this is

        value = getattr(self._connection, name)
        if not callable(value):
            return value

        def carried(*args: Any, **named: Any) -> Any:
            called = greenlet_spawn(value, *args, **named)
            return asyncio.run_coroutine_threadsafe(called, self._loop).result()

        return carried


class AwaitedTransaction(Deferring):
    """What a handler that is a coroutine function is given beside the event."""

    def __init__(self, outbox: Outbox, late: LateTransaction) -> None:
        super().__init__(outbox)
        self._late = late

    async def run(self, function: Callable[[Any], T]) -> T:
        """
        Call a plain function with the SQLAlchemy connection of this delivery's transaction.

            await tx.run(lambda connection: connection.execute(shipped.insert(), {...}))

        What it writes commits with the mark that the handler ran. The transaction begins with the
        first call and ends with the handler: do slow things before it. With payport's own SQLite
        file everybody else who writes waits meanwhile.

        Raises:
            ConfigurationError: The store is memory.
        """
        return await self._late.run(function)

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[Any]:
        """
        An `AsyncSession` joined to the transaction; flushed and closed at the end of the block.

        Raises:
            ConfigurationError: The store's engine is none of SQLAlchemy's async ones. Payport's own
                SQLite file has a thread for itself, and its connection is used there alone:
                `await tx.run(lambda connection: ...)` with `Session(connection)` inside.
        """
        connection = await self._late.open()
        if not self._late.is_in_loop:
            raise ConfigurationError(
                "payport's own SQLite file is used in a thread of its own. Use "
                "`await tx.run(function)`, whose function may make a Session(connection)",
                operation="tx.session",
            )
        from sqlalchemy.ext.asyncio import (  # noqa: PLC0415 - needed by few
            AsyncConnection,
            AsyncEngine,
            AsyncSession,
        )

        joined = AsyncConnection(AsyncEngine(connection.engine), connection)
        async with AsyncSession(joined, join_transaction_mode="create_savepoint") as session:
            yield session
            await session.commit()

    @property
    def connection(self) -> Any:
        """
        Not for a handler that is awaited.

        Raises:
            ConfigurationError: Always; use `run`, or `session`.
        """
        raise ConfigurationError(
            "an awaited handler uses its transaction by `await tx.run(function)`, which calls the "
            "function with the connection, or by `async with tx.session()`",
            operation="tx.connection",
        )
