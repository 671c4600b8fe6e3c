"""
Which failures are tried again, when, and within what: data per kind of failure, run by tenacity.

The decision is pure and the waiting is somebody else's: `Retrying.steps` is a generator that
yields how long to wait, so one loop serves both colours. Nothing here decides whether a request
*may* be sent again; the operation does, and it asks for retries only of what is safe.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from tenacity import BaseRetrying, DoAttempt, DoSleep, RetryCallState

from payport.domain.errors import ConfigurationError
from payport.domain.outcomes import FailureKind
from payport.providers.outcomes import Failure

if TYPE_CHECKING:
    from payport.providers.outcomes import Outcome

__all__ = ["DEFAULT_RETRIES", "NO_RETRIES", "RetryPolicy", "RetryRule", "Retrying"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """
    How one kind of failure is tried again.

    Attributes:
        waits: Seconds before each further try; their number is the number of further tries.
        jitter: The share of a wait that chance may take off, from 0 to 1, so that clients that
            failed together do not come back together.
        honours_retry_after: Whether the provider's Retry-After is waited out where it is longer.
    """

    waits: tuple[float, ...]
    jitter: float = 0.25
    honours_retry_after: bool = False

    def __post_init__(self) -> None:
        if any(wait < 0 for wait in self.waits) or not 0 <= self.jitter <= 1:
            message = "waits must not be negative, and jitter must lie between 0 and 1"
            raise ConfigurationError(message, operation="RetryRule", field="waits")

    def wait(self, tries: int, failure: Failure, chance: float) -> float | None:
        """
        Seconds to wait after `tries` tries ended in `failure`; None to give up.

        Args:
            chance: A number from 0 to 1 that decides the jitter.
        """
        if tries > len(self.waits):
            return None
        planned = self.waits[tries - 1] * (1 - self.jitter * chance)
        if self.honours_retry_after and failure.retry_after is not None:
            return max(planned, failure.retry_after)
        return planned


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Rules by kind of failure. A kind without a rule is never tried again."""

    rules: Mapping[FailureKind, RetryRule] = field(default_factory=dict[FailureKind, RetryRule])

    def __post_init__(self) -> None:
        never = {FailureKind.INVALID_REQUEST, FailureKind.AUTHENTICATION, FailureKind.KEY_REUSED}
        refused = never & set(self.rules)
        if refused:
            named = ", ".join(sorted(refused))
            message = f"{named} cannot succeed by being tried again; leave it out"
            raise ConfigurationError(message, operation="RetryPolicy", field="rules")
        object.__setattr__(self, "rules", MappingProxyType(dict(self.rules)))

    def rule(self, failure: Failure) -> RetryRule | None:
        """The rule for a failure, if it has one."""
        return self.rules.get(failure.kind)


#: Unavailable, congested and in progress after 1, 2 and 4 s; the rate limit as the provider says.
#: A send with an unknown outcome is tried again only where the provider has keys: the operation
#: sees to that.
DEFAULT_RETRIES = RetryPolicy(
    rules={
        FailureKind.UNAVAILABLE: RetryRule(waits=(1.0, 2.0, 4.0)),
        FailureKind.CONGESTED: RetryRule(waits=(1.0, 2.0, 4.0)),
        FailureKind.IN_PROGRESS: RetryRule(waits=(1.0, 2.0, 4.0)),
        FailureKind.RATE_LIMITED: RetryRule(waits=(1.0, 2.0, 4.0), honours_retry_after=True),
        FailureKind.UNKNOWN: RetryRule(waits=(1.0, 2.0, 4.0)),
    }
)

NO_RETRIES = RetryPolicy()


class Retrying(BaseRetrying):
    """
    tenacity's controller as a generator: yields seconds to wait instead of sleeping.

    Attributes:
        remaining: Seconds left of the operation's deadline, asked before each wait; a wait that
            does not fit is not begun.
        allow: Which failures may be tried again in this operation, whatever the policy says.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        remaining: Callable[[], float],
        allow: Callable[[Failure], bool],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy
        self._remaining = remaining
        self._allow = allow
        self._chance = chance
        super().__init__(
            stop=self._is_over,
            wait=self._seconds,
            retry=self._is_worth_it,
            retry_error_callback=_last_outcome,
        )

    def steps(
        self,
        attempt: Callable[[], Generator[Any, Any, Outcome]],
        wait: Callable[[float], Any],
        first: Outcome | None = None,
    ) -> Generator[Any, Any, Outcome]:
        """
        Run `attempt` until it is not worth another try; return its last outcome.

        Args:
            attempt: Begins one try, a generator of steps.
            wait: Makes the step that waits.
            first: The outcome of the first try, where that was made already: nearly every call
                needs no other, and then nobody has to make this object.
        """
        outcome = (yield from attempt()) if first is None else first
        if not isinstance(outcome, Failure):
            return outcome
        self.begin()
        state = RetryCallState(self, fn=None, args=(), kwargs={})
        state.set_result(outcome)
        while True:
            verdict = self.iter(retry_state=state)
            if isinstance(verdict, DoAttempt):
                state.set_result((yield from attempt()))
            elif isinstance(verdict, DoSleep):
                state.prepare_for_next_attempt()
                yield wait(float(verdict))
            else:
                last: Outcome = verdict
                return last

    def __call__(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: this controller has no colour. Use `steps`."""
        del fn, args, kwargs
        message = "Retrying is driven by steps(); it does not call functions"
        raise ConfigurationError(message, operation="Retrying")

    def _is_worth_it(self, state: RetryCallState) -> bool:
        failed = _failure(state)
        return failed is not None and self._allow(failed)

    def _seconds(self, state: RetryCallState) -> float:
        failed = _failure(state)
        rule = self._policy.rule(failed) if failed is not None else None
        if failed is None or rule is None:
            return _GIVE_UP
        seconds = rule.wait(state.attempt_number, failed, self._chance())
        return _GIVE_UP if seconds is None else seconds

    def _is_over(self, state: RetryCallState) -> bool:
        return state.upcoming_sleep >= self._remaining()


#: Longer than any deadline.
_GIVE_UP = float("inf")


def _failure(state: RetryCallState) -> Failure | None:
    outcome = state.outcome.result() if state.outcome is not None else None
    return outcome if isinstance(outcome, Failure) else None


def _last_outcome(state: RetryCallState) -> Any:
    return state.outcome.result() if state.outcome is not None else None
