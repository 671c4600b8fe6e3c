"""Endpoints of an application with several providers: each has its own, and names it."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from django.test import RequestFactory
from flask import Flask
from served_shops import TERMS
from starlette.applications import Starlette

from payport import AsyncPayport, Payport
from payport.integrations import fastapi, flask
from payport.integrations.django import views
from payport.providers.routing import AsyncRouter, Router, Rule
from payport.testing import AsyncFakeProvider, FakeProvider

NAMES = ("one", "other")


@pytest.fixture
def pay():
    """A client whose second provider was paid by."""
    members = [FakeProvider(name=name, webhook_secrets=[f"whsec_{name}"]) for name in NAMES]
    with Payport(Router(members, [Rule("other")]), scope="shop", store="memory") as pay:
        pay.payments.create(reference="order_1", **TERMS)
        yield pay


def signed(pay):
    return pay.providers["other"].webhooks()[0]


def test_flask_has_an_endpoint_for_each(pay):
    app = Flask("shop")
    for name in NAMES:
        flask.mount_webhooks(app, pay, f"/webhooks/{name}", provider=name)
    request = signed(pay)
    told = {"data": request.body, "headers": dict(request.headers)}
    assert app.test_client().post("/webhooks/other", **told).status_code == 200
    assert [row.provider for row in pay.webhooks.list()] == ["other"]
    with app.test_request_context("/"):
        assert flask.get_payport() is pay


def post(app, path, request):
    """The status that an ASGI application answers."""

    async def posted():
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="https://shop.example") as web:
            headers = dict(request.headers)
            answer = await web.post(path, content=request.body, headers=headers)
            return answer.status_code

    return posted()


def test_starlette_has_an_endpoint_for_each(pay):
    app = Starlette()
    for name in NAMES:
        fastapi.mount_webhooks(app, pay, f"/webhooks/{name}", provider=name)
    assert asyncio.run(post(app, "/webhooks/other", signed(pay))) == 200
    assert [row.provider for row in pay.webhooks.list()] == ["other"]


def test_an_endpoint_that_names_nobody_is_a_mistake_of_the_set_up(pay):
    app = Starlette()
    fastapi.mount_webhooks(app, pay, "/webhooks")
    assert asyncio.run(post(app, "/webhooks", signed(pay))) == 500


def test_an_awaited_client_has_an_endpoint_for_each():
    async def shop():
        members = [AsyncFakeProvider(name=name) for name in NAMES]
        router = AsyncRouter(members, [Rule("other")])
        async with AsyncPayport(router, scope="shop", store="memory") as pay:
            await pay.payments.create(reference="order_1", **TERMS)
            app = Starlette()
            fastapi.mount_webhooks(app, pay, "/webhooks/other", provider="other")
            return await post(app, "/webhooks/other", signed(pay))

    assert asyncio.run(shop()) == 200


def test_djangos_view_is_told_whose_endpoint_it_is(pay, monkeypatch):
    monkeypatch.setattr(views, "get_payport", lambda: pay)
    request = signed(pay)
    headers = {f"HTTP_{n.upper().replace('-', '_')}": v for n, v in request.headers.items()}
    for provider, status in (("other", 200), ("one", 400), (None, 500)):
        made = RequestFactory().post(
            "/webhooks", request.body, content_type="application/json", **headers
        )
        assert views.webhook(made, provider=provider).status_code == status
    assert [row.provider for row in pay.webhooks.list()] == ["other"]
