"""
Processing received webhooks: claim, read, apply, and commit the facts before any handler runs.

A delivery is applied to its payment, whoever learned the same fact before: the payment ends in the
same state. Written as steps, for both colours and for workers in threads, processes and tasks.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from payport.domain.errors import NotFound, PayportError, StoreUnavailable
from payport.domain.events import DomainEvent, UnmappedEvent, event_id
from payport.operations.steps import Steps, transact
from payport.providers.deliveries import Statement
from payport.providers.outcomes import Answer
from payport.providers.spec import Capability
from payport.storage.base import InboxRow, InboxState
from payport.webhooks.turns import delivery_lease, failed, is_mine, released

if TYPE_CHECKING:
    from collections.abc import Collection

    from payport.domain.facts import Facts
    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.session import Session
    from payport.storage.base import Transaction

__all__ = ["Processed", "claim_due", "claim_one", "is_ours", "process", "release"]

_log = logging.getLogger("payport.webhooks")

_PROCESS: Final = "webhooks.process"
#: When to look again for a payment that may not be known yet: its answer or its first commit is
#: still under way. Afterwards the delivery is foreign, until a payment turns up that has it.
_LOOKS: Final = (timedelta(seconds=3), timedelta(seconds=20), timedelta(seconds=120))
_NOT_YET: Final = "no payment here is known to have its object yet"


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
    names = {line.spec.name for line in session.lines}
    return row.provider in names and row.environment == session.environment


# -- claims ---------------------------------------------------------------------------------------


def claim_due(session: Session, limit: int) -> Steps[list[InboxRow]]:
    """Take what is due, for a while and for nobody else."""

    def work(tx: Transaction) -> list[InboxRow]:
        now = session.settings.clock.now()
        rows = tx.due_deliveries(
            provider=session.spec.name, environment=session.environment, now=now, limit=limit
        )
        return _claimed(tx, session, rows)

    return transact(work)


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
            raise NotFound(message, operation=_PROCESS, reference=row_id)
        if row.state is not InboxState.DUE or not is_ours(session, row):
            return row, False
        if tx.is_at_work(row, session.settings.clock.now()):
            return row, False
        return _claimed(tx, session, [row])[0], True

    return transact(work)


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
    state = yield from transact(lambda tx: _postponed(tx, session, claimed, caught))
    return Processed(state=state)


def _processed(session: Session, row: InboxRow) -> Steps[Processed]:
    account = yield from session.account(_PROCESS, row.id)
    if row.account is not None and row.account != account.id:
        why = f"account mismatch: it is about {row.account}, and this client is at {account.id}"
        state = yield from transact(lambda tx: _marked(tx, row, InboxState.QUARANTINED, why))
        return Processed(state=state)
    read = yield from _read(session, row)
    applied = yield from transact(lambda tx: _applied(tx, session, row, read))
    events = applied.events
    if applied.tied is not None and not read.is_fetched:
        events += yield from _settled(session, *applied.tied)
    return Processed(state=applied.state, events=events)


class _Read(NamedTuple):
    """
    What a delivery says, at last.

    Attributes:
        facts: None where it says nothing that payport has a meaning for, or can believe.
        is_fetched: Whether they were read from the provider.
    """

    facts: Facts | None
    is_fetched: bool


def _read(session: Session, row: InboxRow) -> Steps[_Read]:
    """
    The delivery's facts; read from the provider where they cannot be trusted as they are, and none
    where it cannot be read either.
    """
    said = _statement(session, row)
    # Two deliveries of one id that contradict each other: what is true, the provider knows.
    doubtful = said.needs_fetch or row.conflict
    ref = row.attempt_ref
    if not doubtful:
        return _Read(said.facts, is_fetched=False)
    if ref is None or not session.spec.has(Capability.RETRIEVE_PAYMENT):
        return _Read(None if said.needs_fetch else said.facts, is_fetched=False)
    outcome = yield from session.asked(lambda provider, call: provider.retrieve_payment(ref, call))
    if isinstance(outcome, Answer):
        return _Read(outcome.facts, is_fetched=True)
    raise session.fault(outcome, _PROCESS, row.id) from outcome.cause


def _statement(session: Session, row: InboxRow) -> Statement:
    if row.body is None:
        # Deleted for its age, and somebody wants it processed once more: only a read can tell.
        return Statement(needs_fetch=True)
    return session.webhooks(_PROCESS).read_webhook(row.body)[row.position]


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


def _applied(tx: Transaction, session: Session, claimed: InboxRow, read: _Read) -> _Applied:
    row = tx.delivery(claimed.id, lock=True)
    if row is None or not is_mine(row, claimed):
        # Another worker took it over and is done, or at it.
        return _Applied(InboxState.DONE if row is None else row.state)
    found = _payment(tx, session, row)
    if found is None:
        return _Applied(_unknown(tx, session, row))
    if not found.is_known_at(row.provider, session.known_account or ""):
        why = f"our tag on it is of a payment at {found.provider} account {found.account}"
        return _Applied(_saved(tx, row, InboxState.QUARANTINED, why))
    intent = tx.payment(found.id, lock=True) or found
    if read.facts is None:
        events = _unmapped(tx, session, row, intent)
        return _Applied(_saved(tx, row, InboxState.DONE, None), events)
    observed = session.journal.concluding.observe(tx, intent, read.facts)
    ref = row.attempt_ref or intent.provider_ref
    readable = ref is not None and session.spec.has(Capability.RETRIEVE_PAYMENT)
    tied = (intent.id, ref) if observed.tie and readable and ref is not None else None
    return _Applied(_saved(tx, row, InboxState.DONE, None), observed.events, tied)


def _payment(tx: Transaction, session: Session, row: InboxRow) -> PaymentIntent | None:
    """The payment a delivery is about: by our tag, else by the provider's id of an attempt."""
    record = tx.operation_by_key(row.tag) if row.tag is not None else None
    if record is not None:
        return tx.payment(record.payment_id)
    account = row.account or session.known_account
    if row.attempt_ref is None or account is None:
        return None
    return tx.payment_by_ref(row.provider, account, row.attempt_ref)


def _unknown(tx: Transaction, session: Session, row: InboxRow) -> InboxState:
    """Look again soon for a payment that is not there yet; then keep the delivery as foreign."""
    names_something = row.attempt_ref is not None or row.tag is not None
    if not names_something or row.tries >= len(_LOOKS):
        return _saved(tx, row, InboxState.FOREIGN, None)
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
