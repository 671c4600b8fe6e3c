"""The webhook endpoint, the same in every framework, behind a real server of each."""

from __future__ import annotations

import gzip
import logging
import socket

import pytest
from served_shops import PATH, SERVERS, Shop

from payport import ConfigurationError
from payport.webhooks.inbox import MAX_BODY

#: Of Django's WSGI handler: it reads no body without a length, whatever the server could do.
NEEDS_A_LENGTH = ("django",)


@pytest.fixture(params=["fake", "simulator"])
def provider(request):
    return request.param


@pytest.fixture(params=SERVERS)
def framework(request):
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    return request.param


@pytest.fixture
def shop(framework, provider):
    with SERVERS[framework](Shop(provider)) as served:
        yield served


@pytest.fixture
def fake_shop(framework):
    with SERVERS[framework](Shop("fake")) as served:
        yield served


@pytest.fixture
def processing(framework, provider):
    with SERVERS[framework](Shop(provider, process=True)) as served:
        yield served


def deliveries(shop):
    return shop.store.target.transact(lambda tx: [tx.delivery(row) for row in _ids(shop)])


def _ids(shop):
    return list(shop.store.target._data.inbox)


# -- 200 ------------------------------------------------------------------------------------------


def test_what_the_provider_signed_is_stored_and_then_acknowledged(shop):
    for request in shop.webhooks():
        answer = shop.post(request)
        assert (answer.status_code, answer.text) == (200, "accepted")
        assert answer.headers["content-type"].startswith("text/plain")
    assert shop.handled == []  # processing is a worker's


def test_a_repetition_is_acknowledged_as_well(shop):
    request = shop.webhooks()[0]
    assert [shop.post(request).text for _ in range(3)] == ["accepted", "duplicate", "duplicate"]


def test_it_may_be_processed_before_the_answer(processing):
    for request in processing.webhooks():
        assert processing.post(request).status_code == 200
    assert processing.handled == ["order_1"]


def test_a_failure_of_processing_changes_nothing_about_the_answer(processing):
    request = processing.webhooks()[0]
    transact = processing.store.target.transact

    def fails_afterwards(work):
        processing.unavailable()
        return transact(work)

    processing.store.target.transact = fails_afterwards
    assert processing.post(request).text == "accepted"


def test_the_body_is_not_parsed_whatever_it_says_it_is(fake_shop):
    """A form's parser would eat the bytes that are signed."""
    for request in fake_shop.webhooks():
        for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            headers = {**request.headers, "Content-Type": kind}
            posted = fake_shop.http.post(PATH, content=request.body, headers=headers)
            assert posted.status_code == 200


# -- 400, 405 -------------------------------------------------------------------------------------


def test_what_the_provider_did_not_sign_is_rejected(shop):
    for request in shop.webhooks():
        for body in (request.body + b" ", b"", b"{}"):
            posted = shop.http.post(PATH, content=body, headers=request.headers)
            assert posted.status_code == 400
    assert shop.http.post(PATH, content=b"{}").status_code == 400


def test_a_compressed_body_is_not_inflated(fake_shop):
    request = fake_shop.webhooks()[0]
    headers = {**request.headers, "Content-Encoding": "gzip"}
    for body in (gzip.compress(request.body), gzip.compress(b" " * 10_000_000)):
        assert fake_shop.http.post(PATH, content=body, headers=headers).status_code == 400


def test_only_posts_are_taken(fake_shop):
    assert fake_shop.http.get(PATH).status_code == 405
    assert fake_shop.http.put(PATH, content=b"{}").status_code == 405


# -- 413 ------------------------------------------------------------------------------------------


def raw(shop, head, pieces=()):
    """The status of the answer to bytes on the wire, which end once it begins; or None."""
    with socket.create_connection(shop.address(), timeout=10) as wire:
        wire.sendall(f"POST {PATH} HTTP/1.1\r\nHost: shop.example\r\n{head}\r\n\r\n".encode())
        sent = 0
        wire.settimeout(0.001)
        answer = b""
        for piece in pieces:
            try:
                wire.sendall(piece)
                sent += len(piece)
            except TimeoutError:
                pass
            except OSError:
                break
            answer = _now(wire)
            if answer:
                break
        wire.settimeout(10)
        answer = answer or wire.recv(100)
        return int(answer.split()[1]), sent


def _now(wire):
    try:
        return wire.recv(100)
    except TimeoutError:
        return b""


def test_a_body_that_is_declared_too_large_is_refused_before_any_of_it_came(fake_shop):
    for length in (MAX_BODY + 1, 10**9, 10**100):
        status, _ = raw(fake_shop, f"Content-Length: {length}")
        # Some servers do not let a length through that no number holds.
        assert status == 413 or (length == 10**100 and status == 400)


def test_a_body_of_exactly_the_limit_is_read(fake_shop):
    assert fake_shop.http.post(PATH, content=b"x" * MAX_BODY).status_code == 400
    assert fake_shop.http.post(PATH, content=b"x" * (MAX_BODY + 1)).status_code == 413


def endless():
    piece = b"x" * 16_384
    for _ in range(16 * 1024):  # as long as anybody's patience: 256 MiB
        yield b"4000\r\n" + piece + b"\r\n"


def test_an_endless_body_is_refused_at_the_limit(fake_shop, framework):
    status, sent = raw(fake_shop, "Transfer-Encoding: chunked", endless())

    assert status == (400 if framework in NEEDS_A_LENGTH else 413)
    assert sent < 32 * MAX_BODY  # what lies in the buffers of two sockets and a server


# -- 503, 500 -------------------------------------------------------------------------------------


def test_what_could_not_be_stored_is_sent_again(shop):
    request = shop.webhooks()[0]
    shop.unavailable()
    answer = shop.post(request)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "secret" not in answer.text

    shop.store.error = None
    assert shop.post(request).text == "accepted"


@pytest.mark.parametrize(
    "error", [ConfigurationError("wrong password 'secret'"), ZeroDivisionError("secret")]
)
def test_what_goes_wrong_inside_stays_inside(fake_shop, error, caplog):
    request = fake_shop.webhooks()[0]
    fake_shop.store.error = error
    answer = fake_shop.post(request)

    assert (answer.status_code, answer.text) == (500, "error")
    assert any(record.exc_info for record in caplog.records if "received" in record.message)
