"""What is kept of webhooks, for a person: to look at, count, try again, and delete for its age."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from payport.domain.errors import InvalidTransition, NotFound
from payport.operations.steps import Steps, transact
from payport.storage.base import InboxRow, InboxState
from payport.webhooks.claiming import is_ours

if TYPE_CHECKING:
    from payport.operations.session import Session
    from payport.storage.base import Transaction

__all__ = [
    "InboxStats",
    "delivery",
    "prune",
    "replay",
    "replay_runs",
    "stats",
]

_PRUNED_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxStats:
    """
    What there is to do, and what waits for a person.

    Attributes:
        deliveries: How many deliveries are in each state; all states are there.
        runs: The same of handler runs and messages.
        oldest_due: When the delivery that has waited longest was received.
    """

    deliveries: dict[InboxState, int]
    runs: dict[InboxState, int]
    oldest_due: datetime | None


def stats(session: Session) -> Steps[InboxStats]:
    """Count."""
    each = yield from transact(
        lambda tx: [tx.inbox_counts(line.spec.name, session.environment) for line in session.lines]
    )
    oldest = [counts.oldest_due for counts in each if counts.oldest_due is not None]
    return InboxStats(
        deliveries={s: sum(counts.deliveries.get(s, 0) for counts in each) for s in InboxState},
        runs={s: sum(counts.runs.get(s, 0) for counts in each) for s in InboxState},
        oldest_due=min(oldest, default=None),
    )


def delivery(session: Session, row_id: str) -> Steps[InboxRow]:
    """
    One delivery.

    Raises:
        NotFound: There is no such delivery of this provider and environment.
    """
    found = yield from transact(lambda tx: tx.delivery(row_id))
    return _owned(session, found, row_id, "webhooks.get")


def _owned(session: Session, found: InboxRow | None, row_id: str, operation: str) -> InboxRow:
    if found is None or not is_ours(session, found):
        message = "the inbox holds no such delivery"
        raise NotFound(message, operation=operation, reference=row_id)
    return found


def replay(session: Session, row_id: str) -> Steps[InboxRow]:
    """
    Make a delivery due again, from its first try on. What it says is applied once more, which
    changes nothing if it was applied before.

    Raises:
        NotFound: There is no such delivery.
        InvalidTransition: It is quarantined: it is not this client's, or contradicts another one.
    """

    def work(tx: Transaction) -> InboxRow:
        row = _owned(session, tx.delivery(row_id, lock=True), row_id, "webhooks.replay")
        if row.state is InboxState.QUARANTINED:
            message = f"it is quarantined and is never handled here: {row.error}"
            raise InvalidTransition(message, operation="webhooks.replay", reference=row_id)
        now = session.settings.clock.now()
        if row.state is InboxState.DUE and row.claimed_until and row.claimed_until > now:
            return row
        again = replace(
            row, state=InboxState.DUE, tries=0, due_at=now, claimed_until=None, error=None
        )
        tx.save_delivery(again)
        return again

    return transact(work)


def replay_runs(session: Session, event_id: str, handler: str | None) -> Steps[int]:
    """
    Make the dead runs of an event or message due again, from their first try on; a handler that is
    named also if it is done.

    Raises:
        NotFound: There is no such run of this provider and environment.
    """

    def work(tx: Transaction) -> int:
        places = {(line.spec.name, session.environment) for line in session.lines}
        found = [
            run
            for run in tx.runs_of(event_id)
            if (run.provider, run.environment) in places and handler in {None, run.handler}
        ]
        if not found:
            message = "there is no such handler run"
            raise NotFound(message, operation="webhooks.replay", reference=event_id)
        now = session.settings.clock.now()
        again = [run for run in found if run.state is InboxState.DEAD or handler is not None]
        for run in again:
            current = tx.handler_run(run.event_id, run.handler) or run
            if current.state is not InboxState.DUE:
                due = replace(current, state=InboxState.DUE, tries=0, due_at=now, error=None)
                tx.save_handler_run(due)
        return len(again)

    return transact(work)


def prune(session: Session, older_than: timedelta) -> Steps[int]:
    """Delete the bodies of done deliveries that were received so long ago; how many these were."""
    pruned = 0
    for line in session.lines:
        pruned += yield from _pruned(line, older_than)
    return pruned


def _pruned(session: Session, older_than: timedelta) -> Steps[int]:
    before = session.settings.clock.now() - older_than
    name, environment = session.spec.name, session.environment
    pruned = 0
    while True:
        # A few at a time: whoever receives waits for each of these transactions.
        some = yield from transact(
            lambda tx: tx.prune_bodies(
                provider=name, environment=environment, before=before, limit=_PRUNED_AT_ONCE
            )
        )
        pruned += some
        if some < _PRUNED_AT_ONCE:
            return pruned
