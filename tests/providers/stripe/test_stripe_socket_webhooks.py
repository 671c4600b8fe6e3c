"""Signed webhooks over a socket, from the simulator's process to an address of the shop's."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from loopback import SimulatorProcess, wait_for
from stripe_help import KEY, PRICE

from payport import Handlers, PaymentStatus, PaymentSucceeded, Payport, WebhookRejected
from payport.providers.stripe import StripeProvider
from payport.testing import FakeClock
from payport.testing.simulation.running import RunningClock
from payport.testing.stripe_simulator import SIGNING_SECRET


class Endpoint:
    """A shop's address for webhooks, which is down for as long as a test says."""

    def __init__(self, pay: Payport) -> None:
        self.status = 200
        self.came: list[tuple[str, int]] = []
        self.last: tuple[dict[str, str], bytes] = ({}, b"")
        self._pay = pay

    def take(self, headers: dict[str, str], body: bytes) -> int:
        event = json.loads(body)
        self.last = headers, body
        if self.status == 200:
            self._pay.webhooks.receive(body=body, headers=headers)
            self._pay.webhooks.process_due()
        self.came.append((event["id"], self.status))
        return self.status

    @contextmanager
    def listening(self) -> Iterator[str]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self.send_response(endpoint.take(dict(self.headers), body))
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}/webhooks"
            finally:
                server.shutdown()
                thread.join(5)


@dataclass
class Shop:
    """A client of a simulator in another process, its address, and a clock for both."""

    pay: Payport
    process: SimulatorProcess
    clock: FakeClock
    endpoint: Endpoint
    shipped: list[str | None]

    def later(self, seconds: float) -> None:
        """Let time pass, for both; the process sends what is due then by itself."""
        self.process.control("advance", seconds=seconds)
        self.clock.advance(seconds)

    def buy(self, token: str) -> PaymentStatus:
        return self.pay.payments.create(
            reference="order_1",
            amount=PRICE,
            payment_method=token,
            confirm=True,
            return_url="https://shop.example",
        ).status

    def told(self) -> dict[str, Any]:
        """How the address stands with the simulator."""
        (told,) = self.process.control("endpoints")["endpoints"]
        return told  # type: ignore[no-any-return]

    def came(self, times: int) -> None:
        """Wait for so many webhooks; there are no more."""
        wait_for(lambda: len(self.endpoint.came) >= times and not self.told()["underway"])
        self.process.control("send_due")
        assert len(self.endpoint.came) == times


@pytest.fixture
def shop() -> Iterator[Shop]:
    shipped: list[str | None] = []
    handlers = Handlers()
    handlers.on(PaymentSucceeded)(lambda event, tx: shipped.append(event.reference))
    process, clock = SimulatorProcess(), RunningClock()
    provider = StripeProvider(api_key=KEY, webhook_secrets=[SIGNING_SECRET], base_url=process.url)
    pay = Payport(provider, scope="shop", store="memory", handlers=handlers, clock=clock)
    endpoint = Endpoint(pay)
    try:
        with pay, endpoint.listening() as url:
            process.control("endpoints", url=url, types=["payment_intent.succeeded"])
            yield Shop(pay, process, clock, endpoint, shipped)
    finally:
        process.stop()


def test_webhooks_come_over_the_socket_until_they_are_taken(shop: Shop) -> None:
    """By Stripe's schedule: at once, after 5 minutes, after 30 more."""
    shop.endpoint.status = 503
    assert shop.buy("pm_card_authenticate") is PaymentStatus.REQUIRES_ACTION
    shop.process.control("authenticate", name="order_1", ok=True)
    shop.came(1)
    shop.later(4 * 60)
    shop.came(1)
    shop.later(61)
    shop.came(2)
    status = shop.pay.payments.get(reference="order_1").status
    assert status is PaymentStatus.REQUIRES_ACTION

    shop.endpoint.status = 200
    shop.later(29 * 60)
    shop.came(2)
    shop.later(61)
    shop.came(3)
    shop.later(24 * 3_600)
    shop.came(3)

    assert shop.shipped == ["order_1"]
    assert shop.told()["delivered"] == [shop.endpoint.came[0][0]]
    assert [status for _, status in shop.endpoint.came] == [503, 503, 200]
    assert len({event for event, _ in shop.endpoint.came}) == 1, "one event, sent three times"


def test_an_address_that_never_takes_anything_is_given_up(shop: Shop) -> None:
    """After three more attempts, as in Stripe's test mode. What happened can still be read."""
    shop.endpoint.status = 500
    assert shop.buy("pm_card_visa") is PaymentStatus.SUCCEEDED
    shop.came(1)
    for attempt in (2, 3, 4, 4, 4):
        shop.later(12 * 3_600)
        shop.came(attempt)

    told = shop.process.control("events")["events"]
    (event,) = [one["id"] for one in told if one["type"] == "payment_intent.succeeded"]
    assert shop.told()["given_up"] == [event]
    assert shop.told()["waiting"] == shop.told()["delivered"] == []


def test_a_webhook_that_somebody_else_signed_is_not_taken(shop: Shop) -> None:
    shop.buy("pm_card_visa")
    shop.came(1)
    headers, body = shop.endpoint.last
    forged = dict(headers)
    forged["stripe-signature"] = forged["stripe-signature"].replace("v1=", "v1=0")
    with pytest.raises(WebhookRejected):
        shop.pay.webhooks.receive(body=body, headers=forged)
    with pytest.raises(WebhookRejected):
        shop.pay.webhooks.receive(body=body + b" ", headers=headers)
    shop.later(6 * 60)
    with pytest.raises(WebhookRejected):
        shop.pay.webhooks.receive(body=body, headers=headers)
