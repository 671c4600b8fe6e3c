"""
What is done with held money, without colour: taking it, in one or several captures, and letting it
go. Also ends what was never completed, where the provider knows of it and where it does not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from payport.client import terms as asked
from payport.client.operation_steps import OperationSteps
from payport.client.validation import Checker, check_id, checked_reference
from payport.domain.errors import InvalidTransition
from payport.domain.facts import AttemptFact, AttemptStatus, Facts
from payport.domain.identifiers import Kind
from payport.domain.money import Money
from payport.domain.payment_intent import Capture, PaymentIntent
from payport.domain.transitions import check_attempt, check_cancel, check_capture
from payport.operations.fingerprint import fingerprint
from payport.operations.plan import Beginning, Begun, Plan
from payport.providers.commands import CancelPayment, CapturePayment, LostPayment, Operation
from payport.providers.spec import Capability

if TYPE_CHECKING:
    from collections.abc import Callable

    from payport.operations.steps import Steps

__all__ = ["HoldSteps"]

_CAPTURE = "payments.capture"
_CANCEL = "payments.cancel"


class HoldSteps(OperationSteps):
    """Captures and cancels."""

    def capture(
        self, payment: str, *, amount: Money | None, reference: str | None, final: bool | None
    ) -> Steps[PaymentIntent]:
        """See `Payments.capture`."""
        payment_id = check_id(payment, Kind.PAYMENT, operation=_CAPTURE, field="payment")
        checker = Checker(_CAPTURE, self._session.spec.limits, payment_id)
        wanted = checker.optional_amount(amount)
        named = "" if reference is None else checked_reference(reference, operation=_CAPTURE)
        last = not named if final is None else checker.flag(final, "final")
        if not last and not named:
            raise checker.refused(
                "reference", "a capture that is not the last one needs a reference of its own"
            )
        self._require(Capability.MANUAL_CAPTURE, _CAPTURE)
        if not last:
            self._require(Capability.MULTIPLE_CAPTURES, _CAPTURE)
        return self._captured(payment_id, wanted, named, last=last)

    def _captured(
        self, payment_id: str, wanted: Money | None, named: str, *, last: bool
    ) -> Steps[PaymentIntent]:
        intent = yield from self._session.load(payment_id, _CAPTURE)
        plan = Plan(
            # The attempt is part of it: what failed on one says nothing about the next.
            identity=self._identity(
                Operation.CAPTURE_PAYMENT, payment_id, reference=named, attempt=intent.attempt
            ),
            payment_id=payment_id,
            fingerprint=fingerprint({"amount": asked.money(wanted), "final": last}),
            named=_CAPTURE,
            reference=named or payment_id,
            begin=lambda beginning: self._capture(beginning, wanted, named, final=last),
        )
        return (yield from self._carried_out(plan))

    def _capture(
        self, beginning: Beginning, wanted: Money | None, reference: str, *, final: bool
    ) -> Begun:
        stored = self._session.owned(beginning.stored, reference, _CAPTURE)
        before = _amount_before(beginning)
        asked_for = wanted if before is None else before
        amount = _all_of(stored) if asked_for is None else asked_for
        check_capture(stored, amount)
        held = next(a for a in stored.attempts if a.status is AttemptStatus.AUTHORIZED)
        if final and amount.minor < stored.capturable.minor:
            beginning.spec.require(Capability.PARTIAL_CAPTURE, operation=_CAPTURE)
        command = CapturePayment(
            payment_id=stored.id,
            payment_ref=held.ref,
            amount=amount,
            final=final,
            capture_reference=reference or None,
            authorized=held.authorized,
        )
        begun = Capture(key=beginning.key, reference=reference or None, requested=amount)
        captures = (*(c for c in stored.captures if c.key != beginning.key), begun)
        return Begun(intent=stored.evolve(captures=captures), command=command)

    def cancel(self, payment: str) -> Steps[PaymentIntent]:
        """See `Payments.cancel`."""
        payment_id = check_id(payment, Kind.PAYMENT, operation=_CANCEL, field="payment")
        return self._canceled(payment_id)

    def _canceled(self, payment_id: str) -> Steps[PaymentIntent]:
        intent = yield from self._session.load(payment_id, _CANCEL)
        if _is_lost(intent) and self._session.at(intent, _CANCEL).spec.cancels_lost:
            return (yield from self._carried_out(self._lost_plan(intent)))
        if intent.provider_ref is not None:
            spec = self._session.at(intent, _CANCEL).spec
            spec.require(Capability.CANCEL, operation=_CANCEL)
        plan = self._cancel_plan(intent, _check_cancel, reference="", named=_CANCEL)
        return (yield from self._carried_out(plan))

    def voided(self, intent: PaymentIntent, named: str) -> Steps[PaymentIntent]:
        """End the object of the payment's latest attempt, for another one in its place."""
        plan = self._cancel_plan(
            intent, _check_void, reference=f"void:{intent.attempt}", named=named
        )
        return (yield from self._carried_out(plan))

    def _cancel_plan(
        self,
        intent: PaymentIntent,
        check: Callable[[PaymentIntent, str], None],
        *,
        reference: str,
        named: str,
    ) -> Plan:
        def begin(beginning: Beginning) -> Begun:
            stored = self._session.owned(beginning.stored, intent.id, named)
            check(stored, named)
            ref = stored.provider_ref
            command = CancelPayment(
                payment_id=stored.id,
                payment_ref=ref or stored.id,
                amount=stored.amount,
                capturing=stored.capture_pending.is_positive,
            )
            if ref is None:
                ended = self._ended_here(stored, beginning)
                return Begun(intent=ended, command=command, send=False)
            return Begun(intent=stored, command=command)

        return Plan(
            identity=self._identity(
                Operation.CANCEL_PAYMENT, intent.id, reference=reference, attempt=intent.attempt
            ),
            payment_id=intent.id,
            fingerprint=fingerprint({}),
            named=named,
            reference=intent.reference,
            begin=begin,
        )

    def _lost_plan(self, intent: PaymentIntent) -> Plan:
        """
        End a payment that may have been made and of which nothing was heard. What may have made it
        is never sent again: the cancellation may arrive where there was nothing yet.
        """

        def begin(beginning: Beginning) -> Begun:
            stored = self._session.owned(beginning.stored, intent.id, _CANCEL)
            made = [beginning.tx.operation_by_key(key) for key in stored.unresolved]
            lost = next((one for one in made if one is not None), None)
            if not _is_lost(stored) or lost is None:
                _check_cancel(stored, _CANCEL)
                raise InvalidTransition(_HEARD_OF, operation=_CANCEL, reference=stored.reference)
            beginning.tx.save_operation(replace(lost, request=None, send_before=beginning.now))
            command = CancelPayment(
                payment_id=stored.id,
                payment_ref=stored.id,
                amount=stored.amount,
                lost=LostPayment(
                    key=lost.key, attempt=lost.attempt, capture_method=stored.capture_method
                ),
            )
            return Begun(intent=stored, command=command)

        return Plan(
            identity=self._identity(
                Operation.CANCEL_PAYMENT, intent.id, reference="lost", attempt=intent.attempt
            ),
            payment_id=intent.id,
            fingerprint=fingerprint({}),
            named=_CANCEL,
            reference=intent.reference,
            begin=begin,
        )

    def _ended_here(self, intent: PaymentIntent, beginning: Beginning) -> PaymentIntent:
        """A payment the provider never heard of, canceled: nothing needs to be sent."""
        fact = AttemptFact(
            ref=intent.id,
            status=AttemptStatus.CANCELED,
            authorized=Money(0, intent.amount.currency),
            at=beginning.now,
            number=intent.attempt,
        )
        facts = Facts(attempt_ref=intent.id, attempts=(fact,))
        concluding = self._session.concluding
        return concluding.learn(beginning.tx, intent, facts, beginning.now).intent


#: A race: the outcome became known while it was to be canceled unknown.
_HEARD_OF = "what became of the payment is known by now. Read it with payments.get, and ask again."


def _is_lost(intent: PaymentIntent) -> bool:
    """Whether it may have been made, and nothing at all was heard of it."""
    return bool(intent.unresolved) and not intent.attempts and not intent.in_flight


def _amount_before(beginning: Beginning) -> Money | None:
    earlier = beginning.earlier
    return earlier.amount if isinstance(earlier, CapturePayment) else None


def _all_of(intent: PaymentIntent) -> Money:
    """All that can be captured; the whole amount where that is nothing, to be refused as such."""
    return intent.capturable if intent.capturable.is_positive else intent.amount


def _check_void(intent: PaymentIntent, named: str) -> None:
    """Refuse to end an object for the next attempt's sake, unless there may be a next attempt."""
    check_attempt(intent, intent.attempt + 1)
    _check_cancel(intent, named)


def _check_cancel(intent: PaymentIntent, named: str) -> None:
    """
    Refuse to end what cannot be ended, or is being sent at this moment: it may charge after it was
    called canceled.

    Raises:
        InvalidTransition: Money was taken, it is over, or an operation on it is under way.
    """
    check_cancel(intent)
    if intent.in_flight:
        raise InvalidTransition(
            "an operation on the payment is under way. Wait for it, or repeat it if its process "
            "died.",
            operation=named,
            reference=intent.reference,
        )
