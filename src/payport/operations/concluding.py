"""
What the journal writes after a send, and whenever facts come: applied, settled, concluded.

Each is a plain function of one transaction, and does in one commit all that an outcome changes:
the facts, what the operation spoke for, its state, and the events that this makes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from payport.domain.apply import Applied, apply
from payport.domain.errors import NotFound
from payport.domain.facts import AttemptFact, Facts, RefundStatus
from payport.domain.outcomes import Certainty, combine
from payport.operations.evidence import is_declined, proves
from payport.operations.records import OperationRecord, OperationState
from payport.providers.commands import Operation, command_from_json
from payport.providers.outcomes import Answer, Failure, Outcome

if TYPE_CHECKING:
    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.plan import JournalSettings
    from payport.storage.base import Transaction

__all__ = ["Concluding", "Observed", "locked_operation", "locked_payment", "released", "saved"]


class Observed(NamedTuple):
    """
    A payment after facts came that no operation asked for.

    Attributes:
        tie: Whether time could not order one of them against what was known; see `Applied.tie`.
    """

    intent: PaymentIntent
    tie: bool


class Concluding:
    """The journal's transactions after a send."""

    def __init__(self, settings: JournalSettings) -> None:
        self._settings = settings

    def conclude(
        self, tx: Transaction, claimed: OperationRecord, outcome: Outcome, *, review: bool = False
    ) -> tuple[OperationRecord, PaymentIntent]:
        """
        Write an outcome down: facts applied, reservation settled, state set, in one commit.

        Facts are applied whoever brings them. A failure concludes only for the latest lease.

        Args:
            review: Whether nothing is left to try: an unknown outcome then goes to a person.
        """
        record = locked_operation(tx, claimed.id)
        intent = locked_payment(tx, record)
        now = self._settings.clock.now()
        if isinstance(outcome, Answer):
            record, intent = self._answered(tx, record, intent, outcome, now)
        elif record.fencing == claimed.fencing and record.state is OperationState.SENT:
            record, intent = self._failed(record, intent, outcome, now, review=review)
        else:
            # Concluded by facts meanwhile, or another holder's to conclude.
            return record, intent
        tx.save_operation(record)
        return record, saved(tx, intent)

    def _answered(
        self,
        tx: Transaction,
        record: OperationRecord,
        intent: PaymentIntent,
        answer: Answer,
        now: datetime,
    ) -> tuple[OperationRecord, PaymentIntent]:
        facts = _owned(answer.facts, record)
        intent = self.learn(tx, intent, facts, now).intent
        declined = is_declined(facts, record)
        intent = _settled(intent, record)
        state = OperationState.REJECTED if declined else OperationState.CONFIRMED
        latest = max(record.latest_at, answer.provider_time or now)
        concluded = replace(
            _ended(record, state, now),
            latest_at=max(latest, now),
            request_id=answer.request_id or record.request_id,
        )
        return concluded, intent

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
            # A send that proved to have no effect did not start the key's life either.
            first_sent_at=record.first_sent_at if certainty is Certainty.UNKNOWN else None,
            latest_at=max(record.latest_at, now, failure.provider_time or now),
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
        open_refunds = [
            r.key for r in intent.refunds if r.outcome is RefundStatus.UNKNOWN and r.key
        ]
        for key in {*intent.in_flight, *intent.unresolved, *open_refunds}:
            record = tx.operation_by_key(key)
            if record is not None and record.state in _OPEN and _proven(standing, record):
                declined = is_declined(standing, record)
                state = OperationState.REJECTED if declined else OperationState.CONFIRMED
                tx.save_operation(_ended(record, state, now))
                intent = _settled(intent, record)
        return Observed(saved(tx, intent), tie=applied.tie)

    def learn(self, tx: Transaction, intent: PaymentIntent, facts: Facts, now: datetime) -> Applied:
        """Apply facts to a locked payment and store the events this makes; does not save it."""
        applied = apply(intent, facts)
        new = tx.add_events(applied.events, at=now)
        if new:
            self._settings.on_events(tx, new, now)
        return applied


def locked_operation(tx: Transaction, operation_id: str) -> OperationRecord:
    """The journal's row, held until the end of the transaction. Raises NotFound."""
    record = tx.operation(operation_id, lock=True)
    if record is None:
        message = "the operation's row is gone from the journal"
        raise NotFound(message, operation="operations", reference=operation_id)
    return record


def locked_payment(tx: Transaction, record: OperationRecord) -> PaymentIntent:
    """The operation's payment, held until the end of the transaction. Raises NotFound."""
    intent = tx.payment(record.payment_id, lock=True)
    if intent is None:
        message = "the operation's payment is gone from the store"
        raise NotFound(message, operation="operations", reference=record.id)
    return intent


def saved(tx: Transaction, intent: PaymentIntent) -> PaymentIntent:
    """The payment as it was given, tokens and all, with the version that it is stored with."""
    return intent.evolve(version=tx.save_payment(intent).version)


#: States in which evidence may still come.
_OPEN = frozenset({OperationState.SENT, OperationState.UNKNOWN, OperationState.NEEDS_REVIEW})


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
        replace(a, number=number) if a.number is None and a.ref == facts.attempt_ref else a
        for a in facts.attempts
    )


def _ended(record: OperationRecord, state: OperationState, now: datetime) -> OperationRecord:
    """The row, concluded by facts."""
    return replace(
        record,
        state=state,
        lease_owner=None,
        lease_until=None,
        latest_at=max(record.latest_at, now),
        concluded_at=now,
        failure=None,
        failure_code=None,
        failure_message=None,
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
    return replace(facts, attempts=attempts, captures=captures, refunds=refunds)


def _without(keys: tuple[str, ...], key: str) -> tuple[str, ...]:
    return tuple(other for other in keys if other != key)


def _settled(intent: PaymentIntent, record: OperationRecord) -> PaymentIntent:
    """The payment without what the operation spoke for: the facts say it now."""
    captures = tuple(c for c in intent.captures if c.key != record.key or c.fact is not None)
    return intent.evolve(
        captures=captures,
        in_flight=_without(intent.in_flight, record.key),
        unresolved=_without(intent.unresolved, record.key),
    )


def released(
    intent: PaymentIntent, record: OperationRecord, certainty: Certainty, why: str
) -> PaymentIntent:
    """The payment after a failure: proven failure releases what was spoken for, doubt keeps it."""
    unknown = certainty is Certainty.UNKNOWN
    outcome = RefundStatus.UNKNOWN if unknown else RefundStatus.FAILED
    refunds = tuple(
        replace(r, outcome=outcome, failure=why) if r.key == record.key and r.fact is None else r
        for r in intent.refunds
    )
    captures = intent.captures
    if not unknown:
        captures = tuple(c for c in captures if c.key != record.key or c.fact is not None)
    doubted = unknown and record.operation is not Operation.CREATE_REFUND
    unresolved = _without(intent.unresolved, record.key)
    return intent.evolve(
        refunds=refunds,
        captures=captures,
        in_flight=_without(intent.in_flight, record.key),
        unresolved=(*unresolved, record.key) if doubted else unresolved,
    )
