"""The two ways to run statements are one to whoever uses a store."""

import sqlite3
import time

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlite_help import read, save

from payport.domain.errors import StoreUnavailable
from payport.domain.identifiers import Environment
from payport.operations.records import OperationState
from payport.storage import running
from payport.storage.compiled import Compiler
from payport.storage.memory import MemoryStore
from payport.storage.running import ThroughDriver, ThroughToolkit
from payport.storage.statements import statements_for
from payport.testing._store_contract import samples


def pay(tx, name):
    tx.save_payment(samples.payment(name))
    tx.connection.execute(sa.text("INSERT INTO orders VALUES (:name)"), {"name": name})


def test_the_applications_writes_commit_with_the_unit_of_work_or_not_at_all(db, open_store):
    store = open_store(db)
    store.transact(lambda tx: tx.connection.exec_driver_sql("CREATE TABLE orders (name TEXT)"))

    def fail(tx):
        pay(tx, "order_2")
        raise RuntimeError

    store.transact(lambda tx: pay(tx, "order_1"))
    with pytest.raises(RuntimeError):
        store.transact(fail)
    store.transact(lambda tx: pay(tx, "order_3"))
    with sqlite3.connect(db) as look:
        assert look.execute("SELECT name FROM orders").fetchall() == [("order_1",), ("order_3",)]
    look.close()
    assert [read(store, f"order_{n}") is None for n in (1, 2, 3)] == [False, True, False]


def test_a_transaction_sees_what_the_application_wrote_in_it(db, open_store):
    store = open_store(db)
    save(store)

    def work(tx):
        tx.connection.exec_driver_sql("UPDATE payport_payments SET version = 7")
        held = tx.payment("pay_order_1", lock=True)
        return tx.save_payment(held.evolve(version=7)).version

    assert store.transact(work) == 8


def test_statements_are_compiled_once(db, open_store, monkeypatch):
    store, compiled = open_store(db), []

    class Counted(Compiler):
        def _compile(self, statement, values):
            compiled.append(statement)
            return super()._compile(statement, values)

    monkeypatch.setattr(running, "_compiled", Counted(sqlite.dialect(paramstyle="qmark")))
    save(store, "order_1")
    first = len(compiled)
    for number in range(2, 5):
        save(store, f"order_{number}")
    assert len(compiled) == first > 0


def test_a_statement_with_a_list_of_values_goes_through_the_toolkit(db, open_store):
    store = open_store(db)
    store.transact(lambda tx: tx.insert_operation(samples.operation()))
    query = samples.query(statuses=["sent", "unknown"])
    statement = statements_for("sqlite").operations.statement(query)
    assert running._compiled(statement, {}) is None
    assert len(store.transact(lambda tx: tx.operations(query))) == 1


def test_both_ways_give_the_same_rows(db, open_store):
    """With the same types: what the toolkit does to a value, the compiled statement does."""
    store = open_store(db)
    full = samples.operation()
    bare = samples.operation("order_2", command=None, lease_until=None, doubtful=False)
    store.transact(lambda tx: [tx.insert_operation(each) for each in (full, bare)])
    store.transact(lambda tx: tx.add_delivery(samples.delivery()))
    sql = statements_for("sqlite")
    asked = [
        (sql.operation, {"this_id": full.id}),
        (sql.operation, {"this_id": bare.id}),
        (sql.delivery, {"this_id": "dlv_1"}),
        (
            sql.due_deliveries[False],
            {"this_provider": "fake", "this_environment": "test", "now": samples.NOW, "limit": 5},
        ),
        (sql.store, {}),
    ]
    with store._file.connect() as connection:
        toolkit = ThroughToolkit(connection, "here")
        driver = ThroughDriver(connection, "here")
        for statement, values in asked:
            rows = [dict(row) for row in toolkit.all(statement, values)]
            assert rows
            assert driver.all(statement, values) == rows
            assert driver.first(statement, values) == rows[0]
            kinds = [{name: type(value) for name, value in row.items()} for row in rows]
            found = driver.all(statement, values)
            assert [{n: type(v) for n, v in row.items()} for row in found] == kinds


def test_an_error_without_a_name_of_sqlites_is_unavailable(db, open_store):
    store = open_store(db)
    save(store)
    store._connection.connection.driver_connection.close()
    with pytest.raises(StoreUnavailable, match="did not answer as a database does") as told:
        read(store)
    assert isinstance(told.value.__cause__, sqlite3.ProgrammingError)
    assert told.value.__context__ is None
    assert read(store).version == 1


# -- how long it takes ------------------------------------------------------------------------


def filled(store, done):
    """A store with so many operations that are done, and a hundred that are due."""

    def work(tx):
        for number in range(done):
            tx.insert_operation(
                samples.operation(
                    f"done_{number}", next_look_at=None, state=OperationState.CONFIRMED
                )
            )
        for number in range(100):
            tx.insert_operation(samples.operation(f"due_{number}", next_look_at=samples.NOW))

    store.transact(work)
    return store


def seconds(store):
    asked = {"environment": Environment.TEST, "provider": "fake", "now": samples.NOW, "limit": 100}

    def take(tx):
        began = time.process_time()
        assert len(tx.due_operations(**asked, lock=True)) == 100
        return time.process_time() - began

    return min(store.transact(take) for _ in range(7))


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_what_is_due_is_found_as_fast_among_many_as_among_few(kind, tmp_path, open_store):
    def make(name):
        return MemoryStore() if kind == "memory" else open_store(tmp_path / name)

    few, many = filled(make("few.db"), 100), filled(make("many.db"), 10_000)
    assert seconds(many) <= 2 * seconds(few) + 0.0005
