"""The plain SDK, typed calls in both colours: in process and over a socket, without payport."""

import asyncio
import json
import statistics
import sys
import time

import httpx
import pytest
import stripe
from loopback import SimulatorProcess
from sdk_calls import PAYMENT, Transport, called, called_async, in_process
from simulated import KEY

from payport import Money
from payport.testing import LostResponse, RateLimited, ServerError, StripeSimulator
from payport.testing.simulation.asgi import AsgiApp
from payport.testing.simulation.running import RunningClock
from payport.testing.stripe_simulator import API_VERSION
from payport.testing.stripe_simulator import __main__ as command
from payport.testing.stripe_simulator.control import StripeControl
from payport.testing.stripe_simulator.routes import ROUTES


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    monkeypatch.setattr(stripe, "enable_telemetry", False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture
def simulator():
    return StripeSimulator()


@pytest.fixture
def client(simulator):
    return stripe.StripeClient(KEY, http_client=in_process(simulator), max_network_retries=0)


def buy_and_return(payments, refunds):
    """The same story for every transport."""
    options = {"idempotency_key": "k1"}
    held = payments.create({**PAYMENT, "capture_method": "manual"}, options)
    assert held.status == "requires_capture"
    again = payments.create({**PAYMENT, "capture_method": "manual"}, options)
    assert again.id == held.id
    assert again.last_response.headers["idempotent-replayed"] == "true"
    taken = payments.capture(held.id, {"amount_to_capture": 1_500})
    assert taken.amount_received == 1_500
    refund = refunds.create({"payment_intent": held.id, "amount": 500})
    assert (refund.status, refund.payment_intent) == ("succeeded", held.id)
    made = payments.create({"amount": 700, "currency": "usd", "payment_method": "pm_card_visa"})
    done = payments.confirm(made.id, {"return_url": "https://shop.invalid"})
    assert done.status == "succeeded"
    with pytest.raises(stripe.CardError) as declined:
        payments.create({**PAYMENT, "payment_method": "pm_card_chargeDeclinedIncorrectCvc"})
    error = declined.value
    assert (error.code, error.error.decline_code) == ("incorrect_cvc", "incorrect_cvc")
    assert error.error.payment_intent.status == "requires_payment_method"
    assert error.request_id
    with pytest.raises(stripe.InvalidRequestError) as refused:
        payments.cancel(done.id)
    assert refused.value.code == "payment_intent_unexpected_state"
    listed = payments.list({"limit": 1, "expand": ["data.latest_charge"]})
    assert len(list(listed.auto_paging_iter())) == 3
    return held.id


def test_the_sdk_buys_and_returns_in_process(simulator, client):
    ref = buy_and_return(client.v1.payment_intents, client.v1.refunds)
    assert simulator.bank.charged(ref) == Money(1_500, "USD")
    assert simulator.bank.refunded(ref) == Money(500, "USD")
    simulator.clock.advance(60)
    found = client.v1.payment_intents.search({"query": "metadata['order']:'order_1'"})
    assert ref in [one.id for one in found.data]
    assert client.v1.balance.retrieve().pending[0].amount == simulator.bank.balance().minor
    assert client.v1.accounts.retrieve_current().id == "acct_simulated"
    (event,) = client.v1.events.list({"type": "payment_intent.canceled"}).data or [None]
    assert event is None


def test_the_sdk_awaits_too(simulator):
    async def story():
        client = stripe.StripeClient(KEY, http_client=in_process(simulator))
        payments = client.v1.payment_intents
        made = await payments.create_async(PAYMENT)
        refund = await client.v1.refunds.create_async({"payment_intent": made.id})
        many = await asyncio.gather(*[payments.create_async(PAYMENT) for _ in range(5)])
        found = [one.id async for one in (await payments.list_async()).auto_paging_iter()]
        with pytest.raises(stripe.CardError):
            await payments.create_async({**PAYMENT, "payment_method": "pm_card_chargeDeclined"})
        return refund, len(set(found) & {one.id for one in (made, *many)})

    refund, found = asyncio.run(story())
    assert (refund.amount, found) == (2_000, 6)
    assert simulator.bank.charged("order_1") == Money(12_000, "USD")


EVERY_ROUTE = {route.name for route in ROUTES.values()}


@pytest.mark.parametrize("awaited", [False, True], ids=["sync", "async"])
def test_the_sdk_calls_every_endpoint_in_both_colours(simulator, awaited):
    transport, advance = in_process(simulator), simulator.clock.advance
    check_calls(made(transport, advance, awaited=awaited))


def made(transport, advance, *more, awaited):
    if awaited:
        return asyncio.run(called_async(transport, advance, *more))
    return called(transport, advance, *more)


def check_calls(made):
    assert {call.route for call, _ in made} == EVERY_ROUTE
    for call, told in made:
        assert type(told) is call.kind, call
        assert told.last_response.code == 200
        assert call.kind not in {stripe.ListObject, stripe.SearchResultObject} or told.data, call


def test_the_sdks_errors_are_raised_by_the_simulators_answers(simulator, client):
    payments = client.v1.payment_intents
    simulator.next("create_payment", RateLimited(), ServerError(effect=False))
    with pytest.raises(stripe.RateLimitError):
        payments.create(PAYMENT)
    with pytest.raises(stripe.APIError):
        payments.create(PAYMENT)
    payments.create(PAYMENT, {"idempotency_key": "k1"})
    with pytest.raises(stripe.IdempotencyError):
        payments.create({**PAYMENT, "amount": 3_000}, {"idempotency_key": "k1"})
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_intent"):
        payments.retrieve("pi_nothing")
    simulator.revoke(KEY)
    with pytest.raises(stripe.AuthenticationError):
        payments.list()


def test_the_sdk_reads_webhooks_as_events(simulator, client):
    client.v1.payment_intents.create(PAYMENT)
    secret = simulator.bank.signing_secrets[0].reveal()
    for request in simulator.webhooks():
        now = int(simulator.clock.now().timestamp())
        header = request.header("stripe-signature")
        assert f"t={now}," in header
        event = client.construct_event(request.body, header, secret, tolerance=0)
        assert event.api_version == API_VERSION
        assert event.data.object.amount == 2_000


# -- over a socket ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def process():
    running = SimulatorProcess()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def remote(process):
    http = stripe.RequestsClient()
    yield stripe.StripeClient(KEY, base_addresses={"api": process.url}, http_client=http)
    http.close()


def test_the_sdk_buys_and_returns_over_a_socket(process, remote):
    ref = buy_and_return(remote.v1.payment_intents, remote.v1.refunds)
    told = process.control(f"charged?name={ref}")
    assert told == {"charged": 1_500, "refunded": 500, "currency": "USD", "payments": 1}
    kinds = [entry["kind"] for entry in process.control("moved")["entries"]]
    assert kinds[:4] == ["charge", "fee", "refund", "charge"]
    process.control("advance", seconds=61)
    query = {"query": "metadata['order']:'order_1'"}
    found = remote.v1.payment_intents.search(query)
    assert ref in [one.id for one in found.data]
    assert "charge.refunded" in {event["type"] for event in process.control("events")["events"]}


@pytest.mark.parametrize("awaited", [False, True], ids=["sync", "async"])
def test_the_sdk_calls_every_endpoint_over_a_socket_too(process, awaited):
    transport = Transport(httpx.Client(trust_env=False), httpx.AsyncClient(trust_env=False))

    def advance(seconds):
        process.control("advance", seconds=seconds)

    check_calls(made(transport, advance, process.url, awaited=awaited))


def test_a_lost_answer_over_a_socket_is_a_broken_connection(process, remote):
    process.control("next", operation="create_payment", fault="LostResponse")
    options = {"idempotency_key": "lost_1", "max_network_retries": 0}
    with pytest.raises(stripe.APIConnectionError):
        remote.v1.payment_intents.create(PAYMENT, options)
    assert remote.v1.payment_intents.create(PAYMENT, options).status == "succeeded"
    assert process.control("charged?name=lost_1")["charged"] == 2_000


def test_what_a_customer_does_is_told_over_the_control_surface(process, remote):
    asked = remote.v1.payment_intents.create(
        {**PAYMENT, "payment_method": "pm_card_authenticationRequired"}
    )
    process.control("authenticate", name=asked.id, ok=True)
    assert remote.v1.payment_intents.retrieve(asked.id).status == "succeeded"
    dispute = process.control("dispute", name=asked.id)["dispute"]
    process.control("lose", dispute=dispute)
    (found,) = remote.v1.disputes.list({"payment_intent": asked.id}).data
    assert found.status == "lost"


def test_other_hosts_and_short_bodies_are_refused(process):
    port = process.url.rpartition(":")[2]
    with httpx.Client(base_url=process.url, trust_env=False) as http:
        assert http.get("/v1/balance", headers={"Host": "evil.invalid"}).status_code == 403
        assert http.get("/_control/nothing").status_code == 404
        assert http.post("/_control/next", content=b"[]").status_code == 400
    assert port.isdigit()


def test_an_answer_over_a_socket_comes_at_once(process):
    """No part of it waits until the client confirms the part before: that takes 40 ms."""
    times = []
    with httpx.Client(base_url=process.url, trust_env=False, auth=(KEY, "")) as http:
        for _ in range(30):
            began = time.monotonic()
            assert http.get("/v1/balance").status_code == 200
            times.append(time.monotonic() - began)
    assert statistics.median(times) < 0.03


def test_it_stops_by_itself_when_nobody_asks():
    began = time.monotonic()
    running = SimulatorProcess("--idle", "0.1")
    try:
        assert running.url.startswith("http://127.0.0.1:")
        assert running.process.wait(10) == 0
    finally:
        running.stop()
    assert time.monotonic() - began < 10


def test_it_runs_until_it_is_idle_and_sends_webhooks_meanwhile(capsys, monkeypatch):
    sent = []

    class Told(StripeSimulator):
        def send_due(self):
            sent.append(self)

        def __init__(self, **options):
            super().__init__(**options)
            self.add_endpoint("http://127.0.0.1:9/")

    monkeypatch.setattr(command, "StripeSimulator", Told)
    assert command.main(["--idle", "0"]) == 0
    assert capsys.readouterr().out.startswith("http://127.0.0.1:")
    assert sent


def test_without_uvicorn_it_says_what_it_needs(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert command.main([]) == 1
    assert "pip install uvicorn" in capsys.readouterr().err


def test_its_clock_runs_and_can_be_advanced():
    clock = RunningClock()
    before, moment = clock.monotonic(), clock.now()
    clock.advance(3_600)
    assert 3_600 <= clock.monotonic() - before < 3_700
    assert 3_600 <= (clock.now() - moment).total_seconds() < 3_700


# -- the application, without a server ----------------------------------------------------------


def ask(app, method="GET", path="/v1/balance", body=(b"",), client="127.0.0.1", **headers):
    told = {"host": "127.0.0.1:80", "authorization": f"Bearer {KEY}", **headers}
    scope = {
        "type": "http",
        "method": method,
        "raw_path": path.encode(),
        "query_string": b"",
        "client": (client, 1),
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in told.items()],
    }
    parts, sent = list(body), []

    async def receive():
        if not parts:
            return {"type": "http.disconnect"}
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts) or part is None}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def test_the_application_serves_loopback_only(simulator):
    app = simulator.asgi()
    assert isinstance(app, AsgiApp)
    assert ask(app)[0]["status"] == 200
    assert ask(app, client="10.0.0.1")[0]["status"] == 403
    assert ask(app, host="[::1]:80")[0]["status"] == 200
    assert app.requests == 3


def test_the_application_takes_whole_bodies_of_some_size(simulator):
    app = simulator.asgi()
    form = b"amount=2000&currency=usd"
    path = "/v1/payment_intents"
    whole = ask(app, "POST", path, (form[:5], form[5:]), content_length=str(len(form)))
    assert whole[0]["status"] == 200
    assert ask(app, "POST", path, (form,), content_length="99")[0]["status"] == 400
    assert ask(app, "POST", path, (b"x" * (1 << 20), b"x" * 9))[0]["status"] == 413
    assert ask(app, "POST", path, ()) == []
    assert len(simulator.bank.payments) == 1


def test_a_broken_answer_is_cut_off(simulator):
    simulator.next("balance", LostResponse())
    start, rest = ask(simulator.asgi())
    assert (b"content-length", b"2") in start["headers"]
    assert rest["more_body"]


def test_the_application_starts_and_stops(simulator):
    messages, sent = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}], []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message["type"])

    asyncio.run(simulator.asgi()({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


# -- the control surface ------------------------------------------------------------------------


def test_everything_is_controlled(simulator):
    control = StripeControl(simulator)

    def do(path, **fields):
        return control.handle("POST", f"/_control/{path}", "", json.dumps(fields).encode())

    for path in ("", "moved", "events", "endpoints"):
        assert control.handle("GET", f"/_control/{path}", "", b"")[0] == 200
    assert control.handle("GET", "/_control/charged", "name=x", b"")[1]["payments"] == 0
    assert control.handle("GET", "/_control/nothing", "", b"")[0] == 404
    assert control.handle("POST", "/_control/next", "", b"[]")[0] == 400
    assert do("advance", seconds=5)[1]["now"] == "2026-01-01T00:00:05+00:00"
    ref = simulator.bank.charge(Money(500, "USD"), "pm_card_pendingRefund")
    simulator.bank.refund(ref, Money(500, "USD"))
    assert do("settle", name=ref)[0] == 200
    assert simulator.bank.refunded(ref) == Money(500, "USD")
    dispute = do("dispute", name=simulator.bank.charge(Money(500, "USD")))[1]["dispute"]
    assert do("win", dispute=dispute)[0] == 200
    assert do("endpoints", url="http://127.0.0.1:9/", types=["x.y"])[0] == 200
    assert do("send_due") == (200, {"taken": 0})
    (address,) = control.handle("GET", "/_control/endpoints", "", b"")[1]["endpoints"]
    assert (address["types"], address["waiting"], address["underway"]) == (["x.y"], [], [])
    books = control.handle("GET", "/_control/moved", f"name={ref}", b"")[1]["entries"]
    assert [(one["kind"], one["amount"]) for one in books] == [
        ("charge", 500),
        ("fee", -45),
        ("refund", -500),
    ]
    assert control.handle("GET", "/_control/moved", "name=x", b"")[1]["entries"] == []
    for fault, more in (("Declined", {"reason": "expired_card"}), ("As", {"token": "pm_card_ok"})):
        assert do("next", operation="create_payment", fault=fault, **more)[0] == 200
    assert do("next", operation="create_payment", fault="ServerError", effect=False)[0] == 200
    assert len(simulator.script.pending["create_payment"]) == 3


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("next", {"operation": "create_payment", "fault": "CrashAfter"}),
        ("next", {"operation": "create_payment", "fault": "LostResponse", "colour": "red"}),
        ("next", {"operation": "sing", "fault": "LostResponse"}),
        ("next", {"fault": "LostResponse"}),
        ("advance", {"seconds": -1}),
        ("advance", {"seconds": "soon"}),
        ("settle", {"name": "pi_nothing"}),
        ("win", {"dispute": "nothing"}),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(simulator, path, body):
    told = json.dumps(body).encode()
    status, answer = StripeControl(simulator).handle("POST", f"/_control/{path}", "", told)
    assert status == 400
    assert answer["error"]


def test_control_bodies_are_json(simulator):
    assert StripeControl(simulator).handle("POST", "/_control/next", "", b"{")[0] == 400
