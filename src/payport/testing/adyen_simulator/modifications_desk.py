"""
Serves captures, cancels, reversals and refunds: acknowledged at once, and decided afterwards.

What the bank does not do is acknowledged too, as Adyen does, and told by a webhook that says
`success: false`. Only a request about nothing that is known is refused.
"""

from __future__ import annotations

from typing import Final

from payport.testing.adyen_simulator.amounts import amount_from, amount_on_wire
from payport.testing.adyen_simulator.asking import Ask
from payport.testing.adyen_simulator.errors import invalid
from payport.testing.adyen_simulator.memory import Memory, Modification, Paid
from payport.testing.adyen_simulator.telling import Telling
from payport.testing.bank.bank import Bank
from payport.testing.bank.records import Refused, State
from payport.testing.simulation.documents import Doc

__all__ = ["ModificationsDesk"]

_NOT_CAPTURED: Final = "Transaction hasn't been captured, refund not possible"
_TOO_MUCH: Final = "Insufficient balance on payment"
_NOT_FOUND: Final = "Transaction not found"
_NOT_CANCELABLE: Final = "Transaction can't be cancelled"


class ModificationsDesk:
    """
    Serves what is below `/payments/{paymentPspReference}`, and `/cancels`. Whoever calls it holds
    the bank's lock.

    Attributes:
        several_captures: Whether the account may capture a payment in parts. Otherwise the first
            capture releases the rest.
    """

    def __init__(self, bank: Bank, memory: Memory, telling: Telling) -> None:
        self._bank = bank
        self._memory = memory
        self._telling = telling
        self.several_captures: bool = False

    def captures(self, ask: Ask) -> Doc:
        """POST /payments/{paymentPspReference}/captures."""
        paid = self._paid(ask)
        amount = self._amount(ask, paid)
        request = self._request(ask, "CAPTURE")
        payment = paid.payment
        final = not self.several_captures or amount >= payment.authorized - payment.spoken_for
        paid.by_merchant = True
        try:
            _, capture = self._bank.captures_desk.capture(
                payment.ref, amount, tag=ask.key, final=final, refused=ask.declined
            )
        except Refused as error:
            reason = _TOO_MUCH if error.code == "capture_too_large" else _capture_reason(paid)
            self._telling.failed(paid, request, amount, reason)
        else:
            paid.made[capture.ref] = request
            self._memory.vault.name(payment, request.psp)
        return self._received(ask, paid, request, amount)

    def refunds(self, ask: Ask) -> Doc:
        """POST /payments/{paymentPspReference}/refunds."""
        paid = self._paid(ask)
        amount = self._amount(ask, paid)
        request = self._request(ask, "REFUND")
        self._refund(ask, paid, request, amount)
        body = self._received(ask, paid, request, amount)
        for name in ("capturePspReference", "merchantRefundReason", "store"):
            if name in ask.params:
                body[name] = ask.params[name]
        return body

    def cancels(self, ask: Ask) -> Doc:
        """POST /payments/{paymentPspReference}/cancels."""
        paid = self._paid(ask)
        request = self._request(ask, "CANCELLATION")
        self._cancel(ask, paid, request)
        return self._received(ask, paid, request)

    def reversals(self, ask: Ask) -> Doc:
        """POST /payments/{paymentPspReference}/reversals."""
        paid = self._paid(ask)
        request = self._request(ask, "CANCEL_OR_REFUND")
        if paid.payment.taken:
            self._refund(ask, paid, request, paid.payment.free)
        else:
            self._cancel(ask, paid, request)
        return self._received(ask, paid, request)

    def cancels_by_reference(self, ask: Ask) -> Doc:
        """POST /cancels: of the latest payment with the reference that can still be canceled."""
        wanted: str = ask.params["paymentReference"]
        found = [
            paid
            for paid in self._memory.by_reference.get(wanted, [])
            if paid.asked.account == ask.account
        ]
        request = self._request(ask, "TECHNICAL_CANCEL")
        open_ones = [paid for paid in found if paid.payment.state in _OPEN]
        if found:
            self._cancel(ask, (open_ones or found)[-1], request)
        else:
            self._telling.unknown(wanted, ask.account, request, _NOT_FOUND)
        body: Doc = {
            "merchantAccount": ask.account,
            "paymentReference": wanted,
            "pspReference": request.psp,
            "status": "received",
        }
        if request.reference is not None:
            body["reference"] = request.reference
        return body

    # -- done -----------------------------------------------------------------------------------

    def _refund(self, ask: Ask, paid: Paid, request: Modification, amount: int) -> None:
        payment = paid.payment
        try:
            _, refund = self._bank.refunds_desk.refund(
                payment.ref,
                amount,
                tag=ask.key,
                reference=request.reference,
                refused=ask.declined,
            )
        except Refused:
            reason = _TOO_MUCH if payment.taken else _NOT_CAPTURED
            self._telling.failed(paid, request, amount, reason, action="refund")
        else:
            paid.made[refund.ref] = request
            self._memory.vault.name(payment, request.psp)

    def _cancel(self, ask: Ask, paid: Paid, request: Modification) -> None:
        payment = paid.payment
        self._memory.vault.name(payment, request.psp)
        before, paid.canceling = paid.canceling, request
        try:
            self._bank.payments_desk.cancel(payment.ref, tag=ask.key, refused=ask.declined)
        except Refused:
            paid.canceling = before
            amount = payment.authorized or payment.order.amount
            self._telling.failed(paid, request, amount, _NOT_CANCELABLE, action="cancel")

    # -- read and worded ------------------------------------------------------------------------

    def _paid(self, ask: Ask) -> Paid:
        paid = self._memory.by_psp.get(ask.ref)
        if paid is None or paid.asked.account != ask.account:
            raise invalid("167", "Original pspReference required for this operation")
        return paid

    def _request(self, ask: Ask, event: str) -> Modification:
        return Modification(event=event, psp=ask.psp, reference=ask.params.get("reference"))

    @staticmethod
    def _amount(ask: Ask, paid: Paid) -> int:
        amount, currency = amount_from(ask.params["amount"])
        if currency != paid.currency:
            raise invalid("138", "Unsupported currency specified")
        return amount

    @staticmethod
    def _received(ask: Ask, paid: Paid, request: Modification, amount: int | None = None) -> Doc:
        body: Doc = {
            "merchantAccount": ask.account,
            "paymentPspReference": paid.psp,
            "pspReference": request.psp,
            "status": "received",
        }
        if amount is not None:
            body["amount"] = amount_on_wire(amount, paid.currency)
        if request.reference is not None:
            body["reference"] = request.reference
        if "lineItems" in ask.params:
            body["lineItems"] = ask.params["lineItems"]
        return body


_OPEN: Final = frozenset({State.CHALLENGED, State.PENDING, State.HELD})


def _capture_reason(paid: Paid) -> str:
    state = paid.payment.state
    if state is State.DONE:
        return "Payment has already been captured"
    return _TOO_MUCH if state is State.HELD else f"Transaction is {state}, capture not possible"
