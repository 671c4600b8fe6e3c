"""At the call: the breaker and the rate limit of a client, in both colours."""

import pytest
from shops import PRICE, behaving, each_behaviour, each_colour, usd

from payport import (
    AuthenticationFailed,
    BreakerPolicy,
    BreakerState,
    CircuitOpen,
    OutcomeUnknown,
    ProviderUnavailable,
    RateLimited,
)
from payport.testing import (
    Crash,
    CrashAfter,
    CrashBefore,
    LostResponse,
    Tokens,
    Unauthorized,
    Unavailable,
)

FEW = BreakerPolicy(failures=4, rest=30.0)


def outage(shop):
    """A client whose provider is away, and which has noticed."""
    away = shop.provider()
    away.decide(lambda asked: Unavailable() if asked.operation != "account" else None)
    pay = shop.client(away, breaker=FEW)
    with pytest.raises(ProviderUnavailable):
        shop.buy("first", pay=pay)  # four tries
    assert pay.breaker.state is BreakerState.OPEN
    return away, pay


@each_behaviour
def test_while_the_provider_is_away_nothing_is_sent(shop):
    _, pay = outage(shop)
    arrived = shop.requests()
    with pytest.raises(CircuitOpen, match="not sent"):
        shop.buy(pay=pay)
    assert shop.requests() == arrived
    assert shop.rows()[-1].state == "no_effect"


@each_behaviour
def test_when_it_is_back_the_same_call_succeeds(shop):
    away, pay = outage(shop)
    with pytest.raises(CircuitOpen):
        shop.buy(pay=pay)
    away.script.clear()
    away.decide(lambda asked: None)
    shop.clock.advance(FEW.rest + 1)
    assert shop.buy(pay=pay).reference == "order_1"
    assert pay.breaker.state is BreakerState.CLOSED
    assert shop.bank.effects(shop.rows()[-1].key) == 1


@each_colour
def test_what_is_known_can_be_had_while_the_breaker_is_open(shop):
    shop.buy()
    _, pay = outage(shop)
    assert shop.buy(pay=pay).captured == PRICE
    assert pay.payments.get(reference="order_1").captured == PRICE


@behaving("stripe_like", "keyless")
def test_reads_are_held_back_too(shop):
    paid = shop.buy()
    _, pay = outage(shop)
    with pytest.raises(CircuitOpen):
        pay.payments.refresh(paid.id)


@each_colour
@pytest.mark.parametrize("crash", [CrashBefore(), CrashAfter()], ids=repr)
def test_a_read_that_breaks_lets_another_one_try(shop, crash):
    """A task that is canceled, say, in the middle of the one request that tries."""
    paid = shop.buy()
    away, pay = outage(shop)
    shop.clock.advance(FEW.rest + 1)
    away.decide(lambda asked: crash)
    with pytest.raises(Crash):
        pay.payments.refresh(paid.id)
    away.decide(lambda asked: None)
    assert pay.payments.refresh(paid.id).captured == PRICE
    assert pay.breaker.state is BreakerState.CLOSED


@each_colour
@pytest.mark.parametrize("crash", [CrashBefore(), CrashAfter()], ids=repr)
def test_a_send_that_breaks_lets_another_one_try(shop, crash):
    away, pay = outage(shop)
    shop.clock.advance(FEW.rest + 1)
    away.decide(lambda asked: crash)
    with pytest.raises(Crash):
        shop.buy(pay=pay)
    away.decide(lambda asked: None)
    shop.clock.advance(12)
    assert shop.buy(pay=pay).is_paid
    assert pay.breaker.state is BreakerState.CLOSED


@each_colour
def test_doubt_stays_doubt_when_the_breaker_opens_in_between(shop):
    blind = shop.provider()
    blind.decide(lambda asked: LostResponse() if asked.operation != "account" else None)
    pay = shop.client(blind, breaker=BreakerPolicy(failures=2))
    with pytest.raises(OutcomeUnknown):
        shop.buy(pay=pay)
    assert pay.breaker.state is BreakerState.OPEN
    assert shop.rows()[0].state == "unknown"
    shop.clock.advance(60)
    shop.another().operations.recover()
    assert shop.pay.payments.get(reference="order_1").captured == PRICE


@each_behaviour
def test_declines_never_open_it(shop):
    pay = shop.client(shop.provider(), breaker=BreakerPolicy(failures=1))
    for number in range(5):
        assert shop.buy(f"order_{number}", pay=pay, payment_method=Tokens.EXPIRED).decline
    assert pay.breaker.state is BreakerState.CLOSED


@each_behaviour
def test_a_refused_key_blocks_every_operation_until_a_person_says_so(shop, caplog):
    paid = shop.buy()
    shop.deliver()
    wrong = shop.provider()
    wrong.decide(lambda asked: Unauthorized() if asked.operation == "create_payment" else None)
    pay = shop.client(wrong)
    with pytest.raises(AuthenticationFailed):
        shop.buy("order_2", pay=pay)
    assert "CRITICAL" in {record.levelname for record in caplog.records}
    shop.clock.advance(86_400)
    arrived = shop.requests()
    for ask in (lambda: shop.buy("order_3", pay=pay), lambda: shop.refund(paid, pay=pay)):
        with pytest.raises(CircuitOpen, match="credentials"):
            ask()
    assert shop.requests() == arrived

    wrong.script.clear()
    pay.breaker.close()
    assert shop.buy("order_3", pay=pay).reference == "order_3"


@each_colour
def test_the_scopes_of_a_client_share_its_breaker(shop):
    _, pay = outage(shop)
    with pytest.raises(CircuitOpen):
        pay.scoped("tenant_9").payments.create(
            reference="x", amount=PRICE, payment_method="pm_card_visa", confirm=True
        )


@each_colour
def test_a_client_keeps_to_its_rate(shop):
    pay = shop.client(shop.provider(), rate_limit=2)
    began = shop.clock.monotonic()
    for number in range(5):
        shop.buy(f"order_{number}", pay=pay)
    # The account, and five payments: at two a second the sixth goes out in the third second.
    assert 2 <= shop.clock.monotonic() - began < 3.1
    assert shop.bank.charged("order_4") == PRICE


@each_colour
def test_reads_keep_to_the_rate_too(shop):
    pay = shop.client(shop.provider(), rate_limit=2)
    bought = shop.buy(pay=pay)
    began = shop.clock.monotonic()
    for _ in range(5):
        pay.payments.refresh(bought.id)
    assert 2 <= shop.clock.monotonic() - began < 3.1


@each_colour
def test_a_turn_that_does_not_come_in_time_is_said_and_nothing_was_sent(shop):
    pay = shop.client(shop.provider(), rate_limit=1, deadline=0.5, timeout=0.5)
    with pytest.raises(RateLimited, match="not sent") as refused:
        shop.buy(pay=pay)  # the account took the turn
    assert refused.value.retry_after > 0
    assert shop.bank.charged("order_1") == usd(0)
    shop.clock.advance(1)
    assert shop.buy(pay=pay).captured == PRICE


@each_colour
def test_a_fake_has_no_rate_unless_asked(shop):
    began = shop.clock.monotonic()
    for number in range(60):
        shop.buy(f"order_{number}")
    assert shop.clock.monotonic() == began
