"""
The way to a processor and back, through httpx's interface, in both colours.

A byte is written exactly as it was rendered, redirects are not followed, and nothing is retried
here. Which client carries it, and what its errors prove, is known to `http_clients`; what is said,
and what an answer means, is the adapter's.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NoReturn
from weakref import WeakKeyDictionary

import httpx

from payport.domain.errors import ConfigurationError
from payport.providers.exchange import Response, TransportError
from payport.providers.http_clients import (
    WHOLE,
    awaited_client,
    blocking_client,
    copy_of,
    failures,
    headers_of,
    unanswered,
)

__all__ = ["AwaitedWriter", "BlockingWriter", "Outgoing", "forget_frames"]

#: Seconds that the whole may take longer than a part of it, so that a part's time-out, which says
#: which part it was, comes first.
_GRACE: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """What is about to be written, credentials and all."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class BlockingWriter:
    """
    Writes requests and reads answers, blocking.

    Opens its client at first use, in each process anew: one from before a fork is not used.

    Args:
        base_url: Scheme, host and port that everything goes to.
        client: Used instead of one of its own, and never closed here.
    """

    def __init__(self, base_url: str, client: httpx.Client | None = None) -> None:
        self._base_url = base_url
        self._given = client
        self._own: dict[int, httpx.Client] = {}

    def write(self, outgoing: Outgoing, seconds: float) -> Response:
        """Raise TransportError where no whole answer came within so many seconds."""
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
            made = blocking_client(trust_env=_trusts_environment(self._base_url))
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


class AwaitedWriter:
    """
    The same, awaited.

    Opens a client at first use in each event loop: connections belong to the loop they were made
    in. A client that was passed belongs to whoever made it.
    """

    def __init__(self, base_url: str, client: httpx.AsyncClient | None = None) -> None:
        self._base_url = base_url
        self._given = client
        self._home: asyncio.AbstractEventLoop | None = None
        self._own: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient]
        self._own = WeakKeyDictionary()

    async def write(self, outgoing: Outgoing, seconds: float) -> Response:
        """Raise TransportError where no whole answer came within so many seconds."""
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
            kept = self._own[loop] = awaited_client(trust_env=_trusts_environment(self._base_url))
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


def _trusts_environment(base_url: str) -> bool:
    """Proxies of the environment are for the world outside, not for a simulator on this machine."""
    return base_url.startswith("https:")


def _too_late(seconds: float) -> NoReturn:
    message = f"no whole answer within {seconds:g} s"
    raise TransportError(message, sent=True)


def forget_frames(error: BaseException) -> None:
    """Take the frames, whose variables hold the key, out of an exception and those behind it."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = None
        if one.__suppress_context__:
            one.__context__ = None
        left += one.__cause__, one.__context__
