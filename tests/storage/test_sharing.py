"""
Units of work that wait for a commit share the next one. Each is told after it and never before,
fails alone, and is carried out once, or not at all where nobody waits for it any more.
"""

import asyncio
import threading

import pytest
from sqlite_help import read

from payport.domain.errors import InvalidRequest, StoreConflict, StoreUnavailable
from payport.storage.grouping import MOST, Line, Unit
from payport.storage.running import ThroughDriver
from payport.storage.sqlite import AsyncSqliteStore
from payport.testing._store_contract import samples

LONG = 20
"""Seconds that no test takes."""


class Door:
    """Keeps the store's turn, so that whoever comes has to wait, until it is opened."""

    def __init__(self, store):
        self.store = store
        self._kept, self._open = threading.Event(), threading.Event()
        self._keeper = threading.Thread(target=lambda: store.transact(self._keep))

    def _keep(self, tx):
        save_one(tx, "order_0")
        self._kept.set()
        assert self._open.wait(LONG)

    def __enter__(self):
        self._keeper.start()
        assert self._kept.wait(LONG)
        return self

    def __exit__(self, *error):
        self._open.set()
        self._keeper.join(LONG)


class Crowd:
    """Threads that each ask for a shared unit of work; `told` is what they are told, by name."""

    def __init__(self, store):
        self.store, self.told, self._threads = store, {}, []

    def ask(self, name, work):
        def call():
            try:
                self.told[name] = self.store.transact_shared(work)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
                self.told[name] = error

        self._threads.append(threading.Thread(target=call))
        self._threads[-1].start()

    def wait(self):
        for thread in self._threads:
            thread.join(LONG)
        assert len(self.told) == len(self._threads)


def save_one(tx, name):
    tx.save_payment(samples.payment(name))
    return name


def saving(name):
    return lambda tx: save_one(tx, name)


def statements_of(store, work):
    """What the store tells SQLite while something is done."""
    store.transact(lambda tx: None)
    driver, said = store._connection.connection.driver_connection, []
    driver.set_trace_callback(said.append)
    work()
    driver.set_trace_callback(None)
    return said


def waiting(line, count):
    """Wait until so many units wait in line, behind the one that is in hand."""
    ends = threading.Event()
    for _ in range(LONG * 100):
        if len(line) >= count:
            return
        ends.wait(0.01)
    pytest.fail("nobody came")


def crowd_behind_a_door(store, units):
    """Let units wait for a turn together; the first of them is in hand already."""
    crowd = Crowd(store)
    with Door(store):
        crowd.ask("first", saving("order_first"))
        waiting_in_hand(store)
        for name, work in units.items():
            crowd.ask(name, work)
        waiting(store._line, len(units))
    crowd.wait()
    return crowd.told


def waiting_in_hand(store):
    """Wait until the first unit was taken out of the line, to be carried out."""
    for _ in range(LONG * 100):
        if store._line._line._is_led and not len(store._line):
            return
        threading.Event().wait(0.01)
    pytest.fail("nobody came")


def test_who_waits_shares_the_next_commit(db, open_store):
    store = open_store(db)
    units = {f"order_{n}": saving(f"order_{n}") for n in range(1, 11)}
    said = statements_of(store, lambda: crowd_behind_a_door(store, units))
    assert said.count("COMMIT") == 3  # the door's, the first one's, and one for all ten
    assert all(read(store, name) is not None for name in units)


def test_more_than_one_transaction_holds_are_carried_out_in_the_next(db, open_store):
    store = open_store(db)
    units = {f"order_{n}": saving(f"order_{n}") for n in range(1, MOST + 7)}
    said = statements_of(store, lambda: crowd_behind_a_door(store, units))
    assert said.count("COMMIT") == 4
    assert all(read(store, name) is not None for name in units)


def test_who_comes_alone_waits_for_nobody_and_needs_no_savepoint(db, open_store):
    store = open_store(db)
    said = statements_of(store, lambda: store.transact_shared(saving("order_1")))
    assert (said[0], said[-1]) == ("BEGIN IMMEDIATE", "COMMIT")
    assert not any("SAVEPOINT" in each for each in said)
    assert read(store, "order_1") is not None


@pytest.mark.parametrize("error", [RuntimeError, StoreConflict, InvalidRequest])
def test_a_unit_that_fails_fails_alone_and_nothing_of_it_stands(db, open_store, error):
    def fail(tx):
        save_one(tx, "order_2")
        raise error

    store = open_store(db)
    told = crowd_behind_a_door(
        store, {"one": saving("order_1"), "two": fail, "three": saving("order_3")}
    )
    assert isinstance(told.pop("two"), error)
    assert told == {"first": "order_first", "one": "order_1", "three": "order_3"}
    assert [read(store, f"order_{n}") is None for n in (1, 2, 3)] == [False, True, False]


def test_a_unit_that_swallows_its_conflict_fails_alone_too(db, open_store):
    def swallow(tx):
        tx.save_payment(samples.payment("order_2"))
        with pytest.raises(StoreConflict):
            tx.save_payment(samples.payment("order_2"))

    store = open_store(db)
    told = crowd_behind_a_door(store, {"one": saving("order_1"), "two": swallow})
    assert isinstance(told["two"], StoreConflict)
    assert [read(store, f"order_{n}") is None for n in (1, 2)] == [False, True]


def test_a_commit_that_fails_fails_all_and_nothing_stands(db, open_store, monkeypatch):
    commit, failing = ThroughDriver.commit, threading.Event()

    def fail(running):
        if failing.is_set():
            failing.clear()
            raise StoreUnavailable("the disk is full", operation="store.transact")
        commit(running)

    def failing_commit(tx):
        failing.set()
        return save_one(tx, "order_1")

    monkeypatch.setattr(ThroughDriver, "commit", fail)
    store = open_store(db)
    told = crowd_behind_a_door(store, {"one": failing_commit, "two": saving("order_2")})
    assert isinstance(told["one"], StoreUnavailable)
    assert isinstance(told["two"], StoreUnavailable)
    assert [read(store, f"order_{n}") for n in (1, 2)] == [None, None]
    assert store.transact_shared(saving("order_2")) == "order_2"


def test_a_database_that_fails_under_one_fails_all(db, open_store):
    def fail(tx):
        raise StoreUnavailable("the disk is full", operation="store.transact")

    store = open_store(db)
    told = crowd_behind_a_door(store, {"one": saving("order_1"), "two": fail})
    assert isinstance(told["one"], StoreUnavailable)
    assert read(store, "order_1") is None
    assert store.transact_shared(saving("order_1")) == "order_1"


def test_nobody_is_told_before_the_commit(db, open_store, monkeypatch):
    commit, seen = ThroughDriver.commit, []
    store = open_store(db)
    crowd = Crowd(store)

    def look(running):
        seen.append(set(crowd.told))
        commit(running)

    monkeypatch.setattr(ThroughDriver, "commit", look)
    with Door(store):
        crowd.ask("first", saving("order_first"))
        waiting_in_hand(store)
        for n in range(1, 4):
            crowd.ask(n, saving(f"order_{n}"))
        waiting(store._line, 3)
    crowd.wait()
    assert not seen[-1] & {1, 2, 3}


def test_what_is_done_after_the_commit_is_done_for_those_who_stand(db, open_store):
    done = []

    def with_step(name, error=None):
        def work(tx):
            tx.once_committed(lambda: done.append(name))
            if error is not None:
                raise error

        return work

    store = open_store(db)
    failing = with_step("two", RuntimeError())
    crowd_behind_a_door(
        store, {"one": with_step("one"), "two": failing, "three": with_step("three")}
    )
    assert sorted(done) == ["one", "three"]


def test_a_unit_of_work_never_begins_a_shared_one(db, open_store):
    store = open_store(db)
    with pytest.raises(InvalidRequest, match="never begins another"):
        store.transact(lambda tx: store.transact_shared(saving("order_1")))
    assert read(store, "order_1") is None


def test_what_was_interrupted_is_not_carried_out_later():
    line, carried_out = Line(), []

    def interrupted(units):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        line.carry_out(Unit(lambda tx: carried_out.append("late")), interrupted)

    def together(units):
        for unit in units:
            unit.returned(unit.work(None))

    line.carry_out(Unit(lambda tx: carried_out.append("now")), together)
    assert carried_out == ["now"]


def test_tasks_share_commits_too_and_who_was_canceled_in_line_is_left_out(db, open_store):
    async def main():
        async with asyncio.timeout(LONG):
            store = AsyncSqliteStore(str(db))
            begun, go_on = threading.Event(), threading.Event()

            def keep(tx):
                begun.set()
                assert go_on.wait(LONG)

            door = asyncio.create_task(store.transact(keep))
            await asyncio.to_thread(begun.wait, LONG)
            tasks = [
                asyncio.create_task(store.transact_shared(saving(f"order_{n}")))
                for n in range(1, 6)
            ]
            failing = asyncio.create_task(store.transact_shared(lambda tx: 1 / 0))
            await asyncio.sleep(0)
            tasks[4].cancel()
            await asyncio.sleep(0)
            driver, said = store._store._connection.connection.driver_connection, []
            driver.set_trace_callback(said.append)
            go_on.set()
            told = await asyncio.gather(*tasks[:4])
            with pytest.raises(ZeroDivisionError):
                await failing
            await door
            driver.set_trace_callback(None)
            await store.aclose()
            return told, said

    told, said = asyncio.run(main())
    assert told == ["order_1", "order_2", "order_3", "order_4"]
    assert said.count("COMMIT") == 2  # the door's, and one for all
    store = open_store(db)
    assert [read(store, f"order_{n}") is None for n in range(1, 6)] == [False] * 4 + [True]


def test_a_store_that_cannot_be_opened_tells_everybody(tmp_path):
    async def main():
        store = AsyncSqliteStore(str(tmp_path / "nowhere" / "payments.db"))
        told = await asyncio.gather(
            *(store.transact_shared(lambda tx: None) for _ in range(3)), return_exceptions=True
        )
        await store.aclose()
        return told

    assert [type(error).__name__ for error in asyncio.run(main())] == ["ConfigurationError"] * 3
