# ruff: noqa: S101 - contract tests live on assert
"""What a store promises about received deliveries and the runs of handlers."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from payport.domain.errors import StoreConflict
from payport.domain.identifiers import Environment
from payport.storage.base import Cursor, HandlerRun, InboxQuery, InboxRow, InboxState, Known
from payport.storage.grouping import sharing
from payport.testing._store_contract import samples

if TYPE_CHECKING:
    from datetime import datetime

    from payport.storage.base import Store, Transaction

__all__ = ["Handlers", "Inbox"]


def _put(store: Store, *rows: InboxRow) -> list[InboxRow | None]:
    return store.transact(lambda tx: [tx.add_delivery(row) for row in rows])


def _save(store: Store, row: InboxRow) -> None:
    store.transact(lambda tx: tx.save_delivery(row))


def _due(store: Store, now: datetime = samples.NOW, limit: int = 10, **place: Any) -> list[str]:
    at = {**samples.PLACE, **place}
    rows = store.transact(lambda tx: tx.due_deliveries(**at, now=now, limit=limit))
    return [row.id for row in rows]


def _claim(store: Store, *ids: str, until: datetime) -> None:
    store.transact(lambda tx: tx.claim_deliveries(ids, until=until))


def _kept(store: Store, row_id: str) -> InboxRow:
    row = store.transact(lambda tx: tx.delivery(row_id, lock=True))
    assert row is not None
    return row


def _listed(store: Store, **changes: Any) -> list[str]:
    query = InboxQuery(**{**samples.PLACE, **changes})
    return [row.id for row in store.transact(lambda tx: tx.deliveries(query))]


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
            api_version=None,
            body=None,
            claimed_until=None,
            error=None,
            trace=None,
            conflict=True,
            state=InboxState.QUARANTINED,
            received_for=None,
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
        assert kept.conflict is False
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

    def test_what_arrives_is_inserted_once_and_what_was_there_is_told(self, store: Store) -> None:
        first = samples.arrival("dlv_1", fingerprint="first")
        again = samples.arrival("dlv_1", fingerprint="second")
        other = samples.arrival("dlv_2", state=InboxState.QUARANTINED)
        shared = sharing(store)
        assert list(shared.add_arrivals([first])) == [None]
        there = Known(first.id, first.fingerprint, first.state)
        assert list(shared.add_arrivals([again, other])) == [there, None]
        assert _kept(store, "dlv_1") == first.row()
        assert _kept(store, "dlv_2") == other.row()

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
            "claimed_until": None,
            "fencing": 4,
            "error": None,
            "trace": "elsewhere",
            "conflict": True,
        }
        tampered = samples.delivery(
            body=b"other", digest="other", ordering_key="other", fingerprint="other", **told
        )
        _save(store, tampered)
        assert store.transact(lambda tx: tx.delivery("dlv_1")) == replace(first, **told)

    def test_a_delivery_that_is_not_there_is_not_saved(self, store: Store) -> None:
        with pytest.raises(StoreConflict):
            _save(store, samples.delivery())

    def test_a_delivery_is_swapped_while_it_stands_as_it_was_claimed(self, store: Store) -> None:
        """A late worker's write is refused, and one that knows nothing of a contradiction too."""
        claimed = samples.delivery()
        done = replace(claimed, state=InboxState.DONE, claimed_until=None, error=None)
        other = samples.delivery("dlv_2")
        since = [
            replace(claimed, fencing=claimed.fencing + 1),
            replace(claimed, conflict=True),
            replace(claimed, state=InboxState.DEAD),
        ]
        _put(store, claimed, other)
        for now in since:
            _save(store, now)

            def late(tx: Transaction) -> None:
                tx.save_delivery(replace(other, tries=7))
                tx.swap_delivery(claimed, done)

            with pytest.raises(StoreConflict):
                store.transact(late)
            assert [_kept(store, name) for name in ("dlv_1", "dlv_2")] == [now, other]
            _save(store, claimed)
        store.transact(lambda tx: tx.swap_delivery(claimed, done))
        assert _kept(store, "dlv_1") == done

    def test_a_swap_that_is_refused_is_so_even_if_nobody_listens(self, store: Store) -> None:
        claimed = samples.delivery()

        def work(tx: Transaction) -> None:
            tx.add_delivery(samples.delivery("dlv_2"))
            with suppress(StoreConflict):
                tx.swap_delivery(claimed, claimed)
                tx.delivery("dlv_2")

        with pytest.raises(StoreConflict):
            store.transact(work)
        assert store.transact(lambda tx: tx.delivery("dlv_2")) is None

    def test_due_deliveries_come_longest_due_first(self, store: Store) -> None:
        _put(
            store,
            samples.delivery("dlv_1", due_at=samples.after(seconds=-1)),
            samples.delivery("dlv_2", due_at=samples.after(seconds=-2)),
            samples.delivery("dlv_3"),
        )
        assert _due(store) == ["dlv_2", "dlv_1", "dlv_3"]
        assert _due(store, limit=1) == ["dlv_2"]

    def test_what_is_due_together_comes_in_the_order_of_arrival(self, store: Store) -> None:
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
        assert _due(store) == ["dlv_1"]
        assert _due(store, provider="other") == ["dlv_2"]
        assert _due(store, environment=Environment.LIVE) == ["dlv_3"]

    def test_an_account_is_handed_its_own_and_what_is_nobodys(self, store: Store) -> None:
        whose = {"dlv_1": "acct_1", "dlv_2": "acct_2", "dlv_3": None}
        _put(store, *(samples.delivery(n, received_for=one) for n, one in whose.items()))
        assert _due(store, account="acct_1") == ["dlv_1", "dlv_3"]
        assert _due(store, account="acct_2", limit=1) == ["dlv_2"]
        assert _due(store, account="acct_3") == ["dlv_3"]
        assert _due(store) == ["dlv_1", "dlv_2", "dlv_3"]

    def test_many_deliveries_of_others_keep_nobody_waiting(self, store: Store) -> None:
        theirs = [
            samples.delivery(f"dlv_{n}", provider="other", received_at=samples.after(hours=-1))
            for n in range(20)
        ]
        _put(store, *theirs, samples.delivery("dlv_ours"))
        assert _due(store, limit=3) == ["dlv_ours"]

    # -- claims ---------------------------------------------------------------------------------

    def test_a_claimed_delivery_is_nobody_elses_until_its_claim_ends(self, store: Store) -> None:
        _put(store, samples.delivery("dlv_1"), samples.delivery("dlv_2"))
        _claim(store, "dlv_1", until=samples.after(minutes=1))
        row = _kept(store, "dlv_1")
        assert (row.due_at, row.claimed_until) == (samples.after(minutes=1),) * 2
        assert row.fencing == samples.delivery().fencing + 1
        assert _due(store) == ["dlv_2"]
        assert _due(store, samples.after(minutes=1)) == ["dlv_2", "dlv_1"]
        _claim(store, "dlv_1", until=samples.after(minutes=2))
        assert _kept(store, "dlv_1").fencing == samples.delivery().fencing + 2
        assert _kept(store, "dlv_2") == samples.delivery("dlv_2")

    def test_nothing_of_a_line_is_handed_out_while_any_of_it_is_claimed(self, store: Store) -> None:
        """One that came later by the sender's clock may have been claimed already."""
        first, second = _line(count=2)
        _put(store, second)
        _claim(store, second.id, until=samples.after(minutes=1))
        _put(store, first, samples.delivery("dlv_9"))
        assert _due(store) == ["dlv_9"]
        at_work = store.transact(lambda tx: tx.is_at_work(first, samples.NOW))
        later = store.transact(lambda tx: tx.is_at_work(first, samples.after(minutes=1)))
        other = samples.delivery("dlv_9")
        assert (at_work, later) == (True, False)
        assert not store.transact(lambda tx: tx.is_at_work(other, samples.NOW))
        _save(store, replace(second, state=InboxState.DONE, claimed_until=None))
        assert _due(store) == ["dlv_9", "dlv_1"]

    def test_claiming_nothing_does_nothing(self, store: Store) -> None:
        _put(store, samples.delivery())
        _claim(store, until=samples.after(minutes=1))
        assert _due(store) == ["dlv_1"]

    def test_a_line_can_be_held(self, store: Store) -> None:
        first, second, third = _line(count=3)
        third = replace(third, due_at=samples.after(hours=2))
        other = samples.delivery("dlv_9")
        alike = samples.delivery("dlv_8", provider="other", ordering_key=first.ordering_key)
        _put(store, first, second, third, other, alike)
        store.transact(lambda tx: tx.hold_line(first, samples.after(hours=1)))
        held = [_kept(store, row.id).due_at for row in (first, second, third, other, alike)]
        now = samples.NOW
        assert held == [now, samples.after(hours=1), samples.after(hours=2), now, now]

    # -- afterwards -----------------------------------------------------------------------------

    def test_foreign_deliveries_about_an_object_can_be_made_due(self, store: Store) -> None:
        foreign = samples.delivery("dlv_1", state=InboxState.FOREIGN)
        _put(
            store,
            foreign,
            samples.delivery("dlv_2", state=InboxState.FOREIGN, attempt_ref="obj_2"),
            samples.delivery("dlv_3", state=InboxState.FOREIGN, provider="other"),
            samples.delivery("dlv_4", state=InboxState.DEAD),
        )
        later = samples.after(hours=1)

        def reconsider(tx: Transaction) -> None:
            tx.reconsider(**samples.PLACE, ref="obj_1", now=later)

        store.transact(reconsider)
        due = replace(foreign, state=InboxState.DUE, tries=0, due_at=later, error=None)
        assert _kept(store, "dlv_1") == due
        assert [_kept(store, f"dlv_{n}").state for n in (2, 3, 4)] == ["foreign", "foreign", "dead"]

    def test_deliveries_are_listed_newest_first(self, store: Store) -> None:
        _put(
            store,
            samples.delivery("dlv_a", state=InboxState.DEAD),
            samples.delivery("dlv_b"),
            samples.delivery("dlv_c", received_at=samples.after(hours=1), state=InboxState.DONE),
            samples.delivery("dlv_d", received_at=samples.after(hours=-1), state=InboxState.DEAD),
            samples.delivery("dlv_e", provider="other"),
        )
        assert _listed(store) == ["dlv_c", "dlv_b", "dlv_a", "dlv_d"]
        assert _listed(store, limit=2) == ["dlv_c", "dlv_b"]
        after = Cursor(created_at=samples.NOW, id="dlv_b")
        assert _listed(store, after=after) == ["dlv_a", "dlv_d"]
        assert _listed(store, state=InboxState.DEAD) == ["dlv_a", "dlv_d"]
        after = Cursor(created_at=samples.NOW, id="dlv_a")
        assert _listed(store, state=InboxState.DEAD, after=after) == ["dlv_d"]
        assert _listed(store, environment=Environment.LIVE) == []

    def test_what_is_kept_is_counted(self, store: Store) -> None:
        early = samples.after(hours=-3)
        _put(
            store,
            samples.delivery("dlv_1"),
            samples.delivery("dlv_2", received_at=samples.after(hours=-1)),
            samples.delivery("dlv_3", state=InboxState.DONE, received_at=early),
            samples.delivery("dlv_4", provider="other", received_at=early),
        )
        _add(store, samples.run(), samples.run("evt_2", state=InboxState.DEAD))
        counts = store.transact(lambda tx: tx.inbox_counts(**samples.PLACE))
        assert dict(counts.deliveries) == {InboxState.DUE: 2, InboxState.DONE: 1}
        assert dict(counts.runs) == {InboxState.DUE: 1, InboxState.DEAD: 1}
        assert counts.oldest_due == samples.after(hours=-1)
        nobody = store.transact(lambda tx: tx.inbox_counts("nobody", Environment.TEST))
        assert (dict(nobody.deliveries), dict(nobody.runs), nobody.oldest_due) == ({}, {}, None)

    def test_what_is_due_is_counted_of_every_provider(self, store: Store) -> None:
        _put(
            store,
            samples.delivery("dlv_1"),
            samples.delivery("dlv_2", provider="other", due_at=samples.after(hours=-1)),
            samples.delivery("dlv_3", provider="other", due_at=samples.after(hours=90)),
            samples.delivery("dlv_4", provider="other", state=InboxState.DEAD),
            samples.delivery("dlv_5", provider="third", environment=Environment.LIVE),
        )
        _add(store, samples.run(), samples.run("evt_2", provider="other"))
        _add(store, samples.run("evt_3", provider="other", state=InboxState.DONE))
        soon, live = samples.after(hours=1), Environment.LIVE
        due = store.transact(lambda tx: tx.inbox_due(Environment.TEST, before=soon))
        assert dict(due) == {samples.PLACE["provider"]: 2, "other": 2}
        assert dict(store.transact(lambda tx: tx.inbox_due(live, before=soon))) == {"third": 1}

    def test_bodies_are_deleted_by_age_and_all_else_stays(self, store: Store) -> None:
        def aged(name: str, hours: float, **changes: Any) -> InboxRow:
            told = {"state": InboxState.DONE, "received_at": samples.after(hours=-hours), **changes}
            return samples.delivery(name, **told)

        rows = [
            aged("dlv_1", 3),
            aged("dlv_2", 2),
            aged("dlv_3", 0.5),
            aged("dlv_4", 4, state=InboxState.DEAD),
            aged("dlv_5", 5, provider="other"),
        ]
        _put(store, *rows)

        def prune(tx: Transaction) -> int:
            before = samples.after(hours=-1)
            return tx.prune_bodies(**samples.PLACE, before=before, limit=1)

        assert store.transact(prune) == 1
        assert [_kept(store, row.id).body is None for row in rows] == [True, *[False] * 4]
        assert [store.transact(prune), store.transact(prune)] == [1, 0]
        assert [_kept(store, row.id) for row in rows] == [
            *(replace(row, body=None) for row in rows[:2]),
            *rows[2:],
        ]
        assert _put(store, rows[0]) == [replace(rows[0], body=None)], "a repetition is known"


def _add(store: Store, *runs: HandlerRun) -> None:
    store.transact(lambda tx: tx.add_handler_runs(runs))


def _due_runs(
    store: Store, now: datetime = samples.NOW, limit: int = 10, **place: Any
) -> list[tuple[str, str]]:
    at = {**samples.PLACE, **place}
    due = store.transact(lambda tx: tx.due_handler_runs(**at, now=now, limit=limit))
    return [(run.event_id, run.handler) for run in due]


def _save_run(tx: Transaction, run: HandlerRun) -> None:
    tx.save_handler_run(run)


class Handlers:
    """A row for each handler and event."""

    def test_a_run_comes_back_equal(self, store: Store) -> None:
        unset = ("message", "claimed_until", "error", "trace", "account")
        nothing: dict[str, Any] = dict.fromkeys(unset)
        dead = samples.run(handler="shop.mail", state=InboxState.DEAD, **nothing)
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
        tampered = replace(later, message="other", scope="other")
        store.transact(lambda tx: tx.save_handler_run(tampered))
        assert store.transact(lambda tx: tx.handler_run("evt_1", "shop.paid")) == later
        assert _due_runs(store) == []
        assert _due_runs(store, samples.after(minutes=5)) == [("evt_1", "shop.paid")]
        store.transact(lambda tx: tx.save_handler_run(samples.run(state=InboxState.DONE)))
        assert _due_runs(store, samples.after(minutes=5)) == []

    def test_a_claimed_run_is_nobody_elses_until_its_claim_ends(self, store: Store) -> None:
        mine, other = samples.run(), samples.run(handler="shop.mail")
        _add(store, mine, other)
        until = samples.after(minutes=1)
        store.transact(lambda tx: tx.claim_handler_runs([mine], until=until))
        claimed = replace(mine, due_at=until, claimed_until=until, fencing=mine.fencing + 1)
        assert store.transact(lambda tx: tx.handler_run("evt_1", "shop.paid")) == claimed
        assert _due_runs(store) == [("evt_1", "shop.mail")]
        assert ("evt_1", "shop.paid") in _due_runs(store, until)

    def test_a_run_is_swapped_while_it_stands_as_it_was_claimed(self, store: Store) -> None:
        claimed = samples.run()
        done = replace(claimed, state=InboxState.DONE, claimed_until=None)
        _add(store, claimed, samples.run(handler="shop.mail"))
        since = [replace(claimed, fencing=claimed.fencing + 1), replace(claimed, state=done.state)]

        def swap(tx: Transaction) -> bool:
            return tx.swap_handler_run(claimed, done)

        for now in since:
            store.transact(partial(_save_run, run=now))
            assert not store.transact(swap)
            assert store.transact(lambda tx: tx.handler_run("evt_1", "shop.paid")) == now
        store.transact(partial(_save_run, run=claimed))
        assert store.transact(swap)
        assert store.transact(lambda tx: tx.handler_run("evt_1", "shop.paid")) == done
        mail = store.transact(lambda tx: tx.handler_run("evt_1", "shop.mail"))
        assert mail == samples.run(handler="shop.mail")

    def test_runs_of_others_are_left_to_them(self, store: Store) -> None:
        _add(
            store,
            samples.run("evt_1", provider="other"),
            samples.run("evt_2", environment=Environment.LIVE),
            samples.run("evt_3"),
        )
        assert _due_runs(store, limit=1) == [("evt_3", "shop.paid")]
        assert _due_runs(store, provider="other") == [("evt_1", "shop.paid")]
        assert _due_runs(store, environment=Environment.LIVE) == [("evt_2", "shop.paid")]

    def test_an_account_is_handed_its_own_runs_and_those_of_nobody(self, store: Store) -> None:
        whose = {"evt_1": "acct_1", "evt_2": "acct_2", "evt_3": None}
        _add(store, *(samples.run(name, account=one) for name, one in whose.items()))

        def due(account: str | None, limit: int = 10) -> list[str]:
            return [event for event, _ in _due_runs(store, limit=limit, account=account)]

        assert due("acct_1") == ["evt_1", "evt_3"]
        assert due("acct_2", limit=1) == ["evt_2"]
        assert due("acct_3") == ["evt_3"]
        assert due(None) == ["evt_1", "evt_2", "evt_3"]

    def test_runs_are_listed_latest_due_first(self, store: Store) -> None:
        _add(
            store,
            samples.run("evt_1", "b", state=InboxState.DEAD),
            samples.run("evt_1", "a"),
            samples.run("evt_2", "c", due_at=samples.after(hours=1), state=InboxState.DEAD),
            samples.run("evt_3", "d", provider="other"),
        )

        def listed(**changes: Any) -> list[str]:
            query = InboxQuery(**{**samples.PLACE, **changes})
            return [run.handler for run in store.transact(lambda tx: tx.handler_runs(query))]

        assert listed() == ["c", "b", "a"]
        assert listed(limit=1) == ["c"]
        assert listed(after=Cursor(created_at=samples.NOW, id="evt_1 b")) == ["a"]
        assert listed(state=InboxState.DEAD) == ["c", "b"]
        after = Cursor(created_at=samples.after(hours=1), id="evt_2 c")
        assert listed(state=InboxState.DEAD, after=after) == ["b"]

    def test_the_runs_of_an_event_are_found(self, store: Store) -> None:
        _add(store, samples.run(handler="b"), samples.run(handler="a"), samples.run("evt_2"))
        found = store.transact(lambda tx: tx.runs_of("evt_1"))
        assert [run.handler for run in found] == ["a", "b"]

    def test_a_run_that_is_not_there_is_not_saved(self, store: Store) -> None:
        with pytest.raises(StoreConflict):
            store.transact(lambda tx: tx.save_handler_run(samples.run()))
