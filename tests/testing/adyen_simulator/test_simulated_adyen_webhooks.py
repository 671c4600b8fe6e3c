"""Webhooks: several items in one request, each signed by itself, sent until somebody takes them."""

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from adyen_description import check_webhook, described
from simulated_adyen import Shop, euros

from payport.domain.errors import ConfigurationError
from payport.operations.clock import SystemClock
from payport.testing import AdyenSimulator
from payport.testing.adyen_simulator import HMAC_KEY, signature

OTHER_KEY = "0f" * 32


def items_of(request):
    body = json.loads(request.body)
    check_webhook(body)
    return [wrapper["NotificationRequestItem"] for wrapper in body["notificationItems"]]


def signed_by(key, item):
    """Adyen's rule, written down a second time."""
    amount = item["amount"]
    fields = [
        item["pspReference"],
        item.get("originalReference", ""),
        item["merchantAccountCode"],
        item["merchantReference"],
        str(amount["value"]),
        amount["currency"],
        item["eventCode"],
        item["success"],
    ]
    mac = hmac.new(bytes.fromhex(key), ":".join(fields).encode(), hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


def test_each_item_is_signed_by_itself(shop):
    paid = shop.pay()
    shop.modify("refunds", paid["pspReference"], amount=euros(100))
    (request,) = shop.simulator.webhooks()
    items = items_of(request)
    assert len(items) == 2
    told = [item["additionalData"]["hmacSignature"] for item in items]
    assert told == [signed_by(HMAC_KEY, item) for item in items]
    assert len(set(told)) == 2


def test_the_signature_is_that_of_adyens_own_libraries():
    """The example that Adyen's libraries are tested with."""
    item = {
        "pspReference": "7914073381342284",
        "originalReference": "",
        "merchantAccountCode": "TestMerchant",
        "merchantReference": "TestPayment-1407325143704",
        "amount": {"value": 1130, "currency": "EUR"},
        "eventCode": "AUTHORISATION",
        "success": "true",
    }
    key = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
    assert signature(key, item) == "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="


def test_the_latest_of_several_secrets_signs():
    shop = Shop(signing_secrets=[HMAC_KEY, OTHER_KEY])
    shop.pay()
    ((item,),) = [items_of(request) for request in shop.simulator.webhooks()]
    assert item["additionalData"]["hmacSignature"] == signed_by(OTHER_KEY, item)


def test_a_secret_is_in_hexadecimal_digits():
    shop = Shop(signing_secrets=["no digits"])
    shop.pay()
    with pytest.raises(ConfigurationError, match="hexadecimal"):
        shop.simulator.webhooks()


@pytest.mark.parametrize(("batch", "sizes"), [(1, [1] * 8), (3, [3, 3, 2]), (None, [6, 2])])
def test_items_come_several_in_a_request(shop, batch, sizes):
    for number in range(8):
        shop.pay(reference=f"order_{number}")
    requests = shop.simulator.webhooks(batch=batch)
    assert [len(items_of(request)) for request in requests] == sizes
    assert shop.simulator.webhooks() == []
    small = Shop(batch=2)
    for _ in range(4):
        small.pay()
    assert [len(items_of(request)) for request in small.simulator.webhooks()] == [2, 2]


def test_items_come_in_any_order_and_number(shop):
    for number in range(6):
        shop.pay(reference=f"order_{number}")
    assert len(shop.simulator.server.outbox.pending) == 6
    taken = [
        item["merchantReference"]
        for request in shop.simulator.webhooks(duplicate=1, shuffle=4)
        for item in items_of(request)
    ]
    assert sorted(taken) == sorted([f"order_{number}" for number in range(6)] * 2)
    assert taken != sorted(taken)


def test_every_event_that_is_told_is_one_that_adyen_describes():
    """And what is copied of Adyen's description is what is told here."""
    shop = Shop(decides_after=timedelta(hours=1), automatic_capture_webhooks=True)
    told = set()

    def hear():
        told.update(item["eventCode"] for item in shop.items())

    for story in STORIES:
        story(shop)
        hear()
        shop.simulator.clock.advance(timedelta(days=9))
        hear()
    assert told == set(described("webhooks-v1")["webhooks"])


def _paid(shop):
    shop.pay(
        reference="saved",
        storePaymentMethod=True,
        shopperReference="shopper_1",
        recurringProcessingModel="Subscription",
    )


def _held(shop):
    for what, fields in (("cancels", {}), ("reversals", {}), ("captures", {"amount": euros(1)})):
        shop.modify(what, shop.hold()["pspReference"], **fields)
    shop.hold(reference="left")
    shop.hold(reference="lost")
    shop.send("/cancels", paymentReference="lost")


def _given_back(shop):
    for name in ("refund failed", "refund reversed", "capture failed"):
        method = {"type": "scheme", "encryptedCardNumber": "test_4111111111111111"}
        expiry = {"encryptedExpiryMonth": "test_03", "encryptedExpiryYear": "test_2030"}
        paid = shop.pay({**method, **expiry, "holderName": name})
        shop.simulator.clock.advance(timedelta(hours=2))
        if name.startswith("refund"):
            shop.modify("refunds", paid["pspReference"], amount=euros(1_000))


def _left(shop):
    shop.pay({"type": "ideal"}, reference="abandoned")
    shop.bank.abandon("abandoned")


def _disputed(shop):
    for turns in (("submit_evidence", "win", "reopen"), ("lose", "win"), ("lose", "reopen")):
        paid = shop.pay()
        shop.simulator.clock.advance(timedelta(hours=2))
        ref = shop.bank.dispute(paid["pspReference"])
        for turn in turns:
            getattr(shop.bank, turn)(ref)
    paid = shop.pay()
    shop.simulator.clock.advance(timedelta(hours=2))
    shop.bank.close_inquiry(shop.bank.dispute(paid["pspReference"], inquiry=True))


STORIES = (_paid, _held, _given_back, _left, _disputed)


def test_what_a_test_announces_is_told(shop):
    shop.bank.announce("REPORT_AVAILABLE")
    (request,) = shop.simulator.webhooks()
    (wrapper,) = json.loads(request.body)["notificationItems"]
    assert wrapper["NotificationRequestItem"]["eventCode"] == "REPORT_AVAILABLE"


def test_payouts_are_told_in_reports_and_not_by_webhooks(shop):
    shop.pay()
    shop.items()
    assert shop.bank.pay_out("EUR").minor > 0
    shop.simulator.clock.advance(timedelta(days=9))
    assert shop.items() == []


# -- addresses -----------------------------------------------------------------------------------


class Taker:
    """An address that answers what a test says."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.sent = []

    def __call__(self, url, headers, body):
        items = json.loads(body)["notificationItems"]
        self.sent.append([one["NotificationRequestItem"]["eventCode"] for one in items])
        status = self.statuses.pop(0) if self.statuses else 202
        if status is None:
            raise ConnectionRefusedError
        return status


def test_an_address_is_asked_three_times_at_once_and_then_by_the_schedule(shop):
    endpoint = shop.simulator.add_endpoint("http://127.0.0.1:1/hook", types=["AUTHORISATION"])
    paid = shop.pay()
    shop.modify("refunds", paid["pspReference"], amount=euros(1))
    taker = Taker(*[500] * 3, None, 500)
    assert shop.simulator.send_due(taker) == 0
    assert taker.sent == [["AUTHORISATION"]] * 3
    waits = [2, 5, 10]
    for tries, wait in enumerate(waits, 4):
        shop.simulator.clock.advance(timedelta(minutes=wait) - timedelta(seconds=1))
        assert shop.simulator.send_due(taker) == 0
        assert len(taker.sent) == tries - 1
        shop.simulator.clock.advance(1)
        assert shop.simulator.send_due(taker) == (tries == 6)
        assert len(taker.sent) == tries
    assert len(endpoint.delivered) == 1
    assert not endpoint.waits_for


def test_what_happens_together_is_sent_together(shop):
    shop.simulator.add_endpoint("http://127.0.0.1:1/hook")
    for _ in range(7):
        shop.pay()
    taker = Taker()
    assert shop.simulator.send_due(taker) == 2
    assert [len(sent) for sent in taker.sent] == [6, 1]


def test_what_happens_while_something_is_sent_is_sent_by_itself(shop):
    endpoint = shop.simulator.add_endpoint("http://127.0.0.1:1/hook")
    shop.pay()
    sizes = []

    def post(url, headers, body):
        sizes.append(len(json.loads(body)["notificationItems"]))
        if len(sizes) == 1:
            assert len(endpoint.underway) == 1
            shop.pay()
        return 200

    assert shop.simulator.send_due(post) == 1
    assert shop.simulator.send_due(post) == 1
    assert sizes == [1, 1]
    assert len(endpoint.delivered) == 2


def test_an_address_that_never_answers_is_given_up_after_thirty_days(shop):
    endpoint = shop.simulator.add_endpoint("http://127.0.0.1:1/hook", types=["AUTHORISATION"])
    shop.pay()
    taker = Taker(*[500] * 999)
    for _ in range(32 * 12):
        shop.simulator.send_due(taker)
        shop.simulator.clock.advance(timedelta(hours=2))
    assert len(endpoint.given_up) == 1
    assert not endpoint.delivered
    assert 90 <= len(taker.sent) <= 110


def test_two_who_send_at_once_send_everything_once(shop):
    endpoint = shop.simulator.add_endpoint("http://127.0.0.1:1/hook")
    shop.pay()
    sent, another = [], []

    def post(url, headers, body):
        sent.append(body)
        if not another:
            another.append(Thread(target=shop.simulator.send_due, args=(post,)))
            another[0].start()
            another[0].join()
        return 200

    assert shop.simulator.send_due(post) == 1
    assert len(sent) == 1
    assert len(endpoint.delivered) == 1


def test_webhooks_go_over_http_on_loopback():
    seen = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            seen.append((self.path, json.loads(body)))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        shop = Shop()
        url = f"http://127.0.0.1:{server.server_port}/hook?a=1"
        shop.simulator.add_endpoint(url, signing_secrets=[OTHER_KEY])
        shop.pay()
        assert shop.simulator.send_due() == 1
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    ((path, body),) = seen
    assert path == "/hook?a=1"
    item = body["notificationItems"][0]["NotificationRequestItem"]
    assert item["additionalData"]["hmacSignature"] == signed_by(OTHER_KEY, item)


def test_webhooks_leave_the_machine_for_nobody(shop):
    shop.simulator.add_endpoint("https://example.org/hook")
    shop.pay()
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1"):
        shop.simulator.send_due()


def test_a_bank_may_be_shared_but_not_described_twice(shop):
    other = AdyenSimulator(bank=shop.bank)
    shop.pay()
    assert len(other.webhooks()) == 1
    for more in ({"account": "OtherECOM"}, {"decides_after": timedelta(1)}):
        with pytest.raises(ConfigurationError, match="Leave one of the two out"):
            AdyenSimulator(bank=shop.bank, **more)


class Receiver:
    """As much of a client as a delivery needs."""

    def __init__(self):
        self.received, self.processed = [], 0
        self.webhooks = self

    def receive(self, *, body, headers, url):
        self.received.append((body, url))

    def process_due(self):
        self.processed += 1


def test_deliver_carries_everything_to_a_client(shop):
    shop.pay()
    client = Receiver()
    assert shop.simulator.deliver(client, duplicate=6) == 2
    assert (len(client.received), client.processed) == (2, 1)


def test_deliver_awaits_an_async_client(shop):
    class Awaited(Receiver):
        async def receive(self, *, body, headers, url):
            super().receive(body=body, headers=headers, url=url)

        async def process_due(self):
            super().process_due()

    shop.pay()
    client = Awaited()
    assert asyncio.run(shop.simulator.adeliver(client)) == 1
    assert (len(client.received), client.processed) == (1, 1)


def test_a_clock_that_nobody_can_advance_is_none_of_the_simulators():
    with pytest.raises(ConfigurationError, match="FakeClock"):
        _ = AdyenSimulator(clock=SystemClock()).clock
