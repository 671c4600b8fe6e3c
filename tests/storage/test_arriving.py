"""
Deliveries that arrive at the embedded store together: inserted in one statement, each told after
the commit, and none of them harmed by another one. What is there already is told by reading.
"""

import asyncio
import sqlite3
import threading
import time

import pytest
from test_sharing import LONG, Crowd, Door, saving, statements_of, waiting, waiting_in_hand

from payport.domain.errors import StoreUnavailable
from payport.storage import arriving
from payport.storage.base import InboxState, Known
from payport.storage.sqlite import AsyncSqliteStore
from payport.testing._store_contract.samples import arrival


def kept(store, name):
    return store.transact(lambda tx: tx.delivery(name))


def known(one):
    return Known(one.id, one.fingerprint, one.state)


class Arrivals(Crowd):
    """Threads that bring deliveries."""

    def bring(self, name, *arrivals):
        def call():
            try:
                self.told[name] = self.store.add_arrivals(arrivals)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
                self.told[name] = error

        self._threads.append(threading.Thread(target=call))
        self._threads[-1].start()


def brought_together(store, requests, *, works=None):
    """What they are told who bring deliveries while the store's turn is somebody's."""
    crowd = Arrivals(store)
    with Door(store):
        crowd.bring("first", arrival("dlv_first"))
        waiting_in_hand(store)
        for name, arrivals in requests.items():
            crowd.bring(name, *arrivals)
        for name, work in (works or {}).items():
            crowd.ask(name, work)
        waiting(store._line, len(requests) + len(works or {}))
    crowd.wait()
    return crowd.told


def inserts(said):
    return [one for one in said if one.startswith("INSERT INTO payport_inbox")]


def test_a_new_delivery_is_told_as_new_and_comes_back_as_it_came(db, open_store):
    store = open_store(db)
    whole = arrival("dlv_1", state=InboxState.QUARANTINED, error="it is not ours")
    bare = arrival("dlv_2", account=None, attempt_ref=None, tag=None, api_version=None, error=None)
    assert store.add_arrivals([whole, bare]) == [None, None]
    assert kept(store, "dlv_1") == whole.row()
    assert kept(store, "dlv_2") == bare.row()
    assert bare.row().due_at == bare.received_at


def test_one_that_is_there_is_told_and_stays_as_it_was(db, open_store):
    store = open_store(db)
    first = arrival("dlv_1", fingerprint="first")
    store.add_arrivals([first])
    assert store.add_arrivals([arrival("dlv_1", fingerprint="second")]) == [known(first)]
    assert kept(store, "dlv_1").fingerprint == "first"


def test_of_one_that_comes_twice_in_a_request_the_second_is_told_of_the_first(db, open_store):
    store = open_store(db)
    one, other = arrival("dlv_1", fingerprint="first"), arrival("dlv_1", fingerprint="second")
    assert store.add_arrivals([one, other]) == [None, known(one)]
    assert kept(store, "dlv_1").fingerprint == "first"


def test_one_that_is_there_under_another_id_is_told_too(db, open_store):
    store = open_store(db)
    first = arrival("dlv_1", dedupe_key="once")
    store.add_arrivals([first])
    told = store.add_arrivals([arrival("dlv_2", dedupe_key="once"), arrival("dlv_3")])
    assert told == [known(first), None]
    assert kept(store, "dlv_2") is None


def test_who_comes_together_shares_a_commit_and_few_statements(db, open_store):
    store = open_store(db)
    requests = {f"r_{n}": [arrival(f"dlv_{n}")] for n in range(45)}
    told = []
    said = statements_of(store, lambda: told.append(brought_together(store, requests)))
    assert told[0] == {"first": [None], **{name: [None] for name in requests}}
    assert said.count("COMMIT") == 3  # the door's, the first one's, and one for all the others
    assert len(inserts(said)) == 1 + 4  # of 32, 8, 4 and 1 rows
    assert all(kept(store, f"dlv_{n}") is not None for n in range(45))


def test_a_repetition_is_told_while_another_process_writes(db, open_store):
    store = open_store(db, wait=0.05)
    one = arrival("dlv_1")
    store.add_arrivals([one])
    other = sqlite3.connect(db, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert store.add_arrivals([one]) == [known(one)]
    with pytest.raises(StoreUnavailable):
        store.add_arrivals([arrival("dlv_2")])
    other.execute("ROLLBACK")
    other.close()
    assert store.add_arrivals([arrival("dlv_2")]) == [None]


def test_a_repetition_is_told_without_a_transaction_that_writes(db, open_store):
    store = open_store(db)
    one = arrival("dlv_1")
    store.add_arrivals([one])
    said = statements_of(store, lambda: store.add_arrivals([one]))
    assert [each.partition(" ")[0] for each in said] == ["SELECT"]


def test_one_that_cannot_be_inserted_fails_alone(db, open_store):
    store = open_store(db)
    wrong = arrival("dlv_wrong", position=2**70)
    told = brought_together(store, {"a": [arrival("dlv_a")], "w": [wrong], "b": [arrival("dlv_b")]})
    assert (told["a"], told["b"]) == ([None], [None])
    assert isinstance(told["w"], Exception)
    assert kept(store, "dlv_a") is not None
    assert kept(store, "dlv_b") is not None
    assert kept(store, "dlv_wrong") is None


def test_of_a_request_all_is_inserted_or_nothing(db, open_store):
    store = open_store(db)
    wrong = [arrival("dlv_1"), arrival("dlv_2", position=2**70)]
    told = brought_together(store, {"w": wrong, "a": [arrival("dlv_a")]})
    assert isinstance(told["w"], Exception)
    assert told["a"] == [None]
    assert kept(store, "dlv_1") is None


def test_what_another_process_inserted_meanwhile_is_told(db, open_store, monkeypatch):
    store = open_store(db)
    there = arrival("dlv_1")
    store.add_arrivals([there])
    monkeypatch.setattr(arriving, "_known", lambda running, ids: {})
    assert store.add_arrivals([there, arrival("dlv_2")]) == [known(there), None]


def test_deliveries_and_other_units_of_work_share_a_commit(db, open_store):
    store = open_store(db)
    requests = {f"r_{n}": [arrival(f"dlv_{n}")] for n in range(3)}
    works = {"order_1": saving("order_1"), "failing": lambda tx: 1 / 0}
    told = []
    said = statements_of(store, lambda: told.append(brought_together(store, requests, works=works)))
    assert said.count("COMMIT") == 3
    assert [told[0][name] for name in requests] == [[None]] * 3
    assert told[0]["order_1"] == "order_1"
    assert isinstance(told[0]["failing"], ZeroDivisionError)


def test_who_is_told_that_it_is_stored_is_told_after_the_commit(db, open_store):
    store, other = open_store(db), open_store(db)
    assert store.add_arrivals([arrival("dlv_1"), arrival("dlv_2")]) == [None, None]
    assert kept(other, "dlv_1") is not None
    assert kept(other, "dlv_2") is not None


def test_nobody_is_told_that_it_is_stored_when_the_commit_fails(db, open_store, monkeypatch):
    store = open_store(db)
    store.add_arrivals([arrival("dlv_0")])

    def fails():
        message = "the disk is full"
        raise StoreUnavailable(message, operation="store")

    monkeypatch.setattr(store._running, "commit", fails)
    crowd = Arrivals(store)
    crowd.bring("a", arrival("dlv_a"))
    crowd.wait()
    assert isinstance(crowd.told["a"], StoreUnavailable)
    assert kept(store, "dlv_a") is None
    assert store.add_arrivals([arrival("dlv_a")]) == [None]


def test_tasks_of_one_turn_of_the_loop_share_a_commit_and_are_woken_once(db):
    async def main():
        async with asyncio.timeout(LONG):
            store = AsyncSqliteStore(str(db))
            await store.add_arrivals([arrival("dlv_0")])
            loop = asyncio.get_running_loop()
            driver, said = store._store._connection.connection.driver_connection, []
            woken, wake = [], loop.call_soon_threadsafe
            loop.call_soon_threadsafe = lambda *given: (woken.append(1), wake(*given))[1]
            called, call = [], store._thread.submit
            store._thread.submit = lambda *given: (called.append(1), call(*given))[1]
            driver.set_trace_callback(said.append)
            told = await asyncio.gather(*(bring(store, called, f"dlv_{n}") for n in range(32)))
            driver.set_trace_callback(None)
            calls = len(called), len(woken)
            await store.aclose()
            return told, said, calls

    async def bring(store, called, name):
        assert not called  # the thread is called once all have come
        return await store.add_arrivals([arrival(name)])

    told, said, calls = asyncio.run(main())
    assert told == [[known(arrival("dlv_0"))], *[[None]] * 31]
    assert said.count("COMMIT") == 1
    assert calls == (1, 1)


def test_tasks_that_come_again_and_again_are_all_told(db):
    async def main():
        async with asyncio.timeout(LONG):
            store = AsyncSqliteStore(str(db))

            async def bring(task):
                for n in range(12):
                    assert await store.add_arrivals([arrival(f"dlv_{task}_{n}")]) == [None]
                    await asyncio.sleep(0 if task % 2 else 0.001)

            await asyncio.gather(*map(bring, range(9)))
            await store.aclose()

    asyncio.run(main())


def test_a_task_that_is_canceled_takes_none_of_the_others_along(db, open_store):
    async def main():
        async with asyncio.timeout(LONG):
            store = AsyncSqliteStore(str(db))
            tasks = [
                asyncio.create_task(store.add_arrivals([arrival(f"dlv_{n}")])) for n in range(5)
            ]
            await asyncio.sleep(0)
            tasks[2].cancel()
            told = await asyncio.gather(*tasks, return_exceptions=True)
            await store.aclose()
            return told

    told = asyncio.run(main())
    assert isinstance(told[2], asyncio.CancelledError)
    assert [one for n, one in enumerate(told) if n != 2] == [[None]] * 4
    store = open_store(db)
    assert [kept(store, f"dlv_{n}") is None for n in range(5)] == [n == 2 for n in range(5)]


def test_tasks_are_told_when_no_thread_can_be_started(db, monkeypatch):
    async def main():
        async with asyncio.timeout(LONG):
            store = AsyncSqliteStore(str(db))
            with monkeypatch.context() as patch:
                patch.setattr(threading.Thread, "start", no_more)
                told = await asyncio.gather(
                    *(store.add_arrivals([arrival(f"dlv_{n}")]) for n in range(3)),
                    return_exceptions=True,
                )
            await store.aclose()
            return told

    def no_more(thread):
        raise RuntimeError("can't start new thread")

    assert [type(error) for error in asyncio.run(main())] == [StoreUnavailable] * 3


def test_what_comes_just_before_the_store_is_closed_is_stored(db, open_store):
    async def main():
        store = AsyncSqliteStore(str(db))
        task = asyncio.create_task(store.add_arrivals([arrival("dlv_1")]))
        await asyncio.sleep(0)
        await store.aclose()
        assert store._thread is None
        return await task, store._store._connection

    told, connection = asyncio.run(main())
    assert told == [None]
    assert connection is None  # it was not opened again
    assert kept(open_store(db), "dlv_1") is not None


def test_who_waits_for_another_process_looks_each_millisecond(db, open_store):
    store = open_store(db)
    store.transact(lambda tx: None)
    other = sqlite3.connect(db, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.5, lambda: other.execute("COMMIT"))
    release.start()
    driver, said = store._connection.connection.driver_connection, []
    driver.set_trace_callback(said.append)
    store.transact(saving("order_1"))
    driver.set_trace_callback(None)
    release.join()
    other.close()
    # SQLite's own waiting is one statement, and looks about fifteen times in as long.
    assert said.count("BEGIN IMMEDIATE") >= 50


def test_who_waits_for_another_process_waits_no_longer_than_it_may(db, open_store):
    store = open_store(db, wait=0.2)
    store.transact(lambda tx: None)
    other = sqlite3.connect(db, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="lock"):
        store.transact(saving("order_1"))
    assert 0.2 <= time.monotonic() - began < LONG
    other.execute("ROLLBACK")
    other.close()
    assert store.transact(saving("order_1")) == "order_1"
