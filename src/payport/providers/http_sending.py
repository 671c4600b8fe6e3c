"""
Senders for adapters whose processor has one address, and takes its credentials in headers.

Both colours are `http_writing`'s writers with what every adapter has to do besides: add the headers
with the credentials at the last moment, wait no longer than anybody wants to, and let no frame that
held them out with an exception. Knows no processor and reads no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import httpx

from payport.providers.exchange import Request, Response
from payport.providers.http_writing import AwaitedWriter, BlockingWriter, Outgoing, forget_frames

__all__ = ["AsyncHttpSend", "Headers", "HttpSend"]

#: The headers of a request that its adapter did not render, credentials above all.
Headers: TypeAlias = Callable[[Request], Mapping[str, str]]


class HttpSend(BlockingWriter):
    """
    Sends requests, blocking. A `payport.providers.exchange.Send`.

    Args:
        base_url: Scheme, host and port; see `payport.providers.addresses.checked_address`.
        headers: Called for each request; what it returns is kept nowhere.
        client: Used instead of one of its own, and never closed here.
        timeout: Seconds that a request may take at most, whatever its caller would wait.
    """

    def __init__(
        self,
        base_url: str,
        headers: Headers,
        client: httpx.Client | None = None,
        *,
        timeout: float = 60.0,
    ) -> None:
        super().__init__(base_url, client)
        self._headers = headers
        self._longest = timeout

    def __call__(self, request: Request, *, timeout: float) -> Response:
        """Raise TransportError where no whole answer came."""
        try:
            return self.write(self._outgoing(request), min(timeout, self._longest))
        except BaseException as error:  # noqa: BLE001 - raised again, without its frames
            # They hold the request, and that the credentials.
            forget_frames(error)
            raise error.with_traceback(None) from error.__cause__

    def _outgoing(self, request: Request) -> Outgoing:
        return _outgoing(self._base_url, request, self._headers)


class AsyncHttpSend(AwaitedWriter):
    """Sends requests, awaited. A `payport.providers.exchange.AsyncSend`; see `HttpSend`."""

    def __init__(
        self,
        base_url: str,
        headers: Headers,
        client: httpx.AsyncClient | None = None,
        *,
        timeout: float = 60.0,
    ) -> None:
        super().__init__(base_url, client)
        self._headers = headers
        self._longest = timeout

    async def __call__(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109
        """Raise TransportError where no whole answer came."""
        try:
            return await self.write(self._outgoing(request), min(timeout, self._longest))
        except BaseException as error:  # noqa: BLE001 - raised again, without its frames
            forget_frames(error)
            raise error.with_traceback(None) from error.__cause__

    def _outgoing(self, request: Request) -> Outgoing:
        return _outgoing(self._base_url, request, self._headers)


def _outgoing(base_url: str, request: Request, headers: Headers) -> Outgoing:
    return Outgoing(
        method=request.method,
        url=base_url + request.target,
        headers={**request.headers, **headers(request)},
        body=request.body,
    )
