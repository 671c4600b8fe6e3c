"""
The tests of the checkouts, for the one on Django: test_examples.py runs this file in a process of
its own, with PAYPORT_PROVIDER and DJANGO_SETTINGS_MODULE set.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx
import pytest
from examples_help import ROOT

sys.path.insert(0, str(ROOT / "examples" / "django_checkout"))
_directory = tempfile.TemporaryDirectory(prefix="payport-shop-")
os.environ["SHOP_DB"] = str(Path(_directory.name) / "shop.db")

import django  # noqa: E402 - what is set up above is read by the settings

django.setup()

from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connections  # noqa: E402
from shop.models import Return, Shipment  # noqa: E402
from shop.providers import outside  # noqa: E402
from test_examples import (  # noqa: E402
    Shop,
    test_a_checkout_refunds_once_for_each_reference,
    test_a_checkout_rejects_what_the_provider_did_not_sign,
    test_a_checkout_ships_after_3d_secure,
    test_a_checkout_tells_a_declined_customer_why,
    test_a_checkout_that_cannot_know_does_not_guess,
    test_a_checkout_whose_answer_is_lost_charges_nobody_twice,
    test_a_customer_who_fails_to_authenticate_is_told_so,
)

from payport.integrations.django.testing import empty_tables  # noqa: E402
from payport.testing import FakeProvider, StripeSimulator  # noqa: E402

__all__ = [
    "test_a_checkout_refunds_once_for_each_reference",
    "test_a_checkout_rejects_what_the_provider_did_not_sign",
    "test_a_checkout_ships_after_3d_secure",
    "test_a_checkout_tells_a_declined_customer_why",
    "test_a_checkout_that_cannot_know_does_not_guess",
    "test_a_checkout_whose_answer_is_lost_charges_nobody_twice",
    "test_a_customer_who_fails_to_authenticate_is_told_so",
]


class Example:
    """What the other checkouts keep in lists, and this one in its database."""

    @property
    def shipped(self) -> list[str]:
        return list(Shipment.objects.values_list("reference", flat=True))

    @property
    def returned(self) -> list[str]:
        return list(Return.objects.values_list("reference", flat=True))


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing on standard error."""


@contextmanager
def served() -> Iterator[str]:
    server = make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    call_command("migrate", verbosity=0)
    with served() as url:
        yield url
    connections.close_all()
    _directory.cleanup()


@pytest.fixture
def shop(url: str) -> Iterator[Shop]:
    with httpx.Client(base_url=url, timeout=10) as client:
        yield Shop(client, Example(), outside)
    outside.script.clear()
    outside.webhooks()
    for table in (Shipment, Return):
        table.objects.all().delete()
    empty_tables()


def test_one_setting_chooses_the_provider() -> None:
    kinds = {"fake": FakeProvider, "simulator": StripeSimulator}
    assert isinstance(outside, kinds[os.environ["PAYPORT_PROVIDER"]])


def test_a_page_reads_both_in_one_transaction(shop: Shop) -> None:
    shop.client.post("/checkout/order_7?token=pm_card_visa")
    assert shop.client.get("/orders/order_7").json() == {"paid": "49.99 USD", "shipped": False}
    shop.deliver()
    assert shop.client.get("/orders/order_7").json() == {"paid": "49.99 USD", "shipped": True}


def test_the_project_passes_djangos_checks() -> None:
    call_command("check", fail_level="WARNING")
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
