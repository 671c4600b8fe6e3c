"""
What time it is, as far as anybody can tell: by this machine's wall clock, and by the provider's,
carried on by the monotonic clock since it was last told.

A wall clock that is wrong when an operation is first sent, or when its key's age is measured, would
make the key look younger than it is, and a provider that forgot a key executes its request again.
Two clocks that disagree are both believed, each where that is the safe side.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from payport.operations.clock import Clock

__all__ = ["Reckoning"]

#: Many providers tell their time in whole seconds.
_SECOND = timedelta(seconds=1)


class Reckoning:
    """
    The bounds of what time it is, for one provider and account.

    Safe to share between threads: what is told is kept as one value.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: tuple[datetime, float, float] | None = None

    def hear(self, outcome: object, asked_at: float) -> None:
        """
        Take the provider's time from what it answered, if it says it.

        Args:
            asked_at: What the monotonic clock said before the request: the answer is from then or
                later.
        """
        told: datetime | None = getattr(outcome, "provider_time", None)
        if told is not None:
            self._told = (told, asked_at, self._clock.monotonic())

    def earliest(self) -> datetime:
        """The moment, and not later than it is by either clock."""
        now = self._clock.now()
        if self._told is None:
            return now
        told, _, answered_at = self._told
        return min(now, told + timedelta(seconds=self._clock.monotonic() - answered_at))

    def latest(self) -> datetime:
        """The moment, and not earlier than it is by either clock."""
        now = self._clock.now()
        if self._told is None:
            return now
        told, asked_at, _ = self._told
        return max(now, told + timedelta(seconds=self._clock.monotonic() - asked_at) + _SECOND)
