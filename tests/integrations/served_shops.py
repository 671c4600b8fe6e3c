"""
Shops with a webhook endpoint, each behind a real server of its framework: they all pay at
POST /pay/{order} and take webhooks at /webhooks/payport.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler
from wsgiref.simple_server import make_server as make_wsgi_server

import httpx
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.test import override_settings
from fastapi import Depends, FastAPI
from flask import Flask
from loopback import serving
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from werkzeug.serving import make_server

from payport import (
    AsyncPayport,
    Handlers,
    Money,
    PaymentSucceeded,
    Payport,
    StoreUnavailable,
)
from payport.integrations import fastapi, flask
from payport.integrations.django.asgi import limit_webhooks
from payport.integrations.django.clients import clients
from payport.providers.stripe import AsyncStripeProvider, StripeProvider
from payport.storage.memory import AsyncMemoryStore, MemoryStore
from payport.testing import AsyncFakeProvider, FakeProvider, StripeSimulator
from payport.testing.stripe_simulator import SIGNING_SECRET

PATH = "/webhooks/payport"


class Flaky:
    """A store that can be made unavailable, or break in a way that nobody foresaw."""

    def __init__(self):
        self.target = MemoryStore()
        self.error = None
        self.refused = 0

    def check(self):
        if self.error is not None:
            self.refused += 1
            raise self.error

    def transact(self, work):
        self.check()
        return self.target.transact(work)

    def close(self):
        self.target.close()


class AsyncFlaky:
    def __init__(self):
        self.flaky = Flaky()
        self.target = AsyncMemoryStore(self.flaky.target)

    async def transact(self, work):
        self.flaky.check()
        return await self.target.transact(work)

    async def aclose(self):
        await self.target.aclose()


@dataclass
class Shop:
    provider: str
    process: bool = False
    outside: Any = None
    store: Flaky = field(default_factory=Flaky)
    handled: list[str] = field(default_factory=list)
    http: httpx.Client = None

    def handlers(self):
        handlers = Handlers()

        @handlers.on(PaymentSucceeded, name="paid")
        def paid(event, tx):
            self.handled.append(event.reference)

        return handlers

    def sync_provider(self):
        if self.provider == "fake":
            self.outside = FakeProvider()
            return self.outside
        self.outside = StripeSimulator()
        return StripeProvider(
            api_key="sk_test_obviously_fake",
            webhook_secrets=[SIGNING_SECRET],
            http_client=httpx.Client(transport=self.outside.transport()),
        )

    def async_provider(self):
        if self.provider == "fake":
            self.outside = AsyncFakeProvider()
            return self.outside
        self.outside = StripeSimulator()
        return AsyncStripeProvider(
            api_key="sk_test_obviously_fake",
            webhook_secrets=[SIGNING_SECRET],
            http_client=httpx.AsyncClient(transport=self.outside.async_transport()),
        )

    def options(self):
        return {"scope": "shop", "handlers": self.handlers(), "clock": self.outside.clock}

    def sync_pay(self):
        provider = self.sync_provider()
        return Payport(provider, store=self.store, **self.options())

    def async_pay(self):
        provider, store = self.async_provider(), AsyncFlaky()
        self.store = store.flaky
        return AsyncPayport(provider, store=store, **self.options())

    # -- what tests do ------------------------------------------------------------------------

    def webhooks(self, order="order_1"):
        """What the provider sends of a payment that was made."""
        assert self.http.post(f"/pay/{order}").status_code == 200
        return self.outside.webhooks()

    def post(self, request):
        return self.http.post(PATH, content=request.body, headers=request.headers)

    def unavailable(self):
        self.store.error = StoreUnavailable("the disk at /srv/secret is full")

    def address(self):
        parts = urlsplit(str(self.http.base_url))
        return parts.hostname, parts.port


Client = Annotated[Any, Depends(fastapi.get_payport)]
TERMS = {"amount": Money(4999, "USD"), "payment_method": "pm_card_visa", "confirm": True}


@contextmanager
def on_fastapi(shop, **lifespan):
    pay = shop.async_pay()
    app = FastAPI(lifespan=fastapi.payport_lifespan(pay, **lifespan))
    fastapi.mount_webhooks(app, pay, PATH, process=shop.process)

    @app.post("/pay/{order}")
    async def create(order: str, client: Client):
        return str((await client.payments.create(reference=order, **TERMS)).status)

    with serving(app) as (url,), httpx.Client(base_url=url, timeout=10) as shop.http:
        yield shop


@contextmanager
def on_fastapi_blocking(shop, **lifespan):
    pay = shop.sync_pay()
    app = FastAPI(lifespan=fastapi.payport_lifespan(pay, **lifespan))
    fastapi.mount_webhooks(app, path=PATH, process=shop.process)

    @app.post("/pay/{order}")
    def create(order: str, client: Client):
        return str(client.payments.create(reference=order, **TERMS).status)

    with serving(app) as (url,), httpx.Client(base_url=url, timeout=10) as shop.http:
        yield shop


@contextmanager
def on_starlette(shop, **lifespan):
    pay = shop.async_pay()
    app = Starlette(lifespan=fastapi.payport_lifespan(pay, **lifespan))
    fastapi.mount_webhooks(app, pay, PATH, process=shop.process)

    async def create(request):
        client = fastapi.get_payport(request)
        intent = await client.payments.create(reference=request.path_params["order"], **TERMS)
        return JSONResponse(str(intent.status))

    app.add_route("/pay/{order}", create, methods=["POST"])
    with serving(app) as (url,), httpx.Client(base_url=url, timeout=10) as shop.http:
        yield shop


@contextmanager
def on_flask(shop):
    pay = shop.sync_pay()
    app = Flask("shop")
    flask.mount_webhooks(app, pay, PATH, process=shop.process)

    @app.post("/pay/<order>")
    def create(order):
        return str(flask.get_payport().payments.create(reference=order, **TERMS).status)

    server = make_server("127.0.0.1", 0, app, threaded=True)
    with _in_thread(server), httpx.Client(base_url=_url(server), timeout=10) as shop.http:
        yield shop
    pay.close()


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        """Nothing on standard error."""


@contextmanager
def _django_settings(shop):
    provider = shop.sync_provider()
    options = {"clock": shop.outside.clock}
    said = {
        "PROVIDER": provider,
        "SCOPE": "shop",
        "STORE": shop.store,
        "HANDLERS": shop.handlers(),
        "PROCESS_WEBHOOKS": shop.process,
        "OPTIONS": options,
    }
    with override_settings(PAYPORT=said):
        yield
    assert clients._client is None


@contextmanager
def on_django(shop):
    with _django_settings(shop):
        application = get_wsgi_application()
        server = make_wsgi_server("127.0.0.1", 0, application, handler_class=_Quiet)
        with _in_thread(server), httpx.Client(base_url=_url(server), timeout=10) as shop.http:
            yield shop


@contextmanager
def on_django_asgi(shop):
    with _django_settings(shop):
        application = limit_webhooks(get_asgi_application(), PATH)
        with (
            serving(_without_lifespan(application)) as (url,),
            httpx.Client(base_url=url, timeout=10) as shop.http,
        ):
            yield shop


def _without_lifespan(application):
    """Django's handler raises at the lifespan protocol, which uvicorn takes for "no lifespan"."""

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await application(scope, receive, send)
        else:
            raise asyncio.InvalidStateError

    return app


@contextmanager
def _in_thread(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()


def _url(server):
    return f"http://127.0.0.1:{server.server_port}"


SERVERS = {
    "fastapi": on_fastapi,
    "fastapi, blocking": on_fastapi_blocking,
    "starlette": on_starlette,
    "flask": on_flask,
    "django": on_django,
    "django, asgi": on_django_asgi,
}
