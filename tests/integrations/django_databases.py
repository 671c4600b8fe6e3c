"""Databases of Django's for tests, under aliases of their own."""

import itertools
import shutil
import threading
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import call_command
from django.db import connections
from django_shop.models import Order

from payport.integrations.django.store import DjangoStore

_ALIASES = itertools.count(1)


def migrate(alias):
    call_command("migrate", "payport", database=alias, verbosity=0)


def unmigrate(alias):
    call_command("migrate", "payport", "zero", database=alias, verbosity=0)


def make_orders(alias):
    with connections[alias].schema_editor() as editor:
        editor.create_model(Order)


def postgres_settings(url):
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": parts.username,
        "HOST": parts.hostname or parse_qs(parts.query)["host"][0],
    }


class Tidy:
    """A store that closes Django's connection of every thread but the main one after each use."""

    def __init__(self, store):
        self._target = store

    def transact(self, work):
        try:
            return self._target.transact(work)
        finally:
            if threading.current_thread() is not threading.main_thread():
                connections[self._target.using].close()

    def close(self):
        self._target.close()


@pytest.fixture
def new_database():
    """Makes databases of Django's from their settings, and gives their aliases."""
    made = []

    def make(**said):
        alias = f"test_{next(_ALIASES)}"
        connections.settings[alias] = connections.configure_settings({"default": {}, alias: said})[
            alias
        ]
        made.append(alias)
        return alias

    yield make
    for alias in made:
        connections[alias].close()
        del connections[alias]
        del connections.settings[alias]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    """A SQLite file with payport's tables and the shop's, by Django's migrations."""
    path = tmp_path_factory.mktemp("django") / "template.db"
    said = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}
    connections.settings["template"] = connections.configure_settings(
        {"default": {}, "template": said}
    )["template"]
    migrate("template")
    make_orders("template")
    connections["template"].close()
    del connections["template"], connections.settings["template"]
    return path


@pytest.fixture
def on_sqlite(migrated, tmp_path, new_database):
    """The alias of a SQLite file of the test's own."""
    path = shutil.copy(migrated, tmp_path / "payments.db")
    return new_database(ENGINE="django.db.backends.sqlite3", NAME=str(path))


@pytest.fixture
def on_postgres(postgres_url, new_database):
    """The alias of a PostgreSQL database, whose tables of payport's are empty."""
    alias = new_database(**postgres_settings(postgres_url))
    with connections[alias].cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS django_shop_order")
    make_orders(alias)
    return alias


@pytest.fixture(params=["on_sqlite", "on_postgres"])
def alias(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def store(alias):
    return DjangoStore(alias)
