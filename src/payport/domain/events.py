"""
Domain events: what changed, told once per (aggregate, kind, effect, transition).

An event's id is derived from those four, so whoever learns a fact first, an API answer, a webhook,
a recovery run or a person, makes the same event, and a store can keep it once. Handlers outside a
transaction may see an event again; they know it by its id.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from payport.domain.declines import Decline
from payport.domain.identifiers import Environment, Kind, derive_id
from payport.domain.money import Money
from payport.domain.payout import PayoutStatus

__all__ = [
    "EVENT_TYPES",
    "CaptureFailed",
    "CaptureSucceeded",
    "DisputeClosed",
    "DisputeOpened",
    "DomainEvent",
    "DuplicatePayment",
    "PaymentCanceled",
    "PaymentEvent",
    "PaymentFailed",
    "PaymentRequiresAction",
    "PaymentSucceeded",
    "PayoutCanceled",
    "PayoutCreated",
    "PayoutEvent",
    "PayoutFailed",
    "PayoutInTransit",
    "PayoutPaid",
    "PayoutReconciled",
    "RefundFailed",
    "RefundReversed",
    "RefundSucceeded",
    "UnmappedEvent",
    "event_id",
]


def event_id(aggregate: str, kind: str, effect: str, transition: str) -> str:
    """The id of the event of this kind for this transition of this effect; the same everywhere."""
    return derive_id(Kind.EVENT, aggregate, kind, effect, transition)


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainEvent:
    """
    Something that happened: to a payment, to a payout, or to what payport has no meaning for.

    Attributes:
        id: Stable: the same change has the same id, however often and from wherever it is learned.
        occurred_at: When, by the provider's clock.
        scope: The order space of the payment; of what is of no payment, that of the client which
            learned of it.
        effect_ref: The provider's id of what changed.
        api_version: The provider's version of the payload that told.
    """

    kind: ClassVar[str] = "domain_event"

    id: str
    occurred_at: datetime
    scope: str
    environment: Environment
    provider: str
    account: str
    effect_ref: str
    api_version: str | None = None

    @property
    def aggregate_id(self) -> str:
        """The id of what it happened to; its own where that is nothing of payport's."""
        return self.id

    def __init_subclass__(cls) -> None:
        # `super()` without arguments breaks here: slots make dataclass build the class anew.
        cls.kind = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentEvent(DomainEvent):
    """
    Something that happened to a payment.

    Attributes:
        payment_id: payport's id of the payment.
        reference: The application's reference of the payment.
    """

    payment_id: str
    reference: str

    @property
    def aggregate_id(self) -> str:
        """The payment's id."""
        return self.payment_id


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentSucceeded(PaymentEvent):
    """At least the payment's amount was captured. Told again only if it was undone in between."""

    amount: Money
    captured: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFailed(PaymentEvent):
    """An attempt was declined or failed. Another attempt may still pay."""

    attempt: int
    decline: Decline | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequiresAction(PaymentEvent):
    """The customer has to do something; the payment's `next_action` says what."""

    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCanceled(PaymentEvent):
    """An attempt was canceled, or expired before it was completed or captured."""

    attempt: int
    expired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSucceeded(PaymentEvent):
    """Money was taken. `amount` is what this adds to what this effect took before."""

    amount: Money
    capture_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureFailed(PaymentEvent):
    """A capture failed, or one that had succeeded came back: the money is not there."""

    amount: Money
    capture_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundSucceeded(PaymentEvent):
    """Money was given back."""

    refund_id: str
    amount: Money
    refund_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFailed(PaymentEvent):
    """A refund was not executed; the money is still there."""

    refund_id: str
    amount: Money
    refund_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundReversed(PaymentEvent):
    """A refund that had succeeded came back: the customer did not get the money."""

    refund_id: str
    amount: Money
    refund_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeOpened(PaymentEvent):
    """
    The bank asks about the payment, or took money back: told again when an inquiry turns into a
    dispute, and when a closed dispute reopens.
    """

    status: str
    amount: Money
    respond_by: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeClosed(PaymentEvent):
    """A dispute was decided, or an inquiry ended."""

    status: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatePayment(PaymentEvent):
    """Two attempts both took money for one thing. A person has to give one of them back."""

    captured: Money
    attempt_refs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutEvent(DomainEvent):
    """
    Something that happened to a payout of the provider's account; `effect_ref` is its id there.

    Attributes:
        payout_id: payport's id of the payout: the same in every event of it.
        amount: What leaves the balance; negative where money is taken from the bank account.
        arrives_on: The day on which the bank is expected to have it, or had it.
        failure_code: The provider's own word for why it failed.
    """

    payout_id: str
    amount: Money
    status: PayoutStatus
    arrives_on: date | None = None
    failure_code: str | None = None

    @property
    def aggregate_id(self) -> str:
        """The payout's id."""
        return self.payout_id


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutCreated(PayoutEvent):
    """A payout was asked for, by the provider's schedule or by a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutInTransit(PayoutEvent):
    """The bank has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutPaid(PayoutEvent):
    """The money is, or is expected to be, at the merchant's bank. It may still fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutCanceled(PayoutEvent):
    """Canceled before the bank had it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutFailed(PayoutEvent):
    """The bank did not pay it, or sent it back after `PayoutPaid`: it is on the balance again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutReconciled(PayoutEvent):
    """The provider says now of which balance transactions the payout is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmappedEvent(DomainEvent):
    """
    A webhook payport has no meaning for. Kept, never dropped.

    Attributes:
        type: The provider's word for it.
        payment_id: payport's id of the payment that it is about; None where it is about none.
        reference: The application's reference of that payment.
    """

    type: str
    payment_id: str | None = None
    reference: str | None = None

    @property
    def aggregate_id(self) -> str:
        """The payment's id; the event's own where it is about none."""
        return self.payment_id or self.id


#: Every kind of event, by its `kind`; the store reads rows by this table.
EVENT_TYPES: dict[str, type[DomainEvent]] = {
    kind.kind: kind
    for kind in (
        PaymentSucceeded,
        PaymentFailed,
        PaymentRequiresAction,
        PaymentCanceled,
        CaptureSucceeded,
        CaptureFailed,
        RefundSucceeded,
        RefundFailed,
        RefundReversed,
        DisputeOpened,
        DisputeClosed,
        DuplicatePayment,
        PayoutCreated,
        PayoutInTransit,
        PayoutPaid,
        PayoutCanceled,
        PayoutFailed,
        PayoutReconciled,
        UnmappedEvent,
    )
}
