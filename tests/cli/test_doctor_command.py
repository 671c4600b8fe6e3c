"""`payport doctor`: what is there, and whether it is well."""

from datetime import timedelta

import pytest
from clis import APP, KEY, SECRET

from payport.operations.clock import SystemClock
from payport.storage import sqlite_sends
from payport.testing import Bank, FakeClock


@pytest.fixture(autouse=True)
def _sound(monkeypatch):
    """A SQLite that two processes cannot damage a file with, whatever this machine has."""
    monkeypatch.setattr(sqlite_sends, "SOUND", (3, 0, 0))


@pytest.fixture
def store(tmp_path, cli):
    url = f"sqlite:///{tmp_path}/payments.db"
    cli("db", "upgrade", url)
    return ("--store", url, "--scope", "shop", "--provider", "stripe")


def checks(ended):
    return {one["name"]: one for one in ended.document["checks"]}


def bad(ended):
    return {one["name"] for one in ended.document["checks"] if one["ok"] is False}


@pytest.fixture
def well(shop):
    """A shop on the machine's clock."""
    shop.bank = Bank(clock=SystemClock())
    return shop


def test_a_healthy_shop_is_well(cli, well):
    ended = cli("doctor", *APP, "--json")

    assert ended.document["ok"] is True
    told = checks(ended)
    assert told["client"]["said"] == "fake, test, 'test'"
    assert told["account"]["said"] == "acct_fake at fake://bank"
    assert told["clock"]["said"] == "0 s off the provider's"
    assert told["breaker"]["said"] == "closed"
    assert told["writing"]["said"] == "a row was written and taken back"
    assert [list(one) for one in ended.document["checks"]] == [
        ["name", "ok", "said", "problem"] for _ in told
    ]


def test_trying_to_write_leaves_nothing(cli, well):
    cli("doctor", *APP)

    assert well.store.transact(lambda tx: tx.restorations()) == ()


def test_a_clock_that_is_off_is_told_of(cli, shop):
    shop.bank = Bank(clock=FakeClock(SystemClock().now() - timedelta(minutes=4)))

    ended = cli("doctor", *APP, "--json", code=3)

    assert bad(ended) == {"clock"}
    assert checks(ended)["clock"]["said"].startswith(("239 s", "240 s", "241 s"))


def test_offline_asks_the_provider_nothing(cli, well):
    ended = cli("doctor", *APP, "--offline", "--json")

    assert checks(ended)["account"]["ok"] is None
    assert "clock" not in checks(ended)


def test_a_refused_key_is_told_of(cli, well):
    from payport.testing import FakeProvider  # noqa: PLC0415

    FakeProvider(bank=well.bank).revoke_key()

    ended = cli("doctor", *APP, "--json", code=3)

    assert bad(ended) == {"account", "breaker"}
    assert checks(ended)["breaker"]["said"] == "locked"


def test_what_waits_for_a_person_is_told_of(cli, shop):
    shop.to_review("order_1")

    ended = cli("doctor", *APP, "--offline", "--json", code=3)

    assert bad(ended) == {"to review"}
    assert "needs_review" in checks(ended)["to review"]["problem"]


def test_operations_that_nobody_recovers_are_told_of(cli, shop):
    shop.crashed()

    ended = cli("doctor", *APP, "--offline", "--json", code=3)

    assert bad(ended) == {"due operations"}
    assert "recover" in checks(ended)["due operations"]["problem"]


def test_keys_and_secrets_are_judged_and_not_repeated(cli, store):
    ended = cli(
        *("doctor", "--offline", *store, "--json"),
        STRIPE_API_KEY=KEY,
        STRIPE_WEBHOOK_SECRETS=SECRET,
    )

    told = checks(ended)
    assert told["STRIPE_API_KEY"]["said"] == "secret key, test mode"
    assert told["STRIPE_WEBHOOK_SECRETS"]["said"] == "signing secret"
    assert told["modes"]["said"] == "test"
    assert told["webhook secret"]["ok"]


@pytest.mark.parametrize(
    ("env", "wrong"),
    [
        ({}, {"STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRETS", "client"}),
        (
            {"STRIPE_API_KEY": "pk_test_1", "STRIPE_WEBHOOK_SECRETS": SECRET},
            {"STRIPE_API_KEY", "client"},
        ),
        ({"STRIPE_API_KEY": KEY}, {"STRIPE_WEBHOOK_SECRETS", "webhook secret"}),
        (
            {"STRIPE_API_KEY": KEY, "STRIPE_WEBHOOK_SECRETS": "canary"},
            {"STRIPE_WEBHOOK_SECRETS", "client"},
        ),
        (
            {
                "STRIPE_API_KEY": KEY,
                "STRIPE_WEBHOOK_SECRETS": SECRET,
                "STRIPE_PUBLISHABLE_KEY": "pk_live_1",
            },
            {"modes"},
        ),
    ],
    ids=["nothing", "publishable", "no secret", "no secret's shape", "mixed"],
)
def test_what_is_wrong_with_the_environment_is_named(cli, store, env, wrong):
    ended = cli("doctor", "--offline", *store, "--json", code=3, **env)

    assert bad(ended) == wrong


def test_people_are_told_what_to_do(cli, store):
    said = cli("doctor", "--offline", *store, code=3).out

    assert "STRIPE_API_KEY" in said
    assert "NO" in said
