"""The way to Stripe and back: what the SDK builds is written by payport's own writers."""

from __future__ import annotations

import httpx

from payport.providers.exchange import Request, Response
from payport.providers.http_writing import AwaitedWriter, BlockingWriter
from payport.providers.stripe.flight import AwaitedFlight, BlockingFlight
from payport.providers.stripe.settings import Settings

__all__ = ["AsyncStripeSend", "StripeSend"]


class StripeSend(BlockingWriter):
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
        return BlockingFlight(
            request, self._settings, lambda outgoing: self.write(outgoing, seconds)
        ).fly()


class AsyncStripeSend(AwaitedWriter):
    """Sends requests, awaited. A `payport.providers.exchange.AsyncSend`."""

    def __init__(self, settings: Settings, client: httpx.AsyncClient | None = None) -> None:
        super().__init__(settings.base_url, client)
        self._settings = settings

    async def __call__(self, request: Request, *, timeout: float) -> Response:  # noqa: ASYNC109
        """Raise TransportError where no whole answer came."""
        seconds = min(timeout, self._settings.timeout)
        return await AwaitedFlight(
            request, self._settings, lambda outgoing: self.write(outgoing, seconds)
        ).fly()
