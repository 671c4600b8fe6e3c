"""
A simulator as an ASGI application: `uvicorn.run(simulator.asgi(), date_header=False)`.

Without `date_header=False` answers tell the machine's time beside the bank's own. It takes requests
of this machine only, by peer and by Host: there is no authentication worth the name in front of the
control surface. It imports no web framework.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, TypeAlias

from payport.providers.exchange import Response, TransportError
from payport.testing.simulation.control import PREFIX, Control
from payport.testing.simulation.documents import Doc
from payport.testing.simulation.posting import LOOPBACK
from payport.testing.simulation.wire import MOST_BYTES, HttpRequest

__all__ = ["AsgiApp"]

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_JSON: Final = [(b"content-type", b"application/json")]


class AsgiApp:
    """
    The application.

    Args:
        handle: Answers a request to the processor.
        control: Serves the control surface.

    Attributes:
        requests: How many requests it has had: whoever runs it sees whether it is idle.
    """

    def __init__(self, handle: Callable[[HttpRequest], Response], control: Control) -> None:
        self._handle = handle
        self._control = control
        self.requests: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or the server's start and stop."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            self.requests += 1
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        if not _is_local(scope, headers):
            await _answer(send, 403, _JSON, b'{"error":"this is for loopback only"}')
            return
        body = await _body(receive)
        if body is None:
            return
        path: str = scope["raw_path"].decode("latin-1")
        query: str = scope["query_string"].decode("latin-1")
        if path.startswith(PREFIX):
            # In a thread: it may send webhooks to an application that asks the simulator meanwhile.
            status, document = await asyncio.to_thread(
                self._control.handle, scope["method"], path, query, body
            )
            await _answer(send, status, _JSON, _encoded(document))
            return
        target = f"{path}?{query}" if query else path
        request = HttpRequest(method=scope["method"], target=target, headers=headers, body=body)
        try:
            response = self._handle(request)
        except TransportError:
            await _break(send)
            return
        told = [
            (name.encode(), value.encode("latin-1")) for name, value in response.headers.items()
        ]
        await _answer(send, response.status, told, response.body)


def _encoded(document: Doc) -> bytes:
    return json.dumps(document).encode()


def _is_local(scope: Scope, headers: MutableMapping[str, str]) -> bool:
    """Whether peer and Host are this machine: a page that a browser loaded has another Host."""
    client = scope.get("client")
    host = headers.get("host", "")
    name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    return client is not None and client[0] in LOOPBACK and name in LOOPBACK


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _body(receive: Receive) -> bytes | None:
    """The body, as much of it as may be looked at; None where the client went away."""
    kept = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        # One byte more than is taken is enough to know that it is too much.
        kept += message.get("body", b"")[: MOST_BYTES + 1 - len(kept)]
        if not message.get("more_body", False):
            return bytes(kept)


async def _answer(
    send: Send, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes
) -> None:
    own = [(name, value) for name, value in headers if name != b"server"]
    length = (b"content-length", str(len(body)).encode())
    start = {"type": "http.response.start", "status": status, "headers": [*own, length]}
    await send(start)
    await send({"type": "http.response.body", "body": body})


async def _break(send: Send) -> None:
    """Promise more than is sent: the server then closes the connection, which is the point."""
    headers = [(b"content-length", b"2"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": True})
