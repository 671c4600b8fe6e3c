"""
The rate limit of our own: so many requests a second to one account, so that the provider's limit is
not reached in the first place.

The counting is pyrate-limiter's; waiting is somebody else's, so that one limit serves both colours.
Its background thread is not used: a bucket is emptied by whoever asks next.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Protocol, cast

from payport.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Allowance", "NoLimit", "Pace", "RateLimit", "rate_limit"]


#: Milliseconds in which so many requests may go out.
_WINDOW: Final = 1000


class Pace(Protocol):
    """Says how long a request has to wait for its turn."""

    def wait(self) -> float:
        """Take a turn and return 0, or return the seconds after which to ask again."""
        ...

    def left(self) -> float:
        """Seconds until a turn is free, for all that can be said now; takes none."""
        ...


class NoLimit:
    """Every request may go at once."""

    def wait(self) -> float:
        """Return 0."""
        return 0.0

    def left(self) -> float:
        """Return 0."""
        return 0.0


class RateLimit:
    """
    So many requests in any one second, safe to share between threads and tasks.

    Args:
        per_second: How many; at least 1.
        monotonic: A clock that never steps back, in seconds.

    Raises:
        ConfigurationError: pyrate-limiter is not installed.
    """

    def __init__(self, per_second: int, monotonic: Callable[[], float]) -> None:
        try:
            from pyrate_limiter import (  # noqa: PLC0415 - only who limits a rate needs it
                InMemoryBucket,
                Rate,
                RateItem,
            )
        except ImportError as error:
            message = "a rate limit needs the package pyrate-limiter: it comes with each adapter"
            raise ConfigurationError(message, operation="Payport", field="rate_limit") from error
        self._item = RateItem
        self._most = per_second
        self._bucket = InMemoryBucket([Rate(per_second, _WINDOW)])
        self._monotonic = monotonic
        self._lock = threading.Lock()

    def left(self) -> float:
        """Seconds until a turn is free; takes none."""
        if self._bucket.count() < self._most:
            return 0.0  # without the lock: whoever takes a turn asks again
        with self._lock:
            now = int(self._monotonic() * 1000)
            self._bucket.leak(now)
            first = self._bucket.peek(self._most - 1)
            return 0.0 if first is None else max(1, first.timestamp + _WINDOW + 1 - now) / 1000

    def wait(self) -> float:
        """Take a turn and return 0, or return the seconds after which to ask again."""
        with self._lock:
            now = int(self._monotonic() * 1000)
            item = self._item("", now)
            self._bucket.leak(now)
            if self._bucket.put(item):
                return 0.0
            left = cast("int", self._bucket.waiting(item))  # awaitable for remote buckets only
        # At least one step of the bucket's clock, or a caller would ask again at the same moment.
        return max(1, left) / 1000


class Allowance:
    """
    So many a second and as many at once, safe to share between threads. It never waits.

    Args:
        monotonic: A clock that never steps back, in seconds.
    """

    def __init__(self, per_second: int, monotonic: Callable[[], float]) -> None:
        self._each = 1 / per_second
        self._burst = 1.0
        self._monotonic = monotonic
        self._lock = threading.Lock()
        #: When everything that was allowed so far would have been, one after the other.
        self._used_until: float | None = None

    def take(self) -> bool:
        """Whether there is one left; it is then used."""
        with self._lock:
            now = self._monotonic()
            until = now if self._used_until is None else max(now, self._used_until)
            if until + self._each > now + self._burst:
                return False
            self._used_until = until + self._each
            return True


def rate_limit(per_second: int | None, monotonic: Callable[[], float]) -> Pace:
    """The pace for so many requests a second; no limit for None and 0."""
    return RateLimit(per_second, monotonic) if per_second else NoLimit()
