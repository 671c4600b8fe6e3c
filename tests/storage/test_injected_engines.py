import asyncio
import sqlite3
import threading

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool
from sqlite_help import read, save, version_of

from payport.domain.errors import ConfigurationError, StoreUnavailable
from payport.storage.engines import AsyncSqlStore, SyncSqlStore
from payport.storage.migrate import HEAD
from payport.storage.urls import open_async_store, open_store
from payport.testing._store_contract import samples


@pytest.fixture
def make_engine():
    engines = []

    def make(path, **options):
        engines.append(sa.create_engine(f"sqlite:///{path}", **options))
        return engines[-1]

    yield make
    for engine in engines:
        engine.dispose()


def listen(engine, event, statement):
    sa.event.listen(engine, event, lambda connection, *_: connection.exec_driver_sql(statement))


def on_connect(engine, statement):
    def run(connection, _):
        cursor = connection.cursor()
        cursor.execute(statement)
        cursor.close()

    sa.event.listen(engine, "connect", run)


def test_tables_are_made_beside_the_applications(path, make_engine):
    with sqlite3.connect(path) as theirs:
        theirs.execute("CREATE TABLE orders (reference TEXT)")
    theirs.close()
    store = SyncSqlStore(make_engine(path))
    assert save(store).version == 1
    with sqlite3.connect(path) as look:
        assert version_of(look) == HEAD
        assert look.execute("SELECT * FROM orders").fetchall() == []
    look.close()


def test_the_applications_writes_commit_with_the_unit_of_work_or_not_at_all(db, make_engine):
    store = SyncSqlStore(make_engine(db))
    store.transact(lambda tx: tx.connection.exec_driver_sql("CREATE TABLE orders (name TEXT)"))

    def pay(tx, name):
        tx.save_payment(samples.payment(name))
        tx.connection.execute(sa.text("INSERT INTO orders VALUES (:name)"), {"name": name})

    def fail(tx):
        pay(tx, "order_2")
        raise RuntimeError

    store.transact(lambda tx: pay(tx, "order_1"))
    with pytest.raises(RuntimeError):
        store.transact(fail)
    count = store.transact(
        lambda tx: tx.connection.exec_driver_sql("SELECT count(*) FROM orders").scalar_one()
    )
    assert count == 1
    assert read(store, "order_2") is None


def test_the_applications_own_errors_stay_its_own(db, make_engine):
    store = SyncSqlStore(make_engine(db))
    with pytest.raises(sa.exc.OperationalError, match="no such table"):
        store.transact(lambda tx: tx.connection.exec_driver_sql("SELECT * FROM nowhere"))


def test_an_injected_engine_is_not_closed(db, make_engine):
    engine = make_engine(db)
    store = SyncSqlStore(engine)
    save(store)
    with engine.connect() as theirs:
        store.close()
        assert theirs.exec_driver_sql("SELECT 1").scalar_one() == 1
    assert read(store).version == 1


def test_an_injected_async_engine_is_not_closed(db):
    async def main():
        engine = create_async_engine(f"sqlite+aiosqlite:///{db}")
        store = AsyncSqlStore(engine)
        await store.transact(lambda tx: tx.save_payment(samples.payment()))
        async with engine.connect() as theirs:
            await store.aclose()
            assert (await theirs.exec_driver_sql("SELECT 1")).scalar_one() == 1
        await engine.dispose()

    asyncio.run(main())


@pytest.mark.parametrize(
    "prepare",
    [
        lambda engine: None,
        lambda engine: listen(engine, "begin", "BEGIN"),
        lambda engine: on_connect(engine, "PRAGMA foreign_keys = ON"),
    ],
    ids=["plain", "with the usual BEGIN listener", "with pragmas"],
)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"connect_args": {"isolation_level": None}},
        {"connect_args": {"isolation_level": "DEFERRED"}},
        {"isolation_level": "AUTOCOMMIT"},
    ],
    ids=["plain", "no driver transactions", "deferred", "autocommit"],
)
def test_transactions_hold_whatever_the_engines_mode_is(db, make_engine, prepare, options):
    engine = make_engine(db, **options)
    prepare(engine)
    store = SyncSqlStore(engine)
    other = sqlite3.connect(db, timeout=0, isolation_level=None)

    def fail(tx):
        tx.payment("pay_order_1")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        tx.save_payment(samples.payment())
        raise RuntimeError

    for _ in range(2):
        with pytest.raises(RuntimeError):
            store.transact(fail)
        assert read(store) is None
    assert save(store).version == 1
    # Nothing is left open in the pool.
    other.execute("BEGIN IMMEDIATE")
    other.close()


def test_a_transaction_of_the_applications_is_never_joined_and_the_error_says_so(db, make_engine):
    engine = make_engine(db, connect_args={"timeout": 0.05})
    store = SyncSqlStore(engine)
    store.transact(lambda tx: tx.connection.exec_driver_sql("CREATE TABLE orders (name TEXT)"))
    save(store)
    with engine.begin() as theirs:
        theirs.exec_driver_sql("INSERT INTO orders VALUES ('order_1')")
        with pytest.raises(StoreUnavailable, match="a transaction of your own"):
            read(store)
    assert read(store).version == 1


def test_an_engine_that_cannot_connect_is_unavailable(tmp_path, make_engine):
    store = SyncSqlStore(make_engine(tmp_path / "nowhere" / "payments.db"))
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        read(store)


def test_an_async_engine_that_cannot_connect_is_unavailable(tmp_path):
    async def main():
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/nowhere/payments.db")
        with pytest.raises(StoreUnavailable, match="cannot be opened"):
            await AsyncSqlStore(engine).transact(lambda tx: None)
        await engine.dispose()
        # aiosqlite's thread reports its end to the loop, and nothing waits for that.
        await asyncio.sleep(0.1)

    asyncio.run(main())


def test_an_engine_without_a_free_connection_is_unavailable(db, make_engine):
    engine = make_engine(db, pool_size=1, max_overflow=0, pool_timeout=0.05)
    store = SyncSqlStore(engine)
    save(store)
    with engine.connect(), pytest.raises(StoreUnavailable, match="no connection free"):
        read(store)


def test_a_file_of_something_else_is_told_for_an_engine_too(path, make_engine):
    path.write_bytes(b"Dear diary, " * 1000)
    with pytest.raises(ConfigurationError, match="is not a SQLite database"):
        read(SyncSqlStore(make_engine(path)))


def test_commits_that_a_power_cut_takes_back_are_refused(db, make_engine):
    engine = make_engine(db)
    on_connect(engine, "PRAGMA synchronous = NORMAL")
    with pytest.raises(ConfigurationError, match="synchronous"):
        read(SyncSqlStore(engine))


def test_an_error_tells_nothing_of_the_rows(db, make_engine):
    store = SyncSqlStore(make_engine(db))
    secret = samples.payment(description="very private", amount=samples.payment().amount * -1)
    with pytest.raises(Exception, match="refused a statement") as told:
        store.transact(lambda tx: tx.save_payment(secret))
    seen, error = "", told.value
    while error is not None:
        seen += f"{error!r} {error}"
        error = error.__cause__ or error.__context__
    assert "CHECK constraint failed" in seen
    assert "very private" not in seen


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("sqlite://", {"poolclass": StaticPool}),
        ("sqlite:///:memory:", {"poolclass": StaticPool}),
        ("sqlite:///file:memory?mode=memory&uri=true", {"poolclass": StaticPool}),
        ("sqlite:////tmp/payments.db", {"poolclass": StaticPool}),
    ],
)
def test_an_engine_whose_transactions_would_mix_is_refused_before_io(url, options):
    engine = sa.create_engine(url, **options)
    with pytest.raises(ConfigurationError, match="transactions would mix"):
        SyncSqlStore(engine)


def test_another_database_is_refused_before_io():
    engine = sa.create_mock_engine("mysql://", lambda *_: None)
    with pytest.raises(ConfigurationError, match=r"in mysql\. Use PostgreSQL or SQLite"):
        SyncSqlStore(engine)


def test_a_second_loop_is_refused_for_an_async_engine(db):
    engine = create_async_engine(f"sqlite+aiosqlite:///{db}")
    store = AsyncSqlStore(engine)

    async def use(last):
        await store.transact(lambda tx: None)
        if last:
            await engine.dispose()

    async def dispose():
        await engine.dispose()

    asyncio.run(use(last=True))
    with pytest.raises(ConfigurationError, match="another event loop"):
        asyncio.run(use(last=False))


def test_many_tasks_at_once_lose_no_update(path):
    """From the first use on: tables are made once, and the rest waits for them."""

    async def main():
        engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
        store = AsyncSqlStore(engine)

        def grow(tx, key):
            held = tx.payment("pay_order_1", lock=True) or samples.payment()
            tx.save_payment(held.evolve(in_flight=(*held.in_flight, key)))

        await asyncio.gather(
            *(store.transact(lambda tx, n=n: grow(tx, f"key_{n}")) for n in range(30))
        )
        payment = await store.transact(lambda tx: tx.payment("pay_order_1"))
        await engine.dispose()
        return payment

    payment = asyncio.run(main())
    assert (payment.version, len(set(payment.in_flight))) == (30, 30)


def test_a_cancelled_unit_of_work_on_an_async_engine_keeps_nothing(db):
    async def main():
        engine = create_async_engine(f"sqlite+aiosqlite:///{db}")
        store = AsyncSqlStore(engine)
        await store.transact(lambda tx: None)
        halfway = asyncio.Event()

        def work(tx):
            tx.save_payment(samples.payment())
            halfway.set()
            for _ in range(1000):
                tx.payment("pay_order_1")

        task = asyncio.create_task(store.transact(work))
        await halfway.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        kept = await store.transact(lambda tx: tx.payment("pay_order_1"))
        await engine.dispose()
        return kept

    assert asyncio.run(main()) is None


def test_many_threads_make_the_tables_once(path, make_engine):
    store = SyncSqlStore(make_engine(path))
    begin = threading.Barrier(4)
    failed = []

    def go(number):
        begin.wait()
        try:
            save(store, f"order_{number}")
        except Exception as error:  # noqa: BLE001 - a thread's exception would be lost
            failed.append(error)

    threads = [threading.Thread(target=go, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(store.transact(lambda tx: tx.payments(samples.query()))) == 4


def test_the_wrong_colour_of_engine_is_refused_before_io(tmp_path):
    path = tmp_path / "payments.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    async_engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    with pytest.raises(ConfigurationError, match=r"AsyncEngine.*Use AsyncPayport"):
        open_store(async_engine)
    with pytest.raises(ConfigurationError, match=r"an Engine.*Use Payport"):
        open_async_store(engine)
    assert isinstance(open_store(engine), SyncSqlStore)
    assert isinstance(open_async_store(async_engine), AsyncSqlStore)
    assert not path.exists()
