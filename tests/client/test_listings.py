"""Listings come from the store, newest first, page by page, and ask the provider nothing."""

from datetime import timedelta

import pytest
from shops import PRICE, each_colour, usd

from payport import InvalidRequest, OperationState, PaymentStatus, RefundStatus
from payport.testing import Tokens


@pytest.fixture
def full(shop):
    """A shop with seven payments, a minute apart."""
    for number in range(7):
        token = Tokens.EXPIRED if number % 3 == 2 else Tokens.OK
        shop.buy(f"order_{number}", payment_method=token)
        shop.clock.advance(60)
    return shop


def references(payments):
    return [payment.reference for payment in payments]


def test_the_newest_comes_first(full):
    assert references(full.pay.payments.list()) == [f"order_{n}" for n in reversed(range(7))]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
def test_pages_follow_each_other_without_gap_or_repetition(full, limit):
    listing, cursor, seen = full.pay.payments.list(), None, []
    while True:
        page = listing.page(cursor=cursor, limit=limit)
        assert len(page.items) <= limit
        seen += references(page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == references(full.pay.payments.list())


def test_a_cursor_lasts_while_newer_payments_come(full):
    first = full.pay.payments.list().page(limit=3)
    full.buy("newer")
    second = full.another().payments.list().page(cursor=first.next_cursor, limit=3)
    assert references(second.items) == ["order_3", "order_2", "order_1"]


def test_payments_of_one_moment_are_all_listed(shop):
    for number in range(5):
        shop.pay.payments.create(reference=f"order_{number}", amount=PRICE)
    listing, cursor, seen = shop.pay.payments.list(), None, []
    for _ in range(5):
        page = listing.page(cursor=cursor, limit=1)
        seen += references(page.items)
        cursor = page.next_cursor
    assert cursor is None
    assert sorted(seen) == [f"order_{n}" for n in range(5)]


def test_a_listing_is_read_as_it_is_needed_and_can_be_read_again(full):
    listing = full.pay.payments.list()
    before = references(listing)
    full.buy("newer")
    assert references(listing) == ["newer", *before]


@each_colour
def test_more_than_a_page_is_listed(shop):
    for number in range(120):
        shop.pay.payments.create(reference=f"order_{number}", amount=PRICE)
    assert len(list(shop.pay.payments.list())) == 120


def test_payments_are_listed_by_status_and_time(full):
    list_them = full.pay.payments.list
    declined = list_them(status=PaymentStatus.REQUIRES_PAYMENT_METHOD)
    assert references(declined) == ["order_5", "order_2"]
    assert references(list_them(status="succeeded"))[0] == "order_6"
    assert references(list_them(status=PaymentStatus.UNKNOWN)) == []

    third = full.pay.payments.get(reference="order_3").created_at
    assert references(list_them(created_from=third)) == ["order_6", "order_5", "order_4", "order_3"]
    assert references(list_them(created_before=third)) == ["order_2", "order_1", "order_0"]
    between = list_them(created_from=third, created_before=third + timedelta(seconds=1))
    assert references(between) == ["order_3"]


def test_refunds_are_listed_by_payment_and_status(shop):
    first = shop.buy("order_1")
    second = shop.buy("order_2", payment_method=Tokens.REFUND_PENDING)
    shop.refund(first, "return_1", amount=usd(1))
    shop.clock.advance(1)
    shop.refund(second, "return_2", amount=usd(2))
    shop.clock.advance(1)
    shop.refund(first, "return_3", amount=usd(3))

    list_them = shop.pay.refunds.list
    assert references(list_them()) == ["return_3", "return_2", "return_1"]
    assert references(list_them(payment=first.id)) == ["return_3", "return_1"]
    assert references(list_them(status=RefundStatus.PENDING)) == ["return_2"]
    assert references(list_them(status="succeeded", payment=second.id)) == []
    page = list_them().page(limit=2)
    assert references(list_them().page(cursor=page.next_cursor).items) == ["return_1"]


def test_the_journal_is_listed_by_payment_and_state(shop):
    first = shop.buy("order_1")
    shop.clock.advance(1)
    shop.buy("order_2", payment_method=Tokens.EXPIRED)
    shop.clock.advance(1)
    shop.refund(first, amount=usd(1))

    list_them = shop.pay.operations.list
    assert [row.operation for row in list_them()] == [
        "create_refund",
        "create_payment",
        "create_payment",
    ]
    assert [row.operation for row in list_them(payment=first.id)][-1] == "create_payment"
    assert len(list(list_them(state=OperationState.REJECTED))) == 1
    assert len(list(list_them(state="confirmed", payment=first.id))) == 2
    page = list_them().page(limit=2)
    (last,) = list_them().page(cursor=page.next_cursor).items
    assert shop.pay.operations.get(last.id) == last
    assert last.payment_id == first.id
    assert last.is_concluded


def test_listing_asks_the_provider_nothing(full):
    asked = []
    other = full.provider()
    other.decide(lambda request: asked.append(request.operation))
    pay = full.client(other)
    list(pay.payments.list())
    list(pay.refunds.list())
    list(pay.operations.list())
    assert asked == []


@each_colour
def test_a_cursor_of_something_else_is_refused(shop):
    for cursor in ("MjAyNi0wMS0wMVQwMDowMDowMA", "fHBheV94", "4pyT"):
        with pytest.raises(InvalidRequest, match=r"payments\.list: cursor"):
            shop.pay.payments.list().page(cursor=cursor)
