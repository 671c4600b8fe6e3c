"""What no simulator answers: odd headers, half bodies, and connections that are reset."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import respx
from stripe_help import CALL, DATE, KEY, MOMENT, PRICE, creating, error, payment
from test_stripe_transport import HEADERS, client_of, listening, read_request, whole, wire

from payport import AsyncPayport, Payport, RateLimited
from payport.domain.outcomes import FailureKind
from payport.providers.outcomes import Answer, Failure
from payport.providers.stripe import AsyncStripeProvider, StripeProvider
from payport.testing import FakeClock

__all__ = ["wire"]  # the fixture

PATH = "/v1/payment_intents"
PAID = json.dumps(payment()).encode()


def answered(
    make: Any, wire: respx.Router, status: int, document: Any, headers: list[tuple[bytes, bytes]]
) -> Any:
    told = httpx.Response(status, headers=headers, content=json.dumps(document).encode())
    wire.post(PATH).mock(return_value=told)
    return make().create_payment(creating(), CALL)


def dated(*headers: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    return [(b"Date", DATE.encode()), (b"Request-Id", b"req_1"), *headers]


# -- odd headers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ([b"7"], 7.0),
        ([b"0"], 0.0),
        ([b"999999999"], 999_999_999.0),
        # A minute after, and an hour before, what the answer says that the time is.
        ([b"Mon, 21 Sep 2026 14:14:20 GMT"], 60.0),
        ([b"Mon, 21 Sep 2026 13:13:20 GMT"], 0.0),
        ([b"Fri, 31 Dec 9999 23:59:59 -2359"], None),
        ([b"Mon, 99 Sep 2026 14:14:20 GMT"], None),
        ([b"-7"], None),
        ([b"+7"], None),
        ([b"1e400"], None),
        ([b"9" * 400], None),
        ([b"inf"], None),
        ([b""], None),
        ([b"\xd9\xa7"], None),
        ([b"\xff\xfe"], None),
        ([b"7", b"8"], None),
    ],
)
def test_a_wait_is_taken_from_a_header_that_says_one(
    make: Any, wire: respx.Router, told: list[bytes], seconds: float | None
) -> None:
    headers = dated(*((b"Retry-After", one) for one in told))
    outcome = answered(make, wire, 429, error("rate_limit"), headers)

    assert outcome.kind is FailureKind.RATE_LIMITED
    assert outcome.retry_after == seconds


TERMS: dict[str, Any] = {
    "reference": "order_1",
    "amount": PRICE,
    "payment_method": "pm_card_visa",
    "confirm": True,
}


def buy(client: Any, clock: FakeClock) -> None:
    provider = StripeProvider(api_key=KEY, http_client=client)
    with Payport(provider, scope="shop", store="memory", clock=clock) as pay:
        pay.payments.create(**TERMS)


async def abuy(client: Any, clock: FakeClock) -> None:
    provider = AsyncStripeProvider(api_key=KEY, http_client=client)
    async with AsyncPayport(provider, scope="shop", store="memory", clock=clock) as pay:
        await pay.payments.create(**TERMS)


BUYS: dict[str, Callable[[Any, FakeClock], None]] = {
    "sync": buy,
    "async": lambda client, clock: asyncio.run(abuy(client, clock)),
}


@pytest.mark.parametrize("colour", list(BUYS))
@pytest.mark.parametrize("told", ["999999999", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_nobody_waits_for_longer_than_the_operation_may_take(colour: str, told: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"id": "acct_1"}, headers=HEADERS)
        return httpx.Response(
            429, json=error("rate_limit"), headers={**HEADERS, "Retry-After": told}
        )

    clock = FakeClock(MOMENT)
    with pytest.raises(RateLimited) as limited:
        BUYS[colour](client_of(colour, answer), clock)
    assert limited.value.retry_after is not None
    assert limited.value.retry_after > 365 * 86_400, "the caller is told all the same"
    assert clock.now() - MOMENT < timedelta(seconds=20)


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (400, b"true", FailureKind.UNKNOWN),
        (400, b"false", FailureKind.INVALID_REQUEST),
        (400, b"\xff", FailureKind.INVALID_REQUEST),
        (400, b"", FailureKind.INVALID_REQUEST),
        (409, b"false", FailureKind.IN_PROGRESS),
        (429, b"false", FailureKind.RATE_LIMITED),
        (500, b"true", FailureKind.UNKNOWN),
        (500, b"false", FailureKind.UNKNOWN),
        (503, b"false", FailureKind.UNKNOWN),
    ],
)
def test_advice_about_retries_never_makes_a_doubt_certain(
    make: Any, wire: respx.Router, status: int, told: bytes, kind: FailureKind
) -> None:
    headers = dated((b"Stripe-Should-Retry", told))
    outcome = answered(make, wire, status, error(None), headers)

    assert outcome.kind is kind


@pytest.mark.parametrize("status", [200, 400, 402, 500])
def test_an_answer_without_an_id_or_a_date_is_an_answer(
    make: Any, wire: respx.Router, status: int
) -> None:
    document = payment() if status == 200 else error("parameter_missing")
    outcome = answered(make, wire, status, document, [])

    assert isinstance(outcome, Answer) is (status == 200)
    assert (outcome.request_id, outcome.provider_time) == (None, None)


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize(
    "text", [b"req_\xff\xfe", b"req_\xe2\x82", b"\x80" * 5_000, b"req_\xc3\xa9"]
)
def test_headers_that_are_no_text_change_nothing(
    make: Any, wire: respx.Router, status: int, text: bytes
) -> None:
    """As they may come from something in between. None is worth losing the outcome for."""
    document = payment() if status == 200 else error("parameter_missing")
    headers = [(b"Date", text), (b"Request-Id", text), (b"X-" + b"Odd", text)]
    outcome = answered(make, wire, status, document, headers)

    kinds = {400: FailureKind.INVALID_REQUEST, 500: FailureKind.UNKNOWN}
    if status == 200:
        assert isinstance(outcome, Answer)
        assert outcome.facts.attempt_ref == "pi_1"
    else:
        assert outcome.kind is kinds[status]
    assert outcome.provider_time is None
    assert isinstance(outcome.request_id, str)


@pytest.mark.parametrize(
    ("told", "replayed"), [([b"true"], True), ([b"false"], False), ([b"\xff"], False), ([], False)]
)
def test_a_replay_is_one_where_the_header_says_so(
    make: Any, wire: respx.Router, told: list[bytes], replayed: object
) -> None:
    headers = dated(*((b"Idempotent-Replayed", one) for one in told))

    assert answered(make, wire, 200, payment(), headers).replayed is replayed


# -- half bodies ----------------------------------------------------------------------------------


class Breaking(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that breaks off in the middle."""

    def __init__(self, parts: list[bytes], breaks: type[Exception]) -> None:
        self._parts = parts
        self._breaks = breaks

    def __iter__(self) -> Iterator[bytes]:
        yield from self._parts
        raise self._breaks("in the middle")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part


@pytest.mark.parametrize("status", [200, 400, 402, 500])
@pytest.mark.parametrize(
    "breaks", [httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.DecodingError]
)
@pytest.mark.parametrize("parts", [[], [PAID[:99]], [PAID]], ids=["none", "half", "all"])
def test_a_body_that_breaks_off_leaves_doubt(
    make: Any, wire: respx.Router, status: int, breaks: Any, parts: list[bytes]
) -> None:
    """Whatever the status said, and whatever came before: it was not the whole answer."""
    told = httpx.Response(status, headers=HEADERS, stream=Breaking(parts, breaks))
    wire.post(PATH).mock(return_value=told)

    outcome = make().create_payment(creating(), CALL)

    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.UNKNOWN


HALVES: dict[str, tuple[dict[str, str], bytes]] = {
    "half of the JSON": ({}, PAID[: len(PAID) // 2]),
    "in the middle of a letter": ({}, b'{"id": "pi_1", "description": "\xc3'),
    "one byte too few": ({}, PAID[:-1]),
    "one byte too many": ({}, PAID + b"}"),
    "twice": ({}, PAID + PAID),
    "nothing": ({}, b""),
    "half of a compressed body": ({"Content-Encoding": "gzip"}, gzip.compress(PAID)[:-30]),
    "not compressed at all": ({"Content-Encoding": "gzip"}, PAID),
    "compressed otherwise": ({"Content-Encoding": "deflate"}, gzip.compress(PAID)),
    "compressed, and half of it": ({"Content-Encoding": "gzip"}, gzip.compress(PAID[:-20])),
}


@pytest.mark.parametrize("what", list(HALVES))
def test_a_success_of_which_a_part_is_missing_is_none(
    make: Any, wire: respx.Router, what: str
) -> None:
    headers, body = HALVES[what]
    told = httpx.Response(200, headers={**HEADERS, **headers}, stream=httpx.ByteStream(body))
    wire.post(PATH).mock(return_value=told)

    outcome = make().create_payment(creating(), CALL)

    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.UNKNOWN


def test_the_same_body_is_a_success_where_it_is_whole(make: Any, wire: respx.Router) -> None:
    """What makes the tests above ones that can fail."""
    for encoding, body in (("gzip", gzip.compress(PAID)), ("deflate", zlib.compress(PAID))):
        headers = {**HEADERS, "Content-Encoding": encoding}
        told = httpx.Response(200, headers=headers, stream=httpx.ByteStream(body))
        wire.post(PATH).mock(return_value=told)
        assert isinstance(make().create_payment(creating(), CALL), Answer)


# -- on the wire ----------------------------------------------------------------------------------


def reset(connection: socket.socket) -> None:
    """Close without lingering: the other side gets a reset, and no orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def over_a_socket(make: Any, serve: Callable[[socket.socket], None]) -> Any:
    with listening(serve) as address:
        provider = make(base_url=address)
        outcome = provider.create_payment(creating(), CALL)
        provider.close()
    return outcome


RESETS = {
    "before anything was read": (False, b""),
    "before the answer": (True, b""),
    "after a byte": (True, b"H"),
    "after half a head": (True, b"HTTP/1.1 200 OK\r\nContent-Le"),
    "after the head": (True, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"),
    "after half a body": (True, whole(PAID[:99], length=len(PAID))),
    "before the last chunk": (
        True,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(PAID), PAID),
    ),
}


@pytest.mark.parametrize("how", ["reset", "closed"])
@pytest.mark.parametrize("when", list(RESETS))
def test_a_connection_that_ends_too_early_leaves_doubt(make: Any, when: str, how: str) -> None:
    reads, says = RESETS[when]

    def serve(connection: socket.socket) -> None:
        if reads:
            read_request(connection)
        else:
            # It has arrived: a reset before that may be seen as no connection at all.
            connection.recv(1, socket.MSG_PEEK)
        connection.sendall(says)
        if how == "reset":
            reset(connection)

    outcome = over_a_socket(make, serve)

    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.UNKNOWN


#: What is no answer of HTTP's, or none that is worth believing.
ODD_WIRE = {
    "a head without an end": b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 200_000 + b"\r\n\r\n",
    "a header without a name": b"HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 0\r\n\r\n",
    "a header with a NUL": b"HTTP/1.1 200 OK\r\nX-A: \x00\r\nContent-Length: 0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a status of no number": b"HTTP/1.1 OK OK\r\n\r\n",
    "no body allowed": b"HTTP/1.1 204 No Content\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
}


@pytest.mark.parametrize("what", list(ODD_WIRE))
def test_what_is_no_whole_answer_leaves_doubt(make: Any, what: str) -> None:
    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(ODD_WIRE[what])

    assert over_a_socket(make, serve).kind is FailureKind.UNKNOWN


def test_a_hint_before_the_answer_is_not_the_answer(make: Any) -> None:
    def serve(connection: socket.socket) -> None:
        read_request(connection)
        hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        connection.sendall(hint + whole(PAID))

    assert isinstance(over_a_socket(make, serve), Answer)
