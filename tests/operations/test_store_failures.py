"""The store fails: nothing is begun without it, and what was sent is told as unknown."""

import pytest
from shops import PRICE, Kind, each_operation, kinds

from payport import OutcomeUnknown, StoreConflict, StoreUnavailable
from payport.testing import LostRequest, Unavailable

MEMORY = [Kind(colour, "memory") for colour in ("sync", "async")]
EACH = kinds(*MEMORY, Kind("async", "sqlite"), Kind("sync", "postgres"))


def fail_at(number, error=StoreUnavailable):
    def at(count):
        if count == number:
            raise error("the disk is full", operation="store")

    return at


def watched(shop, *, hurried=False):
    """
    A client whose account is known, on a store that may be broken.

    Args:
        hurried: Whether what it sends next has to wait for its turn, and so is prepared before.
    """
    store = shop.faulty()
    pay = (shop.hurried if hurried else shop.client)(store=store)
    shop.buy("warm up", pay=pay)
    return store, pay


@EACH
@each_operation
@pytest.mark.parametrize("commit", ["sent", "prepared", "claimed"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_nothing_is_sent_that_could_not_be_written_down(shop, doing, commit, when):
    there = doing.begin(shop)
    store, pay = watched(shop, hurried=commit != "sent")
    sent, loads = shop.requests(), _reads_before(doing)
    number = loads + {"sent": 1, "prepared": 1, "claimed": 2}[commit]
    setattr(store, when, fail_at(store.count + number))

    with pytest.raises(StoreUnavailable) as raised:
        doing.call(shop, there, pay)
    assert not raised.value.money_may_have_moved
    assert raised.value.retryable
    assert shop.requests() == sent

    doing.call(shop, there, pay)
    check(shop, doing)


@EACH
@each_operation
@pytest.mark.parametrize("when", ["before", "after"])
def test_what_was_sent_and_not_written_down_is_unknown_until_it_is_asked_again(shop, doing, when):
    there = doing.begin(shop)
    store, pay = watched(shop)
    setattr(store, when, fail_at(store.count + _reads_before(doing) + 2))

    with pytest.raises(OutcomeUnknown, match="store failed") as raised:
        doing.call(shop, there, pay)
    assert raised.value.money_may_have_moved
    assert isinstance(raised.value.__cause__, StoreUnavailable)
    assert raised.value.idempotency_key == doing.row(shop).key
    told = raised.value.refund or raised.value.payment
    assert told.status == "unknown"
    assert doing.effects(shop) == 1

    doing.call(shop, there, pay)
    check(shop, doing)


@EACH
def test_a_store_that_fails_between_two_tries_leaves_an_unknown_outcome(shop):
    store, pay = watched(shop)
    fails = fail_at(store.count + 2)  # the lease, renewed after three long tries
    store.before = fails
    tries = []

    def slow(asked):
        if asked.operation == "create_payment":
            tries.append(asked)
            shop.clock.advance(6)
            return LostRequest() if len(tries) == 1 else Unavailable()
        return None

    shop.fake.decide(slow)
    with pytest.raises(OutcomeUnknown) as raised:
        shop.buy(pay=pay)
    assert isinstance(raised.value.__cause__, StoreUnavailable)
    assert raised.value.payment.status == "unknown"
    shop.fake.script.clear()
    assert shop.buy(pay=pay).is_paid
    assert shop.bank.charged("order_1") == PRICE


@EACH
@each_operation
@pytest.mark.parametrize(("number", "hurried"), [(1, False), (2, False), (2, True), (3, True)])
def test_two_writers_that_meet_are_no_failure(shop, doing, number, hurried):
    there = doing.begin(shop)
    store, pay = watched(shop, hurried=hurried)
    store.before = fail_at(store.count + _reads_before(doing) + number, StoreConflict)

    doing.call(shop, there, pay)
    check(shop, doing)


@EACH
def test_two_writers_that_meet_twice_are_told(shop):
    store, pay = watched(shop)
    first = store.count + 1  # without a look, as it is new; then with one
    store.before = lambda count: (
        (_ for _ in ()).throw(StoreConflict("again")) if first <= count < first + 3 else None
    )
    with pytest.raises(StoreConflict) as raised:
        shop.buy(pay=pay)
    assert raised.value.retryable
    assert shop.buy(pay=pay).is_paid


@EACH
def test_reads_tell_that_the_store_failed(shop):
    paid = shop.buy()
    store, pay = watched(shop)
    for call in (
        lambda: pay.payments.get(paid.id),
        lambda: pay.refunds.get(reference="return_1"),
        lambda: list(pay.payments.list()),
        lambda: pay.payments.refresh(paid.id),
        pay.webhooks.process_due,
    ):
        store.before = fail_at(store.count + 1)
        with pytest.raises(StoreUnavailable):
            call()


def _reads_before(doing):
    """How many transactions the operation makes before the one that prepares it."""
    return {"create_payment": 0, "create_refund": 0}.get(doing.operation, 1)


def check(shop, doing):
    assert doing.effects(shop) == 1
    assert doing.row(shop).state == "confirmed"
    after = shop.pay.payments.get(reference="order_1")
    assert (after.in_flight, after.unresolved) == ((), ())
    assert after.captured == shop.bank.charged("order_1")
    assert after.refunded == shop.bank.refunded("order_1")
