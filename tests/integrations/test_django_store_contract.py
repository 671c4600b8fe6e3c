"""Django's store keeps every promise of a store, on both kinds of database."""

import pytest
from django.db import connections
from django_databases import Tidy
from postgres_help import dumped

from payport.integrations.django.store import DjangoStore
from payport.testing.store_contract import StoreContract


class TestDjangoStoreOnSqlite(StoreContract):
    @pytest.fixture
    def store(self, on_sqlite):
        return Tidy(DjangoStore(on_sqlite))

    @pytest.fixture
    def at_rest(self, on_sqlite, tmp_path):
        def read():
            connections[on_sqlite].close()
            return b"".join(path.read_bytes() for path in sorted(tmp_path.glob("payments.db*")))

        return read


class TestDjangoStoreOnPostgres(StoreContract):
    @pytest.fixture
    def store(self, on_postgres):
        return Tidy(DjangoStore(on_postgres))

    @pytest.fixture
    def at_rest(self, postgres_url):
        return lambda: dumped(postgres_url)
