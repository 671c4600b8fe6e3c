"""
Which facts prove that an operation took effect.

Only positive evidence concludes: an object that carries the operation's key, or a change of the one
object that nobody but this operation changes. That something is *not* there proves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from payport.domain.facts import AttemptFact, AttemptStatus, CaptureStatus, Facts, RefundStatus
from payport.providers.commands import Operation

if TYPE_CHECKING:
    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.records import OperationRecord

__all__ = ["baseline", "is_declined", "proves"]

_NOT_CONFIRMED = frozenset(
    {
        AttemptStatus.REQUIRES_PAYMENT_METHOD,
        AttemptStatus.REQUIRES_CONFIRMATION,
        AttemptStatus.UNKNOWN,
    }
)
_NOT_PAID = frozenset({AttemptStatus.DECLINED, AttemptStatus.FAILED})
_ENDED = frozenset({AttemptStatus.CANCELED, AttemptStatus.EXPIRED})
_NOT_REFUNDED = frozenset({RefundStatus.FAILED, RefundStatus.CANCELED})


def baseline(intent: PaymentIntent | None) -> str:
    """What the latest attempt looks like before an operation on it."""
    latest = intent.latest_attempt if intent is not None else None
    return _look(latest) if latest is not None else ""


def _look(attempt: AttemptFact) -> str:
    return f"{attempt.ref}:{attempt.status}:{attempt.try_ref}"


def proves(facts: Facts, record: OperationRecord, payment_ref: str | None) -> bool:
    """Whether the facts of a read conclude the operation."""
    tags = {*(c.tag for c in facts.captures), *(r.tag for r in facts.refunds)}
    if record.key in tags or (facts.tag == record.key and record.operation in _MAKES_OBJECTS):
        return True
    # An operation that makes a new object names none: nothing but its tag proves it.
    named = payment_ref is not None
    ours = [a for a in facts.attempts if named and payment_ref in {a.ref, a.replaces}]
    if record.operation is Operation.CONFIRM_PAYMENT:
        return any(a.status not in _NOT_CONFIRMED and _look(a) != record.baseline for a in ours)
    if record.operation is Operation.CANCEL_PAYMENT:
        return any(a.status in _ENDED for a in ours)
    return False


#: For the others the tag of the payment is the tag of the operation that made it.
_MAKES_OBJECTS = frozenset({Operation.CREATE_PAYMENT, Operation.CONFIRM_PAYMENT})


def is_declined(facts: Facts, record: OperationRecord) -> bool:
    """Whether the facts say no to the operation: it is concluded, and had no effect on money."""
    match record.operation:
        case Operation.CREATE_PAYMENT | Operation.CONFIRM_PAYMENT:
            return any(a.status in _NOT_PAID for a in facts.attempts)
        case Operation.CAPTURE_PAYMENT:
            captures = [c for c in facts.captures if c.tag == record.key]
            return any(c.status is CaptureStatus.FAILED for c in captures)
        case Operation.CREATE_REFUND:
            refunds = [r for r in facts.refunds if r.tag == record.key]
            return any(r.status in _NOT_REFUNDED for r in refunds)
        case Operation.CANCEL_PAYMENT:
            return False
