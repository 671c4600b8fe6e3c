"""Listings of what the provider holds: lazy, with payport's ids where it knows them, and honest."""

import itertools
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from shops import PRICE, Kind, Shop, behaving, each_colour, kinds, usd

from payport import AttemptStatus, InvalidRequest, ProviderUnavailable, UnsupportedOperation
from payport.providers.spec import Capability
from payport.testing import LostRequest, Tokens, stripe_like


@pytest.fixture
def full(shop):
    """A shop with five payments, a minute apart."""
    for number in range(5):
        shop.buy(f"order_{number}", payment_method=Tokens.EXPIRED if number == 3 else Tokens.OK)
        shop.clock.advance(60)
    return shop


@pytest.fixture
def asked(full):
    """What the shop's provider was asked for, from now on."""
    seen = []
    full.fake.decide(lambda request: seen.append(request.operation))
    return seen


def ids(shop, *numbers):
    return [shop.pay.payments.get(reference=f"order_{number}").id for number in numbers]


def test_what_the_provider_holds_is_told_with_our_ids(full):
    told = list(full.pay.payments.list_from_provider())
    assert [one.payment_id for one in told] == ids(full, 4, 3, 2, 1, 0)
    declined = told[1]
    assert (declined.status, declined.captured) == (AttemptStatus.DECLINED, usd(0))
    assert declined.decline == full.pay.payments.get(reference="order_3").decline
    assert {(one.status, one.captured) for one in told if one is not declined} == {
        (AttemptStatus.SUCCEEDED, PRICE)
    }
    assert [one.ref for one in told] == [payment.ref for payment in reversed(full.bank.payments)]


def test_what_others_made_is_told_without_an_id(full):
    full.another(scope="another_shop").payments.create(
        reference="theirs", amount=usd(700), payment_method=Tokens.OK, confirm=True
    )
    theirs, *ours = list(full.pay.payments.list_from_provider())
    assert (theirs.payment_id, theirs.captured) == (None, usd(700))
    assert None not in [one.payment_id for one in ours]
    assert full.pay.payments.list().page().items[0].reference == "order_4", "nothing is adopted"


def test_a_page_is_asked_for_when_it_is_needed(full, asked):
    listing = full.pay.payments.list_from_provider()
    assert asked == []
    first = listing.page(limit=2)
    assert asked.count("list_payments") == 1
    second = listing.page(cursor=first.next_cursor, limit=2)
    third = listing.page(cursor=second.next_cursor, limit=2)
    assert asked.count("list_payments") == 3
    told = [one.payment_id for page in (first, second, third) for one in page.items]
    assert told == ids(full, 4, 3, 2, 1, 0)
    assert third.next_cursor is None


def test_iterating_reads_no_further_than_it_is_iterated():
    shop = Shop(Kind())
    for number in range(120):
        shop.buy(f"order_{number}")
    seen = []
    shop.fake.decide(lambda request: seen.append(request.operation))
    listing = shop.pay.payments.list_from_provider()
    assert len(list(itertools.islice(listing, 100))) == 100
    assert seen.count("list_payments") == 1
    assert len(list(listing)) == 120
    assert seen.count("list_payments") == 3
    shop.close()


def test_a_listing_keeps_to_time_and_customer(full):
    third = full.pay.payments.get(reference="order_3").created_at
    list_them = full.pay.payments.list_from_provider
    told = list_them(created_from=third - timedelta(seconds=90), created_before=third)
    assert [one.payment_id for one in told] == ids(full, 2)
    customer = full.bank.add_customer()
    full.buy("order_9", customer=customer)
    assert [one.payment_id for one in list_them(customer=customer)] == ids(full, 9)


@each_colour
def test_the_refunds_of_a_payment_are_told_with_our_ids(shop):
    payment, other = shop.buy("order_1"), shop.buy("order_2")
    refunds = [shop.refund(payment, f"return_{n}", amount=usd(700)) for n in range(3)]
    shop.refund(other, "return_9", amount=usd(700))
    listing = shop.pay.refunds.list_from_provider(payment=payment.id)
    told = list(listing)
    assert [one.refund_id for one in told] == [refund.id for refund in reversed(refunds)]
    assert {(one.amount, one.status) for one in told} == {(usd(700), "succeeded")}
    page = listing.page(limit=2)
    (last,) = listing.page(cursor=page.next_cursor, limit=2).items
    assert last.refund_id == refunds[0].id


def makes_anew():
    """A declined payment is over: a second attempt is another object."""
    return replace(stripe_like(), lacks=frozenset({Capability.RECONFIRM}))


@kinds(Kind("sync", "memory", makes_anew), Kind("async", "sqlite", makes_anew))
def test_refunds_of_every_attempts_object_are_told(shop):
    shop.buy(payment_method=Tokens.EXPIRED)
    shop.buy(attempt=2, payment_method=Tokens.EXPIRED)
    payment = shop.buy(attempt=3)
    assert len(shop.bank.payments) == 3
    for number in range(3):
        shop.refund(payment, f"return_{number}", amount=usd(300))
    listing = shop.pay.refunds.list_from_provider(payment=payment.id)
    assert [one.amount for one in listing] == [usd(300)] * 3
    sizes, cursor = [], None
    while True:
        page = listing.page(cursor=cursor, limit=2)
        sizes.append(len(page.items))
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sizes == [2, 1, 0, 0]
    assert listing.page(cursor="9:").items == ()


@behaving("adyen_like")
def test_a_provider_that_lists_nothing_is_not_asked(shop):
    payment = shop.buy()
    seen = []
    shop.fake.decide(lambda request: seen.append(request.operation))
    with pytest.raises(UnsupportedOperation, match=r"payments\.list_from_provider"):
        shop.pay.payments.list_from_provider()
    with pytest.raises(UnsupportedOperation, match=r"refunds\.list_from_provider"):
        shop.pay.refunds.list_from_provider(payment=payment.id)
    assert seen == []


@each_colour
def test_a_listing_that_fails_raises(shop):
    shop.buy()
    shop.fake.next("list_payments", LostRequest())
    with pytest.raises(ProviderUnavailable, match=r"payments\.list_from_provider"):
        list(shop.pay.payments.list_from_provider())
    assert len(list(shop.pay.payments.list_from_provider())) == 1


@each_colour
@pytest.mark.parametrize("cursor", [7, "", "a b", "x" * 300, "\u00e4", "../me"])
def test_a_cursor_of_something_else_is_refused(shop, cursor):
    shop.buy()
    for listing in (
        shop.pay.payments.list_from_provider(),
        shop.pay.refunds.list_from_provider(payment=shop.pay.payments.get(reference="order_1").id),
    ):
        with pytest.raises(InvalidRequest, match="cursor"):
            listing.page(cursor=cursor)


@each_colour
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("created_from", datetime(2026, 1, 1)),  # noqa: DTZ001 - what is refused
        ("created_before", "yesterday"),
        ("customer", "../me"),
        ("customer", "4242424242424242"),
    ],
)
def test_what_is_asked_is_checked(shop, field, value):
    with pytest.raises(InvalidRequest, match=rf"payments\.list_from_provider: {field}"):
        shop.pay.payments.list_from_provider(**{field: value})
