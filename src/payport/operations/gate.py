"""
The gate that every request to a provider passes: the rate limit, then the circuit breaker.

One gate belongs to one provider and account and is shared by all scopes of a client. It waits
within the caller's time, and refuses without sending anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from payport.domain.outcomes import FailureKind
from payport.operations.reckoning import Reckoning
from payport.operations.steps import Steps, ask, wait
from payport.providers.outcomes import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from payport.operations.clock import Clock
    from payport.providers.base import AsyncPaymentProvider, PaymentProvider
    from payport.providers.breaker import CircuitBreaker, Permit
    from payport.providers.rates import Pace

__all__ = ["Gate"]

T = TypeVar("T")


class Gate:
    """
    Lets requests out to one provider at a pace, while it is well.

    Attributes:
        reckoning: What time it is, by the provider too: whatever it answers passes here.
        pace: The rate.
    """

    def __init__(
        self,
        provider: PaymentProvider | AsyncPaymentProvider,
        breaker: CircuitBreaker,
        pace: Pace,
        clock: Clock,
    ) -> None:
        self._provider: Any = provider
        self.breaker = breaker
        self.reckoning: Reckoning = Reckoning(clock)
        self.pace = pace
        self._clock = clock

    def is_free(self) -> bool:
        """
        Whether a request would be let out at this moment, as far as can be seen without asking for
        a turn: somebody else may take it first.
        """
        return self.breaker.is_closed and self.pace.left() <= 0

    def until_free(self, remaining: Callable[[], float]) -> Steps[None]:
        """Wait until a turn seems to be free, where that fits into the caller's time; take none."""
        while 0 < (seconds := self.pace.left()) < remaining():
            yield from wait(seconds)

    def entered(self, remaining: Callable[[], float]) -> Steps[Permit | Failure]:
        """
        Wait for a turn; the permit to send, or the failure that says why nothing may be sent.

        Args:
            remaining: Seconds left of the caller's time; a wait that does not fit is not begun.
        """
        while (seconds := self.pace.wait()) > 0:
            if seconds >= remaining():
                why = "not sent: no turn was free within the deadline, at the rate of this client"
                return Failure(kind=FailureKind.RATE_LIMITED, message=why, retry_after=seconds)
            yield from wait(seconds)
        return self.breaker.enter()

    def ask(self, question: Callable[[PaymentProvider], T]) -> Steps[T]:
        """One call to the provider, by somebody who was let out."""
        return ask(question, self._provider)

    def asked(
        self, question: Callable[[PaymentProvider], T], remaining: Callable[[], float]
    ) -> Steps[T | Failure]:
        """Ask the provider something that changes nothing, or the failure to be let out."""
        permit = yield from self.entered(remaining)
        if isinstance(permit, Failure):
            return permit
        asked_at = self._clock.monotonic()
        try:
            outcome = yield from self.ask(question)
        except BaseException:
            permit.leave(None)
            raise
        self.reckoning.hear(outcome, asked_at)
        permit.leave(outcome)
        return outcome
