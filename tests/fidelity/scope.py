"""
What of the recorded traffic the simulator has to answer, and why it need not answer the rest.

In scope is every call to an endpoint that the simulator offers, for card payments; and every call
that was refused for its API key, whatever it asked for, because a key is looked at before the path.
"""

from __future__ import annotations

from recorded_calls import Call

from payport.testing.stripe_simulator.routes import route_of

__all__ = ["OUT", "out_of_scope"]

_UNAUTHORIZED = 401

#: Endpoints that the simulator does not offer, and why.
_ELSEWHERE = {
    "subscriptions": "subscriptions: payport takes payments; it has no subscriptions yet",
    "subscription_items": "subscriptions: payport takes payments; it has no subscriptions yet",
    "invoices": "invoices: what Stripe Billing makes of subscriptions",
    "invoiceitems": "invoices: what Stripe Billing makes of subscriptions",
    "invoice_payments": "invoices: what Stripe Billing makes of subscriptions",
    "plans": "prices and plans: what Stripe Billing sells",
    "billing_portal": "pages that Stripe hosts: no part of a payment's API",
    "checkout": "pages that Stripe hosts: no part of a payment's API",
}
_OTHER_METHODS = "payment methods other than cards: the simulator's bank has cards only"
_DESTINATION = "destination charges of Connect: payport refuses to make them"

#: Every reason there is.
OUT = frozenset({*_ELSEWHERE.values(), _OTHER_METHODS, _DESTINATION})


def out_of_scope(call: Call) -> str | None:
    """
    Why a call is not the simulator's to answer; None where it is.

    Raises:
        LookupError: Nobody has decided about its endpoint.
    """
    if call.status == _UNAUTHORIZED:
        return None
    if route_of(call.method, call.path) is None:
        return _ELSEWHERE[call.path.split("/")[2]]
    if "transfer_data[" in call.form or call.body.get("transfer_data"):
        return _DESTINATION
    if call.body.get("object") == "payment_method" and call.body["type"] != "card":
        return _OTHER_METHODS
    return None
