"""
Adopting what was made elsewhere, in a dashboard or by another system: from then on a payment of
ours, with a random id, found by the provider's id and never twice.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from payport.domain.errors import InvalidRequest, NotFound, StoreConflict
from payport.domain.facts import AttemptStatus
from payport.domain.identifiers import Kind, short_digest
from payport.domain.payment_intent import CaptureMethod, PaymentIntent
from payport.operations.steps import Steps, transact
from payport.providers.outcomes import Answer
from payport.providers.spec import Capability

if TYPE_CHECKING:
    from payport.domain.facts import Facts
    from payport.operations.session import Session
    from payport.storage.base import Transaction

__all__ = ["ADOPT", "adopt"]

ADOPT: Final = "payments.adopt"
_LONGEST: Final = 255


def adopt(session: Session, provider_ref: object) -> Steps[PaymentIntent]:
    """
    The payment that holds the provider's object: the one there is, or a new one made of what the
    provider says of it.

    Raises:
        InvalidRequest: The id is none, or the object carries our tag and is no foreign one.
        NotFound: The provider has no such object.
        ProviderFault: The provider did not tell. Nothing was changed anywhere.
        UnsupportedOperation: It cannot be read.
    """
    ref = _checked(provider_ref)
    session.spec.require(Capability.RETRIEVE_PAYMENT, operation=ADOPT)
    return _adopted(session, ref)


def _checked(given: object) -> str:
    if not isinstance(given, str) or not given.isprintable() or not 0 < len(given) <= _LONGEST:
        message = "must be the provider's id of a payment, as a foreign delivery names it"
        raise InvalidRequest(message, operation=ADOPT, field="provider_ref")
    return given


def _adopted(session: Session, ref: str) -> Steps[PaymentIntent]:
    account = yield from session.account(ADOPT, ref)
    name = session.spec.name
    known = yield from transact(lambda tx: tx.payment_by_ref(name, account.id, ref))
    if known is not None:
        return session.owned(known, ref, ADOPT)
    outcome = yield from session.asked(lambda provider, call: provider.retrieve_payment(ref, call))
    if not isinstance(outcome, Answer):
        raise session.fault(outcome, ADOPT, ref) from outcome.cause
    facts = outcome.facts

    def work(tx: Transaction) -> PaymentIntent:
        there = tx.payment_by_ref(name, account.id, ref)
        if there is not None:
            return session.owned(there, ref, ADOPT)
        _check_foreign(tx, facts, ref)
        intent = tx.save_payment(_made(session, account.id, facts, ref))
        return session.journal.concluding.observe(tx, intent, facts).intent

    try:
        return (yield from transact(work))
    except StoreConflict:
        # Two adopted it at once, and the other one was faster.
        there = yield from transact(lambda tx: tx.payment_by_ref(name, account.id, ref))
        if there is None:
            raise
        return session.owned(there, ref, ADOPT)


def _check_foreign(tx: Transaction, facts: Facts, ref: str) -> None:
    record = tx.operation_by_key(facts.tag) if facts.tag is not None else None
    if record is not None:
        message = f"it is of payment {record.payment_id} already: recover or refresh that one"
        raise InvalidRequest(message, operation=ADOPT, field="provider_ref", reference=ref)


def _made(session: Session, account: str, facts: Facts, ref: str) -> PaymentIntent:
    """A payment that knows nothing yet of what the provider said: learning it makes the events."""
    attempt = next((one for one in facts.attempts if one.ref == ref), None)
    if attempt is None:
        message = "the provider knows no payment by this id"
        raise NotFound(message, operation=ADOPT, reference=ref)
    if not attempt.authorized.minor:
        message = "nothing was authorised for it yet: adopt it once something was"
        raise InvalidRequest(message, operation=ADOPT, field="provider_ref", reference=ref)
    held = attempt.status is AttemptStatus.AUTHORIZED
    random = short_digest((session.scope, session.environment, secrets.token_hex(16)))
    return PaymentIntent(
        id=f"{Kind.PAYMENT.value}_{random}",
        reference=ref,
        scope=session.scope,
        environment=session.environment,
        provider=session.spec.name,
        account=account,
        amount=attempt.authorized,
        capture_method=CaptureMethod.MANUAL if held else CaptureMethod.AUTOMATIC,
        has_payment_method=True,
        created_at=session.settings.clock.now(),
    )
