"""
The integrations as applications type them. Checked by mypy and pyright, never executed; see api.py.
"""

from __future__ import annotations

from typing import Annotated, assert_type

from fastapi import Depends, FastAPI
from flask import Blueprint, Flask
from starlette.applications import Starlette

from payport import AsyncPayport, Payport
from payport.integrations import django, fastapi, flask
from payport.providers.base import PaymentProvider


def on_fastapi(pay: AsyncPayport) -> FastAPI:
    app = FastAPI(lifespan=fastapi.payport_lifespan(pay, worker=1.0, recovery=30))
    fastapi.mount_webhooks(app, pay, "/webhooks/stripe", process=True)

    @app.post("/checkout")
    async def checkout(pay: Annotated[AsyncPayport, Depends(fastapi.get_payport)]) -> str:
        return (await pay.payments.get(reference="order_1")).status

    return app


def on_starlette(pay: Payport) -> Starlette:
    app = Starlette(lifespan=fastapi.payport_lifespan(pay))
    fastapi.mount_webhooks(app, path="/webhooks/stripe")
    return app


def on_flask(pay: Payport) -> Flask:
    app = Flask("shop")
    flask.mount_webhooks(app, pay, "/webhooks/stripe")
    assert_type(flask.webhooks_blueprint(pay), Blueprint)
    assert_type(flask.get_payport(), Payport)
    return app


def on_django(provider: PaymentProvider) -> Payport:
    assert_type(django.get_payport(), Payport)
    return Payport(provider, scope="shop", store=django.DjangoStore("payments"))
