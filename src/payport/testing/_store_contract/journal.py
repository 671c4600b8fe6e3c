# ruff: noqa: S101 - contract tests live on assert
"""What a store promises about operations and domain events."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from payport.domain.errors import StoreConflict
from payport.domain.events import PayoutEvent
from payport.domain.identifiers import Environment
from payport.operations.records import OperationRecord, OperationState
from payport.providers.commands import Operation
from payport.storage.base import FIXED, ROUTED, Cursor
from payport.testing._store_contract import samples

if TYPE_CHECKING:
    from payport.domain.events import DomainEvent
    from payport.storage.base import Query, Store, Transaction

__all__ = ["Events", "Journal"]

#: What makes an operation another one, each part alone.
_OTHER: Final[dict[str, Any]] = {
    "scope": "tenant_9",
    "environment": Environment.LIVE,
    "operation": Operation.CANCEL_PAYMENT,
    "aggregate_id": "pay_other",
    "reference": "part_1",
    "attempt": 2,
}


def _put(store: Store, *records: OperationRecord) -> None:
    def work(tx: Transaction) -> None:
        for record in records:
            tx.insert_operation(record)

    store.transact(work)


def _get(store: Store, record: OperationRecord) -> OperationRecord | None:
    return store.transact(lambda tx: tx.operation(record.id))


def _swap(old: OperationRecord, new: OperationRecord, tx: Transaction) -> None:
    tx.swap_operation(old, new)


class _Fails(Exception):
    """What a unit of work raises to be taken back."""


class Journal:
    """Operations by id, by key, by identity, and in lists."""

    def test_an_operation_comes_back_equal(self, store: Store) -> None:
        full = samples.operation()
        empty = replace(
            samples.other_operation(samples.operation("order_2")), state=OperationState.PREPARED
        )
        _put(store, full, empty)
        assert _get(store, full) == full
        assert store.transact(lambda tx: tx.operation(full.id, lock=True)) == full
        assert _get(store, empty) == empty

    def test_an_operation_comes_back_with_its_own_types(self, store: Store) -> None:
        _put(store, samples.operation())
        kept = _get(store, samples.operation())
        assert kept is not None
        assert kept.state is OperationState.SENT
        assert kept.operation is Operation.CREATE_PAYMENT
        assert isinstance(kept.request, bytes)
        assert kept.lease_until is not None
        assert kept.lease_until.tzinfo is not None
        assert kept.lease_until.microsecond == samples.NOW.microsecond

    def test_an_operation_is_found_by_its_key(self, store: Store) -> None:
        _put(store, samples.operation("order_1"), samples.operation("order_2"))
        found = store.transact(lambda tx: tx.operation_by_key("pp1_order_2"))
        assert found == samples.operation("order_2")
        assert store.transact(lambda tx: tx.operation_by_key("pp1_nowhere")) is None
        assert store.transact(lambda tx: tx.operation("opn_nowhere")) is None

    def test_an_identity_is_there_once_whatever_the_provider(self, store: Store) -> None:
        first = samples.operation()
        _put(store, first)
        again = replace(
            first, id="opn_another", key="pp1_another", provider="other", account="acct_2"
        )
        with pytest.raises(StoreConflict):
            _put(store, again)
        assert _get(store, first) == first
        assert _get(store, again) is None

    @pytest.mark.parametrize("part", sorted(_OTHER))
    def test_every_part_of_an_identity_makes_another_operation(
        self, store: Store, part: str
    ) -> None:
        other = samples.operation(key="pp1_another", **{part: _OTHER[part]})
        _put(store, samples.operation(), other)
        assert _get(store, other) == other
        assert _get(store, samples.operation()) == samples.operation()

    def test_an_id_is_there_once(self, store: Store) -> None:
        _put(store, samples.operation())
        with pytest.raises(StoreConflict):
            _put(store, replace(samples.operation("order_2"), id=samples.operation().id))

    def test_a_key_is_there_once(self, store: Store) -> None:
        _put(store, samples.operation("order_1"))
        with pytest.raises(StoreConflict):
            _put(store, samples.operation("order_2", key="pp1_order_1"))
        found = store.transact(lambda tx: tx.operation_by_key("pp1_order_1"))
        assert found == samples.operation("order_1")

    def test_work_goes_on_after_an_operation_was_there_already(self, store: Store) -> None:
        _put(store, samples.operation())

        def work(tx: Transaction) -> OperationRecord | None:
            with pytest.raises(StoreConflict):
                tx.insert_operation(samples.operation(lease_owner="worker_2"))
            tx.save_payment(samples.payment())
            return tx.operation(samples.operation().id)

        assert store.transact(work) == samples.operation()
        assert store.transact(lambda tx: tx.payment("pay_order_1")) is not None

    def test_saving_changes_all_but_identity_fingerprint_key_and_route(self, store: Store) -> None:
        first = samples.operation()
        other = samples.other_operation(first)
        _put(store, first)
        store.transact(lambda tx: tx.save_operation(other))
        kept = _get(store, first)
        assert kept is not None
        for part in fields(OperationRecord):
            source = first if part.name in FIXED else other
            assert getattr(kept, part.name) == getattr(source, part.name), part.name
        assert store.transact(lambda tx: tx.operation_by_key(other.key)) is None

    def test_an_operation_that_is_not_there_is_not_saved(self, store: Store) -> None:
        with pytest.raises(StoreConflict):
            store.transact(lambda tx: tx.save_operation(samples.operation()))
        assert _get(store, samples.operation()) is None

    def test_an_operation_that_stands_as_it_was_read_is_swapped(self, store: Store) -> None:
        first = samples.operation()
        other = samples.other_operation(first)
        _put(store, first)
        store.transact(lambda tx: tx.swap_operation(first, other))
        swapped = _get(store, first)
        store.transact(lambda tx: tx.save_operation(other))
        assert swapped == _get(store, first)

    def test_an_operation_that_was_changed_since_is_not_swapped(self, store: Store) -> None:
        first = samples.operation(fencing=1)
        other = samples.other_operation(first)
        _put(store, first)
        for read in (
            replace(first, state=OperationState.UNKNOWN),
            replace(first, lease_owner="worker_2"),
            replace(first, fencing=2),
            replace(first, id="opn_gone"),
        ):
            with pytest.raises(StoreConflict):
                store.transact(partial(_swap, read, other))
        assert _get(store, first) == first

    def test_an_operation_without_a_lease_is_not_swapped(self, store: Store) -> None:
        first = samples.operation(lease_owner=None)
        _put(store, first)
        with pytest.raises(StoreConflict):
            store.transact(lambda tx: tx.swap_operation(first, samples.other_operation(first)))
        assert _get(store, first) == first

    def test_an_operation_that_was_never_sent_goes_to_another_provider(self, store: Store) -> None:
        first = samples.operation(state=OperationState.NO_EFFECT, sends=0, doubtful=False)
        other = samples.other_operation(first)
        _put(store, first)
        store.transact(lambda tx: tx.reroute_operation(first, other))
        moved = _get(store, first)
        assert moved is not None
        for part in fields(OperationRecord):
            stays = part.name in FIXED and part.name not in ROUTED
            assert getattr(moved, part.name) == getattr(first if stays else other, part.name)
        assert store.transact(lambda tx: tx.operation_by_key(other.key)) == moved
        assert store.transact(lambda tx: tx.operation_by_key(first.key)) is None

    @pytest.mark.parametrize(
        "sent",
        [{"sends": 1}, {"doubtful": True}, {"fencing": 9}, {"state": OperationState.SENT}],
        ids=str,
    )
    def test_an_operation_that_was_sent_or_changed_goes_nowhere(
        self, store: Store, sent: dict[str, Any]
    ) -> None:
        never: dict[str, Any] = {
            "state": OperationState.PREPARED,
            "sends": 0,
            "doubtful": False,
            "fencing": 2,
        }
        read = samples.operation(**never)
        stands = samples.operation(**{**never, **sent})
        _put(store, stands)
        with pytest.raises(StoreConflict):
            store.transact(lambda tx: tx.reroute_operation(read, samples.other_operation(read)))
        assert _get(store, read) == stands
        gone = replace(read, id="opn_gone")
        with pytest.raises(StoreConflict):
            store.transact(lambda tx: tx.reroute_operation(gone, samples.other_operation(gone)))

    def test_what_a_transaction_moved_is_taken_back_with_it(self, store: Store) -> None:
        first = samples.operation(state=OperationState.NO_EFFECT, sends=0, doubtful=False)
        _put(store, first)

        def move_and_fail(tx: Transaction) -> None:
            tx.reroute_operation(first, samples.other_operation(first))
            raise _Fails

        with pytest.raises(_Fails):
            store.transact(move_and_fail)
        assert _get(store, first) == first
        assert store.transact(lambda tx: tx.operation_by_key(first.key)) == first

    def test_operations_are_listed_newest_first_in_pages(self, store: Store) -> None:
        records = _at_odd_moments()
        _put(store, *records)
        newest_first = sorted(records, key=lambda r: (r.prepared_at, r.id), reverse=True)

        def turn_pages(tx: Transaction) -> list[OperationRecord]:
            listed: list[OperationRecord] = []
            query = samples.query(limit=2)
            while page := tx.operations(query):
                listed.extend(page)
                last = Cursor(created_at=page[-1].prepared_at, id=page[-1].id)
                query = replace(query, after=last)
            return listed

        assert store.transact(turn_pages) == newest_first

    def test_operation_listings_are_narrowed(self, store: Store) -> None:
        unknown = samples.operation("order_1", state=OperationState.UNKNOWN)
        sent = samples.operation("order_2", prepared_at=samples.after(seconds=1))
        elsewhere = samples.operation("order_3", scope="tenant_9")
        _put(store, unknown, sent, elsewhere)
        assert _ids(store, samples.query()) == [sent.id, unknown.id]
        assert _ids(store, samples.query(scope="tenant_9")) == [elsewhere.id]
        assert _ids(store, samples.query(environment=Environment.LIVE)) == []
        assert _ids(store, samples.query(status=OperationState.UNKNOWN)) == [unknown.id]
        assert _ids(store, samples.query(statuses={"unknown", "sent"})) == [sent.id, unknown.id]
        assert _ids(store, samples.query(statuses=[OperationState.SENT])) == [sent.id]
        assert _ids(store, samples.query(statuses=())) == []
        assert _ids(store, samples.query(payment_id="pay_order_2")) == [sent.id]
        assert _ids(store, samples.query(created_from=sent.prepared_at)) == [sent.id]
        assert _ids(store, samples.query(created_before=sent.prepared_at)) == [unknown.id]

    def test_operations_are_listed_by_any_of_several_states(self, store: Store) -> None:
        records = [
            samples.operation(f"order_{number}", state=state)
            for number, state in enumerate(OperationState)
        ]
        other = samples.operation("order_0", attempt=2, key="pp1_2", state=OperationState.UNKNOWN)
        elsewhere = samples.operation("order_9", scope="tenant_9", state=OperationState.UNKNOWN)
        live = samples.operation(
            "order_9", environment=Environment.LIVE, key="pp1_live", state=OperationState.UNKNOWN
        )
        _put(store, *records, other, elsewhere, live)
        wanted = {OperationState.UNKNOWN, OperationState.NEEDS_REVIEW}

        def listed(**narrowed: Any) -> list[str]:
            asked: dict[str, Any] = {
                "scope": "shop",
                "environment": Environment.TEST,
                **narrowed,
            }
            found = store.transact(lambda tx: tx.list_operations(**asked))
            return [record.id for record in found]

        mine = sorted(
            (r.id for r in [*records, other] if r.state in wanted),
            reverse=True,
        )
        assert listed(states=wanted) == mine
        assert listed(states=wanted, limit=2) == mine[:2]
        last = Cursor(created_at=samples.NOW, id=mine[1])
        assert listed(states=wanted, after=last) == mine[2:]
        assert listed(states=wanted, payment_id="pay_order_0") == [other.id]
        assert listed(states=[]) == []
        assert len(listed()) == len(records) + 1
        assert listed(scope="tenant_9") == [elsewhere.id]
        assert listed(environment=Environment.LIVE) == [live.id]


def _at_odd_moments() -> list[OperationRecord]:
    """Two of one moment, the rest a microsecond apart."""
    gaps = [3, 1, 2, 2, 0]
    return [
        samples.operation(f"order_{number}", prepared_at=samples.after(microseconds=gap))
        for number, gap in enumerate(gaps)
    ]


def _ids(store: Store, query: Query) -> list[str]:
    return [record.id for record in store.transact(lambda tx: tx.operations(query))]


def _add(store: Store, *events: DomainEvent, later: float = 0) -> list[str]:
    at = samples.after(seconds=later)
    return [event.id for event in store.transact(lambda tx: tx.add_events(events, at=at))]


def _taken(store: Store) -> None:
    """A payment and its operation."""
    store.transact(lambda tx: tx.save_payment(samples.payment(attempts=(samples.attempt(),))))
    store.transact(lambda tx: tx.insert_operation(samples.operation()))


class Events:
    """Domain events, each kept once."""

    def test_every_kind_of_event_comes_back_equal(self, store: Store) -> None:
        told = samples.all_events()
        assert _add(store, *told) == [event.id for event in told]
        kept = store.transact(lambda tx: [*tx.events("pay_order_1"), *tx.events("pyt_1")])
        of_payouts = [event for event in told if isinstance(event, PayoutEvent)]
        assert kept == [*[event for event in told if event not in of_payouts], *of_payouts]
        assert {type(event) for event in kept} == {type(event) for event in told}
        assert store.transact(lambda tx: tx.event(told[3].id)) == told[3]

    def test_an_event_that_is_not_there_is_none(self, store: Store) -> None:
        assert store.transact(lambda tx: tx.event("evt_nowhere")) is None
        assert list(store.transact(lambda tx: tx.events("pay_nowhere"))) == []

    def test_an_event_is_kept_once_and_told_as_new_once(self, store: Store) -> None:
        first = samples.event("evt_1")
        again = samples.event("evt_1", occurred_at=samples.after(hours=1))
        assert _add(store, first) == ["evt_1"]
        assert _add(store, again, samples.event("evt_2"), again) == ["evt_2"]
        assert store.transact(lambda tx: tx.event("evt_1")) == first
        assert len(store.transact(lambda tx: tx.events("pay_order_1"))) == 2  # noqa: PLR2004

    def test_several_events_are_found_by_their_ids(self, store: Store) -> None:
        many = [samples.event(f"evt_{number}") for number in range(45)]
        _add(store, *many)
        asked = [*(event.id for event in many[1:]), "evt_nowhere"]
        found = store.transact(lambda tx: tx.several_events(asked))
        assert found == {event.id: event for event in many[1:]}
        assert store.transact(lambda tx: tx.several_events([])) == {}

    def test_of_a_held_payment_an_event_is_kept_and_told_as_new_once(self, store: Store) -> None:
        _taken(store)
        _add(store, samples.event("evt_1"))
        elsewhere = samples.event("evt_3", payment_id="pay_other")

        def work(tx: Transaction) -> list[str]:
            tx.hold_payments([samples.operation().key])
            told = [samples.event(name) for name in ("evt_1", "evt_2", "evt_2")]
            new = [*tx.add_events([*told, elsewhere], at=samples.NOW)]
            return [event.id for event in [*new, *tx.add_events(told, at=samples.NOW)]]

        assert store.transact(work) == ["evt_2", "evt_3"]
        kept = store.transact(lambda tx: tx.events("pay_order_1"))
        assert [event.id for event in kept] == ["evt_1", "evt_2"]

    def test_what_is_read_of_a_held_payment_is_what_was_written(self, store: Store) -> None:
        """Also what the transaction itself wrote; of others' writes it would wait for the end."""
        _taken(store)
        key = samples.operation().key

        def work(tx: Transaction) -> None:
            tx.hold_payments([key, "key_of_nothing"])
            first = tx.payment("pay_order_1", lock=True)
            assert first is not None
            assert tx.payment_by_ref(first.provider, first.account, "obj_1") == first
            tx.save_payment(first.evolve(description="changed"))
            again = tx.payment("pay_order_1", lock=True)
            assert again == first.evolve(description="changed", version=first.version + 1)
            record = tx.operation_by_key(key)
            assert record is not None
            assert record == samples.operation()
            tx.save_operation(replace(record, request_id="req_9"))
            assert tx.operation_by_key(key) == replace(record, request_id="req_9")
            assert tx.operation_by_key("key_of_nothing") is None

        store.transact(work)
        kept = store.transact(lambda tx: tx.payment("pay_order_1"))
        assert kept is not None
        assert kept.description == "changed"

    def test_an_event_given_twice_at_once_is_new_once(self, store: Store) -> None:
        assert _add(store, samples.event("evt_1"), samples.event("evt_1")) == ["evt_1"]

    def test_events_come_in_the_order_in_which_they_were_learned(self, store: Store) -> None:
        _add(store, samples.event("evt_z", occurred_at=samples.after(hours=2)))
        _add(store, samples.event("evt_a", occurred_at=samples.after(hours=1)), later=1)
        late = samples.event("evt_m", occurred_at=samples.after(hours=-1))
        _add(store, late, samples.event("evt_b"), later=2)
        learned = [event.id for event in store.transact(lambda tx: tx.events("pay_order_1"))]
        assert learned == ["evt_z", "evt_a", "evt_m", "evt_b"]

    def test_what_is_about_nothing_of_payports_is_found_by_its_own_id(self, store: Store) -> None:
        nothing = {"payment_id": None, "reference": None}
        _add(store, samples.event("evt_1", "unmapped_event", **nothing), samples.event("evt_2"))
        (found,) = store.transact(lambda tx: tx.events("evt_1"))
        assert found == samples.event("evt_1", "unmapped_event", **nothing)

    def test_events_keep_to_their_payment(self, store: Store) -> None:
        _add(store, samples.event("evt_1"), samples.event("evt_2", payment_id="pay_other"))
        mine = store.transact(lambda tx: tx.events("pay_order_1"))
        assert [event.id for event in mine] == ["evt_1"]
