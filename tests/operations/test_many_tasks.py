"""A thousand tasks of one client keep within bounds, and none of what they ask for is lost."""

import asyncio
import gc
import random
import threading
import tracemalloc
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise

import psycopg
import pytest
from crowd import client, pick, store_url, watched
from loopback import SimulatorProcess

from payport import AsyncPayport, BreakerPolicy, Money, PayportError
from payport.operations.clock import SystemClock

PRICE = Money(5000, "USD")
#: Of the HTTP client, and of the pool of a PostgreSQL store.
PROVIDER_CONNECTIONS, STORE_CONNECTIONS = 100, 15
#: Bytes that may stay for an operation after it is done, and for all of them together: the request
#: and the answer of one are more than ten times the former.
STAYS, SLACK = 1_000, 50_000


@pytest.fixture(scope="module")
def bank():
    running = SimulatorProcess("--idle", "300")
    yield running
    running.stop()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request):
    return store_url(request.param, request)


def shop(url, place, **named):
    """A client whose orders are its own: the bank is the same for all tests."""
    scope = place.partition(":")[0]
    patient = BreakerPolicy(failures=100_000)
    return client(AsyncPayport, url, place, scope=scope, deadline=300.0, breaker=patient, **named)


async def buy(pay, reference):
    """Pay, and ask again where the error says so: a crowd may have to wait too long for a turn."""
    for _ in range(10):
        try:
            return await pay.payments.create(
                reference=reference, amount=PRICE, payment_method="pm_card_visa", confirm=True
            )
        except PayportError as error:
            if not error.retryable:
                raise
    raise AssertionError(reference)


class Later(SystemClock):
    """When the leases of whoever is gone are over."""

    def now(self):
        return super().now() + timedelta(minutes=2)


@contextmanager
def store_connections(place):
    """How many connections the store has open: looked at again and again, the most of them."""
    seen, over = [0], threading.Event()
    if not place.startswith("postgres"):
        yield seen
        return
    ask = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'payport'"
    )

    def look():
        with psycopg.connect(place, autocommit=True) as connection:
            while not over.wait(0.02):
                seen.append(connection.execute(ask).fetchone()[0])

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join(10)


def threads_of_the_store():
    return sum(thread.name.startswith("payport-sqlite") for thread in threading.enumerate())


def test_a_crowd_of_tasks_keeps_within_bounds_and_loses_nothing(bank, place):
    number = pick(100, 1_000)

    async def pay_all():
        async with shop(bank.url, place) as pay:
            await asyncio.gather(*[buy(pay, f"warm {n}") for n in range(number // 4)])
            with store_connections(place) as stores:
                async with watched(pay) as connections:
                    answers = await asyncio.gather(*[buy(pay, f"order {n}") for n in range(number)])
            assert threads_of_the_store() <= 1
            rows = [row async for row in pay.operations.list()]
        return answers, rows, max(connections), max(stores)

    answers, rows, to_the_provider, to_the_store = asyncio.run(pay_all())
    assert {answer.status for answer in answers} == {"succeeded"}
    assert len({answer.id for answer in answers}) == number
    assert {row.state for row in rows} == {"confirmed"}
    assert len(rows) == number + number // 4
    assert 1 < to_the_provider <= PROVIDER_CONNECTIONS
    assert to_the_store <= STORE_CONNECTIONS
    assert bool(to_the_store) == place.startswith("postgres")
    moved = bank.control("moved")["entries"]
    paid = Counter(entry["payment"] for entry in moved if entry["kind"] == "charge")
    assert all(paid[answer.provider_ref] == 1 for answer in answers)


def test_what_is_done_does_not_stay_in_memory(bank, place):
    number = pick(12, 150)

    async def stays():
        async with shop(bank.url, place) as pay:
            sizes = []
            for batch in range(3):
                await asyncio.gather(*[buy(pay, f"memory {batch} {n}") for n in range(number)])
                gc.collect()
                sizes.append(tracemalloc.get_traced_memory()[0])
            return sizes

    tracemalloc.start()
    try:
        sizes = asyncio.run(stays())
    finally:
        tracemalloc.stop()
    # What stays for ever stays each time; what one unlucky batch left, such as logs, does not.
    grown = min(later - earlier for earlier, later in pairwise(sizes))
    assert grown < SLACK + number * STAYS


def test_tasks_that_are_canceled_leave_what_recovery_finds_out(bank, place):
    """Wherever they were: before the row, between two commits, or while the bank was at work."""
    number = pick(60, 600)
    chosen = random.Random(20)
    canceled = chosen.sample(range(number), pick(30, 100))

    async def pay_and_cancel():
        async with shop(bank.url, place) as pay:
            await pay.operations.recover()
            tasks = [asyncio.create_task(buy(pay, f"maybe {n}")) for n in range(number)]
            for n in canceled:
                await asyncio.sleep(chosen.random() * 0.02)
                tasks[n].cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            left = Counter([row.state async for row in pay.operations.list()])
        async with shop(bank.url, place, clock=Later()) as pay:
            await pay.operations.recover()
            rows = [row async for row in pay.operations.list()]
            there = await asyncio.to_thread(
                lambda: [bank.control(f"charged?name={row.key}") for row in rows]
            )
            again = await asyncio.gather(*[buy(pay, f"maybe {n}") for n in range(number)])
            return ended, left, list(zip(rows, there, strict=True)), again

    ended, left, found, again = asyncio.run(pay_and_cancel())
    cut = {n for n, end in enumerate(ended) if isinstance(end, asyncio.CancelledError)}
    assert cut <= set(canceled)
    assert left["sent"] + left["prepared"] > 0, "nobody was canceled in the middle"
    for row, there in found:
        assert row.state in {"confirmed", "abandoned"}
        wanted = (0, 0) if row.state == "abandoned" else (PRICE.minor, 1)
        assert (there["charged"], there["payments"]) == wanted
    assert {paid.status for paid in again} == {"succeeded"}
    moved = bank.control("moved")["entries"]
    paid = Counter(entry["payment"] for entry in moved if entry["kind"] == "charge")
    assert all(paid[one.provider_ref] == 1 for one in again)
