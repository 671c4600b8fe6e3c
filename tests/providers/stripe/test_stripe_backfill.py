"""Stripe's list of events: what its webhooks brought and what they did not, each once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from test_stripe_shop import KEY, PRICE, Shop, usd

from payport import InvalidRequest, ProviderPermissionDenied
from payport.storage.base import InboxState

DAY = timedelta(days=1)


@pytest.fixture(params=["sync", "async"])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    made = Shop(request.param)
    yield made
    made.close()


def backfill(shop: Shop, **how: Any) -> Any:
    return shop.do(shop.pay.webhooks.backfill(**{"since": DAY, **how}))


def rows(shop: Shop) -> list[Any]:
    return list(shop.do(shop.pay.webhooks.list()))


def test_an_event_has_one_row_whichever_way_it_came_first(shop: Shop) -> None:
    shop.buy("order_1")
    by_webhook = shop.simulator.webhooks()
    for request in by_webhook:
        shop.do(shop.pay.webhooks.receive(body=request.body, headers=request.headers))
    shop.buy("order_2")
    later = shop.simulator.webhooks()

    found = backfill(shop)
    assert (found.new, found.known, found.conflicts) == (len(later), len(by_webhook), 0)
    for request in later:
        receipt = shop.do(shop.pay.webhooks.receive(body=request.body, headers=request.headers))
        assert receipt.status == "duplicate"
    assert len(rows(shop)) == len(later) + len(by_webhook)


def test_a_month_of_an_endpoint_that_was_down_is_caught_up_with(shop: Shop) -> None:
    payment = shop.buy()
    shop.bank.refund(payment.provider_ref, usd(500))
    shop.bank.pay_out()
    shop.simulator.webhooks()
    found = backfill(shop, since=timedelta(days=30))
    assert found.next_cursor is None
    shop.do(shop.pay.webhooks.process_due())
    assert {row.state for row in rows(shop)} == {InboxState.DONE}
    assert shop.do(shop.pay.payments.get(payment.id)).refunded == usd(500)


def test_events_are_asked_for_by_their_time_page_by_page(shop: Shop) -> None:
    shop.buy("order_1")
    shop.simulator.clock.advance(3600)
    shop.buy("order_2")
    shop.simulator.webhooks()
    first = backfill(shop, since=timedelta(minutes=5), limit=2)
    rest = backfill(shop, since=timedelta(minutes=5), cursor=first.next_cursor)
    assert first.new + rest.new == len([row for row in rows(shop) if row.state is InboxState.DUE])
    (one, two) = [request.target for request in shop.asked("/v1/events")]
    assert "created%5Bgte%5D=" in one.replace("[", "%5B").replace("]", "%5D")
    assert "limit=2" in one
    assert f"starting_after={first.next_cursor}" in two


def test_more_than_stripe_keeps_is_refused_before_it_is_asked(shop: Shop) -> None:
    with pytest.raises(InvalidRequest, match="30 days"):
        backfill(shop, since=timedelta(days=31))
    assert not shop.heard


def test_a_restricted_key_has_to_be_allowed_to_read_events(shop: Shop) -> None:
    shop.simulator.restrict(KEY, {"payment_intent_write"})
    with pytest.raises(ProviderPermissionDenied):
        backfill(shop)
    shop.simulator.restrict(KEY, {"payment_intent_write", "event_read"})
    assert backfill(shop).new == 0


def test_an_event_listed_after_it_was_told_in_other_words_is_the_same_one(shop: Shop) -> None:
    """How many webhooks are pending, spaces, and the order of members are no contradiction."""
    shop.buy(amount=PRICE)
    requests = shop.simulator.webhooks()
    for request in requests:
        body = request.body.replace(b'"pending_webhooks":1', b'"pending_webhooks": 3')
        signed = shop.simulator.server.outbox.signed(body)
        shop.do(shop.pay.webhooks.receive(body=signed.body, headers=signed.headers))
    found = backfill(shop)
    assert (found.new, found.known, found.conflicts) == (0, len(requests), 0)
