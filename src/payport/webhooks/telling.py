"""
Telling what is about no payment's facts: payouts, and what payport has no meaning for.

Runs in the transaction that marks the delivery. Of one payout one delivery is in hand at a time, as
of one payment, so the events that there are of it say how far it is known to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from payport.domain.events import UnmappedEvent, event_id
from payport.domain.payout import PayoutFact, PayoutStatus
from payport.domain.payout_events import events_of_payout, payout_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from payport.domain.events import DomainEvent
    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.session import Session
    from payport.storage.base import InboxRow, Transaction

__all__ = ["tell_payout", "tell_unmapped"]


def tell_payout(
    tx: Transaction, session: Session, row: InboxRow, fact: PayoutFact
) -> tuple[DomainEvent, ...]:
    """What is new of a payout. A state that nobody knows the word for is told as unmapped."""
    if fact.status is PayoutStatus.UNKNOWN:
        return tell_unmapped(tx, session, row, None)
    common = _common(session, row, session.scope)
    known_as = payout_id(row.provider, row.environment, common["account"], fact.ref)
    told = events_of_payout(fact, tx.events(known_as), {**common, "payout_id": known_as})
    return _told(tx, session, list(told))


def tell_unmapped(
    tx: Transaction, session: Session, row: InboxRow, intent: PaymentIntent | None
) -> tuple[DomainEvent, ...]:
    """What payport has no meaning for, about a payment or about none."""
    about = intent.id if intent is not None else row.provider
    event = UnmappedEvent(
        id=event_id(about, UnmappedEvent.kind, row.id, row.type),
        occurred_at=row.occurred_at,
        payment_id=intent.id if intent is not None else None,
        reference=intent.reference if intent is not None else None,
        effect_ref=row.attempt_ref or ("" if intent is not None else row.ordering_key),
        type=row.type,
        **_common(session, row, intent.scope if intent is not None else session.scope),
    )
    return _told(tx, session, [event])


def _common(session: Session, row: InboxRow, scope: str) -> dict[str, Any]:
    return {
        "scope": scope,
        "environment": row.environment,
        "provider": row.provider,
        "account": row.account or session.known_account or "",
        "api_version": row.api_version,
    }


def _told(
    tx: Transaction, session: Session, events: Sequence[DomainEvent]
) -> tuple[DomainEvent, ...]:
    """Store those that are new, for those who handle them."""
    now = session.settings.clock.now()
    new = tx.add_events(events, at=now)
    if new:
        session.settings.on_events(tx, new, now)
    return tuple(new)
