"""Django's migrations of payport's tables, and what Django shows of them."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from django.core.management import call_command
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.test import override_settings
from django_databases import migrate, postgres_settings, unmigrate
from postgres_help import ask, psycopg_url

import payport.storage
from payport import ConfigurationError, Environment
from payport.integrations.django.models import Operation
from payport.integrations.django.store import DjangoStore
from payport.integrations.django.testing import empty_tables
from payport.storage.migrate import HEAD
from payport.testing._store_contract import samples

KOLKATA = ZoneInfo("Asia/Kolkata")
SQLITE = "django.db.backends.sqlite3"

#: Everything about a table that PostgreSQL knows: columns, indexes and constraints.
POSTGRES_SCHEMA = (
    (
        "SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name, "
        "is_identity FROM information_schema.columns WHERE table_name LIKE 'payport_%'"
    ),
    "SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'payport_%'",
    (
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid::regclass::text LIKE 'payport_%'"
    ),
)


@pytest.fixture
def new_sqlite(new_database, tmp_path):
    return new_database(ENGINE=SQLITE, NAME=str(tmp_path / "django.db"))


@pytest.fixture
def new_postgres(new_database, new_postgres_url):
    """An alias and a URL of one database with nothing in it."""
    url = new_postgres_url()
    return new_database(**postgres_settings(url)), url


def sqlite_schema(engine):
    with engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT type, name, sql FROM sqlite_master WHERE tbl_name LIKE 'payport%'"
        )
        rows = sorted(map(tuple, found), key=lambda row: row[:2])
    engine.dispose()
    return rows


def postgres_schema(url):
    return [sorted(map(str, ask(url, statement))) for statement in POSTGRES_SCHEMA]


def tables(alias):
    names = connections[alias].introspection.table_names()
    return [name for name in names if name.startswith("payport_")]


def journal(alias, environment=Environment.TEST):
    DjangoStore(alias).transact(
        lambda tx: tx.insert_operation(samples.operation(environment=environment))
    )


# -- migrations -----------------------------------------------------------------------------------


def test_djangos_tables_on_sqlite_are_payports(new_sqlite, tmp_path):
    migrate(new_sqlite)
    url = f"sqlite:///{tmp_path / 'payport.db'}"
    payport.storage.upgrade(url)

    made = sqlite_schema(sa.create_engine(f"sqlite:///{tmp_path / 'django.db'}"))
    assert made == sqlite_schema(sa.create_engine(url))
    assert len(made) > 20


def test_djangos_tables_on_postgresql_are_payports(new_postgres, new_postgres_url):
    alias, url = new_postgres
    migrate(alias)
    other = new_postgres_url()
    payport.storage.upgrade(other)

    assert postgres_schema(url) == postgres_schema(other)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_migrating_goes_back_and_forth(request, kind):
    made = request.getfixturevalue(f"new_{kind}")
    alias = made if kind == "sqlite" else made[0]
    for _ in range(2):
        migrate(alias)
        journal(alias)
        unmigrate(alias)
        assert tables(alias) == []


def test_a_migration_never_drops_the_journal_of_live_payments(on_sqlite):
    journal(on_sqlite, Environment.LIVE)
    with pytest.raises(ConfigurationError, match="journal of live payments"):
        unmigrate(on_sqlite)
    assert "payport_operations" in tables(on_sqlite)


def test_tables_that_payport_made_itself_are_taken_over(new_postgres):
    alias, url = new_postgres
    payport.storage.upgrade(url)
    migrate(alias)
    journal(alias)
    assert Operation.objects.using(alias).count() == 1


def test_a_database_of_another_kind_is_left_alone(new_database):
    from payport.integrations.django.tables import made_at  # noqa: PLC0415

    class Editor:
        connection = connections[new_database(ENGINE="django.db.backends.dummy")]

    made_at(HEAD)(None, Editor)


def test_djangos_migrations_lead_to_the_latest_tables(new_sqlite):
    migrate(new_sqlite)
    with connections[new_sqlite].cursor() as cursor:
        cursor.execute("SELECT version_num FROM payport_alembic_version")
        assert cursor.fetchone() == (HEAD,)


def test_the_migrations_know_the_models_as_they_are():
    call_command("makemigrations", "payport", check=True, dry_run=True, verbosity=0)
    assert len(MigrationLoader(None).graph.leaf_nodes("payport")) == 1


def test_the_project_may_run_migrations_beside_a_client_of_sqlalchemy(new_postgres):
    """The engine and Django's store are one journal."""
    alias, url = new_postgres
    migrate(alias)
    from payport.storage.engines import SyncSqlStore  # noqa: PLC0415

    engine = sa.create_engine(psycopg_url(url))
    SyncSqlStore(engine).transact(lambda tx: tx.insert_operation(samples.operation()))
    engine.dispose()
    assert DjangoStore(alias).transact(lambda tx: tx.operation(samples.operation().id)) == (
        samples.operation()
    )


# -- the journal as a model -----------------------------------------------------------------------


@pytest.mark.parametrize("use_tz", [True, False])
def test_the_model_tells_moments_as_the_project_does(alias, use_tz):
    with override_settings(USE_TZ=use_tz, TIME_ZONE=KOLKATA.key):
        connections[alias].close()
        journal(alias)
        row = Operation.objects.using(alias).get()
        told, stored = row.prepared_at, samples.operation().prepared_at

        assert (told.tzinfo is not None) is use_tz
        assert (told if use_tz else told.replace(tzinfo=KOLKATA)) == stored
        assert Operation.objects.using(alias).filter(prepared_at=told).exists()
        before = told - timedelta(microseconds=1)
        assert not Operation.objects.using(alias).filter(prepared_at=before).exists()
        assert str(row) == f"{row.operation}[{row.reference}]"
        connections[alias].close()


def test_the_model_shows_neither_keys_nor_what_was_sent():
    fields = {field.name for field in Operation._meta.get_fields()}
    assert not fields & {"key", "command", "request", "fingerprint"}


# -- emptying them --------------------------------------------------------------------------------


def test_a_test_may_empty_the_tables(alias):
    store = DjangoStore(alias)
    store.transact(lambda tx: tx.save_payment(samples.everything()))
    journal(alias)
    empty_tables(alias)

    assert store.transact(lambda tx: tx.payment("pay_order_1")) is None
    assert Operation.objects.using(alias).count() == 0
    store.transact(lambda tx: tx.check_sendable(Environment.LIVE))
    store.close()


def test_no_test_empties_live_tables(alias):
    journal(alias, Environment.LIVE)
    with pytest.raises(ConfigurationError, match="live account"):
        empty_tables(alias)
    assert Operation.objects.using(alias).count() == 1
