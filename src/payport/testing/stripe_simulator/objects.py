"""
PaymentIntents and charges as Stripe writes them at the pinned version.

The keys are those of recorded answers, with those that later versions added. Documents are written
new each time, so nobody can change what was told.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any, Final

from payport.testing.bank.records import CaptureState, Payment, RefundState, State
from payport.testing.stripe_simulator.amounts import to_wire
from payport.testing.stripe_simulator.cards import Refusal
from payport.testing.stripe_simulator.errors import Doc
from payport.testing.stripe_simulator.memory import (
    Charge,
    Intent,
    Memory,
    transaction_id,
)
from payport.testing.stripe_simulator.methods import billing_details, method_details
from payport.testing.stripe_simulator.next_actions import next_action

__all__ = ["STATUSES", "Payments", "last_error", "refunded"]

_SECOND: Final = 1_000_000
_S = State

STATUSES: Final = {
    _S.OPEN: "requires_payment_method",
    _S.READY: "requires_confirmation",
    _S.CHALLENGED: "requires_action",
    _S.PENDING: "processing",
    _S.REFUSED: "requires_payment_method",
    _S.ERRORED: "requires_payment_method",
    _S.HELD: "requires_capture",
    _S.DONE: "succeeded",
    _S.VOIDED: "canceled",
    _S.LAPSED: "canceled",
}
_OVER: Final = frozenset({_S.VOIDED, _S.LAPSED})


def refunded(payment: Payment) -> int:
    """What was refunded or is about to be."""
    return sum(r.amount for r in payment.refunds if r.state is not RefundState.BOUNCED)


def last_error(refusal: Refusal, charge: str | None, method: Doc | None) -> Doc:
    """What a PaymentIntent tells of its latest decline."""
    error: Doc = {}
    if refusal.advice is not None:
        error["advice_code"] = refusal.advice
    if refusal.charged and charge is not None:
        error["charge"] = charge
    error["code"] = refusal.code
    if refusal.decline_code is not None:
        error["decline_code"] = refusal.decline_code
    error["doc_url"] = f"https://stripe.com/docs/error-codes/{refusal.code.replace('_', '-')}"
    error["message"] = refusal.message
    if refusal.network_code is not None:
        error["network_decline_code"] = refusal.network_code
    if method is not None:
        error["payment_method"] = method
    error["type"] = refusal.kind
    return error


class Payments:
    """Writes PaymentIntents and charges."""

    def __init__(self, memory: Memory, *, live: bool) -> None:
        self._memory = memory
        self._live = live

    def intent(self, intent: Intent) -> Doc:
        """A PaymentIntent."""
        payment, fields = intent.payment, intent.fields
        order, currency = payment.order, intent.currency
        held = payment.state is _S.HELD
        refused = payment.state is _S.REFUSED
        charge, method = intent.charge, intent.method
        free = to_wire(payment.authorized - payment.spoken_for, currency) if held else 0
        get = fields.get
        document: Doc = {
            "id": intent.id,
            "object": "payment_intent",
            "allowed_payment_method_types": get("allowed_payment_method_types"),
            "amount": to_wire(order.amount, currency),
            "amount_capturable": free,
            "amount_details": {"tip": {}},
            "amount_received": to_wire(payment.taken, currency),
            "application": None,
            "application_fee_amount": None,
            "automatic_payment_methods": _automatic(fields),
            "canceled_at": intent.canceled_at,
            "cancellation_reason": intent.canceled_for,
            "capture_method": get("capture_method", "automatic_async"),
            "client_secret": f"{intent.id}_secret_{_secret(intent.id)}",
            "confirmation_method": get("confirmation_method", "automatic"),
            "created": payment.created // _SECOND,
            "currency": currency.lower(),
            "customer": order.customer,
            "customer_account": None,
            "description": get("description"),
            "excluded_payment_method_types": get("excluded_payment_method_types") or None,
            "last_payment_error": dict(intent.error) if intent.error is not None else None,
            "latest_charge": charge.id if charge is not None else None,
            "livemode": self._live,
            "managed_payments": {"enabled": False},
            "metadata": dict(intent.metadata),
            "next_action": self._next_action(intent) if payment.state is _S.CHALLENGED else None,
            "on_behalf_of": None,
            "payment_method": method.id if method is not None and not refused else None,
            "payment_method_configuration_details": _configuration(fields),
            "payment_method_options": _options(fields),
            "payment_method_types": get("allowed_payment_method_types") or ["card", "link"],
            "payment_record": None,
            "processing": {"type": "card"} if payment.state is _S.PENDING else None,
            "receipt_email": get("receipt_email") or None,
            "review": None,
            "setup_future_usage": get("setup_future_usage") or None,
            "shipping": _shipping(get("shipping")),
            "source": None,
            "statement_descriptor": get("statement_descriptor"),
            "statement_descriptor_suffix": get("statement_descriptor_suffix"),
            "status": STATUSES[payment.state],
            "transfer_data": None,
            "transfer_group": get("transfer_group"),
        }
        return document

    def charge(self, intent: Intent, charge: Charge) -> Doc:
        """A charge."""
        payment, fields, currency = intent.payment, intent.fields, intent.currency
        latest = charge is intent.charge
        refusal = charge.refusal
        over = latest and payment.state in _OVER
        amount = payment.authorized if refusal is None and payment.authorized else 0
        amount = amount or payment.order.amount
        taken = payment.taken if latest and refusal is None else 0
        back = refunded(payment) if taken else amount if over and refusal is None else 0
        pending = latest and payment.state is _S.PENDING
        status = "failed" if refusal is not None else "pending" if pending else "succeeded"
        disputes = payment.disputes if taken else ()
        get = fields.get
        return {
            "id": charge.id,
            "object": "charge",
            "amount": to_wire(amount, currency),
            "amount_captured": to_wire(taken, currency),
            "amount_refunded": to_wire(back, currency),
            "application": None,
            "application_fee": None,
            "application_fee_amount": None,
            "balance_transaction": self._transaction(intent) if taken else None,
            "billing_details": billing_details(),
            "calculated_statement_descriptor": _descriptor(fields),
            "captured": bool(taken),
            "created": charge.created,
            "currency": currency.lower(),
            "customer": payment.order.customer,
            "description": get("description"),
            "destination": None,
            "dispute": None,
            "disputed": bool(disputes),
            "failure_balance_transaction": None,
            "failure_code": refusal.code if refusal is not None else None,
            "failure_message": refusal.message if refusal is not None else None,
            "fraud_details": {},
            "livemode": self._live,
            "metadata": dict(charge.metadata),
            "on_behalf_of": None,
            "order": None,
            "outcome": _outcome(charge),
            "paid": status == "succeeded",
            "payment_intent": intent.id,
            "payment_method": charge.method.id if charge.method is not None else None,
            "payment_method_details": method_details(charge, to_wire(amount, currency), fields),
            "radar_options": {},
            "receipt_email": get("receipt_email") or None,
            "receipt_number": None,
            "receipt_url": _receipt(charge) if status == "succeeded" else None,
            "refunded": bool(back) and back >= (taken or amount),
            "review": None,
            "shipping": _shipping(get("shipping")),
            "source": None,
            "source_transfer": None,
            "statement_descriptor": get("statement_descriptor"),
            "statement_descriptor_suffix": get("statement_descriptor_suffix"),
            "status": status,
            "transfer_data": None,
            "transfer_group": get("transfer_group"),
        }

    def _next_action(self, intent: Intent) -> Doc:
        return next_action(intent, merchant=self._memory.bank.account)

    def _transaction(self, intent: Intent) -> str | None:
        """
        The first capture's balance transaction. With `automatic_async`, Stripe's default, it is
        not there yet in the answer to the request that took the money.
        """
        first = next(c for c in intent.payment.captures if c.state is CaptureState.TAKEN)
        quick = intent.fields.get("capture_method", "automatic_async") == "automatic_async"
        if quick and first.updated > self._memory.began:
            return None
        return transaction_id(first.ref)


@lru_cache(maxsize=1_024)
def _secret(ref: str) -> str:
    return hashlib.sha256(ref.encode()).hexdigest()[:25]


def _automatic(fields: Doc) -> Doc | None:
    asked: Doc | None = fields.get("automatic_payment_methods")
    if asked is None:
        has_types = fields.get("allowed_payment_method_types") is not None
        return None if has_types else {"allow_redirects": "always", "enabled": True}
    redirects = asked.get("allow_redirects", "always")
    return {"allow_redirects": redirects, "enabled": asked.get("enabled") == "true"}


def _configuration(fields: Doc) -> Doc | None:
    """The dashboard's settings, where they decide which payment methods there are."""
    return {"id": "pmc_3Simulated", "parent": None} if _automatic(fields) is not None else None


def _options(fields: Doc) -> Doc:
    asked: Doc = fields.get("payment_method_options") or {}
    card: Doc = asked.get("card") or {}
    options: Doc = {
        "installments": None,
        "mandate_options": None,
        "network": None,
        "request_three_d_secure": card.get("request_three_d_secure", "automatic"),
    }
    for name in _SHOWN_IF_ASKED:
        if name in card:
            options[name] = card[name]
    return {"card": options, "link": {"persistent_token": None}}


_SHOWN_IF_ASKED: Final = (
    *("capture_method", "request_extended_authorization", "request_incremental_authorization"),
    *("request_multicapture", "request_overcapture", "setup_future_usage"),
)


def _shipping(given: Any) -> Doc | None:
    if not given:
        return None
    address: Doc = given.get("address") or {}
    lines = ("city", "country", "line1", "line2", "postal_code", "state")
    return {
        "address": {line: address.get(line) for line in lines},
        "carrier": given.get("carrier"),
        "name": given.get("name"),
        "phone": given.get("phone"),
        "tracking_number": given.get("tracking_number"),
    }


def _receipt(charge: Charge) -> str:
    return f"https://pay.stripe.invalid/receipts/{charge.id}"


def _descriptor(fields: Doc) -> str:
    suffix = fields.get("statement_descriptor_suffix")
    return f"SIMULATED* {suffix}"[:22] if suffix else "SIMULATED SHOP"


def _outcome(charge: Charge) -> Doc:
    refusal = charge.refusal
    outcome: Doc = {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network",
        "reason": None,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "Payment complete.",
        "type": "authorized",
    }
    if refusal is None:
        return outcome
    blocked = refusal.decline_code == "highest_risk_level"
    outcome |= {
        "advice_code": refusal.advice,
        "network_decline_code": refusal.network_code,
        "network_status": "not_sent_to_network" if blocked else "declined_by_network",
        "reason": refusal.decline_code,
        "risk_level": "highest" if blocked else "normal",
        "seller_message": f"The bank returned the decline code `{refusal.decline_code}`.",
        "type": "blocked" if blocked else "issuer_declined",
    }
    return outcome
