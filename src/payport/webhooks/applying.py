"""
What a transaction makes of a delivery: it is applied to its payment, or told, or kept for later.

What the delivery says was read before, and nobody is asked while the transaction is open. Nothing
here claims a delivery, or decides what becomes of one that failed.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from payport.operations.steps import Steps, transact
from payport.providers.outcomes import Answer
from payport.providers.spec import Capability
from payport.storage.base import InboxRow, InboxState
from payport.webhooks import hints
from payport.webhooks.reading import Read, payment_of
from payport.webhooks.telling import tell_payout, tell_unmapped
from payport.webhooks.turns import is_mine

if TYPE_CHECKING:
    from payport.domain.events import DomainEvent
    from payport.domain.facts import Facts
    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.session import Session
    from payport.storage.base import Transaction

__all__ = ["Applied", "apply_claimed", "apply_delivery", "save_state", "settle_tie"]

_log = logging.getLogger("payport.webhooks")

#: When to look again for a payment that may not be known yet: its answer or its first commit is
#: still under way. Afterwards the delivery is foreign, until a payment turns up that has it.
_LOOKS: Final = (timedelta(seconds=3), timedelta(seconds=20), timedelta(seconds=120))
_NOT_YET: Final = "no payment here is known to have its object yet"
_JUST_NOW: Final = "its payment became known while it was looked at"


def settle_tie(session: Session, payment_id: str, ref: str) -> Steps[tuple[DomainEvent, ...]]:
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


class Applied(NamedTuple):
    """
    What a transaction made of a delivery.

    Attributes:
        tied: Which payment, and which object of it, has to be read to settle a tie.
    """

    state: InboxState
    events: tuple[DomainEvent, ...] = ()
    tied: tuple[str, str] | None = None


def apply_delivery(tx: Transaction, session: Session, claimed: InboxRow, said: Read) -> Applied:
    """
    Apply what a claimed delivery says to its payment, if it is still this worker's.

    Raises:
        PayportError: Nothing of it may be kept.
    """
    row = tx.delivery(claimed.id, lock=True)
    if row is None or not is_mine(row, claimed):
        # Another worker took it over and is done, or at it.
        return Applied(InboxState.DONE if row is None else row.state)
    return apply_claimed(tx, session, row, said)


def apply_claimed(tx: Transaction, session: Session, row: InboxRow, said: Read) -> Applied:
    """
    Apply what a claimed delivery says to its payment, without a look at whose it is by now.

    Raises:
        StoreConflict: It is not this worker's any more. Nothing of the transaction may be kept.
        PayportError: Nothing of it may be kept.
    """
    if hints.is_hint(row):
        return _looked(tx, session, row, said.facts)
    if said.payout is not None:
        return _done(tx, row, tell_payout(tx, session, row, said.payout))
    intent = payment_of(tx, session, row, said.facts, lock=True)
    if intent is None:
        return _nobodys(tx, session, row, said)
    return _to_payment(tx, session, row, said, intent)


def _looked(tx: Transaction, session: Session, row: InboxRow, facts: Facts | None) -> Applied:
    """Apply what was read of an object that a hint named, to the payment that it says it is of."""
    now = session.settings.clock.now()
    found = hints.payment_read(tx, row, facts)
    account = session.known_account or ""
    events: tuple[DomainEvent, ...] = ()
    if facts is not None and found is not None and found.is_known_at(row.provider, account):
        intent = tx.payment(found.id, lock=True) or found
        events = session.journal.concluding.observe(tx, intent, facts).events
    state = hints.looked(tx, row, now, changed=bool(events))
    return Applied(state, events)


def _to_payment(
    tx: Transaction, session: Session, row: InboxRow, said: Read, intent: PaymentIntent
) -> Applied:
    """Apply what is about a payment that is known here."""
    if not intent.is_known_at(row.provider, session.known_account or ""):
        why = f"our tag on it is of a payment at {intent.provider} account {intent.account}"
        return Applied(save_state(tx, row, InboxState.QUARANTINED, why))
    if said.awaits:
        # It turned up meanwhile: now there is somebody to read it for.
        return Applied(_later(tx, session, row, timedelta(), _JUST_NOW))
    if said.facts is None:
        return _done(tx, row, tell_unmapped(tx, session, row, intent))
    observed = session.journal.concluding.observe(tx, intent, said.facts)
    ref = row.attempt_ref or intent.provider_ref
    readable = ref is not None and session.spec.has(Capability.RETRIEVE_PAYMENT)
    tied = (intent.id, ref) if observed.tie and readable and ref is not None else None
    return _done(tx, row, observed.events)._replace(tied=tied)


def _done(tx: Transaction, row: InboxRow, events: tuple[DomainEvent, ...]) -> Applied:
    return Applied(save_state(tx, row, InboxState.DONE, None), events)


def _nobodys(tx: Transaction, session: Session, row: InboxRow, said: Read) -> Applied:
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
        return Applied(save_state(tx, row, InboxState.FOREIGN, None))
    again = replace(row, tries=row.tries + 1)
    return Applied(_later(tx, session, again, _LOOKS[row.tries], _NOT_YET))


def _later(
    tx: Transaction, session: Session, row: InboxRow, wait: timedelta, why: str
) -> InboxState:
    due_at = session.settings.clock.now() + wait
    later = replace(row, due_at=due_at, claimed_until=None, error=why)
    tx.swap_delivery(row, later)
    tx.hold_line(later, due_at)
    return InboxState.DUE


def save_state(tx: Transaction, row: InboxRow, state: InboxState, error: str | None) -> InboxState:
    """Write down where a claimed delivery stands, and that nobody has it."""
    done = replace(row, state=state, claimed_until=None, error=error, trace=None)
    tx.swap_delivery(row, done)
    return state
