"""
What the processes share: how far the day is, and what each of them does, in a few bytes that all of
them see; and the clock of the day, which is quick.
"""

from __future__ import annotations

import asyncio
import mmap
import random
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, Final, TypeVar

__all__ = ["AsyncSlow", "Phase", "QuickClock", "Shared", "Slot", "Slow"]

T = TypeVar("T")

#: Seconds that something takes at most that would be over before anybody is hit in it.
_PAUSE: Final = 0.004
_PROGRESS: Final = struct.Struct("<IB")


class Phase(IntEnum):
    """What a process does, so that it is known where a kill hit it."""

    STARTING = 0
    IDLE = 1
    #: A transaction is open.
    WRITING = 2
    #: It is committed, and nobody was told yet.
    WRITTEN = 3
    #: A handler runs, in its transaction.
    HANDLING = 4


class Shared:
    """The bytes: how many kills were made, whether the day is over, and a phase for each slot."""

    def __init__(self, slots: int) -> None:
        self._bytes = mmap.mmap(-1, _PROGRESS.size + slots)

    def tell(self, kills: int, *, closing: bool) -> None:
        """Say how far the day is."""
        _PROGRESS.pack_into(self._bytes, 0, kills, closing)

    @property
    def progress(self) -> tuple[int, bool]:
        """How many kills were made, and whether there will be no more."""
        kills, closing = _PROGRESS.unpack_from(self._bytes, 0)
        return kills, bool(closing)

    def enter(self, slot: int, phase: Phase) -> None:
        """Say what this slot's process does from now on."""
        self._bytes[_PROGRESS.size + slot] = phase

    def phase(self, slot: int) -> Phase:
        """What the slot's process does, or did when it died."""
        return Phase(self._bytes[_PROGRESS.size + slot])


class Slot:
    """One process's own byte, and its chance."""

    def __init__(self, shared: Shared, number: int) -> None:
        self._shared = shared
        self._number = number
        self._random = random.Random()  # noqa: S311 - the system's, in each process anew

    def enter(self, phase: Phase) -> None:
        """Say what this process does from now on."""
        self._shared.enter(self._number, phase)

    def pause(self) -> None:
        """Take up to some milliseconds."""
        time.sleep(self._random.uniform(0.0, _PAUSE))


class Slow:
    """A store that takes its time before each commit, so that kills hit open transactions."""

    def __init__(self, store: Any, slot: Slot) -> None:
        self._store = store
        self._slot = slot

    def transact(self, work: Callable[[Any], T]) -> T:
        """See `Store.transact`."""
        result: T = self._store.transact(_slowly(work, self._slot))
        self._slot.enter(Phase.WRITTEN)
        self._slot.pause()
        self._slot.enter(Phase.IDLE)
        return result

    def close(self) -> None:
        """See `Store.close`."""
        self._store.close()


class AsyncSlow:
    """The same for a store that is awaited."""

    def __init__(self, store: Any, slot: Slot) -> None:
        self._store = store
        self._slot = slot

    async def transact(self, work: Callable[[Any], T]) -> T:
        """See `AsyncStore.transact`."""
        result: T = await self._store.transact(_slowly(work, self._slot))
        self._slot.enter(Phase.WRITTEN)
        await asyncio.sleep(_PAUSE / 2)
        self._slot.enter(Phase.IDLE)
        return result

    async def aclose(self) -> None:
        """See `AsyncStore.aclose`."""
        await self._store.aclose()


def _slowly(work: Callable[[Any], T], slot: Slot) -> Callable[[Any], T]:
    def slowly(tx: Any) -> T:
        slot.enter(Phase.WRITING)
        result = work(tx)
        slot.pause()
        return result

    return slowly


class QuickClock:
    """
    A clock that runs a hundred times faster, from a moment that all processes know: a dead
    worker's lease, which lasts minutes, ends within seconds.
    """

    RATE: Final = 100.0

    def __init__(self) -> None:
        self._began = time.time()

    def now(self) -> datetime:
        """See `Clock`."""
        passed = (time.time() - self._began) * self.RATE
        return datetime.fromtimestamp(self._began, UTC) + timedelta(seconds=passed)

    def monotonic(self) -> float:
        """See `Clock`."""
        return time.monotonic() * self.RATE

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        time.sleep(seconds / self.RATE)

    async def asleep(self, seconds: float) -> None:
        """See `Clock`."""
        await asyncio.sleep(seconds / self.RATE)
