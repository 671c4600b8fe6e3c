"""
The shop of `demo.py`: a process that takes five payments, and that is killed now and then.

Each start begins at the top of the list with nothing but the journal, as a job does that is started
again. What it does goes to standard output, one JSON object a line.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from payport import Money, PaymentStatus, Payport, WebhookRejected
from payport.providers.stripe import StripeProvider
from payport.testing.stripe_simulator import SIGNING_SECRET

API_KEY = "sk_test_obviously_fake"
#: Who is dead cannot say so: others wait for as long as a request may take, and a second.
TIMEOUT = 1.0


def usd(minor: int) -> Money:
    """US dollars, in cents."""
    return Money(minor, "USD")


def tell(**what: object) -> None:
    """Say what happens."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class Wire(httpx.BaseTransport):
    """
    A transport that tells what is sent, and what comes back.

    Args:
        die_at: The step whose first answer never gets through: it has arrived and nobody has read
            it when this process is killed.
    """

    def __init__(self, die_at: str) -> None:
        self._network = httpx.HTTPTransport()
        self._die_at = die_at
        self.step = ""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and tell."""
        answer = self._network.handle_request(request)
        if request.method == "POST":
            replayed = answer.headers.get("idempotent-replayed") == "true"
            tell(sent=self.step, path=request.url.path, replayed=replayed)
            if self.step == self._die_at:
                tell(unread=self.step)
                time.sleep(10)  # the kill comes now
                sys.exit("nobody killed this process")
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._network.close()


class Shop:
    """The application."""

    def __init__(self, api: str, journal: str, die_at: str) -> None:
        self._wire = Wire(die_at)
        self._api = httpx.Client(base_url=api)
        provider = StripeProvider(
            api_key=API_KEY,
            webhook_secrets=[SIGNING_SECRET],
            base_url=api,
            http_client=httpx.Client(transport=self._wire),
            multicapture=True,
        )
        self.pay = Payport(provider, scope="demo", store=f"sqlite:///{journal}", timeout=TIMEOUT)

    def ask(self, step: str, request: Callable[[], Any]) -> Any:
        """Ask, and ask again as a customer does who clicks twice."""
        self._wire.step = step
        tell(asked=step)
        request()
        tell(asked=step)
        return request()

    def buy(self, order: str, cents: int, method: str = "pm_card_visa", **more: Any) -> Any:
        """Pay for an order."""
        return self.ask(
            order,
            lambda: self.pay.payments.create(
                reference=order,
                amount=usd(cents),
                payment_method=method,
                confirm=True,
                return_url="https://shop.example/return",
                **more,
            ),
        )

    # -- the five payments ----------------------------------------------------------------------

    def decline(self) -> None:
        """The issuer says no, and the customer reads why."""
        declined = self.buy("order_1", 1_200, "pm_card_chargeDeclinedInsufficientFunds")
        tell(note="order_1", says=f"declined: {declined.decline.user_message}")

    def three_d_secure(self) -> None:
        """The customer authenticates at the bank's page, and a webhook tells how it went."""
        intent = self.buy("order_2", 2_500, "pm_card_threeDSecure2Required")
        if intent.status is not PaymentStatus.REQUIRES_ACTION:
            return
        tell(note="order_2", says=f"redirected to {intent.next_action.url}")
        control = {"name": intent.provider_ref, "ok": True}
        self._api.post("/_control/authenticate", json=control).raise_for_status()
        for _ in range(500):
            if self.pay.payments.get(intent.id).is_paid:
                break
            time.sleep(0.01)
        tell(note="order_2", says="authenticated; a signed webhook told the shop")

    def in_one_go(self) -> None:
        """Pay at once."""
        self.buy("order_3", 4_999)

    def in_two_parts(self) -> None:
        """Hold money, and take it in two equal parts as the parcels leave."""
        held = self.buy("order_4", 6_000, capture_method="manual")
        for parcel in ("parcel_1", "parcel_2"):
            self.ask(
                f"order_4/{parcel}",
                partial(self.pay.payments.capture, held.id, amount=usd(3_000), reference=parcel),
            )

    def given_back(self) -> None:
        """Give the same amount back twice, for two different things."""
        paid = self.buy("order_5", 8_000)
        for thing in ("return_1", "return_2"):
            self.ask(
                f"order_5/{thing}",
                partial(
                    self.pay.refunds.create, payment=paid.id, amount=usd(1_000), reference=thing
                ),
            )

    def run(self) -> None:
        """Work through the list."""
        with self._webhooks():
            for story in (
                self.decline,
                self.three_d_secure,
                self.in_one_go,
                self.in_two_parts,
                self.given_back,
            ):
                story()
        for number in range(1, 6):
            order = f"order_{number}"
            known = self.pay.payments.get(reference=order)
            tell(order=order, total=known.captured.minor - known.refunded.minor)

    @contextmanager
    def _webhooks(self) -> Iterator[None]:
        """An address that takes webhooks while this process lives."""
        pay = self.pay

        class Endpoint(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Store first, acknowledge then, process afterwards."""
                body = self.rfile.read(int(self.headers["content-length"]))
                try:
                    pay.webhooks.receive(body=body, headers=dict(self.headers))
                except WebhookRejected:
                    self.send_error(400)
                    return
                self.send_response(200)
                self.end_headers()
                pay.webhooks.process_due()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                """Be quiet."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            url = f"http://127.0.0.1:{server.server_port}/webhooks"
            types = ["payment_intent.succeeded"]
            self._api.post("/_control/endpoints", json={"url": url, "types": types})
            yield
            server.shutdown()


if __name__ == "__main__":
    # One process alone uses this file: that is what the warning about old SQLite versions asks.
    logging.getLogger("payport").setLevel(logging.CRITICAL)
    Shop(*sys.argv[1:4]).run()
