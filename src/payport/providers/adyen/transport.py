"""The way to Adyen and back: what was rendered, with the key, by payport's own writers."""

from __future__ import annotations

import httpx

from payport.providers.adyen.settings import Settings
from payport.providers.exchange import Request, Response
from payport.providers.http_writing import AwaitedWriter, BlockingWriter, Outgoing, forget_frames

__all__ = ["AdyenSend", "AsyncAdyenSend"]


class AdyenSend(BlockingWriter):
    """
    Sends requests, blocking. A `payport.providers.exchange.Send`.

    Args:
        client: Used instead of one of its own, and never closed here.
    """

    def __init__(self, settings: Settings, client: httpx.Client | None = None) -> None:
        super().__init__(settings.base_url, client)
        self._settings = settings

    def __call__(self, request: Request, *, timeout: float) -> Response:
        """Raise TransportError where no whole answer came."""
        seconds = min(timeout, self._settings.timeout)
        try:
            return self.write(_outgoing(request, self._settings), seconds)
        except BaseException as error:  # noqa: BLE001 - raised again, without its frames
            # Its frames hold the request, and that the key.
            forget_frames(error)
            raise error.with_traceback(None) from error.__cause__


class AsyncAdyenSend(AwaitedWriter):
    """Sends requests, awaited. A `payport.providers.exchange.AsyncSend`."""

    def __init__(self, settings: Settings, client: httpx.AsyncClient | None = None) -> None:
        super().__init__(settings.base_url, client)
        self._settings = settings

    async def __call__(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109
        """Raise TransportError where no whole answer came."""
        seconds = min(timeout, self._settings.timeout)
        try:
            return await self.write(_outgoing(request, self._settings), seconds)
        except BaseException as error:  # noqa: BLE001 - raised again, without its frames
            forget_frames(error)
            raise error.with_traceback(None) from error.__cause__


def _outgoing(request: Request, settings: Settings) -> Outgoing:
    """The request with the key, which is nowhere else."""
    return Outgoing(
        method=request.method,
        url=settings.base_url + request.target,
        headers={**request.headers, "X-API-Key": settings.api_key.reveal()},
        body=request.body,
    )
