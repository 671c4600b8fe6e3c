"""
Runs of handlers that are due, taken for one worker and given back. Whoever was too slow is told so
by the fencing number, when it writes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from payport.operations.steps import Steps, transact_patiently
from payport.storage.base import HandlerRun, InboxState
from payport.webhooks.turns import HANDLER_LEASE, is_mine, released

if TYPE_CHECKING:
    from collections.abc import Collection

    from payport.operations.session import Session
    from payport.storage.base import Transaction

__all__ = ["claim_due_runs", "claim_runs_of", "release_runs"]


def claim_due_runs(session: Session, limit: int) -> Steps[list[HandlerRun]]:
    """Take what is due, for a while and for nobody else."""

    def work(tx: Transaction) -> list[HandlerRun]:
        now = session.settings.clock.now()
        runs = tx.due_handler_runs(
            provider=session.spec.name, environment=session.environment, now=now, limit=limit
        )
        return _claimed(tx, session, runs)

    return transact_patiently(work)


def claim_runs_of(session: Session, event_ids: Collection[str]) -> Steps[list[HandlerRun]]:
    """Take the runs of these events that are due."""

    def work(tx: Transaction) -> list[HandlerRun]:
        now = session.settings.clock.now()
        listed = [run for event_id in event_ids for run in tx.runs_of(event_id)]
        locked = [tx.handler_run(run.event_id, run.handler) for run in listed]
        due = [r for r in locked if r and r.state is InboxState.DUE and r.due_at <= now]
        return _claimed(tx, session, due)

    return transact_patiently(work)


def _claimed(tx: Transaction, session: Session, runs: Collection[HandlerRun]) -> list[HandlerRun]:
    until = session.settings.clock.now() + HANDLER_LEASE
    tx.claim_handler_runs(runs, until=until)
    return [
        replace(run, due_at=until, claimed_until=until, fencing=run.fencing + 1) for run in runs
    ]


def release_runs(session: Session, runs: Collection[HandlerRun]) -> Steps[None]:
    """Give back what was claimed and not begun."""

    def work(tx: Transaction) -> None:
        now = session.settings.clock.now()
        for run in runs:
            current = tx.handler_run(run.event_id, run.handler)
            if current is not None and is_mine(current, run):
                tx.save_handler_run(released(current, now))

    return transact_patiently(work)
