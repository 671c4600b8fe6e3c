"""Senders of adapters over HTTP: what was rendered is written, credentials are nowhere else."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from payport.domain.frozen import FrozenMapping
from payport.providers.exchange import Request, TransportError
from payport.providers.http_sending import AsyncHttpSend, HttpSend

CANARY = "canary_key_0001"
REQUEST = Request(
    operation="create_payment",
    method="POST",
    target="/orders?a=1",
    headers=FrozenMapping({"X-Own": "yes"}),
    body=b'{"amount":"49.99"}',
)

Answer = Callable[[httpx.Request], httpx.Response]


def headers(request: Request) -> dict[str, str]:
    return {"Authorization": f"Bearer {CANARY}"}


def blocking(answer: Answer, *, timeout: float = 10.0, longest: float = 60.0) -> Any:
    client = httpx.Client(transport=httpx.MockTransport(answer))
    send = HttpSend("https://api.example", headers, client, timeout=longest)
    with client:
        return send(REQUEST, timeout=timeout)


def awaited(answer: Answer, *, timeout: float = 10.0, longest: float = 60.0) -> Any:
    async def sent() -> Any:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            send = AsyncHttpSend("https://api.example", headers, client, timeout=longest)
            return await send(REQUEST, timeout=timeout)

    return asyncio.run(sent())


each_colour = pytest.mark.parametrize("send", [blocking, awaited])


@each_colour
def test_what_was_rendered_is_written_with_the_credentials(send: Any) -> None:
    arrived: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        arrived.append(request)
        return httpx.Response(201, headers={"X-Told": "Yes"}, content=b"{}")

    response = send(answer)

    (request,) = arrived
    assert (request.method, str(request.url)) == ("POST", "https://api.example/orders?a=1")
    assert request.content == REQUEST.body
    assert request.headers["x-own"] == "yes"
    assert request.headers["authorization"] == f"Bearer {CANARY}"
    assert (response.status, response.body, response.headers["x-told"]) == (201, b"{}", "Yes")
    assert CANARY not in repr(REQUEST.to_bytes())


@each_colour
@pytest.mark.parametrize(("asked", "longest", "given"), [(5.0, 60.0, 5.0), (90.0, 20.0, 20.0)])
def test_nobody_waits_longer_than_anybody_wants(
    send: Any, asked: float, longest: float, given: float
) -> None:
    patience: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        patience.append(request.extensions["timeout"]["read"])
        return httpx.Response(200)

    send(answer, timeout=asked, longest=longest)

    assert patience == [given]


@each_colour
@pytest.mark.parametrize(
    ("error", "sent"), [(httpx.ConnectError("no"), False), (httpx.ReadError("broke"), True)]
)
def test_what_breaks_says_whether_a_byte_may_have_left_and_shows_no_key(
    send: Any, error: httpx.TransportError, sent: Any
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(TransportError) as raised:
        send(answer)

    assert raised.value.sent is sent
    inner = raised.value.__cause__
    assert inner is not None
    shown = traceback.TracebackException.from_exception(inner, capture_locals=True)
    assert CANARY not in "".join(shown.format())


@each_colour
def test_what_only_redirects_is_the_answer(send: Any) -> None:
    response = send(
        lambda request: httpx.Response(302, headers={"Location": "https://evil.example"})
    )

    assert response.status == 302
