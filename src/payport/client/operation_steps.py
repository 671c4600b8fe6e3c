"""
What every operation on a payment has in common: its identity, its way through the journal, and the
pending action that the caller is given. What each operation does is in the modules beside this.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from payport.domain.errors import ProviderFault
from payport.domain.payment_intent import PaymentIntent, PaymentStatus
from payport.operations.faults import raise_unless_known
from payport.operations.records import Identity
from payport.providers.commands import CreatePayment, Operation, Terms, command_from_json

if TYPE_CHECKING:
    from payport.domain.facts import Facts
    from payport.operations.plan import Concluded, Plan
    from payport.operations.session import Session
    from payport.operations.steps import Steps
    from payport.providers.spec import Capability
    from payport.storage.base import Transaction

__all__ = ["OperationSteps"]


class OperationSteps:
    """Operations on payments, in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def _identity(
        self, operation: Operation, aggregate: str, *, reference: str = "", attempt: int = 1
    ) -> Identity:
        return Identity(
            scope=self._session.scope,
            environment=self._session.environment,
            operation=operation,
            aggregate_id=aggregate,
            reference=reference,
            attempt=attempt,
        )

    def _require(self, capability: Capability, operation: str) -> None:
        self._session.spec.require(capability, operation=operation)

    def _first_terms(
        self, tx: Transaction, payment_id: str, named: str
    ) -> tuple[PaymentIntent, Terms | None]:
        """The payment, and what it was created with, as far as that may be stored."""
        intent = self._session.owned(tx.payment(payment_id), payment_id, named)
        record = tx.operation(self._identity(Operation.CREATE_PAYMENT, payment_id).id)
        if record is None or record.command is None:
            return intent, None
        command = command_from_json(record.command)
        return intent, command.terms if isinstance(command, CreatePayment) else None

    def _carried_out(self, plan: Plan) -> Steps[PaymentIntent]:
        concluded = yield from self._session.execute(plan)
        raise_unless_known(concluded, operation=plan.named, reference=plan.reference)
        return (yield from self._with_action(concluded, plan.named))

    def _with_action(self, concluded: Concluded, named: str) -> Steps[PaymentIntent]:
        """
        The payment with the token or address that its pending action needs.

        Those are never stored: asked again, they are fetched again; left out where that fails.
        """
        intent = concluded.intent
        if intent.status is not PaymentStatus.REQUIRES_ACTION or _is_complete(intent):
            return intent
        try:
            yield from self._session.at_home(intent, named)
        except ProviderFault:
            return intent
        line = self._session.at(intent, named)
        outcome = yield from line.journal.resolving.read_again(concluded.record, intent)
        if outcome is None:
            return intent
        intent = yield from self._session.observed(intent.id, outcome, named)
        return _with_action_of(intent, outcome.facts)


def _is_complete(intent: PaymentIntent) -> bool:
    """Whether the pending action came from the provider just now, and not from the store."""
    action = intent.next_action
    return action is not None and action.is_complete


def _with_action_of(intent: PaymentIntent, facts: Facts) -> PaymentIntent:
    """The payment with the action that a read brought, though an older statement of it stands."""
    told = {a.ref: a.next_action for a in facts.attempts if a.next_action is not None}
    attempts = tuple(
        replace(a, next_action=told[a.ref])
        if a.ref in told and a.next_action is not None and not a.next_action.is_complete
        else a
        for a in intent.attempts
    )
    return intent.evolve(attempts=attempts)
