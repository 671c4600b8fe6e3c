import asyncio
import threading
from contextvars import ContextVar

import pytest

from payport.domain.errors import (
    ConfigurationError,
)
from payport.storage.sqlite import AsyncSqliteStore
from payport.testing._store_contract import samples

# -- the async colour -------------------------------------------------------------------------


@pytest.fixture
def named_threads():
    def alive():
        return [t.name for t in threading.enumerate() if t.name.startswith("payport-sqlite")]

    assert alive() == []
    return alive


def test_the_async_store_has_one_named_thread_that_ends(db, named_threads):
    async def main():
        store = AsyncSqliteStore(str(db))
        assert named_threads() == []
        works = [
            store.transact(lambda tx, n=n: tx.save_payment(samples.payment(f"order_{n}")))
            for n in range(20)
        ]
        await asyncio.gather(*works)
        assert len(named_threads()) == 1
        await store.aclose()

    asyncio.run(main())
    assert named_threads() == []


def test_a_second_event_loop_is_refused(db):
    store = AsyncSqliteStore(str(db))

    async def use():
        return await store.transact(lambda tx: tx.payment("pay_order_1"))

    asyncio.run(use())
    with pytest.raises(ConfigurationError, match="another event loop"):
        asyncio.run(use())
    asyncio.run(store.aclose())
    asyncio.run(use())
    asyncio.run(store.aclose())


def test_a_cancelled_unit_of_work_is_whole_or_nothing(db):
    begun, go_on = threading.Event(), threading.Event()

    def slow(tx):
        tx.save_payment(samples.payment("order_1"))
        begun.set()
        go_on.wait(10)
        tx.save_payment(samples.payment("order_2"))

    async def main():
        store = AsyncSqliteStore(str(db))
        running = asyncio.create_task(store.transact(slow))
        waiting = asyncio.create_task(
            store.transact(lambda tx: tx.save_payment(samples.payment("order_3")))
        )
        await asyncio.to_thread(begun.wait, 10)
        running.cancel()
        waiting.cancel()
        results = await asyncio.gather(running, waiting, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError] * 2
        go_on.set()
        listed = await store.transact(lambda tx: tx.payments(samples.query()))
        await store.aclose()
        return sorted(payment.reference for payment in listed)

    assert asyncio.run(main()) == ["order_1", "order_2"]


def test_the_work_sees_the_callers_context(db):
    inside = ContextVar("inside", default="nobody")

    async def main():
        store = AsyncSqliteStore(str(db))
        inside.set("a handler")
        seen = await store.transact(lambda tx: inside.get())
        await store.aclose()
        return seen

    assert asyncio.run(main()) == "a handler"


def test_closing_an_async_store_that_was_never_used_does_nothing(path):
    asyncio.run(AsyncSqliteStore(str(path)).aclose())
    assert not path.exists()


def test_closing_can_be_cancelled_and_the_thread_ends_all_the_same(db, named_threads):
    begun, go_on = threading.Event(), threading.Event()

    def slow(tx):
        begun.set()
        go_on.wait(10)

    async def main():
        store = AsyncSqliteStore(str(db))
        running = asyncio.create_task(store.transact(slow))
        await asyncio.to_thread(begun.wait, 10)
        closing = asyncio.create_task(store.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        go_on.set()
        await running

    asyncio.run(main())
    for thread in threading.enumerate():
        if thread.name.startswith("payport-sqlite"):
            thread.join(10)
    assert named_threads() == []
