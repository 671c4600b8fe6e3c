"""What no webhook brought is read from the provider's own list, once, and comes to the same end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from shops import FOUR, POSTGRES, PRICE, behaving, each_colour, kinds, usd
from test_processing import facts_of, story
from test_receiving import receive, said

from payport import (
    AuthenticationFailed,
    InvalidRequest,
    PaymentSucceeded,
    ProviderUnavailable,
    StoreUnavailable,
    UnsupportedOperation,
)
from payport.storage.base import InboxState
from payport.testing import ConnectionRefused, Unauthorized, stripe_like

DAY = timedelta(days=1)


def backfill(shop, **how):
    return shop.pay.webhooks.backfill(**{"since": DAY, **how})


def counts(found):
    return found.new, found.known, found.conflicts


def sold(shop, number):
    """So many payments, a minute apart, of which no webhook came."""
    for each in range(number):
        shop.clock.advance(60)
        shop.buy(f"order_{each}")
    shop.fake.webhooks()


@kinds(*FOUR, *POSTGRES)
def test_what_no_webhook_brought_is_found_and_told_once(shop):
    told = []
    shop.handlers.on(PaymentSucceeded, name="told")(lambda e, tx: told.append(e.reference))
    paid = shop.buy()
    shop.deliver()
    shop.fake.webhooks()
    shop.bank.refund("order_1", usd(700))
    lost = shop.fake.webhooks()
    assert lost

    assert counts(backfill(shop)) == (len(lost), 1, 0)
    assert shop.pay.payments.get(paid.id).refunded == usd(0), "a worker applies it"
    shop.pay.webhooks.process_due()
    assert shop.pay.payments.get(paid.id).refunded == usd(700)
    assert counts(backfill(shop)) == (0, len(lost) + 1, 0)
    for request in lost:
        assert shop.receive(request).status == "duplicate"
    assert shop.pay.webhooks.process_due() == 0
    assert told == ["order_1"]


@behaving("stripe_like", "keyless")
def test_a_backfill_alone_comes_to_the_same_end_as_all_webhooks(shop):
    held = story(shop)
    lost = shop.fake.webhooks()
    other = shop.another()
    assert counts(other.webhooks.backfill(since=5 * DAY)) == (len(lost), 0, 0)
    other.webhooks.process_due()
    told = shop.pay.payments.get(held.id)
    assert told.captured == shop.bank.charged("order_1") == PRICE
    assert told.refunded == shop.bank.refunded("order_1")
    shop.clock.advance(60)
    assert facts_of(shop.pay.payments.refresh(held.id)) == facts_of(told)


@each_colour
def test_a_backfill_reads_page_by_page_and_goes_on_where_it_ended(shop):
    sold(shop, 7)
    asked = []
    shop.fake.decide(lambda request: asked.append(request.operation))
    first = backfill(shop, limit=3)
    assert (counts(first), first.next_cursor is None) == ((3, 0, 0), False)
    shop.buy("order_meanwhile")
    rest = backfill(shop, cursor=first.next_cursor)
    assert (counts(rest), rest.next_cursor) == ((4, 0, 0), None)
    assert asked.count("list_events") == 2
    assert counts(backfill(shop)) == (1, 7, 0)


@each_colour
def test_a_backfill_holds_no_more_than_a_page(shop):
    """However many events there are: a hundred for each request and commit."""
    sold(shop, 230)
    asked = []
    shop.fake.decide(lambda request: asked.append(request.target))
    assert counts(backfill(shop, limit=205)) == (205, 0, 0)
    pages = [target for target in asked if target.startswith("/events")]
    assert [target.rpartition("limit=")[2] for target in pages] == ["100", "100", "5"]


@each_colour
def test_a_backfill_that_fails_on_the_way_keeps_what_it_read_and_says_where_to_go_on(shop):
    sold(shop, 120)
    shop.fake.next("list_events", None, ConnectionRefused())
    with pytest.raises(ProviderUnavailable) as failed:
        backfill(shop)
    (note,) = failed.value.__notes__
    cursor = note.rpartition("cursor='")[2].removesuffix("'.")
    assert shop.pay.webhooks.stats().deliveries[InboxState.DUE] == 100
    assert counts(backfill(shop, cursor=cursor)) == (20, 0, 0)


@each_colour
def test_a_backfill_that_fails_at_once_has_no_place_to_go_on_at(shop):
    sold(shop, 1)
    shop.fake.next("list_events", ConnectionRefused())
    with pytest.raises(ProviderUnavailable) as failed:
        backfill(shop)
    assert not hasattr(failed.value, "__notes__")


@each_colour
def test_a_page_that_cannot_be_stored_is_read_again(shop):
    sold(shop, 3)
    broken = shop.faulty()
    broken.before = _break
    pay = shop.client(store=broken)
    with pytest.raises(StoreUnavailable):
        pay.webhooks.backfill(since=DAY)
    broken.before = lambda number: None
    assert counts(pay.webhooks.backfill(since=DAY)) == (3, 0, 0)


def _break(number):
    raise StoreUnavailable("full")


@each_colour
def test_since_is_kept_to(shop):
    sold(shop, 3)
    found = backfill(shop, since=timedelta(seconds=90))
    assert counts(found) == (2, 0, 0)
    exact = shop.clock.now() - timedelta(seconds=119)
    assert counts(backfill(shop, since=exact)) == (0, 2, 0)
    assert counts(backfill(shop, since=exact - timedelta(seconds=2))) == (1, 2, 0)


@each_colour
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"since": timedelta(days=31)}, "since"),
        ({"since": timedelta(days=-1)}, "since"),
        ({"since": datetime(2025, 11, 1, tzinfo=UTC)}, "since"),
        ({"since": datetime(2026, 1, 1)}, "since"),  # noqa: DTZ001
        ({"since": None}, "since"),
        ({"since": "yesterday"}, "since"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "two words"}, "cursor"),
        ({"cursor": 7}, "cursor"),
        ({"limit": 0}, "limit"),
        ({"limit": True}, "limit"),
        ({"limit": 2.5}, "limit"),
    ],
    ids=str,
)
def test_what_cannot_be_read_back_is_refused_before_anything_is_asked(shop, wrong, field):
    asked = []
    shop.fake.decide(lambda request: asked.append(request.operation))
    with pytest.raises(InvalidRequest, match=rf"webhooks\.backfill: {field}"):
        backfill(shop, **wrong)
    assert asked == []


@each_colour
def test_all_that_the_provider_keeps_can_be_asked_for(shop):
    sold(shop, 1)
    assert counts(backfill(shop, since=timedelta(days=30))) == (1, 0, 0)
    shop.clock.advance(timedelta(days=30, minutes=1))
    assert counts(backfill(shop, since=timedelta(days=30))) == (0, 0, 0)


@kinds(replace(FOUR[0], behaviour="keyless"))
def test_a_provider_that_keeps_everything_is_asked_for_everything(shop):
    sold(shop, 1)
    shop.clock.advance(timedelta(days=400))
    assert counts(backfill(shop, since=timedelta(days=500))) == (1, 0, 0)


@behaving("adyen_like")
def test_a_provider_without_a_list_is_refused(shop):
    with pytest.raises(UnsupportedOperation, match="list_events"):
        backfill(shop)


@each_colour
def test_a_listed_event_that_says_otherwise_than_its_webhook_is_a_conflict(shop):
    paid = shop.buy()
    shop.deliver()
    shop.bank.refund("order_1", usd(100))
    (request,) = shop.fake.webhooks()
    other = receive(shop, said(request, type="refund.bounced"))
    shop.pay.webhooks.process_due()

    assert counts(backfill(shop)) == (0, 1, 1)
    shop.pay.webhooks.process_due()
    assert shop.pay.webhooks.get(other.ids[0]).conflict
    assert shop.pay.payments.get(paid.id).refunded == usd(100), "the provider was asked"


@each_colour
def test_a_revoked_key_reads_nothing(shop):
    sold(shop, 1)
    shop.fake.next("list_events", Unauthorized())
    with pytest.raises(AuthenticationFailed, match="refused"):
        backfill(shop)


def test_the_fakes_bank_keeps_events_as_long_as_stripe():
    assert stripe_like().spec.events_kept == timedelta(days=30)
