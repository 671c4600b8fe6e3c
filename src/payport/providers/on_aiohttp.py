"""
httpx's client on aiohttp's connections: httpx-aiohttp's, made to write what it was given.

Left to itself aiohttp keeps cookies, adds headers of its own, quotes addresses anew and rounds
time-outs up to whole seconds; and httpx-aiohttp calls every broken connection a connect time-out,
also one that broke after the request was written, when money may have moved.
"""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport, HttpxAiohttpClient
from yarl import URL

from payport.providers.http_clients import WHOLE, Cookieless

__all__ = ["AiohttpClient"]

#: Headers that aiohttp adds where they are missing.
_ADDED: Final = ("Accept", "Accept-Encoding", "User-Agent")
#: aiohttp's errors in httpx's words; the first that fits, else ReadError. Only the first two are
#: raised before a byte of the request is written.
_ERRORS: Final[tuple[tuple[type[Exception], type[httpx.TransportError]], ...]] = (
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.ServerTimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
)


#: Requests at once, where the client has no limit.
_MANY: Final = 10_000


class _Transport(AiohttpTransport):
    """Reads whole answers. Opens its session at first use, in the event loop that it is used in."""

    client: aiohttp.ClientSession | Callable[[], aiohttp.ClientSession] | None
    _turns: asyncio.Semaphore | None = None

    def get_client(self) -> aiohttp.ClientSession:
        """The session."""
        if not isinstance(self.client, aiohttp.ClientSession):
            connector = aiohttp.TCPConnector(
                limit=self.limits.max_connections or 0,
                keepalive_timeout=self.limits.keepalive_expiry,
                ssl=self.ssl_context,
            )
            self.client = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=_ADDED,
            )
        return self.client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request whose body is there, and read the whole answer."""
        times = request.extensions["timeout"]
        async with self._turn(times["pool"]):
            return await self._handled(request, times)

    @asynccontextmanager
    async def _turn(self, seconds: float | None) -> AsyncGenerator[None]:
        """
        One of so many requests at once: aiohttp waits for a free connection too, and its error for
        that is the one of a provider that cannot be reached.
        """
        if self._turns is None:
            self._turns = asyncio.Semaphore(self.limits.max_connections or _MANY)
        try:
            async with asyncio.timeout(seconds):
                await self._turns.acquire()
        except TimeoutError as error:
            raise httpx.PoolTimeout("no connection was free") from error
        try:
            yield
        finally:
            self._turns.release()

    async def _handled(
        self, request: httpx.Request, times: dict[str, float | None]
    ) -> httpx.Response:
        try:
            async with self.get_client().request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=request.content or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    connect=times["pool"],
                    sock_connect=times["connect"],
                    sock_read=times["read"],
                    ceil_threshold=math.inf,
                ),
                **self._by_proxy(),
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, OSError) as error:
            raise _in_httpxs_words(error)(str(error)) from error
        is_plain = "Content-Encoding" not in answer.headers
        return httpx.Response(
            answer.status,
            headers=answer.raw_headers,
            stream=httpx.ByteStream(body),
            extensions={WHOLE: body} if is_plain else {},
        )

    def _by_proxy(self) -> dict[str, Any]:
        proxy = self.proxy
        if proxy is None:
            return {}
        headers = dict(proxy.headers)
        if proxy.raw_auth is not None:
            told = base64.b64encode(b":".join(proxy.raw_auth)).decode("ascii")
            headers["Proxy-Authorization"] = f"Basic {told}"
        return {"proxy": str(proxy.url), "proxy_headers": headers}


def _in_httpxs_words(error: Exception) -> type[httpx.TransportError]:
    named = (ours for theirs, ours in _ERRORS if isinstance(error, theirs))
    return next(named, httpx.ReadError)


class AiohttpClient(Cookieless, HttpxAiohttpClient):
    """An `httpx.AsyncClient` on aiohttp; takes what that takes, but for `transport`."""

    def _init_transport(self, *_: Any, **options: Any) -> httpx.AsyncBaseTransport:
        return _Transport(**options)

    def _init_proxy_transport(
        self, proxy: httpx.Proxy, *_: Any, **options: Any
    ) -> httpx.AsyncBaseTransport:
        return _Transport(proxy=proxy, **options)
