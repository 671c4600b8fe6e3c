"""
Group commit: units of work that know nothing of each other share one transaction.

A durable commit waits for the disk, and the units that arrive meanwhile wait for the commit: they
are carried out together in the next one. Each is acknowledged after the commit that holds it, and
never before. A unit that fails does so alone, and takes none of the others back.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from payport.domain.errors import StoreUnavailable
from payport.storage.inbox import adding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from payport.storage.base import (
        AsyncSharedStore,
        AsyncStore,
        SharedStore,
        Store,
        Transaction,
    )
    from payport.storage.inbox import Arrival, Known

__all__ = [
    "MOST",
    "Arriving",
    "AsyncGrouped",
    "Grouped",
    "Line",
    "Unit",
    "sharing",
    "sharing_awaited",
]

T = TypeVar("T")

#: In one transaction: more of them would make the first ones wait too long.
MOST: Final = 64


class Unit(Generic[T]):
    """
    A unit of work, and what became of it.

    Attributes:
        leads: Whether its caller works for all who wait.
        wake: Tells its caller, where that waits, that the work is done or that it leads now. Once.
    """

    __slots__ = ("_error", "_value", "is_done", "leads", "wake", "work")

    def __init__(self, work: Callable[[Transaction], T]) -> None:
        self.work: Callable[[Transaction], T] = work
        self.is_done: bool = False
        self.leads: bool = False
        self.wake: Callable[[], object] | None = None
        self._value: Any = None
        self._error: Exception | None = None

    def returned(self, value: T) -> None:
        """It was committed."""
        self._value, self.is_done = value, True

    def raised(self, error: Exception) -> None:
        """It failed, and nothing of it stands."""
        self._error, self.is_done = error, True

    def result(self) -> T:
        """What its caller is told."""
        if self._error is not None:
            raise self._error
        value: T = self._value
        return value


class Arriving(Unit["Sequence[Known | None]"]):
    """
    The insertion of received deliveries, which a store may carry out in a way of its own.

    Attributes:
        arrivals: The deliveries.
    """

    __slots__ = ("arrivals",)

    def __init__(self, arrivals: Sequence[Arrival]) -> None:
        super().__init__(adding(arrivals))
        self.arrivals: Sequence[Arrival] = arrivals


class _Line:
    """
    Who waits, and who works for them.

    Whoever comes first leads: works for all who wait, itself among them, and leaves the lead to the
    next one that came meanwhile. Each of the others is woken once: with its work done, or to lead.
    """

    def __init__(self) -> None:
        self._waiting: deque[Unit[Any]] = deque()
        self._taken: list[Unit[Any]] = []
        self._is_led = False
        self._process = os.getpid()

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, unit: Unit[Any]) -> bool:
        """Come last, and say whether to lead; else wait to be woken."""
        if self._process != os.getpid():
            # In a forked child: whoever led and waited stayed behind.
            _Line.__init__(self)
        self._waiting.append(unit)
        unit.leads = not self._is_led
        self._is_led = True
        return unit.leads

    def take(self) -> Sequence[Unit[Any]]:
        """For who leads: those to work for next."""
        waiting = self._waiting
        self._taken = [waiting.popleft() for _ in range(min(len(waiting), MOST))]
        return tuple(self._taken)

    def wake(self) -> None:
        """For who leads: tell those whose work is done."""
        while self._taken:
            unit = self._taken.pop()
            if unit.wake is not None:
                unit.wake()

    def leave(self, unit: Unit[Any]) -> None:
        """
        Go, done or not: the caller may have been cancelled, or its thread be ended. What it took
        for others and did not do is theirs again.
        """
        if not unit.is_done and unit in self._waiting:
            self._waiting.remove(unit)
        if not unit.leads:
            return
        unit.leads = False
        if not self._taken and not self._waiting:
            self._is_led = False
            return
        left = [one for one in self._taken if not one.is_done and one is not unit]
        self._taken = [one for one in self._taken if one.is_done]
        self.wake()
        self._waiting.extendleft(reversed(left))
        self._is_led = bool(self._waiting)
        if self._is_led:
            following = self._waiting[0]
            following.leads = True
            assert following.wake is not None  # noqa: S101 - it came while another one led
            following.wake()


class Line:
    """Units of work of several threads, carried out together by whoever comes first."""

    def __init__(self) -> None:
        self._line = _Line()
        self._guard = threading.Lock()

    def __len__(self) -> int:
        """How many wait to be taken."""
        return len(self._line)

    def carry_out(self, unit: Unit[T], together: Callable[[Sequence[Unit[Any]]], None]) -> T:
        """
        Have a unit carried out, and return what it returned, or raise what it failed with.

        Args:
            together: Carries units out in one transaction and tells each what became of it; those
                that are not told when it raises are still to be done.
        """
        turn: threading.Lock | None = None
        units: Sequence[Unit[Any]] = ()
        try:
            with self._guard:
                if self._line.join(unit):
                    units = self._line.take()
                else:
                    turn = _taken_lock()
                    unit.wake = turn.release
            if turn is not None:
                turn.acquire()
            while not unit.is_done:
                if not units:
                    with self._guard:
                        units = self._line.take()
                together(units)
                units = ()
                self._line.wake()
        finally:
            with self._guard:
                self._line.leave(unit)
        return unit.result()


def _taken_lock() -> threading.Lock:
    """A lock whose next taker waits until somebody lets it go."""
    lock = threading.Lock()
    lock.acquire()
    return lock


class Grouped:
    """Lets units of work share the transactions of a store that does not by itself; for threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._line = Line()

    def transact_shared(self, work: Callable[[Transaction], T]) -> T:
        """See `SharedStore.transact_shared`."""
        return self._line.carry_out(Unit(work), self._together)

    def add_arrivals(self, arrivals: Sequence[Arrival]) -> Sequence[Known | None]:
        """See `SharedStore.add_arrivals`."""
        return self._line.carry_out(Arriving(arrivals), self._together)

    def _together(self, units: Sequence[Unit[Any]]) -> None:
        try:
            values = self._store.transact(lambda tx: [unit.work(tx) for unit in units])
        except Exception as error:  # noqa: BLE001 - each caller gets its own
            if not _concerns_all(units, error):
                for unit in units:
                    self._together([unit])
            return
        _returned(units, values)


class AsyncGrouped:
    """As `Grouped`, for tasks of one event loop."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self._line = _Line()

    async def transact_shared(self, work: Callable[[Transaction], T]) -> T:
        """See `SharedStore.transact_shared`."""
        return await self._carried_out(Unit(work))

    async def add_arrivals(self, arrivals: Sequence[Arrival]) -> Sequence[Known | None]:
        """See `SharedStore.add_arrivals`."""
        return await self._carried_out(Arriving(arrivals))

    async def _carried_out(self, unit: Unit[T]) -> T:
        try:
            if not self._line.join(unit):
                await self._woken(unit)
            while not unit.is_done:
                await self._together(self._line.take())
                self._line.wake()
        finally:
            # Canceled, perhaps while it commits: carrying it out again changes nothing more.
            self._line.leave(unit)
        return unit.result()

    @staticmethod
    async def _woken(unit: Unit[Any]) -> None:
        import asyncio  # noqa: PLC0415 - 15 ms that a blocking application does not pay

        turn = asyncio.get_running_loop().create_future()
        unit.wake = lambda: None if turn.done() else turn.set_result(None)
        await turn

    async def _together(self, units: Sequence[Unit[Any]]) -> None:
        try:
            values = await self._store.transact(lambda tx: [unit.work(tx) for unit in units])
        except Exception as error:  # noqa: BLE001 - each caller gets its own
            if not _concerns_all(units, error):
                for unit in units:
                    await self._together([unit])
            return
        _returned(units, values)


def sharing(store: Store) -> SharedStore:
    """What lets units of work share transactions of a store: itself, or something beside it."""
    shared: Any = store if hasattr(store, "add_arrivals") else Grouped(store)
    return cast("SharedStore", shared)


def sharing_awaited(store: AsyncStore) -> AsyncSharedStore:
    """See `sharing`."""
    shared: Any = store if hasattr(store, "add_arrivals") else AsyncGrouped(store)
    return cast("AsyncSharedStore", shared)


def _returned(units: Sequence[Unit[Any]], values: Sequence[Any]) -> None:
    for unit, value in zip(units, values, strict=True):
        unit.returned(value)


def _concerns_all(units: Sequence[Unit[Any]], error: Exception) -> bool:
    """Whether the failure is everybody's, as that of the database is; says so to all, then."""
    if len(units) > 1 and not isinstance(error, StoreUnavailable):
        return False
    for unit in units:
        unit.raised(error)
    return True
