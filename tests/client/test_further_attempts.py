"""Second and further attempts: only when the ones before are proven to hold and take no money."""

from dataclasses import replace

import pytest
from shops import PRICE, VISA, Kind, behaving, each_behaviour, each_colour, kinds, usd, with_keys

from payport import (
    DuplicatePayment,
    IdempotencyConflict,
    InvalidRequest,
    InvalidTransition,
    NotFound,
    OutcomeUnknown,
    PaymentStatus,
    ProviderUnavailable,
)
from payport.providers.spec import Capability
from payport.testing import (
    Crash,
    CrashAfter,
    CrashBefore,
    LostRequest,
    LostResponse,
    Tokens,
    Unavailable,
    stripe_like,
)

NO = Tokens.INSUFFICIENT_FUNDS


def down(shop, operation, times=4):
    """The provider says for as long as anybody asks that it executes nothing."""
    shop.fake.next(operation, *[Unavailable()] * times)


def declined(shop, **more):
    payment = shop.buy(payment_method=NO, **more)
    assert payment.decline is not None
    return payment


@each_behaviour
def test_a_declined_payment_is_tried_again_with_another_method(shop):
    first = declined(shop)
    second = shop.buy(attempt=2)
    shop.deliver()
    second = shop.pay.payments.get(second.id)

    assert second.id == first.id
    assert (second.attempt, second.status) == (2, PaymentStatus.SUCCEEDED)
    assert shop.bank.charged("order_1") == PRICE
    assert shop.buy(attempt=2).attempt == 2
    assert shop.bank.charged("order_1") == PRICE


@behaving("stripe_like", "keyless")
def test_the_same_object_is_tried_again_where_that_is_possible(shop):
    declined(shop)
    second = shop.buy(attempt=2)
    assert len(second.attempts) == len(shop.bank.payments) == 1
    assert second.latest_attempt.number == 2


@behaving("adyen_like")
def test_a_new_object_is_made_where_a_declined_one_is_over(shop):
    declined(shop)
    shop.buy(attempt=2)
    shop.deliver()
    assert len(shop.pay.payments.get(reference="order_1").attempts) == 2
    assert [p.state for p in shop.bank.payments] == ["refused", "done"]


def no_reconfirm():
    return replace(stripe_like(), lacks=frozenset({Capability.RECONFIRM}), name="no-reconfirm")


VOIDS = kinds(Kind(behaviour=no_reconfirm), Kind("async", "sqlite", no_reconfirm))


@VOIDS
@pytest.mark.parametrize("by", ["create", "confirm"])
def test_an_object_that_somebody_could_still_confirm_is_ended_before_another_is_made(shop, by):
    first = declined(shop)
    if by == "create":
        second = shop.buy(attempt=2)
    else:
        second = shop.pay.payments.confirm(first.id, payment_method=VISA, attempt=2)

    assert [p.state for p in shop.bank.payments] == ["voided", "done"]
    assert second.status is PaymentStatus.SUCCEEDED
    assert sorted(row.operation for row in shop.rows()) == [
        "cancel_payment",
        "confirm_payment",
        "create_payment",
    ]
    assert shop.buy(attempt=2) == second


@VOIDS
def test_nothing_is_made_while_it_is_unknown_whether_the_last_object_was_ended(shop):
    declined(shop)
    shop.fake.decide(lambda asked: LostRequest() if asked.operation == "cancel_payment" else None)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            shop.buy(attempt=2)
        assert [p.state for p in shop.bank.payments] == ["refused"]

    shop.fake.script.clear()
    assert shop.buy(attempt=2).is_paid
    assert [p.state for p in shop.bank.payments] == ["voided", "done"]


@each_behaviour
@pytest.mark.parametrize("first_by", ["create", "confirm"])
def test_a_second_attempt_by_either_name_is_one_operation(shop, first_by):
    first = declined(shop)
    calls = {
        "create": lambda: shop.buy(attempt=2),
        "confirm": lambda: shop.pay.payments.confirm(first.id, payment_method=VISA, attempt=2),
    }
    once = calls.pop(first_by)()
    again = calls.popitem()[1]()

    assert once == again
    assert shop.requests() == 2
    with pytest.raises(IdempotencyConflict):
        shop.pay.payments.confirm(first.id, payment_method="pm_card_ok", attempt=2)


@each_colour
def test_a_third_attempt_follows_a_second_that_was_declined(shop):
    declined(shop)
    assert declined(shop, attempt=2).attempt == 2
    third = shop.buy(attempt=3)
    assert (third.attempt, third.is_paid) == (3, True)
    assert shop.events(third).count("PaymentFailed") == 2


@each_behaviour
@pytest.mark.parametrize("token", [Tokens.ERROR, "canceled", "expired"])
def test_what_failed_or_was_canceled_is_tried_again_with_a_new_object(shop, token):
    if token == Tokens.ERROR:
        shop.buy(payment_method=token)
    else:
        held = shop.hold()
        if token == "canceled":
            shop.pay.payments.cancel(held.id)
        else:
            shop.clock.advance(8 * 24 * 3600)
    shop.deliver()
    manual = {} if token == Tokens.ERROR else {"capture_method": "manual"}

    shop.buy(attempt=2, **manual)
    shop.deliver()
    assert len(shop.bank.payments) == 2
    assert shop.pay.payments.get(reference="order_1").attempt == 2


@each_behaviour
def test_money_that_came_back_is_asked_for_again(shop):
    shop.buy(payment_method=Tokens.CAPTURE_FAILS)
    shop.deliver()
    shop.clock.advance(48 * 3600)
    shop.deliver()
    shop.buy(attempt=2)
    shop.deliver()

    assert shop.pay.payments.get(reference="order_1").is_paid
    assert shop.bank.charged("order_1") == PRICE


@each_behaviour
def test_what_a_capture_came_to_on_one_attempt_says_nothing_about_the_next(shop):
    held = shop.hold(payment_method=Tokens.CAPTURE_FAILS)
    shop.pay.payments.capture(held.id)
    shop.deliver()
    shop.clock.advance(48 * 3600)
    shop.deliver()
    shop.buy(attempt=2, capture_method="manual")
    shop.deliver()

    shop.pay.payments.capture(held.id)
    shop.deliver()
    assert shop.pay.payments.get(held.id).is_paid
    assert shop.bank.charged("order_1") == PRICE


# -- refused --------------------------------------------------------------------------------------


@each_behaviour
@pytest.mark.parametrize(
    "token", [VISA, Tokens.PROCESSING, Tokens.AUTHENTICATE, Tokens.AUTHENTICATE_TOKEN]
)
def test_no_attempt_follows_one_that_paid_or_may_yet_pay(shop, token):
    before = shop.buy(payment_method=token)
    sent = shop.requests()

    for try_again in (
        lambda: shop.buy(attempt=2),
        lambda: shop.pay.payments.confirm(before.id, payment_method=VISA, attempt=2),
    ):
        with pytest.raises(InvalidTransition):
            try_again()
    assert shop.requests() == sent
    assert len(shop.rows()) == 1


@each_behaviour
@pytest.mark.parametrize("crash", [CrashBefore(), CrashAfter()], ids=repr)
def test_nothing_is_begun_beside_what_is_being_sent(shop, crash):
    shop.fake.next("create_payment", crash)
    with pytest.raises(Crash):
        shop.buy()
    there = shop.pay.payments.get(reference="order_1")
    assert there.status is PaymentStatus.PROCESSING
    sent = shop.requests()

    for call in (
        lambda: shop.buy(attempt=2),
        lambda: shop.pay.payments.confirm(there.id),
        lambda: shop.pay.payments.confirm(there.id, payment_method=VISA, attempt=2),
        lambda: shop.pay.payments.cancel(there.id),
        lambda: shop.pay.payments.capture(there.id),
        lambda: shop.refund(there),
    ):
        with pytest.raises(InvalidTransition):
            call()
    assert shop.requests() == sent
    assert len(shop.rows()) == 1


@each_behaviour
def test_no_attempt_follows_one_that_holds_money(shop):
    shop.hold()
    with pytest.raises(InvalidTransition, match="capture or cancel"):
        shop.buy(attempt=2, capture_method="manual")
    assert len(shop.bank.payments) == 1


@with_keys
@pytest.mark.parametrize("fault", [LostRequest(), LostResponse()])
def test_no_attempt_follows_one_that_is_unknown(shop, fault):
    shop.fake.decide(lambda asked: fault if asked.operation != "account" else None)
    with pytest.raises(OutcomeUnknown) as raised:
        shop.buy()
    shop.fake.script.clear()

    with pytest.raises(InvalidTransition, match="repeat the unknown call"):
        shop.buy(attempt=2)
    with pytest.raises(InvalidTransition):
        shop.pay.payments.confirm(raised.value.payment.id, payment_method=VISA)
    with pytest.raises(InvalidTransition):
        shop.pay.payments.cancel(raised.value.payment.id)
    assert len(shop.rows()) == 1


@each_colour
@pytest.mark.parametrize("number", [3, 7])
def test_attempts_are_counted_without_gaps(shop, number):
    declined(shop)
    with pytest.raises(InvalidRequest, match=r"attempt.*the next attempt is 2"):
        shop.buy(attempt=number)


@each_colour
def test_an_attempt_that_is_over_names_the_next_one(shop):
    first = declined(shop)
    with pytest.raises(InvalidRequest, match="attempt=2"):
        shop.pay.payments.confirm(first.id, payment_method=VISA)
    with pytest.raises(InvalidRequest, match="attempt=2"):
        shop.pay.payments.confirm(first.id, payment_method=VISA, attempt=1)


@each_colour
def test_an_attempt_is_of_a_payment_that_is_there(shop):
    with pytest.raises(NotFound, match=r"payments\.create"):
        shop.buy(attempt=2)
    with pytest.raises(InvalidRequest, match="confirm=True"):
        shop.buy(attempt=2, confirm=False)


@each_colour
@pytest.mark.parametrize(
    "other",
    [
        {"amount": usd(4999)},
        {"capture_method": "manual"},
        {"metadata": {"a": "b"}},
        {"description": "else"},
        {"customer": "bu_000009"},
        {"receipt_email": "ada@example.com"},
        {"statement_descriptor": "SHOP"},
        {"save_payment_method": True},
    ],
    ids=lambda terms: next(iter(terms)),
)
def test_every_attempt_pays_for_the_same_thing(shop, other):
    declined(shop)
    with pytest.raises(IdempotencyConflict, match="another attempt pays for the same thing"):
        shop.buy(attempt=2, **other)
    assert shop.requests() == 1


# -- after proven failure -------------------------------------------------------------------------


@each_behaviour
def test_what_had_no_effect_is_repeated_and_not_counted(shop):
    down(shop, "create_payment")
    with pytest.raises(ProviderUnavailable):
        shop.buy()
    shop.buy()
    shop.deliver()
    assert shop.pay.payments.get(reference="order_1").is_paid
    assert shop.bank.charged("order_1") == PRICE


@each_behaviour
@pytest.mark.parametrize("token", [NO, Tokens.ERROR])
def test_an_attempt_that_had_no_effect_is_repeated_under_its_number(shop, token):
    shop.buy(payment_method=token)
    down(shop, "confirm_payment")
    with pytest.raises(ProviderUnavailable):
        shop.buy(attempt=2)
    shop.buy(attempt=2)
    shop.deliver()

    paid = shop.pay.payments.get(reference="order_1")
    assert (paid.attempt, paid.is_paid) == (2, True)
    assert shop.bank.charged("order_1") == PRICE


@each_behaviour
@pytest.mark.parametrize("onwards", ["confirm", "attempt 2"])
def test_a_first_request_without_effect_is_not_sent_after_others_went_on(shop, onwards):
    down(shop, "create_payment")
    with pytest.raises(ProviderUnavailable):
        shop.buy()
    if onwards == "confirm":
        there = shop.pay.payments.get(reference="order_1")
        shop.pay.payments.confirm(there.id)
    else:
        shop.buy(attempt=2)
    shop.deliver()

    with pytest.raises(InvalidTransition, match=r"payments\.get"):
        shop.buy()
    assert shop.bank.charged("order_1") == PRICE
    assert len(shop.bank.payments) == 1


@each_colour
def test_a_request_that_was_refused_is_mended_by_another_attempt(shop):
    with pytest.raises(InvalidRequest, match="no such payment method"):
        shop.buy(payment_method="pm_of_nobody")
    with pytest.raises(InvalidRequest, match="no such payment method"):
        shop.buy(payment_method="pm_of_nobody")

    paid = shop.buy(attempt=2)
    assert paid.is_paid
    assert shop.bank.charged("order_1") == PRICE


# -- both pay -------------------------------------------------------------------------------------


@behaving("adyen_like")
def test_two_attempts_that_both_paid_raise_an_alarm(shop):
    told = []
    shop.handlers.on(DuplicatePayment, name="alarm")(lambda event, tx: told.append(event))
    declined(shop)
    shop.buy(attempt=2)
    shop.deliver()
    first = shop.bank.payments[0]
    with shop.bank.open():  # the issuer changes its mind, long after it said no
        desk = shop.bank.payments_desk
        desk._approve(first, shop.bank.payments[1].card)
    shop.deliver()

    both = shop.pay.payments.get(reference="order_1")
    assert both.captured == PRICE + PRICE
    assert "DuplicatePayment" in shop.events(both)
    assert [event.captured for event in told] == [PRICE + PRICE]
    assert len(told[0].attempt_refs) == 2

    with pytest.raises(InvalidRequest, match="refund each attempt by itself"):
        shop.refund(both, "all of it")
    one = shop.refund(both, "twice", amount=PRICE)
    shop.deliver()
    assert shop.pay.refunds.get(one.id).status == "succeeded"
    assert shop.pay.payments.get(both.id).refunded == PRICE
    assert shop.pay.payments.get(both.id).is_paid
