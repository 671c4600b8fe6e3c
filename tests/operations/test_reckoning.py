"""
Wrong clocks: a machine's wall clock may be ahead or behind when an operation is sent, when it is
looked at, or jump in between. No key becomes younger by that, and nobody is charged late.
"""

from datetime import timedelta

import pytest
from shops import FOUR as ALL
from shops import PRICE, Doing, blocking, each_colour, kinds, usd

from payport import OutcomeUnknown
from payport.operations.reckoning import Reckoning
from payport.providers.outcomes import Account, Failure
from payport.testing import (
    Crash,
    CrashAfter,
    CrashBefore,
    FakeClock,
    LostRequest,
    ServerError,
    Tokens,
    Unavailable,
)

SOON = 12
"""Seconds after which the lease of a dead sender is over."""

#: What needs nobody present, so that only its key's life bounds when it is sent.
ABSENT = [Doing("capture_payment"), Doing("create_refund")]
with_keys = blocking("stripe_like", "adyen_like")


class Machine:
    """A machine whose wall clock is wrong, beside a bank whose clock is right."""

    def __init__(self, world, skew):
        self.world = world
        self.skew = skew

    def now(self):
        return self.world.now() + self.skew

    def monotonic(self):
        return self.world.monotonic()

    def sleep(self, seconds):
        self.world.sleep(seconds)

    async def asleep(self, seconds):
        await self.world.asleep(seconds)


def died(shop, doing, crash, skew=timedelta()):
    """The operation, begun on a machine with a wrong clock by a process that died."""
    there = doing.begin(shop)
    doomed = shop.provider()
    doomed.next(doing.operation, crash)
    with pytest.raises(Crash):
        doing.call(shop, there, shop.client(doomed, clock=Machine(shop.clock, skew)))
    shop.clock.advance(SOON)
    return there


def life_of(shop):
    return shop.bank.behaviour.idempotency.life


@with_keys
@pytest.mark.parametrize("doing", ABSENT, ids=str)
def test_a_clock_that_was_ahead_at_the_send_makes_no_key_young(shop, doing):
    died(shop, doing, CrashAfter(), timedelta(hours=3))
    shop.clock.advance(life_of(shop) + timedelta(minutes=30))
    shop.another().operations.recover()
    assert doing.effects(shop) == 1


@with_keys
@pytest.mark.parametrize("doing", ABSENT, ids=str)
def test_a_clock_that_is_behind_at_the_look_makes_no_key_young(shop, doing):
    died(shop, doing, CrashAfter())
    shop.clock.advance(life_of(shop) + timedelta(hours=1))
    behind = shop.client(shop.provider(), clock=Machine(shop.clock, -timedelta(hours=3)))
    behind.operations.recover()
    assert doing.effects(shop) == 1


@with_keys
@pytest.mark.parametrize("doing", [*ABSENT, Doing("create_payment")], ids=str)
def test_a_caller_whose_clock_is_behind_replays_no_forgotten_key(shop, doing):
    there = died(shop, doing, CrashAfter())
    shop.clock.advance(life_of(shop) + timedelta(hours=1))
    behind = shop.client(shop.provider(), clock=Machine(shop.clock, -timedelta(hours=3)))
    try:
        doing.call(shop, there, behind)
    except OutcomeUnknown:
        assert shop.kind.behaviour == "adyen_like"  # nothing can be read there
    assert doing.effects(shop) == 1


@with_keys
def test_a_clock_that_was_ahead_has_nobody_charged_hours_later(shop):
    died(shop, Doing("create_payment"), CrashBefore(), timedelta(hours=3))
    shop.clock.advance(timedelta(hours=3))
    shop.another().operations.recover()
    assert shop.bank.charged("order_1") == usd(0)


@with_keys
def test_a_recoverer_whose_clock_is_behind_charges_nobody_late(shop):
    died(shop, Doing("create_payment"), CrashBefore())
    shop.clock.advance(timedelta(minutes=30))
    behind = shop.client(shop.provider(), clock=Machine(shop.clock, -timedelta(minutes=20)))
    behind.operations.recover()
    assert shop.bank.charged("order_1") == usd(0)


@with_keys
def test_a_clock_that_is_wrong_by_little_keeps_nobody_from_being_charged(shop):
    died(shop, Doing("create_payment"), CrashBefore(), timedelta(minutes=2))
    shop.clock.advance(timedelta(minutes=10))
    shop.another().operations.recover()
    assert shop.bank.charged("order_1") == PRICE


@kinds(*[kind for kind in ALL if kind.colour == "sync"])
def test_what_became_too_late_between_two_tries_is_not_sent(shop):
    """Recovery begins in time, and its clock jumps while it waits to try again."""
    died(shop, Doing("create_payment"), CrashBefore())
    machine = Machine(shop.clock, timedelta())
    away = shop.provider()
    asked = []

    def jump(request):
        if request.operation != "create_payment":
            return None
        asked.append(request)
        machine.skew = timedelta(hours=3)
        return Unavailable()

    away.decide(jump)
    shop.client(away, clock=machine).operations.recover()
    assert len(asked) == 1
    assert shop.bank.charged("order_1") == usd(0)
    assert shop.rows()[0].state in {"unknown", "needs_review"}


@kinds(*[kind for kind in ALL if kind.colour == "sync"])
def test_how_an_operation_ended_is_not_told_otherwise_by_what_came_after(shop):
    """It asked the customer, which others learned; its sender learns later that they failed."""
    sender = shop.provider()
    sender.next("create_payment", ServerError(effect=True))
    wait, waited = shop.clock.sleep, []

    def meanwhile(seconds):
        if not waited:
            waited.append(seconds)
            shop.deliver(shop.another())
            assert shop.rows()[0].state == "confirmed"
            shop.bank.authenticate("order_1", ok=False)
        wait(seconds)

    shop.clock.sleep = meanwhile
    token = Tokens.AUTHENTICATE
    intent = shop.buy(
        pay=shop.client(sender), payment_method=token, return_url="https://shop.example/"
    )
    assert waited
    assert intent.status == "requires_payment_method"
    assert shop.rows()[0].state == "confirmed"


@kinds(*[kind for kind in ALL if kind.colour == "sync"])
def test_the_latest_time_that_was_ever_recorded_stays_recorded(shop):
    """A clock is ahead while a sender renews its lease, and right again when it writes the end."""
    machine = Machine(shop.clock, timedelta())
    sender = shop.provider()

    def jump(request):
        if request.operation == "create_payment":
            machine.skew = timedelta() if machine.skew else timedelta(hours=3)
        return None if request.operation == "account" else LostRequest()

    sender.decide(jump)
    with pytest.raises(OutcomeUnknown):
        shop.buy(pay=shop.client(sender, clock=machine))
    assert machine.skew == timedelta()
    assert shop.rows()[0].latest_at - shop.clock.now() > timedelta(hours=2)


# -- the bounds -----------------------------------------------------------------------------------


def test_who_was_told_nothing_has_one_clock():
    clock = FakeClock()
    reckoning = Reckoning(clock)
    reckoning.hear(Account(id="acct_1", endpoint="https://api.example"), 0.0)
    assert reckoning.earliest() == reckoning.latest() == clock.now()


@pytest.mark.parametrize("hours", [-3, 0, 3])
def test_the_moment_lies_within_the_bounds_however_wrong_the_wall_clock_is(hours):
    world = FakeClock()
    machine = Machine(world, timedelta(hours=hours))
    reckoning = Reckoning(machine)
    asked_at = machine.monotonic()
    world.advance(2)
    told = Failure(kind="unknown", message="", provider_time=world.now())
    world.advance(3)
    reckoning.hear(told, asked_at)
    world.advance(timedelta(days=1))
    assert reckoning.earliest() <= world.now() <= reckoning.latest()
    assert reckoning.latest() - max(machine.now(), world.now()) <= timedelta(seconds=3)
    assert min(machine.now(), world.now()) - reckoning.earliest() <= timedelta(seconds=3)


@each_colour
def test_every_client_knows_the_providers_time_before_it_sends_anything(shop):
    ahead = shop.client(clock=Machine(shop.clock, timedelta(days=2)))
    shop.buy(pay=ahead)
    row = shop.rows()[0]
    assert abs(row.first_sent_at - shop.clock.now()) < timedelta(seconds=5)
