"""What Django's store promises beside the contract: whose transaction it is, and that it lasts."""

import os
import sqlite3
import threading
import unittest

import pytest
from django.db import IntegrityError, connections, transaction
from django.db.transaction import TransactionManagementError
from django.test import TestCase
from django_databases import Tidy, migrate, unmigrate
from django_shop.models import Order
from sqlite_help import read, save

import payport.storage
from payport import ConfigurationError, Environment, InvalidRequest, StoreUnavailable
from payport.integrations.django._reading import READS
from payport.integrations.django.management.commands.payport_worker import _Stop
from payport.integrations.django.store import DjangoStore
from payport.storage.base import Transaction
from payport.testing._store_contract import samples


class Oops(Exception):
    """Something goes wrong."""


def orders(alias):
    return list(Order.objects.using(alias).values_list("reference", flat=True))


def ordering(alias, reference="order_1"):
    """A unit of work that writes to payport's tables and, by the ORM, to the project's."""

    def work(tx):
        tx.save_payment(samples.payment(reference))
        Order.objects.using(alias).create(reference=reference)

    return work


def asked(alias, statement):
    with connections[alias].cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


# -- the ORM's writes -----------------------------------------------------------------------------


def test_what_the_orm_writes_commits_with_the_unit(store, alias):
    store.transact(ordering(alias))

    connections[alias].close()
    assert orders(alias) == ["order_1"]
    assert read(store) is not None


def test_what_the_orm_writes_goes_with_the_unit(store, alias):
    def work(tx):
        ordering(alias)(tx)
        raise Oops

    with pytest.raises(Oops):
        store.transact(work)

    assert orders(alias) == []
    assert read(store) is None


def test_a_block_of_its_own_may_fail_inside_the_unit(store, alias):
    def work(tx):
        with pytest.raises(IntegrityError), transaction.atomic(alias):
            Order.objects.using(alias).create(reference=None)
        ordering(alias)(tx)

    store.transact(work)

    assert orders(alias) == ["order_1"]
    assert read(store) is not None


def test_an_error_that_was_swallowed_is_not_taken_for_a_commit(store, alias):
    """Django would roll back without a word."""

    def work(tx):
        with pytest.raises(Oops), transaction.atomic(alias, savepoint=False):
            raise Oops

    with pytest.raises(InvalidRequest, match=r"transaction\.atomic"):
        store.transact(work)


def test_the_applications_database_errors_stay_its_own(store, alias):
    def work(tx):
        for _ in range(2):
            Order.objects.using(alias).create(reference="twice", note="same")

    with pytest.raises(IntegrityError):
        store.transact(work)
    assert orders(alias) == []


def test_a_constraint_that_waits_for_the_commit_is_the_applications_error(store, alias):
    with connections[alias].cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS shop_parcels")
        cursor.execute(
            "CREATE TABLE shop_parcels (order_id BIGINT REFERENCES django_shop_order (id) "
            "DEFERRABLE INITIALLY DEFERRED)"
        )

    def work(tx):
        tx.save_payment(samples.payment())
        with connections[alias].cursor() as cursor:
            cursor.execute("INSERT INTO shop_parcels VALUES (42)")

    with pytest.raises(IntegrityError):
        store.transact(work)
    assert read(store) is None
    with connections[alias].cursor() as cursor:
        cursor.execute("DROP TABLE shop_parcels")


def test_statements_through_the_transaction_are_on_the_same_connection(store, alias):
    def work(tx):
        Order.objects.using(alias).create(reference="order_1")
        found = tx.connection.exec_driver_sql("SELECT count(*) FROM django_shop_order")
        return found.scalar_one()

    assert store.transact(work) == 1


def test_nothing_in_a_unit_commits_it(store, alias):
    def work(tx):
        ordering(alias)(tx)
        tx.connection.commit()
        raise Oops

    with pytest.raises(Oops):
        store.transact(work)

    assert orders(alias) == []
    assert read(store) is None


def test_what_waits_for_the_commit_may_call_the_store(store, alias):
    seen = []

    def work(tx):
        ordering(alias)(tx)
        transaction.on_commit(lambda: seen.append(read(store)), using=alias)
        transaction.on_commit(lambda: save(store, "order_2"), using=alias)
        assert seen == []

    store.transact(work)

    assert seen[0] is not None
    assert read(store, "order_2") is not None


def test_a_unit_never_begins_another_one(store):
    with pytest.raises(InvalidRequest, match="never begins another"):
        store.transact(lambda _: store.transact(lambda tx: tx.payment("pay_order_1")))


# -- transactions of the application's ------------------------------------------------------------


@pytest.mark.parametrize("durable", [True, False])
def test_the_journal_never_joins_a_transaction_of_the_applications(store, alias, durable):
    with (
        transaction.atomic(alias, durable=durable),
        pytest.raises(ConfigurationError) as refused,
    ):
        save(store)

    for advice in ("non_atomic_requests", "on_commit", "TransactionTestCase", "'memory'"):
        assert advice in str(refused.value)
    assert read(store) is None


def test_a_refusal_leaves_the_applications_transaction_as_it_was(store, alias):
    with transaction.atomic(alias):
        Order.objects.using(alias).create(reference="theirs")
        with pytest.raises(ConfigurationError):
            save(store)
        Order.objects.using(alias).create(reference="theirs too")

    assert orders(alias) == ["theirs", "theirs too"]


def test_reading_is_fine_inside_a_transaction_of_the_applications(store, alias):
    save(store)
    store.transact(lambda tx: tx.insert_operation(samples.operation()))
    with transaction.atomic(alias):
        assert read(store) is not None
        operation = samples.operation()
        assert store.transact(lambda tx: tx.operation(operation.id)) == operation
        assert store.transact(lambda tx: tx.operation_by_key(operation.key)) == operation


#: What changes something, or holds a row for whoever is about to.
CHANGES = {
    *("save_payment", "insert_operation", "save_operation", "swap_operation", "due_operations"),
    *("reroute_operation",),
    *("untended_operations", "add_resolution", "check_sendable", "add_restoration", "add_events"),
    *("add_delivery", "due_deliveries", "save_delivery", "add_handler_runs", "due_handler_runs"),
    *("handler_run", "save_handler_run", "claim_deliveries", "claim_handler_runs"),
    *("hold_line", "hold_payments", "prune_bodies", "reconsider", "reroute_operation"),
    *("swap_delivery", "swap_handler_run"),
}


def test_of_everything_in_a_transaction_it_is_known_whether_it_reads():
    methods = {name for name in dir(Transaction) if not name.startswith("_")}
    assert methods == READS | CHANGES
    assert not READS & CHANGES


DUE = {"provider": "fake", "environment": Environment.TEST, "now": samples.NOW, "limit": 1}
LOCKS = {
    "a payment": lambda tx: tx.payment("pay_order_1", lock=True),
    "an operation": lambda tx: tx.operation("op_1", lock=True),
    "a handler's run": lambda tx: tx.handler_run("evt_1", "shop.paid"),
    "deliveries": lambda tx: tx.due_deliveries(**DUE),
    "handlers' runs": lambda tx: tx.due_handler_runs(**DUE),
    "whether it may send": lambda tx: tx.check_sendable(Environment.TEST),
}


@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS)
def test_locks_are_not_taken_in_a_transaction_of_the_applications(store, alias, lock):
    """A handler that ran between a lock and its refused mark would have written twice."""
    with transaction.atomic(alias), pytest.raises(ConfigurationError, match="never joins"):
        store.transact(lock)


def test_a_broken_transaction_is_djangos_to_complain_about(store, alias):
    with transaction.atomic(alias):
        transaction.set_rollback(True, using=alias)
        with pytest.raises(TransactionManagementError):
            read(store)


def test_a_connection_that_does_not_commit_by_itself_is_a_transaction(store, alias):
    transaction.set_autocommit(False, using=alias)
    try:
        with pytest.raises(ConfigurationError, match="never joins"):
            save(store)
    finally:
        transaction.rollback(using=alias)
        transaction.set_autocommit(True, using=alias)


def test_the_transaction_of_a_test_case_is_not_joined_and_not_ended(on_sqlite):
    """Django lets a durable block into a TestCase's transaction; payport would roll it back."""
    store = DjangoStore(on_sqlite)

    class Case(TestCase):
        databases = {on_sqlite}  # noqa: RUF012 - as Django has it

        @classmethod
        def setUpTestData(cls):
            Order.objects.using(on_sqlite).create(reference="set up")

        def test(self):
            with pytest.raises(ConfigurationError, match="TransactionTestCase"):
                save(store)
            assert orders(on_sqlite) == ["set up"]

    result = unittest.TestResult()
    unittest.TestSuite([Case("test")]).run(result)

    assert result.testsRun == 1
    assert result.wasSuccessful(), result.errors + result.failures
    assert orders(on_sqlite) == []


# -- commits that last ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "has", "needs"),
    [("wal", 1, 2), ("wal", 2, 2), ("wal", 3, 3), ("delete", 2, 3), ("delete", 0, 3)],
)
def test_a_commit_on_sqlite_reaches_the_disk(on_sqlite, mode, has, needs):
    said = connections.settings[on_sqlite]["OPTIONS"]
    said["init_command"] = f"PRAGMA journal_mode = {mode}; PRAGMA synchronous = {has};"

    seen = DjangoStore(on_sqlite).transact(
        lambda tx: tx.connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
    )

    assert seen == needs


def test_each_connection_is_made_durable(on_sqlite):
    store = DjangoStore(on_sqlite)
    said = connections.settings[on_sqlite]["OPTIONS"]
    said["init_command"] = "PRAGMA synchronous = OFF;"
    for _ in range(2):
        save(store, f"order_{os.urandom(4).hex()}")
        assert asked(on_sqlite, "PRAGMA synchronous") == 3
        connections[on_sqlite].close()


def test_a_unit_on_sqlite_may_write_from_its_beginning(on_sqlite):
    """A transaction that began by reading could fail later, with nothing to wait for."""
    connections.settings[on_sqlite]["OPTIONS"]["timeout"] = 0.1
    store, other = DjangoStore(on_sqlite), Tidy(DjangoStore(on_sqlite))
    raised = []

    def elsewhere():
        try:
            other.transact(lambda tx: None)
        except StoreUnavailable as error:
            raised.append(str(error))

    def work(tx):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()

    save(store)
    store.transact(work)

    assert len(raised) == 1
    assert "is locked" in raised[0]


def test_a_database_that_is_locked_at_first_use_is_unavailable(on_sqlite):
    connections.settings[on_sqlite]["OPTIONS"] |= {"timeout": 0.1, "transaction_mode": "IMMEDIATE"}
    other = sqlite3.connect(connections.settings[on_sqlite]["NAME"], isolation_level=None)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreUnavailable):
            save(DjangoStore(on_sqlite))
    finally:
        other.close()


def test_a_commit_on_postgresql_waits_for_the_log(on_postgres):
    """The server of the tests says synchronous_commit = off."""
    assert asked(on_postgres, "SHOW synchronous_commit") == "off"

    seen = DjangoStore(on_postgres).transact(
        lambda tx: asked(on_postgres, "SHOW synchronous_commit")
    )

    assert seen == "on"
    assert asked(on_postgres, "SHOW synchronous_commit") == "off"


def test_a_stricter_level_of_the_projects_is_not_payports(on_postgres):
    from psycopg import IsolationLevel  # noqa: PLC0415

    connections.settings[on_postgres]["OPTIONS"]["isolation_level"] = IsolationLevel.SERIALIZABLE
    connections[on_postgres].close()
    level = "SHOW transaction_isolation"

    assert DjangoStore(on_postgres).transact(lambda tx: asked(on_postgres, level)) == (
        "read committed"
    )
    with transaction.atomic(on_postgres):
        assert asked(on_postgres, level) == "serializable"


# -- what Django's connection has of its own ------------------------------------------------------


@pytest.mark.parametrize("use_tz", [True, False])
def test_moments_stay_what_they_are_in_every_time_zone(on_postgres, settings_of, use_tz):
    """Also in one that somebody set on the connection, which misleads Django's own loader."""
    settings_of(USE_TZ=use_tz, TIME_ZONE="America/New_York")
    connections[on_postgres].close()
    with connections[on_postgres].cursor() as cursor:
        cursor.execute("SET TIME ZONE 'Asia/Kolkata'")
    store = DjangoStore(on_postgres)
    row = samples.operation()
    store.transact(lambda tx: tx.insert_operation(row))

    assert store.transact(lambda tx: tx.operation(row.id)) == row


@pytest.fixture
def settings_of():
    from django.test import override_settings  # noqa: PLC0415

    used = []

    def use(**said):
        used.append(override_settings(**said))
        used[-1].enable()

    yield use
    for one in used:
        one.disable()


def test_the_orms_own_regular_expressions_go_on(on_sqlite):
    """SQLAlchemy brings a REGEXP of its own, which cannot read numbers."""
    save(DjangoStore(on_sqlite))
    Order.objects.using(on_sqlite).create(reference="order_1", id=42)

    assert Order.objects.using(on_sqlite).filter(id__regex="^4").exists()


def test_notices_are_not_handled_once_more_by_each_connection(on_postgres):
    store = DjangoStore(on_postgres)
    for name in ("order_1", "order_2"):
        save(store, name)

    assert connections[on_postgres].connection._notice_handlers == []


# -- bad days -------------------------------------------------------------------------------------


def test_a_connection_that_died_is_replaced(on_postgres):
    store = DjangoStore(on_postgres)
    save(store)
    pid = asked(on_postgres, "SELECT pg_backend_pid()")
    killer = connections[on_postgres].copy()
    with killer.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    killer.close()

    with pytest.raises(StoreUnavailable):
        read(store)
    assert read(store) is not None


def test_a_connection_that_dies_within_a_unit_takes_it_along(on_postgres):
    store = DjangoStore(on_postgres)
    killer = connections[on_postgres].copy()

    def work(tx):
        tx.save_payment(samples.payment())
        pid = asked(on_postgres, "SELECT pg_backend_pid()")
        with killer.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])

    with pytest.raises(StoreUnavailable) as lost:
        store.transact(work)
    killer.close()

    assert type(lost.value.__cause__).__module__.startswith("psycopg")
    assert read(store) is None


def test_a_server_that_is_not_there_is_an_unavailable_store(new_database, tmp_path):
    alias = new_database(
        ENGINE="django.db.backends.postgresql", NAME="nowhere", USER="x", HOST=str(tmp_path)
    )

    with pytest.raises(StoreUnavailable):
        save(DjangoStore(alias))


def test_a_connection_that_was_open_before_a_fork_is_refused_in_the_child(on_sqlite):
    store = DjangoStore(on_sqlite)
    save(store)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        said = b"nothing"
        try:
            save(store, "order_2")
        except ConfigurationError as error:
            said = str(error).encode()
        finally:
            os.write(writing, said)
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert b"close_all()" in pipe.read()
    assert save(store, "order_2").version == 1


# -- tables ---------------------------------------------------------------------------------------


def test_missing_tables_are_refused_with_the_command_that_makes_them(new_database, tmp_path):
    alias = new_database(ENGINE="django.db.backends.sqlite3", NAME=str(tmp_path / "new.db"))
    with pytest.raises(ConfigurationError, match=f"migrate payport --database {alias}"):
        save(DjangoStore(alias))


def test_upgrade_is_djangos_to_do(on_sqlite):
    with pytest.raises(ConfigurationError, match="migrate payport"):
        payport.storage.upgrade(DjangoStore(on_sqlite))


def test_tables_of_another_version_are_refused(on_sqlite):
    with connections[on_sqlite].cursor() as cursor:
        cursor.execute("UPDATE payport_alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match="9999"):
        save(DjangoStore(on_sqlite))


def test_a_kind_of_database_that_is_not_known_is_refused(new_database):
    alias = new_database(ENGINE="django.db.backends.dummy")
    with pytest.raises(ConfigurationError, match="PostgreSQL or SQLite"):
        save(DjangoStore(alias))


# -- real money -----------------------------------------------------------------------------------


def test_a_database_in_memory_takes_no_real_money(new_database):
    alias = new_database(ENGINE="django.db.backends.sqlite3", NAME=":memory:")
    migrate(alias)
    store = DjangoStore(alias)
    store.transact(lambda tx: tx.check_sendable(Environment.TEST, count=True))
    with pytest.raises(ConfigurationError, match="in memory"):
        store.transact(lambda tx: tx.check_sendable(Environment.LIVE))
    unmigrate(alias)


def test_a_restored_file_sends_nothing_live(on_sqlite, tmp_path):
    store = DjangoStore(on_sqlite)
    before = (tmp_path / "payments.db").read_bytes()
    store.transact(lambda tx: tx.check_sendable(Environment.LIVE, count=True))
    connections[on_sqlite].close()
    (tmp_path / "payments.db").write_bytes(before)

    with pytest.raises(ConfigurationError, match="acknowledge_restored"):
        store.transact(lambda tx: tx.check_sendable(Environment.LIVE, count=True))
    store.close()


def test_a_send_that_was_rolled_back_is_not_counted_beside_the_file(on_sqlite, tmp_path):
    store = DjangoStore(on_sqlite)

    def work(tx):
        tx.check_sendable(Environment.LIVE, count=True)
        raise Oops

    with pytest.raises(Oops):
        store.transact(work)

    note = tmp_path / "payments.db-live"
    assert not note.exists() or note.read_bytes() == b""
    store.close()


def test_a_worker_lets_go_of_connections_between_two_rounds(on_sqlite):
    """As Django does between two requests: a handler may use databases that payport does not."""
    connections[on_sqlite].ensure_connection()
    _Stop().wait(0)
    assert connections[on_sqlite].connection is None
