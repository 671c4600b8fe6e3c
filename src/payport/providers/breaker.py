"""
The circuit breaker: after repeated failures of a provider nothing is sent for a while, then one
request tries whether it is back.

Counts only what says that the provider is unwell: declines and refused requests prove that it
answers. Credentials that it refuses open the breaker until a person closes it, because every
further request would be refused too. Holds no lock while anybody talks to the provider, and lets
exactly one request through when half-open: three maintained libraries do one of the two otherwise.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from payport.domain.errors import ConfigurationError
from payport.domain.outcomes import FailureKind
from payport.providers.outcomes import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DEFAULT_BREAKER", "BreakerPolicy", "BreakerState", "CircuitBreaker", "Permit"]

_log = logging.getLogger("payport.providers")


class BreakerState(StrEnum):
    """Whether requests go out."""

    #: They do.
    CLOSED = "closed"
    #: None does, until the provider had its rest.
    OPEN = "open"
    #: One is out to see whether the provider is back.
    HALF_OPEN = "half_open"
    #: None does, until a person closes the breaker.
    LOCKED = "locked"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """
    When a breaker opens, and for how long.

    Attributes:
        failures: So many failures in a row open it.
        rest: Seconds until one request may try whether the provider is back.

    Raises:
        ConfigurationError: `failures` is less than 1 or `rest` is not positive.
    """

    failures: int = 10
    rest: float = 30.0

    def __post_init__(self) -> None:
        if self.failures < 1 or self.rest <= 0:
            message = "needs at least 1 failure, and a rest of more than 0 seconds"
            raise ConfigurationError(message, operation="BreakerPolicy", field="failures")


DEFAULT_BREAKER: Final = BreakerPolicy()

#: What says that the provider, or the way to it, is unwell.
_UNWELL: Final = frozenset({FailureKind.UNAVAILABLE, FailureKind.UNKNOWN})
#: What says neither that it is well nor that it is not.
_SAYS_NOTHING: Final = frozenset(
    {
        FailureKind.RATE_LIMITED,
        FailureKind.IN_PROGRESS,
        FailureKind.CIRCUIT_OPEN,
        FailureKind.CONGESTED,
    }
)


class Permit:
    """
    Leave to send one request. Whoever holds it says what came back.

    Attributes:
        probe: Whether this is the one request that tries whether the provider is back.
    """

    __slots__ = ("_breaker", "probe")

    def __init__(self, breaker: CircuitBreaker, *, probe: bool) -> None:
        self._breaker = breaker
        self.probe: bool = probe

    def leave(self, outcome: object) -> None:
        """Say what came back: an answer, a failure, or None where nothing was sent after all."""
        self._breaker.left(outcome, probe=self.probe)


class CircuitBreaker:
    """
    The breaker of one provider and account, safe to share between threads and tasks.

    Args:
        name: Of provider and account, for the log.
        monotonic: A clock that never steps back, in seconds.
    """

    def __init__(self, name: str, policy: BreakerPolicy, monotonic: Callable[[], float]) -> None:
        self._name = name
        self._policy = policy
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False
        self._locked: str | None = None
        self._ordinary = Permit(self, probe=False)
        self._probe = Permit(self, probe=True)

    @property
    def state(self) -> BreakerState:
        """Whether requests go out. Half-open begins when the one that tries goes out."""
        with self._lock:
            if self._locked is not None:
                return BreakerState.LOCKED
            if self._opened_at is None:
                return BreakerState.CLOSED
            return BreakerState.HALF_OPEN if self._probing else BreakerState.OPEN

    @property
    def is_closed(self) -> bool:
        """Whether requests go out as always. Takes no lock: it may be told a moment late."""
        return self._opened_at is None and self._locked is None

    def enter(self) -> Permit | Failure:
        """Ask to send: the permit, or the failure that says why nothing may be sent."""
        if self.is_closed:
            return self._ordinary
        with self._lock:
            refused = self._refused()
            if refused is not None:
                return refused
            if self._opened_at is None:
                return self._ordinary
            self._probing = True
            return self._probe

    def refusal(self) -> Failure | None:
        """What `enter` would refuse with now, for whoever can go elsewhere; takes no permit."""
        with self._lock:
            return self._refused()

    def _refused(self) -> Failure | None:
        if self._locked is not None:
            return _refusal(f"{self._locked}; nothing is sent until the breaker is closed")
        if self._opened_at is None:
            return None
        left = self._opened_at + self._policy.rest - self._monotonic()
        if left > 0:
            return _refusal("the provider failed too often lately", left)
        if self._probing:
            return _refusal("another request is trying whether the provider is back")
        return None

    def left(self, outcome: object, *, probe: bool) -> None:
        """Take in what a permit's holder says; see `Permit.leave`."""
        kind = outcome.kind if isinstance(outcome, Failure) else None
        if outcome is not None and kind is None and not probe and not self._failures:
            return  # well before and well now
        with self._lock:
            if kind is FailureKind.AUTHENTICATION:
                self._lock_up("the provider refused the credentials")
            elif kind in _UNWELL:
                self._count(probe=probe)
            elif outcome is not None and kind not in _SAYS_NOTHING:
                self._recover(probe=probe)
            if probe:
                self._probing = False

    def close(self) -> None:
        """Let requests go out again, whatever was counted. For a person who mended the cause."""
        with self._lock:
            if self._locked is not None or self._opened_at is not None:
                _log.warning("%s: the breaker was closed by hand", self._name)
            self._locked = None
            self._opened_at = None
            self._failures = 0

    def open(self, why: str = "it was opened by hand") -> None:
        """Let nothing out until somebody calls `close`: to stop all sending at once."""
        with self._lock:
            self._lock_up(why)

    def _lock_up(self, why: str) -> None:
        if self._locked is None:
            _log.critical("%s: %s: nothing is sent until the breaker is closed", self._name, why)
        self._locked = why

    def _count(self, *, probe: bool) -> None:
        self._failures += 1
        full = self._opened_at is None and self._failures >= self._policy.failures
        if probe or full:
            self._opened_at = self._monotonic()
            rest = self._policy.rest
            _log.error("%s: %d failures in a row: it rests %g s", self._name, self._failures, rest)

    def _recover(self, *, probe: bool) -> None:
        if self._opened_at is not None and not probe:
            return  # the answer to a request from before it opened
        if self._opened_at is not None:
            _log.warning("%s answers again: the breaker is closed", self._name)
        self._opened_at = None
        self._failures = 0

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self._name} {self.state}>"


def _refusal(why: str, after: float | None = None) -> Failure:
    return Failure(
        kind=FailureKind.CIRCUIT_OPEN, message=f"not sent: {why}", retry_after=after, unsent=True
    )
