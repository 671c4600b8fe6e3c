"""`payport webhooks`: the inbox from a terminal, and its worker."""

import sqlite3
from datetime import timedelta

import pytest
from clis import APP, process, wait_for

from payport import PaymentSucceeded
from payport.domain.outcomes import FailureKind
from payport.providers.outcomes import Failure
from payport.storage import upgrade
from payport.testing.fake.adapter import FakeAdapter

FIELDS = [
    *("id", "type", "state", "tries", "error", "conflict", "provider", "environment", "account"),
    *("dedupe_key", "ordering_key", "attempt_ref", "tag", "api_version"),
    *("occurred_at", "received_at", "due_at"),
]


def received(shop, *references):
    """What the bank tells of payments, received and not processed; the deliveries' ids."""
    for reference in references or ("order_1",):
        shop.buy(reference)
    pay = shop.client()
    for request in pay.provider.webhooks():
        pay.webhooks.receive(body=request.body, headers=request.headers, url=request.url)
    return [row.id for row in pay.webhooks.list()]


@pytest.fixture
def failing(shop):
    """A shop with a handler that fails until it is told to work."""
    shop.works = False
    shop.handled = []

    @shop.handlers.on(PaymentSucceeded, name="shop.paid")
    def paid(event, tx):
        if not shop.works:
            raise RuntimeError("canary: not yet")
        shop.handled.append(event.id)

    return shop


def given_up(shop):
    """Have the handler tried until it is not tried any more."""
    received(shop)
    pay = shop.client()
    for _ in range(40):
        pay.webhooks.process_due()
        if pay.webhooks.stats().runs["dead"]:
            return
        shop.bank.clock.advance(86_400)
    pytest.fail("it is tried for ever")


def test_a_list_is_a_stable_document(cli, shop):
    ids = received(shop, "order_1", "order_2")

    document = cli("webhooks", "list", *APP, "--json").document
    first = cli("webhooks", "list", *APP, "--limit", 1, "--json").document
    rest = cli("webhooks", "list", *APP, "--cursor", first["next_cursor"], "--json").document

    assert [row["id"] for row in document["deliveries"]] == ids
    assert [list(row) for row in document["deliveries"]] == [FIELDS] * len(ids)
    assert [*first["deliveries"], *rest["deliveries"]] == document["deliveries"]
    assert cli("webhooks", "list", *APP, "--state", "done", "--json").document["deliveries"] == []


def test_one_delivery_is_shown_without_its_body(cli, shop):
    first = received(shop)[0]

    shown = cli("webhooks", "show", first, *APP, "--json").document

    assert list(shown) == [*FIELDS, "trace"]
    assert shown["id"] == first
    assert first in cli("webhooks", "show", first, *APP).out


def test_a_delivery_that_is_not_there_is_one_line(cli, shop):
    received(shop)

    ended = cli("webhooks", "show", "inb_" + "a" * 26, *APP, code=None)

    assert ended.code in {1, 2}
    assert ended.err.count("\n") == 1


def test_a_worker_that_works_once_processes_what_is_due(cli, failing):
    failing.works = True
    ids = received(failing)

    tried = cli("webhooks", "worker", *APP, "--once", "--json").document["tried"]

    assert tried >= len(ids)
    assert len(failing.handled) == 1
    assert cli("webhooks", "stats", *APP, "--json").document["deliveries"]["due"] == 0


def test_counts_are_a_stable_document(cli, shop):
    ids = received(shop)

    counts = cli("webhooks", "stats", *APP, "--json").document

    assert list(counts) == ["deliveries", "runs", "oldest_due", "elsewhere"]
    assert counts["deliveries"]["due"] == len(ids)
    assert counts["runs"]["dead"] == 0
    assert "due" in cli("webhooks", "stats", *APP).out


def test_what_failed_for_good_is_listed_and_told_by_code(cli, failing):
    given_up(failing)

    dead = cli("webhooks", "dead", *APP, "--json", code=3).document
    cli("webhooks", "stats", *APP, code=3)
    checks = cli("doctor", *APP, "--offline", "--json", code=3).document["checks"]

    (run,) = dead["runs"]
    assert list(run) == ["event_id", "handler", "state", "tries", "error", "due_at"]
    assert run["handler"] == "shop.paid"
    assert "shop.paid" in cli("webhooks", "dead", *APP, code=3).out
    assert [one["name"] for one in checks if one["ok"] is False] == ["dead letters"]


@pytest.mark.parametrize("by_name", [True, False])
def test_what_failed_for_good_is_tried_again_where_that_is_asked(cli, failing, by_name):
    given_up(failing)
    (run,) = cli("webhooks", "dead", *APP, "--json", code=3).document["runs"]
    failing.works = True

    which = run["event_id"] if by_name else "--all-dead"
    assert cli("webhooks", "replay", which, *APP, "--json").document == {"due_again": 1}
    cli("webhooks", "worker", *APP, "--once")

    assert failing.handled == [run["event_id"]]
    cli("webhooks", "dead", *APP)


def test_a_replay_says_what(cli, shop):
    cli("webhooks", "replay", *APP, code=2)
    cli("webhooks", "replay", "inb_1", "--all-dead", *APP, code=2)


def test_old_bodies_are_deleted(cli, shop):
    ids = received(shop)
    cli("webhooks", "worker", *APP, "--once")
    shop.bank.clock.advance(3 * 86_400)

    kept = cli("webhooks", "prune", "--older-than", 5, *APP, "--json").document
    gone = cli("webhooks", "prune", "--older-than", 2, *APP, "--json").document

    assert (kept, gone) == ({"pruned": 0}, {"pruned": len(ids)})
    assert shop.client().webhooks.get(ids[0]).body is None


SHOP = """
import time
from pathlib import Path

from payport import AsyncPayport, Handlers, Money, PaymentSucceeded, Payport
from payport.operations.clock import SystemClock
from payport.testing import AsyncFakeProvider, Bank, FakeProvider

HERE = Path(__file__).parent
STORE = f"sqlite:///{HERE}/payments.db"
bank = Bank(clock=SystemClock())
handlers = Handlers()


@handlers.on(PaymentSucceeded, name="shop.paid")
def paid(event, tx):
    (HERE / "handling").touch()
    time.sleep(1)
    with (HERE / "handled").open("a") as file:
        file.write(f"{event.id}\\n")


def received():
    fake = FakeProvider(bank=bank)
    with Payport(fake, store=STORE, handlers=handlers) as pay:
        for number in range(3):
            pay.payments.create(
                reference=f"order_{number}", amount=Money(100, "USD"),
                payment_method="pm_card_visa", confirm=True,
            )


def blocking():
    received()
    return Payport(FakeProvider(bank=bank), store=STORE, handlers=handlers)


def awaited():
    received()
    return AsyncPayport(AsyncFakeProvider(bank=bank), store=STORE, handlers=handlers)
"""


def runs(folder):
    connection = sqlite3.connect(folder / "payments.db")
    try:
        query = "SELECT state FROM payport_handler_runs ORDER BY state"
        return [row[0] for row in connection.execute(query)]
    finally:
        connection.close()


@pytest.mark.parametrize("made", ["blocking", "awaited"])
def test_a_worker_ends_with_what_it_has_in_hand(tmp_path, made):
    (tmp_path / "shop.py").write_text(SHOP)
    upgrade(f"sqlite:///{tmp_path}/payments.db")

    with process("webhooks", "worker", "--app", f"shop:{made}", cwd=tmp_path) as running:
        wait_for((tmp_path / "handling").exists)
        ended = running.end()

    assert ended.code == 0
    assert "Traceback" not in ended.err
    # What it had in hand is done and marked so, and the others are as they were.
    assert runs(tmp_path) == ["done", "due", "due"]
    assert (tmp_path / "handled").read_text().count("\n") == 1


# -- backfill -------------------------------------------------------------------------------------


def lost(shop, number):
    """So many payments of which no webhook came."""
    for each in range(number):
        shop.buy(f"order_{each}")
    shop.client().provider.webhooks()


def test_a_backfill_reads_what_no_webhook_brought(cli, shop):
    lost(shop, 2)
    ended = cli("webhooks", "backfill", "--since", "7d", *APP)
    assert "2 new, 0 known, 0 in conflict." in ended.out
    document = cli("webhooks", "backfill", "--since", "90m", *APP, "--json").document
    assert document == {"new": 0, "known": 2, "conflicts": 0, "next_cursor": None}
    assert cli("webhooks", "worker", "--once", *APP, "--json").document == {"tried": 2}


def test_a_backfill_goes_on_where_one_ended(cli, shop):
    lost(shop, 3)
    since = (shop.bank.clock.now() - timedelta(hours=1)).isoformat()
    asked = ("webhooks", "backfill", "--since", since, *APP)
    first = cli(*asked, "--limit", 2, "--json").document
    assert (first["new"], first["next_cursor"] is None) == (2, False)
    assert "--cursor" in cli(*asked, "--limit", 2).out
    rest = cli(*asked, "--cursor", first["next_cursor"], "--json").document
    assert rest == {"new": 1, "known": 0, "conflicts": 0, "next_cursor": None}


def test_a_backfill_that_fails_says_where_to_go_on(cli, shop, monkeypatch):
    lost(shop, 2)
    monkeypatch.setattr("payport.cli.webhooks._MOST", 1)
    honest = FakeAdapter.list_events

    def second_fails(self, query):
        return honest(self, query) if query.after is None else _nothing()

    monkeypatch.setattr(FakeAdapter, "list_events", second_fails)
    ended = cli("webhooks", "backfill", "--since", "1h", *APP, code=5)
    assert "What was read is stored. Go on with --cursor be_000002" in ended.out


def _nothing():
    yield from ()
    return Failure(kind=FailureKind.UNAVAILABLE, message="gone")


def test_a_backfill_asks_the_provider_that_is_named(cli, shop):
    lost(shop, 1)
    asked = ("webhooks", "backfill", "--since", "1h", *APP)
    assert "other" in cli(*asked, "--of", "other", code=2).err
    assert cli(*asked, "--of", "fake", "--json").document["new"] == 1


def test_a_backfill_of_what_is_kept_no_more_is_refused(cli, shop):
    for since in ("31d", "2020-01-01T00:00Z", "2020-01-01"):
        ended = cli("webhooks", "backfill", "--since", since, *APP, code=2)
        assert "30 days" in ended.err
    for since in ("yesterday", "7w", "-1d", ""):
        ended = cli("webhooks", "backfill", "--since", since, *APP, code=2)
        assert "--since" in ended.err
