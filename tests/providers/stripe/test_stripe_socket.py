"""Stripe's simulator in a process of its own: what only a socket and a process can do."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from loopback import SimulatorProcess
from stripe_help import KEY, PRICE, Awaited, capturing, creating, refunding
from stripe_relay import message, relayed

from payport import OutcomeUnknown, PaymentStatus, Payport
from payport.domain.outcomes import FailureKind
from payport.providers.exchange import Call
from payport.providers.outcomes import Account, Answer, Failure
from payport.providers.stripe import StripeProvider

_keys = itertools.count(1)


def new_key() -> str:
    return f"pp1_{next(_keys):052d}"


@pytest.fixture(scope="module")
def process() -> Iterator[SimulatorProcess]:
    running = SimulatorProcess()
    try:
        yield running
    finally:
        running.stop()


def charged(process: SimulatorProcess, key: str) -> int:
    return process.control(f"charged?name={key}")["charged"]  # type: ignore[no-any-return]


# -- a sale ---------------------------------------------------------------------------------------


def test_a_sale_goes_over_the_socket(make: Any, process: SimulatorProcess) -> None:
    provider = make(base_url=process.url)
    key = new_key()
    assert isinstance(provider.account(Call()), Account)
    paid = provider.create_payment(creating(manual=True), Call(key=key))
    ref = paid.facts.attempt_ref
    taken = provider.capture_payment(capturing(ref=ref), Call(key=new_key()))
    refund = new_key()
    for _ in range(2):
        given = provider.create_refund(refunding(PRICE, ref=ref), Call(key=refund))
        assert isinstance(given, Answer)
    assert isinstance(taken, Answer)

    replayed = provider.create_payment(creating(manual=True), Call(key=key))
    assert replayed.replayed
    assert replayed.facts.attempt_ref == ref
    books = process.control(f"moved?name={key}")["entries"]
    assert [(one["kind"], one["amount"]) for one in books if one["kind"] != "fee"] == [
        ("charge", 4_999),
        ("refund", -4_999),
    ]


@pytest.mark.parametrize("fault", ["LostRequest", "LostResponse", "Truncated", "Garbled"])
def test_what_gets_lost_over_the_socket_is_in_doubt_until_it_is_replayed(
    make: Any, process: SimulatorProcess, fault: str
) -> None:
    provider = make(base_url=process.url)
    key = new_key()
    process.control("next", operation="create_payment", fault=fault)

    lost = provider.create_payment(creating(), Call(key=key))
    assert isinstance(lost, Failure)
    assert lost.kind is FailureKind.UNKNOWN

    again = provider.create_payment(creating(), Call(key=key))
    assert isinstance(again, Answer)
    assert again.replayed is (fault != "LostRequest")
    assert charged(process, key) == 4_999


# -- connections ----------------------------------------------------------------------------------


def test_one_connection_serves_many_requests(make: Any, process: SimulatorProcess) -> None:
    with relayed(process.url) as (relay, url):
        provider = make(base_url=url)
        for _ in range(5):
            assert isinstance(provider.create_payment(creating(), Call(key=new_key())), Answer)
        assert isinstance(provider.retrieve_payment("pi_nothing", Call()), Failure)
        provider.close()
    assert relay.connections == 1


def test_a_connection_that_was_closed_while_idle_is_nobodys_doubt(
    make: Any, process: SimulatorProcess
) -> None:
    """As load balancers do. The next request finds that out before it is written."""
    with relayed(process.url) as (relay, url):
        relay.closes = True
        provider = make(base_url=url)
        for number in range(1, 4):
            assert isinstance(provider.create_payment(creating(), Call(key=new_key())), Answer)
            assert relay.connections == number
            _let_it_arrive(provider)
        provider.close()


def _let_it_arrive(provider: Any) -> None:
    """The end of a connection takes its time to arrive, on a busy machine less than this."""
    wait = provider.wait if isinstance(provider, Awaited) else time.sleep
    wait(0.4)


def test_after_a_reset_there_is_a_new_connection(make: Any, process: SimulatorProcess) -> None:
    with relayed(process.url) as (relay, url):
        provider = make(base_url=url)
        key = new_key()
        relay.cut = lambda _: b""
        assert provider.create_payment(creating(), Call(key=key)).kind is FailureKind.UNKNOWN
        relay.cut = None
        assert provider.create_payment(creating(), Call(key=key)).replayed
        provider.close()
    assert relay.connections == 2
    assert charged(process, key) == 4_999


@pytest.mark.parametrize("passes", ["one byte", "half of the head", "the head", "all but one byte"])
def test_a_server_that_dies_in_the_middle_of_an_answer_leaves_doubt(make: Any, passes: str) -> None:
    """And its death afterwards, when it refuses connections, does not take the doubt away."""
    lengths = {
        "one byte": lambda answer: 1,
        "half of the head": lambda answer: answer.index(b"\r\n\r\n") // 2,
        "the head": lambda answer: answer.index(b"\r\n\r\n") + 4,
        "all but one byte": lambda answer: len(answer) - 1,
    }
    dying = SimulatorProcess()
    try:
        with relayed(dying.url) as (relay, url):
            provider = make(base_url=url)

            def die(answer: bytes) -> bytes:
                dying.kill()
                return answer[: lengths[passes](answer)]

            relay.cut = die
            outcome = provider.create_payment(creating(), Call(key=new_key()))
            provider.close()
        assert isinstance(outcome, Failure)
        assert outcome.kind is FailureKind.UNKNOWN
        gone = make(base_url=dying.url).create_payment(creating(), Call(key=new_key()))
        assert gone.kind is FailureKind.UNAVAILABLE
    finally:
        dying.stop()


def test_a_client_whose_server_dies_never_says_that_it_failed(tmp_path: Path) -> None:
    """The journal remembers the first send; that nobody listens any more proves nothing."""
    dying = SimulatorProcess()
    try:
        with relayed(dying.url) as (relay, url):

            def die(answer: bytes) -> bytes:
                dying.kill()
                return answer[:-1]

            provider = StripeProvider(api_key=KEY, base_url=url)
            store = f"sqlite:///{tmp_path / 'payments.db'}"
            with Payport(provider, scope="shop", store=store, timeout=1, deadline=1) as pay:
                assert buy(pay, "order_1").is_paid
                relay.cut = die
                for _ in range(2):
                    with pytest.raises(OutcomeUnknown):
                        buy(pay, "order_2")
                assert pay.payments.get(reference="order_2").status is PaymentStatus.UNKNOWN
    finally:
        dying.stop()


def buy(pay: Payport, order: str) -> Any:
    return pay.payments.create(
        reference=order, amount=PRICE, payment_method="pm_card_visa", confirm=True
    )


# -- requests that are not whole ------------------------------------------------------------------


FORM = b"amount=4999&currency=usd&confirm=true&payment_method=pm_card_visa"


def written(key: str, *, length: bytes | None, body: bytes, more: bytes = b"") -> bytes:
    lines = [
        b"POST /v1/payment_intents HTTP/1.1",
        b"Host: 127.0.0.1",
        b"Authorization: Bearer " + KEY.encode(),
        b"Content-Type: application/x-www-form-urlencoded",
        b"Idempotency-Key: " + key.encode(),
    ]
    if length is not None:
        lines.append(b"Content-Length: " + length)
    return b"\r\n".join([*lines, *filter(None, [more]), b"", body])


BROKEN = {
    "half a body": {"length": b"%d" % len(FORM), "body": FORM[:20]},
    "a byte too few": {"length": b"%d" % len(FORM), "body": FORM[:-1]},
    "no body": {"length": b"%d" % len(FORM), "body": b""},
    "no number of bytes": {"length": b"many", "body": FORM},
    "fewer than none": {"length": b"-1", "body": FORM},
    "two lengths": {"length": b"5", "body": FORM, "more": b"Content-Length: 6"},
    "half a chunk": {
        "length": None,
        "body": b"50\r\n" + FORM[:20],
        "more": b"Transfer-Encoding: chunked",
    },
    "no last chunk": {
        "length": None,
        "body": b"%x\r\n%b\r\n" % (len(FORM), FORM),
        "more": b"Transfer-Encoding: chunked",
    },
}


@pytest.mark.parametrize("ends", ["closed", "half closed"])
@pytest.mark.parametrize("what", list(BROKEN))
def test_a_request_that_is_not_whole_is_not_carried_out(
    process: SimulatorProcess, what: str, ends: str
) -> None:
    key = new_key()
    parts = urlsplit(process.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(written(key, **BROKEN[what]))  # type: ignore[arg-type]
        if ends == "half closed":
            connection.shutdown(socket.SHUT_WR)
            told = b""
            while part := connection.recv(65_536):
                told += part
            assert told == b"" or told.startswith(b"HTTP/1.1 400 ")

    assert process.control(f"charged?name={key}")["payments"] == 0


def test_the_same_request_is_carried_out_where_it_is_whole(process: SimulatorProcess) -> None:
    """What makes the test above one that can fail."""
    key = new_key()
    form = FORM + b"&return_url=https://shop.example"
    parts = urlsplit(process.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(written(key, length=b"%d" % len(form), body=form))
        assert message(connection).startswith(b"HTTP/1.1 200 ")

    assert charged(process, key) == 4_999
