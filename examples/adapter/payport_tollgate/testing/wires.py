"""Ways to the simulator: httpx transports of both colours, and an ASGI application for a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

import httpx

from payport.providers.exchange import TransportError
from payport.testing.clock import turn
from payport.testing.script import Script
from payport_tollgate.testing.simulator import TollgateSimulator, Wire

_Scope: TypeAlias = MutableMapping[str, Any]
_Send: TypeAlias = Callable[[_Scope], Awaitable[None]]

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})


class Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """No socket, no thread, no waiting: `httpx.Client(transport=...)`, or `httpx.AsyncClient`."""

    def __init__(self, simulator: TollgateSimulator, script: Script) -> None:
        self._simulator = simulator
        self._script = script

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer; raise httpx's errors where the script says so."""
        return self._answer(request, request.read())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The same, awaited: other tasks have a turn before and after."""
        body = await request.aread()
        await turn()
        response = self._answer(request, body)
        await turn()
        return response

    def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        wire = Wire(
            method=request.method,
            target=request.url.raw_path.decode(),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=body,
            timeout=request.extensions["timeout"]["read"],
        )
        try:
            response = self._simulator.handle(wire, self._script)
        except TransportError as broken:
            error = httpx.ReadError if broken.sent else httpx.ConnectError
            raise error(str(broken), request=request) from broken
        headers = list(response.headers.items())
        return httpx.Response(response.status, headers=headers, content=response.body)


class App:
    """The simulator as an ASGI application, for this machine alone."""

    def __init__(self, simulator: TollgateSimulator) -> None:
        self._simulator = simulator

    async def __call__(self, scope: _Scope, receive: Callable[[], Any], send: _Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        status, answer = 403, b"{}"
        if scope["client"] and scope["client"][0] in _LOOPBACK:
            query = f"?{scope['query_string'].decode()}" if scope["query_string"] else ""
            wire = Wire(
                method=scope["method"],
                target=scope["raw_path"].decode() + query,
                headers={
                    name.decode(): value.decode("latin-1") for name, value in scope["headers"]
                },
                body=body,
            )
            response = await asyncio.to_thread(self._simulator.handle, wire)
            status, answer = response.status, response.body
        told = [(b"content-type", b"application/json")]
        told.append((b"content-length", str(len(answer)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": told})
        await send({"type": "http.response.body", "body": answer})
