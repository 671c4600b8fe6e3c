"""
Domain events: what changed, told once per (aggregate, kind, effect, transition).

An event's id is derived from those four, so whoever learns a fact first, an API answer, a webhook,
a recovery run or a person, makes the same event, and a store can keep it once. Handlers outside a
transaction may see an event again; they know it by its id.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from payport.domain.declines import Decline
from payport.domain.identifiers import Environment, Kind, derive_id
from payport.domain.money import Money

__all__ = [
    "EVENT_TYPES",
    "CaptureFailed",
    "CaptureSucceeded",
    "DisputeClosed",
    "DisputeOpened",
    "DomainEvent",
    "DuplicatePayment",
    "PaymentCanceled",
    "PaymentFailed",
    "PaymentRequiresAction",
    "PaymentSucceeded",
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
    Something that happened to a payment.

    Attributes:
        id: Stable: the same change has the same id, however often and from wherever it is learned.
        occurred_at: When, by the provider's clock.
        payment_id: payport's id of the payment.
        reference: The application's reference of the payment.
        effect_ref: The provider's id of the effect that changed.
        api_version: The provider's version of the payload that told.
    """

    kind: ClassVar[str] = "domain_event"

    id: str
    occurred_at: datetime
    payment_id: str
    reference: str
    scope: str
    environment: Environment
    provider: str
    account: str
    effect_ref: str
    api_version: str | None = None

    def __init_subclass__(cls) -> None:
        # `super()` without arguments breaks here: slots make dataclass build the class anew.
        cls.kind = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentSucceeded(DomainEvent):
    """At least the payment's amount was captured. Told again only if it was undone in between."""

    amount: Money
    captured: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFailed(DomainEvent):
    """An attempt was declined or failed. Another attempt may still pay."""

    attempt: int
    decline: Decline | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequiresAction(DomainEvent):
    """The customer has to do something; the payment's `next_action` says what."""

    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCanceled(DomainEvent):
    """An attempt was canceled, or expired before it was completed or captured."""

    attempt: int
    expired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSucceeded(DomainEvent):
    """Money was taken. `amount` is what this adds to what this effect took before."""

    amount: Money
    capture_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureFailed(DomainEvent):
    """A capture failed, or one that had succeeded came back: the money is not there."""

    amount: Money
    capture_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundSucceeded(DomainEvent):
    """Money was given back."""

    refund_id: str
    amount: Money
    refund_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFailed(DomainEvent):
    """A refund was not executed; the money is still there."""

    refund_id: str
    amount: Money
    refund_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundReversed(DomainEvent):
    """A refund that had succeeded came back: the customer did not get the money."""

    refund_id: str
    amount: Money
    refund_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeOpened(DomainEvent):
    """
    The bank asks about the payment, or took money back: told again when an inquiry turns into a
    dispute, and when a closed dispute reopens.
    """

    status: str
    amount: Money
    respond_by: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeClosed(DomainEvent):
    """A dispute was decided, or an inquiry ended."""

    status: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatePayment(DomainEvent):
    """Two attempts both took money for one thing. A person has to give one of them back."""

    captured: Money
    attempt_refs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmappedEvent(DomainEvent):
    """A webhook payport has no meaning for. Kept, never dropped; `type` is the provider's word."""

    type: str


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
        UnmappedEvent,
    )
}
