"""
Working off the inbox: batches of deliveries and handler runs, until nothing is due or it is enough.

Written as steps. What was claimed and not begun is given back, so that nobody waits for its lease.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from payport.domain.errors import PayportError
from payport.storage.base import HandlerRun, InboxRow, InboxState
from payport.webhooks.claiming import claim_due, claim_one, release
from payport.webhooks.delivering import Operations, deliver
from payport.webhooks.processing import process, process_together
from payport.webhooks.run_claims import Claimed, claim_due_runs, claim_runs_of, release_runs

if TYPE_CHECKING:
    from payport.operations.session import Session
    from payport.operations.steps import Steps

__all__ = ["work_batch", "work_due", "work_one"]

R = TypeVar("R", InboxRow, HandlerRun)

#: Claimed at once: so many share the commit of a claim, and wait for each other.
BATCH: Final = 20
#: Seconds after which what was claimed and not begun is given back: other workers may be idle.
TURN: Final = 0.5


def work_due(session: Session, operations: Operations, enough: Callable[[], bool]) -> Steps[int]:
    """Work until nothing is due, or it is enough. Returns how much was tried."""
    tried = 0
    while not enough():
        done = yield from work_batch(session, operations, enough)
        if not done:
            break
        tried += done
    return tried


def work_batch(session: Session, operations: Operations, enough: Callable[[], bool]) -> Steps[int]:
    """Try what is due, but not more than a batch. Returns how much was tried."""
    tried = 0
    for line in session.lines:
        rows = yield from claim_due(line, BATCH)
        tried += yield from _processed(line, rows, enough)
        if enough():
            return tried
    for line in session.lines:
        claimed = yield from claim_due_runs(line, BATCH)
        tried += yield from _delivered(session, operations, claimed, enough)
        if enough():
            break
    return tried


def _processed(
    session: Session, rows: Sequence[InboxRow], enough: Callable[[], bool]
) -> Steps[int]:
    """Process what was claimed: together what can be, the rest one by one."""
    left = rows
    if rows and not enough():
        try:
            left = yield from process_together(session, rows)
        except Exception:
            with contextlib.suppress(PayportError):
                yield from release(session, rows)
            raise
    tried = yield from _each(session, left, lambda row: process(session, row), release, enough)
    return len(rows) - len(left) + tried


def work_one(session: Session, operations: Operations, row_id: str) -> Steps[InboxState]:
    """Process one delivery, and deliver the events that it brought. Returns where it stands."""
    row, taken = yield from claim_one(session, row_id)
    if not taken:
        return row.state
    processed = yield from process(session.line(row.provider, "webhooks.process_one"), row)
    event_ids = [event.id for event in processed.events]
    if event_ids:
        claimed = yield from claim_runs_of(session, event_ids)
        yield from _delivered(session, operations, claimed, _never)
    return processed.state


def _never() -> bool:
    return False


def _delivered(
    session: Session,
    operations: Operations,
    claimed: Claimed,
    enough: Callable[[], bool],
) -> Steps[int]:
    def one(run: HandlerRun) -> Steps[InboxState]:
        return deliver(session, run, claimed.events.get(run.event_id), operations)

    return _each(session, claimed.runs, one, release_runs, enough)


def _each(
    session: Session,
    claimed: Sequence[R],
    work: Callable[[R], Steps[Any]],
    give_back: Callable[[Session, Sequence[R]], Steps[None]],
    enough: Callable[[], bool],
) -> Steps[int]:
    """Work on each while the turn lasts; give the rest back, also if the store fails."""
    done = 0
    monotonic = session.settings.clock.monotonic
    until = monotonic() + TURN
    try:
        for row in claimed:
            is_over = done > 0 and monotonic() >= until
            if is_over or enough() or not _is_fresh(session, row):
                break
            yield from work(row)
            done += 1
    except Exception:
        with contextlib.suppress(PayportError):
            yield from give_back(session, claimed[done:])
        raise
    if done < len(claimed):
        yield from give_back(session, claimed[done:])
    return done


def _is_fresh(session: Session, row: InboxRow | HandlerRun) -> bool:
    """Whether a claim lasts long enough still to begin the work."""
    now = session.settings.clock.now()
    return row.claimed_until is not None and now < row.claimed_until
