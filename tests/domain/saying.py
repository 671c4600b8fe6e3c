"""Short words for the facts and payments that the domain's tests speak of."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from payport.domain.apply import apply
from payport.domain.facts import (
    AttemptFact,
    CaptureFact,
    DisputeFact,
    Facts,
    RefundFact,
)
from payport.domain.identifiers import Kind, derive_id
from payport.domain.money import Money
from payport.domain.payment_intent import Capture
from payport.domain.refund import Refund
from payport.testing.histories import new_payment

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CANARY = "canary_pi_1_secret_Zx9Qw7"


def usd(minor):
    return Money(minor, "USD")


def at(seconds):
    return NOON + timedelta(seconds=seconds)


def attempt(status, held=0, *, ref="obj_1", s=0, **more):
    return AttemptFact(ref=ref, status=status, authorized=usd(held), at=at(s), **more)


def capture(status, minor, *, ref="cap_1", of="obj_1", s=0, **more):
    told = {"ref": ref, "attempt_ref": of, "status": status, "amount": usd(minor), "at": at(s)}
    return CaptureFact(**told, **more)


def refund(status, minor, *, ref="ref_1", of="obj_1", s=0, **more):
    told = {"ref": ref, "attempt_ref": of, "status": status, "amount": usd(minor), "at": at(s)}
    return RefundFact(**told, **more)


def dispute(status, minor, *, ref="dsp_1", of="obj_1", s=0, **more):
    amount = minor if isinstance(minor, Money) else usd(minor)
    told = {"ref": ref, "attempt_ref": of, "status": status, "amount": amount, "at": at(s)}
    return DisputeFact(**told, **more)


def said(*facts, **more):
    """One answer or webhook."""
    return Facts(
        attempts=tuple(f for f in facts if isinstance(f, AttemptFact)),
        captures=tuple(f for f in facts if isinstance(f, CaptureFact)),
        refunds=tuple(f for f in facts if isinstance(f, RefundFact)),
        disputes=tuple(f for f in facts if isinstance(f, DisputeFact)),
        **more,
    )


def together(*told):
    """Several answers or webhooks as one."""
    return said(*(fact for one in told for fact in one))


def payment(*facts, minor=5_000, **known):
    """A payment of 50 dollars with the facts applied."""
    return apply(new_payment(usd(minor), **known), said(*facts)).intent


def asked_capture(minor, *, key="key_c1", reference="shipment_1"):
    return Capture(key=key, reference=reference, requested=usd(minor))


def asked_refund(minor, *, number=1, **known):
    base = Refund(
        id=derive_id(Kind.REFUND, "pay_1", f"return_{number}"),
        reference=f"return_{number}",
        payment_id="pay_1",
        key=f"key_r{number}",
        requested=usd(minor),
        created_at=NOON,
    )
    return replace(base, **known)


def tell(intent, told):
    """The payment after statements in order, and all events on the way."""
    events = []
    for facts in told:
        applied = apply(intent, facts)
        intent = applied.intent
        events += applied.events
    return intent, events
