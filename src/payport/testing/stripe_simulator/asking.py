"""One request as the desks see it: what it is about, what it says, and what a test scripted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from payport.testing.bank.records import Refused
from payport.testing.script import As, Declined
from payport.testing.stripe_simulator.errors import ApiError, Doc, invalid
from payport.testing.tokens import Card

__all__ = ["Ask", "Outcome", "refused"]

#: What was scripted for a request.
Outcome: TypeAlias = Declined | As | None

#: What Stripe has a code for that the bank has another word for.
_CODES: Final = {
    "wrong_state": "payment_intent_unexpected_state",
    "capture_too_large": "amount_too_large",
    "refund_too_large": "amount_too_large",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """
    A request whose parameters were checked.

    Attributes:
        ref: The id in its path.
        path: The path.
        key: Its idempotency key, which the bank keeps as the tag of what it makes.
    """

    ref: str
    path: str
    params: Doc = field(repr=False)
    key: str | None
    outcome: Outcome

    @property
    def forced(self) -> Card | None:
        """The card that is put in place of the real one."""
        return self.outcome.card if self.outcome is not None else None

    @property
    def declined(self) -> bool:
        """Whether a test wants it to be refused."""
        return isinstance(self.outcome, Declined)


def refused(error: Refused) -> ApiError:
    """What the bank does not do and no desk expected, as an error of Stripe's."""
    return invalid(error.message, _CODES.get(error.code), status=error.status, executed=True)
