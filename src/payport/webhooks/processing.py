"""
Processing received webhooks: read, apply, and commit the facts before any handler runs.

A delivery is applied to its payment, whoever learned the same fact before: the payment ends in the
same state. What is about a payout is told of it; what payport has no meaning for is told as that.
Written as steps, for both colours and for workers in threads, processes and tasks.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from payport.domain.errors import PayportError, StoreUnavailable
from payport.operations.steps import Steps, transact
from payport.providers.outcomes import Answer
from payport.providers.spec import Capability
from payport.storage.base import InboxRow, InboxState
from payport.webhooks.reading import Read, payment_of, read
from payport.webhooks.telling import tell_payout, tell_unmapped
from payport.webhooks.turns import failed, is_mine

if TYPE_CHECKING:
    from payport.domain.events import DomainEvent
    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.session import Session
    from payport.storage.base import Transaction

__all__ = ["Processed", "process"]

_log = logging.getLogger("payport.webhooks")

_PROCESS: Final = "webhooks.process"
#: When to look again for a payment that may not be known yet: its answer or its first commit is
#: still under way. Afterwards the delivery is foreign, until a payment turns up that has it.
_LOOKS: Final = (timedelta(seconds=3), timedelta(seconds=20), timedelta(seconds=120))
_NOT_YET: Final = "no payment here is known to have its object yet"
_JUST_NOW: Final = "its payment became known while it was looked at"


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
    state = yield from transact(lambda tx: _postponed(tx, session, claimed, caught))
    return Processed(state=state)


def _processed(session: Session, row: InboxRow) -> Steps[Processed]:
    account = yield from session.account(_PROCESS, row.id)
    if row.account is not None and row.account != account.id:
        why = f"account mismatch: it is about {row.account}, and this client is at {account.id}"
        state = yield from transact(lambda tx: _marked(tx, row, InboxState.QUARANTINED, why))
        return Processed(state=state)
    said = yield from read(session, row)
    applied = yield from transact(lambda tx: _applied(tx, session, row, said))
    events = applied.events
    if applied.tied is not None and not said.is_fetched:
        events += yield from _settled(session, *applied.tied)
    return Processed(state=applied.state, events=events)


def _settled(session: Session, payment_id: str, ref: str) -> Steps[tuple[DomainEvent, ...]]:
    """
    Read a payment of which two statements were told for one moment.

    Both are committed, and the rank of their states decided which one stands. Where the provider
    cannot be read, or not now, it stays at that.
    """
    outcome = yield from session.asked(lambda provider, call: provider.retrieve_payment(ref, call))
    if not isinstance(outcome, Answer):
        _log.warning("a tie of %s was decided by rank: %s", payment_id, outcome.message)
        return ()
    facts = _as_of_the_read(outcome).facts

    def work(tx: Transaction) -> tuple[DomainEvent, ...]:
        intent = tx.payment(payment_id, lock=True)
        if intent is None:
            return ()
        return session.journal.concluding.observe(tx, intent, facts).events

    return (yield from transact(work))


def _as_of_the_read(answer: Answer) -> Answer:
    """
    The answer's facts, dated by the provider's clock as of the read, in whole seconds.

    Many providers tell the times of changes in whole seconds: a later date than that, or one of our
    own clock, would stand over a change that comes after the read, and for ever.
    """
    if answer.provider_time is None:
        return answer
    return replace(answer, facts=answer.facts.restated(answer.provider_time.replace(microsecond=0)))


# -- in one transaction ---------------------------------------------------------------------------


class _Applied(NamedTuple):
    """
    What a transaction made of a delivery.

    Attributes:
        tied: Which payment, and which object of it, has to be read to settle a tie.
    """

    state: InboxState
    events: tuple[DomainEvent, ...] = ()
    tied: tuple[str, str] | None = None


def _applied(tx: Transaction, session: Session, claimed: InboxRow, said: Read) -> _Applied:
    row = tx.delivery(claimed.id, lock=True)
    if row is None or not is_mine(row, claimed):
        # Another worker took it over and is done, or at it.
        return _Applied(InboxState.DONE if row is None else row.state)
    if said.payout is not None:
        return _done(tx, row, tell_payout(tx, session, row, said.payout))
    found = payment_of(tx, session, row, said.facts)
    if found is None:
        return _nobodys(tx, session, row, said)
    return _to_payment(tx, session, row, said, found)


def _to_payment(
    tx: Transaction, session: Session, row: InboxRow, said: Read, found: PaymentIntent
) -> _Applied:
    """Apply what is about a payment that is known here."""
    if (found.provider, found.account) != (row.provider, session.known_account):
        why = f"our tag on it is of a payment at {found.provider} account {found.account}"
        return _Applied(_saved(tx, row, InboxState.QUARANTINED, why))
    if said.awaits:
        # It turned up meanwhile: now there is somebody to read it for.
        return _Applied(_later(tx, session, row, timedelta(), _JUST_NOW))
    intent = tx.payment(found.id, lock=True) or found
    if said.facts is None:
        return _done(tx, row, tell_unmapped(tx, session, row, intent))
    observed = session.journal.concluding.observe(tx, intent, said.facts)
    ref = row.attempt_ref or intent.provider_ref
    readable = ref is not None and session.spec.has(Capability.RETRIEVE_PAYMENT)
    tied = (intent.id, ref) if observed.tie and readable and ref is not None else None
    return _done(tx, row, observed.events)._replace(tied=tied)


def _done(tx: Transaction, row: InboxRow, events: tuple[DomainEvent, ...]) -> _Applied:
    return _Applied(_saved(tx, row, InboxState.DONE, None), events)


def _nobodys(tx: Transaction, session: Session, row: InboxRow, said: Read) -> _Applied:
    """
    What is about no payment that is known here: look again soon for one that is not there yet, and
    then keep it as foreign. What has no meaning here, or is about no payment at all, is told so.
    """
    if said.is_forgotten:
        return _done(tx, row, ())
    names_something = row.attempt_ref is not None or row.tag is not None or said.facts is not None
    if not names_something:
        return _done(tx, row, tell_unmapped(tx, session, row, None))
    if row.tries >= len(_LOOKS):
        if said.facts is None and not said.awaits:
            return _done(tx, row, tell_unmapped(tx, session, row, None))
        return _Applied(_saved(tx, row, InboxState.FOREIGN, None))
    again = replace(row, tries=row.tries + 1)
    return _Applied(_later(tx, session, again, _LOOKS[row.tries], _NOT_YET))


def _later(
    tx: Transaction, session: Session, row: InboxRow, wait: timedelta, why: str
) -> InboxState:
    due_at = session.settings.clock.now() + wait
    later = replace(row, due_at=due_at, claimed_until=None, error=why)
    tx.save_delivery(later)
    tx.hold_line(later, due_at)
    return InboxState.DUE


def _marked(tx: Transaction, claimed: InboxRow, state: InboxState, error: str | None) -> InboxState:
    row = tx.delivery(claimed.id, lock=True)
    if row is None or not is_mine(row, claimed):
        return InboxState.DONE if row is None else row.state
    return _saved(tx, row, state, error)


def _saved(tx: Transaction, row: InboxRow, state: InboxState, error: str | None) -> InboxState:
    tx.save_delivery(replace(row, state=state, claimed_until=None, error=error, trace=None))
    return state


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
