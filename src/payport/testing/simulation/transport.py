"""
Simulators as httpx transports: no socket, no thread, no waiting.

Both colours are one function; the async one lets other tasks run before the request arrives and
before the answer is read, so tasks interleave and are canceled where they would be on a network.
"""

from __future__ import annotations

from typing import Final, Protocol

import httpx

from payport.providers.exchange import Response, TransportError
from payport.testing.clock import turn
from payport.testing.script import Script
from payport.testing.simulation.wire import HttpRequest

__all__ = ["AsyncSimulatorTransport", "Server", "SimulatorTransport"]

_PATIENCE: Final = 80.0


class Server(Protocol):
    """What answers requests: a simulator's front door."""

    def handle(self, request: HttpRequest, script: Script) -> Response:
        """
        Answer one request.

        Raises:
            TransportError: The script says that no whole answer comes back.
            Crash: The script says that the client dies.
        """
        ...


def _request(request: httpx.Request, body: bytes) -> HttpRequest:
    timeouts = request.extensions.get("timeout", {})
    headers = {name.lower(): value for name, value in request.headers.items()}
    return HttpRequest(
        method=request.method,
        target=request.url.raw_path.decode("ascii"),
        headers=headers,
        body=body,
        timeout=timeouts.get("read") or _PATIENCE,
    )


def _answer(server: Server, script: Script, request: httpx.Request, body: bytes) -> httpx.Response:
    try:
        response: Response = server.handle(_request(request, body), script)
    except TransportError as broken:
        raise _error(broken, request) from broken
    headers = list(response.headers.items())
    return httpx.Response(response.status, headers=headers, content=response.body)


def _error(broken: TransportError, request: httpx.Request) -> httpx.TransportError:
    message = str(broken)
    if not broken.sent:
        return httpx.ConnectError(message, request=request)
    if message.startswith("no answer"):
        return httpx.ReadTimeout(message, request=request)
    return httpx.ReadError(message, request=request)


class SimulatorTransport(httpx.BaseTransport):
    """Blocking: `httpx.Client(transport=simulator.transport())`."""

    def __init__(self, server: Server, script: Script) -> None:
        self._server = server
        self.script = script

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer; raise httpx's errors where the script says so."""
        return _answer(self._server, self.script, request, request.read())


class AsyncSimulatorTransport(httpx.AsyncBaseTransport):
    """Awaited: `httpx.AsyncClient(transport=simulator.async_transport())`."""

    def __init__(self, server: Server, script: Script) -> None:
        self._server = server
        self.script = script

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer; raise httpx's errors where the script says so."""
        body = await request.aread()
        await turn()
        response = _answer(self._server, self.script, request, body)
        await turn()
        return response
