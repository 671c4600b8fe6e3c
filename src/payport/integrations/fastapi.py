"""
Payport in FastAPI and Starlette: the webhook endpoint in one line, the client's life, and the
dependency that gives it to a path operation. Only Starlette is imported.

    pay = AsyncPayport(provider, scope="shop", store="postgresql://...")
    app = FastAPI(lifespan=payport_lifespan(pay, worker=1.0, recovery=30.0))
    mount_webhooks(app, pay, "/webhooks/payport")

    @app.post("/checkout/{order}")
    async def checkout(order: str, pay: Annotated[AsyncPayport, Depends(get_payport)]): ...

A blocking `Payport` works as well: it is called in threads, and its loops get one each.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, TypeAlias

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response

from payport.client.payport import AsyncPayport, Payport
from payport.domain.errors import ConfigurationError, PayportError
from payport.integrations._answers import Answer, Body, answer_from, answer_to, check_length
from payport.integrations._worker import run_worker, run_worker_async
from payport.webhooks.inbox import Receipt

__all__ = ["get_payport", "mount_webhooks", "payport_lifespan"]

AnyPayport: TypeAlias = AsyncPayport | Payport
Lifespan: TypeAlias = Callable[[Any], AbstractAsyncContextManager[None]]

#: Where `payport_lifespan` leaves the client in `app.state`.
_STATE: Final = "payport"

#: Seconds that a loop has to end what is in its hands when the application stops.
_GRACE: Final = 10.0


def mount_webhooks(
    app: Starlette,
    pay: AnyPayport | None = None,
    path: str = "/webhooks/payport",
    *,
    process: bool = False,
    provider: str | None = None,
) -> None:
    """
    Add the endpoint that a provider posts its webhooks to.

    It answers 200 once a request is stored durably, 400 or 413 to one that is rejected, and 503
    where it could not be stored, so that the provider sends it again. No more of a body is read
    than a webhook may have, and it is not parsed.

    Args:
        app: A Starlette or FastAPI application.
        pay: The client; the one of `payport_lifespan` if left out.
        path: The route's path.
        process: Whether what was received is processed before the answer, for applications
            without a worker. Handlers then have the provider's time-out to be done in. A failure
            changes nothing about the answer: the delivery is due again later.
        provider: The name of the provider that posts here, where the client has several: each has
            an endpoint of its own.
    """

    async def webhooks(request: Request) -> Response:
        try:
            client = pay if pay is not None else get_payport(request)
            receipt = await _receive(client, request, provider)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except Exception as error:  # noqa: BLE001 - whatever it is, its details stay here
            return _response(answer_to(error))
        if process:
            await _process(client)
        return _response(answer_from(receipt))

    app.add_route(path, webhooks, methods=["POST"], include_in_schema=False)


def payport_lifespan(
    pay: AnyPayport, *, worker: float | None = None, recovery: float | None = None
) -> Lifespan:
    """
    Make a `lifespan` for an application: at its end the client is closed.

    Args:
        pay: The client, for this application alone.
        worker: Seconds between two looks for webhooks that are due; None: nothing is processed by
            this process itself.
        recovery: Seconds between two runs of recovery; None: nothing is recovered.

    At the end both get ten seconds to finish what they have in hand. To combine it with a lifespan
    of the application's own, enter it there: `async with payport_lifespan(pay)(app): ...`.
    """

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncGenerator[None]:
        setattr(app.state, _STATE, pay)
        loops = _Loops(pay, worker, recovery)
        loops.start()
        try:
            yield
        finally:
            await loops.end()
            if isinstance(pay, AsyncPayport):
                await pay.aclose()
            else:
                await run_in_threadpool(pay.close)

    return lifespan


def get_payport(connection: HTTPConnection) -> Any:
    """
    The client of `payport_lifespan`, for `Depends`. Any: annotate it with the client's class.

    Raises:
        ConfigurationError: The application has no such lifespan, or it did not begin.
    """
    pay = getattr(connection.app.state, _STATE, None)
    if not isinstance(pay, AsyncPayport | Payport):
        raise ConfigurationError(
            "this application has no client: construct it with lifespan=payport_lifespan(pay). "
            "A mounted application's own lifespan does not run: use the outer one's client.",
            operation="get_payport",
        )
    return pay


async def _receive(pay: AnyPayport, request: Request, provider: str | None) -> Receipt:
    check_length(request.headers.get("content-length"))
    body = Body()
    async for piece in request.stream():
        body.add(piece)
    whole, headers, url = body.whole(), request.headers, str(request.url)
    if isinstance(pay, AsyncPayport):
        return await pay.webhooks.receive(body=whole, headers=headers, url=url, provider=provider)
    return await run_in_threadpool(
        pay.webhooks.receive, body=whole, headers=headers, url=url, provider=provider
    )


async def _process(pay: AnyPayport) -> None:
    try:
        if isinstance(pay, AsyncPayport):
            await pay.webhooks.process_due()
        else:
            await run_in_threadpool(pay.webhooks.process_due)
    except PayportError as error:
        answer_to(error)


def _response(answer: Answer) -> Response:
    return PlainTextResponse(answer.text, answer.status, headers=dict(answer.headers))


class _Loops:
    """The loops of one application: tasks, each of which has a thread where the client blocks."""

    def __init__(self, pay: AnyPayport, worker: float | None, recovery: float | None) -> None:
        self._pay = pay
        self._worker = worker
        self._recovery = recovery
        self._stop = asyncio.Event()
        self._stop_threads = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        for name, every, run in (
            ("payport-worker", self._worker, self._work),
            ("payport-recovery", self._recovery, self._recover),
        ):
            if every is not None:
                self._tasks.append(asyncio.create_task(run(every), name=name))

    async def end(self) -> None:
        """Let each finish what it has in hand; the transactions of a cancelled one roll back."""
        self._stop.set()
        self._stop_threads.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_GRACE)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _work(self, every: float) -> Coroutine[Any, Any, None]:
        if isinstance(self._pay, AsyncPayport):
            return run_worker_async(self._pay, stop=self._stop, every=every)
        return asyncio.to_thread(run_worker, self._pay, stop=self._stop_threads, every=every)

    def _recover(self, every: float) -> Coroutine[Any, Any, None]:
        if isinstance(self._pay, AsyncPayport):
            return self._pay.operations.run_recovery(stop=self._stop, every=every)
        return asyncio.to_thread(
            self._pay.operations.run_recovery, stop=self._stop_threads, every=every
        )
