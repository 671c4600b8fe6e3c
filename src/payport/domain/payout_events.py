"""
Which events a statement about a payout makes, given those that its account was told before.

Pure, and without a state of its own: a payout only moves on, so the events that there are say how
far it was known to be. Whatever the order in which it is told, the last event says where it ends,
and none is told twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from payport.domain.events import (
    DomainEvent,
    PayoutCanceled,
    PayoutCreated,
    PayoutEvent,
    PayoutFailed,
    PayoutInTransit,
    PayoutPaid,
    PayoutReconciled,
    event_id,
)
from payport.domain.identifiers import Environment, Kind, derive_id
from payport.domain.payout import PayoutFact, PayoutStatus

__all__ = ["events_of_payout", "payout_id"]

_KINDS: Final[Mapping[PayoutStatus, type[PayoutEvent]]] = {
    PayoutStatus.PENDING: PayoutCreated,
    PayoutStatus.IN_TRANSIT: PayoutInTransit,
    PayoutStatus.PAID: PayoutPaid,
    PayoutStatus.CANCELED: PayoutCanceled,
    PayoutStatus.FAILED: PayoutFailed,
}


def payout_id(provider: str, environment: Environment, account: str, ref: str) -> str:
    """The id of a payout: the same for every client of the provider's account."""
    return derive_id(Kind.PAYOUT, provider, environment.value, account, ref)


def events_of_payout(
    fact: PayoutFact, known: Sequence[DomainEvent], common: Mapping[str, Any]
) -> Iterator[PayoutEvent]:
    """
    What is new in a statement.

    Args:
        known: The events of this payout that there are.
        common: What every event of it has: `payout_id`, `scope`, `environment`, `provider`,
            `account` and `api_version`.
    """
    told = [event for event in known if isinstance(event, PayoutEvent)]
    reached = max((_reached(event) for event in told), default=PayoutStatus.UNKNOWN.rank)
    kind = _KINDS.get(fact.status)
    if kind is not None and fact.status.rank > reached:
        yield _event(kind, fact, common)
    if fact.is_reconciled and not any(isinstance(event, PayoutReconciled) for event in told):
        yield _event(PayoutReconciled, fact, common)


def _reached(event: PayoutEvent) -> int:
    """How far a payout was that had this event; that it is reconciled moves it nowhere."""
    return -1 if isinstance(event, PayoutReconciled) else event.status.rank


def _event(kind: type[PayoutEvent], fact: PayoutFact, common: Mapping[str, Any]) -> PayoutEvent:
    return kind(
        id=event_id(common["payout_id"], kind.kind, fact.ref, kind.kind),
        occurred_at=fact.at,
        effect_ref=fact.ref,
        amount=fact.amount,
        status=fact.status,
        arrives_on=fact.arrives_on,
        failure_code=fact.failure_code,
        **common,
    )
