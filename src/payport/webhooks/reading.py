"""
What a delivery says, at last: read from its body, or from the provider where it cannot be believed.

A payload of another API version, a thin event, or one that contradicts another, only tells what to
look at. What cannot be read is believed of nobody, and what is nobody's here is not looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from payport.domain.errors import ProviderFault
from payport.domain.outcomes import FailureKind
from payport.operations.steps import Steps, transact
from payport.providers.deliveries import Statement
from payport.providers.outcomes import Failure
from payport.providers.spec import Capability

if TYPE_CHECKING:
    from payport.domain.facts import Facts
    from payport.domain.payment_intent import PaymentIntent
    from payport.domain.payout import PayoutFact
    from payport.operations.session import Session
    from payport.providers.deliveries import Subject
    from payport.providers.outcomes import Answer
    from payport.storage.base import InboxRow, Transaction

__all__ = ["PROCESS", "Read", "payment_of", "read", "read_alone"]

PROCESS: Final = "webhooks.process"


class Read(NamedTuple):
    """
    What a delivery says.

    Attributes:
        facts: None where it says nothing of a payment that payport has a meaning for, or can
            believe.
        payout: What it says of a payout, if that can be believed.
        is_fetched: Whether it was read from the provider.
        awaits: Whether it has to be read, and was not: nothing here is known to have its object.
        is_forgotten: Whether nothing is left of what it said.
    """

    facts: Facts | None = None
    payout: PayoutFact | None = None
    is_fetched: bool = False
    awaits: bool = False
    is_forgotten: bool = False


def read(session: Session, row: InboxRow) -> Steps[Read]:
    """
    What a delivery says.

    Raises:
        ProviderFault: It has to be read from the provider, which did not tell. Try again later.
        Exception: Whatever the adapter raises for what it cannot read.
    """
    if row.body is None and row.attempt_ref is None:
        return Read(is_forgotten=True)
    said = _statement(session, row)
    # Two deliveries of one id that contradict each other: what is true, the provider knows.
    if not said.needs_fetch and not row.conflict:
        return Read(said.facts, said.payout)
    if said.subject is not None and session.spec.has(Capability.RETRIEVE_SUBJECT):
        return (yield from _subject(session, row, said.subject))
    if row.attempt_ref is None or not session.spec.has(Capability.RETRIEVE_PAYMENT):
        return Read() if said.needs_fetch else Read(said.facts, said.payout)
    return (yield from _payment(session, row, row.attempt_ref, told=said.facts is not None))


def read_alone(session: Session, row: InboxRow) -> Read | None:
    """
    What a delivery says, where nobody needs to be asked; None where somebody does.

    Raises:
        Exception: Whatever the adapter raises for what it cannot read.
    """
    is_elsewhere = row.account is not None and row.account != session.known_account
    if is_elsewhere or row.conflict or row.body is None:
        return None
    said = _statement(session, row)
    return None if said.needs_fetch else Read(said.facts, said.payout)


def _statement(session: Session, row: InboxRow) -> Statement:
    if row.body is None:
        # Deleted for its age, and somebody wants it processed once more: only a read can tell.
        return Statement(needs_fetch=True)
    said = session.webhooks(PROCESS).read_webhook(row.body)[row.position]
    if said.unreadable is not None:
        raise ProviderFault(said.unreadable, operation=PROCESS, reference=row.id)
    return said


def _payment(session: Session, row: InboxRow, ref: str, *, told: bool) -> Steps[Read]:
    """
    A payment as the provider has it.

    Args:
        told: Whether the payload says whose it is, our tag being in it or not. A thin event does
            not: there is no telling before it is read.
    """
    known = yield from transact(lambda tx: payment_of(tx, session, row, None))
    if known is None and told:
        # Not ours, or not yet: whoever sells much elsewhere is not to ask about each of it.
        return Read(awaits=True)
    outcome = yield from session.asked(lambda provider, call: provider.retrieve_payment(ref, call))
    if isinstance(outcome, Failure):
        if known is None and outcome.kind is FailureKind.NOT_FOUND:
            return Read(awaits=True)
        raise session.fault(outcome, PROCESS, row.id) from outcome.cause
    answer: Answer = outcome
    return Read(answer.facts, is_fetched=True)


def _subject(session: Session, row: InboxRow, subject: Subject) -> Steps[Read]:
    def question(provider: Any, call: object) -> Statement | Failure:
        # An optional protocol's, of a provider of either colour.
        return cast("Statement | Failure", provider.retrieve_subject(subject, call))

    told = yield from session.asked(question)
    if isinstance(told, Failure):
        if told.kind is FailureKind.NOT_FOUND:
            return Read()
        raise session.fault(told, PROCESS, row.id) from told.cause
    return Read(told.facts, told.payout, is_fetched=True)


def payment_of(
    tx: Transaction, session: Session, row: InboxRow, facts: Facts | None, *, lock: bool = False
) -> PaymentIntent | None:
    """The payment a delivery is about: by our tag, else by the provider's id of an attempt."""
    for tag in (row.tag, facts.tag if facts is not None else None):
        record = tx.operation_by_key(tag) if tag is not None else None
        if record is not None:
            return tx.payment(record.payment_id, lock=lock)
    account = row.account or session.known_account
    ref = row.attempt_ref or (facts.attempt_ref if facts is not None else None)
    if ref is None or account is None:
        return None
    found = tx.payment_by_ref(row.provider, account, ref)
    return tx.payment(found.id, lock=True) or found if found is not None and lock else found
