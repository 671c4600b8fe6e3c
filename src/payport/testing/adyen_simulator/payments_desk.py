"""Serves payments: made, and completed with what the shopper brings back."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, cast

from payport.testing.adyen_simulator.amounts import amount_from
from payport.testing.adyen_simulator.answers import answer, details_answer
from payport.testing.adyen_simulator.asking import Ask
from payport.testing.adyen_simulator.cards import NATIVE
from payport.testing.adyen_simulator.errors import ApiError, invalid, missing, not_simulated
from payport.testing.adyen_simulator.memory import Asked, Memory, Paid, Session
from payport.testing.adyen_simulator.methods import Method, Methods
from payport.testing.adyen_simulator.refusals import OUTCOMES
from payport.testing.bank.bank import Bank
from payport.testing.bank.records import Order, Payment, State
from payport.testing.simulation.documents import Doc
from payport.testing.tokens import Card, Challenge

__all__ = ["PaymentsDesk"]

#: `additionalData` that does something here.
_USED: Final = frozenset({"manualCapture", "RequestedTestAcquirerResponseCode"})
#: `additionalData` that only says something begins so.
_TOLD: Final = ("riskdata.", "airline.", "metadata.", "enhancedSchemeData.")
_RECURRING: Final = frozenset({"Subscription", "UnscheduledCardOnFile"})
_RESULTS: Final = ("redirectResult", "payload", "threeDSResult")


class PaymentsDesk:
    """
    Serves `/payments` and `/payments/details`. Whoever calls it holds the bank's lock.

    Attributes:
        delay: After how many hours payments are captured that say nothing of it; None for those
            that the merchant captures.
    """

    def __init__(self, bank: Bank, memory: Memory, methods: Methods) -> None:
        self._bank = bank
        self._memory = memory
        self._methods = methods
        self.delay: int | None = 0

    def payments(self, ask: Ask) -> Doc:
        """POST /payments."""
        params = ask.params
        requested = self.requested(params)
        shopper: str | None = params.get("shopperReference")
        told: Doc = params["paymentMethod"]
        method = self._methods.read(told, shopper, requested)
        _check_terms(params)
        paid = self.make(params, method, ask)
        return answer(paid)

    @staticmethod
    def requested(params: Doc) -> str | None:
        """
        The outcome that the test environment is asked for.

        Raises:
            ApiError: There is no such outcome, or `additionalData` says what is not simulated.
        """
        more: Doc = params.get("additionalData", {})
        for name, value in more.items():
            if name not in _USED and not name.startswith(_TOLD):
                raise not_simulated(f"additionalData.{name}")
            if not isinstance(value, str | int | bool):
                message = f"Unexpected input for additionalData.{name}, expected: string"
                raise invalid("702", message, status=400)
        code = more.get("RequestedTestAcquirerResponseCode")
        if code is None:
            return None
        if str(code) not in OUTCOMES:
            message = f"The simulator knows no RequestedTestAcquirerResponseCode '{code}'."
            raise invalid("000", message)
        return str(code)

    def make(
        self, params: Doc, method: Method, ask: Ask, *, session: Session | None = None
    ) -> Paid:
        """
        Make a payment and try it.

        Raises:
            ApiError: The bank does not do it.
        """
        memory = self._memory
        shopper: str | None = params.get("shopperReference")
        memory.shopper(shopper)
        amount, currency = amount_from(params["amount"])
        by_merchant, delay = self._captured(params)
        card = _at_the_terms(method, params)
        asked = Asked(
            reference=params["reference"],
            account=ask.account,
            look=method.look,
            shopper=shopper,
            store=bool(params.get("storePaymentMethod")),
            model=params.get("recurringProcessingModel"),
            interaction=params.get("shopperInteraction", "Ecommerce"),
            order_reference=params.get("merchantOrderReference"),
            metadata=params.get("metadata", {}),
            delay=delay,
            session=session,
            stored=method.stored,
        )
        order = Order(
            amount=amount,
            currency=currency,
            tag=ask.key,
            reference=params["reference"],
            token=method.token,
            customer=shopper,
            manual=by_merchant or bool(delay),
            off_session=_is_absent(params),
            return_url=params["returnUrl"],
            metadata=asked.metadata,
        )
        memory.asked = asked
        forced = ask.forced or (card if card is not method.card else None)
        try:
            payment = self._bank.payments_desk.create(order, confirm=True, forced=forced)
        finally:
            memory.asked = None
        return memory.paid_of(payment)

    def _captured(self, params: Doc) -> tuple[bool, int | None]:
        """Whether the merchant captures it, and otherwise after how many hours it is."""
        more: Doc = params.get("additionalData", {})
        manual = str(more.get("manualCapture", "")).lower()
        if manual == "true":
            return True, None
        hours: int | None = params.get("captureDelayHours", self.delay)
        if hours is None and manual == "false":
            hours = 0
        return hours is None, hours

    # -- captured later -------------------------------------------------------------------------

    def on_held(self, paid: Paid) -> None:
        """Have a payment captured when its delay is over, where it has one."""
        hours = paid.asked.delay
        if hours:
            self._memory.vault.later(timedelta(hours=hours), lambda: self._capture(paid.payment))

    def _capture(self, payment: Payment) -> None:
        free = payment.authorized - payment.spoken_for
        if payment.state is State.HELD and free > 0 and payment.canceling is None:
            self._bank.captures_desk.capture(payment.ref, free, tag=None, final=True)

    # -- completed ------------------------------------------------------------------------------

    def details(self, ask: Ask) -> Doc:
        """POST /payments/details."""
        told: Doc = ask.params["details"]
        for name, value in told.items():
            if name not in _RESULTS:
                raise not_simulated(f"details.{name}")
            if not isinstance(value, str):
                message = f"Unexpected input for details.{name}, expected: string"
                raise invalid("702", message, status=400)
        result = next((name for name in _RESULTS if name in told), None)
        if result is None:
            raise missing("details")
        if result == "threeDSResult":
            self._authenticated(paid := self._in_page(told[result], ask.params), told[result])
        else:
            token, _, verdict = told[result].partition("!")
            paid = self._known(token)
            if paid.payment.state is State.CHALLENGED:
                self._bank.payments_desk.authenticate(paid.payment, ok=verdict != "N")
        if ask.key is not None:
            self._memory.vault.name(paid.payment, ask.key)
        return details_answer(paid)

    def _in_page(self, result: str, params: Doc) -> Paid:
        token: Any = _decoded(result).get("authorisationToken", params.get("paymentData"))
        return self._known(token)

    def _known(self, token: Any) -> Paid:
        paid = self._memory.by_token.get(token) if isinstance(token, str) else None
        if paid is None:
            raise _bad_payload()
        return paid

    def _authenticated(self, paid: Paid, result: str) -> None:
        if paid.payment.state is not State.CHALLENGED:
            return
        told = _decoded(result)
        if "transStatus" in told:
            ok = told["transStatus"] == "Y"
            self._bank.payments_desk.authenticate(paid.payment, ok=ok)
        elif "threeDSCompInd" in told:
            paid.fingerprinted = True
        else:
            raise _bad_payload()


def _decoded(result: str) -> Doc:
    try:
        told: Any = json.loads(base64.b64decode(result, validate=True))
    except (binascii.Error, ValueError):
        raise _bad_payload() from None
    if not isinstance(told, dict):
        raise _bad_payload()
    return cast("Doc", told)


def _bad_payload() -> ApiError:
    return invalid("14_018", "Invalid payload provided")


def _is_absent(params: Doc) -> bool:
    """Whether the shopper is not there to authenticate."""
    if params.get("shopperInteraction") != "ContAuth":
        return False
    return params.get("recurringProcessingModel") != "CardOnFile"


def _at_the_terms(method: Method, params: Doc) -> Card:
    """
    The card as it behaves at these terms: nobody authenticates by mail or telephone, and test cards
    do so in the shop's page only where that is preferred. The bank's own tokens always would.
    """
    card = method.card
    if card.challenge is None:
        return card
    asked: Doc = params.get("authenticationData", {})
    if params.get("shopperInteraction") == "Moto" or asked.get("attemptAuthentication") == "never":
        return replace(card, challenge=None)
    told: Doc = asked.get("threeDSRequestData", {})
    native = told.get("nativeThreeDS", "disabled" if method.token == NATIVE else "preferred")
    if native == "disabled" and card.challenge is Challenge.CLIENT_TOKEN:
        return replace(card, challenge=Challenge.REDIRECT)
    return card


def _check_terms(params: Doc) -> None:
    stores = bool(params.get("storePaymentMethod"))
    model = params.get("recurringProcessingModel")
    if stores and params.get("shopperReference") is None:
        raise missing("shopperReference")
    if stores and model is None:
        raise missing("recurringProcessingModel")
    asked: Doc = params.get("authenticationData", {})
    if asked.get("authenticationOnly"):
        raise not_simulated("authenticationData.authenticationOnly")
    told: Doc = params["paymentMethod"]
    kind = told.get("type", "scheme")
    if stores and kind not in {"scheme", "card"}:
        raise invalid("000", f"The simulator does not store payment methods of type '{kind}'.")
    if params.get("shopperInteraction") == "POS":
        raise invalid(
            "000", "The simulator has no terminals: `shopperInteraction` is not POS here."
        )
