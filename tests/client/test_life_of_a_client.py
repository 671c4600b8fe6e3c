"""When a client opens what it needs, where it may be used, and how it ends."""

import asyncio
import gc
import os
import threading
import warnings
from datetime import UTC, datetime, timedelta

import pytest
from shops import PRICE, VISA, Kind, each_colour, kinds, usd

from payport import (
    AsyncPayport,
    ConfigurationError,
    Money,
    PaymentStatus,
    Payport,
    ProviderUnavailable,
    RetryPolicy,
    RetryRule,
)
from payport.domain.outcomes import FailureKind
from payport.operations.clock import SystemClock
from payport.operations.plan import new_owner
from payport.storage.memory import MemoryStore
from payport.testing import AsyncFakeProvider, FakeProvider, Unavailable

GIVEN = {"reference": "order_1", "amount": PRICE, "payment_method": VISA, "confirm": True}


@pytest.mark.parametrize(
    ("client", "fake"), [(Payport, FakeProvider), (AsyncPayport, AsyncFakeProvider)]
)
def test_making_a_client_does_nothing(tmp_path, client, fake):
    file = tmp_path / "payments.db"
    provider = fake()
    asked = []
    provider.decide(asked.append)
    threads = threading.active_count()
    pay = client(provider, store=f"sqlite:///{file}")
    pay.scoped("tenant_9")
    assert repr(pay)
    assert pay.payments.list() is not None

    assert list(tmp_path.iterdir()) == []
    assert asked == []
    assert threading.active_count() == threads


def test_the_first_use_opens_what_it_needs(tmp_path):
    file = tmp_path / "payments.db"
    with Payport(FakeProvider(), store=f"sqlite:///{file}") as pay:
        assert pay.payments.create(**GIVEN).status is PaymentStatus.SUCCEEDED
        assert file.exists()
        assert file.stat().st_mode & 0o777 == 0o600


def test_what_was_paid_survives_the_process(tmp_path):
    bank = FakeProvider().bank
    url = f"sqlite:///{tmp_path / 'payments.db'}"
    with Payport(FakeProvider(bank=bank), store=url) as pay:
        paid = pay.payments.create(**GIVEN)

    async def another_process():
        async with AsyncPayport(AsyncFakeProvider(bank=bank), store=url) as pay:
            return await pay.payments.create(**GIVEN)

    assert asyncio.run(another_process()) == paid
    assert bank.charged("order_1") == PRICE


# -- closing --------------------------------------------------------------------------------------


def close(shop, pay):
    shop.run(pay._target.aclose()) if shop.is_async else pay.close()


def test_a_closed_client_refuses_everything(shop):
    pay = shop.client()
    paid = shop.buy(pay=pay)
    scoped, listing = pay.scoped("tenant_9"), pay.payments.list()
    close(shop, pay)
    close(shop, pay)
    (request,) = shop.fake.webhooks()

    for call in (
        lambda: shop.buy(pay=pay),
        lambda: pay.payments.get(paid.id),
        lambda: pay.refunds.create(payment=paid.id, reference="return_1"),
        lambda: list(listing),
        lambda: list(pay.operations.list()),
        lambda: shop.receive(request, pay),
        pay.webhooks.process_due,
        lambda: scoped.payments.get(reference="order_1"),
    ):
        with pytest.raises(ConfigurationError, match="closed"):
            call()
    assert shop.pay.payments.get(paid.id) == paid


def test_a_context_manager_closes_its_client():
    with Payport(FakeProvider()) as pay:
        assert pay.payments.create(**GIVEN).is_paid
    with pytest.raises(ConfigurationError, match="closed"):
        pay.payments.create(**GIVEN)

    async def awaited():
        async with AsyncPayport(AsyncFakeProvider()) as pay:
            assert (await pay.payments.create(**GIVEN)).is_paid
        with pytest.raises(ConfigurationError, match="closed"):
            await pay.payments.create(**GIVEN)

    asyncio.run(awaited())


def test_closing_closes_store_and_provider_once():
    closed = []

    class Store(MemoryStore):
        def close(self):
            closed.append("store")

    class Provider(FakeProvider):
        def close(self):
            closed.append("provider")
            super().close()

    pay = Payport(Provider(), store=Store())
    pay.scoped("tenant_9").close()
    assert closed == []
    pay.close()
    pay.close()
    assert closed == ["store", "provider"]


def test_a_client_that_was_never_used_closes_quietly(shop):
    close(shop, shop.client())


def test_nothing_is_left_open(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # What other tests left may end meanwhile.
        before = set(threading.enumerate())
        with Payport(FakeProvider(), store=f"sqlite:///{tmp_path / 'a.db'}") as pay:
            pay.payments.create(**GIVEN)

        async def awaited():
            fake = AsyncFakeProvider()
            async with AsyncPayport(fake, store=f"sqlite:///{tmp_path / 'b.db'}") as pay:
                await pay.payments.create(**GIVEN)

        asyncio.run(awaited())
        gc.collect()
    assert set(threading.enumerate()) <= before


# -- event loops ----------------------------------------------------------------------------------


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_a_second_event_loop_is_refused(tmp_path, store):
    url = "memory" if store == "memory" else f"sqlite:///{tmp_path / 'payments.db'}"
    fake = AsyncFakeProvider()
    pay = AsyncPayport(fake, store=url)
    first = asyncio.Runner()
    paid = first.run(pay.payments.create(**GIVEN))

    async def elsewhere():
        for call in (
            pay.payments.create(**GIVEN),
            pay.payments.get(paid.id),
            pay.scoped("tenant_9").payments.create(**GIVEN),
        ):
            with pytest.raises(ConfigurationError, match="another event loop"):
                await call

    asyncio.run(elsewhere())
    assert first.run(pay.payments.get(paid.id)) == paid
    first.run(pay.aclose())
    first.close()
    assert fake.bank.charged("order_1") == PRICE


def test_a_client_belongs_to_the_loop_that_first_uses_it_and_not_to_where_it_was_made():
    pay = AsyncPayport(AsyncFakeProvider())
    assert asyncio.run(pay.payments.create(**GIVEN)).is_paid


# -- processes ------------------------------------------------------------------------------------


@kinds(Kind("sync", "sqlite"))
def test_a_forked_child_uses_the_client_it_was_born_with(shop):
    """As a prefork server does: the client is made and used before the workers are."""
    paid = shop.buy()
    child = os.fork()
    if child == 0:
        ok = False
        try:
            same = shop.pay.payments.get(paid.id) == paid
            refund = shop.refund(paid, amount=usd(100))
            ok = same and refund.amount == Money(100, "USD")
        finally:
            os._exit(0 if ok else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    row = next(r for r in shop.rows() if r.operation == "create_refund")
    assert (row.state, row.payment_id) == ("confirmed", paid.id)
    assert shop.buy() == shop.pay.payments.get(paid.id)
    assert shop.pay.refunds.get(reference="return_1").amount == usd(100)


@kinds(Kind("async", "sqlite"))
def test_a_forked_child_starts_a_loop_and_a_client_of_its_own(shop):
    paid = shop.buy()
    child = os.fork()
    if child == 0:
        ok = False
        try:
            fresh = AsyncPayport(shop.provider(), store=shop.store())
            ok = asyncio.new_event_loop().run_until_complete(fresh.payments.get(paid.id)) == paid
        finally:
            os._exit(0 if ok else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert shop.buy() == paid


@each_colour
def test_owners_of_leases_are_told_apart_between_processes(shop):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, new_owner().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 100).decode()
    mine = [new_owner() for _ in range(3)]
    assert len({theirs, *mine}) == 4
    assert theirs.partition("-")[0] not in {owner.partition("-")[0] for owner in mine}
    os.close(reading)
    os.close(writing)


# -- configuration --------------------------------------------------------------------------------


@each_colour
def test_retries_are_the_applications_to_choose(shop):
    pay = shop.client(retries=RetryPolicy())
    shop.fake.next("create_payment", Unavailable())
    with pytest.raises(ProviderUnavailable):
        shop.buy(pay=pay)
    assert shop.clock.monotonic() == 0
    assert shop.buy(pay=pay).is_paid


class Clockless(FakeProvider):
    """As providers are that are no fakes."""

    clock = None


@pytest.mark.parametrize("make", [Clockless, lambda: FakeProvider(clock=SystemClock())])
def test_the_machines_clock_is_used_where_no_other_is_given(make):
    with Payport(make()) as pay:
        paid = pay.payments.create(**GIVEN)
    assert abs(datetime.now(UTC) - paid.created_at) < timedelta(minutes=1)


def test_a_client_that_waits_waits_by_the_machines_clock():
    fake = FakeProvider(clock=SystemClock())
    fake.next("create_payment", Unavailable())
    quick = RetryPolicy(rules={FailureKind.UNAVAILABLE: RetryRule(waits=(0.01,))})
    with Payport(fake, retries=quick) as pay:
        assert pay.payments.create(**GIVEN).is_paid

    async def awaited():
        fake = AsyncFakeProvider(clock=SystemClock())
        fake.next("create_payment", Unavailable())
        async with AsyncPayport(fake, retries=quick) as pay:
            assert (await pay.payments.create(**GIVEN)).is_paid

    asyncio.run(awaited())
