# ruff: noqa: S101 - contract tests live on assert
"""What a store promises about received deliveries and the runs of handlers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from payport.domain.errors import StoreConflict
from payport.domain.identifiers import Environment
from payport.storage.base import HandlerRun, InboxRow, InboxState
from payport.testing._store_contract import samples

if TYPE_CHECKING:
    from datetime import datetime

    from payport.storage.base import Store

__all__ = ["Handlers", "Inbox"]


def _put(store: Store, *rows: InboxRow) -> list[InboxRow | None]:
    return store.transact(lambda tx: [tx.add_delivery(row) for row in rows])


def _save(store: Store, row: InboxRow) -> None:
    store.transact(lambda tx: tx.save_delivery(row))


def _due(store: Store, now: datetime = samples.NOW, limit: int = 10) -> list[str]:
    return [row.id for row in store.transact(lambda tx: tx.due_deliveries(now, limit))]


def _line(*, count: int) -> list[InboxRow]:
    """Deliveries about one payment, in the order in which they came."""
    return [
        samples.delivery(
            f"dlv_{number}",
            ordering_key="pay_1",
            received_at=samples.after(microseconds=number),
        )
        for number in range(1, count + 1)
    ]


class Inbox:
    """Deliveries: kept once, handed out in order, one payment at a time."""

    def test_a_delivery_comes_back_equal(self, store: Store) -> None:
        full = samples.delivery("dlv_1")
        bare = samples.delivery(
            "dlv_2",
            account=None,
            attempt_ref=None,
            tag=None,
            facts=None,
            needs_fetch=False,
            api_version=None,
            body=b"",
            error=None,
            conflict=True,
            state=InboxState.QUARANTINED,
        )
        assert _put(store, full, bare) == [None, None]
        assert store.transact(lambda tx: tx.delivery("dlv_1")) == full
        assert store.transact(lambda tx: tx.delivery("dlv_2")) == bare
        assert store.transact(lambda tx: tx.delivery("dlv_3")) is None

    def test_a_delivery_comes_back_with_its_own_types(self, store: Store) -> None:
        _put(store, samples.delivery())
        kept = store.transact(lambda tx: tx.delivery("dlv_1"))
        assert kept is not None
        assert kept.state is InboxState.DUE
        assert kept.needs_fetch is True
        assert isinstance(kept.body, bytes)
        assert kept.due_at.tzinfo is not None

    def test_a_repeated_delivery_finds_the_first(self, store: Store) -> None:
        first = samples.delivery("dlv_1", digest="first")
        _put(store, first)
        assert _put(store, samples.delivery("dlv_1", digest="second")) == [first]
        assert store.transact(lambda tx: tx.delivery("dlv_1")) == first

    def test_a_dedupe_key_is_there_once_whatever_the_id(self, store: Store) -> None:
        first = samples.delivery("dlv_1", dedupe_key="once")
        assert _put(store, first, samples.delivery("dlv_2", dedupe_key="once")) == [None, first]
        assert store.transact(lambda tx: tx.delivery("dlv_2")) is None

    def test_dedupe_keys_of_providers_and_environments_never_meet(self, store: Store) -> None:
        rows = [
            samples.delivery("dlv_1", dedupe_key="once"),
            samples.delivery("dlv_2", dedupe_key="once", provider="other"),
            samples.delivery("dlv_3", dedupe_key="once", environment=Environment.LIVE),
        ]
        assert _put(store, *rows) == [None, None, None]

    def test_saving_changes_the_state_and_nothing_that_was_received(self, store: Store) -> None:
        first = samples.delivery()
        _put(store, first)
        told: dict[str, Any] = {
            "state": InboxState.DEAD,
            "tries": 9,
            "due_at": samples.after(days=1),
            "error": None,
            "conflict": True,
        }
        tampered = samples.delivery(body=b"other", digest="other", ordering_key="other", **told)
        _save(store, tampered)
        assert store.transact(lambda tx: tx.delivery("dlv_1")) == replace(first, **told)

    def test_a_delivery_that_is_not_there_is_not_saved(self, store: Store) -> None:
        with pytest.raises(StoreConflict):
            _save(store, samples.delivery())

    def test_due_deliveries_come_in_the_order_of_arrival(self, store: Store) -> None:
        _put(
            store,
            samples.delivery("dlv_c", received_at=samples.after(microseconds=1)),
            samples.delivery("dlv_b"),
            samples.delivery("dlv_a"),
            samples.delivery("dlv_z", received_at=samples.after(microseconds=-1)),
        )
        assert _due(store) == ["dlv_z", "dlv_a", "dlv_b", "dlv_c"]
        assert _due(store, limit=2) == ["dlv_z", "dlv_a"]

    def test_a_delivery_is_due_from_its_moment_on(self, store: Store) -> None:
        _put(store, samples.delivery(due_at=samples.after(microseconds=1)))
        assert _due(store) == []
        assert _due(store, samples.after(microseconds=1)) == ["dlv_1"]

    def test_of_one_payment_only_the_first_is_handed_out(self, store: Store) -> None:
        _put(store, *reversed(_line(count=3)), samples.delivery("dlv_9"))
        assert _due(store) == ["dlv_9", "dlv_1"]

    @pytest.mark.parametrize(
        "state",
        [InboxState.DONE, InboxState.DEAD, InboxState.FOREIGN, InboxState.QUARANTINED],
    )
    def test_the_next_comes_once_the_first_needs_nothing_more(
        self, store: Store, state: InboxState
    ) -> None:
        first, *rest = _line(count=3)
        _put(store, first, *rest)
        _save(store, replace(first, state=state))
        assert _due(store) == ["dlv_2"]

    def test_the_next_waits_while_the_first_waits_to_be_tried_again(self, store: Store) -> None:
        first, second = _line(count=2)
        _put(store, first, second)
        _save(store, replace(first, tries=2, due_at=samples.after(hours=1)))
        assert _due(store) == []
        assert _due(store, samples.after(hours=1)) == ["dlv_1"]

    def test_a_delivery_can_be_made_due_again(self, store: Store) -> None:
        _put(store, samples.delivery(state=InboxState.DEAD))
        assert _due(store) == []
        _save(store, samples.delivery())
        assert _due(store) == ["dlv_1"]

    def test_payments_of_two_providers_never_wait_for_each_other(self, store: Store) -> None:
        _put(
            store,
            samples.delivery("dlv_1", ordering_key="pay_1"),
            samples.delivery("dlv_2", ordering_key="pay_1", provider="other"),
            samples.delivery("dlv_3", ordering_key="pay_1", environment=Environment.LIVE),
        )
        assert _due(store) == ["dlv_1", "dlv_2", "dlv_3"]


def _add(store: Store, *runs: HandlerRun) -> None:
    store.transact(lambda tx: tx.add_handler_runs(runs))


def _due_runs(store: Store, now: datetime = samples.NOW, limit: int = 10) -> list[tuple[str, str]]:
    due = store.transact(lambda tx: tx.due_handler_runs(now, limit))
    return [(run.event_id, run.handler) for run in due]


class Handlers:
    """A row for each handler and event."""

    def test_a_run_comes_back_equal(self, store: Store) -> None:
        dead = samples.run(handler="shop.mail", state=InboxState.DEAD, error=None)
        _add(store, samples.run(), dead)
        assert store.transact(lambda tx: tx.handler_run("evt_1", "shop.paid")) == samples.run()
        assert store.transact(lambda tx: tx.handler_run("evt_1", "shop.mail")) == dead
        assert store.transact(lambda tx: tx.handler_run("evt_1", "shop.other")) is None
        assert store.transact(lambda tx: tx.handler_run("evt_2", "shop.paid")) is None

    def test_a_run_that_is_there_stays_as_it_is(self, store: Store) -> None:
        done = samples.run(state=InboxState.DONE)
        _add(store, done)
        _add(store, samples.run(), samples.run(handler="shop.mail"))
        assert store.transact(lambda tx: tx.handler_run("evt_1", "shop.paid")) == done
        assert _due_runs(store) == [("evt_1", "shop.mail")]

    def test_due_runs_come_longest_due_first(self, store: Store) -> None:
        _add(
            store,
            samples.run("evt_1", due_at=samples.after(microseconds=-1)),
            samples.run("evt_2", due_at=samples.after(hours=-1)),
            samples.run("evt_3"),
            samples.run("evt_4", due_at=samples.after(microseconds=1)),
            samples.run("evt_5", state=InboxState.DONE),
        )
        assert [event for event, _ in _due_runs(store)] == ["evt_2", "evt_1", "evt_3"]
        assert [event for event, _ in _due_runs(store, limit=1)] == ["evt_2"]

    def test_a_saved_run_is_due_when_it_says_so(self, store: Store) -> None:
        _add(store, samples.run())
        later = samples.run(tries=2, due_at=samples.after(minutes=5), error="failed again")
        store.transact(lambda tx: tx.save_handler_run(later))
        assert store.transact(lambda tx: tx.handler_run("evt_1", "shop.paid")) == later
        assert _due_runs(store) == []
        assert _due_runs(store, samples.after(minutes=5)) == [("evt_1", "shop.paid")]
        store.transact(lambda tx: tx.save_handler_run(samples.run(state=InboxState.DONE)))
        assert _due_runs(store, samples.after(minutes=5)) == []

    def test_a_run_that_is_not_there_is_not_saved(self, store: Store) -> None:
        with pytest.raises(StoreConflict):
            store.transact(lambda tx: tx.save_handler_run(samples.run()))
