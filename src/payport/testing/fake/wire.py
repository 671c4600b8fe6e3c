"""
The network between a fake provider and the bank: no sockets, no threads, no waiting.

Adds the credentials, as senders do, so that no request holds them. Both colours are one function;
the async one lets other tasks run before the bank has the request and before the answer is read,
so tasks interleave and are canceled where they would be on a real network.
"""

from __future__ import annotations

from payport.domain.secrets import Secret
from payport.providers.exchange import Request, Response
from payport.testing.clock import turn
from payport.testing.fake.server import FakeServer
from payport.testing.script import Script

__all__ = ["AsyncFakeWire", "FakeWire"]


class FakeWire:
    """Sends requests to a bank's server. A `payport.providers.exchange.Send`."""

    __slots__ = ("_api_key", "_script", "_server")

    def __init__(self, server: FakeServer, script: Script, api_key: Secret) -> None:
        self._server = server
        self._script = script
        self._api_key = api_key

    def __call__(self, request: Request, *, timeout: float) -> Response:
        """Raise TransportError or Crash where the script says so."""
        return self._server.handle(
            request, api_key=self._api_key, script=self._script, timeout=timeout
        )


class AsyncFakeWire(FakeWire):
    """The same, awaited. A `payport.providers.exchange.AsyncSend`."""

    __slots__ = ()

    async def __call__(self, request: Request, *, timeout: float) -> Response:  # type: ignore[override]  # noqa: ASYNC109
        """Raise TransportError or Crash where the script says so."""
        await turn()
        response = super().__call__(request, timeout=timeout)
        await turn()
        return response
