"""
For projects behind an ASGI server: a limit to a webhook's body. Django itself reads a body to its
end, onto the disk, before any view is asked; behind WSGI the view reads it, and no more than it has
to.

    application = limit_webhooks(get_asgi_application(), "/webhooks/payport")
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from payport.domain.errors import WebhookRejected
from payport.integrations._answers import Answer, Body, answer_to, check_length

__all__ = ["limit_webhooks"]

_Message: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[_Message]]
_Send: TypeAlias = Callable[[_Message], Awaitable[None]]
_Asgi: TypeAlias = Callable[[Any, _Receive, _Send], Awaitable[None]]

_LENGTH: Final = b"content-length"


def limit_webhooks(application: _Asgi, path: str) -> _Asgi:
    """
    Wrap an ASGI application so that it is given no larger body at a path than a webhook may have.

    A larger one is answered 413, and the rest of it is not read.

    Args:
        path: That of the webhooks, as the server gives it: with the slash that it begins with.
    """

    async def limited(scope: Any, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http" or scope["path"] != path:
            await application(scope, receive, send)
            return
        try:
            check_length(_declared(scope))
            body = await _read(receive)
        except WebhookRejected as error:
            await _answer(send, answer_to(error))
            return
        if body is not None:
            await application(scope, _again(body, receive), send)

    return limited


def _declared(scope: Any) -> str | None:
    lengths = [value for name, value in scope["headers"] if name == _LENGTH]
    return lengths[0].decode("latin-1") if lengths else None


async def _read(receive: _Receive) -> bytes | None:
    """The body; None where the sender hung up."""
    body = Body()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body.add(message.get("body", b""))
        if not message.get("more_body", False):
            return body.whole()


def _again(body: bytes, receive: _Receive) -> _Receive:
    """What the application receives: the body in one piece, then what comes after it."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> _Message:
        return waiting.pop() if waiting else await receive()

    return received


async def _answer(send: _Send, answer: Answer) -> None:
    text = answer.text.encode()
    headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(text))}
    told = [(n.lower().encode(), v.encode()) for n, v in {**headers, **answer.headers}.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": told})
    await send({"type": "http.response.body", "body": text})
