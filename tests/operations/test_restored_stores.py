"""
A store that was restored from a backup has forgotten what was sent: real money waits for a person.
"""

import pytest
from shops import PRICE, Doing, Kind, Shop, place_of, usd

from payport import ConfigurationError
from payport.domain.identifiers import Environment
from payport.storage import acknowledge_restored, mark_restored
from payport.testing import Bank, Crash, CrashAfter, FakeClock


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def live(request):
    """A shop that takes real money, as far as it knows."""
    clock = FakeClock()
    shop = Shop(Kind("sync", request.param), place_of(Kind("sync", request.param), request), clock)
    shop.bank = Bank(clock=clock, environment=Environment.LIVE)
    shop.fake = shop.provider()
    yield shop
    shop.close()


def client(shop):
    return shop.client(shop.provider(), scope="test", store=shop.store())


def restored(shop):
    """The shop's store, marked by a person; what `acknowledge` needs to take it back."""
    store = shop.store()
    mark_restored(store, author="zoe", reason="put back last night's dump")
    return store


def test_nothing_is_sent_until_somebody_says_so(live):
    pay = client(live)
    held = live.buy("before", pay=pay, capture_method="manual")
    store = restored(live)
    for ask in (
        lambda: live.buy(pay=pay),
        lambda: pay.payments.capture(held.id),
        lambda: pay.payments.cancel(held.id),
        pay.operations.recover,
    ):
        with pytest.raises(ConfigurationError, match="acknowledge_restored"):
            ask()
    assert live.bank.charged("order_1") == usd(0)
    assert pay.payments.get(held.id).authorized == PRICE  # reads go on

    acknowledge_restored(store, author="zoe", reason="compared with the provider: nothing missing")
    assert live.buy(pay=pay).captured == PRICE


def test_what_was_paid_before_can_be_asked_for_again(live):
    pay = client(live)
    paid = live.buy(pay=pay)
    restored(live)
    arrived = live.requests()
    assert live.buy(pay=pay) == paid  # a client that knows its account, and takes it for new first
    assert live.requests() == arrived


def test_what_was_begun_before_is_not_sent_again_either(live):
    doomed = live.provider()
    doomed.next("create_payment", CrashAfter())
    with pytest.raises(Crash):
        live.buy(pay=live.client(doomed, scope="test", store=live.store()))
    store = restored(live)
    live.clock.advance(12)
    arrived = live.requests()
    with pytest.raises(ConfigurationError):
        live.buy(pay=client(live))
    assert live.requests() == arrived

    acknowledge_restored(store, author="zoe", reason="looked")
    assert client(live).operations.recover().concluded == 1


def test_in_test_mode_nobody_has_to_say_anything(request):
    shop = Shop(Kind("sync", "memory"), None)
    mark_restored(shop.store(), author="zoe", reason="a copy for the test environment")
    Doing("create_payment").call(shop, None)
    assert shop.bank.charged("order_1") == PRICE
    shop.close()
