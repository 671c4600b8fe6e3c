"""
Group commit: units of work that know nothing of each other share one transaction.

A durable commit waits for the disk, and the units that arrive meanwhile wait for the commit: they
are carried out together in the next one. Each is acknowledged after the commit that holds it, and
never before. A unit that fails does so alone, and takes none of the others back.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from payport.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from payport.storage.base import AsyncStore, Store, Transaction

__all__ = ["AsyncGrouped", "Grouped"]

T = TypeVar("T")

#: In one transaction: more of them would make the first ones wait too long.
MOST: Final = 64


class _Unit(Generic[T]):
    """A unit of work, and what became of it."""

    def __init__(self, work: Callable[[Transaction], T]) -> None:
        self.work = work
        self.is_done = False
        self._value: Any = None
        self._error: Exception | None = None

    def returned(self, value: T) -> None:
        self._value, self.is_done = value, True

    def raised(self, error: Exception) -> None:
        self._error, self.is_done = error, True

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        value: T = self._value
        return value


class Grouped:
    """A store for units of work that may share a transaction; for threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: deque[_Unit[Any]] = deque()
        self._turn = threading.Lock()

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """See `Store.transact`."""
        unit = _Unit(work)
        self._waiting.append(unit)
        with self._turn:
            # Whoever comes first works for all who wait; the others find their work done.
            while not unit.is_done:
                self._carry_out(_taken(self._waiting))
        return unit.result()

    def _carry_out(self, units: Sequence[_Unit[Any]]) -> None:
        try:
            self._together(units)
        except BaseException:
            # The thread is being ended: those of the others are theirs again.
            self._waiting.extendleft(unit for unit in reversed(units) if not unit.is_done)
            raise

    def _together(self, units: Sequence[_Unit[Any]]) -> None:
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
        self._waiting: deque[_Unit[Any]] = deque()
        self._turn: asyncio.Lock | None = None

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """See `AsyncStore.transact`."""
        if self._turn is None:
            import asyncio  # noqa: PLC0415 - 15 ms that a blocking application does not pay

            self._turn = asyncio.Lock()
        unit = _Unit(work)
        self._waiting.append(unit)
        async with self._turn:
            while not unit.is_done:
                await self._carry_out(_taken(self._waiting))
        return unit.result()

    async def _carry_out(self, units: Sequence[_Unit[Any]]) -> None:
        try:
            await self._together(units)
        except BaseException:
            # Canceled, perhaps while it commits: carrying it out again changes nothing more.
            self._waiting.extendleft(unit for unit in reversed(units) if not unit.is_done)
            raise

    async def _together(self, units: Sequence[_Unit[Any]]) -> None:
        try:
            values = await self._store.transact(lambda tx: [unit.work(tx) for unit in units])
        except Exception as error:  # noqa: BLE001 - each caller gets its own
            if not _concerns_all(units, error):
                for unit in units:
                    await self._together([unit])
            return
        _returned(units, values)


def _taken(waiting: deque[_Unit[Any]]) -> list[_Unit[Any]]:
    return [waiting.popleft() for _ in range(min(len(waiting), MOST))]


def _returned(units: Sequence[_Unit[Any]], values: Sequence[Any]) -> None:
    for unit, value in zip(units, values, strict=True):
        unit.returned(value)


def _concerns_all(units: Sequence[_Unit[Any]], error: Exception) -> bool:
    """Whether the failure is everybody's, as that of the database is; says so to all, then."""
    if len(units) > 1 and not isinstance(error, StoreUnavailable):
        return False
    for unit in units:
        unit.raised(error)
    return True
