"""Several threads, tasks and processes ask for the same thing at the same moment."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from shops import PRICE, VISA, Kind, Shop, kinds, place_of, usd

from payport import AsyncPayport, InvalidRequest, OperationInProgress, OutcomeUnknown
from payport.domain.outcomes import FailureKind
from payport.operations.clock import SystemClock
from payport.providers.outcomes import Failure
from payport.testing import (
    AsyncFakeProvider,
    Crash,
    CrashAfter,
    CrashBefore,
    LostResponse,
    Unavailable,
)

THREADS = 16


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def busy(request):
    """A shop on the machine's clock, whose bank takes a moment for everything."""
    kind = Kind("sync", request.param)
    shop = Shop(kind, place_of(kind, request), clock=SystemClock())
    shop.fake.decide(lambda asked: time.sleep(0.005))
    yield shop
    shop.close()


def at_once(*calls):
    """Call all of them together; their results, or what they raised."""
    gate = threading.Barrier(len(calls))

    def call(one):
        gate.wait()
        try:
            return one()
        except Exception as error:  # noqa: BLE001 - what each of them got is the test
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


def test_many_threads_that_pay_for_one_order_charge_it_once(busy):
    answers = at_once(*[busy.buy] * THREADS)

    assert {type(answer).__name__ for answer in answers} == {"PaymentIntent"}
    assert len({(a.id, a.status, a.captured) for a in answers}) == 1
    assert busy.bank.charged("order_1") == PRICE
    assert busy.requests() == 1


def test_many_processes_that_pay_for_one_order_charge_it_once(busy):
    clients = [busy.another() for _ in range(4)]
    answers = at_once(*[lambda pay=pay: busy.buy(pay=pay) for pay in clients * 4])

    assert {answer.status for answer in answers} == {"succeeded"}
    assert busy.bank.charged("order_1") == PRICE
    assert busy.requests() == 1


def test_two_processes_that_give_back_the_rest_at_once_do_it_once(busy):
    paid = busy.buy()
    clients = [busy.another() for _ in range(2)]
    answers = at_once(
        *[
            lambda pay=pay, name=name: busy.refund(paid, name, pay=pay)
            for pay, name in zip(clients, ("return_1", "return_2"), strict=True)
        ]
    )

    refused = [a for a in answers if isinstance(a, InvalidRequest)]
    assert len(refused) == 1
    assert "can still be refunded" in str(refused[0])
    assert busy.bank.refunded("order_1") == PRICE
    assert len(busy.bank.refunds) == 1


def test_parts_that_are_given_back_at_once_never_come_to_more_than_there_is(busy):
    paid = busy.buy()
    answers = at_once(
        *[lambda n=n: busy.refund(paid, f"return_{n}", amount=usd(700)) for n in range(THREADS)]
    )
    assert sum(isinstance(a, InvalidRequest) for a in answers) == THREADS - 7
    assert busy.bank.refunded("order_1") == usd(4900)
    assert busy.pay.payments.get(paid.id).refunded == usd(4900)


def test_parts_that_are_captured_at_once_never_come_to_more_than_is_held(busy):
    held = busy.hold()
    capture = busy.pay.payments.capture
    answers = at_once(
        *[lambda n=n: capture(held.id, amount=usd(1500), reference=f"parcel_{n}") for n in range(6)]
    )
    assert sum(isinstance(a, InvalidRequest) for a in answers) == 3
    assert busy.bank.charged("order_1") == usd(4500)
    assert busy.pay.payments.get(held.id).captured == usd(4500)


def test_two_second_attempts_at_once_are_one(busy):
    busy.buy(payment_method="pm_card_expired")
    there = busy.pay.payments.get(reference="order_1")
    other = busy.another()
    answers = at_once(
        lambda: busy.buy(attempt=2),
        lambda: other.payments.confirm(there.id, payment_method=VISA, attempt=2),
    )
    assert {answer.status for answer in answers} == {"succeeded"}
    assert busy.bank.charged("order_1") == PRICE


def test_a_cancel_beside_a_payment_that_is_being_made_cancels_nothing(busy):
    slow = busy.provider()
    started, go_on = threading.Event(), threading.Event()

    def wait(asked):
        if asked.operation == "create_payment":
            # The bank's lock is held here: the other one must not need the bank to be refused.
            started.set()
            go_on.wait(5)

    slow.decide(wait)
    buyer = busy.client(slow)
    paying = threading.Thread(target=lambda: busy.buy(pay=buyer))
    paying.start()
    assert started.wait(5)
    try:
        there = buyer.payments.get(reference="order_1")
        assert there.status == "processing"
        with pytest.raises(InvalidRequest, match="under way"):
            buyer.payments.cancel(there.id)
    finally:
        go_on.set()
        paying.join()
    assert busy.pay.payments.get(reference="order_1").is_paid


def test_threads_that_wait_for_one_that_fails_try_for_themselves(busy):
    busy.fake.next("create_payment", Unavailable())
    answers = at_once(*[busy.buy] * 4)
    assert {answer.status for answer in answers} == {"succeeded"}
    assert busy.bank.charged("order_1") == PRICE


def test_a_webhook_that_comes_many_times_at_once_is_kept_once(busy):
    paid = busy.buy()
    busy.fake.webhooks()
    busy.bank.refund("order_1", usd(100))
    (request,) = busy.fake.webhooks()
    clients = [busy.another() for _ in range(4)]
    receipts = at_once(*[lambda pay=pay: busy.receive(request, pay) for pay in clients * 4])

    assert sorted(receipt.status for receipt in receipts) == ["accepted", *["duplicate"] * 15]
    assert len({receipt.ids for receipt in receipts}) == 1
    at_once(*[pay.webhooks.process_due for pay in clients])
    assert busy.pay.payments.get(paid.id).refunded == usd(100)
    assert busy.events(paid).count("RefundSucceeded") == 1


def test_many_tasks_that_pay_for_one_order_charge_it_once():
    async def pay_all():
        fake = AsyncFakeProvider(clock=SystemClock())
        async with AsyncPayport(fake, clock=SystemClock()) as pay:
            calls = [
                pay.payments.create(
                    reference="order_1", amount=PRICE, payment_method=VISA, confirm=True
                )
                for _ in range(THREADS)
            ]
            return fake.bank, await asyncio.gather(*calls)

    bank, answers = asyncio.run(pay_all())
    assert {answer.status for answer in answers} == {"succeeded"}
    assert bank.charged("order_1") == PRICE
    assert sum(bank.vault.arrived.values()) == 1


def test_a_canceled_task_leaves_an_operation_that_is_found_out():
    async def cancel():
        fake = AsyncFakeProvider()
        async with AsyncPayport(fake) as pay:

            def call():
                return pay.payments.create(
                    reference="order_1", amount=PRICE, payment_method=VISA, confirm=True
                )

            for turns in range(12):
                task = asyncio.create_task(call())
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            return fake.bank, await call()

    bank, paid = asyncio.run(cancel())
    assert paid.is_paid
    assert bank.charged("order_1") == PRICE
    assert len(bank.payments) == 1


# -- leases ---------------------------------------------------------------------------------------

ONE = kinds(Kind("sync", "memory"), Kind("sync", "sqlite"))


@ONE
def test_who_waits_for_a_lease_gives_up_in_time_and_sends_nothing(shop):
    shop.fake.next("create_payment", CrashAfter())
    with pytest.raises(Crash):
        shop.buy()
    hasty = shop.another(deadline=3.0)
    began = shop.clock.monotonic()
    with pytest.raises(OperationInProgress, match=r"payments\.create\[order_1\]") as raised:
        shop.buy(pay=hasty)
    assert raised.value.money_may_have_moved
    assert raised.value.retryable
    assert raised.value.idempotency_key == shop.rows()[0].key
    assert shop.clock.monotonic() - began <= 3.0
    assert shop.requests() == 1


@ONE
def test_who_lost_the_lease_sends_no_more(shop):
    """It slept for longer than its lease; meanwhile another process took over."""
    other = shop.another()
    taken = []

    def overtake(asked):
        if asked.operation == "create_payment" and not taken:
            taken.append(None)
            shop.clock.advance(12)
            taken.append(shop.buy(pay=other))
            return Unavailable()
        return None

    shop.fake.decide(overtake)
    late = shop.buy()

    assert late == taken[1]
    assert shop.requests() == 2
    row = shop.rows()[0]
    assert (row.state, row.fencing) == ("confirmed", 2)


@ONE
def test_who_lost_the_lease_does_not_conclude(shop):
    other = shop.another()
    broken = shop.provider()
    broken.decide(lambda asked: None if asked.operation == "account" else LostResponse())
    struck = []

    def overtake(asked):
        if asked.operation == "create_payment" and not struck:
            struck.append(None)
            shop.clock.advance(12)
            with pytest.raises(OutcomeUnknown):
                shop.buy(pay=shop.client(broken))
            return Unavailable()
        return None

    shop.fake.decide(overtake)
    with pytest.raises(OutcomeUnknown):
        shop.buy()
    row = shop.rows()[0]
    assert row.state == "unknown", "our proof is about our own send, and not about the other one"
    assert shop.buy(pay=other).is_paid


@ONE
def test_an_older_lease_takes_nothing_from_a_newer_one(shop):
    """Its proven failure comes while the new holder is still sending."""
    for _ in range(2):
        dying = shop.provider()
        dying.next("create_payment", CrashBefore())
        with pytest.raises(Crash):
            shop.buy(pay=shop.client(dying))
    row = shop.rows()[0]
    assert (row.state, row.fencing) == ("sent", 2)

    concluding = shop.pay._session.journal.concluding
    refused = Failure(kind=FailureKind.UNAVAILABLE, message="nobody is there")
    older = replace(row, fencing=1)
    shop.transact(lambda tx: concluding.conclude(tx, older, refused))
    assert shop.rows()[0] == row
    assert shop.pay.payments.get(reference="order_1").in_flight == (row.key,)


@ONE
def test_a_long_operation_keeps_its_lease(shop):
    """Its retries last longer than one lease; nobody may come between them."""
    other = shop.another(deadline=1.0)
    told = []

    def look(asked):
        if asked.operation != "create_payment":
            return None
        if len(told) == 3:
            return None
        with pytest.raises(OperationInProgress):
            shop.buy(pay=other)
        told.append(shop.clock.monotonic())
        shop.clock.advance(6)
        return Unavailable()

    shop.fake.decide(look)
    patient = shop.client(deadline=60.0)
    assert shop.buy(pay=patient).is_paid
    assert told[-1] - told[0] > 11
    assert shop.rows()[0].sends == 1


@ONE
def test_a_lease_from_a_clock_that_stepped_back_is_not_waited_for_for_ever(shop):
    shop.fake.next("create_payment", CrashAfter())
    with pytest.raises(Crash):
        shop.buy()
    shop.clock.step_back(3600)
    broken = shop.provider()
    broken.decide(lambda asked: None if asked.operation == "account" else LostResponse())
    # The key counts as expired, and so nothing is sent; but nothing is waited for either.
    with pytest.raises(OutcomeUnknown):
        shop.buy(pay=shop.client(broken))
    assert shop.clock.monotonic() < 11
