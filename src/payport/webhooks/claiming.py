"""Which delivery is whose: workers take what is due, one of a line at a time, and give it back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from payport.domain.errors import NotFound
from payport.operations.steps import Steps, transact, transact_patiently
from payport.providers.outcomes import Account
from payport.storage.base import InboxRow, InboxState
from payport.webhooks import hints
from payport.webhooks.turns import delivery_lease, is_mine, released

if TYPE_CHECKING:
    from collections.abc import Collection

    from payport.operations.session import Session
    from payport.storage.base import Transaction

__all__ = ["claim_due", "claim_one", "is_ours", "own_account", "release"]

_PROCESS: Final = "webhooks.process"


def is_ours(session: Session, row: InboxRow) -> bool:
    """Whether a delivery is of this client's providers: others may share the store."""
    names = {line.spec.name for line in session.lines}
    return row.provider in names and row.environment == session.environment


def own_account(session: Session) -> Steps[str]:
    """
    The account whose deliveries and handlers' runs this client takes. While the provider does not
    tell, it is none: then only what is nobody's is taken.
    """
    told = yield from session.told_account()
    return told.id if isinstance(told, Account) else ""


def claim_due(session: Session, limit: int) -> Steps[list[InboxRow]]:
    """Take what is due, for a while and for nobody else."""
    account = yield from own_account(session)

    def work(tx: Transaction) -> list[InboxRow]:
        now = session.settings.clock.now()
        rows = tx.due_deliveries(
            provider=session.spec.name,
            environment=session.environment,
            now=now,
            limit=limit,
            account=account,
        )
        return _claimed(tx, session, rows)

    return (yield from transact_patiently(work))


def claim_one(session: Session, row_id: str) -> Steps[tuple[InboxRow, bool]]:
    """
    Take one delivery, due or not yet, and say whether it was taken: there may be nothing to do for
    it, or not now, because somebody is at work on its payment.

    Raises:
        NotFound: There is no such delivery.
    """
    account = yield from _account_for(session, row_id)

    def work(tx: Transaction) -> tuple[InboxRow, bool]:
        row = tx.delivery(row_id, lock=True)
        if row is None:
            message = "the inbox holds no such delivery"
            raise NotFound(message, operation=_PROCESS, reference=row_id)
        if row.state is not InboxState.DUE or not is_ours(session, row):
            return row, False
        if row.received_for is not None and row.received_for != account:
            return row, False
        if hints.is_hint(row) and session.settings.clock.now() < row.due_at:
            return row, False  # anybody can send it: it is not read more often than it may be
        if tx.is_at_work(row, session.settings.clock.now()):
            return row, False
        return _claimed(tx, session, [row])[0], True

    return (yield from transact_patiently(work))


def _account_for(session: Session, row_id: str) -> Steps[str]:
    """The account that this client has at the provider of a delivery."""
    lines = session.lines
    if len(lines) > 1:
        row = yield from transact(lambda tx: tx.delivery(row_id))
        lines = [line for line in lines if row is not None and line.spec.name == row.provider]
    return (yield from own_account(lines[0])) if lines else ""


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
