"""The client in a Flask application."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import pytest
from flask import Flask
from served_shops import PATH, TERMS

from payport import ConfigurationError, Payport
from payport.integrations.flask import get_payport, mount_webhooks, webhooks_blueprint
from payport.testing import FakeProvider


@pytest.fixture
def pay():
    with Payport(FakeProvider()) as pay:
        yield pay


def test_the_client_is_there_in_every_view(pay):
    app = Flask("shop")
    mount_webhooks(app, pay)
    with app.test_request_context("/"):
        assert get_payport() is pay


def test_an_application_without_webhooks_has_no_client():
    with (
        Flask("shop").test_request_context("/"),
        pytest.raises(ConfigurationError, match="mount_webhooks"),
    ):
        get_payport()


def test_a_blueprint_may_have_a_prefix(pay):
    app = Flask("shop")
    app.register_blueprint(webhooks_blueprint(pay, "/stripe"), url_prefix="/webhooks")
    pay.payments.create(reference="order_1", **TERMS)
    request = pay._runner.ports.provider.webhooks()[0]

    answer = app.test_client().post(
        "/webhooks/stripe", data=request.body, headers=dict(request.headers)
    )

    assert (answer.status_code, answer.text) == (200, "accepted")


def test_a_limit_of_the_applications_own_is_flasks_to_answer(pay):
    app = Flask("shop")
    mount_webhooks(app, pay, PATH)

    @app.before_request
    def read():
        from flask import request  # noqa: PLC0415

        request.get_data()

    app.config["MAX_CONTENT_LENGTH"] = 10
    assert app.test_client().post(PATH, data=b"x" * 11).status_code == 413


def test_what_was_read_before_is_not_lost(pay):
    app = Flask("shop")
    mount_webhooks(app, pay, PATH)

    @app.before_request
    def read():
        from flask import request  # noqa: PLC0415

        request.get_data()

    pay.payments.create(reference="order_1", **TERMS)
    request = pay._runner.ports.provider.webhooks()[0]
    answer = app.test_client().post(PATH, data=request.body, headers=dict(request.headers))
    assert answer.status_code == 200


def test_an_application_that_is_thrown_away_takes_its_client_along():
    pay = Payport(FakeProvider())
    webhooks_blueprint(pay)
    kept = weakref.ref(pay)
    del pay
    gc.collect()
    assert kept() is None


def test_the_client_is_closed_when_the_process_ends():
    script = """
from flask import Flask
from payport import Payport
from payport.integrations.flask import mount_webhooks
from payport.storage.memory import MemoryStore
from payport.testing import FakeProvider

class Store(MemoryStore):
    def close(self):
        print("closed")

app = Flask("shop")
mount_webhooks(app, Payport(FakeProvider(), store=Store()))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "closed\n"
