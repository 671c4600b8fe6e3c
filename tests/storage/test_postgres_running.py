"""Statements that psycopg runs itself are those that the toolkit would run, and as careful."""

import asyncio

import psycopg
import pytest
import sqlalchemy as sa
from postgres_help import ask, psycopg_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlite_help import read, save

from payport.domain.errors import StoreConflict, StoreError, StoreUnavailable
from payport.storage import postgres_running
from payport.storage.postgres import AsyncPostgresStore, PostgresStore
from payport.storage.postgres_running import ThroughPsycopg
from payport.storage.running import ThroughToolkit
from payport.storage.statements import statements_for
from payport.testing._store_contract import samples
from payport.testing.blocking import Blocking

SQL = statements_for("postgresql")
PLACE = {"this_provider": "fake", "this_environment": "test"}


@pytest.fixture(params=[PostgresStore, AsyncPostgresStore], ids=["blocking", "awaited"])
def store(request, postgres_url):
    made = request.param(postgres_url)
    if request.param is PostgresStore:
        yield made
        made.close()
    else:
        with Blocking(made) as view:
            yield view


@pytest.fixture
def messages(monkeypatch):
    """How many statements each message to the server holds."""
    sizes = []
    for name in ("_sent", "_sent_awaited"):
        real = getattr(postgres_running, name)

        def counted(driver, waiting, real=real):
            sizes.append(len(waiting))
            return real(driver, waiting)

        monkeypatch.setattr(postgres_running, name, counted)
    return sizes


def kinds_of(rows):
    return [{name: type(value) for name, value in row.items()} for row in rows]


def test_both_ways_give_the_same_rows(postgres_url):
    store = PostgresStore(postgres_url)
    full = samples.operation()
    bare = samples.operation("order_2", command=None, lease_until=None, doubtful=False)
    store.transact(lambda tx: [tx.insert_operation(each) for each in (full, bare)])
    odd = samples.delivery(error="\x00 and \x1a", type="100 % of it")
    store.transact(lambda tx: tx.add_delivery(odd))
    asked = [
        (SQL.operation, {"this_id": full.id}),
        (SQL.operation, {"this_id": bare.id}),
        (SQL.delivery, {"this_id": "dlv_1"}),
        (SQL.due_deliveries[False], {**PLACE, "now": samples.NOW, "limit": 5}),
        (SQL.store, {}),
    ]
    with store._engine.connect() as connection:
        toolkit, driver = ThroughToolkit(connection, "here"), ThroughPsycopg(connection, "here")
        for statement, values in asked:
            driver.begin()
            rows = [dict(row) for row in driver.all(statement, values)]
            assert rows
            assert driver.first(statement, values) == rows[0]
            driver.commit()
            toolkit.begin()
            same = [dict(row) for row in toolkit.all(statement, values)]
            toolkit.roll_back()
            assert (rows, kinds_of(rows)) == (same, kinds_of(same))
    assert store.transact(lambda tx: tx.delivery("dlv_1")) == odd
    store.close()


def test_a_transaction_begins_with_its_first_statement_and_writes_go_together(store, messages):
    save(store)
    messages.clear()

    def work(tx):
        held = tx.payment("pay_order_1", lock=True)
        tx.save_payment(held.evolve(description="one"))
        tx.add_handler_runs([samples.run(f"evt_{number}") for number in range(3)])
        assert messages == [3], "the beginning, its settings, and the first read"

    store.transact(work)
    assert messages == [3, 4], "what nobody waited for"
    assert read(store).description == "one"


def test_a_unit_of_work_that_does_nothing_sends_nothing(store, messages):
    save(store)
    messages.clear()
    assert store.transact(lambda tx: 7) == 7
    assert messages == []


def test_the_applications_statements_see_what_was_put_off(store):
    save(store)

    def work(tx):
        tx.save_payment(tx.payment("pay_order_1", lock=True).evolve(description="two"))
        text = sa.text("SELECT document FROM payport_payments")
        return tx.connection.execute(text).scalar_one()

    assert '"two"' in store.transact(work)


def test_a_conflict_of_what_was_put_off_keeps_nothing_and_the_store_goes_on(store):
    save(store)

    def work(tx):
        held = tx.payment("pay_order_1", lock=True)
        tx.add_handler_runs([samples.run()])
        tx.save_payment(held.evolve(version=held.version + 1))

    with pytest.raises(StoreConflict):
        store.transact(work)
    assert store.transact(lambda tx: tx.handler_run("evt_1", "shop.paid")) is None
    assert read(store).version == 1


def test_an_error_among_many_is_told_as_it_is(store, postgres_url):
    save(store)
    ask(postgres_url, "ALTER TABLE payport_handler_runs ADD CONSTRAINT spoilt CHECK (tries < 5)")

    def work(tx):
        tx.save_payment(tx.payment("pay_order_1", lock=True).evolve(description="three"))
        tx.add_handler_runs([samples.run(), samples.run("evt_2", tries=9), samples.run("evt_3")])

    try:
        with pytest.raises(StoreError, match="refused a statement") as told:
            store.transact(work)
    finally:
        ask(postgres_url, "ALTER TABLE payport_handler_runs DROP CONSTRAINT spoilt")
    assert isinstance(told.value.__cause__, psycopg.errors.CheckViolation)
    assert told.value.__context__ is None
    assert read(store).description is None
    assert store.transact(lambda tx: tx.handler_run("evt_1", "shop.paid")) is None


def test_without_libpqs_pipeline_the_same_is_done_one_by_one(store, monkeypatch):
    class Old:
        @staticmethod
        def has_pipeline():
            return False

    monkeypatch.setattr(postgres_running, "capabilities", Old)
    save(store)
    store.transact(lambda tx: tx.add_handler_runs([samples.run(), samples.run("evt_2")]))
    found = store.transact(lambda tx: [tx.handler_run(f"evt_{n}", "shop.paid") for n in (1, 2)])
    assert None not in found


def test_an_engine_of_the_applications_keeps_its_listeners(postgres_url):
    """What the application wants to see of its engine it sees of payport's statements too."""
    seen = []
    engine = sa.create_engine(psycopg_url(postgres_url))
    sa.event.listen(
        engine, "before_cursor_execute", lambda c, cursor, statement, *rest: seen.append(statement)
    )
    from payport.storage.engines import SyncSqlStore  # noqa: PLC0415 - one test's

    save(SyncSqlStore(engine))
    assert any("INSERT INTO payport_payments" in statement for statement in seen)
    engine.dispose()


def test_a_task_that_is_cancelled_within_a_statement_keeps_nothing(postgres_url):
    async def go():
        store = AsyncPostgresStore(postgres_url)
        locked = asyncio.Event()
        await store.transact(lambda tx: tx.save_payment(samples.payment()))
        engine = create_async_engine(psycopg_url(postgres_url))
        async with engine.begin() as holding:
            await holding.execute(sa.text("SELECT 1 FROM payport_payments FOR UPDATE"))

            def wait(tx):
                tx.add_handler_runs([samples.run()])
                locked.set()
                tx.payment("pay_order_1", lock=True)

            task = asyncio.create_task(store.transact(wait))
            await locked.wait()
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises((asyncio.CancelledError, StoreUnavailable)):
                await task
        await engine.dispose()
        left = await store.transact(lambda tx: tx.handler_run("evt_1", "shop.paid"))
        await store.aclose()
        return left

    assert asyncio.run(go()) is None
