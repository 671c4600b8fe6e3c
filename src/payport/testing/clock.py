"""
A clock that moves only when told to: `sleep` advances it and returns at once.

It is both clocks at once: a wall clock, which a test may step back as machines do, and a monotonic
one, which never goes back. Nothing here waits, and no thread is started: timers run inside the call
that advances the clock.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from types import coroutine
from typing import Final

from payport.domain.errors import InvalidRequest

__all__ = ["START", "FakeClock", "turn"]

#: When time begins, unless a test says otherwise.
START: Final = datetime(2026, 1, 1, tzinfo=UTC)


@coroutine
def turn() -> Generator[None, None, None]:
    """Let other tasks of the event loop run once. What `asyncio.sleep(0)` does, without asyncio."""
    yield


class FakeClock:
    """
    A clock for tests. A `payport.operations.clock.Clock`, and the client's `sleep` too.

    Safe to use from several threads; a thread that sleeps moves the time of all.

    Args:
        start: The wall clock's first reading, aware.

    Raises:
        InvalidRequest: `start` is naive.
    """

    def __init__(self, start: datetime = START) -> None:
        if start.tzinfo is None:
            message = "a clock needs an aware datetime, in UTC; a naive one has no moment"
            raise InvalidRequest(message, operation="FakeClock", field="start")
        self._now = start.astimezone(UTC)
        self._elapsed = timedelta()
        self._lock = threading.RLock()
        self._timers: list[tuple[timedelta, int, Callable[[], object]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        """The wall clock's reading: aware, in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since the clock was made, however often the wall clock stepped back."""
        return self._elapsed.total_seconds()

    def sleep(self, seconds: float) -> None:
        """Advance by `seconds` and return at once; no time for zero and less, as `time.sleep`."""
        if seconds > 0:
            self.advance(seconds)

    async def asleep(self, seconds: float) -> None:
        """`sleep`, awaited: other tasks get a turn, and nobody waits."""
        self.sleep(seconds)
        await turn()

    def advance(self, by: timedelta | float) -> None:
        """
        Let time pass, by a timedelta or by seconds; timers that come due run at their moments.

        Raises:
            InvalidRequest: `by` is negative: that is `step_back`.
        """
        with self._lock:
            until = self._elapsed + _span(by, "advance")
            while self._timers and self._timers[0][0] <= until:
                due, _, callback = heapq.heappop(self._timers)
                self._reach(max(due, self._elapsed))
                callback()
            # A timer may have advanced the clock further than this call was asked to.
            self._reach(max(until, self._elapsed))

    def step_back(self, by: timedelta | float) -> None:
        """
        Set the wall clock back, as a time server does; the monotonic clock does not move.

        Raises:
            InvalidRequest: `by` is negative: that is `advance`.
        """
        with self._lock:
            self._now -= _span(by, "step_back")

    def call_at(self, moment: datetime, callback: Callable[[], object]) -> None:
        """
        Call `callback` when the clock is advanced to `moment`; at the next advance if it is past.

        A wall clock that is stepped back later does not delay it: it counts the time that passes.
        """
        self.call_later((moment - self._now).total_seconds(), callback)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> None:
        """Call `callback` when the clock has advanced by `seconds`."""
        with self._lock:
            due = self._elapsed + timedelta(seconds=seconds)
            heapq.heappush(self._timers, (due, next(self._order), callback))

    def _reach(self, elapsed: timedelta) -> None:
        self._now += elapsed - self._elapsed
        self._elapsed = elapsed

    def __repr__(self) -> str:
        return f"FakeClock({self._now.isoformat()})"


def _span(by: timedelta | float, operation: str) -> timedelta:
    span = by if isinstance(by, timedelta) else timedelta(seconds=by)
    if span < timedelta():
        message = "time goes forward with advance() and back with step_back(), never by less than 0"
        raise InvalidRequest(message, operation=operation, field="by")
    return span
