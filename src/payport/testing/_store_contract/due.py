# ruff: noqa: S101 - contract tests live on assert
"""What a store promises about operations that wait for recovery, and about words on them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from payport.domain.errors import StoreConflict
from payport.domain.identifiers import Environment
from payport.operations.records import OperationState
from payport.testing._store_contract import samples

if TYPE_CHECKING:
    from payport.operations.records import OperationRecord, ResolutionRecord
    from payport.storage.base import Store, Transaction

__all__ = ["Due", "Resolutions"]

#: How many rows are due, and then there are as many that are not.
_MANY = 40


class _Crash(Exception):
    """Something goes wrong in the middle of a unit of work."""


def _put(store: Store, *records: OperationRecord) -> None:
    def work(tx: Transaction) -> None:
        for record in records:
            tx.insert_operation(record)

    store.transact(work)


def _save(store: Store, record: OperationRecord) -> None:
    store.transact(lambda tx: tx.save_operation(record))


def _due(store: Store, **changes: Any) -> list[str]:
    asked: dict[str, Any] = {
        "environment": Environment.TEST,
        "provider": "fake",
        "now": samples.NOW,
        "limit": 2 * _MANY,
        **changes,
    }
    found = store.transact(lambda tx: tx.due_operations(**asked))
    return [record.aggregate_id.removeprefix("pay_") for record in found]


def _waiting(name: str = "order_1", **changes: Any) -> OperationRecord:
    return samples.operation(name, **{"next_look_at": samples.NOW, **changes})


class Due:
    """Operations that recovery looks for: found when they say so, and by whoever may."""

    def test_an_operation_is_due_from_its_moment_on(self, store: Store) -> None:
        _put(store, _waiting(next_look_at=samples.after(microseconds=1)))
        assert _due(store) == []
        assert _due(store, now=samples.after(microseconds=1)) == ["order_1"]
        assert _due(store, now=samples.after(days=1)) == ["order_1"]

    def test_a_due_operation_comes_whole(self, store: Store) -> None:
        _put(store, _waiting())

        def work(tx: Transaction) -> Any:
            asked: dict[str, Any] = {
                "environment": Environment.TEST,
                "provider": "fake",
                "now": samples.NOW,
                "limit": 1,
            }
            return [tx.due_operations(**asked), tx.due_operations(**asked, lock=True)]

        assert [list(found) for found in store.transact(work)] == [[_waiting()]] * 2

    def test_due_operations_come_longest_due_first(self, store: Store) -> None:
        records = [
            _waiting("order_1", next_look_at=samples.after(microseconds=-1)),
            _waiting("order_2", next_look_at=samples.after(hours=-1)),
            *(_waiting(f"order_{number}") for number in range(3, 7)),
        ]
        _put(store, *records)
        rest = sorted(records[2:], key=lambda record: record.id)
        expected = ["order_2", "order_1", *(r.aggregate_id.removeprefix("pay_") for r in rest)]
        assert _due(store) == expected
        assert _due(store, limit=3) == expected[:3]
        assert _due(store, limit=3, lock=True) == expected[:3]

    @pytest.mark.parametrize("lock", [False, True])
    def test_due_operations_are_narrowed(self, store: Store, lock: bool) -> None:  # noqa: FBT001
        _put(
            store,
            _waiting("order_1"),
            _waiting("order_2", scope="tenant_9", next_look_at=samples.after(seconds=-1)),
            _waiting("order_3", account="acct_2", next_look_at=samples.after(seconds=-2)),
            _waiting("order_4", provider="other"),
            _waiting("order_5", environment=Environment.LIVE),
        )
        assert _due(store, lock=lock) == ["order_3", "order_2", "order_1"]
        assert _due(store, lock=lock, scope="shop") == ["order_3", "order_1"]
        assert _due(store, lock=lock, account="acct_1") == ["order_2", "order_1"]
        assert _due(store, lock=lock, scope="shop", account="acct_1") == ["order_1"]
        assert _due(store, lock=lock, scope="shop", limit=1) == ["order_3"]
        assert _due(store, lock=lock, provider="other") == ["order_4"]
        assert _due(store, lock=lock, environment=Environment.LIVE) == ["order_5"]

    def test_an_operation_that_was_looked_at_is_due_again_when_it_says_so(
        self, store: Store
    ) -> None:
        _put(store, _waiting("order_1"), _waiting("order_2"))
        _save(store, _waiting("order_1", next_look_at=samples.after(minutes=5)))
        assert _due(store) == ["order_2"]
        assert _due(store, now=samples.after(minutes=5)) == ["order_2", "order_1"]
        _save(store, _waiting("order_1", next_look_at=samples.after(hours=-1)))
        assert _due(store) == ["order_1", "order_2"]

    def test_an_operation_that_is_done_is_never_due(self, store: Store) -> None:
        _put(store, _waiting("order_1"), _waiting("order_2", next_look_at=None))
        _save(store, _waiting("order_1", next_look_at=None, state=OperationState.CONFIRMED))
        assert _due(store, now=samples.after(days=9)) == []
        _save(store, _waiting("order_2"))
        assert _due(store) == ["order_2"]

    def test_rows_are_taken_in_turns(self, store: Store) -> None:
        """As recovery does it: what was taken is moved away, and the rest comes next."""
        _put(store, *(_waiting(f"order_{number}") for number in range(_MANY)))
        _put(store, *(_waiting(f"done_{number}", next_look_at=None) for number in range(_MANY)))

        def take(tx: Transaction) -> list[str]:
            due = tx.due_operations(
                environment=Environment.TEST, provider="fake", now=samples.NOW, limit=7, lock=True
            )
            for record in due:
                tx.save_operation(replace(record, next_look_at=samples.after(minutes=1)))
            return [record.id for record in due]

        taken: list[str] = []
        while turn := store.transact(take):
            taken.extend(turn)
        assert len(taken) == len(set(taken)) == _MANY

    def test_what_is_due_is_as_it_was_after_an_exception(self, store: Store) -> None:
        _put(store, _waiting("order_1"), _waiting("order_2", next_look_at=None))

        def work(tx: Transaction) -> None:
            tx.insert_operation(_waiting("order_3"))
            tx.save_operation(_waiting("order_1", next_look_at=None))
            tx.save_operation(_waiting("order_2"))
            tx.save_operation(_waiting("order_2", next_look_at=samples.after(hours=-1)))
            raise _Crash

        with pytest.raises(_Crash):
            store.transact(work)
        assert _due(store, now=samples.after(days=1)) == ["order_1"]

    def test_untended_operations_lie_long_past_or_impossibly_ahead(self, store: Store) -> None:
        _put(
            store,
            _waiting("ahead", next_look_at=samples.after(hours=3)),
            _waiting("edge_ahead", next_look_at=samples.after(hours=2)),
            _waiting("edge_past", next_look_at=samples.after(days=-1)),
            _waiting("past", next_look_at=samples.after(days=-2)),
            _waiting("elsewhere", next_look_at=samples.after(days=-3), provider="other"),
            _waiting("done", next_look_at=None),
            _waiting("live", next_look_at=samples.after(days=-4), environment=Environment.LIVE),
        )

        def untended(**changes: Any) -> list[str]:
            asked: dict[str, Any] = {
                "environment": Environment.TEST,
                "before": samples.after(days=-1),
                "beyond": samples.after(hours=2),
                "limit": _MANY,
                **changes,
            }
            found = store.transact(lambda tx: tx.untended_operations(**asked))
            return [record.aggregate_id.removeprefix("pay_") for record in found]

        assert untended() == ["elsewhere", "past", "ahead"]
        assert untended(limit=2) == ["elsewhere", "past"]
        assert untended(scope=_waiting().scope) == ["elsewhere", "past", "ahead"]
        assert untended(scope="another") == []


def _tell(store: Store, *words: ResolutionRecord) -> None:
    def work(tx: Transaction) -> None:
        for word in words:
            tx.add_resolution(word)

    store.transact(work)


class Resolutions:
    """What persons said about operations stays for ever."""

    def test_every_word_on_an_operation_is_kept_in_order(self, store: Store) -> None:
        _put(store, samples.operation("order_1"), samples.operation("order_2"))
        words = [
            samples.resolution(reason="It was not.", to_state=OperationState.NO_EFFECT),
            samples.resolution(author="zoe", at=samples.after(hours=-1)),
            samples.resolution(author="zoe", at=samples.after(hours=-1)),
        ]
        other = samples.resolution("order_2")
        _tell(store, words[0], other, *words[1:])
        of = words[0].operation_id
        assert list(store.transact(lambda tx: tx.resolutions(of))) == words
        assert list(store.transact(lambda tx: tx.resolutions(other.operation_id))) == [other]
        assert list(store.transact(lambda tx: tx.resolutions("opn_nowhere"))) == []

    def test_a_word_comes_back_with_its_own_types(self, store: Store) -> None:
        _put(store, samples.operation())
        word = samples.resolution()
        store.transact(lambda tx: tx.add_resolution(word))
        (kept,) = store.transact(lambda tx: tx.resolutions(word.operation_id))
        assert kept.from_state is OperationState.NEEDS_REVIEW
        assert kept.to_state is OperationState.CONFIRMED
        assert kept.at.tzinfo is not None

    def test_a_word_on_an_operation_that_is_not_there_is_refused(self, store: Store) -> None:
        with pytest.raises(StoreConflict):
            store.transact(lambda tx: tx.add_resolution(samples.resolution()))

    def test_a_word_is_taken_back_with_its_transaction(self, store: Store) -> None:
        _put(store, samples.operation())

        def work(tx: Transaction) -> None:
            tx.add_resolution(samples.resolution())
            raise _Crash

        with pytest.raises(_Crash):
            store.transact(work)
        of = samples.resolution().operation_id
        assert list(store.transact(lambda tx: tx.resolutions(of))) == []
