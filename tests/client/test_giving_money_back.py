"""Refunds: whole, in parts, pending, failed late, reversed; and never more than was captured."""

from dataclasses import replace

import pytest
from shops import PRICE, Kind, behaving, each_behaviour, each_colour, kinds, usd

from payport import (
    InvalidRequest,
    InvalidTransition,
    NotFound,
    OutcomeUnknown,
    RefundReason,
    RefundStatus,
    UnsupportedOperation,
)
from payport.providers.spec import Capability
from payport.testing import Declined, LostRequest, Tokens, stripe_like


@each_behaviour
def test_a_payment_is_given_back_as_a_whole(shop):
    paid = shop.buy()
    shop.deliver()
    refund = shop.refund(paid)
    shop.deliver()

    refund = shop.pay.refunds.get(refund.id)
    assert (refund.status, refund.amount) == (RefundStatus.SUCCEEDED, PRICE)
    assert (refund.reference, refund.payment_id) == ("return_1", paid.id)
    assert shop.pay.payments.get(paid.id).refunded == PRICE
    assert shop.pay.payments.get(paid.id).refundable == usd(0)
    assert shop.bank.refunded("order_1") == PRICE


@each_behaviour
def test_equal_parts_are_two_refunds(shop):
    paid = shop.buy()
    shop.deliver()
    first = shop.refund(paid, "return_1", amount=usd(1000))
    second = shop.refund(paid, "return_2", amount=usd(1000))
    shop.deliver()

    assert first.id != second.id
    assert shop.pay.payments.get(paid.id).refunded == usd(2000)
    assert shop.bank.refunded("order_1") == usd(2000)
    assert len(shop.bank.refunds) == 2


@each_behaviour
def test_the_rest_is_what_is_left_when_it_is_asked_for(shop):
    paid = shop.buy()
    shop.deliver()
    shop.refund(paid, "return_1", amount=usd(1200))
    rest = shop.refund(paid, "return_2")
    shop.deliver()

    assert rest.amount == usd(3800)
    assert shop.bank.refunded("order_1") == PRICE
    assert shop.refund(paid, "return_2").amount == usd(3800), "asked again, it is the same refund"


def test_a_refund_is_found_by_id_and_by_reference(shop):
    paid = shop.buy()
    refund = shop.refund(
        paid, amount=usd(1), reason=RefundReason.DUPLICATE, metadata={"why": "twice"}
    )
    assert refund.reason is RefundReason.DUPLICATE
    assert shop.pay.refunds.get(refund.id) == refund
    assert shop.another().refunds.get(reference="return_1") == refund
    assert shop.pay.refunds.refresh(refund.id) == refund
    assert shop.pay.refunds.refresh(reference="return_1") == refund
    assert shop.bank.refunds[0].metadata == {"why": "twice"}
    assert shop.bank.refunds[0].reason == "duplicate"


@each_colour
def test_a_refund_that_nobody_made_is_not_found(shop):
    paid = shop.buy()
    other = shop.refund(paid, pay=shop.pay)
    elsewhere = shop.pay.scoped("elsewhere")
    for read in (elsewhere.refunds.get, elsewhere.refunds.refresh):
        with pytest.raises(NotFound, match="elsewhere"):
            read(other.id)
        with pytest.raises(NotFound):
            read(reference="return_1")


@each_colour
@pytest.mark.parametrize("minor", [5001, 999_999])
def test_more_than_was_captured_is_not_given_back(shop, minor):
    paid = shop.buy()
    sent = shop.requests()
    with pytest.raises(InvalidRequest, match=r"refunds\.create.*: amount.*50\.00 USD"):
        shop.refund(paid, amount=usd(minor))
    assert shop.requests() == sent
    assert shop.pay.payments.get(paid.id) == paid


@each_behaviour
def test_what_is_spoken_for_is_not_given_back_again(shop):
    paid = shop.buy(payment_method=Tokens.REFUND_PENDING)
    shop.deliver()
    shop.refund(paid, "return_1", amount=usd(3000))
    with pytest.raises(InvalidRequest, match=r"30\.00 USD pending"):
        shop.refund(paid, "return_2", amount=usd(2001))
    assert shop.refund(paid, "return_3").amount == usd(2000)


@each_colour
def test_a_refund_of_what_was_never_taken_is_an_invalid_transition(shop):
    held = shop.hold()
    for amount in (None, usd(1)):
        with pytest.raises(InvalidTransition, match=r"refunds\.create.*Cancel"):
            shop.refund(held, amount=amount)


@each_colour
def test_a_refund_of_nothing_that_is_left_says_so(shop):
    paid = shop.buy()
    shop.refund(paid)
    with pytest.raises(InvalidRequest, match=r"more than the 0\.00 USD"):
        shop.refund(paid, "return_2")


@each_colour
def test_another_currency_is_not_given_back(shop):
    paid = shop.buy()
    with pytest.raises(InvalidRequest, match=r"refunds\.create.*USD, not EUR"):
        shop.refund(paid, amount=type(PRICE)(10, "EUR"))


def test_one_reference_is_one_refund_whatever_the_payment(shop):
    first, second = shop.buy("order_1"), shop.buy("order_2")
    shop.refund(first, "return_1", amount=usd(10))
    with pytest.raises(InvalidRequest, match="parameters"):
        shop.refund(second, "return_1", amount=usd(10))
    assert shop.bank.refunded("order_2") == usd(0)


# -- late decisions -------------------------------------------------------------------------------


@each_behaviour
@pytest.mark.parametrize("given", [True, False])
def test_a_pending_refund_is_decided_by_a_webhook(shop, given):
    paid = shop.buy(payment_method=Tokens.REFUND_PENDING)
    shop.deliver()
    refund = shop.refund(paid, amount=usd(900))
    shop.deliver()
    assert shop.pay.refunds.get(refund.id).status is RefundStatus.PENDING
    assert shop.pay.payments.get(paid.id).refund_pending == usd(900)

    shop.bank.settle("return_1", ok=given)
    shop.deliver()
    decided = shop.pay.refunds.get(refund.id)
    assert decided.status is (RefundStatus.SUCCEEDED if given else RefundStatus.FAILED)
    after = shop.pay.payments.get(paid.id)
    assert after.refund_pending == usd(0)
    assert after.refunded == (usd(900) if given else usd(0))
    assert shop.events(paid)[-1] == ("RefundSucceeded" if given else "RefundFailed")


@each_behaviour
def test_a_refund_that_fails_late_can_be_given_again_under_another_name(shop):
    paid = shop.buy(payment_method=Tokens.REFUND_FAILS)
    shop.deliver()
    refund = shop.refund(paid)
    shop.clock.advance(48 * 3600)
    shop.deliver()

    assert shop.pay.refunds.get(refund.id).status is RefundStatus.FAILED
    assert shop.pay.payments.get(paid.id).refundable == PRICE
    assert shop.refund(paid).status is RefundStatus.FAILED, "asked again, it is the same refund"
    assert shop.refund(paid, "return_2").amount == PRICE


@each_behaviour
def test_a_refund_that_comes_back_is_told_as_reversed(shop):
    paid = shop.buy(payment_method=Tokens.REFUND_REVERSES)
    shop.deliver()
    refund = shop.refund(paid, amount=usd(100))
    shop.deliver()
    assert shop.pay.refunds.get(refund.id).status is RefundStatus.SUCCEEDED

    shop.clock.advance(48 * 3600)
    shop.deliver()
    assert shop.pay.refunds.get(refund.id).status is RefundStatus.FAILED
    assert shop.pay.payments.get(paid.id).refunded == usd(0)
    assert shop.events(paid)[-1] == "RefundReversed"
    assert shop.bank.moved("order_1") == PRICE


@each_behaviour
def test_a_refund_that_is_declined_is_an_outcome(shop):
    paid = shop.buy()
    shop.deliver()
    shop.fake.next("create_refund", Declined())
    refund = shop.refund(paid)
    shop.deliver()

    assert shop.pay.refunds.get(refund.id).status is RefundStatus.FAILED
    assert shop.pay.payments.get(paid.id).refundable == PRICE


def test_a_refresh_of_a_refund_tells_what_happened_at_the_bank(shop):
    paid = shop.buy(payment_method=Tokens.REFUND_PENDING)
    refund = shop.refund(paid)
    shop.bank.settle("return_1")

    assert shop.pay.refunds.refresh(refund.id).status is RefundStatus.SUCCEEDED
    assert shop.pay.payments.get(paid.id).refunded == PRICE


@behaving("adyen_like")
def test_a_refund_that_cannot_be_read_is_not_refreshed(shop):
    paid = shop.buy()
    shop.deliver()
    refund = shop.refund(paid)
    with pytest.raises(UnsupportedOperation, match=r"refunds\.refresh"):
        shop.pay.refunds.refresh(refund.id)


@each_colour
def test_a_refund_that_the_provider_told_nothing_of_is_not_read(shop):
    paid = shop.buy()
    shop.fake.decide(lambda asked: LostRequest() if asked.operation != "account" else None)
    with pytest.raises(OutcomeUnknown):
        shop.refund(paid)
    assert shop.pay.refunds.refresh(reference="return_1").status is RefundStatus.UNKNOWN


# -- what a provider cannot do --------------------------------------------------------------------


def lacking(*lacks):
    def behaviour():
        return replace(stripe_like(), lacks=frozenset(lacks), name="lacks " + "+".join(lacks))

    return kinds(Kind(behaviour=behaviour), Kind("async", behaviour=behaviour))


@lacking(Capability.PARTIAL_REFUND)
def test_part_of_a_payment_is_not_given_back_where_that_is_not_offered(shop):
    paid = shop.buy()
    with pytest.raises(UnsupportedOperation, match="partial_refund"):
        shop.refund(paid, amount=usd(1))
    assert shop.refund(paid).status is RefundStatus.SUCCEEDED


@lacking(Capability.REFUND)
def test_nothing_is_given_back_where_that_is_not_offered(shop):
    paid = shop.buy()
    with pytest.raises(UnsupportedOperation, match=r"refunds\.create"):
        shop.refund(paid)


@lacking(Capability.MULTIPLE_CAPTURES, Capability.PARTIAL_CAPTURE)
def test_money_is_taken_at_once_where_no_parts_are_offered(shop):
    held = shop.hold()
    with pytest.raises(UnsupportedOperation, match="multiple_captures"):
        shop.pay.payments.capture(held.id, amount=usd(1), reference="parcel_1")
    with pytest.raises(UnsupportedOperation, match="partial_capture"):
        shop.pay.payments.capture(held.id, amount=usd(1))
    assert shop.pay.payments.capture(held.id).captured == PRICE


@lacking(Capability.MANUAL_CAPTURE)
def test_nothing_is_held_where_that_is_not_offered(shop):
    with pytest.raises(UnsupportedOperation, match="manual_capture"):
        shop.buy(capture_method="manual")
    assert shop.rows() == []
    assert shop.requests() == 0


@lacking(Capability.CANCEL)
def test_nothing_is_canceled_where_that_is_not_offered(shop):
    held = shop.hold()
    with pytest.raises(UnsupportedOperation, match=r"payments\.cancel"):
        shop.pay.payments.cancel(held.id)
