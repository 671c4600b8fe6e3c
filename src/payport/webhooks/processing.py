"""
Processing received webhooks: read, apply, and commit the facts before any handler runs.

A delivery is applied to its payment, whoever learned the same fact before: the payment ends in the
same state. What is about a payout is told of it; what payport has no meaning for is told as that.
Written as steps, for both colours and for workers in threads, processes and tasks.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from payport.domain.errors import PayportError, StoreUnavailable
from payport.operations.steps import Steps, transact, transact_patiently
from payport.storage.base import InboxRow, InboxState
from payport.webhooks import hints
from payport.webhooks.applying import Applied, apply_claimed, apply_delivery, save_state, settle_tie
from payport.webhooks.reading import PROCESS, Read, read, read_alone
from payport.webhooks.turns import failed, is_mine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from payport.domain.events import DomainEvent
    from payport.operations.session import Session
    from payport.storage.base import Transaction

__all__ = ["Processed", "process", "process_together"]

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
    if hints.is_hint(row) and not session.hints.take():
        return Processed(state=(yield from transact(lambda tx: _kept_back(tx, session, row))))
    said = yield from read(session, row)
    applied = yield from transact_patiently(lambda tx: apply_delivery(tx, session, row, said))
    return (yield from _ended(session, said, applied))


def _ended(session: Session, said: Read, applied: Applied) -> Steps[Processed]:
    events = applied.events
    if applied.tied is not None and not said.is_fetched:
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
                said = read_alone(session, row)
                if said is not None:
                    plain.append((row, said))
    if not plain:
        return list(claimed)
    try:
        applied = yield from transact(lambda tx: _applied(tx, session, plain))
    except StoreUnavailable:
        raise
    except Exception:  # noqa: BLE001 - one delivery must not keep the others waiting
        _log.debug("%d deliveries could not be applied together", len(plain), exc_info=True)
        return list(claimed)
    for (row, said), one in zip(plain, applied, strict=True):
        try:
            yield from _ended(session, said, one)
        except PayportError as error:
            _log.warning("a tie about %s could not be settled: %s", row.ordering_key, error)
    ids = {row.id for row, _ in plain}
    return [row for row in claimed if row.id not in ids]


def _applied(
    tx: Transaction, session: Session, plain: Sequence[tuple[InboxRow, Read]]
) -> list[Applied]:
    facts = [said.facts for _, said in plain if said.facts is not None]
    tags = [*(row.tag for row, _ in plain), *(one.tag for one in facts)]
    tx.hold_payments({tag for tag in tags if tag is not None})
    return [apply_claimed(tx, session, row, said) for row, said in plain]


def _kept_back(tx: Transaction, session: Session, claimed: InboxRow) -> InboxState:
    row = tx.delivery(claimed.id, lock=True)
    if row is None or not is_mine(row, claimed):
        return InboxState.DONE if row is None else row.state
    return hints.kept_back(tx, row, session.settings.clock.now())


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
