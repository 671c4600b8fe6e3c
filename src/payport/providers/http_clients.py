"""
The HTTP clients that adapters send with, and what a client's errors prove about the request.

Everything is reached through httpx's interface, so that a client can be passed, and a test can
stand in its place (`respx.mock(using="httpx")`); what carries an awaited request beneath it is
aiohttp, where `payport[aiohttp]` is installed. Knows no processor, and sends nothing by itself.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import httpx

from payport.domain.frozen import FrozenMapping
from payport.domain.sensitive import redact
from payport.providers.exchange import TransportError
from payport.providers.one_write import OneWriteTransport

if TYPE_CHECKING:
    import ssl

__all__ = [
    "WHOLE",
    "Cookieless",
    "awaited_client",
    "blocking_client",
    "copy_of",
    "failures",
    "headers_of",
    "unanswered",
]

#: The extension of an answer that holds its whole body, where a transport has read it already:
#: taking it from there spares the way through httpx's streams.
WHOLE: Final = "payport_whole"

#: httpx's errors for requests of which no byte was written, because no connection was made.
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout)


class _NoCookies(httpx.Cookies):
    """Stays empty: no request of ours carries a cookie, and looking for them takes time."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Keep none."""


class Cookieless:
    """What clients of ours do about cookies: stands before httpx's class."""

    @property
    def cookies(self) -> httpx.Cookies:
        """None, ever."""
        return _NoCookies()

    @cookies.setter
    def cookies(self, cookies: object) -> None:
        """Keep none."""


class _BlockingClient(Cookieless, httpx.Client):
    def _init_transport(self, *_: Any, **options: Any) -> httpx.BaseTransport:
        options.pop("transport", None)  # none is passed
        return OneWriteTransport(**options)


class _AwaitedClient(Cookieless, httpx.AsyncClient):
    pass


def blocking_client(*, trust_env: bool) -> httpx.Client:
    """
    A client that blocks. Opens nothing yet.

    Args:
        trust_env: Whether the proxies of the environment are used.
    """
    return _BlockingClient(trust_env=trust_env, verify=_trusted(trust_env=trust_env))


def awaited_client(*, trust_env: bool) -> httpx.AsyncClient:
    """
    A client that is awaited; on aiohttp, where httpx-aiohttp is installed.

    httpx's own connection pool takes longer the more requests wait in it: with sixteen at once, a
    request costs three to four times as much. https://github.com/encode/httpx/issues/3215
    """
    if find_spec("httpx_aiohttp") is None:
        return _AwaitedClient(trust_env=trust_env, verify=_trusted(trust_env=trust_env))
    from payport.providers.on_aiohttp import AiohttpClient  # noqa: PLC0415 - optional, and slow

    return AiohttpClient(trust_env=trust_env, verify=_trusted(trust_env=trust_env))


def _trusted(*, trust_env: bool) -> ssl.SSLContext:
    """Whose certificates are believed: those that httpx believes, and the environment's."""
    named = ("SSL_CERT_FILE", "SSL_CERT_DIR") if trust_env else ()
    return _believing(trust_env, *[os.environ.get(name) for name in named])


@lru_cache(maxsize=8)
def _believing(trust_env: bool, *_named: str | None) -> ssl.SSLContext:  # noqa: FBT001 - a cache's key
    # Reading the certificates takes 20 ms, which a test suite pays for each client that it makes.
    return httpx.create_ssl_context(trust_env=trust_env)


def failures() -> tuple[type[Exception], ...]:
    """What a request may end in without an answer. httpx-aiohttp lets some of aiohttp's through."""
    aiohttp = _aiohttp()
    return (httpx.RequestError,) if aiohttp is None else (httpx.RequestError, aiohttp.ClientError)


def unanswered(error: Exception) -> TransportError:
    """One of `failures` in our words: above all, whether a byte of the request may have left."""
    if isinstance(error, httpx.PoolTimeout):
        message = "none of this process's connections was free in time; it was not sent"
        return TransportError(message, sent=False, congested=True)
    sent = not _is_unsent(error)
    what = "the answer did not come back whole" if sent else "no connection was made"
    return TransportError(f"{what}: {type(error).__name__}", sent=sent)


def _is_unsent(error: Exception) -> bool:
    if not isinstance(error, _NOT_SENT):
        return False
    aiohttp = _aiohttp()
    if aiohttp is None or not isinstance(error.__cause__, aiohttp.ClientError):
        return True
    # httpx-aiohttp calls every broken connection a connect time-out, also one that broke after the
    # request was written. Only these two are raised before that.
    unsent = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
    return isinstance(error.__cause__, unsent)


def _aiohttp() -> Any:
    """The module, where anybody uses it: who passes a client on aiohttp has imported it."""
    return sys.modules.get("aiohttp")


def copy_of(error: Exception) -> Exception:
    """The error to chain: the one itself holds the request, and that the key."""
    kind = type(error) if isinstance(error, httpx.RequestError) else httpx.RemoteProtocolError
    return kind(redact(str(error)))


def headers_of(answer: httpx.Response) -> FrozenMapping:
    """The headers by lower-case name; of those that are there twice, the values with commas."""
    headers: dict[str, str] = {}
    for name, value in answer.headers.raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return FrozenMapping(headers)
