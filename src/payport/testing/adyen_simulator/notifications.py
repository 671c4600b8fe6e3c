"""
What Adyen tells of each change: notification items, handed on to whoever delivers them.

An item is what it was when it happened: nobody changes what was told. It says nothing of payments
that wait for the shopper, nor of captures that nobody asked for, unless the account wants those
(`tells_automatic_captures`). https://docs.adyen.com/development-resources/webhooks/webhook-types
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from payport.testing.adyen_simulator.amounts import amount_on_wire
from payport.testing.adyen_simulator.answers import auth_code, tokenization
from payport.testing.adyen_simulator.disputes import told_of_dispute
from payport.testing.adyen_simulator.memory import Memory, Modification, Paid, Stored
from payport.testing.adyen_simulator.refusals import outcome_of
from payport.testing.bank.records import (
    Capture,
    Change,
    Dispute,
    Happening,
    Refund,
)
from payport.testing.bank.vault import moment
from payport.testing.simulation.documents import Doc
from payport.testing.tokens import Refunds

__all__ = ["Notice", "Notifications"]

_H = Happening
_TIMED_OUT: Final = "customer_timed_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """
    One thing that Adyen tells.

    Attributes:
        id: What the simulator knows it by; it is not told.
        type: The `eventCode`.
        item: The `NotificationRequestItem`, not signed.
        additional: Its `additionalData`, which the signature goes into.
    """

    id: str
    type: str
    item: Doc = field(repr=False)
    additional: dict[str, str] = field(repr=False)


class Notifications:
    """
    Turns the bank's changes into items.

    Attributes:
        kept: All of them, oldest first.
        listeners: Called with each.
        on_held: Called with each payment that was authorised.
        tells_automatic_captures: Whether captures that nobody asked for are told.
        tells_recurring_contracts: Whether stored methods are told, as an account may ask for.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.kept: list[Notice] = []
        self.listeners: list[Callable[[Notice], None]] = []
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
        self._tell("AUTHORISATION", paid, amount, change.at, about, more=more, reason=reason)
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
        self._tell("RECURRING_CONTRACT", paid, 0, at, about, more=more)

    def _refused(self, paid: Paid, change: Change) -> None:
        payment = paid.payment
        amount = payment.order.amount
        about: Doc = {"pspReference": paid.psp}
        if payment.decline == _TIMED_OUT:
            more = {"paymentMethodVariant": paid.asked.look.brand}
            self._tell("OFFER_CLOSED", paid, amount, change.at, about, more=more)
            return
        refusal = outcome_of(payment.decline)
        more = self._of_sale(paid)
        if paid.asked.look.is_card:
            more["refusalReasonRaw"] = refusal.network
        reason = refusal.reason or ""
        self._tell(
            "AUTHORISATION", paid, amount, change.at, about, ok=False, more=more, reason=reason
        )

    def _expired(self, paid: Paid, change: Change) -> None:
        amount = paid.payment.authorized
        self._tell("EXPIRE", paid, amount, change.at, {"pspReference": paid.psp})

    def _voided(self, paid: Paid, change: Change) -> None:
        request, paid.canceling = paid.canceling, None
        payment = paid.payment
        self._decided(
            paid,
            request or Modification(event="CANCELLATION", psp=self._memory.new_psp()),
            payment.authorized or payment.order.amount,
            change.at,
            action="cancel",
        )

    def _kept(self, paid: Paid, change: Change) -> None:
        request, paid.canceling = paid.canceling, None
        payment = paid.payment
        if request is not None:
            amount = payment.authorized or payment.order.amount
            why = "Transaction can't be cancelled"
            self._decided(paid, request, amount, change.at, why, action="cancel")

    # -- captures and refunds -------------------------------------------------------------------

    def _captured(self, paid: Paid, change: Change) -> None:
        for capture in change.effects:
            if not isinstance(capture, Capture):
                continue
            request = paid.made.get(capture.ref)
            if request is not None:
                self._decided(paid, request, capture.amount, change.at)
            elif self.tells_automatic_captures or paid.by_merchant:
                by_itself = Modification(event="CAPTURE", psp=self._memory.psp(capture.ref))
                self._decided(paid, by_itself, capture.amount, change.at)

    def _capture_failed(self, paid: Paid, change: Change) -> None:
        for capture in change.effects:
            if not isinstance(capture, Capture):
                continue
            request = paid.made.get(capture.ref) or Modification(
                event="CAPTURE", psp=self._memory.psp(capture.ref)
            )
            if capture.round > 1 or capture.ref not in paid.made:
                failed = Modification(
                    event="CAPTURE_FAILED", psp=request.psp, reference=request.reference
                )
                self._decided(
                    paid, failed, capture.amount, change.at, "Capture Failed", happened=True
                )
            else:
                self._decided(paid, request, capture.amount, change.at, "Refused")

    def _refunded(self, paid: Paid, change: Change) -> None:
        for refund in change.effects:
            if isinstance(refund, Refund):
                request = self._refund_request(paid, refund)
                self._decided(paid, request, refund.amount, change.at, action="refund")

    def _refund_failed(self, paid: Paid, change: Change) -> None:
        for refund in change.effects:
            if not isinstance(refund, Refund):
                continue
            request = self._refund_request(paid, refund)
            event, why, happened = request.event, "Refused", False
            if refund.round > 1:
                event, why, happened = "REFUNDED_REVERSED", "", True
            elif paid.payment.card is not None and paid.payment.card.refunds is Refunds.FAIL:
                event, why, happened = "REFUND_FAILED", "Refund Failed", True
            told = Modification(event=event, psp=request.psp, reference=request.reference)
            self._decided(
                paid, told, refund.amount, change.at, why, happened=happened, action="refund"
            )

    def _refund_request(self, paid: Paid, refund: Refund) -> Modification:
        made = paid.made.get(refund.ref)
        return made or Modification(event="REFUND", psp=self._memory.psp(refund.ref))

    # -- what was not done ----------------------------------------------------------------------

    def failed(
        self, paid: Paid, request: Modification, amount: int, why: str, *, action: str | None = None
    ) -> None:
        """Tell that a modification that was acknowledged was not carried out."""
        vault = self._memory.vault
        vault.name(paid.payment, request.psp)
        vault.later(
            vault.behaviour.decides_after,
            lambda: self._decided(paid, request, amount, vault.stamp(), why, action=action),
        )

    def unknown(self, reference: str, account: str, request: Modification, why: str) -> None:
        """Tell that there is nothing that could be modified."""
        vault = self._memory.vault
        item: Doc = {
            "amount": {"currency": "EUR", "value": 0},
            "merchantAccountCode": account,
            "merchantReference": request.reference or reference,
            "pspReference": request.psp,
        }
        vault.later(
            vault.behaviour.decides_after,
            lambda: self._add(request.event, item, {}, vault.stamp(), ok=False, reason=why),
        )

    def _decided(
        self,
        paid: Paid,
        request: Modification,
        amount: int,
        at: int,
        why: str | None = None,
        *,
        happened: bool | None = None,
        action: str | None = None,
    ) -> None:
        """Tell how a modification ended: well unless there is a reason why not."""
        more = {"paymentMethodVariant": paid.asked.look.brand}
        if request.event == "CANCEL_OR_REFUND":
            more["originalMerchantReference"] = paid.asked.reference
            if action is not None:
                more["modification.action"] = action
        about: Doc = {"pspReference": request.psp, "originalReference": paid.psp}
        if request.reference is not None:
            about["merchantReference"] = request.reference
        ok = why is None if happened is None else happened
        self._tell(request.event, paid, amount, at, about, ok=ok, more=more, reason=why or "")

    # -- disputes and others --------------------------------------------------------------------

    def _disputed(self, paid: Paid, change: Change) -> None:
        for dispute in change.effects:
            if isinstance(dispute, Dispute):
                before = self._memory.dispute_rounds.setdefault(dispute.ref, [])
                for told in told_of_dispute(paid, dispute, before):
                    about: Doc = {
                        "pspReference": self._memory.dispute_psp(paid.payment, dispute),
                        "originalReference": paid.psp,
                    }
                    amount, reason = dispute.amount, told.reason
                    self._tell(
                        told.event, paid, amount, change.at, about, more=told.more, reason=reason
                    )
                before.append(dispute.state)

    def _loose(self, change: Change) -> None:
        """What a test announced, about no payment: an event that nobody here knows."""
        if change.what is _H.PAYOUT_PAID:
            return
        item: Doc = {
            "amount": {"currency": "EUR", "value": 0},
            "merchantAccountCode": self._memory.bank.account,
            "merchantReference": "",
            "pspReference": self._memory.new_psp(),
        }
        self._add(str(change.what), item, {}, change.at, ok=True, reason="")

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

    def _tell(
        self,
        event: str,
        paid: Paid,
        amount: int,
        at: int,
        about: Doc,
        *,
        ok: bool = True,
        more: dict[str, str] | None = None,
        reason: str = "",
    ) -> None:
        item: Doc = {
            "amount": amount_on_wire(amount, paid.currency),
            "merchantAccountCode": paid.asked.account,
            "merchantReference": paid.asked.reference,
            "paymentMethod": paid.asked.look.brand,
            **about,
        }
        self._add(event, item, more or {}, at, ok=ok, reason=reason)

    def _add(
        self, event: str, item: Doc, more: dict[str, str], at: int, *, ok: bool, reason: str
    ) -> None:
        item["eventCode"] = event
        item["eventDate"] = moment(at).isoformat(timespec="seconds")
        item["reason"] = reason
        item["success"] = "true" if ok else "false"
        ref = self._memory.vault.new_ref("bn")
        notice = Notice(id=ref, type=event, item=item, additional=more)
        self.kept.append(notice)
        for listener in self.listeners:
            listener(notice)
