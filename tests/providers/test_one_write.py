"""A request leaves a blocking client in one write, and whole or not at all."""

import httpcore
import httpx
import pytest

from payport.providers.http_clients import blocking_client
from payport.providers.one_write import _Stream

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ADDRESS = "http://127.0.0.1:1/v1/payment_intents"


class Wire(httpcore.NetworkStream):
    """Keeps what is written, in the order of writes and reads, and answers each read."""

    def __init__(self):
        self.seen = []

    def write(self, buffer, timeout=None):
        self.seen.append(buffer)

    def read(self, max_bytes, timeout=None):
        self.seen.append("read")
        return ANSWER

    def close(self):
        self.seen.append("closed")


@pytest.fixture
def wire(monkeypatch):
    wire = Wire()
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", lambda *_: wire)
    return wire


@pytest.fixture
def client():
    with blocking_client(trust_env=False) as client:
        yield client


def test_head_and_body_are_one_write(wire, client):
    assert client.post(ADDRESS, content=b"amount=4999").text == "ok"
    (whole, *_) = wire.seen
    assert whole.startswith(b"POST /v1/payment_intents HTTP/1.1\r\n")
    assert whole.endswith(b"\r\n\r\namount=4999")
    assert wire.seen[1] == "read"


def test_each_request_of_a_connection_is_one_write(wire, client):
    for body in (b"amount=1", b"amount=2"):
        client.post(ADDRESS, content=body)
    written = [each for each in wire.seen if each != "read"]
    assert [each.rpartition(b"\r\n\r\n")[2] for each in written] == [b"amount=1", b"amount=2"]


def test_a_request_without_a_body_waits_for_none(wire, client):
    assert client.get(ADDRESS).text == "ok"
    assert wire.seen[0].startswith(b"GET ")
    assert wire.seen[1] == "read"


def test_of_a_request_whose_body_cannot_be_had_nothing_is_written(wire, client):
    def failing():
        raise RuntimeError
        yield b""

    request = client.build_request("POST", ADDRESS, content=failing())
    del request.headers["Transfer-Encoding"]
    request.headers["Content-Length"] = "11"
    with pytest.raises(RuntimeError):
        client.send(request)
    assert [each for each in wire.seen if each != "closed"] == []


def test_a_body_in_several_parts_follows_its_head(wire, client):
    request = client.build_request("POST", ADDRESS, content=iter([b"amount=", b"4999"]))
    del request.headers["Transfer-Encoding"]
    request.headers["Content-Length"] = "11"
    client.send(request)
    assert b"".join(wire.seen[:2]).endswith(b"\r\n\r\namount=4999")


@pytest.mark.parametrize("name", [b"Content-Length", b"content-length"])
def test_what_is_held_back_is_written_before_anything_is_read(name):
    wire = Wire()
    head = b"POST / HTTP/1.1\r\n" + name + b": 2\r\nHost: a\r\n\r\n"
    stream = _Stream(wire)
    stream.write(head)
    assert wire.seen == []
    stream.read(10)
    assert wire.seen == [head, "read"]


def test_clients_limits_stay_as_httpx_has_them(client):
    pool, usual = client._transport._pool, httpx.HTTPTransport()._pool
    for name in ("_max_connections", "_max_keepalive_connections", "_keepalive_expiry"):
        assert getattr(pool, name) == getattr(usual, name)
