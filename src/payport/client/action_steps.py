"""
What a customer's action brought back, handed to the provider, without colour.

Each result is an operation of its own, known by its digest: a page that is loaded twice hands the
same one in, and is told what became of it. The result itself works once and is never stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from payport.client import terms as asked
from payport.client.operation_steps import OperationSteps
from payport.domain.errors import InvalidTransition
from payport.domain.facts import AttemptStatus
from payport.operations.fingerprint import fingerprint
from payport.operations.plan import Beginning, Begun, Plan
from payport.operations.steps import transact
from payport.providers.commands import ConfirmPayment, Operation

if TYPE_CHECKING:
    from payport.domain.frozen import FrozenMapping
    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.steps import Steps

__all__ = ["ActionSteps"]

_CONFIRM = "payments.confirm"
#: So many characters of a digest tell the results of one payment apart.
_DIGEST = 32


class ActionSteps(OperationSteps):
    """Results of customers' actions."""

    def acted(self, payment_id: str, result: FrozenMapping) -> Steps[PaymentIntent]:
        """See `Payments.confirm`."""
        intent = yield from transact(lambda tx: self._first_terms(tx, payment_id, _CONFIRM)[0])
        mark = fingerprint({"action_result": dict(result)})
        plan = Plan(
            identity=self._identity(
                Operation.CONFIRM_PAYMENT,
                payment_id,
                reference=f"action:{mark[-_DIGEST:]}",
                attempt=intent.attempt,
            ),
            payment_id=payment_id,
            fingerprint=mark,
            named=_CONFIRM,
            reference=intent.reference,
            begin=lambda beginning: self._begun(beginning, payment_id, result),
        )
        return (yield from self._carried_out(plan))

    def _begun(self, beginning: Beginning, payment_id: str, result: FrozenMapping) -> Begun:
        stored = self._session.owned(beginning.stored, payment_id, _CONFIRM)
        latest = stored.latest_attempt
        if latest is None or latest.status is not AttemptStatus.REQUIRES_ACTION:
            raise InvalidTransition(
                f"the payment is {stored.status} and waits for no action of the customer's. Read "
                "it with payments.get.",
                operation=_CONFIRM,
                reference=stored.reference,
                provider=stored.provider,
            )
        _, first = self._first_terms(beginning.tx, payment_id, _CONFIRM)
        command = ConfirmPayment(
            payment_id=stored.id,
            reference=stored.reference,
            attempt=stored.attempt,
            payment_ref=latest.ref,
            terms=first or asked.terms_of(stored),
            action_result=result,
        )
        return Begun(intent=stored, command=command)
