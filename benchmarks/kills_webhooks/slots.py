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
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Final, TypeVar

__all__ = ["AsyncSlow", "Phase", "QuickClock", "Shared", "Slot", "Slow"]

T = TypeVar("T")

#: Seconds that something takes at most that would be over before anybody is hit in it.
_PAUSE: Final = 0.008
#: Seconds that who is aimed at waits at most.
_END: Final = 1.0
_PROGRESS: Final = struct.Struct("<IB")


class Phase(IntEnum):
    """What a process does, so that it is known where a kill hit it."""

    STARTING = 0
    IDLE = 1
    #: A transaction is open.
    WRITING = 2
    #: It is committed, and nobody was told yet.
    WRITTEN = 3
    #: A handler runs, or ran, in the transaction that is open.
    HANDLING = 4
    #: The transaction of a handler is committed.
    HANDLED = 5


class Shared:
    """
    The bytes: how many kills were made, whether the day is over, and for each slot what its process
    does, and where it is to wait for its end.
    """

    def __init__(self, slots: int) -> None:
        self._bytes = mmap.mmap(-1, _PROGRESS.size + 2 * slots)
        self._aims = _PROGRESS.size + slots

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

    def aim(self, slot: int, phase: Phase) -> None:
        """Have the slot's process wait for its end once it comes to a phase; STARTING: nowhere."""
        self._bytes[self._aims + slot] = phase

    def aimed_at(self, slot: int) -> Phase:
        """Where it is to wait."""
        return Phase(self._bytes[self._aims + slot])


class Slot:
    """One process's own byte, and its chance."""

    def __init__(self, shared: Shared, number: int) -> None:
        self._shared = shared
        self._number = number
        self._random = random.Random()  # noqa: S311 - the system's, in each process anew

    def enter(self, phase: Phase) -> None:
        """Say what this process does from now on, and wait there to be killed, if it is to."""
        self._shared.enter(self._number, phase)
        if self._shared.aimed_at(self._number) is phase:
            time.sleep(_END)

    def written(self) -> None:
        """Say that the transaction is committed, a handler's or another."""
        handled = self._shared.phase(self._number) is Phase.HANDLING
        self.enter(Phase.HANDLED if handled else Phase.WRITTEN)

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
        self._slot.written()
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
        self._slot.written()
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
    The machine's clock, which from `hurry` on runs 200 times faster in all processes: a dead
    worker's lease, which lasts minutes, ends within seconds.
    """

    RATE: Final = 200.0

    def __init__(self) -> None:
        self._began: float | None = None

    def hurry(self) -> None:
        """Begin to run fast; before the forks."""
        self._began = time.time()

    def now(self) -> datetime:
        """See `Clock`."""
        return datetime.fromtimestamp(self._ahead(time.time()), UTC)

    def monotonic(self) -> float:
        """See `Clock`."""
        return time.monotonic() * self._rate

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        time.sleep(seconds / self._rate)

    async def asleep(self, seconds: float) -> None:
        """See `Clock`."""
        await asyncio.sleep(seconds / self._rate)

    @property
    def _rate(self) -> float:
        return 1.0 if self._began is None else self.RATE

    def _ahead(self, at: float) -> float:
        return at if self._began is None else self._began + (at - self._began) * self.RATE
