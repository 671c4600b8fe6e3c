# ruff: noqa: S101 - contract tests live on assert
"""What a store promises about its transactions, whatever is in them."""

from __future__ import annotations

import pickle
import threading
from typing import TYPE_CHECKING, Any

import pytest

from payport.domain.errors import PayportError, StoreConflict
from payport.testing._store_contract import samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from payport.domain.payment_intent import PaymentIntent
    from payport.storage.base import Store, Transaction

__all__ = ["Transactions"]

_THREADS = 8
_ROUNDS = 5


class _Crash(Exception):
    """Something goes wrong in the middle of a unit of work."""


class Transactions:
    """Commit, rollback, locks."""

    def test_a_unit_of_work_gives_back_what_it_returns(self, store: Store) -> None:
        answer = object()
        assert store.transact(lambda _: answer) is answer

    def test_what_was_committed_is_there_afterwards(self, store: Store) -> None:
        store.transact(_write_everywhere)
        assert store.transact(_found_everywhere) == [True] * 6

    def test_a_transaction_sees_its_own_writes(self, store: Store) -> None:
        def work(tx: Transaction) -> list[bool]:
            _write_everywhere(tx)
            return _found_everywhere(tx)

        assert store.transact(work) == [True] * 6

    def test_an_exception_takes_everything_back_and_goes_on(self, store: Store) -> None:
        def work(tx: Transaction) -> None:
            _write_everywhere(tx)
            raise _Crash

        with pytest.raises(_Crash):
            store.transact(work)
        assert store.transact(_found_everywhere) == [False] * 6

    def test_an_exception_brings_back_what_was_replaced(self, store: Store) -> None:
        store.transact(_write_everywhere)

        def work(tx: Transaction) -> None:
            kept = _read(tx)
            tx.save_payment(kept.evolve(attempts=(samples.attempt("obj_new"),), refunds=()))
            tx.save_operation(samples.operation(fencing=99))
            tx.save_delivery(samples.delivery(tries=99))
            tx.save_handler_run(samples.run(tries=99))
            raise _Crash

        with pytest.raises(_Crash):
            store.transact(work)

        def look(tx: Transaction) -> None:
            assert _read(tx).version == 1
            assert tx.payment_by_ref("fake", "acct_1", "obj_new") is None
            assert tx.payment_of_refund("rfd_order_1_return_1") == "pay_order_1"
            assert tx.operation(samples.operation().id) == samples.operation()
            assert tx.delivery("dlv_1") == samples.delivery()
            assert tx.handler_run("evt_1", "shop.paid") == samples.run()

        store.transact(look)

    def test_a_failed_unit_of_work_leaves_the_store_usable(self, store: Store) -> None:
        def work(tx: Transaction) -> None:
            _write_everywhere(tx)
            raise _Crash

        for _ in range(3):
            with pytest.raises(_Crash):
                store.transact(work)
        store.transact(_write_everywhere)
        assert store.transact(_found_everywhere) == [True] * 6

    def test_a_transaction_is_unusable_after_its_end(self, store: Store) -> None:
        escaped = store.transact(lambda tx: tx)
        with pytest.raises(PayportError):
            escaped.payment("pay_order_1")
        with pytest.raises(PayportError):
            escaped.save_payment(samples.payment())
        assert store.transact(lambda tx: tx.payment("pay_order_1")) is None

    def test_threads_that_lock_a_payment_lose_no_update(self, store: Store) -> None:
        store.transact(lambda tx: tx.save_payment(samples.payment()))

        def add(key: str) -> Callable[[Transaction], PaymentIntent]:
            def work(tx: Transaction) -> PaymentIntent:
                held = tx.payment("pay_order_1", lock=True)
                assert held is not None
                return tx.save_payment(held.evolve(in_flight=(*held.in_flight, key)))

            return work

        def go(number: int) -> None:
            for turn in range(_ROUNDS):
                store.transact(add(f"key_{number}_{turn}"))

        assert _in_threads(go) == []
        written = store.transact(_read)
        assert written.version == 1 + _THREADS * _ROUNDS
        assert len(set(written.in_flight)) == _THREADS * _ROUNDS

    def test_of_many_threads_one_inserts_an_operation(self, store: Store) -> None:
        won: list[int] = []

        def go(number: int) -> None:
            record = samples.operation(lease_owner=f"worker_{number}")
            try:
                store.transact(lambda tx: tx.insert_operation(record))
            except StoreConflict:
                return
            won.append(number)

        assert _in_threads(go) == []
        assert len(won) == 1
        kept = store.transact(lambda tx: tx.operation(samples.operation().id))
        assert kept is not None
        assert kept.lease_owner == f"worker_{won[0]}"

    def test_a_store_is_not_pickled(self, store: Store) -> None:
        # Through an attribute too: a pickled client would bring its store along. What is tested
        # through a view is the store behind it.
        behind = getattr(store, "__dict__", {}).get("_target", store)
        with pytest.raises(PayportError):
            pickle.dumps(behind)

    def test_closing_twice_does_nothing(self, store: Store) -> None:
        closed: Any = store
        closed.close()
        closed.close()


def _read(tx: Transaction) -> PaymentIntent:
    found = tx.payment("pay_order_1")
    assert found is not None
    return found


def _write_everywhere(tx: Transaction) -> None:
    tx.save_payment(samples.everything())
    tx.insert_operation(samples.operation())
    tx.add_events([samples.event()], at=samples.NOW)
    tx.add_delivery(samples.delivery())
    tx.add_handler_runs([samples.run()])


def _found_everywhere(tx: Transaction) -> list[bool]:
    return [
        tx.payment("pay_order_1") is not None,
        tx.payment_by_ref("fake", "acct_1", "order_1_obj_1") is not None,
        tx.operation(samples.operation().id) is not None,
        [event.id for event in tx.events("pay_order_1")] == ["evt_1"],
        len(tx.due_deliveries(**samples.PLACE, now=samples.NOW, limit=10)) == 1,
        len(tx.due_handler_runs(**samples.PLACE, now=samples.NOW, limit=10)) == 1,
    ]


def _in_threads(go: Callable[[int], None]) -> list[BaseException]:
    """Run eight at once and return what they raised."""
    raised: list[BaseException] = []
    begin = threading.Barrier(_THREADS)

    def body(number: int) -> None:
        begin.wait()
        try:
            go(number)
        except BaseException as error:  # noqa: BLE001 - a thread's exception would be lost
            raised.append(error)

    threads = [threading.Thread(target=body, args=(number,)) for number in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised
