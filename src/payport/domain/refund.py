"""A refund as the application knows it: its own identity, and the latest fact about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from payport.domain.facts import RefundFact, RefundStatus
from payport.domain.money import Money

__all__ = ["Refund", "RefundReason"]


class RefundReason(StrEnum):
    """Why the application gives money back. Told to providers that ask for it."""

    #: The customer asked for it.
    REQUESTED_BY_CUSTOMER = "requested_by_customer"
    #: The customer was charged twice for one thing.
    DUPLICATE = "duplicate"
    #: The payment was not the customer's.
    FRAUDULENT = "fraudulent"
    #: Anything else, or not said.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """
    Money given back, or promised to be.

    Attributes:
        id: payport's id. Derived from the reference, or random for a refund made elsewhere.
        reference: The application's id of the refund; None for one made elsewhere.
        payment_id: The payment it belongs to.
        key: The idempotency key, which is also the tag at the provider; for one made elsewhere
            whatever tag it carries, if any.
        requested: What the application asked for.
        outcome: What the operation says while no fact does: pending while it is under way, failed
            once it is proven that nothing happened, unknown when it may have happened.
        fact: The provider's latest statement.
        failure: Why it failed, in words for the application's developers.
    """

    id: str
    reference: str | None
    payment_id: str
    key: str | None
    requested: Money
    reason: RefundReason = RefundReason.UNKNOWN
    outcome: RefundStatus = RefundStatus.PENDING
    fact: RefundFact | None = None
    failure: str | None = None
    created_at: datetime

    @property
    def status(self) -> RefundStatus:
        """The fact's status, or the operation's outcome while the provider said nothing."""
        return self.fact.status if self.fact is not None else self.outcome

    @property
    def amount(self) -> Money:
        """What is given back: the fact's amount, or the requested one before there is a fact."""
        return self.fact.amount if self.fact is not None else self.requested

    @property
    def provider_ref(self) -> str | None:
        """The provider's id of the refund, once known."""
        return self.fact.ref if self.fact is not None else None

    @property
    def is_pending(self) -> bool:
        """Whether the amount is spoken for, not decided. Unknown counts: it may have happened."""
        return self.status in _UNDECIDED


_UNDECIDED = frozenset({RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION, RefundStatus.UNKNOWN})
