"""
Recovery: what dead senders left is concluded, sent again only while that is safe, and left to a
person where nothing automatic is left. Absence never proves anything.
"""

import asyncio
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from shops import (
    BEHAVIOURS,
    PRICE,
    Doing,
    blocking,
    each_behaviour,
    each_colour,
    each_operation,
    kinds,
    usd,
    with_keys,
)
from shops import FOUR as ALL

from payport import (
    ConfigurationError,
    InvalidRequest,
    OutcomeUnknown,
    PaymentSucceeded,
    StoreUnavailable,
)
from payport.providers.exchange import Call
from payport.testing import (
    Bank,
    Crash,
    CrashAfter,
    CrashBefore,
    LostRequest,
    LostResponse,
    TimedOut,
    Unavailable,
)

SOON = 12
"""Seconds after which the lease of a dead sender is over."""


#: Somebody looks in the middle of a call, which awaits nothing there.
in_the_middle = kinds(*[kind for kind in ALL if kind.colour == "sync"])


def died(shop, doing, crash, *, hurried=False):
    """
    The operation, begun by a process that died around the send.

    Args:
        hurried: Whether its request had to wait for its turn.
    """
    there = doing.begin(shop)
    doomed = shop.provider()
    doomed.next(doing.operation, crash)
    with pytest.raises(Crash):
        doing.call(shop, there, (shop.hurried if hurried else shop.client)(doomed))
    shop.clock.advance(SOON)


def elsewhere(shop):
    """A provider at another account, at a bank of its own."""
    bank = Bank(account="acct_other", behaviour=shop.bank.behaviour, clock=shop.clock)
    return type(shop.fake)(bank=bank)


def counts(recovered):
    return (
        recovered.concluded,
        recovered.abandoned,
        recovered.unknown,
        recovered.needs_review,
    )


@each_operation
@pytest.mark.parametrize("crash", [CrashBefore(), CrashAfter()], ids=repr)
def test_what_a_dead_sender_left_is_concluded_with_one_effect(shop, doing, crash):
    died(shop, doing, crash)
    assert counts(shop.another().operations.recover()) == (1, 0, 0, 0)
    doing.check_done(shop)
    assert shop.pay.operations.recover().looked_at == 0


@blocking("stripe_like")
@each_operation
@pytest.mark.parametrize("crash", [CrashBefore(), CrashAfter()], ids=repr)
def test_what_a_sender_left_that_waited_for_its_turn_is_concluded_too(shop, doing, crash):
    died(shop, doing, crash, hurried=True)
    assert counts(shop.another().operations.recover()) == (1, 0, 0, 0)
    doing.check_done(shop)


@blocking("adyen_like")
@each_operation
@pytest.mark.parametrize("crash", [CrashBefore(), CrashAfter()], ids=repr)
def test_a_provider_that_cannot_be_read_is_asked_by_its_key(shop, doing, crash):
    died(shop, doing, crash)
    shop.another().operations.recover()
    doing.check_done(shop)


@blocking("keyless")
@each_operation
def test_without_keys_what_was_done_is_found_and_nothing_is_sent_again(shop, doing):
    died(shop, doing, CrashAfter())
    sent = shop.requests()
    shop.another().operations.recover()
    assert shop.requests() == sent
    doing.check_done(shop)


@blocking("keyless")
@each_operation
def test_without_keys_what_was_not_done_is_never_sent_and_goes_to_a_person(shop, doing):
    died(shop, doing, CrashBefore())
    assert counts(shop.another().operations.recover()) == (0, 0, 1, 0)
    for _ in range(40):
        shop.clock.advance(timedelta(hours=1))
        shop.another().operations.recover()
    assert doing.row(shop).state == "needs_review"
    assert doing.effects(shop) == 0


@in_the_middle
@each_operation
def test_what_was_never_sent_is_abandoned_and_may_begin_again(shop, doing):
    there = doing.begin(shop)
    store = shop.faulty()
    seen = []

    def die_before_the_claim(number):
        rows = [r for r in shop.rows() if r.operation == doing.operation]
        if rows and rows[-1].state == "prepared":
            seen.append(number)
            raise Crash

    store.before = die_before_the_claim
    with pytest.raises(Crash):
        doing.call(shop, there, shop.hurried(shop.provider(), store=store))
    assert seen
    assert shop.another().operations.recover().looked_at == 0  # its lease is not over

    shop.clock.advance(SOON)
    assert counts(shop.another().operations.recover()) == (0, 1, 0, 0)
    row = doing.row(shop)
    assert (row.state, row.lease_owner, row.next_look_at) == ("abandoned", None, None)
    payment = shop.pay.payments.get(reference="order_1")
    assert (payment.in_flight, payment.unresolved) == ((), ())
    assert payment.refund_pending == usd(0)
    assert doing.effects(shop) == 0

    doing.call(shop, there, shop.another())
    doing.check_done(shop)


@in_the_middle
def test_a_living_sender_is_left_alone(shop):
    holder = shop.provider()
    looked = []

    def look(asked):
        if asked.operation == "create_payment":
            looked.append(shop.another().operations.recover().looked_at)

    holder.decide(look)
    shop.buy(pay=shop.client(holder))
    assert looked == [0]
    assert shop.bank.charged("order_1") == PRICE


@with_keys
def test_a_payment_is_not_first_charged_after_its_time(shop):
    """The customer left long ago: what may not have arrived is only looked for."""
    died(shop, Doing("create_payment"), CrashBefore())
    shop.clock.advance(timedelta(minutes=16))
    sent = shop.requests()
    shop.another().operations.recover()
    assert shop.requests() == sent
    assert shop.bank.charged("order_1") == usd(0)
    assert shop.rows()[0].state == "unknown"


@with_keys
def test_a_customer_who_asks_again_is_there_and_is_charged(shop):
    died(shop, Doing("create_payment"), CrashBefore())
    shop.clock.advance(timedelta(minutes=14))
    died(shop, Doing("create_payment"), CrashBefore())
    shop.clock.advance(timedelta(minutes=14))
    shop.another().operations.recover()
    assert shop.bank.charged("order_1") == PRICE


@with_keys
def test_how_long_a_payment_may_still_be_sent_is_the_applications_to_say(shop):
    there = Doing("create_payment")
    doomed = shop.provider()
    doomed.next("create_payment", CrashBefore())
    with pytest.raises(Crash):
        there.call(shop, None, shop.client(doomed, send_within=timedelta(hours=2)))
    shop.clock.advance(timedelta(hours=1))
    shop.another().operations.recover()
    assert shop.bank.charged("order_1") == PRICE


@with_keys
@pytest.mark.parametrize(
    "doing", [Doing("capture_payment"), Doing("cancel_payment"), Doing("create_refund")], ids=str
)
def test_what_needs_no_customer_is_sent_while_the_key_lives(shop, doing):
    died(shop, doing, CrashBefore())
    shop.clock.advance(timedelta(hours=20))
    shop.another().operations.recover()
    doing.check_done(shop)


@with_keys
def test_an_absent_customers_payment_is_sent_while_the_key_lives(shop):
    doomed = shop.provider()
    doomed.next("create_payment", CrashBefore())
    with pytest.raises(Crash):
        shop.buy(pay=shop.client(doomed), off_session=True)
    shop.clock.advance(timedelta(hours=20))
    shop.another().operations.recover()
    assert shop.bank.charged("order_1") == PRICE


@each_operation
def test_once_the_key_may_be_forgotten_nothing_is_sent(shop, doing):
    died(shop, doing, CrashBefore())
    shop.clock.advance(timedelta(hours=23, minutes=55))
    sent = shop.requests()
    for _ in range(30):
        shop.another().operations.recover()
        shop.clock.advance(timedelta(hours=1))
    assert shop.requests() == sent
    assert doing.effects(shop) == 0
    assert doing.row(shop).state == "needs_review"


@each_operation
def test_a_clock_that_steps_back_makes_no_key_young(shop, doing):
    died(shop, doing, CrashBefore())
    shop.clock.step_back(timedelta(hours=3))
    sent = shop.requests()
    shop.clock.advance(SOON)
    for _ in range(30):
        shop.another().operations.recover()
        shop.clock.advance(timedelta(hours=1))
    assert shop.requests() == sent
    assert doing.row(shop).state == "needs_review"


@each_colour
def test_a_look_planned_by_a_wrong_clock_is_not_waited_for(shop):
    shop.clock.advance(timedelta(days=400))
    died(shop, Doing("create_payment"), CrashAfter())
    shop.clock.step_back(timedelta(days=400))
    assert counts(shop.another().operations.recover()) == (1, 0, 0, 0)
    assert shop.pay.payments.get(reference="order_1").captured == PRICE


@each_behaviour
def test_while_the_provider_is_away_nothing_is_concluded(shop):
    died(shop, Doing("create_payment"), CrashAfter())
    away = shop.provider()
    away.decide(lambda asked: Unavailable() if asked.operation != "account" else None)
    pay = shop.client(away)
    for _ in range(8):
        pay.operations.recover()
        shop.clock.advance(15)
    assert shop.rows()[0].state == "unknown"

    shop.clock.advance(120)
    shop.another().operations.recover()
    assert shop.rows()[0].state == "confirmed"


@each_behaviour
def test_a_provider_that_never_answers_is_not_waited_for_for_ever(shop):
    died(shop, Doing("create_payment"), CrashAfter())
    away = shop.provider()
    away.decide(lambda asked: TimedOut() if asked.operation != "account" else None)
    pay = shop.client(away)
    for _ in range(24 * 10):
        pay.operations.recover()
        shop.clock.advance(timedelta(hours=1))
    assert shop.rows()[0].state == "needs_review"


@each_colour
def test_looks_come_soon_at_first_and_then_ever_more_seldom(shop):
    died(shop, Doing("create_payment"), CrashBefore())
    away = shop.provider()
    away.decide(lambda asked: Unavailable() if asked.operation != "account" else None)
    pay = shop.client(away)
    waits = []
    for _ in range(12):
        pay.operations.recover()
        row = shop.rows()[0]
        wait = row.next_look_at - shop.clock.now()
        waits.append(wait.total_seconds())
        shop.clock.advance(wait)
    assert waits == sorted(waits)
    assert waits[0] <= SOON
    assert max(waits) <= 3600


@in_the_middle
@each_operation
def test_two_recoverers_at_once_make_one_effect(shop, doing):
    """The second one comes while the first one's request is out."""
    died(shop, doing, CrashBefore())
    first = shop.provider()
    inside = []

    def meanwhile(asked):
        if asked.operation == doing.operation:
            inside.append(shop.another().operations.recover().looked_at)

    first.decide(meanwhile)
    shop.client(first).operations.recover()
    assert set(inside) == {0}
    doing.check_done(shop)


@in_the_middle
def test_what_another_recoverer_took_meanwhile_is_left_to_it(shop):
    """Both read the same list. The other one was faster, and is still sending."""
    for number in (1, 2):
        doomed = shop.provider()
        doomed.next("create_payment", CrashBefore())
        with pytest.raises(Crash):
            shop.buy(f"order_{number}", pay=shop.client(doomed))
    shop.clock.advance(SOON)
    first = shop.provider()
    took = []

    def meanwhile(asked):
        if asked.operation == "create_payment" and not took:
            took.append(asked)
            dying = shop.provider()
            dying.next("create_payment", CrashBefore())
            with pytest.raises(Crash):
                shop.client(dying).operations.recover()

    first.decide(meanwhile)
    assert shop.client(first).operations.recover().looked_at == 1
    assert sorted((row.state, row.fencing) for row in shop.rows()) == [
        ("confirmed", 2),
        ("sent", 2),
    ]
    assert len(shop.bank.payments) == 1


@in_the_middle
@each_operation
def test_a_sender_that_wakes_late_concludes_nothing_and_sends_nothing(shop, doing):
    """A paused process: others took over, and it finds its lease gone before its next write."""
    there = doing.begin(shop)
    slow = shop.provider()
    calls = []

    def pause(asked):
        if asked.operation == doing.operation and not calls:
            calls.append(asked)
            shop.clock.advance(SOON)
            shop.another().operations.recover()
            return LostRequest()
        return None

    slow.decide(pause)
    doing.call(shop, there, shop.client(slow))
    doing.check_done(shop)
    assert shop.bank.effects(doing.row(shop).key) == 1


@in_the_middle
def test_one_operation_that_fails_does_not_keep_the_others_waiting(shop):
    for number in (1, 2, 3):
        doomed = shop.provider()
        doomed.next("create_payment", CrashBefore())
        with pytest.raises(Crash):
            shop.buy(f"order_{number}", pay=shop.client(doomed))
    shop.clock.advance(SOON)
    broken = shop.provider()

    def fail(asked):
        if asked.key == shop.rows()[1].key:
            raise RuntimeError

    broken.decide(fail)
    recovered = shop.client(broken).operations.recover()
    assert recovered.concluded == 2
    assert [r.state for r in shop.rows()] == ["confirmed", "unknown", "confirmed"]


@each_colour
def test_a_run_may_be_limited(shop):
    for number in range(5):
        doomed = shop.provider()
        doomed.next("create_payment", CrashBefore())
        with pytest.raises(Crash):
            shop.buy(f"order_{number}", pay=shop.client(doomed))
    shop.clock.advance(SOON)
    assert shop.pay.operations.recover(limit=2).concluded == 2
    assert shop.pay.operations.recover(limit=2).concluded == 2
    assert shop.pay.operations.recover(limit=2).concluded == 1
    for wrong in (0, -1, True):
        with pytest.raises(InvalidRequest, match="limit"):
            shop.pay.operations.recover(limit=wrong)


@each_colour
def test_a_scope_recovers_its_own_and_every_scope_if_asked(shop):
    died(shop, Doing("create_payment"), CrashBefore())
    tenant = shop.pay.scoped("tenant_9")
    assert tenant.operations.recover().looked_at == 0
    assert tenant.operations.recover(every_scope=True).concluded == 1
    assert shop.pay.payments.get(reference="order_1").captured == PRICE


@each_behaviour
def test_another_account_neither_sends_nor_reads_and_a_person_gets_it(shop):
    died(shop, Doing("create_payment"), CrashAfter())
    there, asked = elsewhere(shop), set()
    there.decide(lambda request: asked.add(request.operation))
    other = shop.client(there)
    sent = shop.requests()
    assert other.operations.recover().looked_at == 0
    for _ in range(26):
        shop.clock.advance(timedelta(hours=1))
        other.operations.recover()
    assert shop.requests() == sent
    assert asked == {"account"}
    assert shop.rows()[0].state == "needs_review"
    with pytest.raises(ConfigurationError):
        shop.buy(pay=other)

    shop.buy()  # at home it is found out even now
    assert shop.bank.charged("order_1") == PRICE


@in_the_middle
def test_the_same_account_at_another_endpoint_neither_sends_nor_reads(shop):
    """A simulator may call its accounts what the provider calls its own."""
    died(shop, Doing("create_payment"), CrashBefore())
    simulator = shop.provider()
    told = replace(simulator.account(Call()), endpoint="http://127.0.0.1:12111")
    simulator.account = lambda call: told
    asked = []
    simulator.decide(asked.append)
    assert shop.client(simulator).operations.recover().looked_at == 0
    assert asked == []
    assert shop.rows()[0].state == "sent"


@in_the_middle
def test_what_was_never_sent_is_abandoned_from_anywhere(shop):
    store = shop.faulty()

    def die(number):
        if number > 1 and shop.rows():
            raise Crash

    store.before = die
    with pytest.raises(Crash):
        shop.buy(pay=shop.hurried(shop.provider(), store=store))
    shop.clock.advance(timedelta(days=2))
    other = shop.client(elsewhere(shop))
    assert other.operations.recover().abandoned == 1


@each_behaviour
def test_the_handlers_hear_what_recovery_learns_once(shop):
    heard = []

    @shop.handlers.on(PaymentSucceeded)
    def hear(event, tx):
        heard.append(type(event).__name__)

    died(shop, Doing("create_payment"), CrashAfter())
    pay = shop.another()
    pay.operations.recover()
    pay.webhooks.process_due()
    shop.deliver(pay)
    assert heard.count("PaymentSucceeded") == 1


@each_colour
def test_a_store_that_fails_is_said_and_loses_nothing(shop):
    died(shop, Doing("create_payment"), CrashAfter())
    store = shop.faulty()

    def fail(number):
        if number == 3:
            raise StoreUnavailable

    store.before = fail
    with pytest.raises(StoreUnavailable):
        shop.client(shop.provider(), store=store).operations.recover()
    shop.clock.advance(SOON)
    shop.another().operations.recover()
    assert shop.pay.payments.get(reference="order_1").captured == PRICE
    assert len(shop.bank.payments) == 1


@in_the_middle
def test_the_loop_recovers_until_it_is_stopped(shop):
    died(shop, Doing("create_payment"), CrashAfter())
    stop, store = threading.Event(), shop.faulty()

    def fail_once_and_stop_later(number):
        if number == 2:
            raise StoreUnavailable
        if number > 6:
            stop.set()

    store.before = fail_once_and_stop_later
    shop.client(shop.provider(), store=store).operations.run_recovery(stop=stop, every=0.001)
    assert shop.pay.payments.get(reference="order_1").captured == PRICE


@kinds(*[kind for kind in ALL if kind.colour == "async"])
def test_the_awaited_loop_recovers_until_it_is_stopped(shop):
    died(shop, Doing("create_payment"), CrashAfter())
    pay = shop.another()._target

    async def loop():
        stop = asyncio.Event()
        running = asyncio.create_task(pay.operations.run_recovery(stop=stop, every=0.001))
        for _ in range(2000):
            if (await pay.payments.get(reference="order_1")).captured == PRICE:
                break
            await asyncio.sleep(0.001)
        stop.set()
        await asyncio.wait_for(running, 5)

    shop.run(loop())
    assert shop.pay.payments.get(reference="order_1").captured == PRICE


@each_colour
@pytest.mark.parametrize("every", [0, -1, True])
def test_a_loop_without_a_pause_is_refused(shop, every):
    with pytest.raises(InvalidRequest, match="every"):
        shop.pay.operations.run_recovery(stop=threading.Event(), every=every)


@each_colour
def test_what_is_left_to_a_person_is_logged_as_an_error(shop, caplog):
    died(shop, Doing("create_payment"), CrashBefore())
    for _ in range(30):
        shop.clock.advance(timedelta(hours=1))
        shop.another().operations.recover()
    assert "ERROR" in {r.levelname for r in caplog.records if "needs_review" in r.getMessage()}


@kinds(*ALL)
def test_an_unknown_outcome_is_learned_by_a_later_run(shop):
    blind = shop.provider()
    blind.decide(lambda asked: LostResponse() if asked.operation != "account" else None)
    with pytest.raises(OutcomeUnknown):
        shop.buy(pay=shop.client(blind))
    assert shop.rows()[0].state == "unknown"
    shop.clock.advance(60)
    assert counts(shop.another().operations.recover()) == (1, 0, 0, 0)
    assert shop.pay.payments.get(reference="order_1").captured == PRICE


@blocking(*BEHAVIOURS)
def test_while_the_breaker_is_open_a_run_ends_early(shop):
    for number in range(3):
        doomed = shop.provider()
        doomed.next("create_payment", CrashBefore())
        with pytest.raises(Crash):
            shop.buy(f"order_{number}", pay=shop.client(doomed))
    shop.clock.advance(SOON)
    pay = shop.another()
    pay.breaker.open()
    # The account is asked through the breaker too, so a client that knows it is needed here.
    pay.breaker.close()
    pay.operations.recover(limit=1)
    pay.breaker.open()
    recovered = pay.operations.recover()
    assert recovered.stopped is not None
    assert recovered.unknown == 1
