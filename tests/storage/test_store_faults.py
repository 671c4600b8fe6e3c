import sqlite3

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from payport.domain.errors import (
    ConfigurationError,
    InvalidRequest,
    StoreConflict,
    StoreError,
    StoreUnavailable,
)
from payport.storage.faults import fault_from, guarded, place_of
from payport.storage.rows import operation_row
from payport.storage.schema import operations
from payport.storage.sql import run_unit
from payport.testing._store_contract import samples

PLACE = "the database 'payments.db'"


def sqlite_error(kind, name):
    error = kind("what SQLite says")
    error.sqlite_errorname = name
    return error


def wrapped(cause, kind=exc.OperationalError):
    return kind("SELECT secret", {"token": "very private"}, cause)


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("SQLITE_BUSY", StoreUnavailable, "is locked"),
        ("SQLITE_BUSY_SNAPSHOT", StoreUnavailable, "is locked"),
        ("SQLITE_LOCKED_SHAREDCACHE", StoreUnavailable, "is locked"),
        ("SQLITE_FULL", StoreUnavailable, "is full"),
        ("SQLITE_READONLY_DIRECTORY", StoreUnavailable, "is read-only"),
        ("SQLITE_CANTOPEN", StoreUnavailable, "cannot be opened"),
        ("SQLITE_IOERR_FSYNC", StoreUnavailable, "could not be read or written"),
        ("SQLITE_CORRUPT_INDEX", StoreUnavailable, "is damaged"),
        ("SQLITE_NOTADB", ConfigurationError, "is not a SQLite database"),
        ("SQLITE_CONSTRAINT_UNIQUE", StoreConflict, "holds this row already"),
        ("SQLITE_CONSTRAINT_PRIMARYKEY", StoreConflict, "holds this row already"),
        ("SQLITE_CONSTRAINT_CHECK", StoreError, "refused a statement"),
        ("SQLITE_TOMORROW", StoreUnavailable, "did not answer"),
    ],
)
def test_what_sqlite_says_is_told_with_its_cause(name, kind, said):
    # SQLAlchemy's class says little: SQLite's own name decides.
    check = name == "SQLITE_CONSTRAINT_CHECK"
    cause = sqlite_error(sqlite3.OperationalError, name)
    fault = fault_from(wrapped(cause, exc.IntegrityError if check else exc.OperationalError), PLACE)
    assert type(fault) is kind
    assert said in str(fault)
    assert PLACE in str(fault)
    assert fault.__cause__ is cause


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (exc.TimeoutError("pool"), StoreUnavailable, "no connection free"),
        (wrapped(Exception("gone")), StoreUnavailable, "did not answer"),
        (wrapped(Exception("gone"), exc.InterfaceError), StoreUnavailable, "did not answer"),
        (wrapped(Exception("odd"), exc.DataError), StoreError, "bug in payport"),
        (
            exc.DBAPIError("SELECT 1", {}, Exception("gone"), connection_invalidated=True),
            StoreUnavailable,
            "closed the connection",
        ),
        (exc.ArgumentError("odd"), StoreError, "bug in payport"),
    ],
)
def test_what_other_drivers_say_is_told_by_its_class(error, kind, said):
    fault = fault_from(error, PLACE)
    assert type(fault) is kind
    assert said in str(fault)


def test_payports_own_errors_come_through_as_they_are():
    own = InvalidRequest("a naive datetime")
    assert fault_from(exc.StatementError("m", "INSERT", {}, own), PLACE) is own


def test_a_guarded_step_leaves_no_trace_of_the_toolkits_error():
    def fail():
        raise wrapped(sqlite_error(sqlite3.OperationalError, "SQLITE_FULL"))

    with pytest.raises(StoreUnavailable) as told:
        guarded(PLACE, fail)
    assert told.value.__context__ is None
    assert isinstance(told.value.__cause__, sqlite3.OperationalError)
    assert guarded(PLACE, lambda: 7) == 7


def test_a_unique_row_that_is_there_is_a_conflict_in_a_real_database(db, open_store):
    def work(tx):
        tx.insert_operation(samples.operation())
        tx._count(sa.insert(operations), operation_row(samples.operation()))

    with pytest.raises(StoreConflict, match="holds this row already"):
        open_store(db).transact(work)


def test_the_place_has_no_password():
    engine = sa.create_engine("postgresql+psycopg://user:hunter2@db/shop")
    assert place_of(engine) == "the database 'shop'"


def test_a_connection_that_is_lost_during_rollback_tells_the_first_error(db, open_store):

    store = open_store(db)
    store.transact(lambda tx: None)
    connection = store._connection

    def work(tx):
        connection.connection.dbapi_connection.close()
        raise RuntimeError("first")

    with pytest.raises(RuntimeError, match="first"):
        run_unit(connection, work)
    assert connection.invalidated
