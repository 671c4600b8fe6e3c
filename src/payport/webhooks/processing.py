"""
Processing received webhooks: claim, read, apply, and commit the facts before any handler runs.

A delivery is applied to its payment, whoever learned the same fact before: the payment ends in the
same state. Written as steps, for both colours and for workers in threads, processes and tasks.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from payport.domain.errors import NotFound, PayportError, StoreUnavailable
from payport.operations.steps import Steps, transact, transact_patiently
from payport.storage.base import InboxRow, InboxState
from payport.webhooks.applying import (
    PROCESS,
    Applied,
    Read,
    apply_delivery,
    facts_alone,
    read_delivery,
    save_state,
    settle_tie,
)
from payport.webhooks.turns import delivery_lease, failed, is_mine, released

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from payport.domain.events import DomainEvent
    from payport.operations.session import Session
    from payport.storage.base import Transaction

__all__ = [
    "Processed",
    "claim_due",
    "claim_one",
    "is_ours",
    "process",
    "process_together",
    "release",
]

_log = logging.getLogger("payport.webhooks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Processed:
    """
    What became of a delivery.

    Attributes:
        events: What it brought that nobody had learned before.
    """

    state: InboxState
    events: tuple[DomainEvent, ...] = ()


def is_ours(session: Session, row: InboxRow) -> bool:
    """Whether a delivery is this client's to process: others may share the store."""
    return (row.provider, row.environment) == (session.spec.name, session.environment)


# -- claims ---------------------------------------------------------------------------------------


def claim_due(session: Session, limit: int) -> Steps[list[InboxRow]]:
    """Take what is due, for a while and for nobody else."""

    def work(tx: Transaction) -> list[InboxRow]:
        now = session.settings.clock.now()
        rows = tx.due_deliveries(
            provider=session.spec.name, environment=session.environment, now=now, limit=limit
        )
        return _claimed(tx, session, rows)

    return transact_patiently(work)


def claim_one(session: Session, row_id: str) -> Steps[tuple[InboxRow, bool]]:
    """
    Take one delivery, due or not yet, and say whether it was taken: there may be nothing to do for
    it, or not now, because somebody is at work on its payment.

    Raises:
        NotFound: There is no such delivery.
    """

    def work(tx: Transaction) -> tuple[InboxRow, bool]:
        row = tx.delivery(row_id, lock=True)
        if row is None:
            message = "the inbox holds no such delivery"
            raise NotFound(message, operation=PROCESS, reference=row_id)
        if row.state is not InboxState.DUE or not is_ours(session, row):
            return row, False
        if tx.is_at_work(row, session.settings.clock.now()):
            return row, False
        return _claimed(tx, session, [row])[0], True

    return transact_patiently(work)


def _claimed(tx: Transaction, session: Session, rows: Collection[InboxRow]) -> list[InboxRow]:
    until = session.settings.clock.now() + delivery_lease(session.settings)
    tx.claim_deliveries([row.id for row in rows], until=until)
    return [
        replace(row, due_at=until, claimed_until=until, fencing=row.fencing + 1) for row in rows
    ]


def release(session: Session, rows: Collection[InboxRow]) -> Steps[None]:
    """Give back what was claimed and not begun."""

    def work(tx: Transaction) -> None:
        now = session.settings.clock.now()
        for row in rows:
            current = tx.delivery(row.id, lock=True)
            if current is not None and is_mine(current, row):
                tx.save_delivery(released(current, now))

    return transact(work)


# -- one delivery ---------------------------------------------------------------------------------


def process(session: Session, claimed: InboxRow) -> Steps[Processed]:
    """
    Apply one claimed delivery; a failure is kept with it.

    What it says is committed before any handler of what it changed runs.

    Raises:
        StoreUnavailable: The store failed; nothing of the delivery is lost.
    """
    try:
        return (yield from _processed(session, claimed))
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - one delivery must not keep the others waiting
        caught = error
    state = yield from transact_patiently(lambda tx: _postponed(tx, session, claimed, caught))
    return Processed(state=state)


def _processed(session: Session, row: InboxRow) -> Steps[Processed]:
    account = yield from session.account(PROCESS, row.id)
    if row.account is not None and row.account != account.id:
        why = f"account mismatch: it is about {row.account}, and this client is at {account.id}"
        state = yield from transact_patiently(
            lambda tx: _marked(tx, row, InboxState.QUARANTINED, why)
        )
        return Processed(state=state)
    read = yield from read_delivery(session, row)
    applied = yield from transact_patiently(lambda tx: apply_delivery(tx, session, row, read))
    return (yield from _ended(session, read, applied))


def _ended(session: Session, read: Read, applied: Applied) -> Steps[Processed]:
    events = applied.events
    if applied.tied is not None and not read.is_fetched:
        events += yield from settle_tie(session, *applied.tied)
    return Processed(state=applied.state, events=events)


def process_together(session: Session, claimed: Sequence[InboxRow]) -> Steps[list[InboxRow]]:
    """
    Apply in one commit those claimed deliveries that nobody has to be asked about.

    Returns the others, and all where one of them fails: each is for `process`, which keeps what is
    wrong with it.

    Raises:
        StoreUnavailable: The store failed; nothing of any delivery is lost.
    """
    plain: list[tuple[InboxRow, Read]] = []
    if session.known_account is not None:
        for row in claimed:
            with contextlib.suppress(Exception):  # `process` meets it again
                read = facts_alone(session, row)
                if read is not None:
                    plain.append((row, read))
    if not plain:
        return list(claimed)
    try:
        applied = yield from transact(
            lambda tx: [apply_delivery(tx, session, row, read) for row, read in plain]
        )
    except StoreUnavailable:
        raise
    except Exception:  # noqa: BLE001 - one delivery must not keep the others waiting
        _log.debug("%d deliveries could not be applied together", len(plain), exc_info=True)
        return list(claimed)
    for (row, read), one in zip(plain, applied, strict=True):
        try:
            yield from _ended(session, read, one)
        except PayportError as error:
            _log.warning("a tie about %s could not be settled: %s", row.ordering_key, error)
    ids = {row.id for row, _ in plain}
    return [row for row in claimed if row.id not in ids]


def _marked(tx: Transaction, claimed: InboxRow, state: InboxState, error: str | None) -> InboxState:
    row = tx.delivery(claimed.id, lock=True)
    if row is None or not is_mine(row, claimed):
        return InboxState.DONE if row is None else row.state
    return save_state(tx, row, state, error)


def _postponed(
    tx: Transaction, session: Session, claimed: InboxRow, error: Exception
) -> InboxState:
    """Try again later. What is no fault of the delivery, such as an outage, never kills it."""
    row = tx.delivery(claimed.id, lock=True)
    if row is None or not is_mine(row, claimed):
        return InboxState.DONE if row is None else row.state
    may_die = not (isinstance(error, PayportError) and error.retryable)
    later = failed(row, error, session.settings.clock.now(), may_die=may_die, name=row.id)
    tx.save_delivery(later)
    tx.hold_line(later, later.due_at)
    _log.warning("delivery %s: %s, try %d: %s", later.id, later.state, later.tries, later.error)
    return later.state
