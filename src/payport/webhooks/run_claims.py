"""
Runs of handlers that are due, taken for one worker and given back. Whoever was too slow is told so
by the fencing number, when it writes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from payport.domain.events import DomainEvent
from payport.operations.steps import Steps, transact_patiently
from payport.storage.base import HandlerRun, InboxState
from payport.webhooks.claiming import own_account
from payport.webhooks.turns import HANDLER_LEASE, is_mine, released

if TYPE_CHECKING:
    from payport.operations.session import Session
    from payport.storage.base import Transaction

__all__ = ["Claimed", "claim_due_runs", "claim_runs_of", "release_runs"]


class Claimed(NamedTuple):
    """
    Runs that are a worker's.

    Attributes:
        events: What they are to deliver, by id: an event never changes.
    """

    runs: Sequence[HandlerRun]
    events: Mapping[str, DomainEvent]


def claim_due_runs(session: Session, limit: int) -> Steps[Claimed]:
    """
    Take what is due, for a while and for nobody else. Of few only half, so that other workers who
    look for something to do find the rest.
    """
    account = yield from own_account(session)

    def work(tx: Transaction) -> Claimed:
        now = session.settings.clock.now()
        runs = tx.due_handler_runs(
            provider=session.spec.name,
            environment=session.environment,
            now=now,
            limit=limit,
            account=account,
        )
        few = len(runs) < limit
        return _claimed(tx, session, runs[: (len(runs) + 1) // 2] if few else runs)

    return (yield from transact_patiently(work))


def claim_runs_of(session: Session, event_ids: Collection[str]) -> Steps[Claimed]:
    """Take the runs of these events that are due."""

    def work(tx: Transaction) -> Claimed:
        now = session.settings.clock.now()
        listed = [run for event_id in event_ids for run in tx.runs_of(event_id)]
        locked = [tx.handler_run(run.event_id, run.handler) for run in listed]
        due = [r for r in locked if r and r.state is InboxState.DUE and r.due_at <= now]
        return _claimed(tx, session, due)

    return transact_patiently(work)


def _claimed(tx: Transaction, session: Session, runs: Collection[HandlerRun]) -> Claimed:
    until = session.settings.clock.now() + HANDLER_LEASE
    tx.claim_handler_runs(runs, until=until)
    told = {run.event_id for run in runs if run.message is None}
    return Claimed(
        [replace(run, due_at=until, claimed_until=until, fencing=run.fencing + 1) for run in runs],
        tx.several_events(told) if told else {},
    )


def release_runs(session: Session, runs: Collection[HandlerRun]) -> Steps[None]:
    """Give back what was claimed and not begun."""

    def work(tx: Transaction) -> None:
        now = session.settings.clock.now()
        for run in runs:
            current = tx.handler_run(run.event_id, run.handler)
            if current is not None and is_mine(current, run):
                tx.save_handler_run(released(current, now))

    return transact_patiently(work)
