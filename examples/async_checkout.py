"""
A checkout on FastAPI with a 3-D Secure return, on the fake.

    uvicorn examples.async_checkout:app

POST /checkout/{order} pays. When the answer has an address, the customer goes there and comes back
to GET /return/{order}, which asks the provider how the payment stands: the return itself proves
nothing. POST /webhooks takes what the provider sends, whether the customer comes back or not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response

from payport import (
    AsyncPayport,
    Handlers,
    Money,
    OutcomeUnknown,
    PaymentIntent,
    PaymentStatus,
    PaymentSucceeded,
    Redirect,
    StoreUnavailable,
    WebhookRejected,
)
from payport.testing import AsyncFakeProvider

handlers = Handlers()
shipped: list[str] = []


@handlers.on(PaymentSucceeded)
async def ship(event: PaymentSucceeded, tx: object) -> None:
    """Ship what was paid. Awaited handlers may run again: the list holds each order once."""
    del tx
    if event.reference not in shipped:
        shipped.append(event.reference)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One client for the life of the process, in the loop that serves it."""
    app.state.fake = AsyncFakeProvider()
    async with AsyncPayport(app.state.fake, scope="shop", handlers=handlers) as pay:
        app.state.pay = pay
        yield


app = FastAPI(lifespan=lifespan)


def client(request: Request) -> AsyncPayport:
    """The process's client."""
    pay: AsyncPayport = request.app.state.pay
    return pay


Client = Annotated[AsyncPayport, Depends(client)]


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
async def returned(order: str, pay: Client) -> dict[str, Any]:
    """The customer is back from their bank."""
    return shown(await pay.payments.refresh(reference=order))


@app.post("/webhooks")
async def webhooks(request: Request, pay: Client) -> Response:
    """Store first, acknowledge then, process afterwards."""
    try:
        await pay.webhooks.receive(body=await request.body(), headers=dict(request.headers))
    except WebhookRejected:
        return Response(status_code=400)
    except StoreUnavailable:
        return Response(status_code=503)  # the provider sends it again
    await pay.webhooks.process_due()
    return Response(status_code=200)
