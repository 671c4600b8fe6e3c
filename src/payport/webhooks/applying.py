"""
What a delivery says, and what a transaction makes of it: the two halves of processing one.

Reading may ask the provider, and is done before the transaction; applying asks nobody. Nothing here
claims a delivery, or decides what becomes of one that failed.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from payport.domain.events import DomainEvent, UnmappedEvent, event_id
from payport.operations.steps import Steps, transact
from payport.providers.deliveries import Statement
from payport.providers.outcomes import Answer
from payport.providers.spec import Capability
from payport.storage.base import InboxRow, InboxState
from payport.webhooks.turns import is_mine

if TYPE_CHECKING:
    from payport.domain.facts import Facts
    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.session import Session
    from payport.storage.base import Transaction

__all__ = [
    "PROCESS",
    "Applied",
    "Read",
    "apply_delivery",
    "facts_alone",
    "read_delivery",
    "save_state",
    "settle_tie",
]

_log = logging.getLogger("payport.webhooks")

PROCESS: Final = "webhooks.process"
#: When to look again for a payment that may not be known yet: its answer or its first commit is
#: still under way. Afterwards the delivery is foreign, until a payment turns up that has it.
_LOOKS: Final = (timedelta(seconds=3), timedelta(seconds=20), timedelta(seconds=120))
_NOT_YET: Final = "no payment here is known to have its object yet"


class Read(NamedTuple):
    """
    What a delivery says, at last.

    Attributes:
        facts: None where it says nothing that payport has a meaning for, or can believe.
        is_fetched: Whether they were read from the provider.
    """

    facts: Facts | None
    is_fetched: bool


def read_delivery(session: Session, row: InboxRow) -> Steps[Read]:
    """
    The delivery's facts; read from the provider where they cannot be trusted as they are, and none
    where it cannot be read either.
    """
    said = _statement(session, row)
    # Two deliveries of one id that contradict each other: what is true, the provider knows.
    doubtful = said.needs_fetch or row.conflict
    ref = row.attempt_ref
    if not doubtful:
        return Read(said.facts, is_fetched=False)
    if ref is None or not session.spec.has(Capability.RETRIEVE_PAYMENT):
        return Read(None if said.needs_fetch else said.facts, is_fetched=False)
    outcome = yield from session.asked(lambda provider, call: provider.retrieve_payment(ref, call))
    if isinstance(outcome, Answer):
        return Read(outcome.facts, is_fetched=True)
    raise session.fault(outcome, PROCESS, row.id) from outcome.cause


def _statement(session: Session, row: InboxRow) -> Statement:
    if row.body is None:
        # Deleted for its age, and somebody wants it processed once more: only a read can tell.
        return Statement(needs_fetch=True)
    return session.webhooks(PROCESS).read_webhook(row.body)[row.position]


def facts_alone(session: Session, row: InboxRow) -> Read | None:
    """
    The delivery's facts, where they need nobody to be asked; None where they do.

    Raises:
        Exception: Whatever an adapter makes of a body that it cannot read.
    """
    if row.conflict or (row.account is not None and row.account != session.known_account):
        return None
    said = _statement(session, row)
    return None if said.needs_fetch else Read(said.facts, is_fetched=False)


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


def apply_delivery(tx: Transaction, session: Session, claimed: InboxRow, read: Read) -> Applied:
    """
    Apply what a claimed delivery says to its payment, if it is still this worker's.

    Raises:
        PayportError: Nothing of it may be kept.
    """
    row = tx.delivery(claimed.id, lock=True)
    if row is None or not is_mine(row, claimed):
        # Another worker took it over and is done, or at it.
        return Applied(InboxState.DONE if row is None else row.state)
    intent = _payment(tx, session, row)
    if intent is None:
        return Applied(_unknown(tx, session, row))
    if (intent.provider, intent.account) != (row.provider, session.known_account):
        why = f"our tag on it is of a payment at {intent.provider} account {intent.account}"
        return Applied(save_state(tx, row, InboxState.QUARANTINED, why))
    if read.facts is None:
        events = _unmapped(tx, session, row, intent)
        return Applied(save_state(tx, row, InboxState.DONE, None), events)
    observed = session.journal.concluding.observe(tx, intent, read.facts)
    ref = row.attempt_ref or intent.provider_ref
    readable = ref is not None and session.spec.has(Capability.RETRIEVE_PAYMENT)
    tied = (intent.id, ref) if observed.tie and readable and ref is not None else None
    return Applied(save_state(tx, row, InboxState.DONE, None), observed.events, tied)


def _payment(tx: Transaction, session: Session, row: InboxRow) -> PaymentIntent | None:
    """The locked payment of a delivery: by our tag, else by the provider's id of an attempt."""
    record = tx.operation_by_key(row.tag) if row.tag is not None else None
    if record is not None:
        return tx.payment(record.payment_id, lock=True)
    account = row.account or session.known_account
    if row.attempt_ref is None or account is None:
        return None
    found = tx.payment_by_ref(row.provider, account, row.attempt_ref)
    return None if found is None else tx.payment(found.id, lock=True) or found


def _unknown(tx: Transaction, session: Session, row: InboxRow) -> InboxState:
    """Look again soon for a payment that is not there yet; then keep the delivery as foreign."""
    names_something = row.attempt_ref is not None or row.tag is not None
    if not names_something or row.tries >= len(_LOOKS):
        return save_state(tx, row, InboxState.FOREIGN, None)
    due_at = session.settings.clock.now() + _LOOKS[row.tries]
    later = replace(row, tries=row.tries + 1, due_at=due_at, claimed_until=None, error=_NOT_YET)
    tx.save_delivery(later)
    tx.hold_line(later, due_at)
    return InboxState.DUE


def _unmapped(
    tx: Transaction, session: Session, row: InboxRow, intent: PaymentIntent
) -> tuple[DomainEvent, ...]:
    event = UnmappedEvent(
        id=event_id(intent.id, UnmappedEvent.kind, row.id, row.type),
        occurred_at=row.occurred_at,
        payment_id=intent.id,
        reference=intent.reference,
        scope=intent.scope,
        environment=intent.environment,
        provider=intent.provider,
        account=intent.account,
        effect_ref=row.attempt_ref or "",
        api_version=row.api_version,
        type=row.type,
    )
    now = session.settings.clock.now()
    new = tx.add_events((event,), at=now)
    session.settings.on_events(tx, new, now)
    return tuple(new)


def save_state(tx: Transaction, row: InboxRow, state: InboxState, error: str | None) -> InboxState:
    """Write down where a locked delivery stands, and that nobody has it."""
    tx.save_delivery(replace(row, state=state, claimed_until=None, error=error, trace=None))
    return state
