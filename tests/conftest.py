"""
Hypothesis profiles and a PostgreSQL server for the whole suite. Imports nothing of payport, because
coverage starts first.
"""

import gc
import os
import uuid

import pytest
from hypothesis import settings

# No deadline: a slow machine is not a failing promise. In CI the examples are the same each time,
# so that a red run is the change's fault.
settings.register_profile("default", deadline=None, print_blob=True, derandomize="CI" in os.environ)
# `make properties`: many more and always new examples.
settings.register_profile(
    "long",
    deadline=None,
    print_blob=True,
    derandomize=False,
    max_examples=2_000,
    stateful_step_count=100,
)
settings.load_profile("default")

#: payport's tables on PostgreSQL, each before those that it refers to.
_TABLES = (
    "resolutions", "operations", "provider_refs", "refunds", "payments", "events", "inbox",
    "handler_runs", "restorations",
)  # fmt: skip


def pytest_collection_finish():
    """Spare the garbage collector what lives as long as the run: tens of thousands of tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgres_server():
    """A PostgreSQL server of the session's own; started by whoever asks first."""
    import postgres_server as help_  # noqa: PLC0415 - pages copy this file to where it is not

    with help_.started() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_database(postgres_server):
    """The URL of a PostgreSQL database with payport's tables, whatever tests left in them."""
    import psycopg  # noqa: PLC0415 - only who asks for a server needs it

    import payport.storage  # noqa: PLC0415 - coverage starts first

    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE payport_tests")
    url = postgres_server.url("payport_tests")
    payport.storage.upgrade(url)
    return url


@pytest.fixture
def postgres_url(postgres_database):
    """The URL of a PostgreSQL database that holds payport's tables, and nothing in them."""
    import psycopg  # noqa: PLC0415 - only who asks for a server needs it

    with psycopg.connect(postgres_database, autocommit=True) as connection:
        # What an earlier test left open may hold rows.
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()"
        )
        left = connection.execute(
            "SELECT tablename FROM pg_tables "
            "WHERE schemaname = 'public' AND NOT starts_with(tablename, 'payport_')"
        )
        for (table,) in left.fetchall():
            connection.execute(f'DROP TABLE "{table}"')
        connection.execute("UPDATE payport_store SET home = NULL, sends = 0")
        connection.execute(";".join(f"DELETE FROM payport_{table}" for table in _TABLES))  # noqa: S608
    return postgres_database


@pytest.fixture
def new_postgres_url(postgres_server):
    """Makes PostgreSQL databases with nothing in them, and gives their URLs."""

    import psycopg  # noqa: PLC0415 - only who asks for a server needs it

    def make(**options):
        name = f"payport_{uuid.uuid4().hex}"
        wanted = " ".join(f"{option} = {value}" for option, value in options.items())
        with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} {wanted}")
        return postgres_server.url(name)

    return make
