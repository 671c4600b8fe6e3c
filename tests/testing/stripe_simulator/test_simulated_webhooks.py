"""Webhooks: signed as Stripe's own function verifies, and sent until somebody takes them."""

import asyncio
import json
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
import stripe
from simulated import Shop

from payport.domain.errors import ConfigurationError
from payport.domain.identifiers import Environment
from payport.operations.clock import SystemClock
from payport.testing import StripeSimulator
from payport.testing.stripe_simulator import API_VERSION

SECRET = "whsec_fake_of_the_shop"


def test_stripes_own_function_accepts_the_signature():
    shop = Shop(signing_secrets=[SECRET, "whsec_fake_new"])
    shop.pay()
    for request in shop.simulator.webhooks():
        header = request.header("Stripe-Signature")
        for secret in (SECRET, "whsec_fake_new"):
            stripe.WebhookSignature.verify_header(request.body.decode(), header, secret)
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.WebhookSignature.verify_header(request.body.decode(), header, "whsec_other")
        event = json.loads(request.body)
        assert (event["object"], event["api_version"]) == ("event", API_VERSION)
        assert event["data"]["object"]["livemode"] is event["livemode"] is False


def test_webhooks_are_taken_once_in_any_order_and_number(shop):
    shop.pay()
    assert len(shop.simulator.server.outbox.pending) == 3
    taken = shop.simulator.webhooks(duplicate=1, shuffle=4)
    assert len({json.loads(request.body)["id"] for request in taken}) == 3
    assert len(taken) == 6
    assert shop.simulator.webhooks() == []


def test_an_event_tells_what_was_true_then(shop):
    held = shop.hold()
    shop.post(f"payment_intents/{held['id']}/capture")
    statuses = [
        event["data"]["object"]["status"]
        for event in shop.events()
        if event["type"].startswith("payment_intent.")
    ]
    assert statuses == ["requires_confirmation", "requires_capture", "succeeded"]


def test_what_a_test_announces_is_told(shop):
    shop.bank.announce("weather.changed")
    (event,) = shop.events()
    assert event["type"] == "weather.changed"
    assert event["request"] == {"id": None, "idempotency_key": None}


class Taker:
    """An address that answers what a test says."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.sent = []

    def __call__(self, url, headers, body):
        self.sent.append(json.loads(body)["type"])
        status = self.statuses.pop(0) if self.statuses else 200
        if status is None:
            raise ConnectionRefusedError
        return status


def test_an_address_is_sent_what_it_wants_until_it_takes_it(shop):
    endpoint = shop.simulator.add_endpoint(
        "http://127.0.0.1:1/hook", types=["payment_intent.succeeded"]
    )
    shop.pay()
    taker = Taker(500, None)
    assert shop.simulator.send_due(taker) == 0
    assert shop.simulator.send_due(taker) == 0
    assert taker.sent == ["payment_intent.succeeded"]
    shop.simulator.clock.advance(timedelta(minutes=5))
    assert shop.simulator.send_due(taker) == 0
    shop.simulator.clock.advance(timedelta(minutes=30))
    assert shop.simulator.send_due(taker) == 1
    assert len(taker.sent) == 3
    assert len(endpoint.delivered) == 1
    assert not endpoint.given_up


def test_two_who_send_at_once_send_everything_once(shop):
    """Such as a process that sends by itself, and a test that asks it to."""
    endpoint = shop.simulator.add_endpoint("http://127.0.0.1:1/hook")
    shop.pay()
    sent, another = [], []

    def post(url, headers, body):
        sent.append(json.loads(body)["id"])
        if not another:
            another.append(Thread(target=shop.simulator.send_due, args=(post,)))
            another[0].start()
            another[0].join()
        return 200

    assert shop.simulator.send_due(post) == 1
    assert len(sent) == len(set(sent)) == 3
    assert sorted(endpoint.delivered) == sorted(sent)


@pytest.mark.parametrize(
    ("environment", "attempts"), [(Environment.TEST, 4), (Environment.LIVE, 9)]
)
def test_an_address_that_never_answers_is_given_up(environment, attempts):
    shop = Shop(environment=environment)
    shop.headers["Authorization"] = f"Bearer sk_{environment}_fake"
    endpoint = shop.simulator.add_endpoint("http://127.0.0.1:1/", types=["charge.succeeded"])
    shop.pay()
    taker = Taker(*[500] * 99)
    for _ in range(40):
        shop.simulator.send_due(taker)
        shop.simulator.clock.advance(timedelta(hours=3))
    assert len(taker.sent) == attempts
    assert len(endpoint.given_up) == 1


def test_webhooks_go_over_http_on_loopback():
    seen = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            seen.append((self.path, body.decode(), self.headers["Stripe-Signature"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        shop = Shop()
        url = f"http://127.0.0.1:{server.server_port}/hook?a=1"
        shop.simulator.add_endpoint(url, signing_secrets=[SECRET])
        shop.pay()
        assert shop.simulator.send_due() == 3
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    for path, body, header in seen:
        assert path == "/hook?a=1"
        stripe.WebhookSignature.verify_header(body, header, SECRET, tolerance=None)


def test_webhooks_leave_the_machine_for_nobody(shop):
    shop.simulator.add_endpoint("https://example.org/hook")
    shop.pay()
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1"):
        shop.simulator.send_due()
    nobody = Shop()
    nobody.simulator.add_endpoint("http://127.0.0.1:9/hook")
    nobody.pay()
    assert nobody.simulator.send_due() == 0


def test_a_bank_may_be_shared_but_not_described_twice(shop):
    other = StripeSimulator(bank=shop.bank)
    shop.pay()
    assert len(other.webhooks()) == 3
    with pytest.raises(ConfigurationError, match="account"):
        StripeSimulator(bank=shop.bank, account="acct_other")


class Receiver:
    """As much of a client as a delivery needs."""

    def __init__(self):
        self.received, self.processed = [], 0
        self.webhooks = self

    def receive(self, *, body, headers, url):
        self.received.append((body, headers["stripe-signature"], url))

    def process_due(self):
        self.processed += 1


def test_deliver_carries_everything_to_a_client(shop):
    shop.pay()
    client = Receiver()
    assert shop.simulator.deliver(client, duplicate=1) == 6
    assert (len(client.received), client.processed) == (6, 1)


def test_deliver_awaits_an_async_client(shop):
    class Awaited(Receiver):
        async def receive(self, *, body, headers, url):
            super().receive(body=body, headers=headers, url=url)

        async def process_due(self):
            super().process_due()

    shop.pay()
    client = Awaited()
    assert asyncio.run(shop.simulator.adeliver(client)) == 3
    assert (len(client.received), client.processed) == (3, 1)


def test_a_clock_that_nobody_can_advance_is_none_of_the_simulators():
    with pytest.raises(ConfigurationError, match="FakeClock"):
        _ = StripeSimulator(clock=SystemClock()).clock
