"""
What the journal writes after a send, and whenever facts come: applied, settled, concluded.

Each is a plain function of one transaction, and does in one commit all that an outcome changes:
the facts, what the operation spoke for, its state, and the events that this makes.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from payport.domain.apply import apply
from payport.domain.changing import changed
from payport.domain.facts import AttemptFact, Facts, RefundStatus
from payport.domain.outcomes import Certainty, combine
from payport.operations.evidence import is_declined, proves
from payport.operations.records import OperationRecord, OperationState, ResolutionRecord
from payport.operations.settling import (
    ended,
    is_over,
    locked_operation,
    locked_payment,
    next_look,
    released,
    saved,
    settled,
)
from payport.providers.commands import Operation, command_from_json
from payport.providers.outcomes import Answer, Failure, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from payport.domain.events import DomainEvent
    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.plan import JournalSettings
    from payport.storage.base import Transaction

__all__ = ["Concluding", "Learned", "Observed"]

_log = logging.getLogger("payport.operations")


class Observed(NamedTuple):
    """
    A payment after facts came that no operation asked for.

    Attributes:
        tie: Whether time could not order one of them against what was known; see `Applied.tie`.
        events: What nobody had learned before.
    """

    intent: PaymentIntent
    tie: bool
    events: tuple[DomainEvent, ...]


class Learned(NamedTuple):
    """What applying facts brought: see `Applied`, but of its events only the new ones."""

    intent: PaymentIntent
    tie: bool
    events: tuple[DomainEvent, ...]


class Concluding:
    """The journal's transactions after a send."""

    def __init__(self, settings: JournalSettings) -> None:
        self._settings = settings

    def conclude(
        self,
        tx: Transaction,
        claimed: OperationRecord,
        outcome: Outcome,
        *,
        review: bool = False,
        known: PaymentIntent | None = None,
    ) -> tuple[OperationRecord, PaymentIntent]:
        """
        Write an outcome down: facts applied, reservation settled, state set, in one commit.

        Facts are applied whoever brings them. A failure concludes only for the latest lease.

        Args:
            review: Whether nothing is left to try: an unknown outcome then goes to a person.
            known: The payment as it was stored when the lease was taken. Then neither is read
                again, and the row is trusted to be as it was claimed.

        Raises:
            StoreConflict: What was trusted was changed since. Nothing was written.
        """
        intent = known or locked_payment(tx, claimed)
        record = locked_operation(tx, claimed.id) if known is None else claimed
        now = self._settings.clock.now()
        events: Sequence[DomainEvent] = ()
        late = False
        if isinstance(outcome, Answer):
            facts = _owned(outcome.facts, record)
            applied = apply(intent, facts)
            events, late = applied.events, record.doubtful or record.sends > 1
            record, intent = _answered(record, applied.intent, facts, outcome, now)
        elif record.fencing == claimed.fencing and record.state is OperationState.SENT:
            record, intent = self._failed(record, intent, outcome, now, review=review)
        else:
            # Concluded by facts meanwhile, or another holder's to conclude.
            return record, intent
        intent = saved(tx, intent, known)
        if known is None:
            tx.save_operation(record)
        else:
            tx.swap_operation(claimed, record)
        # Only now, when the payment is written and so held: whoever tells of it at the same moment
        # holds it first, and would wait for us while we wait for them.
        self._tell(tx, events, now)
        if late:
            self.reconsider(tx, intent, now)
        return record, intent

    def _failed(
        self,
        record: OperationRecord,
        intent: PaymentIntent,
        failure: Failure,
        now: datetime,
        *,
        review: bool,
    ) -> tuple[OperationRecord, PaymentIntent]:
        earlier = Certainty.UNKNOWN if record.doubtful else None
        certainty = combine(earlier, failure.certainty)
        state = OperationState(certainty)
        if state is OperationState.UNKNOWN and review:
            state = OperationState.NEEDS_REVIEW
        failed = replace(
            record,
            state=state,
            doubtful=certainty is Certainty.UNKNOWN,
            lease_owner=None,
            lease_until=None,
            # What never left is no send: a row without any may still go to another provider.
            sends=record.sends - int(_never_left(failure, certainty)),
            # A send that proved to have no effect did not start the key's life either.
            first_sent_at=record.first_sent_at if certainty is Certainty.UNKNOWN else None,
            latest_at=max(record.latest_at, now, failure.provider_time or now),
            next_look_at=next_look(record, now) if state is OperationState.UNKNOWN else None,
            concluded_at=None if certainty is Certainty.UNKNOWN else now,
            failure=failure.kind,
            failure_code=failure.code,
            failure_message=failure.message,
            request_id=failure.request_id or record.request_id,
        )
        return failed, released(intent, record, certainty, failure.message)

    def observe(self, tx: Transaction, intent: PaymentIntent, facts: Facts) -> Observed:
        """
        Take in facts that no operation asked for: a webhook's, or those of a read.

        Applies them to the locked payment, concludes whatever operation of the payment they prove,
        also when its sender died, and saves.
        """
        now = self._settings.clock.now()
        applied = self.learn(tx, intent, _numbered(tx, facts), now)
        intent = applied.intent
        standing = _standing(intent, facts)
        for key in _concerned(intent, facts):
            record = tx.operation_by_key(key)
            if record is None or not _may_be_concluded(record) or not _proven(standing, record):
                continue
            declined = is_declined(standing, record)
            state = OperationState.REJECTED if declined else OperationState.CONFIRMED
            if record.is_concluded:
                _reopened(tx, record, state, now)
            tx.save_operation(ended(record, state, now))
            intent = settled(intent, record)
        self.reconsider(tx, intent, now)
        return Observed(saved(tx, intent), tie=applied.tie, events=applied.events)

    def reconsider(self, tx: Transaction, intent: PaymentIntent, now: datetime) -> None:
        """
        Make those webhooks due that came before it was known that they are about this payment.

        Only what was not answered at once needs this: otherwise none has been given up yet.
        """
        for attempt in intent.attempts:
            provider, _ = intent.home_of(attempt.ref)
            tx.reconsider(
                provider=provider, environment=intent.environment, ref=attempt.ref, now=now
            )

    def learn(self, tx: Transaction, intent: PaymentIntent, facts: Facts, now: datetime) -> Learned:
        """Apply facts to a locked payment and store the events this makes; does not save it."""
        applied = apply(intent, facts)
        new = self._tell(tx, applied.events, now)
        return Learned(applied.intent, tie=applied.tie, events=tuple(new))

    def _tell(
        self, tx: Transaction, events: Sequence[DomainEvent], now: datetime
    ) -> Sequence[DomainEvent]:
        """Store the events that are new, for those who handle them."""
        new = tx.add_events(events, at=now)
        if new:
            self._settings.on_events(tx, new, now)
        return new


def _answered(
    record: OperationRecord,
    intent: PaymentIntent,
    facts: Facts,
    answer: Answer,
    now: datetime,
) -> tuple[OperationRecord, PaymentIntent]:
    """The row and the payment after an answer whose facts are applied."""
    intent = settled(intent, record)
    if is_over(record):
        # What became of it since, such as a customer who failed to authenticate, is the
        # payment's to say: how the operation ended was known before.
        return record, intent
    state = OperationState.REJECTED if is_declined(facts, record) else OperationState.CONFIRMED
    told_at, request_id = answer.provider_time, answer.request_id
    return ended(record, state, now, told_at=told_at, request_id=request_id), intent


def _never_left(failure: Failure, certainty: Certainty) -> bool:
    """Whether nothing of this turn went on the wire, and no earlier one leaves a doubt."""
    return failure.unsent and certainty is not Certainty.UNKNOWN


#: States in which evidence may still come.
_OPEN = frozenset({OperationState.SENT, OperationState.UNKNOWN, OperationState.NEEDS_REVIEW})
#: Who reopens an operation when the provider's own object contradicts what was concluded.
_EVIDENCE = "payport"


def _concerned(intent: PaymentIntent, facts: Facts) -> set[str]:
    """The keys of the operations that the facts may conclude."""
    open_refunds = [r.key for r in intent.refunds if r.outcome is RefundStatus.UNKNOWN and r.key]
    tags = [facts.tag, *(c.tag for c in facts.captures), *(r.tag for r in facts.refunds)]
    told = [tag for tag in tags if tag is not None]
    return {*intent.in_flight, *intent.unresolved, *open_refunds, *told}


def _may_be_concluded(record: OperationRecord) -> bool:
    """Whether evidence says something new: it outranks whatever was concluded without any."""
    return record.state in _OPEN or (record.is_concluded and not is_over(record))


def _reopened(
    tx: Transaction, record: OperationRecord, state: OperationState, now: datetime
) -> None:
    """Keep, beside what persons said, that the provider's object says otherwise."""
    why = "the provider has an object that carries this operation's key"
    _log.error("%s %s was %s: %s", record.operation, record.aggregate_id, record.state, why)
    tx.add_resolution(
        ResolutionRecord(
            operation_id=record.id,
            at=now,
            author=_EVIDENCE,
            reason=why,
            from_state=record.state,
            to_state=state,
        )
    )


def _standing(intent: PaymentIntent, facts: Facts) -> Facts:
    """
    The facts, with the attempts as the payment holds them now that it has taken the facts in.

    A statement that came late says how an attempt looked before the operation, and that is no
    change that the operation made.
    """
    told = {attempt.ref for attempt in facts.attempts}
    return replace(facts, attempts=tuple(a for a in intent.attempts if a.ref in told))


def _proven(facts: Facts, record: OperationRecord) -> bool:
    command = command_from_json(record.command) if record.command is not None else None
    return proves(facts, record, getattr(command, "payment_ref", None))


def _numbered(tx: Transaction, facts: Facts) -> Facts:
    """The facts with the attempt's number, where their tag names the operation that began it."""
    record = tx.operation_by_key(facts.tag) if facts.tag is not None else None
    if record is None:
        return facts
    return replace(facts, attempts=_with_number(facts, record.attempt))


def _with_number(facts: Facts, number: int) -> tuple[AttemptFact, ...]:
    return tuple(
        changed(a, {"number": number}) if a.number is None and a.ref == facts.attempt_ref else a
        for a in facts.attempts
    )


def _owned(facts: Facts, record: OperationRecord) -> Facts:
    """
    The facts of a direct answer, marked as this operation's where they do not say so themselves.

    What the provider answers to our own request is about our own object.
    """
    attempts = facts.attempts
    if record.operation in {Operation.CREATE_PAYMENT, Operation.CONFIRM_PAYMENT}:
        attempts = _with_number(facts, record.attempt)
    captures, refunds = facts.captures, facts.refunds
    if record.operation is Operation.CAPTURE_PAYMENT and len(captures) == 1 and not captures[0].tag:
        captures = (replace(captures[0], tag=record.key),)
    if record.operation is Operation.CREATE_REFUND and len(refunds) == 1 and not refunds[0].tag:
        refunds = (replace(refunds[0], tag=record.key),)
    return changed(facts, {"attempts": attempts, "captures": captures, "refunds": refunds})
