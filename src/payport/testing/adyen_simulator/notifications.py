"""
What Adyen tells of each change of the bank's: nothing of payments that wait for the shopper, nor of
captures that nobody asked for, unless the account wants those (`tells_automatic_captures`).

https://docs.adyen.com/development-resources/webhooks/webhook-types
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from payport.testing.adyen_simulator.amounts import amount_on_wire
from payport.testing.adyen_simulator.answers import auth_code, tokenization
from payport.testing.adyen_simulator.disputes import told_of_dispute
from payport.testing.adyen_simulator.memory import Memory, Modification, Paid, Stored
from payport.testing.adyen_simulator.refusals import outcome_of
from payport.testing.adyen_simulator.telling import Telling
from payport.testing.bank.records import (
    Capture,
    Change,
    Dispute,
    Happening,
    Refund,
)
from payport.testing.simulation.documents import Doc
from payport.testing.tokens import Refunds

__all__ = ["Notifications"]

_H = Happening
_TIMED_OUT: Final = "customer_timed_out"


class Notifications:
    """
    Turns the bank's changes into items.

    Attributes:
        on_held: Called with each payment that was authorised.
        tells_automatic_captures: Whether captures that nobody asked for are told.
        tells_recurring_contracts: Whether stored methods are told, as an account may ask for.
    """

    def __init__(self, memory: Memory, telling: Telling) -> None:
        self._memory = memory
        self._telling = telling
        self.on_held: Callable[[Paid], None] = lambda _: None
        self.tells_automatic_captures: bool = False
        self.tells_recurring_contracts: bool = True
        self._on: dict[str, Callable[[Paid, Change], None]] = {
            _H.PAYMENT_REFUSED: self._refused,
            _H.PAYMENT_ERRORED: self._refused,
            _H.PAYMENT_HELD: self._held,
            _H.PAYMENT_DONE: self._expired,
            _H.PAYMENT_LAPSED: self._expired,
            _H.PAYMENT_VOIDED: self._voided,
            _H.PAYMENT_KEPT: self._kept,
            _H.CAPTURE_TAKEN: self._captured,
            _H.CAPTURE_BOUNCED: self._capture_failed,
            _H.REFUND_GIVEN: self._refunded,
            _H.REFUND_BOUNCED: self._refund_failed,
            _H.DISPUTE_INQUIRY: self._disputed,
            _H.DISPUTE_ANSWERED: self._disputed,
            _H.DISPUTE_RAISED: self._disputed,
            _H.DISPUTE_EXAMINED: self._disputed,
            _H.DISPUTE_WON: self._disputed,
            _H.DISPUTE_LOST: self._disputed,
        }

    def on_change(self, change: Change) -> None:
        """Hear of a change. Called by the bank, with its lock held."""
        if change.payment is None:
            self._loose(change)
            return
        paid = self._memory.paid_of(change.payment)
        tell = self._on.get(change.what)
        if tell is not None:
            tell(paid, change)

    # -- payments -------------------------------------------------------------------------------

    def _held(self, paid: Paid, change: Change) -> None:
        payment, asked, look = paid.payment, paid.asked, paid.asked.look
        self._store(paid)
        reason = ""
        if look.is_card:
            reason = f"{auth_code(paid)}:{look.last4}:{look.expiry_month}/{look.expiry_year}"
        operations = ["CANCEL", "CAPTURE", "REFUND"] if paid.by_merchant else ["REFUND"]
        more = self._of_sale(paid)
        if look.is_card:
            more["authCode"] = auth_code(paid)
            more["expiryDate"] = f"{int(look.expiry_month)}/{look.expiry_year}"
        if payment.authorized < payment.order.amount:
            held = amount_on_wire(payment.authorized, paid.currency)
            more["authorisedAmountValue"] = str(held["value"])
            more["authorisedAmountCurrency"] = held["currency"]
        stored = paid.stored if asked.store else None
        if stored is not None:
            more |= tokenization(stored)
        amount = payment.authorized
        about: Doc = {"pspReference": paid.psp, "operations": operations}
        self._telling.tell(
            "AUTHORISATION", paid, amount, change.at, about, more=more, reason=reason
        )
        if stored is not None and self.tells_recurring_contracts:
            self._contract(paid, stored, change.at)
        self.on_held(paid)

    def _store(self, paid: Paid) -> None:
        asked, payment = paid.asked, paid.payment
        if asked.store and asked.shopper is not None and paid.stored is None:
            card = payment.method
            if card is not None:
                # Who stored it with the shopper there asks them no more.
                settled = replace(card, challenge=None)
                model = asked.model or "CardOnFile"
                paid.stored = self._memory.store(
                    settled, asked.look, asked.shopper, model, paid.psp
                )

    def _contract(self, paid: Paid, stored: Stored, at: int) -> None:
        about: Doc = {
            "pspReference": stored.id,
            "originalReference": paid.psp,
            "originalPsp": paid.psp,
        }
        more = {
            "recurring.shopperReference": stored.shopper,
            "recurring.recurringDetailReference": stored.id,
            "shopperReference": stored.shopper,
        }
        self._telling.tell("RECURRING_CONTRACT", paid, 0, at, about, more=more)

    def _refused(self, paid: Paid, change: Change) -> None:
        payment = paid.payment
        amount = payment.order.amount
        about: Doc = {"pspReference": paid.psp}
        if payment.decline == _TIMED_OUT:
            more = {"paymentMethodVariant": paid.asked.look.brand}
            self._telling.tell("OFFER_CLOSED", paid, amount, change.at, about, more=more)
            return
        refusal = outcome_of(payment.decline)
        more = self._of_sale(paid)
        if paid.asked.look.is_card:
            more["refusalReasonRaw"] = refusal.network
        reason = refusal.reason or ""
        self._telling.tell(
            "AUTHORISATION", paid, amount, change.at, about, ok=False, more=more, reason=reason
        )

    def _expired(self, paid: Paid, change: Change) -> None:
        amount = paid.payment.authorized
        self._telling.tell("EXPIRE", paid, amount, change.at, {"pspReference": paid.psp})

    def _voided(self, paid: Paid, change: Change) -> None:
        self._cancel_decided(paid, change.at)

    def _kept(self, paid: Paid, change: Change) -> None:
        self._cancel_decided(paid, change.at, "Transaction can't be cancelled")

    def _cancel_decided(self, paid: Paid, at: int, why: str | None = None) -> None:
        request, paid.canceling = paid.canceling, None
        if request is None:
            request = Modification(event="CANCELLATION", psp=self._memory.new_psp())
        amount = paid.payment.authorized or paid.payment.order.amount
        self._telling.decided(paid, request, amount, at, why, action="cancel")

    # -- captures and refunds -------------------------------------------------------------------

    def _captured(self, paid: Paid, change: Change) -> None:
        for capture in _of(Capture, change):
            request = paid.made.get(capture.ref)
            if request is not None:
                self._telling.decided(paid, request, capture.amount, change.at)
            elif self.tells_automatic_captures or paid.by_merchant:
                by_itself = Modification(event="CAPTURE", psp=self._memory.psp(capture.ref))
                self._telling.decided(paid, by_itself, capture.amount, change.at)

    def _capture_failed(self, paid: Paid, change: Change) -> None:
        for capture in _of(Capture, change):
            request = paid.made.get(capture.ref) or Modification(
                event="CAPTURE", psp=self._memory.psp(capture.ref)
            )
            if capture.round > 1 or capture.ref not in paid.made:
                failed = Modification(
                    event="CAPTURE_FAILED", psp=request.psp, reference=request.reference
                )
                self._telling.decided(
                    paid, failed, capture.amount, change.at, "Capture Failed", happened=True
                )
            else:
                self._telling.decided(paid, request, capture.amount, change.at, "Refused")

    def _refunded(self, paid: Paid, change: Change) -> None:
        for refund in _of(Refund, change):
            request = self._refund_request(paid, refund)
            self._telling.decided(paid, request, refund.amount, change.at, action="refund")

    def _refund_failed(self, paid: Paid, change: Change) -> None:
        for refund in _of(Refund, change):
            request = self._refund_request(paid, refund)
            event, why, happened = request.event, "Refused", False
            if refund.round > 1:
                event, why, happened = "REFUNDED_REVERSED", "", True
            elif paid.payment.card is not None and paid.payment.card.refunds is Refunds.FAIL:
                event, why, happened = "REFUND_FAILED", "Refund Failed", True
            told = Modification(event=event, psp=request.psp, reference=request.reference)
            self._telling.decided(
                paid, told, refund.amount, change.at, why, happened=happened, action="refund"
            )

    def _refund_request(self, paid: Paid, refund: Refund) -> Modification:
        made = paid.made.get(refund.ref)
        return made or Modification(event="REFUND", psp=self._memory.psp(refund.ref))

    # -- disputes and others --------------------------------------------------------------------

    def _disputed(self, paid: Paid, change: Change) -> None:
        for dispute in _of(Dispute, change):
            before = self._memory.dispute_rounds.setdefault(dispute.ref, [])
            about: Doc = {
                "pspReference": self._memory.dispute_psp(paid.payment, dispute),
                "originalReference": paid.psp,
            }
            for told in told_of_dispute(paid, dispute, before):
                self._telling.tell(
                    *(told.event, paid, dispute.amount, change.at, about),
                    more=told.more,
                    reason=told.reason,
                )
            before.append(dispute.state)

    def _loose(self, change: Change) -> None:
        """What a test announced, about no payment: an event that nobody here knows."""
        if isinstance(change.what, Happening):
            return  # a payout's turn: those are told in reports, and by another API's webhooks
        item: Doc = {
            "amount": {"currency": "EUR", "value": 0},
            "merchantAccountCode": self._memory.bank.account,
            "merchantReference": "",
            "pspReference": self._memory.new_psp(),
        }
        self._telling.add(str(change.what), item, {}, change.at, ok=True, reason="")

    # -- worded ---------------------------------------------------------------------------------

    def _of_sale(self, paid: Paid) -> dict[str, str]:
        asked, look = paid.asked, paid.asked.look
        more = {"paymentMethodVariant": look.brand, "shopperInteraction": asked.interaction}
        if look.is_card:
            more |= {"cardBin": look.bin, "cardSummary": look.last4, "cardIssuingCountry": "NL"}
        for name, value in (
            ("shopperReference", asked.shopper),
            ("recurringProcessingModel", asked.model),
            ("merchantOrderReference", asked.order_reference),
            ("checkoutSessionId", asked.session.id if asked.session is not None else None),
        ):
            if value is not None:
                more[name] = value
        return more | {f"metadata.{name}": value for name, value in asked.metadata.items()}


E = TypeVar("E", Capture, Refund, Dispute)


def _of(kind: type[E], change: Change) -> list[E]:
    """The effects of a kind that changed."""
    return [effect for effect in change.effects if isinstance(effect, kind)]
