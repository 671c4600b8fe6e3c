"""Which PostgreSQL database may send live requests: the one that was not restored or moved."""

import pytest
from postgres_help import ask

import payport.storage
from payport.domain.errors import ConfigurationError
from payport.domain.identifiers import Environment
from payport.storage import postgres_sends
from payport.storage.postgres import AsyncPostgresStore, PostgresStore
from payport.testing.blocking import Blocking

WHO = {"author": "ada@shop.example", "reason": "Compared with the provider's report."}


@pytest.fixture(params=["sync", "async"])
def open_any(request):
    opened = []

    def make(url):
        store = PostgresStore(url)
        if request.param == "async":
            store = Blocking(AsyncPostgresStore(url))
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


def send(store, environment=Environment.LIVE):
    store.transact(lambda tx: tx.check_sendable(environment))
    store.transact(lambda tx: tx.check_sendable(environment, count=True))


def home_of(url):
    return ask(url, "SELECT home FROM payport_store")[0][0]


def test_the_first_live_send_makes_the_cluster_and_its_timeline_the_home(postgres_url, open_any):
    store = open_any(postgres_url)
    send(store, Environment.TEST)
    assert home_of(postgres_url) is None
    send(store)
    (cluster,) = ask(postgres_url, "SELECT system_identifier::text FROM pg_control_system()")[0]
    assert home_of(postgres_url) == f"{cluster}/00000001"
    send(store)
    send(open_any(postgres_url))


@pytest.mark.parametrize(
    ("home", "why"),
    [
        ("7000000000000000001/00000001", "is in another cluster than it was: a dump was loaded"),
        ("{cluster}/00000007", "in another timeline.*point in time, or a standby was promoted"),
    ],
)
def test_a_database_that_was_restored_sends_nothing_live_until_a_person_says_so(
    postgres_url, open_any, home, why
):
    store = open_any(postgres_url)
    send(store)
    cluster = home_of(postgres_url).partition("/")[0]
    ask(postgres_url, "UPDATE payport_store SET home = %s", home.format(cluster=cluster))
    restored = open_any(postgres_url)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=rf"{why}.*acknowledge_restored"):
            send(restored)
    send(restored, Environment.TEST)
    payport.storage.acknowledge_restored(postgres_url, **WHO)
    send(restored)
    assert home_of(postgres_url).startswith(cluster)
    assert [word.kind for word in payport.storage.restorations(postgres_url)] == ["acknowledged"]


def test_a_home_that_was_taken_back_is_noted_by_the_next_send(postgres_url, open_any):
    store = open_any(postgres_url)

    def fail(tx):
        tx.check_sendable(Environment.LIVE, count=True)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.transact(fail)
    assert home_of(postgres_url) is None
    send(store)
    assert home_of(postgres_url) is not None


def test_a_mark_is_heard_by_stores_that_are_open(postgres_url, open_any):
    store = open_any(postgres_url)
    send(store)
    payport.storage.mark_restored(postgres_url, author="zoe", reason="The disk was lost.")
    with pytest.raises(ConfigurationError, match=r"was marked by zoe: The disk was lost\."):
        send(store)
    payport.storage.acknowledge_restored(postgres_url, **WHO)
    send(store)


def test_a_server_that_does_not_tell_where_it_is_sends(postgres_url, open_any, monkeypatch):
    monkeypatch.setattr(postgres_sends, "_MAY_ASK", "SELECT false")
    send(open_any(postgres_url))
    payport.storage.acknowledge_restored(postgres_url, **WHO)
    assert home_of(postgres_url) is None
