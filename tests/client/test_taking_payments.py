"""Payments taken, held, captured and canceled; the same in both colours and on both stores."""

import pytest
from shops import PRICE, VISA, behaving, each_behaviour, each_colour, usd

from payport import (
    DeclineReason,
    InvalidRequest,
    InvalidTransition,
    NotFound,
    PaymentDeclined,
    PaymentStatus,
    ProviderUnavailable,
    UnsupportedOperation,
)
from payport.testing import Declined, Tokens, Unavailable


@each_behaviour
def test_a_payment_is_taken_in_one_call(shop):
    paid = shop.buy(description="two books", metadata={"cart": "17"})
    shop.deliver()
    paid = shop.pay.payments.get(paid.id)

    assert paid.status is PaymentStatus.SUCCEEDED
    assert paid.is_paid
    assert (paid.captured, paid.refunded, paid.amount) == (PRICE, usd(0), PRICE)
    assert (paid.reference, paid.scope, paid.environment) == ("order_1", "test", "test")
    assert (paid.description, paid.metadata) == ("two books", {"cart": "17"})
    assert shop.bank.charged("order_1") == PRICE


def test_what_was_paid_is_found_by_id_and_by_reference(shop):
    paid = shop.buy()

    assert shop.pay.payments.get(paid.id) == paid
    assert shop.pay.payments.get(reference="order_1") == paid
    assert shop.another().payments.get(paid.id) == paid


def test_a_payment_that_nobody_made_is_not_found(shop):
    with pytest.raises(NotFound, match=r"payments\.get"):
        shop.pay.payments.get(reference="order_1")
    with pytest.raises(NotFound):
        shop.pay.payments.refresh(reference="order_1")


def test_a_payment_is_made_first_and_confirmed_later(shop):
    made = shop.pay.payments.create(reference="order_1", amount=PRICE, payment_method=VISA)
    assert made.status is PaymentStatus.REQUIRES_CONFIRMATION
    assert shop.bank.charged("order_1") == usd(0)

    paid = shop.pay.payments.confirm(made.id)
    assert paid.status is PaymentStatus.SUCCEEDED
    assert shop.bank.charged("order_1") == PRICE
    assert paid.attempts[0].ref == made.attempts[0].ref


@behaving("adyen_like")
def test_where_nothing_is_kept_before_a_confirmation_the_payment_waits_in_the_store(shop):
    made = shop.pay.payments.create(reference="order_1", amount=PRICE, payment_method=VISA)
    assert made.status is PaymentStatus.REQUIRES_CONFIRMATION
    assert shop.requests() == 0
    assert made.attempts == ()
    assert shop.pay.payments.create(reference="order_1", amount=PRICE, payment_method=VISA) == made

    shop.pay.payments.confirm(made.id)
    shop.deliver()
    assert shop.pay.payments.get(made.id).status is PaymentStatus.SUCCEEDED
    assert shop.bank.charged("order_1") == PRICE


@each_behaviour
def test_a_method_may_come_with_the_confirmation(shop):
    made = shop.pay.payments.create(reference="order_1", amount=PRICE)
    assert made.status is PaymentStatus.REQUIRES_PAYMENT_METHOD

    shop.pay.payments.confirm(made.id, payment_method=VISA)
    shop.deliver()
    assert shop.pay.payments.get(made.id).is_paid


@each_behaviour
def test_a_confirmation_without_any_method_is_refused_before_it_is_sent(shop):
    made = shop.pay.payments.create(reference="order_1", amount=PRICE)
    sent = shop.requests()

    with pytest.raises(InvalidRequest, match=r"payments\.confirm.*payment_method"):
        shop.pay.payments.confirm(made.id)
    assert shop.requests() == sent
    assert shop.pay.payments.get(made.id) == made


# -- declines -------------------------------------------------------------------------------------


@each_behaviour
def test_a_decline_is_an_outcome_with_words_for_the_customer(shop):
    declined = shop.buy(payment_method=Tokens.INSUFFICIENT_FUNDS)

    assert declined.status is PaymentStatus.REQUIRES_PAYMENT_METHOD
    assert declined.decline.reason is DeclineReason.INSUFFICIENT_FUNDS
    assert "enough money" in declined.decline.user_message
    assert declined.captured == usd(0)
    with pytest.raises(PaymentDeclined) as raised:
        declined.raise_for_decline()
    assert raised.value.payment == declined
    assert shop.pay.payments.get(declined.id).decline == declined.decline


def test_what_was_not_declined_raises_nothing(shop):
    shop.buy().raise_for_decline()


@each_colour
@pytest.mark.parametrize("reason", DeclineReason)
def test_each_reason_of_a_decline_reaches_the_caller(shop, reason):
    assert shop.buy(payment_method=Tokens.declined(reason)).decline.reason is reason


def test_what_fails_by_nobodys_decision_is_failed(shop):
    assert shop.buy(payment_method=Tokens.ERROR).status is PaymentStatus.FAILED


# -- captures -------------------------------------------------------------------------------------


@each_behaviour
def test_held_money_is_taken_as_a_whole(shop):
    held = shop.hold()
    assert (held.authorized, held.captured, held.capturable) == (PRICE, usd(0), PRICE)
    assert shop.bank.charged("order_1") == usd(0)

    shop.pay.payments.capture(held.id)
    shop.deliver()
    paid = shop.pay.payments.get(held.id)
    assert (paid.status, paid.captured) == (PaymentStatus.SUCCEEDED, PRICE)
    assert shop.bank.charged("order_1") == PRICE


@each_behaviour
def test_held_money_is_taken_in_parts_that_may_be_equal(shop):
    held = shop.hold()
    for parcel in ("parcel_1", "parcel_2"):
        shop.pay.payments.capture(held.id, amount=usd(2000), reference=parcel)
    shop.deliver()
    part = shop.pay.payments.get(held.id)
    assert part.captured == usd(4000)
    assert part.status is PaymentStatus.REQUIRES_CAPTURE
    assert part.capturable == usd(1000)

    shop.pay.payments.capture(held.id)
    shop.deliver()
    assert shop.pay.payments.get(held.id).is_paid
    assert shop.bank.charged("order_1") == PRICE


@each_behaviour
def test_a_final_capture_of_less_releases_the_rest(shop):
    held = shop.hold()
    shop.pay.payments.capture(held.id, amount=usd(1500))
    shop.deliver()
    done = shop.pay.payments.get(held.id)

    assert (done.captured, done.capturable) == (usd(1500), usd(0))
    assert done.status is PaymentStatus.SUCCEEDED
    assert not done.is_paid
    assert shop.bank.charged("order_1") == usd(1500)


def test_a_last_part_may_be_named_and_final(shop):
    held = shop.hold()
    shop.pay.payments.capture(held.id, amount=usd(1000), reference="parcel_1")
    done = shop.pay.payments.capture(held.id, amount=usd(500), reference="parcel_2", final=True)
    assert (done.captured, done.status) == (usd(1500), PaymentStatus.SUCCEEDED)


def test_one_part_asked_twice_is_taken_once(shop):
    held = shop.hold()
    once = shop.pay.payments.capture(held.id, amount=usd(2000), reference="parcel_1")
    again = shop.pay.payments.capture(held.id, amount=usd(2000), reference="parcel_1")

    assert once == again
    assert shop.bank.charged("order_1") == usd(2000)


@each_colour
def test_more_than_is_held_is_not_captured(shop):
    held = shop.hold()
    shop.pay.payments.capture(held.id, amount=usd(3000), reference="parcel_1")
    sent = shop.requests()

    with pytest.raises(InvalidRequest, match=r"payments\.capture.*amount.*20\.00 USD"):
        shop.pay.payments.capture(held.id, amount=usd(2001), reference="parcel_2")
    assert shop.requests() == sent
    assert len(shop.rows()) == 2


@each_colour
def test_a_capture_where_nothing_is_held_is_an_invalid_transition(shop):
    paid = shop.buy()
    made = shop.pay.payments.create(reference="order_2", amount=PRICE)
    for payment in (paid, made):
        with pytest.raises(InvalidTransition, match=r"payments\.capture"):
            shop.pay.payments.capture(payment.id)


@each_colour
def test_a_part_without_a_name_is_refused(shop):
    held = shop.hold()
    with pytest.raises(InvalidRequest, match=r"payments\.capture.*reference"):
        shop.pay.payments.capture(held.id, amount=usd(100), final=False)


@each_colour
def test_a_capture_that_fails_leaves_the_payment_unpaid(shop):
    held = shop.hold()
    shop.fake.next("capture_payment", Declined())
    after = shop.pay.payments.capture(held.id, amount=usd(1000), reference="parcel_1")

    assert after.captured == usd(0)
    assert after.captures[0].status == "failed"
    assert "CaptureFailed" in shop.events(held)
    again = shop.pay.payments.capture(held.id, amount=usd(1000), reference="parcel_1")
    assert again.captured == usd(0), "a capture that the provider decided on is not made anew"


# -- cancels --------------------------------------------------------------------------------------


@each_behaviour
def test_held_money_is_released(shop):
    held = shop.hold()
    shop.pay.payments.cancel(held.id)
    shop.deliver()
    canceled = shop.pay.payments.get(held.id)

    assert canceled.status is PaymentStatus.CANCELED
    assert canceled.authorized == usd(0)
    assert shop.bank.payment("order_1").state == "voided"
    assert shop.events(held)[-1] == "PaymentCanceled"
    assert shop.pay.payments.cancel(held.id) == canceled


@each_behaviour
def test_what_was_never_confirmed_is_canceled(shop):
    made = shop.pay.payments.create(reference="order_1", amount=PRICE, payment_method=VISA)
    shop.pay.payments.cancel(made.id)
    shop.deliver()

    assert shop.pay.payments.get(made.id).status is PaymentStatus.CANCELED
    assert shop.events(made) == ["PaymentCanceled"]
    with pytest.raises(InvalidRequest):
        shop.pay.payments.confirm(made.id)


@each_colour
def test_what_the_provider_never_heard_of_is_canceled_in_the_store(shop):
    shop.fake.next("create_payment", *[Unavailable()] * 4)
    with pytest.raises(ProviderUnavailable):
        shop.buy()
    there = shop.pay.payments.get(reference="order_1")
    canceled = shop.pay.payments.cancel(there.id)

    assert canceled.status is PaymentStatus.CANCELED
    assert shop.pay.payments.refresh(there.id) == canceled
    assert shop.bank.payments == ()
    with pytest.raises(InvalidTransition):
        shop.buy()
    assert shop.buy(attempt=2).is_paid


@each_colour
def test_money_that_was_taken_is_refunded_and_not_canceled(shop):
    paid = shop.buy()
    with pytest.raises(InvalidTransition, match=r"payments\.cancel.*refund"):
        shop.pay.payments.cancel(paid.id)


# -- refresh --------------------------------------------------------------------------------------


def test_a_refresh_tells_what_happened_at_the_bank(shop):
    paid = shop.buy()
    refunded = shop.bank.refund("order_1", usd(700))
    assert shop.pay.payments.get(paid.id).refunded == usd(0)

    fresh = shop.pay.payments.refresh(paid.id)
    assert fresh.refunded == usd(700)
    assert [r.provider_ref for r in fresh.refunds] == [refunded]
    assert fresh.refunds[0].reference is None
    assert shop.pay.payments.get(reference="order_1") == fresh
    assert shop.pay.payments.refresh(reference="order_1").refunded == usd(700)


@behaving("adyen_like")
def test_what_cannot_be_read_is_not_refreshed(shop):
    paid = shop.buy()
    with pytest.raises(UnsupportedOperation, match=r"payments\.refresh"):
        shop.pay.payments.refresh(paid.id)


# -- what the bank decides later ------------------------------------------------------------------


@each_behaviour
@pytest.mark.parametrize("pays", [True, False])
def test_an_undecided_payment_is_processing_until_the_bank_tells(shop, pays):
    token = Tokens.PROCESSING if pays else Tokens.PROCESSING_FAILS
    waiting = shop.buy(payment_method=token)
    assert waiting.status is PaymentStatus.PROCESSING
    assert shop.buy(payment_method=token).status is PaymentStatus.PROCESSING

    shop.clock.advance(3600)
    shop.deliver()
    decided = shop.pay.payments.get(waiting.id)
    assert decided.is_paid is pays
    assert shop.bank.charged("order_1") == (PRICE if pays else usd(0))
    if not pays:
        assert decided.decline.reason is DeclineReason.PROCESSING_ERROR


@each_behaviour
def test_a_partial_authorisation_is_not_taken_for_a_payment(shop):
    shop.buy(payment_method=Tokens.PARTIAL)
    shop.deliver()
    part = shop.pay.payments.get(reference="order_1")

    assert (part.authorized, part.captured) == (usd(2500), usd(2500))
    assert part.status is PaymentStatus.REQUIRES_PAYMENT_METHOD
    assert not part.is_paid
    assert "PaymentSucceeded" not in shop.events(part)


def test_a_partial_authorisation_is_captured_as_far_as_it_goes(shop):
    held = shop.hold(payment_method=Tokens.PARTIAL)
    assert held.capturable == usd(2500)
    with pytest.raises(InvalidRequest, match="amount"):
        shop.pay.payments.capture(held.id, amount=usd(2501))
    assert shop.pay.payments.capture(held.id).captured == usd(2500)


@each_behaviour
def test_money_that_comes_back_is_no_longer_captured(shop):
    paid = shop.buy(payment_method=Tokens.CAPTURE_FAILS)
    shop.deliver()
    assert shop.pay.payments.get(paid.id).is_paid

    shop.clock.advance(48 * 3600)
    shop.deliver()
    after = shop.pay.payments.get(paid.id)
    assert after.captured == usd(0)
    assert not after.is_paid
    assert shop.events(paid)[-1] == "CaptureFailed"


@each_behaviour
def test_disputed_money_is_not_given_back_twice(shop):
    paid = shop.buy()
    shop.deliver()
    dispute = shop.bank.dispute("order_1", usd(4000))
    shop.deliver()
    disputed = shop.pay.payments.get(paid.id)
    assert (disputed.disputed, disputed.refundable) == (usd(4000), usd(1000))
    with pytest.raises(InvalidRequest, match=r"40\.00 USD disputed"):
        shop.refund(paid, amount=usd(1001))

    shop.bank.win(dispute)
    shop.deliver()
    assert shop.pay.payments.get(paid.id).disputed == usd(0)
    assert shop.events(paid)[-2:] == ["DisputeOpened", "DisputeClosed"]


@each_behaviour
def test_held_money_that_nobody_took_expires(shop):
    held = shop.hold()
    shop.clock.advance(7 * 24 * 3600)
    shop.deliver()

    assert shop.pay.payments.get(held.id).status is PaymentStatus.CANCELED
    assert shop.bank.charged("order_1") == usd(0)
