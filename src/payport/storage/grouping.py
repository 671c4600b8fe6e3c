"""
Group commit: units of work that know nothing of each other share one transaction.

A durable commit waits for the disk, and the units that arrive meanwhile wait for the commit: they
are carried out together in the next one. Each is acknowledged after the commit that holds it, and
never before. A unit that fails does so alone, and takes none of the others back. Nobody waits for
others to come: a unit that comes alone is carried out at once, alone.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from payport.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from payport.storage.base import AsyncStore, Store, Transaction

__all__ = ["MOST", "AsyncGrouped", "Grouped", "Line", "Unit"]

T = TypeVar("T")

#: In one transaction: more of them would make the first ones wait too long.
MOST: Final = 64


class Unit(Generic[T]):
    """A unit of work, and what became of it."""

    __slots__ = ("_error", "_value", "is_done", "work")

    def __init__(self, work: Callable[[Transaction], T]) -> None:
        self.work = work
        self.is_done: bool = False
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


#: Carries units out in one transaction and tells each what became of it; those that are not told
#: when it raises are still to be done.
Together: TypeAlias = "Callable[[Sequence[Unit[Any]]], None]"


class Line:
    """Units of work of several threads, carried out together by whoever comes first."""

    def __init__(self) -> None:
        self._waiting: deque[Unit[Any]] = deque()
        self._turn = threading.Lock()

    def transact(self, work: Callable[[Transaction], T], together: Together) -> T:
        """See `Store.transact`."""
        unit = Unit(work)
        self._waiting.append(unit)
        try:
            with self._turn:
                # Whoever comes first works for all who wait; the others find their work done.
                while not unit.is_done:
                    self._carry_out(_taken(self._waiting), together)
        except BaseException:
            # Nobody waits for it any more, and it must not be carried out at some later time.
            with contextlib.suppress(ValueError):
                self._waiting.remove(unit)
            raise
        return unit.result()

    def _carry_out(self, units: Sequence[Unit[Any]], together: Together) -> None:
        try:
            together(units)
        except BaseException:
            # The thread is being ended: those of the others are theirs again.
            self._waiting.extendleft(unit for unit in reversed(units) if not unit.is_done)
            raise


class Grouped:
    """A store for units of work that may share a transaction; for threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._line = Line()

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """See `Store.transact`."""
        return self._line.transact(work, self._together)

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
    """A store for units of work that may share a transaction; for tasks of one event loop."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self._waiting: deque[Unit[Any]] = deque()
        self._turn: asyncio.Lock | None = None

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """See `AsyncStore.transact`."""
        if self._turn is None:
            import asyncio  # noqa: PLC0415 - 15 ms that a blocking application does not pay

            self._turn = asyncio.Lock()
        unit = Unit(work)
        self._waiting.append(unit)
        async with self._turn:
            while not unit.is_done:
                await self._carry_out(_taken(self._waiting))
        return unit.result()

    async def _carry_out(self, units: Sequence[Unit[Any]]) -> None:
        try:
            await self._together(units)
        except BaseException:
            # Canceled, perhaps while it commits: carrying it out again changes nothing more.
            self._waiting.extendleft(unit for unit in reversed(units) if not unit.is_done)
            raise

    async def _together(self, units: Sequence[Unit[Any]]) -> None:
        try:
            values = await self._store.transact(lambda tx: [unit.work(tx) for unit in units])
        except Exception as error:  # noqa: BLE001 - each caller gets its own
            if not _concerns_all(units, error):
                for unit in units:
                    await self._together([unit])
            return
        _returned(units, values)


def _taken(waiting: deque[Unit[Any]]) -> list[Unit[Any]]:
    return [waiting.popleft() for _ in range(min(len(waiting), MOST))]


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
