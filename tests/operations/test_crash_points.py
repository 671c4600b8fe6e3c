"""
The process dies: before and after each send, and before and after each commit. Another process over
the same store and bank asks again, and there is one effect and the right facts.
"""

import pytest
from shops import BEHAVIOURS, VISA, Doing, blocking, each_behaviour, each_operation

from payport import IdempotencyConflict, OutcomeUnknown
from payport.testing import Crash, CrashAfter, CrashBefore, LostResponse

#: More commits than any operation makes.
MANY = 20


def again(shop, doing, there):
    """Another process asks the same; what was sent without keys it cannot always find out."""
    try:
        doing.call(shop, there, shop.another())
    except OutcomeUnknown:
        assert shop.kind.behaviour == "keyless"
        assert doing.effects(shop) == 0
        assert shop.pay.payments.get(reference="order_1").in_flight == ()
        return
    doing.check_done(shop)


@each_operation
@pytest.mark.parametrize("crash", [CrashBefore(), CrashAfter()], ids=repr)
def test_a_crash_around_the_send_leaves_one_effect(shop, doing, crash):
    there = doing.begin(shop)
    shop.fake.next(doing.operation, crash)
    with pytest.raises(Crash):
        doing.call(shop, there)
    row = doing.row(shop)
    assert row.state == "sent"
    assert row.lease_owner is not None
    assert doing.effects(shop) == (1 if crash == CrashAfter() else 0)

    again(shop, doing, there)


@blocking(*BEHAVIOURS)
@each_operation
@pytest.mark.parametrize("crash", [CrashBefore(), CrashAfter()], ids=repr)
def test_a_crash_around_the_send_leaves_one_effect_at_every_processor(shop, doing, crash):
    there = doing.begin(shop)
    shop.fake.next(doing.operation, crash)
    with pytest.raises(Crash):
        doing.call(shop, there)
    again(shop, doing, there)


@blocking(*BEHAVIOURS)
@each_operation
def test_two_crashes_leave_one_effect(shop, doing):
    there = doing.begin(shop)
    shop.fake.next(doing.operation, CrashBefore())
    with pytest.raises(Crash):
        doing.call(shop, there)
    second = shop.provider()
    second.next(doing.operation, CrashAfter())
    if shop.kind.behaviour != "keyless":
        with pytest.raises(Crash):
            doing.call(shop, there, shop.client(second))
    again(shop, doing, there)


def crash_at(number):
    def at(count):
        if count == number:
            raise Crash

    return at


def crash_everywhere(shop_of, doing, when, *, hurried=False):
    """
    Crash at the first commit, at the second, and so on; return how many there are.

    Args:
        hurried: Whether the request has to wait for its turn.
    """
    for number in range(1, MANY):
        shop = shop_of()
        there = doing.begin(shop)
        store = shop.faulty()
        setattr(store, when, crash_at(number))
        client = shop.hurried if hurried else shop.client
        doomed = client(shop.provider(), store=store)
        try:
            doing.call(shop, there, doomed)
        except Crash:
            again(shop, doing, there)
        else:
            doing.check_done(shop)
            return number - 1
    pytest.fail("it never came to an end")


@pytest.mark.parametrize("when", ["before", "after"])
@each_operation
def test_a_crash_at_any_commit_leaves_one_effect(shop_like, doing, when):
    # At least: sent and concluded; and a look at what is known before.
    assert crash_everywhere(shop_like, doing, when) >= 3


@pytest.mark.parametrize("when", ["before", "after"])
@each_operation
def test_a_crash_at_any_commit_while_a_turn_is_waited_for_leaves_one_effect(shop_like, doing, when):
    # At least: prepared, claimed, concluded; and a look at what is known before.
    assert crash_everywhere(shop_like, doing, when, hurried=True) >= 4


@pytest.mark.parametrize("when", ["before", "after"])
@blocking("adyen_like", "keyless")
@each_operation
@pytest.mark.parametrize("hurried", [False, True])
def test_a_crash_at_any_commit_leaves_one_effect_at_every_processor(
    shop_like, doing, when, hurried
):
    assert crash_everywhere(shop_like, doing, when, hurried=hurried) >= (4 if hurried else 3)


@each_operation
def test_what_a_dead_process_began_is_still_compared_with_what_is_asked(shop, doing):
    there = doing.begin(shop)
    shop.fake.next(doing.operation, CrashAfter())
    with pytest.raises(Crash):
        doing.call(shop, there)
    other = {
        "create_payment": lambda pay: shop.buy(pay=pay, payment_method="pm_card_ok"),
        "confirm_payment": lambda pay: pay.payments.confirm(there.id, payment_method=VISA),
        "capture_payment": lambda pay: pay.payments.capture(there.id, reference="parcel_1"),
        "create_refund": lambda pay: shop.refund(there, pay=pay),
    }.get(doing.operation)
    if other is not None:
        with pytest.raises(IdempotencyConflict):
            other(shop.another())
    assert doing.effects(shop) == 1


@each_behaviour
def test_a_webhook_concludes_what_its_sender_did_not_live_to_see(shop):
    for doing in (Doing("create_payment"), Doing("create_refund")):
        there = shop.pay.payments.get(reference="order_1") if doing.operation != CREATE else None
        shop.fake.next(doing.operation, CrashAfter())
        with pytest.raises(Crash):
            doing.call(shop, there)
        shop.deliver(shop.another())
        doing_row = doing.row(shop)
        assert doing_row.state == "confirmed"
        assert shop.pay.payments.get(reference="order_1").in_flight == ()
    assert shop.bank.refunded("order_1") == shop.pay.payments.get(reference="order_1").refunded


CREATE = "create_payment"


@blocking(*BEHAVIOURS)
@each_operation
def test_a_webhook_that_overtakes_the_answer_concludes_it_too(shop, doing):
    there = doing.begin(shop)
    early = shop.another()

    def overtake(asked):
        """The answer is lost; before it is missed, the webhook is there and handled."""
        return LostResponse() if asked.operation == doing.operation else None

    shop.fake.decide(overtake)
    wait = shop.clock.sleep

    def deliver_and_wait(seconds):
        shop.deliver(early)
        wait(seconds)

    shop.clock.sleep = deliver_and_wait
    try:
        doing.call(shop, there)
    except OutcomeUnknown:
        shop.deliver(early)  # where nothing waits, because nothing is sent again
    doing.check_done(shop)
