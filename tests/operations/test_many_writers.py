"""All that an application does, on few payments at once: nothing is lost, stuck or told wrong."""

import itertools
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from crowd import pick
from shops import PRICE, Kind, Shop, place_of, usd

from payport import InvalidRequest, OperationInProgress
from payport.operations.clock import SystemClock

CLIENTS, PAYMENTS = 4, 3
EACH = usd(7)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def shop(request):
    kind = Kind("sync", request.param)
    shop = Shop(kind, place_of(kind, request), clock=SystemClock())
    yield shop
    shop.close()


def test_who_is_in_a_hurry_is_told_that_it_is_under_way_and_later_how_it_ended(shop):
    held, go_on = threading.Event(), threading.Event()
    slow = shop.provider()
    buyer = shop.client(slow)
    buyer.operations.recover()  # asks for the account: the bank is busy afterwards
    hasty = [shop.client(shop.provider(), deadline=0.3) for _ in range(4)]
    for pay in hasty:
        pay.operations.recover()

    def hold(asked):
        held.set()
        go_on.wait(20)

    slow.decide(hold)
    with ThreadPoolExecutor(len(hasty) * 2 + 1) as pool:
        paying = pool.submit(shop.buy, pay=buyer)
        assert held.wait(10)
        began = time.monotonic()
        waiting = [pool.submit(shop.buy, pay=pay) for pay in hasty * 2]
        told = [one.exception(20) for one in waiting]
        took = time.monotonic() - began
        go_on.set()
        paid = paying.result(20)

    assert {type(error) for error in told} == {OperationInProgress}
    assert all(error.retryable and error.money_may_have_moved for error in told)
    assert took < 10, "they waited for the one that was sending"
    assert [shop.buy(pay=pay) for pay in hasty] == [paid] * len(hasty)
    assert shop.bank.charged("order_1") == PRICE
    assert shop.requests() == 1


def deadlocks(url):
    """How many PostgreSQL has seen in this database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        found = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
        return found.fetchone()[0]


class Hammer:
    """Threads that do all that there is to do, each of them one thing so many times."""

    def __init__(self, shop, rounds):
        self._shop = shop
        self._rounds = rounds
        self._paid = [shop.buy(f"order_{n}") for n in range(PAYMENTS)]
        self._pays = [shop.another() for _ in range(CLIENTS)]
        self._numbers, self._orders = itertools.count(), itertools.count()
        self._webhooks = threading.Lock()

    def run(self):
        """What each of them was told that it should not have been."""
        doing = [self.refund, self.buy_again, self.refresh, self.webhooks, self.recover]
        jobs = [(do, pay) for do in doing for pay in self._pays]
        with ThreadPoolExecutor(len(jobs)) as pool:
            return [
                wrong for all_ in pool.map(lambda job: self._again(*job), jobs) for wrong in all_
            ]

    def _again(self, do, pay):
        chosen = random.Random(id(pay))
        wrong = []
        for _ in range(self._rounds):
            try:
                do(pay, chosen.choice(self._paid))
            except InvalidRequest as refused:
                if "can still be refunded" not in str(refused):
                    wrong.append(refused)
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody should see it
                wrong.append(error)
        return wrong

    def refund(self, pay, paid):
        # Each is asked for by several of them, who meet on its row as well.
        number = next(self._numbers) // CLIENTS
        paid = self._paid[number % PAYMENTS]
        self._shop.refund(paid, f"return_{number}", pay=pay, amount=EACH)

    def buy_again(self, pay, paid):
        assert self._shop.buy(paid.reference, pay=pay).id == paid.id
        self._shop.buy(f"new_{next(self._orders) // CLIENTS}", pay=pay)

    def refresh(self, pay, paid):
        pay.payments.refresh(paid.id)

    def webhooks(self, pay, paid):
        with self._webhooks:
            requests = self._shop.fake.webhooks()
        for request in requests:
            for _ in range(2):
                self._shop.receive(request, pay)
        pay.webhooks.process_due()

    def recover(self, pay, paid):
        pay.operations.recover()


def test_writers_that_meet_on_few_payments_never_stand_in_each_others_way(shop):
    before = deadlocks(shop.path) if shop.kind.store == "postgres" else 0
    assert Hammer(shop, pick(12, 150)).run() == []

    shop.pay.operations.recover()
    shop.deliver()
    rows = shop.rows()
    assert len(rows) > 2 * PAYMENTS
    assert {(row.state, row.lease_owner) for row in rows} == {("confirmed", None)}
    assert all(shop.bank.effects(row.key) == 1 for row in rows)
    for payment in shop.pay.payments.list():
        assert payment.captured == shop.bank.charged(payment.reference) == PRICE
        assert payment.refunded == shop.bank.refunded(payment.reference) <= PRICE
        assert (payment.in_flight, payment.unresolved) == ((), ())
        assert payment.refund_pending == usd(0)
    if shop.kind.store == "postgres":
        assert deadlocks(shop.path) == before
