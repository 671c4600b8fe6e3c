"""
The embedded store: one SQLite file of payport's own, and in each process one connection to it that
takes turns. Both colours share it: the async store runs whole units of work in a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias, TypeVar

from payport.domain.errors import ConfigurationError, StoreUnavailable
from payport.storage import forks
from payport.storage.arriving import took_in
from payport.storage.grouping import MOST, Arriving, Line, Unit
from payport.storage.loops import OneLoop
from payport.storage.running import ThroughDriver
from payport.storage.sql import run_unit, run_units
from payport.storage.sqlite_file import SqliteFile
from payport.storage.sqlite_sends import SqliteSends
from payport.storage.units import Turn, unpicklable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import sqlalchemy as sa

    from payport.storage.base import Arrival, Known, Transaction

__all__ = ["AsyncSqliteStore", "SqliteStore"]

T = TypeVar("T")

#: Seconds to wait for another process's transaction. Ours take milliseconds.
_WAIT: Final = 5.0


class SqliteStore:
    """
    A `Store` in a file of its own. Threads take turns; processes wait for each other.

    A forked child opens its own connection: the parent closes its one before the fork and opens
    another after it.

    Args:
        path: The file; made at first use. Its directory has to exist.
        wait: Seconds to wait for another process's transaction.
    """

    def __init__(self, path: str, *, wait: float = _WAIT) -> None:
        self._file = SqliteFile(path, wait=wait)
        self._sends = SqliteSends(self._file.path, self._file.place)
        self._turn = Turn()
        self._line = Line()
        self._connection: sa.Connection | None = None
        self._running: ThroughDriver | None = None
        self._process = 0
        self._identity: tuple[int, int] | None = None
        forks.watch(self)

    @property
    def path(self) -> Path:
        """The file, whether it was made already or not."""
        return self._file.path

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """See `Store.transact`."""
        with self._turn:
            connection, running = self._usable()
            try:
                return run_unit(connection, work, self._sends, running)
            except StoreUnavailable:
                # Whatever is wrong, a new connection has the best chance that it is not any more.
                self._disconnect()
                raise

    def transact_shared(self, work: Callable[[Transaction], T]) -> T:
        """See `SharedStore.transact_shared`."""
        return self._line.carry_out(Unit(work), self.carry_out)

    def add_arrivals(self, arrivals: Sequence[Arrival]) -> Sequence[Known | None]:
        """See `SharedStore.add_arrivals`."""
        return self._line.carry_out(Arriving(arrivals), self.carry_out)

    def carry_out(self, units: Sequence[Unit[Any]]) -> None:
        """Carry units of work out in one transaction, and tell each what became of it."""
        try:
            with self._turn:
                connection, running = self._usable()
                try:
                    if not took_in(running, units):
                        run_units(connection, units, self._sends, running)
                except StoreUnavailable:
                    self._disconnect()
                    raise
        except Exception as error:  # noqa: BLE001 - each is told
            for unit in units:
                unit.raised(error)

    def close(self) -> None:
        """Close the file. The next use opens it again."""
        with self._turn:
            if not self._is_inherited():
                self._disconnect()
                self._identity = None

    def _usable(self) -> tuple[sa.Connection, ThroughDriver]:
        if self._is_inherited():
            raise ConfigurationError(
                f"{self._file.place} was open when this process was forked, and could not be "
                "closed before. Close the store before the fork, or make it in the child.",
                field="store",
            )
        # A journal that was moved away must not go on as an empty one, which has forgotten what
        # was sent.
        if self._identity is not None and self._file.identity() != self._identity:
            raise StoreUnavailable(
                f"{self._file.place} was removed or replaced while it was in use. Put it back, or "
                "restart every process that uses it.",
                operation="store.transact",
            )
        if self._connection is None or self._running is None:
            self._connection = self._file.connect()
            self._running = ThroughDriver(self._connection, self._file.place, self._file.wait)
            self._process = os.getpid()
            self._identity = self._file.identity()
        return self._connection, self._running

    def _disconnect(self) -> None:
        connection, self._connection, self._running = self._connection, None, None
        if connection is not None:
            connection.close()
        self._sends.close()

    def _is_inherited(self) -> bool:
        """
        Whether the connection is the parent's. It stays here for ever, so that nobody opens one
        beside it.
        """
        if self._connection is None or self._process == os.getpid():
            return False
        forks.abandon(self._connection)
        return True

    # -- forks ------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """See `Forkable`. A unit of work that forks keeps its connection, and its child refuses."""
        if self._turn.pause():
            self._disconnect()

    def after_fork_in_parent(self) -> None:
        """See `Forkable`."""
        self._turn.resume()

    def after_fork_in_child(self) -> None:
        """See `Forkable`."""
        self._turn = Turn()
        self._line = Line()
        self._sends = SqliteSends(self._file.path, self._file.place)

    def __reduce__(self) -> NoReturn:
        unpicklable(self)


#: Units of work, and who is told when they are done.
_Waiting: TypeAlias = "deque[tuple[Unit[Any], asyncio.Future[None]]]"


class AsyncSqliteStore:
    """
    An `AsyncStore` in a file of its own; belongs to the event loop that first uses it.

    Each unit of work goes as a whole to one thread, which `aclose` ends. The usual way, an async
    driver that hands every single statement to its thread, was measured at three times the CPU for
    a journaled payment; it can be cancelled between two statements, and its debug log shows the
    values of rows.

    A cancelled `transact` ends at once for its caller; its work has then not begun, or goes on to
    its own end, with commit or rollback.
    """

    def __init__(self, path: str, *, wait: float = _WAIT) -> None:
        self._store = SqliteStore(path, wait=wait)
        self._loop = OneLoop("the store")
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: _Waiting = deque()
        self._called = False
        self._process = os.getpid()

    @property
    def path(self) -> Path:
        """See `SqliteStore.path`."""
        return self._store.path

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """See `AsyncStore.transact`."""
        self._leave_parent()
        loop = self._loop.check()
        context = contextvars.copy_context()
        return await loop.run_in_executor(
            self._started(), lambda: context.run(self._store.transact, work)
        )

    async def transact_shared(self, work: Callable[[Transaction], T]) -> T:
        """See `SharedStore.transact_shared`."""
        return await self._carried_out(Unit(work))

    async def add_arrivals(self, arrivals: Sequence[Arrival]) -> Sequence[Known | None]:
        """See `SharedStore.add_arrivals`."""
        return await self._carried_out(Arriving(arrivals))

    async def _carried_out(self, unit: Unit[T]) -> T:
        self._leave_parent()
        loop = self._loop.check()
        told = loop.create_future()
        self._waiting.append((unit, told))
        if not self._called:
            # Whoever else runs in this turn of the loop comes along.
            self._called = True
            loop.call_soon(self._call)
        await told
        return unit.result()

    def _call(self) -> None:
        """In the event loop: let the thread carry out what waits."""
        self._called = False
        if self._waiting:
            self._started().submit(self._carry_out_waiting, self._loop.check())

    def _carry_out_waiting(self, loop: asyncio.AbstractEventLoop) -> None:
        """In the thread: whatever waits by now, together."""
        waiting = self._waiting
        while waiting:
            taken = [waiting.popleft() for _ in range(min(len(waiting), MOST))]
            # Whoever was canceled meanwhile does not want it any more.
            wanted = [(unit, told) for unit, told in taken if not told.cancelled()]
            try:
                if wanted:
                    self._store.carry_out([unit for unit, _ in wanted])
            finally:
                with contextlib.suppress(RuntimeError):  # the loop is over, and nobody listens
                    loop.call_soon_threadsafe(_tell, wanted)

    def _started(self) -> ThreadPoolExecutor:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="payport-sqlite")
        return self._thread

    async def aclose(self) -> None:
        """Close the file and end the thread. The next use opens it again, in any loop."""
        self._leave_parent()
        thread, self._thread = self._thread, None
        self._loop.leave()
        if thread is not None:
            try:
                await asyncio.get_running_loop().run_in_executor(thread, self._store.close)
            except BaseException:
                thread.shutdown(wait=False)
                raise
            # Closing came last in its line: the thread has nothing left to do but to end.
            thread.shutdown()

    def _leave_parent(self) -> None:
        """In a forked child: the thread and the loop stayed behind."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._thread = None
            self._waiting, self._called = deque(), False
            self._loop.leave()

    def __reduce__(self) -> NoReturn:
        unpicklable(self)


def _tell(done: Sequence[tuple[Unit[Any], asyncio.Future[None]]]) -> None:
    """In the event loop: those who wait go on. What is not done was lost with its thread."""
    for unit, told in done:
        if not unit.is_done:
            message = "the thread that works with the database was ended"
            unit.raised(StoreUnavailable(message, operation="store.transact"))
        if not told.done():
            told.set_result(None)
