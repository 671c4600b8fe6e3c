"""
The simulators on one core. Stripe's: a payment made and then confirmed, with its charge in the
answer, two requests each. Adyen's: a payment, one request, authorised and captured at once.

In process it is asked directly, by `simulator.handle`, which is what its transports and its ASGI
application are made of; through `httpx.Client` most of the time is httpx's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import httpx
from figures import Figure, at_least, cpu, in_turn, known

from payport.testing import AdyenSimulator, StripeSimulator
from payport.testing.adyen_simulator import MERCHANT_ACCOUNT, HttpRequest

PAYMENTS: Final = 500
HEADERS: Final = {
    "authorization": "Bearer sk_test_obviouslyfake",
    "content-type": "application/x-www-form-urlencoded",
}
CREATE: Final = b"amount=4999&currency=usd&payment_method=pm_card_visa&metadata[order]=order_1"
CONFIRM: Final = b"return_url=https://shop.example/&expand[0]=latest_charge"

ADYEN_HEADERS: Final = {"x-api-key": "test_obviouslyfake", "content-type": "application/json"}
ADYEN_PAYMENT: Final = json.dumps(
    {
        "merchantAccount": MERCHANT_ACCOUNT,
        "amount": {"currency": "USD", "value": 4999},
        "reference": "order_1",
        "returnUrl": "https://shop.example/",
        "paymentMethod": {
            "type": "scheme",
            "encryptedCardNumber": "test_4111111111111111",
            "encryptedExpiryMonth": "test_03",
            "encryptedExpiryYear": "test_2030",
            "encryptedSecurityCode": "test_737",
        },
    }
).encode()

#: Posts a body to a path with these headers; returns the document of the answer.
Post = Callable[[str, bytes, Mapping[str, str]], bytes]


def paid(post: Post, payments: int = PAYMENTS) -> None:
    """Make and confirm payments."""
    for number in range(payments):
        made = json.loads(post("", CREATE, {**HEADERS, "idempotency-key": f"made_{number}"}))
        path = f"/{made['id']}/confirm"
        done = post(path, CONFIRM, {**HEADERS, "idempotency-key": f"confirmed_{number}"})
        if b'"status":"succeeded"' not in done:
            raise RuntimeError(done)


def direct() -> float:
    """CPU seconds of a payment, asked directly."""
    handle = StripeSimulator().handle

    def post(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        target = f"/v1/payment_intents{path}"
        return handle(HttpRequest(method="POST", target=target, headers=headers, body=body)).body

    return cpu(lambda: paid(post)) / PAYMENTS


def through_httpx() -> float:
    """CPU seconds of a payment, through `httpx.Client` and the simulator's transport."""
    with httpx.Client(transport=StripeSimulator().transport()) as client:

        def post(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
            address = f"https://api.stripe.com/v1/payment_intents{path}"
            return client.post(address, content=body, headers=dict(headers)).content

        return cpu(lambda: paid(post)) / PAYMENTS


def adyen() -> float:
    """CPU seconds of a payment at Adyen's simulator, asked directly."""
    handle = AdyenSimulator().handle

    def pay() -> None:
        for number in range(PAYMENTS):
            headers = {**ADYEN_HEADERS, "idempotency-key": f"paid_{number}"}
            target = "/v72/payments"
            asked = HttpRequest(method="POST", target=target, headers=headers, body=ADYEN_PAYMENT)
            if b'"resultCode":"Authorised"' not in handle(asked).body:
                raise RuntimeError(target)

    return cpu(pay) / PAYMENTS


def figures() -> Iterator[Figure]:
    """In process, both ways."""
    taken = in_turn({"direct": direct, "httpx": through_httpx, "adyen": adyen})
    what = "payments made and confirmed per second, asked directly"
    yield at_least(what, 1 / taken["direct"], 2000)
    what = "payments made and confirmed per second, through `httpx.Client`"
    yield known(what, 1 / taken["httpx"], digits=0)
    what = "payments per second at Adyen's simulator, asked directly"
    yield at_least(what, 1 / taken["adyen"], 2000)
