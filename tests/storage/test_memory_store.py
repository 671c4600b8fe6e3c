import asyncio
import copy
import pickle
import threading
import time

import pytest

from payport.domain.errors import ConfigurationError, InvalidRequest
from payport.storage.memory import AsyncMemoryStore, MemoryStore
from payport.testing._store_contract import samples


def test_both_colours_share_one_store():
    store = MemoryStore()
    store.transact(lambda tx: tx.save_payment(samples.payment()))

    async def main():
        shared = AsyncMemoryStore(store)
        found = await shared.transact(lambda tx: tx.payment("pay_order_1"))
        await shared.aclose()
        return found

    assert asyncio.run(main()).version == 1
    store.close()
    assert store.transact(lambda tx: tx.payment("pay_order_1")).version == 1


def test_the_async_store_keeps_to_no_loop():
    store = AsyncMemoryStore()

    async def use():
        return await store.transact(lambda tx: tx.payment("pay_order_1"))

    assert asyncio.run(use()) is None
    assert asyncio.run(use()) is None


@pytest.mark.parametrize("make", [MemoryStore, AsyncMemoryStore])
@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_store_is_neither_pickled_nor_copied(make, duplicate):
    with pytest.raises(ConfigurationError, match="Open one in each process"):
        duplicate(make())


def test_a_unit_of_work_never_begins_another():
    store = MemoryStore()

    def work(tx):
        tx.save_payment(samples.payment())
        with pytest.raises(InvalidRequest, match="Pass its transaction on"):
            store.transact(lambda tx: None)

    store.transact(work)
    assert store.transact(lambda tx: tx.payment("pay_order_1")).version == 1


def test_another_thread_waits_for_its_turn():
    store, begun, go_on, order = MemoryStore(), threading.Event(), threading.Event(), []

    def slow(tx):
        begun.set()
        go_on.wait(10)
        order.append("first")

    first = threading.Thread(target=store.transact, args=(slow,))
    first.start()
    begun.wait(10)
    second = threading.Thread(target=store.transact, args=(lambda tx: order.append("second"),))
    second.start()
    go_on.set()
    first.join()
    second.join()
    assert order == ["first", "second"]


def test_even_a_system_exit_takes_everything_back():
    store = MemoryStore()

    def work(tx):
        tx.save_payment(samples.payment())
        raise SystemExit

    with pytest.raises(SystemExit):
        store.transact(work)
    assert store.transact(lambda tx: tx.payment("pay_order_1")) is None


def test_a_transaction_leaves_no_trace_of_itself():
    """Taking back and ending leave nothing that grows with the number of transactions."""
    store = MemoryStore()

    def fail(tx):
        tx.save_payment(samples.everything())
        tx.insert_operation(samples.operation())
        tx.add_delivery(samples.delivery())
        tx.add_handler_runs([samples.run()])
        tx.add_events([samples.event()], at=samples.NOW)
        raise RuntimeError

    for _ in range(3):
        with pytest.raises(RuntimeError):
            store.transact(fail)
    assert {name: len(table) for name, table in vars(store._data).items() if table} == {}


def test_it_is_fast_enough_for_thousands_of_transactions_a_second():
    store = MemoryStore()
    payment = store.transact(lambda tx: tx.save_payment(samples.payment()))

    def change(tx):
        held = tx.payment("pay_order_1", lock=True)
        return tx.save_payment(held.evolve(has_payment_method=not held.has_payment_method))

    count = 2_000
    began = time.process_time()
    for _ in range(count):
        payment = store.transact(change)
    took = time.process_time() - began
    assert payment.version == count + 1
    # Some 20 us each where this was written; a store that dumps or copies takes ten times that.
    assert count / took > 2_000
