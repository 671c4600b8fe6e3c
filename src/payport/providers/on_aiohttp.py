"""
httpx's client on aiohttp's connections, by httpx-aiohttp, made to write what it was given.

Left to itself aiohttp keeps cookies, adds headers of its own, and rounds time-outs up to whole
seconds. What its errors prove is decided in `http_clients`: those of httpx-aiohttp do not tell.
"""

from __future__ import annotations

import math
from typing import Any, Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport, HttpxAiohttpClient

__all__ = ["AiohttpClient"]

#: Headers that aiohttp adds where they are missing.
_ADDED: Final = ("Accept", "Accept-Encoding", "User-Agent")


class _Transport(AiohttpTransport):
    """Opens its session when it is first used, in the event loop that it is used in."""

    def get_client(self) -> aiohttp.ClientSession:
        """The session; called once."""
        if isinstance(self.client, aiohttp.ClientSession):
            return self.client
        connector = aiohttp.TCPConnector(
            limit=self.limits.max_connections or 0,
            keepalive_timeout=self.limits.keepalive_expiry,
            ssl=self.ssl_context,
            timeout_ceil_threshold=math.inf,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_ADDED,
        )


class AiohttpClient(HttpxAiohttpClient):
    """An `httpx.AsyncClient` on aiohttp; takes what that takes, but for `transport`."""

    def _init_transport(self, *_: Any, **options: Any) -> httpx.AsyncBaseTransport:
        return _Transport(**options)

    def _init_proxy_transport(
        self, proxy: httpx.Proxy, *_: Any, **options: Any
    ) -> httpx.AsyncBaseTransport:
        return _Transport(proxy=proxy, **options)
