"""
What an outcome does to the journal's row, and to what the operation spoke for on its payment.

Plain functions of a locked row: they decide nothing, and nothing here talks to a provider.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from payport.domain.errors import NotFound
from payport.domain.facts import RefundStatus
from payport.domain.outcomes import Certainty, FailureKind
from payport.operations.records import OperationRecord, OperationState
from payport.providers.commands import Operation

if TYPE_CHECKING:
    from payport.domain.payment_intent import PaymentIntent
    from payport.storage.base import Transaction

__all__ = [
    "ended",
    "given_up",
    "is_over",
    "locked_operation",
    "locked_payment",
    "next_look",
    "released",
    "saved",
    "settled",
]

_log = logging.getLogger("payport.operations")

#: Between two looks for an unknown outcome: the first, and the longest.
_FIRST_LOOK = timedelta(seconds=10)
_LAST_LOOK = timedelta(hours=1)


def locked_operation(tx: Transaction, operation_id: str) -> OperationRecord:
    """The journal's row, held until the end of the transaction. Raises NotFound."""
    record = tx.operation(operation_id, lock=True)
    if record is None:
        message = "the operation's row is gone from the journal"
        raise NotFound(message, operation="operations", reference=operation_id)
    return record


def locked_payment(tx: Transaction, record: OperationRecord) -> PaymentIntent:
    """
    The operation's payment, held until the end of the transaction. Raises NotFound.

    A payment is held before its operations, by everybody: so nobody waits for somebody who waits
    for them, and what is read of its operations belongs to it.
    """
    intent = tx.payment(record.payment_id, lock=True)
    if intent is None:
        message = "the operation's payment is gone from the store"
        raise NotFound(message, operation="operations", reference=record.id)
    return intent


def saved(
    tx: Transaction, intent: PaymentIntent, before: PaymentIntent | None = None
) -> PaymentIntent:
    """The payment as it was given, tokens and all, with the version that it is stored with."""
    stored = tx.save_payment(intent, before=before)
    # Stores return what they were given; one that returns what it kept has dropped the tokens.
    return stored if stored.attempts is intent.attempts else intent.evolve(version=stored.version)


def is_over(record: OperationRecord) -> bool:
    """Whether facts concluded it, also by saying no. Failures of the request may be mended."""
    declined = record.state is OperationState.REJECTED and record.failure is None
    return declined or record.state is OperationState.CONFIRMED


def ended(
    record: OperationRecord,
    state: OperationState,
    now: datetime,
    *,
    told_at: datetime | None = None,
    request_id: str | None = None,
) -> OperationRecord:
    """
    The row, concluded by facts.

    Args:
        told_at: What time it was at the provider, where it said so.
        request_id: Of the answer that concluded it.
    """
    return record.evolve(
        state=state,
        lease_owner=None,
        lease_until=None,
        latest_at=max(record.latest_at, now, told_at or now),
        next_look_at=None,
        concluded_at=now,
        failure=None,
        failure_code=None,
        failure_message=None,
        request_id=request_id or record.request_id,
    )


def given_up(
    tx: Transaction, record: OperationRecord, state: OperationState, now: datetime, why: str
) -> OperationRecord:
    """
    Write down that nothing more is tried for a locked operation: it was never sent and is
    abandoned, or it is left to a person.
    """
    abandoned = state is OperationState.ABANDONED
    left = replace(
        record,
        state=state,
        doubtful=not abandoned,
        lease_owner=None,
        lease_until=None,
        latest_at=max(record.latest_at, now),
        next_look_at=None,
        concluded_at=now if abandoned else None,
        failure=None if abandoned else record.failure or FailureKind.UNKNOWN,
        failure_message=why,
    )
    tx.save_operation(left)
    level = logging.INFO if abandoned else logging.ERROR
    _log.log(level, "%s %s: %s, %s", record.operation, record.aggregate_id, state, why)
    certainty = Certainty.NO_EFFECT if abandoned else Certainty.UNKNOWN
    saved(tx, released(locked_payment(tx, record), record, certainty, why))
    return left


def next_look(record: OperationRecord, now: datetime) -> datetime:
    """When to look again for what is not known: soon at first, then in ever longer steps."""
    age = now - (record.first_sent_at or now)
    return now + min(max(age / 4, _FIRST_LOOK), _LAST_LOOK)


def _without(keys: tuple[str, ...], key: str) -> tuple[str, ...]:
    return tuple(other for other in keys if other != key)


def settled(intent: PaymentIntent, record: OperationRecord) -> PaymentIntent:
    """The payment without what the operation spoke for: the facts say it now."""
    captures = tuple(c for c in intent.captures if c.key != record.key or c.fact is not None)
    return intent.evolve(
        captures=captures,
        in_flight=_without(intent.in_flight, record.key),
        unresolved=_without(intent.unresolved, record.key),
    )


def released(
    intent: PaymentIntent, record: OperationRecord, certainty: Certainty, why: str
) -> PaymentIntent:
    """The payment after a failure: proven failure releases what was spoken for, doubt keeps it."""
    unknown = certainty is Certainty.UNKNOWN
    outcome = RefundStatus.UNKNOWN if unknown else RefundStatus.FAILED
    refunds = tuple(
        replace(r, outcome=outcome, failure=why) if r.key == record.key and r.fact is None else r
        for r in intent.refunds
    )
    captures = intent.captures
    if not unknown:
        captures = tuple(c for c in captures if c.key != record.key or c.fact is not None)
    doubted = unknown and record.operation is not Operation.CREATE_REFUND
    unresolved = _without(intent.unresolved, record.key)
    return intent.evolve(
        refunds=refunds,
        captures=captures,
        in_flight=_without(intent.in_flight, record.key),
        unresolved=(*unresolved, record.key) if doubted else unresolved,
    )
