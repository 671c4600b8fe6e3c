"""How payments are read, without colour: from the store, and from the provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payport.client.attempt_steps import payment_id_of
from payport.client.validation import check_id
from payport.domain.errors import InvalidRequest
from payport.domain.identifiers import Kind, check_reference
from payport.providers.spec import Capability

if TYPE_CHECKING:
    from collections.abc import Callable

    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.session import Session
    from payport.operations.steps import Steps
    from payport.providers.base import PaymentProvider
    from payport.providers.exchange import Call
    from payport.providers.outcomes import Outcome

__all__ = ["PaymentReads"]


class PaymentReads:
    """Reads of payments, in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, payment: str | None, reference: str | None) -> Steps[PaymentIntent]:
        """See `Payments.get`."""
        return self._session.load(self._named(payment, reference, "payments.get"), "payments.get")

    def refresh(self, payment: str | None, reference: str | None) -> Steps[PaymentIntent]:
        """See `Payments.refresh`."""
        operation = "payments.refresh"
        self._session.spec.require(Capability.RETRIEVE_PAYMENT, operation=operation)
        return self._refreshed(self._named(payment, reference, operation), operation)

    def _refreshed(self, payment_id: str, operation: str) -> Steps[PaymentIntent]:
        intent = yield from self._session.load(payment_id, operation)
        refs = [attempt.ref for attempt in intent.attempts if attempt.ref != intent.id]
        if not refs:
            yield from self._session.at_home(intent, operation)
        for ref in refs:
            line = self._session.at(intent, operation, ref)
            line.spec.require(Capability.RETRIEVE_PAYMENT, operation=operation)
            yield from line.at_home(intent, operation)
            outcome = yield from line.asked(_reading(ref))
            intent = yield from self._session.observed(payment_id, outcome, operation)
        return intent

    def _named(self, payment: str | None, reference: str | None, operation: str) -> str:
        if (payment is None) == (reference is None):
            message = "pass either the payment's id or reference="
            raise InvalidRequest(message, operation=operation, field="payment")
        if payment is not None:
            return check_id(payment, Kind.PAYMENT, operation=operation, field="payment")
        return payment_id_of(self._session, check_reference(reference, operation=operation))


def _reading(ref: str) -> Callable[[PaymentProvider, Call], Outcome]:
    return lambda provider, call: provider.retrieve_payment(ref, call)
