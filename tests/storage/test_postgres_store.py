"""What only a store on PostgreSQL promises. What every store promises is the contract's."""

import asyncio
import os
import re
import threading
from contextlib import contextmanager

import psycopg
import pytest
import sqlalchemy as sa
from postgres_help import ask, psycopg_url
from psycopg import sql
from sqlalchemy.ext.asyncio import create_async_engine
from sqlite_help import read, save

import payport.storage
from payport.domain.errors import ConfigurationError, InvalidRequest, StoreUnavailable
from payport.domain.identifiers import Environment
from payport.storage import urls
from payport.storage.engines import AsyncSqlStore, SyncSqlStore
from payport.storage.migrate import HEAD
from payport.storage.postgres import AsyncPostgresStore, PostgresStore
from payport.storage.urls import open_async_store, open_store
from payport.testing._store_contract import samples
from payport.testing.blocking import Blocking


def scalar(tx, statement):
    return tx.connection.exec_driver_sql(statement).scalar_one()


@pytest.fixture
def make_store():
    made = []

    def make(url):
        made.append(PostgresStore(url))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def make_engine():
    engines = []

    def make(url, **options):
        engines.append(sa.create_engine(psycopg_url(url), **options))
        return engines[-1]

    yield make
    for engine in engines:
        engine.dispose()


@contextmanager
def in_another_transaction(store, hold):
    """Runs `hold` in a transaction that stays open for the length of the block."""
    holding, done = threading.Event(), threading.Event()

    def work(tx):
        hold(tx)
        holding.set()
        assert done.wait(20)

    thread = threading.Thread(target=store.transact, args=(work,))
    thread.start()
    assert holding.wait(20)
    try:
        yield
    finally:
        done.set()
        thread.join()


# -- opening ----------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", ["postgresql", "postgresql+psycopg"])
def test_a_url_opens_a_store_of_either_colour_without_io(driver):
    url = f"{driver}://user:hunter2@nowhere.invalid/shop"
    for given in (url, sa.make_url(url)):
        assert type(open_store(given)) is PostgresStore
        assert type(open_async_store(given)) is AsyncPostgresStore


def test_an_engine_opens_a_store_of_its_colour(make_engine):
    assert type(open_store(make_engine("postgresql://db/shop"))) is SyncSqlStore
    other = create_async_engine("postgresql+psycopg://db/shop")
    assert type(open_async_store(other)) is AsyncSqlStore


def test_an_engine_by_another_driver_is_refused():
    engine = sa.create_mock_engine("postgresql+psycopg2://db/shop", lambda *_: None)
    with pytest.raises(ConfigurationError, match=r"through psycopg 3, and not through psycopg2"):
        open_store(engine)


def test_a_missing_driver_is_told_with_what_to_install(monkeypatch):
    def missing(_):
        raise ImportError("no pq wrapper available")

    monkeypatch.setattr(urls, "import_module", missing)
    for opened in (open_store, open_async_store):
        with pytest.raises(ConfigurationError, match=r"pip install 'payport\[postgres\]'"):
            opened("postgresql://db/shop")


@pytest.mark.parametrize(
    "query", ["payport_schema=", f"payport_schema={'x' * 64}", "payport_schema=a&payport_schema=b"]
)
def test_a_schema_that_cannot_be_is_refused(query):
    with pytest.raises(ConfigurationError, match="payport_schema names one schema"):
        open_store(f"postgresql://db/shop?{query}")


def test_a_malformed_url_is_refused_without_its_password():
    with pytest.raises(ConfigurationError, match="no URL of a PostgreSQL database") as refused:
        open_store("postgresql://user:hunter2@host:port/shop")
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


# -- tables -----------------------------------------------------------------------------------


def test_tables_are_never_made_by_using_the_store(new_postgres_url, make_store):
    url = new_postgres_url()
    with pytest.raises(ConfigurationError, match=r"no tables.*payport\.storage\.upgrade\(store\)"):
        save(make_store(url))
    assert ask(url, "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'payport%'") == [(0,)]
    payport.storage.upgrade(url)
    assert save(make_store(url)).version == 1


def test_a_store_that_was_refused_works_once_the_tables_are_there(new_postgres_url, make_store):
    url = new_postgres_url()
    store = make_store(url)
    with pytest.raises(ConfigurationError):
        save(store)
    payport.storage.upgrade(url)
    assert save(store).version == 1


def test_upgrading_takes_what_an_application_has(new_postgres_url, make_engine):
    by_engine, by_connection, by_async, by_store = (new_postgres_url() for _ in range(4))
    payport.storage.upgrade(make_engine(by_engine))
    with make_engine(by_connection).begin() as connection:
        payport.storage.upgrade(connection)

    async def upgrade():
        engine = create_async_engine(psycopg_url(by_async))
        async with engine.begin() as connection:
            await connection.run_sync(payport.storage.upgrade)
        await engine.dispose()

    asyncio.run(upgrade())
    store = PostgresStore(by_store)
    payport.storage.upgrade(store)
    assert save(store).version == 1
    store.close()
    for url in (by_engine, by_connection, by_async):
        assert ask(url, "SELECT version_num FROM payport_alembic_version") == [(HEAD,)]
        payport.storage.upgrade(url)


def test_an_upgrade_that_is_not_committed_leaves_nothing(new_postgres_url, make_engine):
    url = new_postgres_url()
    with make_engine(url).connect() as connection:
        payport.storage.upgrade(connection)
    assert ask(url, "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'payport%'") == [(0,)]


def test_two_who_upgrade_at_once_wait_for_each_other(new_postgres_url):
    url, raised = new_postgres_url(), []

    def go():
        try:
            payport.storage.upgrade(url)
        except Exception as error:  # noqa: BLE001 - told to the test
            raised.append(error)

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == []


def test_tables_of_another_version_are_refused(new_postgres_url, make_store):
    url = new_postgres_url()
    payport.storage.upgrade(url)
    ask(url, "UPDATE payport_alembic_version SET version_num = '0000'")
    with pytest.raises(ConfigurationError, match=r"version '0000'.*payport\.storage\.upgrade"):
        save(make_store(url))
    ask(url, "UPDATE payport_alembic_version SET version_num = '9999'")
    for refused in (lambda: save(make_store(url)), lambda: payport.storage.upgrade(url)):
        with pytest.raises(ConfigurationError, match=r"'9999'.*Upgrade payport here too"):
            refused()
    ask(url, "DELETE FROM payport_alembic_version")
    with pytest.raises(ConfigurationError, match="names no version"):
        save(make_store(url))


def test_tables_that_are_called_like_payports_are_not_taken_for_them(new_postgres_url, make_store):
    url = new_postgres_url()
    ask(url, "CREATE TABLE payport_payments (theirs text)")
    with pytest.raises(ConfigurationError, match="names no version"):
        save(make_store(url))
    with pytest.raises(ConfigurationError, match="names no version"):
        payport.storage.upgrade(url)


def test_a_column_that_is_missing_is_told_as_other_tables(new_postgres_url, make_store):
    url = new_postgres_url()
    payport.storage.upgrade(url)
    ask(url, "ALTER TABLE payport_payments DROP COLUMN document")
    with pytest.raises(ConfigurationError, match="has not the tables that this payport works with"):
        save(make_store(url))


def test_a_database_that_cannot_hold_all_text_is_refused(new_postgres_url, make_store):
    url = new_postgres_url(ENCODING="LATIN1", TEMPLATE="template0")
    payport.storage.upgrade(url)
    with pytest.raises(ConfigurationError, match="encoding LATIN1"):
        save(make_store(url))


# -- schemas ----------------------------------------------------------------------------------

ODD = "Pay'ments \"%s; DROP"


def in_schema(url, schema):
    return sa.make_url(url).update_query_dict({"payport_schema": schema})


@pytest.mark.parametrize("schema", ["payments", ODD])
def test_a_url_names_the_schema_of_payports_tables(new_postgres_url, make_store, schema):
    url = new_postgres_url()
    named = in_schema(url, schema)
    with pytest.raises(ConfigurationError, match=re.escape(f"the schema {schema!r} of")):
        save(make_store(named))
    payport.storage.upgrade(named)
    payport.storage.upgrade(named)
    store = make_store(named)
    assert save(store).version == 1
    found = ask(url, "SELECT DISTINCT schemaname FROM pg_tables WHERE tablename LIKE 'payport%'")
    assert found == [(schema,)]
    count = sql.SQL("SELECT count(*) FROM {}.payport_payments").format(sql.Identifier(schema))
    assert ask(url, count) == [(1,)]


def test_schemas_and_the_search_path_never_meet(new_postgres_url, make_store):
    url = new_postgres_url()
    payport.storage.upgrade(url)
    with pytest.raises(ConfigurationError, match="no tables of payport's"):
        save(make_store(in_schema(url, "tenant")))
    payport.storage.upgrade(in_schema(url, "tenant"))
    public, tenant = make_store(url), make_store(in_schema(url, "tenant"))
    save(public, "order_1")
    save(tenant, "order_2")
    assert [read(public, "order_1") is None, read(public, "order_2") is None] == [False, True]
    assert [read(tenant, "order_1") is None, read(tenant, "order_2") is None] == [True, False]


def test_the_applications_tables_are_found_beside_the_schema(new_postgres_url, make_store):
    url = new_postgres_url()
    payport.storage.upgrade(in_schema(url, "payments"))
    ask(url, "CREATE TABLE orders (name text)")

    def pay(tx):
        tx.save_payment(samples.payment())
        tx.connection.exec_driver_sql("INSERT INTO orders VALUES ('order_1')")

    make_store(in_schema(url, "payments")).transact(pay)
    assert ask(url, "SELECT name FROM orders") == [("order_1",)]


def test_an_engine_names_the_schema_in_its_options(new_postgres_url, make_engine):
    url = new_postgres_url()
    engine = make_engine(url).execution_options(payport_schema="payments")
    payport.storage.upgrade(engine)
    assert save(SyncSqlStore(engine)).version == 1
    assert ask(url, "SELECT count(*) FROM payments.payport_payments") == [(1,)]


# -- transactions -----------------------------------------------------------------------------


@pytest.fixture(params=["own", "own async", "injected", "injected async", "by itself"])
def any_store(request, postgres_url):
    """Every way to PostgreSQL; the last engine commits each statement by itself."""
    view = None
    if request.param == "own":
        store = PostgresStore(postgres_url)
    elif request.param == "own async":
        store = Blocking(AsyncPostgresStore(postgres_url))
    elif request.param == "injected async":
        engine = create_async_engine(psycopg_url(postgres_url), isolation_level="SERIALIZABLE")
        view = Blocking(engine)
        store = Blocking(AsyncSqlStore(engine), beside=view)
    else:
        level = "AUTOCOMMIT" if request.param == "by itself" else "SERIALIZABLE"
        engine = view = sa.create_engine(psycopg_url(postgres_url), isolation_level=level)
        store = SyncSqlStore(engine)
    yield store
    store.close()
    if view is not None:
        view.dispose()
        if isinstance(view, Blocking):
            view.close()


SETTINGS = ["synchronous_commit", "transaction_isolation", "lock_timeout"]


def test_commits_last_whatever_the_servers_default_is(any_store, postgres_url):
    assert ask(postgres_url, "SHOW synchronous_commit") == [("off",)]

    def look(tx):
        return [scalar(tx, f"SHOW {name}") for name in SETTINGS]

    for _ in range(8):  # by then the driver has prepared its statements
        assert any_store.transact(look) == ["on", "read committed", "5s"]


def test_a_role_that_waits_for_standbys_still_does(new_postgres_url, make_store):
    url = new_postgres_url()
    payport.storage.upgrade(url)
    name = sql.Identifier(sa.make_url(url).database)
    ask(url, sql.SQL("ALTER DATABASE {} SET synchronous_commit = remote_apply").format(name))
    assert make_store(url).transact(lambda tx: scalar(tx, "SHOW synchronous_commit")) == (
        "remote_apply"
    )


def test_the_settings_end_with_the_transaction(postgres_url, make_engine):
    engine = make_engine(postgres_url, pool_size=1, max_overflow=0)
    save(SyncSqlStore(engine))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "off"
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar_one() == "0"


def test_an_exception_takes_back_everything_on_every_engine(any_store):
    def fail(tx):
        tx.save_payment(samples.payment())
        raise RuntimeError

    with pytest.raises(RuntimeError):
        any_store.transact(fail)
    assert read(any_store) is None
    assert save(any_store).version == 1


def test_what_a_listener_of_the_applications_began_goes_on(postgres_url, make_engine):
    engine = make_engine(postgres_url)

    @sa.event.listens_for(engine, "begin")
    def begin(connection):
        connection.exec_driver_sql("SELECT set_config('shop.tenant', '7', true)")

    store = SyncSqlStore(engine)
    save(store)
    asked = ("shop.tenant", "synchronous_commit")
    found = store.transact(lambda tx: [scalar(tx, f"SHOW {name}") for name in asked])
    assert found == ["7", "on"]


def test_a_unit_of_work_never_begins_another_one(postgres_url, make_store):
    store = make_store(postgres_url)

    def work(tx):
        tx.save_payment(samples.payment())
        with pytest.raises(InvalidRequest, match="Pass its transaction on"):
            store.transact(lambda tx: None)

    store.transact(work)
    assert read(store).version == 1


def test_threads_work_at_once(postgres_url, make_store):
    """Both are inside before either goes on: one transaction does not wait for another."""
    store, meet = make_store(postgres_url), threading.Barrier(2, timeout=20)
    threads = [
        threading.Thread(target=store.transact, args=(lambda tx: meet.wait(),)) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not meet.broken


# -- locks ------------------------------------------------------------------------------------


def test_a_locked_row_is_waited_for_and_not_for_ever(postgres_url, make_store, monkeypatch):
    monkeypatch.setattr("payport.storage.beginning._WAIT", 0.2)
    payport.storage.beginning._settings.cache_clear()
    store = make_store(postgres_url)
    save(store)
    store.transact(lambda tx: tx.insert_operation(samples.operation()))
    store.transact(lambda tx: tx.add_handler_runs([samples.run()]))
    operation = samples.operation().id
    for lock in (
        lambda tx: tx.payment("pay_order_1", lock=True),
        lambda tx: tx.operation(operation, lock=True),
        lambda tx: tx.handler_run("evt_1", "shop.paid"),
    ):
        with (
            in_another_transaction(store, lock),
            pytest.raises(StoreUnavailable, match="is locked"),
        ):
            store.transact(lock)
        store.transact(lock)
    payport.storage.beginning._settings.cache_clear()


def test_who_takes_due_operations_passes_those_that_others_hold(postgres_url, make_store):
    store = make_store(postgres_url)
    due = [samples.operation(f"order_{n}", next_look_at=samples.NOW) for n in range(4)]
    store.transact(lambda tx: [tx.insert_operation(record) for record in due])
    asked = {"environment": Environment.TEST, "provider": "fake", "now": samples.NOW}

    def take(tx, limit=2, *, lock=True):
        return {r.id for r in tx.due_operations(**asked, limit=limit, lock=lock)}

    first = store.transact(take)
    with in_another_transaction(store, take):
        rest = store.transact(take)
        assert rest == {record.id for record in due} - first
        assert store.transact(lambda tx: take(tx, 9, lock=False)) == first | rest
    assert store.transact(take) == first


def test_who_takes_deliveries_passes_those_that_others_hold_and_their_lines(
    postgres_url, make_store
):
    store = make_store(postgres_url)
    rows = [
        samples.delivery(f"dlv_{n}", ordering_key=line, received_at=samples.after(microseconds=n))
        for n, line in enumerate(["a", "a", "b"])
    ]
    store.transact(lambda tx: [tx.add_delivery(row) for row in rows])

    def take(tx, limit=9):
        return [row.id for row in tx.due_deliveries(**samples.PLACE, now=samples.NOW, limit=limit)]

    with in_another_transaction(store, lambda tx: take(tx, 1)):
        assert store.transact(take) == ["dlv_2"]
    assert store.transact(take) == ["dlv_0", "dlv_2"]


def test_who_takes_handler_runs_passes_those_that_others_hold(postgres_url, make_store):
    store = make_store(postgres_url)
    runs = [samples.run(f"evt_{n}") for n in range(3)]
    store.transact(lambda tx: tx.add_handler_runs(runs))

    def take(tx, limit=9):
        return [
            run.event_id
            for run in tx.due_handler_runs(**samples.PLACE, now=samples.NOW, limit=limit)
        ]

    with in_another_transaction(store, lambda tx: take(tx, 1)):
        assert store.transact(take) == ["evt_1", "evt_2"]
    assert store.transact(take) == ["evt_0", "evt_1", "evt_2"]


# -- processes and loops ----------------------------------------------------------------------


def test_an_async_store_belongs_to_one_loop_until_it_is_closed(postgres_url):
    store = AsyncPostgresStore(postgres_url)

    async def use():
        return await store.transact(lambda tx: tx.payment("pay_order_1"))

    async def use_and_close():
        await use()
        await store.aclose()

    with asyncio.Runner() as first:
        first.run(use())
        with asyncio.Runner() as second, pytest.raises(ConfigurationError, match="event loop"):
            second.run(use())
        first.run(use_and_close())
    asyncio.run(use_and_close())


def forked(do):
    """The exit code of a child that does it: 0 where it returns something true."""
    child = os.fork()
    if child == 0:
        code = 2
        try:
            code = 0 if do() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_forked_child_has_connections_of_its_own(postgres_url, make_store):
    store = make_store(postgres_url)

    def who(tx):
        return scalar(tx, "SELECT pg_backend_pid()")

    parents = store.transact(who)

    def child():
        mine = store.transact(who)
        save(store, "childs")
        store.close()
        return mine != parents

    assert forked(child) == 0
    # The parent's goes on, also after the child has closed and ended.
    assert store.transact(who) == parents
    assert read(store, "childs").version == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_an_async_store_is_used_again_in_a_forked_child(postgres_url):
    store = AsyncPostgresStore(postgres_url)

    async def who():
        return await store.transact(lambda tx: scalar(tx, "SELECT pg_backend_pid()"))

    async def who_and_close():
        mine = await who()
        await store.aclose()
        return mine

    with asyncio.Runner() as runner:
        parents = runner.run(who())
        assert forked(lambda: asyncio.run(who_and_close()) != parents) == 0
        assert runner.run(who_and_close()) == parents


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_an_engine_that_was_used_before_a_fork_is_refused_in_the_child(postgres_url, make_engine):
    store = SyncSqlStore(make_engine(postgres_url))
    save(store)

    def child():
        with pytest.raises(ConfigurationError, match="before this process was forked"):
            read(store)
        return True

    assert forked(child) == 0
    assert read(store).version == 1


def test_closing_gives_the_connections_back(postgres_url):
    store = PostgresStore(postgres_url)
    who = store.transact(lambda tx: scalar(tx, "SELECT pg_backend_pid()"))
    store.close()
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        gone = "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = %s"
        assert connection.execute(gone, [who]).fetchone() == (True,) or _ends(connection, gone, who)
    assert save(store).version == 1
    store.close()


def _ends(connection, gone, who):
    """A backend takes a moment to end after its client has gone."""
    for _ in range(100):
        connection.execute("SELECT pg_sleep(0.02)")
        if connection.execute(gone, [who]).fetchone() == (True,):
            return True
    return False
