"""HTTP clients: what each error proves about the request, and what is never added to it."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp.client_reqrep import ConnectionKey

from payport.providers import http_clients
from payport.providers.http_clients import awaited_client, blocking_client, headers_of, unanswered

PEER = ConnectionKey(
    "pay.example", 443, is_ssl=True, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None
)


def caused_by(cause: Exception) -> httpx.ConnectTimeout:
    """As httpx-aiohttp raises whatever befell a connection."""
    error = httpx.ConnectTimeout("")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("cause", "sent"),
    [
        (aiohttp.ClientConnectorDNSError(PEER, OSError()), False),
        (aiohttp.ClientConnectorSSLError(PEER, OSError()), False),
        (aiohttp.ClientConnectorCertificateError(PEER, ValueError()), False),
        (aiohttp.ClientProxyConnectionError(PEER, OSError()), False),
        (aiohttp.ConnectionTimeoutError(), False),
        (aiohttp.ServerDisconnectedError(), True),
        (aiohttp.ClientOSError(104, "reset"), True),
        (aiohttp.ClientConnectionResetError(), True),
        (aiohttp.SocketTimeoutError(), True),
        (aiohttp.ServerFingerprintMismatch(b"", b"", "", 0), True),
        (aiohttp.ClientConnectionError(), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_what_befell_the_connecting_is_unsent(cause: Exception, *, sent: bool) -> None:
    assert unanswered(caused_by(cause)).sent is sent


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (aiohttp.ClientConnectorDNSError(PEER, OSError()), httpx.ConnectError),
        (aiohttp.ConnectionTimeoutError(), httpx.ConnectTimeout),
        (aiohttp.SocketTimeoutError(), httpx.ReadTimeout),
        (aiohttp.ServerDisconnectedError(), httpx.ReadError),
        (aiohttp.ClientPayloadError(), httpx.ReadError),
        (ConnectionResetError(), httpx.ReadError),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_aiohttps_errors_are_told_in_httpxs_words(
    raised: Exception, told: type[Exception], monkeypatch: Any
) -> None:
    asked: dict[str, Any] = {}

    async def fail(*_: Any, **options: Any) -> Any:
        asked.update(options)
        raise raised

    async def send() -> None:
        monkeypatch.setattr(aiohttp.ClientSession, "_request", fail)
        async with awaited_client(trust_env=False) as client:
            await client.get("http://127.0.0.1:1/", timeout=httpx.Timeout(8.5))

    with pytest.raises(told) as failed:
        asyncio.run(send())
    assert type(failed.value) is told
    # As they were told: rounded up they would end after the time for the whole, and prove nothing.
    assert asked["timeout"] == aiohttp.ClientTimeout(
        connect=8.5, sock_connect=8.5, sock_read=8.5, ceil_threshold=math.inf
    )


@pytest.mark.parametrize("installed", [True, False])
def test_no_client_of_ours_keeps_a_cookie(*, installed: bool, monkeypatch: Any) -> None:
    if not installed:
        monkeypatch.setattr(http_clients, "find_spec", lambda _: None)
    clients: tuple[Any, Any] = blocking_client(trust_env=False), awaited_client(trust_env=False)
    for client in clients:
        client.cookies = {"a": "b"}
        client.cookies.extract_cookies(
            httpx.Response(
                200,
                headers={"Set-Cookie": "c=d"},
                request=httpx.Request("GET", "https://shop.example/"),
            )
        )
        assert not client.cookies
    clients[0].close()
    asyncio.run(clients[1].aclose())


def test_headers_are_read_by_lower_case_name_and_twice_told_ones_are_joined() -> None:
    told = [("Request-Id", "req_1"), ("X-Two", "a"), ("x-two", "b"), ("X-Far", "\xe4")]
    headers = headers_of(
        httpx.Response(200, headers=[(k.encode(), v.encode("latin-1")) for k, v in told])
    )
    assert dict(headers) == {"request-id": "req_1", "x-two": "a, b", "x-far": "\xe4"}


def test_certificates_are_read_once_for_all_clients(monkeypatch: Any) -> None:
    read: list[Any] = []
    real = httpx.create_ssl_context

    def counted(*verified: Any, **options: Any) -> Any:
        if not verified and options.get("verify", True) is True:
            read.append(options)
        return real(*verified, **options)

    http_clients._believing.cache_clear()
    monkeypatch.setattr(httpx, "create_ssl_context", counted)
    for _ in range(3):
        blocking_client(trust_env=False).close()
        asyncio.run(awaited_client(trust_env=False).aclose())
    assert read == [{"trust_env": False}]


@pytest.mark.parametrize("made", [blocking_client, awaited_client])
def test_certificates_of_the_environment_are_believed_when_a_client_is_made(
    made: Any, monkeypatch: Any, tmp_path: Path
) -> None:
    made(trust_env=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    with pytest.raises(FileNotFoundError):
        made(trust_env=True)
    made(trust_env=False)
