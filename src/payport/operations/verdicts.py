"""
A person's word on an operation that nothing automatic could conclude.

What was executed is shown, not said: the provider's object is read, and its facts conclude. Only
where the provider cannot be read does the word alone make the facts, dated so that whatever the
provider says later stands over them. What was not executed releases what the operation spoke for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from payport.domain.errors import InvalidRequest, InvalidTransition
from payport.domain.facts import (
    AttemptFact,
    AttemptStatus,
    CaptureFact,
    CaptureStatus,
    Facts,
    RefundFact,
    RefundStatus,
)
from payport.domain.outcomes import Certainty
from payport.domain.payment_intent import CaptureMethod
from payport.operations.evidence import proves
from payport.operations.records import OperationRecord, OperationState, ResolutionRecord, Verdict
from payport.operations.settling import locked_operation, locked_payment, released, saved
from payport.operations.steps import Steps, transact
from payport.providers.commands import (
    CancelPayment,
    CapturePayment,
    Command,
    ConfirmPayment,
    CreatePayment,
    CreateRefund,
    command_from_json,
)
from payport.providers.outcomes import Answer, Failure, Outcome
from payport.providers.spec import Capability

if TYPE_CHECKING:
    from collections.abc import Callable

    from payport.domain.money import Money
    from payport.operations.session import Session
    from payport.providers.base import PaymentProvider
    from payport.providers.exchange import Call
    from payport.storage.base import Transaction

__all__ = ["Word", "resolved"]

_RESOLVE = "operations.resolve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """
    What a person says.

    Attributes:
        provider_ref: The provider's id of the object that the operation made or changed.
    """

    verdict: Verdict
    reason: str
    author: str
    provider_ref: str | None = None


def resolved(session: Session, operation_id: str, word: Word) -> Steps[OperationRecord]:
    """
    Conclude an operation that waits for a person, and keep who said so, and why.

    Raises:
        InvalidTransition: It does not wait for a person.
        InvalidRequest: The provider's object does not show that it was executed, or is another's.
        ConfigurationError: The operation is at another account than this client.
        ProviderFault: The provider could not be read.
    """
    record, command = yield from transact(lambda tx: _waiting(tx, session, operation_id))
    if word.verdict is Verdict.NOT_EXECUTED:
        return (yield from transact(lambda tx: _refuted(tx, session, operation_id, word)))
    intent = yield from session.load(record.payment_id, _RESOLVE)
    held_by: str | None = getattr(command, "payment_ref", None)
    line = session.at(intent, _RESOLVE, held_by)
    yield from line.at_home(intent, _RESOLVE)
    facts = yield from _shown(line, record, command, word)
    return (yield from transact(lambda tx: _proven(tx, session, operation_id, facts, word)))


def _waiting(
    tx: Transaction, session: Session, operation_id: str
) -> tuple[OperationRecord, Command | None]:
    found = tx.operation(operation_id)
    intent = tx.payment(found.payment_id, lock=True) if found is not None else None
    session.owned(intent, operation_id, _RESOLVE)
    record = locked_operation(tx, operation_id)
    if record.state is not OperationState.NEEDS_REVIEW:
        raise InvalidTransition(
            f"it is {record.state}, and only what needs review is for a person to conclude: "
            "whatever is unknown, recovery is still looking for. Nothing was changed.",
            operation=_RESOLVE,
            reference=operation_id,
        )
    return record, command_from_json(record.command) if record.command is not None else None


def _refuted(tx: Transaction, session: Session, operation_id: str, word: Word) -> OperationRecord:
    record, _ = _waiting(tx, session, operation_id)
    now = session.settings.clock.now()
    after = replace(
        record,
        state=OperationState.NO_EFFECT,
        doubtful=False,
        first_sent_at=None,
        latest_at=max(record.latest_at, now),
        concluded_at=now,
    )
    tx.save_operation(after)
    saved(tx, released(locked_payment(tx, record), record, Certainty.NO_EFFECT, word.reason))
    _keep(tx, record, after.state, word, now)
    return after


def _proven(
    tx: Transaction, session: Session, operation_id: str, facts: Facts, word: Word
) -> OperationRecord:
    record, _ = _waiting(tx, session, operation_id)
    _check_holder(tx, record, facts)
    concluding = session.concluding
    after, _ = concluding.conclude(tx, record, Answer(facts=facts))
    _keep(tx, record, after.state, word, session.settings.clock.now())
    return after


def _keep(
    tx: Transaction, record: OperationRecord, state: OperationState, word: Word, now: datetime
) -> None:
    tx.add_resolution(
        ResolutionRecord(
            operation_id=record.id,
            at=now,
            author=word.author,
            reason=word.reason,
            from_state=record.state,
            to_state=state,
        )
    )


def _check_holder(tx: Transaction, record: OperationRecord, facts: Facts) -> None:
    """Refuse another payment's object: a typing error must not move money between orders."""
    refs = {facts.attempt_ref, *(attempt.ref for attempt in facts.attempts)} - {None}
    for ref in refs:
        holder = tx.payment_by_ref(record.provider, record.account, str(ref))
        if holder is not None and holder.id != record.payment_id:
            raise _refused(f"{ref} belongs to the payment {holder.reference}", record)
    tagged = tx.operation_by_key(facts.tag) if facts.tag is not None else None
    if tagged is not None and tagged.payment_id != record.payment_id:
        raise _refused("the provider's object carries another payment's key", record)


def _refused(why: str, record: OperationRecord) -> InvalidRequest:
    return InvalidRequest(
        f"{why}. Nothing was changed: pass the id of the object that this operation made.",
        operation=_RESOLVE,
        reference=record.id,
        field="provider_ref",
    )


# -- what the provider shows ----------------------------------------------------------------------


def _shown(
    session: Session, record: OperationRecord, command: Command | None, word: Word
) -> Steps[Facts]:
    """The facts that show the operation executed, marked with its key."""
    known: str | None = getattr(command, "payment_ref", None)
    ref = word.provider_ref or (None if isinstance(command, CreateRefund) else known)
    if command is None or ref is None:
        raise _refused("the provider's id of what was executed is not known here", record)
    if isinstance(command, CreateRefund):
        readable, asked = Capability.RETRIEVE_REFUND, ref
    else:
        readable, asked = Capability.RETRIEVE_PAYMENT, known or ref
    if not session.spec.has(readable):
        return _said(record, command, ref)
    outcome = yield from session.asked(_reading(readable, asked))
    if isinstance(outcome, Failure):
        raise session.fault(outcome, _RESOLVE, record.id) from outcome.cause
    facts = _marked(outcome.facts, record, command, ref)
    if not proves(facts, record, known or ref):
        raise _refused(f"{asked} does not show that the operation was executed", record)
    return facts


def _reading(capability: Capability, ref: str) -> Callable[[PaymentProvider, Call], Outcome]:
    if capability is Capability.RETRIEVE_REFUND:
        return lambda provider, call: provider.retrieve_refund(ref, call)
    return lambda provider, call: provider.retrieve_payment(ref, call)


def _marked(facts: Facts, record: OperationRecord, command: Command, ref: str) -> Facts:
    """The facts, with the effect that the person named carrying the operation's key."""
    match command:
        case CreatePayment():
            return replace(facts, tag=record.key)
        case ConfirmPayment() | CancelPayment():
            return facts
        case CapturePayment():
            own = [c for c in facts.captures if c.ref == ref or len(facts.captures) == 1]
            told = tuple(replace(c, tag=record.key) if c in own else c for c in facts.captures)
            return replace(facts, captures=told)
        case CreateRefund():
            told_refunds = tuple(
                replace(r, tag=record.key) if r.ref == ref else r for r in facts.refunds
            )
            return replace(facts, refunds=told_refunds)


def _said(record: OperationRecord, command: Command, ref: str) -> Facts:
    """The facts as a person's word alone makes them, older than anything the provider says."""
    at = record.first_sent_at or record.prepared_at
    match command:
        case CreatePayment() | ConfirmPayment():
            manual = command.terms.capture_method is CaptureMethod.MANUAL
            status = AttemptStatus.AUTHORIZED if manual else AttemptStatus.SUCCEEDED
            amount = command.terms.amount
            attempt = AttemptFact(ref=ref, status=status, authorized=amount, at=at, rank=-1)
            capture = _capture(record, ref, ref, amount, at)
            captures = () if manual else (replace(capture, tag=None),)
            return Facts(attempt_ref=ref, tag=record.key, attempts=(attempt,), captures=captures)
        case CapturePayment(payment_ref=of, amount=amount):
            return Facts(attempt_ref=of, captures=(_capture(record, ref, of, amount, at),))
        case CancelPayment(payment_ref=of, amount=amount):
            ended = AttemptFact(
                ref=of, status=AttemptStatus.CANCELED, authorized=amount, at=at, rank=-1
            )
            return Facts(attempt_ref=of, attempts=(ended,))
        case CreateRefund(payment_ref=of, amount=amount):
            refund = RefundFact(
                ref=ref,
                attempt_ref=of,
                status=RefundStatus.SUCCEEDED,
                amount=amount,
                at=at,
                rank=-1,
                tag=record.key,
            )
            return Facts(attempt_ref=of, refunds=(refund,))


def _capture(
    record: OperationRecord, ref: str, of: str, amount: Money, at: datetime
) -> CaptureFact:
    return CaptureFact(
        ref=ref,
        attempt_ref=of,
        status=CaptureStatus.SUCCEEDED,
        amount=amount,
        at=at,
        rank=-1,
        tag=record.key,
    )
