"""
Payments as answers tell them: result, refusal, what the shopper has to do, and what was stored.

https://docs.adyen.com/online-payments/payment-result-codes
"""

from __future__ import annotations

import base64
import json
from typing import Final

from payport.testing.adyen_simulator.amounts import amount_on_wire
from payport.testing.adyen_simulator.memory import Paid, Stored
from payport.testing.adyen_simulator.refusals import outcome_of
from payport.testing.bank.records import Payment, State
from payport.testing.simulation.documents import Doc
from payport.testing.tokens import Challenge

__all__ = ["PAGES", "answer", "auth_code", "details_answer", "result_of", "tokenization"]

#: Where shoppers are sent. Nothing is there.
PAGES: Final = "https://checkoutshopper-test.adyen.com/checkoutshopper"
_VERSION: Final = "2.2.0"
_FINAL: Final = frozenset({"Authorised", "PartiallyAuthorised", "Refused", "Error", "Cancelled"})
#: What is shown to the shopper, who then pays somewhere else.
_PRESENTED: Final = frozenset({"bankTransfer_IBAN", "multibanco"})


def result_of(paid: Paid, *, first: bool = False) -> str:
    """
    The `resultCode` of a payment.

    Args:
        first: Whether it answers the request that made the payment.
    """
    payment = paid.payment
    if payment.state is State.CHALLENGED:
        return _challenge_result(paid)
    if payment.state is State.PENDING:
        shown = paid.asked.look.type in _PRESENTED
        return ("PresentToShopper" if shown else "Received") if first else "Pending"
    if payment.state in {State.REFUSED, State.ERRORED}:
        is_card = paid.asked.look.is_card
        return outcome_of(payment.decline).result if is_card else "Cancelled"
    if not payment.authorized:
        return "Cancelled"
    return "PartiallyAuthorised" if _is_partial(payment) else "Authorised"


def _challenge_result(paid: Paid) -> str:
    card = paid.payment.card
    if card is not None and card.challenge is Challenge.CLIENT_TOKEN:
        return "ChallengeShopper" if paid.fingerprinted else "IdentifyShopper"
    return "RedirectShopper"


def _is_partial(payment: Payment) -> bool:
    return payment.authorized < payment.order.amount


def answer(paid: Paid) -> Doc:
    """The answer to the request that made a payment."""
    result = result_of(paid, first=True)
    body = _outcome(paid, result)
    action = _action(paid, result)
    if action is not None:
        body["action"] = action
    # Where the shopper has to do something first, the reference is told once they did.
    if paid.payment.state is not State.CHALLENGED:
        body["pspReference"] = paid.psp
    return body


def details_answer(paid: Paid) -> Doc:
    """The answer to details of a payment."""
    result = result_of(paid)
    body = _outcome(paid, result)
    action = _action(paid, result)
    if action is not None:
        body["action"] = action
    else:
        body["pspReference"] = paid.psp
    return body


def _outcome(paid: Paid, result: str) -> Doc:
    payment, look = paid.payment, paid.asked.look
    body: Doc = {"resultCode": result, "merchantReference": paid.asked.reference}
    if result in _FINAL | {"Received"}:
        body["paymentMethod"] = (
            {"type": "scheme", "brand": look.brand} if look.is_card else {"type": look.type}
        )
    if payment.state in {State.REFUSED, State.ERRORED}:
        refusal = outcome_of(payment.decline)
        if refusal.reason is not None:
            body["refusalReason"] = refusal.reason
            body["refusalReasonCode"] = refusal.code
    elif payment.authorized:
        body["amount"] = amount_on_wire(payment.authorized, paid.currency)
    more = _additional(paid, result)
    if more:
        body["additionalData"] = more
    return body


def _additional(paid: Paid, result: str) -> dict[str, str]:
    if result not in _FINAL or not paid.asked.look.is_card:
        return {}
    payment, look = paid.payment, paid.asked.look
    told = {"cardBin": look.bin, "cardSummary": look.last4, "paymentMethod": look.brand}
    if payment.state in {State.REFUSED, State.ERRORED}:
        told["refusalReasonRaw"] = outcome_of(payment.decline).network
        return told
    told["authCode"] = auth_code(paid)
    told["refusalReasonRaw"] = "AUTHORISED"
    told["expiryDate"] = f"{int(look.expiry_month)}/{look.expiry_year}"
    if _is_partial(payment):
        amount = amount_on_wire(payment.authorized, paid.currency)
        told["authorisedAmountValue"] = str(amount["value"])
        told["authorisedAmountCurrency"] = amount["currency"]
    if paid.asked.store and paid.stored is not None:
        told |= tokenization(paid.stored)
    return told


def auth_code(paid: Paid) -> str:
    """Six digits, as an issuer gives them."""
    return f"{int.from_bytes(paid.psp.encode()[:8], 'big') % 1_000_000:06d}"


def tokenization(stored: Stored) -> dict[str, str]:
    """What is told of a payment method that was stored with a payment."""
    return {
        "tokenization.shopperReference": stored.shopper,
        "tokenization.storedPaymentMethodId": stored.id,
        "tokenization.store.operationType": "created",
    }


def _action(paid: Paid, result: str) -> Doc | None:
    look = paid.asked.look
    if result == "RedirectShopper":
        return {
            "type": "redirect",
            "method": "GET",
            "paymentMethodType": look.type,
            "url": f"{PAGES}/redirect?payment={paid.token}",
        }
    if result in {"IdentifyShopper", "ChallengeShopper"}:
        challenged = result == "ChallengeShopper"
        return {
            "type": "threeDS2",
            "subtype": "challenge" if challenged else "fingerprint",
            "paymentMethodType": look.type,
            "paymentData": paid.token,
            "authorisationToken": paid.token,
            "token": _encoded({"messageVersion": _VERSION, "threeDSServerTransID": paid.token}),
        }
    if result != "PresentToShopper":
        return None
    amount = amount_on_wire(paid.payment.order.amount, paid.currency)
    shown: Doc = {
        "paymentMethodType": look.type,
        "reference": paid.psp,
        "totalAmount": amount,
    }
    if look.type == "multibanco":
        return {
            "type": "voucher",
            **shown,
            "entity": "12345",
            "merchantReference": paid.asked.reference,
        }
    return {
        "type": "bankTransfer",
        **shown,
        "beneficiary": "TestMerchant",
        "iban": "NL13TEST0123456789",
        "bic": "TESTNL01",
    }


def _encoded(document: Doc) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()
