"""
The way to Stripe and back, through httpx's interface, in both colours.

A byte is written exactly as it was rendered, redirects are not followed, and nothing is retried
here. Which client carries it, and what its errors prove, is known to `http_clients`; what an answer
means is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import os
import time
from functools import lru_cache
from typing import Final, NoReturn
from weakref import WeakKeyDictionary

import httpx

from payport.domain.errors import ConfigurationError
from payport.providers.exchange import Request, Response, TransportError
from payport.providers.http_clients import (
    WHOLE,
    awaited_client,
    blocking_client,
    copy_of,
    failures,
    headers_of,
    unanswered,
)
from payport.providers.stripe.flight import AwaitedFlight, BlockingFlight, Outgoing
from payport.providers.stripe.settings import Settings

__all__ = ["AsyncStripeSend", "StripeSend"]

#: Seconds that the whole may take longer than a part of it, so that a part's time-out, which says
#: which part it was, comes first.
_GRACE: Final = 0.25


class StripeSend:
    """
    Sends requests, blocking. A `payport.providers.exchange.Send`.

    Opens its client at first use, in each process anew: one from before a fork is not used.

    Args:
        client: Used instead of one of its own, and never closed here.
    """

    def __init__(self, settings: Settings, client: httpx.Client | None = None) -> None:
        self._settings = settings
        self._given = client
        self._own: dict[int, httpx.Client] = {}

    def __call__(self, request: Request, *, timeout: float) -> Response:
        """Raise TransportError where no whole answer came."""
        seconds = min(timeout, self._settings.timeout)
        return BlockingFlight(
            request, self._settings, lambda outgoing: self._write(outgoing, seconds)
        ).fly()

    def _write(self, outgoing: Outgoing, seconds: float) -> Response:
        ends = time.monotonic() + seconds
        try:
            answer = self._client().send(
                _built(outgoing, seconds), auth=None, follow_redirects=False, stream=True
            )
            try:
                parts: list[bytes] = []
                for part in answer.iter_bytes():
                    parts.append(part)
                    # httpx limits each wait for bytes, not their sum.
                    if time.monotonic() > ends:
                        _too_late(seconds)
            finally:
                answer.close()
        except httpx.RequestError as error:
            raise unanswered(error) from copy_of(error)
        return Response(status=answer.status_code, headers=headers_of(answer), body=b"".join(parts))

    def _client(self) -> httpx.Client:
        if self._given is not None:
            return self._given
        pid = os.getpid()
        kept = self._own.get(pid)
        if kept is None:
            made = blocking_client(trust_env=_trusts_environment(self._settings))
            # Threads that meet here agree on the first one, without a lock that a fork could copy.
            kept = self._own.setdefault(pid, made)
            if kept is not made:
                made.close()
        return kept

    def close(self) -> None:
        """Close this process's own client; the next request opens another."""
        kept = self._own.pop(os.getpid(), None)
        if kept is not None:
            kept.close()


class AsyncStripeSend:
    """
    Sends requests, awaited. A `payport.providers.exchange.AsyncSend`.

    Opens a client at first use in each event loop: connections belong to the loop they were made
    in. A client that was passed belongs to whoever made it.
    """

    def __init__(self, settings: Settings, client: httpx.AsyncClient | None = None) -> None:
        self._settings = settings
        self._given = client
        self._home: asyncio.AbstractEventLoop | None = None
        self._own: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient]
        self._own = WeakKeyDictionary()

    async def __call__(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109
        """Raise TransportError where no whole answer came."""
        seconds = min(timeout, self._settings.timeout)
        return await AwaitedFlight(
            request, self._settings, lambda outgoing: self._write(outgoing, seconds)
        ).fly()

    async def _write(self, outgoing: Outgoing, seconds: float) -> Response:
        try:
            async with asyncio.timeout(seconds + _GRACE):
                answer = await self._client().send(
                    _built(outgoing, seconds), auth=None, follow_redirects=False, stream=True
                )
                try:
                    body = answer.extensions.get(WHOLE) or await answer.aread()
                finally:
                    await answer.aclose()
        except failures() as error:
            raise unanswered(error) from copy_of(error)
        except TimeoutError:
            _too_late(seconds)
        return Response(status=answer.status_code, headers=headers_of(answer), body=body)

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._given is not None:
            self._home = self._home or loop
            if self._home is not loop:
                message = "was first used in another event loop. Make one in each loop."
                raise ConfigurationError(message, field="http_client")
            return self._given
        kept = self._own.get(loop)
        if kept is None:
            kept = self._own[loop] = awaited_client(trust_env=_trusts_environment(self._settings))
        return kept

    async def aclose(self) -> None:
        """Close this event loop's own client; the next request opens another."""
        kept = self._own.pop(asyncio.get_running_loop(), None)
        if kept is not None:
            await kept.aclose()


# -- what both colours share ----------------------------------------------------------------------


def _built(outgoing: Outgoing, seconds: float) -> httpx.Request:
    """
    The request as it is. A client's own defaults, such as cookies or parameters, are not added:
    what goes on the wire is what was journaled.
    """
    url, body = _url(outgoing.url), outgoing.body
    headers = [("Host", url.netloc.decode("ascii")), *outgoing.headers.items()]
    if body:
        headers.append(("Content-Length", str(len(body))))
    request = httpx.Request(
        outgoing.method,
        url,
        headers=headers,
        stream=httpx.ByteStream(body),
        extensions={"timeout": dict.fromkeys(_PHASES, seconds)},
    )
    request.read()  # who looks at it, such as a test, finds its content
    return request


#: What httpx limits, each for itself.
_PHASES: Final = ("connect", "read", "write", "pool")

#: Most requests go to the same two or three addresses.
_url = lru_cache(maxsize=64)(httpx.URL)


def _trusts_environment(settings: Settings) -> bool:
    """Proxies of the environment are for the world outside, not for a simulator on this machine."""
    return settings.base_url.startswith("https:")


def _too_late(seconds: float) -> NoReturn:
    message = f"no whole answer within {seconds:g} s"
    raise TransportError(message, sent=True)
