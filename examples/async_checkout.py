"""
A checkout on FastAPI, with 3-D Secure, webhooks and refunds; flask_checkout.py and
django_checkout/ are its twins.

    uvicorn examples.async_checkout:app
    PAYPORT_PROVIDER=simulator uvicorn examples.async_checkout:app    # Stripe's wire, in memory

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
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI, Response

from payport import (
    AsyncPayport,
    Handlers,
    InvalidRequest,
    Money,
    OutcomeUnknown,
    PaymentIntent,
    PaymentStatus,
    PaymentSucceeded,
    Redirect,
    RefundSucceeded,
)
from payport.integrations.fastapi import get_payport, mount_webhooks, payport_lifespan
from payport.providers.stripe import AsyncStripeProvider
from payport.testing import AsyncFakeProvider, StripeSimulator
from payport.testing.stripe_simulator import SIGNING_SECRET

handlers = Handlers()
shipped: list[str] = []
returned: list[str | None] = []  # a refund made in a dashboard has no reference


@handlers.on(PaymentSucceeded)
async def ship(event: PaymentSucceeded, tx: object) -> None:
    """Ship what was paid. Awaited handlers may run again: the list holds each order once."""
    del tx
    if event.reference not in shipped:
        shipped.append(event.reference)


@handlers.on(RefundSucceeded)
async def restock(event: RefundSucceeded, tx: object) -> None:
    """Take back what was refunded; the same applies."""
    del tx
    if event.refund_reference not in returned:
        returned.append(event.refund_reference)


def fake() -> tuple[AsyncPayport, AsyncFakeProvider]:
    """A client of payport's own fake, which needs nothing at all."""
    provider = AsyncFakeProvider()
    return AsyncPayport(provider, scope="shop", handlers=handlers), provider


def simulator() -> tuple[AsyncPayport, StripeSimulator]:
    """A client of Stripe, as in production but for the transport, the clock and the store."""
    stripe = StripeSimulator()
    provider = AsyncStripeProvider(
        api_key="sk_test_obviously_fake",
        webhook_secrets=[SIGNING_SECRET],
        http_client=httpx.AsyncClient(transport=stripe.async_transport()),
    )
    pay = AsyncPayport(
        provider, scope="shop", store="memory", handlers=handlers, clock=stripe.clock
    )
    return pay, stripe


#: Everything below is the same for both.
PROVIDERS: dict[str, Callable[[], tuple[AsyncPayport, AsyncFakeProvider | StripeSimulator]]] = {
    "fake": fake,
    "simulator": simulator,
}
pay, outside = PROVIDERS[os.environ.get("PAYPORT_PROVIDER", "fake")]()
# One client for the life of the process, in the loop that serves it. What a dead process left is
# recovered every half minute.
app = FastAPI(lifespan=payport_lifespan(pay, recovery=30.0))
# Stored first, then acknowledged. Processed before the answer, because no worker runs beside it.
mount_webhooks(app, pay, "/webhooks", process=True)

Client = Annotated[AsyncPayport, Depends(get_payport)]


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


@app.post("/checkout/{order}")
async def checkout(order: str, token: str, pay: Client) -> dict[str, Any]:
    """Pay for an order. Clicking twice is harmless."""
    try:
        intent = await pay.payments.create(
            reference=order,
            amount=Money(4999, "USD"),
            payment_method=token,
            confirm=True,
            return_url=f"https://shop.example/return/{order}",
        )
    except OutcomeUnknown:
        return {"wait": "unknown"}
    return shown(intent)


@app.get("/return/{order}")
async def come_back(order: str, pay: Client) -> dict[str, Any]:
    """The customer is back from their bank."""
    return shown(await pay.payments.refresh(reference=order))


@app.post("/refund/{order}")
async def refund(
    order: str, reference: str, cents: int, pay: Client, response: Response
) -> dict[str, Any]:
    """Give a part back, once for each reference."""
    payment = await pay.payments.get(reference=order)
    try:
        made = await pay.refunds.create(
            payment=payment.id, reference=reference, amount=Money(cents, "USD")
        )
    except InvalidRequest as refused:
        response.status_code = 400
        return {"refused": str(refused)}
    except OutcomeUnknown:
        return {"wait": "unknown"}
    return {"refund": str(made.status), "amount": str(made.amount)}


@app.post("/customer/{order}")
async def customer(order: str, ok: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 - a query
    """What the customer does at their bank's page: not yours, only here to be tried out."""
    return {"return_to": outside.bank.authenticate(order, ok=ok)}
