"""
A checkout on Flask, with 3-D Secure, webhooks and refunds; async_checkout.py and
django_checkout/ are its twins.

    flask --app examples.flask_checkout run
    PAYPORT_PROVIDER=simulator flask --app examples.flask_checkout run    # Stripe's wire, in memory

POST /checkout/{order}?token=pm_card_visa pays. When the answer has an address, the customer goes
there and comes back to GET /return/{order}, which asks the provider how the payment stands: the
return itself proves nothing. POST /webhooks takes what the provider sends, whether the customer
comes back or not. POST /refund/{order}?reference=return_1&cents=1000 gives money back.

Try 3-D Secure with the token pm_card_authenticate: POST /customer/{order} is what the customer does
at their bank's page.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import httpx
from flask import Flask, request

from payport import (
    Handlers,
    InvalidRequest,
    Money,
    OutcomeUnknown,
    PaymentIntent,
    PaymentStatus,
    PaymentSucceeded,
    Payport,
    Redirect,
    RefundSucceeded,
)
from payport.integrations.flask import mount_webhooks
from payport.providers.stripe import StripeProvider
from payport.testing import FakeProvider, StripeSimulator
from payport.testing.stripe_simulator import SIGNING_SECRET

handlers = Handlers()
shipped: list[str] = []
returned: list[str | None] = []  # a refund made in a dashboard has no reference


@handlers.on(PaymentSucceeded)
def ship(event: PaymentSucceeded, tx: object) -> None:
    """Ship what was paid. What is written outside `tx` may be repeated: each order stands once."""
    del tx
    if event.reference not in shipped:
        shipped.append(event.reference)


@handlers.on(RefundSucceeded)
def restock(event: RefundSucceeded, tx: object) -> None:
    """Take back what was refunded; the same applies."""
    del tx
    if event.refund_reference not in returned:
        returned.append(event.refund_reference)


def fake() -> tuple[Payport, FakeProvider]:
    """A client of payport's own fake, which needs nothing at all."""
    provider = FakeProvider()
    return Payport(provider, scope="shop", handlers=handlers), provider


def simulator() -> tuple[Payport, StripeSimulator]:
    """A client of Stripe, as in production but for the transport, the clock and the store."""
    stripe = StripeSimulator()
    provider = StripeProvider(
        api_key="sk_test_obviously_fake",
        webhook_secrets=[SIGNING_SECRET],
        http_client=httpx.Client(transport=stripe.transport()),
    )
    pay = Payport(provider, scope="shop", store="memory", handlers=handlers, clock=stripe.clock)
    return pay, stripe


#: Everything below is the same for both. One client serves all threads of the process.
PROVIDERS: dict[str, Callable[[], tuple[Payport, FakeProvider | StripeSimulator]]] = {
    "fake": fake,
    "simulator": simulator,
}
pay, outside = PROVIDERS[os.environ.get("PAYPORT_PROVIDER", "fake")]()
app = Flask(__name__)
# Stored first, then acknowledged. Processed before the answer, because no worker runs beside it.
mount_webhooks(app, pay, "/webhooks", process=True)


def shown(intent: PaymentIntent) -> dict[str, Any]:
    """What the customer's browser is told."""
    match intent.status:
        case PaymentStatus.SUCCEEDED:
            return {"paid": str(intent.captured)}
        case PaymentStatus.REQUIRES_ACTION if isinstance(intent.next_action, Redirect):
            return {"redirect": intent.next_action.url}
        case PaymentStatus.REQUIRES_PAYMENT_METHOD if intent.decline:
            return {"declined": intent.decline.user_message}
        case _:
            return {"wait": str(intent.status)}


@app.post("/checkout/<order>")
def checkout(order: str) -> dict[str, Any]:
    """Pay for an order. Clicking twice is harmless."""
    try:
        intent = pay.payments.create(
            reference=order,
            amount=Money(4999, "USD"),
            payment_method=request.args["token"],
            confirm=True,
            return_url=f"https://shop.example/return/{order}",
        )
    except OutcomeUnknown:
        return {"wait": "unknown"}
    return shown(intent)


@app.get("/return/<order>")
def come_back(order: str) -> dict[str, Any]:
    """The customer is back from their bank."""
    return shown(pay.payments.refresh(reference=order))


@app.post("/refund/<order>")
def refund(order: str) -> tuple[dict[str, Any], int]:
    """Give a part back, once for each reference."""
    payment = pay.payments.get(reference=order)
    try:
        made = pay.refunds.create(
            payment=payment.id,
            reference=request.args["reference"],
            amount=Money(int(request.args["cents"]), "USD"),
        )
    except InvalidRequest as refused:
        return {"refused": str(refused)}, 400
    except OutcomeUnknown:
        return {"wait": "unknown"}, 200
    return {"refund": str(made.status), "amount": str(made.amount)}, 200


@app.post("/customer/<order>")
def customer(order: str) -> dict[str, Any]:
    """What the customer does at their bank's page: not yours, only here to be tried out."""
    ok = request.args.get("ok", "true") == "true"
    return {"return_to": outside.bank.authenticate(order, ok=ok)}
