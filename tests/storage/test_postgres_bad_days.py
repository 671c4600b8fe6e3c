"""What goes wrong with a PostgreSQL database, and what a store and a client do then."""

import asyncio
import threading
import time

import psycopg
import pytest
import sqlalchemy as sa
from postgres_help import ask
from psycopg import sql
from sqlite_help import read, save

import payport.storage
from payport import AsyncPayport, Money, Payport
from payport.domain.errors import (
    ConfigurationError,
    PayportError,
    StoreConflict,
    StoreError,
    StoreUnavailable,
)
from payport.storage.postgres import AsyncPostgresStore, PostgresStore
from payport.testing import AsyncFakeProvider, FakeProvider
from payport.testing._store_contract import samples
from payport.testing.blocking import Blocking


@pytest.fixture(params=["sync", "async"])
def make_store(request):
    made = []

    def make(url):
        made.append(
            PostgresStore(url) if request.param == "sync" else Blocking(AsyncPostgresStore(url))
        )
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def url(postgres_url):
    """A database that may be spoiled."""
    yield postgres_url
    ask(postgres_url, "DROP FUNCTION IF EXISTS spoil CASCADE")


def spoil(url, state):
    """Lets every insert of a payment fail as the database does on a bad day."""
    ask(
        url,
        sql.SQL(
            "CREATE OR REPLACE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the server speaks' USING ERRCODE = {}; END $$"
        ).format(state),
    )
    ask(
        url,
        "CREATE OR REPLACE TRIGGER spoil BEFORE INSERT ON payport_payments "
        "FOR EACH ROW EXECUTE FUNCTION spoil()",
    )


@pytest.mark.parametrize(
    ("state", "kind", "said"),
    [
        ("40001", StoreConflict, "let two transactions meet"),
        ("40P01", StoreConflict, "let two transactions meet"),
        ("23505", StoreConflict, "holds this row already"),
        ("53100", StoreUnavailable, "is full"),
        ("53200", StoreUnavailable, "used up its connections or memory"),
        ("53300", StoreUnavailable, "used up its connections or memory"),
        ("55P03", StoreUnavailable, "is locked"),
        ("57014", StoreUnavailable, "statement_timeout"),
        ("57P01", StoreUnavailable, "is being stopped or started"),
        ("57P03", StoreUnavailable, "is being stopped or started"),
        ("58030", StoreUnavailable, "could not be read or written"),
        ("08006", StoreUnavailable, "closed the connection"),
        ("25006", StoreUnavailable, "is read-only"),
        ("XX001", StoreUnavailable, "is damaged"),
        ("XX002", StoreUnavailable, "is damaged"),
        ("28000", ConfigurationError, "does not let this user in"),
        ("3D000", ConfigurationError, "does not exist"),
        ("3F000", ConfigurationError, "payport.storage.upgrade"),
        ("42P01", ConfigurationError, "payport.storage.upgrade"),
        ("42703", ConfigurationError, "payport.storage.upgrade"),
        ("42501", ConfigurationError, "Grant it SELECT"),
        ("22012", StoreError, "bug in payport"),
    ],
)
def test_what_the_server_says_is_told_with_its_cause_and_no_values(url, state, kind, said):
    spoil(url, state)
    store = PostgresStore(url)
    with pytest.raises(PayportError, match=said) as told:
        save(store)
    assert type(told.value) is kind
    assert sa.make_url(url).database in str(told.value)
    assert told.value.__cause__.sqlstate == state
    assert told.value.__context__ is None
    assert told.value.operation == "store.transact"
    ask(url, "DROP TRIGGER spoil ON payport_payments")
    assert save(store).version == 1
    store.close()


def test_a_deadlock_ends_one_of_two_as_a_conflict(url, make_store):
    store, meet, raised = PostgresStore(url), threading.Barrier(2, timeout=20), []
    names = ["order_1", "order_2"]
    for name in names:
        save(store, name)

    def go(first, second):
        def work(tx):
            tx.payment(f"pay_{first}", lock=True)
            meet.wait()
            tx.payment(f"pay_{second}", lock=True)

        try:
            store.transact(work)
        except PayportError as error:
            raised.append(error)

    threads = [threading.Thread(target=go, args=pair) for pair in (names, names[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    assert [type(error) for error in raised] == [StoreConflict]
    assert raised[0].__cause__.sqlstate == "40P01"


def cut_off(url):
    ask(
        url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


def test_a_connection_that_was_cut_off_while_nobody_used_it_is_replaced(url, make_store):
    store = make_store(url)
    save(store)
    cut_off(url)
    assert read(store).version == 1


def test_a_connection_that_is_cut_off_within_a_transaction_takes_everything_back(url, make_store):
    store = make_store(url)
    save(store, "order_1")

    def work(tx):
        tx.save_payment(samples.payment("order_2"))
        cut_off(url)
        tx.save_payment(samples.payment("order_3"))

    with pytest.raises(StoreUnavailable, match="is being stopped or started, or closed"):
        store.transact(work)
    assert [read(store, f"order_{n}") is None for n in (1, 2, 3)] == [False, True, True]


def test_a_connection_that_is_cut_off_before_the_commit_is_unavailable(url, make_store):
    store = make_store(url)
    save(store, "order_1")

    def work(tx):
        tx.save_payment(samples.payment("order_2"))
        cut_off(url)

    with pytest.raises(StoreUnavailable):
        store.transact(work)
    assert read(store, "order_2") is None


def test_a_server_that_is_stopped_is_unavailable_and_then_available_again(
    url, make_store, postgres_server
):
    store = make_store(url)
    save(store)
    postgres_server.stop()
    try:
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="cannot be reached or did not answer"):
                read(store)
    finally:
        postgres_server.start()
    assert read(store).version == 1


def test_a_server_that_is_not_there_is_unavailable_and_its_password_not_told(make_store, tmp_path):
    url = f"postgresql://shop:hunter2@/payments?host={tmp_path}"
    with pytest.raises(StoreUnavailable, match="'payments' cannot be reached") as told:
        save(make_store(url))
    assert isinstance(told.value.__cause__, psycopg.OperationalError)
    assert "hunter2" not in f"{told.value} {told.value.__cause__}"


@pytest.mark.parametrize("what", ["database", "user"])
def test_a_database_or_user_that_does_not_exist_is_told(postgres_server, make_store, what):
    url = postgres_server.url(**{what: "nobody_knows"})
    with pytest.raises(StoreUnavailable, match="cannot be reached or did not answer") as told:
        save(make_store(url))
    assert "nobody_knows" in str(told.value.__cause__)


def test_a_database_that_is_read_only_is_told(new_postgres_url, make_store):
    url = new_postgres_url()
    payport.storage.upgrade(url)
    name = sql.Identifier(sa.make_url(url).database)
    ask(url, sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
    with pytest.raises(StoreUnavailable, match=r"is read-only.*connect to the primary"):
        save(make_store(url))


@pytest.fixture
def plain(url, postgres_server):
    """The URL for a user with no rights."""
    ask(url, "DROP ROLE IF EXISTS plain")
    ask(url, "CREATE ROLE plain LOGIN")
    yield postgres_server.url(sa.make_url(url).database, user="plain")
    ask(url, "DROP OWNED BY plain")
    ask(url, "DROP ROLE plain")


GRANTS = (
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO plain",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO plain",
)


def test_a_user_who_may_not_is_told_what_to_grant_and_that_is_enough(url, plain, make_store):
    store = make_store(plain)
    with pytest.raises(ConfigurationError, match=r"Grant it SELECT, INSERT, UPDATE and DELETE"):
        save(store)
    for grant in GRANTS:
        ask(url, grant)
    assert save(store).version == 1
    store.transact(lambda tx: tx.insert_operation(samples.operation()))
    store.transact(lambda tx: tx.add_resolution(samples.resolution()))
    assert len(store.transact(lambda tx: tx.add_events([samples.event()], at=samples.NOW))) == 1


def test_a_user_who_may_not_make_tables_is_told(new_postgres_url, postgres_server, plain):
    empty = sa.make_url(new_postgres_url()).database
    with pytest.raises(ConfigurationError, match="to make or change the tables, CREATE"):
        payport.storage.upgrade(postgres_server.url(empty, user="plain"))


# -- what a client does then ------------------------------------------------------------------


@pytest.fixture(params=["sync", "async"])
def make_client(request):
    made = []

    def make(url):
        if request.param == "sync":
            fake = FakeProvider()
            made.append(Payport(fake, store=url))
            return fake, made[-1]
        fake = AsyncFakeProvider()
        made.append(Blocking(AsyncPayport(fake, store=url)))
        return fake, made[-1]

    yield make
    for client in made:
        client.close()


def buy(client, reference="order_1"):
    payments = client.payments
    if isinstance(client, Blocking):
        payments = Blocking(payments, beside=client)
    return payments.create(
        reference=reference,
        amount=Money(5000, "USD"),
        payment_method="pm_card_visa",
        confirm=True,
    )


def test_a_payment_is_taken_on_postgresql(url, make_client):
    fake, client = make_client(url)
    assert buy(client).status == "succeeded"
    assert fake.bank.charged("order_1") == Money(5000, "USD")
    assert ask(url, "SELECT state FROM payport_operations") == [("confirmed",)]


@pytest.mark.parametrize("state", ["53100", "25006", "42501", "57P01", "42P01"])
def test_nothing_is_sent_that_could_not_be_written_down(url, make_client, state):
    fake, client = make_client(url)
    spoil(url, state)
    with pytest.raises((StoreError, ConfigurationError)) as told:
        buy(client)
    assert not told.value.money_may_have_moved
    assert not fake.bank.payments
    ask(url, "DROP TRIGGER spoil ON payport_payments")
    assert buy(client).status == "succeeded"


def test_nothing_is_sent_while_the_server_is_stopped(url, make_client, postgres_server):
    fake, client = make_client(url)
    buy(client, "order_1")
    postgres_server.stop()
    try:
        with pytest.raises(StoreUnavailable) as told:
            buy(client, "order_2")
        assert not told.value.money_may_have_moved
        assert len(fake.bank.payments) == 1
    finally:
        postgres_server.start()
    assert buy(client, "order_2").status == "succeeded"


def test_nothing_is_sent_without_tables(new_postgres_url, make_client):
    fake, client = make_client(new_postgres_url())
    with pytest.raises(ConfigurationError, match=r"payport\.storage\.upgrade"):
        buy(client)
    assert not fake.bank.payments


def test_two_transactions_that_meet_are_run_again(url, make_client):
    """The first insert of a payment fails as a deadlock's loser does; the second goes through."""
    fake, client = make_client(url)
    ask(url, "CREATE SEQUENCE IF NOT EXISTS failures")
    ask(url, "ALTER SEQUENCE failures RESTART")
    spoil(url, "40P01")
    ask(
        url,
        "CREATE OR REPLACE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF nextval('failures') = 1 THEN RAISE EXCEPTION 'met' USING ERRCODE = '40P01'; END IF; "
        "RETURN NEW; END $$",
    )
    assert buy(client).status == "succeeded"
    assert ask(url, "SELECT last_value FROM failures") == [(2,)]
    assert fake.bank.charged("order_1") == Money(5000, "USD")


# -- no connection free ---------------------------------------------------------------------------

#: Connections of a pool.
ALL = 15


def crowd(store, work):
    """Let so many threads work at once, and tell what they raise."""
    told = []

    def call():
        try:
            store.transact(work)
        except PayportError as error:
            told.append(error)

    threads = [threading.Thread(target=call) for _ in range(ALL)]
    for thread in threads:
        thread.start()
    return threads, told


def test_a_thread_that_finds_no_connection_free_is_told_in_time(url):
    store = PostgresStore(f"{url}{'&' if '?' in url else '?'}payport_wait=0.3")
    store.transact(lambda tx: None)
    inside, go_on = threading.Semaphore(0), threading.Event()

    def hold(tx):
        inside.release()
        assert go_on.wait(20)

    threads, told = crowd(store, hold)
    for _ in range(ALL):
        assert inside.acquire(timeout=20)
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="no connection free"):
        store.transact(lambda tx: None)
    assert 0.2 < time.monotonic() - began < 4
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert not told
    store.transact(lambda tx: None)
    store.close()


def test_a_task_that_finds_no_connection_free_is_told_in_time(url):
    async def main():
        store = AsyncPostgresStore(f"{url}{'&' if '?' in url else '?'}payport_wait=0.3")
        await store.transact(lambda tx: None)
        # Each holds its connection for a second, in the server.
        sleep = "SELECT pg_sleep(1)"
        held = [
            asyncio.create_task(store.transact(lambda tx: tx.connection.exec_driver_sql(sleep)))
            for _ in range(ALL)
        ]
        await asyncio.sleep(0.3)
        with pytest.raises(StoreUnavailable, match="no connection free"):
            await store.transact(lambda tx: None)
        await asyncio.gather(*held)
        await store.transact(lambda tx: None)
        await store.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("wait", ["0", "-1", "soon", "nan", "601"])
def test_a_wait_that_is_none_is_refused(url, wait):
    with pytest.raises(ConfigurationError, match="payport_wait"):
        PostgresStore(f"postgresql://db/shop?payport_wait={wait}&x=1")
