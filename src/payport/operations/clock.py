"""Time, injected: nothing in payport reads a clock that a test cannot hold."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """A wall clock for what is written down, and a monotonic one for what is measured."""

    def now(self) -> datetime:
        """The moment, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since anything; never steps back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let time pass, blocking."""
        ...

    async def asleep(self, seconds: float) -> None:
        """Let time pass, awaited."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """The moment, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds of the machine's monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block the thread."""
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Suspend the task."""
        import asyncio  # noqa: PLC0415 - 15 ms that a blocking application does not pay

        await asyncio.sleep(seconds)
