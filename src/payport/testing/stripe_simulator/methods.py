"""Payment methods as Stripe writes them, and what a charge tells of the one it was made with."""

from __future__ import annotations

from payport.testing.stripe_simulator.errors import Doc
from payport.testing.stripe_simulator.memory import Charge, Method

__all__ = ["billing_details", "has_multicapture", "method_details", "payment_method"]


def billing_details() -> Doc:
    """Nobody's address."""
    lines = ("city", "country", "line1", "line2", "postal_code", "state")
    address = dict.fromkeys(lines)
    return {"address": address, "email": None, "name": None, "phone": None, "tax_id": None}


def method_details(charge: Charge, amount: int, fields: Doc) -> Doc | None:
    """The card of a charge; None for a charge without a payment method."""
    method = charge.method
    if method is None:
        return None
    look = method.look
    failed = charge.refusal is not None
    manual = fields.get("capture_method") == "manual"
    card: Doc = {
        "amount_authorized": None if failed else amount,
        "authorization_code": None if failed else "000000",
        "brand": look.brand,
        "checks": _checks(),
        "country": look.country,
        "exp_month": 11,
        "exp_year": 2034,
        "extended_authorization": {"status": "disabled"},
        "fingerprint": look.fingerprint,
        "funding": look.funding,
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "last4": look.last4,
        "mandate": None,
        "multicapture": {"status": "available" if has_multicapture(fields) else "unavailable"},
        "network": look.brand,
        "network_token": {"used": False},
        "network_transaction_id": "000000000000000",
        "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
        "regulated_status": "unregulated",
        "three_d_secure": None,
        "wallet": None,
    }
    if manual and charge.expires is not None:
        card["capture_before"] = charge.expires
    return {"card": card, "type": "card"}


def has_multicapture(fields: Doc) -> bool:
    """Whether the payment asked to be captured several times."""
    options: Doc = fields.get("payment_method_options") or {}
    card: Doc = options.get("card") or {}
    return card.get("request_multicapture") == "if_available"


def _checks() -> Doc:
    return {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"}


def payment_method(method: Method, *, live: bool) -> Doc:
    """A payment method."""
    look = method.look
    card: Doc = {
        "brand": look.brand,
        "checks": _checks(),
        "country": look.country,
        "display_brand": look.display_brand,
        "exp_month": 11,
        "exp_year": 2034,
        "fingerprint": look.fingerprint,
        "funding": look.funding,
        "generated_from": None,
        "last4": look.last4,
        "networks": {"available": [look.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    return {
        "id": method.id,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": billing_details(),
        "card": card,
        "created": method.created,
        "customer": method.customer,
        "customer_account": None,
        "livemode": live,
        "metadata": dict(method.metadata),
        "type": "card",
    }
