"""The wire: exactly what was rendered is written, and only what never left is called unsent."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import respx
import stripe
from httpx_aiohttp import HttpxAiohttpClient
from stripe_help import (
    CALL,
    COLOURS,
    DATE,
    KEY,
    MOMENT,
    SECRET,
    TAG,
    Awaited,
    canceling,
    capturing,
    charge,
    confirming,
    creating,
    declined,
    error,
    held,
    listing,
    payment,
    refund,
    refunding,
)

from payport.domain.errors import ConfigurationError
from payport.domain.frozen import FrozenMapping
from payport.domain.outcomes import FailureKind
from payport.providers import http_clients
from payport.providers.commands import Lookup
from payport.providers.exchange import Call, SendRefused
from payport.providers.outcomes import Account, Answer, Failure
from payport.providers.stripe import API_VERSION, AsyncStripeProvider, StripeProvider

BASE = "https://api.stripe.com"
HEADERS = {"Date": DATE, "Request-Id": "req_1", "Stripe-Version": API_VERSION}


@pytest.fixture
def wire() -> Iterator[respx.Router]:
    with respx.mock(using="httpx", base_url=BASE, assert_all_called=False) as router:
        yield router


def paid(**more: Any) -> httpx.Response:
    return httpx.Response(200, json=payment(latest_charge=charge(), **more), headers=HEADERS)


# -- what is written ------------------------------------------------------------------------------


def test_what_is_rendered_is_what_is_written(make: Any, wire: respx.Router) -> None:
    route = wire.post("/v1/payment_intents").mock(return_value=paid())
    provider = make()
    command = creating(description="Zwölf [Äpfel] & 5 %")
    rendered = provider.render(command, TAG)
    outcome = provider.create_payment(command, CALL)
    assert isinstance(outcome, Answer)
    (call,) = route.calls
    assert call.request.content == rendered.body
    assert call.request.headers["idempotency-key"] == TAG
    assert call.request.headers["stripe-version"] == API_VERSION
    assert call.request.headers["authorization"] == f"Bearer {KEY}"
    assert call.request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "stripe-account" not in call.request.headers


def test_a_read_is_written_as_it_was_rendered(make: Any, wire: respx.Router) -> None:
    route = wire.get(path="/v1/payment_intents/pi_1").mock(return_value=paid())
    make().retrieve_payment("pi_1", Call())
    (call,) = route.calls
    assert call.request.url.raw_path == (
        b"/v1/payment_intents/pi_1?expand[0]=latest_charge&expand[1]=latest_charge.refunds"
    )
    assert "idempotency-key" not in call.request.headers
    assert call.request.content == b""


def test_every_operation_goes_its_way(make: Any, wire: respx.Router) -> None:
    provider = make()
    wire.post(path__startswith="/v1/payment_intents").mock(return_value=paid())
    wire.get(path__startswith="/v1/payment_intents").mock(return_value=paid())
    wire.post("/v1/refunds").mock(return_value=httpx.Response(200, json=refund()))
    wire.get("/v1/refunds/re_1").mock(return_value=httpx.Response(200, json=refund()))
    wire.get("/v1/account").mock(return_value=httpx.Response(200, json={"id": "acct_1"}))
    assert isinstance(provider.account(Call()), Account)
    for outcome in (
        provider.create_payment(creating(), CALL),
        provider.confirm_payment(confirming(), CALL),
        provider.capture_payment(capturing(), CALL),
        provider.cancel_payment(canceling(), CALL),
        provider.create_refund(refunding(), CALL),
        provider.retrieve_payment("pi_1", Call()),
        provider.retrieve_refund("re_1", Call()),
        provider.find(Lookup(key=TAG, command=confirming(), payment_ref="pi_1"), Call()),
    ):
        assert isinstance(outcome, Answer), outcome
        assert outcome.facts.attempt_ref == "pi_1"


def test_a_stored_request_is_written_byte_for_byte(make: Any, wire: respx.Router) -> None:
    """Also one that an older version rendered: other fields, another version, other headers."""
    route = wire.post("/v1/payment_intents").mock(return_value=paid())
    provider = make()
    older = replace(
        provider.render(creating(), TAG),
        body=b"currency=usd&amount=5&metadata[a]=%C3%BC&metadata[b]=&expand[0]=x",
        headers=FrozenMapping(
            {"idempotency-key": TAG, "Stripe-Version": "2025-01-01.older", "X-Older": "1"}
        ),
    )
    outcome = provider.create_payment(creating(), Call(key=TAG, exact=older))
    assert isinstance(outcome, Answer)
    (call,) = route.calls
    assert call.request.content == older.body
    sent = [name.lower() for name, _ in call.request.headers.raw]
    assert sent.count(b"idempotency-key") == 1
    assert call.request.headers["stripe-version"] == "2025-01-01.older"
    assert call.request.headers["x-older"] == "1"


def test_other_bytes_than_the_rendered_ones_are_never_written(
    make: Any, wire: respx.Router, monkeypatch: Any
) -> None:
    route = wire.post("/v1/payment_intents").mock(return_value=paid())
    provider = make()
    drifts = {
        "body": {"urlencode": lambda fields: "amount=1"},
        "headers": {"_generate_idempotency_key": lambda: "drawn"},
    }
    from stripe import _api_requestor as requestor  # noqa: PLC0415 - what would drift

    monkeypatch.setattr(requestor, "urlencode", drifts["body"]["urlencode"])
    outcome = provider.create_payment(creating(), CALL)
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.UNAVAILABLE
    assert "Nothing was sent" in outcome.message
    assert not route.calls
    monkeypatch.undo()
    # A key that the SDK draws itself would be another one each time.
    keyless = replace(
        provider.render(creating(), TAG), headers=FrozenMapping({"Stripe-Version": API_VERSION})
    )
    outcome = provider.create_payment(creating(), Call(key=TAG, exact=keyless))
    assert outcome.kind is FailureKind.UNAVAILABLE
    assert not route.calls


def test_the_guard_forbids_a_write(make: Any, wire: respx.Router) -> None:
    route = wire.post("/v1/payment_intents").mock(return_value=paid())

    def refuse() -> None:
        raise SendRefused

    with pytest.raises(SendRefused):
        make().create_payment(creating(), Call(key=TAG, guard=refuse))
    assert not route.calls


def test_nothing_is_reported_about_the_machine(make: Any, wire: respx.Router) -> None:
    route = wire.get("/v1/account").mock(
        return_value=httpx.Response(200, json={"id": "acct_1"}, headers=HEADERS)
    )
    provider = make()
    for _ in range(2):
        provider.account(Call())
    for call in route.calls:
        assert "x-stripe-client-telemetry" not in call.request.headers
        agent = json.loads(call.request.headers["x-stripe-client-user-agent"])
        assert agent.keys().isdisjoint({"telemetry_id", "platform", "uname"})


#: Programs that read an account and charge a card, in a process that nothing else was done in.
PROGRAMS = {
    "sync": """
import httpx
from payport import Money, Payport
from payport.providers.stripe import StripeProvider
from payport.testing import StripeSimulator

client = httpx.Client(transport=StripeSimulator().transport())
provider = StripeProvider(api_key="sk_test_fake", http_client=client)
with Payport(provider, scope="shop", store="memory") as pay:
    print(pay.payments.create(
        reference="order", amount=Money(500, "USD"), payment_method="pm_card_visa", confirm=True
    ).status)
""",
    "async": """
import asyncio, httpx
from payport import AsyncPayport, Money
from payport.providers.stripe import AsyncStripeProvider
from payport.testing import StripeSimulator

async def main():
    client = httpx.AsyncClient(transport=StripeSimulator().async_transport())
    provider = AsyncStripeProvider(api_key="sk_test_fake", http_client=client)
    async with AsyncPayport(provider, scope="shop", store="memory") as pay:
        print((await pay.payments.create(
            reference="order", amount=Money(500, "USD"), payment_method="pm_card_visa", confirm=True
        )).status)

asyncio.run(main())
""",
}


@pytest.mark.parametrize("code", list(PROGRAMS.values()), ids=list(PROGRAMS))
def test_nothing_is_written_to_the_home_directory(tmp_path: Any, code: str) -> None:
    homes = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **homes, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "succeeded"
    assert not list(tmp_path.rglob("*"))


def test_the_sdk_would_write_to_the_home_directory(tmp_path: Any) -> None:
    """Else the test above proves nothing."""
    code = """
import httpx, stripe

class Client(stripe.HTTPClient):
    name = "mock"
    def request(self, method, url, headers, post_data=None, **usage):
        return "{}", 200, {}

stripe.StripeClient("sk_test_fake", http_client=Client()).raw_request("get", "/v1/account")
"""
    homes = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **homes}, check=True)
    assert list(tmp_path.rglob("telemetry_id"))


def test_the_pinned_version_is_the_sdks_own() -> None:
    """A newer SDK speaks another version: read its changes, then move the pin."""
    from stripe._api_version import _ApiVersion  # noqa: PLC0415 - told nowhere else

    assert _ApiVersion.CURRENT == API_VERSION


# -- what comes back ------------------------------------------------------------------------------


def test_a_decline_and_its_headers_come_back(make: Any, wire: respx.Router) -> None:
    told = error("card_declined", "card_error", payment_intent=declined())
    wire.post("/v1/payment_intents").mock(
        return_value=httpx.Response(402, json=told, headers=HEADERS)
    )
    outcome = make().create_payment(creating(), CALL)
    assert isinstance(outcome, Answer)
    assert (outcome.request_id, outcome.provider_time) == ("req_1", MOMENT)


#: What the SDK makes of each answer. https://docs.stripe.com/api/errors/handling
CAUSES: list[tuple[tuple[int, Any], type[Exception], FailureKind]] = [
    ((400, error("x")), stripe.InvalidRequestError, FailureKind.INVALID_REQUEST),
    ((400, error(None, "idempotency_error")), stripe.IdempotencyError, FailureKind.KEY_REUSED),
    ((401, error(None)), stripe.AuthenticationError, FailureKind.AUTHENTICATION),
    ((402, error("x", "card_error")), stripe.CardError, FailureKind.INVALID_REQUEST),
    ((403, error(None)), stripe.PermissionError, FailureKind.PERMISSION),
    ((409, error("idempotency_key_in_use")), stripe.APIError, FailureKind.IN_PROGRESS),
    ((429, error("lock_timeout")), stripe.RateLimitError, FailureKind.IN_PROGRESS),
    ((500, error(None, "api_error")), stripe.APIError, FailureKind.UNKNOWN),
    ((502, b"<html>"), stripe.APIError, FailureKind.UNKNOWN),
    ((400, b'{"error": "invalid_grant"}'), stripe.APIError, FailureKind.UNKNOWN),
    ((400, b"[" * 100_000), stripe.APIError, FailureKind.UNKNOWN),
]


@pytest.mark.parametrize(("told", "cause", "kind"), CAUSES)
def test_the_sdks_exception_is_kept_beside_our_classification(
    make: Any, wire: respx.Router, told: tuple[int, Any], cause: Any, kind: FailureKind
) -> None:
    status, body = told
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    route = wire.post("/v1/payment_intents").mock(
        return_value=httpx.Response(status, content=content, headers=HEADERS)
    )
    outcome = make().create_payment(creating(), CALL)
    assert isinstance(outcome, Failure)
    assert outcome.kind is kind
    assert isinstance(outcome.cause, cause)
    assert outcome.cause.http_status == status
    # The SDK loses these where the body is not JSON.
    assert (outcome.request_id, outcome.provider_time) == ("req_1", MOMENT)
    assert len(route.calls) == 1, "only the journal sends again"


def test_a_success_in_no_language_is_no_success(make: Any, wire: respx.Router) -> None:
    for body in (b"", b"<html>", b"{}", b"\xff", b'{"id": "pi_1"'):
        wire.post("/v1/payment_intents").mock(return_value=httpx.Response(200, content=body))
        outcome = make().create_payment(creating(), CALL)
        assert isinstance(outcome, Failure)
        assert outcome.kind is FailureKind.UNKNOWN


def test_a_notice_of_stripes_is_no_warning(make: Any, wire: respx.Router) -> None:
    """Warnings may be errors, and the SDK would warn after the request was carried out."""
    wire.post("/v1/payment_intents").mock(
        return_value=httpx.Response(200, json=payment(), headers={"Stripe-Notice": "hear, hear"})
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(make().create_payment(creating(), CALL), Answer)


def test_a_compressed_answer_is_read(make: Any, wire: respx.Router) -> None:
    body = gzip.compress(json.dumps(payment()).encode())
    wire.post("/v1/payment_intents").mock(
        return_value=httpx.Response(200, content=body, headers={"Content-Encoding": "gzip"})
    )
    assert isinstance(make().create_payment(creating(), CALL), Answer)


def test_a_redirect_is_not_followed(make: Any, wire: respx.Router) -> None:
    wire.post("/v1/payment_intents").mock(
        return_value=httpx.Response(307, headers={"Location": "https://elsewhere.example/"})
    )
    elsewhere = respx.post("https://elsewhere.example/")
    assert make().create_payment(creating(), CALL).kind is FailureKind.UNKNOWN
    assert not elsewhere.calls


# -- what did not come back -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (httpx.ConnectError, FailureKind.UNAVAILABLE),
        (httpx.ConnectTimeout, FailureKind.UNAVAILABLE),
        (httpx.PoolTimeout, FailureKind.CONGESTED),
    ],
)
def test_without_a_connection_nothing_was_executed(
    make: Any, wire: respx.Router, fault: Any, kind: FailureKind
) -> None:
    wire.post("/v1/payment_intents").mock(side_effect=fault)
    outcome = make().create_payment(creating(), CALL)
    assert isinstance(outcome, Failure)
    assert outcome.kind is kind
    assert isinstance(outcome.cause.__cause__, fault)


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ReadTimeout,
        httpx.WriteTimeout,
        httpx.ReadError,
        httpx.WriteError,
        httpx.CloseError,
        httpx.RemoteProtocolError,
        httpx.LocalProtocolError,
        httpx.ProxyError,
        httpx.DecodingError,
    ],
)
def test_after_a_connection_anything_may_have_been(
    make: Any, wire: respx.Router, fault: Any
) -> None:
    wire.post("/v1/payment_intents").mock(side_effect=fault)
    outcome = make().create_payment(creating(), CALL)
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.UNKNOWN
    assert fault.__name__ in outcome.message


def test_a_mistake_is_not_the_networks(make: Any, wire: respx.Router) -> None:
    """Not a connection error that would be tried again."""
    with pytest.raises(AssertionError, match="not mocked"):
        make().create_payment(creating(), CALL)
    for mistake in (TypeError("a mistake"), ZeroDivisionError("another")):
        wire.post("/v1/payment_intents").mock(side_effect=mistake)
        with pytest.raises(type(mistake), match=str(mistake)):
            make().create_payment(creating(), CALL)


def test_being_canceled_is_being_canceled() -> None:
    async def canceled() -> None:
        asked = asyncio.Event()

        async def never(_: httpx.Request) -> httpx.Response:
            asked.set()
            await asyncio.sleep(60)
            raise AssertionError

        client = httpx.AsyncClient(transport=httpx.MockTransport(never))
        provider = AsyncStripeProvider(api_key=KEY, http_client=client)
        task = asyncio.create_task(provider.create_payment(creating(), CALL))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(canceled())


# -- a real socket --------------------------------------------------------------------------------

#: What carries requests, and in which colour. The first three are payport's own clients.
CARRIERS = {
    "httpx": "sync",
    "aiohttp": "async",
    "httpx, awaited": "async",
    "httpx-aiohttp as it comes": "async",
}
OURS = list(CARRIERS)[:3]


@pytest.fixture(params=list(CARRIERS))
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def carried(carrier: str, monkeypatch: Any) -> Iterator[Callable[..., Any]]:
    """Makes providers whose requests go by one carrier."""
    made: list[Any] = []
    passed: list[HttpxAiohttpClient] = []
    if carrier == "httpx, awaited":
        monkeypatch.setattr(http_clients, "find_spec", lambda _: None)

    def new(**options: Any) -> Any:
        if carrier == "httpx-aiohttp as it comes":
            passed.append(HttpxAiohttpClient())
            options["http_client"] = passed[-1]
        made.append(COLOURS[CARRIERS[carrier]](**{"api_key": KEY, **options}))
        return made[-1]

    yield new
    for provider in made:
        if passed:
            provider._runner.run(passed.pop(0).aclose())
        provider.close()


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server that serves each connection in a thread, until it is over."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=handle, args=(connection,), daemon=True).start()

        def handle(connection: socket.socket) -> None:
            with connection:
                connection.settimeout(5)
                try:
                    serve(connection)
                except OSError:
                    return

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        accepting.join(5)


def read_request(connection: socket.socket) -> bytes:
    """A whole request, so that what is answered is answered after it."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += received(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    wanted = int(lengths[0].split(b":")[1]) if lengths else 0
    while len(body) < wanted:
        body += received(connection)
    return head + b"\r\n\r\n" + body


def received(connection: socket.socket) -> bytes:
    """What came. A connection that was closed ends its server, which would ask for ever."""
    part = connection.recv(65_536)
    if not part:
        raise ConnectionError("closed by the client")
    return part


def whole(body: bytes, *, length: int | None = None) -> bytes:
    told = len(body) if length is None else length
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (told, body)


def test_an_answer_over_a_socket_is_an_answer(carried: Any) -> None:
    seen: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        while True:
            seen.append(read_request(connection))
            connection.sendall(whole(json.dumps(payment()).encode()))

    with listening(serve) as address:
        provider = carried(base_url=address)
        for _ in range(2):
            assert isinstance(provider.create_payment(creating(), CALL), Answer)
    assert seen[0].partition(b"\r\n\r\n")[2] == provider.render(creating(), TAG).body
    assert seen[0] == seen[1]
    assert seen[0].startswith(b"POST /v1/payment_intents HTTP/1.1\r\n")


@pytest.mark.parametrize("carrier", OURS, indirect=True)
def test_every_carrier_writes_the_same(carried: Any) -> None:
    """What was rendered, and nothing of its own: no cookies, no wish for another encoding."""
    seen: list[bytes] = []
    cookie = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: "

    def serve(connection: socket.socket) -> None:
        while True:
            seen.append(read_request(connection))
            body = json.dumps(payment()).encode()
            connection.sendall(cookie + b"%d\r\n\r\n%b" % (len(body), body))

    with listening(serve) as address:
        provider = carried(base_url=address)
        for _ in range(2):
            assert isinstance(provider.create_payment(creating(), CALL), Answer)
            assert isinstance(provider.retrieve_payment("pi_1", Call()), Answer)
    heads = [request.partition(b"\r\n\r\n")[0].split(b"\r\n") for request in seen]
    asked = b"/v1/payment_intents/pi_1?expand[0]=latest_charge&expand[1]=latest_charge.refunds"
    assert heads[1][0] == b"GET " + asked + b" HTTP/1.1"
    names = {line.partition(b":")[0].lower() for line in heads[2][1:]} - {b"connection"}
    assert names == {
        *(b"host", b"authorization", b"content-type", b"content-length", b"idempotency-key"),
        *(b"stripe-version", b"user-agent", b"x-stripe-client-user-agent"),
    }
    assert seen[:2] == seen[2:]


@pytest.mark.parametrize("carrier", OURS, indirect=True)
def test_every_carrier_reads_what_was_compressed_unasked(carried: Any) -> None:
    body = gzip.compress(json.dumps(payment()).encode())
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(head + body)

    with listening(serve) as address:
        outcome = carried(base_url=address).create_payment(creating(), CALL)
    assert isinstance(outcome, Answer)


def test_a_refused_connection_executed_nothing(carried: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    outcome = carried(base_url=f"http://127.0.0.1:{port}").create_payment(creating(), CALL)
    assert outcome.kind is FailureKind.UNAVAILABLE


def test_a_connection_that_is_not_taken_executed_nothing(carried: Any) -> None:
    """A host that is switched off answers nothing at all."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as waiting:
        for _ in range(4):
            # So many wait to be accepted that the next one is not even heard.
            one = waiting.enter_context(socket.socket())
            one.settimeout(0)
            one.connect_ex(server.getsockname())
        provider = carried(base_url=f"http://127.0.0.1:{server.getsockname()[1]}")
        outcome = provider.create_payment(creating(), Call(key=TAG, timeout=0.3))
    assert outcome.kind is FailureKind.UNAVAILABLE


def test_without_an_encrypted_connection_nothing_was_executed(carried: Any) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(1)
        connection.sendall(whole(b"this is no TLS"))

    with listening(serve) as address:
        secure = address.replace("http:", "https:")
        outcome = carried(base_url=secure).create_payment(creating(), CALL)
    assert outcome.kind is FailureKind.UNAVAILABLE


def reset(connection: socket.socket) -> None:
    """Ends a connection as a process does that is killed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("after", ["nothing", "a part", "the whole"])
@pytest.mark.parametrize("earlier", [0, 1])
def test_a_reset_leaves_doubt_however_much_was_read(carried: Any, after: str, earlier: int) -> None:
    """Also on a connection that answered before: whoever resets it may have read the request."""

    def serve(connection: socket.socket) -> None:
        for _ in range(earlier):
            read_request(connection)
            connection.sendall(whole(json.dumps(payment()).encode()))
        if after != "nothing":
            connection.recv(10) if after == "a part" else read_request(connection)
        else:
            select.select([connection], [], [], 5)
        reset(connection)

    with listening(serve) as address:
        provider = carried(base_url=address)
        for _ in range(earlier):
            assert isinstance(provider.create_payment(creating(), CALL), Answer)
        outcome = provider.create_payment(creating(), CALL)
    assert outcome.kind is FailureKind.UNKNOWN


@pytest.mark.parametrize("what", ["reset", "half a head", "half a body", "no http"])
def test_an_answer_that_is_cut_leaves_doubt(carried: Any, what: str) -> None:
    body = json.dumps(payment()).encode()
    answers = {
        "reset": b"",
        "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
        "half a body": whole(body[:99], length=len(body)),
        "no http": b"\x00\x01\x02 nothing\r\n\r\n",
    }

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answers[what])

    with listening(serve) as address:
        provider = carried(base_url=address)
        outcome = provider.create_payment(creating(), CALL)
    assert outcome.kind is FailureKind.UNKNOWN


@pytest.mark.parametrize("trickle", [b"", b" "])
def test_time_is_over_when_it_is_over(carried: Any, trickle: bytes) -> None:
    """Also where some bytes come now and then: what counts is the whole."""

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(whole(b"", length=10_000))
        for _ in range(50):
            time.sleep(0.05)
            connection.sendall(trickle)

    with listening(serve) as address:
        provider = carried(base_url=address)
        began = time.monotonic()
        outcome = provider.create_payment(creating(), Call(key=TAG, timeout=0.3))
        took = time.monotonic() - began
    assert outcome.kind is FailureKind.UNKNOWN
    assert 0.2 < took < 1.5


@pytest.mark.parametrize("carrier", OURS, indirect=True)
def test_a_proxy_of_the_environment_is_used_for_the_world_outside(
    carried: Any, monkeypatch: Any
) -> None:
    seen: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with listening(serve) as address:
        with_user = address.replace("://", "://user:word@")
        monkeypatch.setenv("https_proxy", with_user)
        outcome = carried().create_payment(creating(), CALL)
    assert outcome.kind is FailureKind.UNKNOWN
    assert seen[0].startswith(b"CONNECT api.stripe.com:443 HTTP/1.1\r\n")
    assert b"proxy-authorization: basic dxnlcjp3b3jk" in seen[0].lower()
    assert KEY.encode() not in seen[0]


def test_what_is_canceled_on_its_way_is_canceled(monkeypatch: Any) -> None:
    arrived = threading.Event()

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        arrived.set()
        connection.recv(1)

    async def canceled(address: str) -> None:
        provider = AsyncStripeProvider(api_key=KEY, base_url=address)
        task = asyncio.create_task(provider.create_payment(creating(), CALL))
        await asyncio.to_thread(arrived.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await provider.aclose()

    with listening(serve) as address:
        asyncio.run(canceled(address))


def test_the_providers_own_timeout_is_the_most(make: Any, wire: respx.Router) -> None:
    route = wire.post("/v1/payment_intents").mock(return_value=paid())
    provider = make(timeout=2.5)
    for given, used in ((10.0, 2.5), (1.0, 1.0)):
        provider.create_payment(creating(), Call(key=TAG, timeout=given))
        told = route.calls.last.request.extensions["timeout"]
        assert told == dict.fromkeys(("connect", "read", "write", "pool"), used)


# -- clients --------------------------------------------------------------------------------------


def test_awaited_requests_go_by_aiohttp_where_it_is_installed(monkeypatch: Any) -> None:
    async def opened() -> Any:
        provider = AsyncStripeProvider(api_key=KEY)
        client = provider._send._client()
        await provider.aclose()
        return client

    assert isinstance(asyncio.run(opened()), HttpxAiohttpClient)
    monkeypatch.setattr(http_clients, "find_spec", lambda _: None)
    assert not isinstance(asyncio.run(opened()), HttpxAiohttpClient)


def test_aiohttp_is_imported_by_the_first_request_and_not_before() -> None:
    code = """
import sys
from payport.providers.stripe import AsyncStripeProvider
AsyncStripeProvider(api_key="sk_test_fake")
print("aiohttp" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_constructing_opens_nothing(colour: str, monkeypatch: Any) -> None:
    def opened(*_: Any, **__: Any) -> None:
        pytest.fail("something was opened")

    monkeypatch.setattr(socket, "socket", opened)
    monkeypatch.setattr(httpx.Client, "__init__", opened)
    monkeypatch.setattr(httpx.AsyncClient, "__init__", opened)
    kind = {"sync": StripeProvider, "async": AsyncStripeProvider}[colour]
    provider = kind(api_key=KEY, webhook_secrets=[SECRET])
    provider.render(creating(), TAG)
    assert provider.for_account("acct_1").adapter.spec is not None


def client_of(colour: str, answer: Callable[[httpx.Request], httpx.Response], **more: Any) -> Any:
    kind = {"sync": httpx.Client, "async": httpx.AsyncClient}[colour]
    return kind(transport=httpx.MockTransport(answer), **more)


def test_a_client_that_was_passed_is_used_as_it_is_and_not_closed(make: Any, colour: str) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=payment(), headers={"Set-Cookie": "a=b"})

    defaults = {
        "params": {"extra": "1"},
        "headers": {"X-Extra": "1"},
        "cookies": {"c": "d"},
        "auth": ("user", "password"),
        "base_url": "https://elsewhere.example",
        "follow_redirects": True,
        "timeout": 99,
    }
    client = client_of(colour, answer, **defaults)
    provider = make(http_client=client)
    for _ in range(2):
        assert isinstance(provider.create_payment(creating(), CALL), Answer)
    provider.close()
    assert not client.is_closed
    for request in seen:
        assert str(request.url) == f"{BASE}/v1/payment_intents"
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.headers.keys().isdisjoint({"cookie", "x-extra"})
        assert request.extensions["timeout"]["read"] == 10.0


def test_closing_is_closing_and_using_again_opens_again(make: Any, wire: respx.Router) -> None:
    wire.get("/v1/account").mock(return_value=httpx.Response(200, json={"id": "acct_1"}))
    provider = make()
    for _ in range(2):
        assert isinstance(provider.account(Call()), Account)
        send = getattr(provider, "subject", provider)._send
        (own,) = send._own.values()
        if isinstance(provider, Awaited):
            provider._runner.run(provider.subject.aclose())
            provider._runner.run(provider.subject.aclose())
        else:
            provider.close()
            provider.close()
        assert own.is_closed


def test_a_connected_account_closes_no_connections_of_the_others(wire: respx.Router) -> None:
    route = wire.get("/v1/account").mock(return_value=httpx.Response(200, json={"id": "acct_1"}))
    whole_ = StripeProvider(api_key=KEY)
    part = whole_.for_account("acct_1")
    part.account(Call())
    (own,) = whole_._send._own.values()
    part.close()
    assert not own.is_closed
    whole_.account(Call())
    whole_.close()
    assert own.is_closed
    told = [call.request.headers.get("stripe-account") for call in route.calls]
    assert told == ["acct_1", None]


def test_an_awaited_connected_account_closes_none_either(wire: respx.Router) -> None:
    wire.get("/v1/account").mock(return_value=httpx.Response(200, json={"id": "acct_1"}))

    async def used() -> None:
        whole_ = AsyncStripeProvider(api_key=KEY)
        part = whole_.for_account("acct_1")
        await part.account(Call())
        (own,) = whole_._send._own.values()
        await part.aclose()
        assert not own.is_closed
        await whole_.aclose()
        assert own.is_closed

    asyncio.run(used())


def test_each_event_loop_has_connections_of_its_own(wire: respx.Router) -> None:
    wire.get("/v1/account").mock(return_value=httpx.Response(200, json={"id": "acct_1"}))
    provider = AsyncStripeProvider(api_key=KEY)
    clients = []

    async def used() -> None:
        assert isinstance(await provider.account(Call()), Account)
        clients.append(provider._send._client())
        await provider.aclose()

    for _ in range(3):
        asyncio.run(used())
    assert len({id(client) for client in clients}) == 3


def test_a_client_that_was_passed_belongs_to_one_event_loop() -> None:
    answers = httpx.MockTransport(lambda _: httpx.Response(200, json={"id": "acct_1"}))
    provider = AsyncStripeProvider(api_key=KEY, http_client=httpx.AsyncClient(transport=answers))
    assert isinstance(asyncio.run(provider.account(Call())), Account)
    with pytest.raises(ConfigurationError, match="another event loop"):
        asyncio.run(provider.account(Call()))


def test_a_forked_process_has_connections_of_its_own(wire: respx.Router, monkeypatch: Any) -> None:
    """What was opened before a fork would be shared with the parent, and mixed up."""
    wire.get("/v1/account").mock(return_value=httpx.Response(200, json={"id": "acct_1"}))
    provider = StripeProvider(api_key=KEY)
    provider.account(Call())
    before = provider._send._client()
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        provider.account(Call())
        assert provider._send._client() is not before
        provider.close()
    assert not before.is_closed
    assert provider._send._client() is before
    provider.close()


def test_threads_that_meet_at_first_use_share_one_client(wire: respx.Router) -> None:
    made: list[httpx.Client] = []
    provider = StripeProvider(api_key=KEY)
    together = threading.Barrier(8)

    class Slow(dict):  # type: ignore[type-arg]
        def get(self, name: Any, default: Any = None) -> Any:
            found = super().get(name, default)
            together.wait(5)
            return found

    provider._send._own = Slow()
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: provider._send._client(), range(8)))
    assert len({id(client) for client in made}) == 1
    provider._send._own = dict(provider._send._own)
    provider.close()


@pytest.mark.parametrize("base_url", [None, "http://127.0.0.1:1"])
def test_a_simulator_on_this_machine_is_not_reached_through_a_proxy(
    colour: str, base_url: str | None, monkeypatch: Any
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://proxy.invalid:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    if colour == "sync":
        provider: Any = StripeProvider(api_key=KEY, base_url=base_url)
        client: Any = provider._send._client()
        provider.close()
    else:
        provider = AsyncStripeProvider(api_key=KEY, base_url=base_url)

        async def opened() -> Any:
            client = provider._send._client()
            await provider.aclose()
            return client

        client = asyncio.run(opened())
    assert client.trust_env is (base_url is None)


# -- many at once ---------------------------------------------------------------------------------


def test_accounts_are_not_mixed_up_by_threads(wire: respx.Router) -> None:
    """Each answer tells the account and the key that the request named."""
    wire.post("/v1/payment_intents").mock(side_effect=echo)
    whole_ = StripeProvider(api_key=KEY)
    providers = [whole_.for_account(f"acct_{n}") for n in range(8)]

    def use(number: int) -> None:
        key = f"pp1_{number:052d}"
        outcome = providers[number % 8].create_payment(creating(), Call(key=key))
        assert outcome.facts.tag == key
        assert outcome.facts.attempt_ref == f"pi_acct_{number % 8}"

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(400)))
    whole_.close()


def test_accounts_are_not_mixed_up_by_tasks(wire: respx.Router) -> None:
    wire.post("/v1/payment_intents").mock(side_effect=echo)

    async def use(providers: list[AsyncStripeProvider], number: int) -> None:
        key = f"pp1_{number:052d}"
        outcome = await providers[number % 8].create_payment(creating(), Call(key=key))
        assert isinstance(outcome, Answer)
        assert outcome.facts.tag == key
        assert outcome.facts.attempt_ref == f"pi_acct_{number % 8}"

    async def all_of_them() -> None:
        whole_ = AsyncStripeProvider(api_key=KEY)
        providers = [whole_.for_account(f"acct_{n}") for n in range(8)]
        await asyncio.gather(*(use(providers, number) for number in range(400)))
        await whole_.aclose()

    asyncio.run(all_of_them())


def echo(request: httpx.Request) -> httpx.Response:
    account = request.headers["stripe-account"]
    key = request.headers["idempotency-key"]
    told = payment(id=f"pi_{account}", metadata={"payport_key": key})
    return httpx.Response(200, json=told)


# -- both colours ---------------------------------------------------------------------------------


#: What may be answered to anything.
TOLD: dict[str, Callable[[], httpx.Response]] = {
    "yes": lambda: httpx.Response(200, json=payment(latest_charge=charge()), headers=HEADERS),
    "a replay": lambda: httpx.Response(
        200, json=held(amount_received=5_000), headers={**HEADERS, "Idempotent-Replayed": "true"}
    ),
    "no": lambda: httpx.Response(402, json=error("x", "card_error", payment_intent=declined())),
    "wrong": lambda: httpx.Response(400, json=error("parameter_missing"), headers=HEADERS),
    "a page": lambda: httpx.Response(502, content=b"<html>"),
    "a refund": lambda: httpx.Response(200, json=refund(), headers=HEADERS),
    "a listing": lambda: httpx.Response(200, json=listing(refund(), more=True), headers=HEADERS),
}
ACTS: dict[str, Callable[[Any], Any]] = {
    "create": lambda p: p.create_payment(creating(), CALL),
    "confirm": lambda p: p.confirm_payment(confirming(), CALL),
    "capture": lambda p: p.capture_payment(capturing(), CALL),
    "cancel": lambda p: p.cancel_payment(canceling(), CALL),
    "refund": lambda p: p.create_refund(refunding(), CALL),
    "retrieve": lambda p: p.retrieve_payment("pi_1", Call()),
    "retrieve refund": lambda p: p.retrieve_refund("re_1", Call()),
    "find": lambda p: p.find(Lookup(key=TAG, command=creating()), Call()),
    "account": lambda p: p.account(Call()),
}


@pytest.mark.parametrize("act", list(ACTS.values()), ids=list(ACTS))
@pytest.mark.parametrize("fault", [None, httpx.ConnectError, httpx.ReadTimeout])
@pytest.mark.parametrize("told", list(TOLD.values()), ids=list(TOLD))
def test_both_colours_write_and_tell_the_same(told: Any, fault: Any, act: Any) -> None:
    written: dict[str, list[Any]] = {"sync": [], "async": []}
    outcomes = {}
    for colour, kind in COLOURS.items():

        def answer(request: httpx.Request, seen: list[Any] = written[colour]) -> httpx.Response:
            headers = dict(request.headers)
            seen.append((request.method, request.url, request.content, headers))
            if fault is not None and len(seen) > 1:
                raise fault("the second one")
            return told()  # type: ignore[no-any-return]

        provider: Any = kind(api_key=KEY, http_client=client_of(colour, answer))
        outcomes[colour] = act(provider)
        provider.close()
    assert outcomes["sync"] == outcomes["async"]
    assert written["sync"] == written["async"]
    assert written["sync"]
