"""The client's life in a FastAPI or Starlette application, and its loops."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace

import httpx
import pytest
from loopback import serving, wait_for
from served_shops import (
    TERMS,
    AsyncFlaky,
    Shop,
    on_fastapi,
    on_fastapi_blocking,
    on_starlette,
)
from starlette.applications import Starlette

from payport import AsyncPayport, ConfigurationError, Payport
from payport.integrations import fastapi
from payport.integrations._worker import run_worker, run_worker_async
from payport.testing import AsyncFakeProvider, FakeProvider

LOOPS = {"worker": 0.01, "recovery": 0.01}


@pytest.fixture(params=[on_fastapi, on_fastapi_blocking, on_starlette])
def serve(request):
    return request.param


def test_the_worker_processes_what_was_received(serve):
    with serve(Shop("fake"), worker=0.01) as shop:
        for request in shop.webhooks():
            assert shop.post(request).status_code == 200
        wait_for(lambda: shop.handled == ["order_1"])


def test_the_worker_goes_on_after_a_failure(serve):
    with serve(Shop("fake"), **LOOPS) as shop:
        requests = shop.webhooks()
        shop.unavailable()
        failed = shop.store.refused
        wait_for(lambda: shop.store.refused > failed + 3)
        shop.store.error = None
        for request in requests:
            assert shop.post(request).status_code == 200
        wait_for(lambda: shop.handled == ["order_1"])


def test_nothing_runs_unless_asked(serve):
    with serve(Shop("fake")) as shop:
        for request in shop.webhooks():
            shop.post(request)
        assert [t.name for t in threading.enumerate() if "payport" in t.name] == []
    assert shop.handled == []


def run(app, within):
    async def go():
        async with asyncio.timeout(5), app.router.lifespan_context(app):
            await within()

    asyncio.run(go())


def test_the_client_is_closed_at_the_end():
    pay = AsyncPayport(AsyncFakeProvider())
    app = Starlette(lifespan=fastapi.payport_lifespan(pay, **LOOPS))

    async def use():
        await pay.payments.create(reference="order_1", **TERMS)

    run(app, use)

    with pytest.raises(ConfigurationError, match="closed"):
        asyncio.run(pay.payments.get(reference="order_1"))


def test_a_blocking_client_is_closed_at_the_end():
    pay = Payport(FakeProvider())

    async def nothing():
        """Begin and end."""

    run(Starlette(lifespan=fastapi.payport_lifespan(pay, **LOOPS)), nothing)

    with pytest.raises(ConfigurationError, match="closed"):
        pay.payments.get(reference="order_1")


def test_what_a_loop_has_in_hand_is_ended_before_the_client_is_closed():
    store, steps, begun = AsyncFlaky(), [], asyncio.Event()
    slow = store.target.transact

    async def transact(work):
        steps.append("begun")
        begun.set()
        await asyncio.sleep(0.05)
        result = await slow(work)
        steps.append("ended")
        return result

    store.target.transact = transact
    pay = AsyncPayport(AsyncFakeProvider(), store=store)

    run(Starlette(lifespan=fastapi.payport_lifespan(pay, worker=60)), begun.wait)

    assert steps.count("begun") == steps.count("ended") > 0


def test_a_loop_that_does_not_end_is_cancelled(monkeypatch):
    monkeypatch.setattr(fastapi, "_GRACE", 0.05)
    store, cancelled = AsyncFlaky(), []

    async def transact(work):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(work)
            raise

    store.target.transact = transact
    pay = AsyncPayport(AsyncFakeProvider(), store=store)

    async def a_moment():
        await asyncio.sleep(0.02)

    run(Starlette(lifespan=fastapi.payport_lifespan(pay, worker=60)), a_moment)

    assert len(cancelled) == 1


def test_an_application_without_the_lifespan_has_no_client():
    app = Starlette()
    fastapi.mount_webhooks(app, path="/webhooks")
    with serving(app) as (url,), httpx.Client(base_url=url) as http:
        answer = http.post("/webhooks", content=b"{}")
    assert (answer.status_code, answer.text) == (500, "error")


def test_a_worker_of_the_clients_own_is_preferred():
    """It stops between two deliveries, and not only once nothing is due."""
    told = []

    class Webhooks:
        def run_worker(self, **how):
            told.append(how)

    class Awaited:
        async def run_worker(self, **how):
            told.append(how)

    stop, stop_awaited = threading.Event(), asyncio.Event()
    run_worker(SimpleNamespace(webhooks=Webhooks()), stop=stop, every=2)
    asyncio.run(run_worker_async(SimpleNamespace(webhooks=Awaited()), stop=stop_awaited, every=3))

    assert told == [{"stop": stop, "poll": 2}, {"stop": stop_awaited, "poll": 3}]
