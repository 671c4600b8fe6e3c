"""The settings `PAYPORT`: what they make, and what is said where they make nothing."""

from __future__ import annotations

import os

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from payport import Handlers, Payport
from payport.integrations.django import DjangoStore, get_payport
from payport.integrations.django.clients import clients
from payport.storage.memory import MemoryStore
from payport.testing import FakeProvider

FAKE = "payport.testing.FakeProvider"
handlers = Handlers()
not_handlers = object()


@pytest.fixture(autouse=True)
def fresh():
    clients.close()
    yield
    clients.close()


def store_of(pay):
    return pay._runner.ports.store


def said(**settings):
    with override_settings(PAYPORT=settings):
        found = [str(message.msg) for message in run_checks() if message.id == "payport.E001"]
        with pytest.raises(ImproperlyConfigured) as refused:
            get_payport()
    assert found == [str(refused.value)]
    return found[0]


def test_a_provider_is_all_that_a_fake_needs():
    with override_settings(PAYPORT={"PROVIDER": FAKE}):
        pay = get_payport()
        assert isinstance(pay, Payport)
        assert isinstance(store_of(pay), DjangoStore)
        assert store_of(pay).using == "default"


@pytest.mark.parametrize("provider", [FAKE, FakeProvider, FakeProvider()], ids=repr)
def test_a_provider_is_a_path_something_to_call_or_an_object(provider):
    with override_settings(PAYPORT={"PROVIDER": provider}):
        assert get_payport()._runner.ports.provider.spec.name == "fake"


def test_each_key_says_what_it_says():
    options = {
        "PROVIDER": FAKE,
        "SCOPE": "shop_9",
        "STORE": "memory",
        "HANDLERS": f"{__name__}.handlers",
        "OPTIONS": {"deadline": 3},
    }
    with override_settings(PAYPORT=options):
        pay = get_payport()
        assert pay.scope == "shop_9"
        assert isinstance(store_of(pay), MemoryStore)
        assert pay._session.handlers is handlers
        assert pay._session.settings.deadline == 3


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_the_database_may_be_another_one():
    other = {"default": {}, "payments": {"ENGINE": "django.db.backends.sqlite3", "NAME": "x"}}
    with (
        override_settings(DATABASES=other),
        override_settings(PAYPORT={"PROVIDER": FAKE, "USING": "payments"}),
    ):
        assert store_of(get_payport()).using == "payments"


def test_one_client_serves_the_process():
    assert get_payport() is get_payport()


def test_other_settings_make_another_client():
    before = get_payport()
    with override_settings(PAYPORT={"PROVIDER": FAKE, "SCOPE": "other"}):
        assert get_payport().scope == "other"
    assert get_payport() is not before


def test_a_forked_process_makes_a_client_of_its_own():
    parents = get_payport()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        try:
            os.write(writing, b"same" if get_payport() is parents else b"another")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"another"
    assert get_payport() is parents


# -- mistakes -------------------------------------------------------------------------------------


def test_missing_settings_are_named():
    with override_settings():
        from django.conf import settings  # noqa: PLC0415

        del settings.PAYPORT
        with pytest.raises(ImproperlyConfigured, match="set PAYPORT"):
            get_payport()


MISTAKES = {
    "unknown keys: SCOP": {"PROVIDER": FAKE, "SCOP": "shop"},
    "PAYPORT['PROVIDER'] is missing": {"SCOPE": "shop"},
    "PAYPORT['SCOPE'] must be str, not int": {"PROVIDER": FAKE, "SCOPE": 9},
    "PAYPORT['OPTIONS'] must be Mapping, not list": {"PROVIDER": FAKE, "OPTIONS": []},
    "'nowhere', which DATABASES does not name": {"PROVIDER": FAKE, "USING": "nowhere"},
    "'shop.Nothing', which cannot be imported": {"PROVIDER": "shop.Nothing"},
    "is no payport.Handlers but object": {
        "PROVIDER": FAKE,
        "HANDLERS": f"{__name__}.not_handlers",
    },
    "int is not a payment provider": {"PROVIDER": 9},
    "unexpected keyword argument 'dead_line'": {"PROVIDER": FAKE, "OPTIONS": {"dead_line": 1}},
    "deadline": {"PROVIDER": FAKE, "OPTIONS": {"deadline": -1}},
    "name the order space": {
        "PROVIDER": "payport.providers.stripe.StripeProvider.from_env",
        "STORE": "memory",
    },
}


@pytest.mark.parametrize("why", MISTAKES)
def test_a_mistake_is_said_by_the_check_and_by_the_first_use(why, monkeypatch):
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_obviously_fake")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS", "whsec_obviously_fake")
    assert why in said(**MISTAKES[why])


def test_a_missing_key_is_said_without_a_secret(monkeypatch):
    monkeypatch.delenv("STRIPE_API_KEY", raising=False)
    path = "payport.providers.stripe.StripeProvider.from_env"
    assert "STRIPE_API_KEY" in said(PROVIDER=path, SCOPE="shop")


def test_handlers_that_cannot_be_imported_are_said_at_the_start():
    settings = {"PROVIDER": FAKE, "HANDLERS": "shop.handlers.nothing"}
    with (
        override_settings(PAYPORT=settings),
        pytest.raises(ImproperlyConfigured, match=r"shop\.handlers\.nothing"),
    ):
        apps.get_app_config("payport").ready()


def test_sound_settings_pass_the_check():
    with override_settings(PAYPORT={"PROVIDER": FAKE}):
        assert [m for m in run_checks() if (m.id or "").startswith("payport")] == []


@pytest.mark.parametrize(("debug", "warned"), [(False, ["payport.W001"]), (True, [])])
def test_a_journal_in_memory_is_warned_of_where_it_is_no_test(debug, warned):
    with override_settings(PAYPORT={"PROVIDER": FAKE, "STORE": "memory"}, DEBUG=debug):
        found = [m.id for m in run_checks() if (m.id or "").startswith("payport")]
    assert found == warned
