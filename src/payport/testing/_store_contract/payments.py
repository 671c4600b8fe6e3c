# ruff: noqa: S101 - contract tests live on assert
"""What a store promises about payments and refunds."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from payport.domain.errors import StoreConflict
from payport.domain.facts import RefundStatus
from payport.domain.identifiers import Environment
from payport.domain.payment_intent import PaymentIntent, PaymentStatus
from payport.storage.base import Cursor
from payport.testing._store_contract import samples

if TYPE_CHECKING:
    from payport.storage.base import Query, Store, Transaction

__all__ = ["Payments", "Refunds"]


def _put(store: Store, *payments: PaymentIntent) -> list[PaymentIntent]:
    return store.transact(lambda tx: [tx.save_payment(payment) for payment in payments])


def _get(store: Store, payment_id: str = "pay_order_1") -> PaymentIntent:
    found = store.transact(lambda tx: tx.payment(payment_id))
    assert found is not None
    return found


def _by_ref(provider: str, account: str, ref: str, tx: Transaction) -> PaymentIntent | None:
    return tx.payment_by_ref(provider, account, ref)


class Payments:
    """Payments by id, by ref, by version, and in lists."""

    def test_a_payment_comes_back_equal(self, store: Store) -> None:
        _put(store, samples.everything(), samples.payment("order_2"))
        assert _get(store) == samples.everything().evolve(version=1)
        assert _get(store, "pay_order_2") == samples.payment("order_2").evolve(version=1)

    def test_a_payment_comes_back_with_its_own_types(self, store: Store) -> None:
        _put(store, samples.everything())
        kept = _get(store)
        assert isinstance(kept.environment, Environment)
        assert isinstance(kept.attempts, tuple)
        assert kept.metadata == samples.everything().metadata
        assert type(kept.metadata) is type(samples.everything().metadata)
        assert kept.attempts[0].decline is not None
        assert kept.attempts[0].decline.raw == "51"
        assert kept.status is samples.everything().status

    def test_moments_come_back_aware_and_to_the_microsecond(self, store: Store) -> None:
        _put(store, samples.everything())
        kept, meant = _get(store), samples.everything()
        pairs = [
            (kept.created_at, meant.created_at),
            (kept.attempts[0].at, meant.attempts[0].at),
            (kept.refunds[1].created_at, meant.refunds[1].created_at),
            (kept.disputes[0].respond_by, meant.disputes[0].respond_by),
        ]
        for moment, expected in pairs:
            assert moment is not None
            assert moment.tzinfo is not None
            assert moment == expected

    def test_what_is_not_there_is_none(self, store: Store) -> None:
        assert store.transact(lambda tx: tx.payment("pay_nowhere")) is None
        assert store.transact(lambda tx: tx.payment("pay_nowhere", lock=True)) is None
        assert store.transact(lambda tx: tx.payment_by_ref("fake", "acct_1", "obj_9")) is None

    def test_each_change_is_a_version(self, store: Store) -> None:
        (first,) = _put(store, samples.payment())
        (second,) = _put(store, first.evolve(has_payment_method=True))
        assert (first.version, second.version) == (1, 2)
        assert _get(store) == samples.payment(has_payment_method=True).evolve(version=2)

    def test_a_payment_can_be_saved_twice_in_one_transaction(self, store: Store) -> None:
        def work(tx: Transaction) -> PaymentIntent:
            first = tx.save_payment(samples.payment())
            return tx.save_payment(first.evolve(attempts=(samples.attempt(),)))

        assert store.transact(work).version == 2  # noqa: PLR2004 - saved twice
        assert store.transact(lambda tx: tx.payment_by_ref("fake", "acct_1", "obj_1")) is not None

    def test_a_stale_payment_replaces_nothing(self, store: Store) -> None:
        (first,) = _put(store, samples.payment())
        _put(store, first.evolve(description="newer"))
        with pytest.raises(StoreConflict):
            _put(store, first.evolve(description="stale"))
        assert _get(store).description == "newer"

    def test_a_payment_is_inserted_once(self, store: Store) -> None:
        _put(store, samples.payment())
        with pytest.raises(StoreConflict):
            _put(store, samples.payment(description="again"))
        assert _get(store).description is None

    def test_a_payment_that_is_not_there_is_not_replaced(self, store: Store) -> None:
        with pytest.raises(StoreConflict):
            _put(store, samples.payment().evolve(version=3))
        assert store.transact(lambda tx: tx.payment("pay_order_1")) is None

    def test_a_conflict_that_the_work_swallows_keeps_nothing(self, store: Store) -> None:
        _put(store, samples.payment("order_1", attempts=(samples.attempt("obj_1"),)))

        def work(tx: Transaction) -> None:
            tx.add_events([samples.event()], at=samples.NOW)
            with pytest.raises(StoreConflict):
                # Its own row is new; what conflicts is found out later.
                tx.save_payment(samples.payment("order_2", attempts=(samples.attempt("obj_1"),)))

        with pytest.raises(StoreConflict):
            store.transact(work)
        assert store.transact(lambda tx: tx.payment("pay_order_2")) is None
        assert store.transact(lambda tx: tx.event("evt_1")) is None

    def test_a_payment_that_moved_is_found_where_it_was_and_where_it_is(self, store: Store) -> None:
        (first,) = _put(store, samples.payment(attempts=(samples.attempt("obj_1"),)))
        later = (samples.attempt("obj_1"), samples.attempt("obj_2"))
        _put(store, first.moved("other", "acct_other").evolve(attempts=later))
        held = (("fake", "acct_1", "obj_1"), ("other", "acct_other", "obj_2"))
        for where in held:
            found = store.transact(partial(_by_ref, *where))
            assert found is not None
            assert (found.provider, found.account) == ("other", "acct_other")
            assert found.home_of(where[2]) == where[:2]
        for where in (("other", "acct_other", "obj_1"), ("fake", "acct_1", "obj_2")):
            assert store.transact(partial(_by_ref, *where)) is None

    def test_a_payment_is_found_by_every_attempts_ref(self, store: Store) -> None:
        (first,) = _put(store, samples.payment(attempts=(samples.attempt("obj_1"),)))
        later = (samples.attempt("obj_1"), samples.attempt("obj_2"))
        _put(store, first.evolve(attempts=later))

        def work(tx: Transaction) -> list[PaymentIntent | None]:
            return [tx.payment_by_ref("fake", "acct_1", ref) for ref in ("obj_1", "obj_2")]

        for found in store.transact(work):
            assert found is not None
            assert (found.id, found.version) == ("pay_order_1", 2)

    def test_refs_of_two_providers_or_accounts_never_meet(self, store: Store) -> None:
        same = (samples.attempt("obj_1"),)
        _put(
            store,
            samples.payment("order_1", attempts=same),
            samples.payment("order_2", attempts=same, account="acct_2"),
            samples.payment("order_3", attempts=same, provider="other"),
        )

        def work(tx: Transaction) -> list[str | None]:
            places = [("fake", "acct_1"), ("fake", "acct_2"), ("other", "acct_1")]
            found = [tx.payment_by_ref(*place, "obj_1") for place in places]
            nowhere = tx.payment_by_ref("other", "acct_2", "obj_1")
            return [None if payment is None else payment.id for payment in (*found, nowhere)]

        assert store.transact(work) == ["pay_order_1", "pay_order_2", "pay_order_3", None]

    def test_two_payments_never_hold_one_object_of_a_provider(self, store: Store) -> None:
        _put(store, samples.payment("order_1", attempts=(samples.attempt("obj_1"),)))
        (second,) = _put(store, samples.payment("order_2"))
        with pytest.raises(StoreConflict):
            _put(store, second.evolve(attempts=(samples.attempt("obj_1"),)))
        found = store.transact(lambda tx: tx.payment_by_ref("fake", "acct_1", "obj_1"))
        assert found is not None
        assert found.id == "pay_order_1"
        assert _get(store, "pay_order_2").attempts == ()

    def test_payments_are_listed_newest_first(self, store: Store) -> None:
        _put(store, *_at_odd_moments())
        assert _ids(store, samples.query()) == ["pay_d", "pay_c", "pay_b", "pay_a"]

    def test_pages_leave_nothing_out_and_repeat_nothing(self, store: Store) -> None:
        _put(store, *_at_odd_moments())

        def turn_pages(tx: Transaction) -> list[str]:
            listed: list[str] = []
            query = samples.query(limit=1)
            while page := tx.payments(query):
                assert len(page) == 1
                listed.append(page[0].id)
                query = replace(query, after=Cursor(created_at=page[0].created_at, id=page[0].id))
            return listed

        assert store.transact(turn_pages) == ["pay_d", "pay_c", "pay_b", "pay_a"]

    def test_listings_keep_to_scope_and_environment(self, store: Store) -> None:
        _put(
            store,
            samples.payment("mine"),
            samples.payment("theirs", scope="tenant_9"),
            samples.payment("real", environment=Environment.LIVE),
        )
        assert _ids(store, samples.query()) == ["pay_mine"]
        assert _ids(store, samples.query(scope="tenant_9")) == ["pay_theirs"]
        assert _ids(store, samples.query(environment=Environment.LIVE)) == ["pay_real"]

    def test_listings_are_narrowed_by_status_time_and_payment(self, store: Store) -> None:
        a, b, c, d = _at_odd_moments()
        _put(store, a, b, c, d.evolve(unresolved=("key_1",)))
        assert _ids(store, samples.query(status=PaymentStatus.UNKNOWN)) == ["pay_d"]
        assert _ids(store, samples.query(payment_id="pay_b")) == ["pay_b"]
        assert _ids(store, samples.query(created_from=c.created_at)) == ["pay_d", "pay_c"]
        assert _ids(store, samples.query(created_before=c.created_at)) == ["pay_b", "pay_a"]
        between = samples.query(created_from=b.created_at, created_before=d.created_at)
        assert _ids(store, between) == ["pay_b"]

    def test_listings_follow_a_status_that_changes(self, store: Store) -> None:
        (first,) = _put(store, samples.payment(unresolved=("key_1",)))
        _put(store, first.evolve(unresolved=()))
        assert _ids(store, samples.query(status=PaymentStatus.UNKNOWN)) == []
        status = PaymentStatus.REQUIRES_PAYMENT_METHOD
        assert _ids(store, samples.query(status=status)) == ["pay_order_1"]


def _at_odd_moments() -> list[PaymentIntent]:
    """From old to new; two of one moment, and two a microsecond apart."""
    moments = [
        samples.after(seconds=-1),
        samples.NOW,
        samples.after(microseconds=1),
        samples.after(microseconds=1),
    ]
    named = zip("abcd", moments, strict=True)
    return [samples.payment(name, created_at=moment) for name, moment in named]


def _ids(store: Store, query: Query) -> list[str]:
    return [payment.id for payment in store.transact(lambda tx: tx.payments(query))]


class Refunds:
    """Refunds, which live in their payments."""

    def test_a_refunds_payment_is_found(self, store: Store) -> None:
        (first,) = _put(store, samples.payment())
        _put(store, first.evolve(refunds=(samples.refund("r1"), samples.refund("r2"))))
        found = store.transact(
            lambda tx: [tx.payment_of_refund(f"rfd_{name}") for name in ("r1", "r2", "r3")]
        )
        assert found == ["pay_order_1", "pay_order_1", None]

    def test_a_refund_never_belongs_to_two_payments(self, store: Store) -> None:
        _put(store, samples.payment("order_1", refunds=(samples.refund("r1"),)))
        taken = samples.refund("r1", of="pay_order_2")
        with pytest.raises(StoreConflict):
            _put(store, samples.payment("order_2", refunds=(taken,)))
        assert store.transact(lambda tx: tx.payment_of_refund("rfd_r1")) == "pay_order_1"
        assert store.transact(lambda tx: tx.payment("pay_order_2")) is None

    def test_a_refund_that_left_its_payment_is_not_found(self, store: Store) -> None:
        foreign = samples.refund("foreign", reference=None)
        (first,) = _put(store, samples.payment(refunds=(foreign, samples.refund("r1"))))
        _put(store, first.evolve(refunds=(samples.refund("r1"),)))
        assert store.transact(lambda tx: tx.payment_of_refund("rfd_foreign")) is None
        assert store.transact(lambda tx: tx.payment_of_refund("rfd_r1")) == "pay_order_1"
        assert _refunds(store, samples.query()) == ["rfd_r1"]

    def test_refunds_are_listed_newest_first_in_pages(self, store: Store) -> None:
        _put_refunds(store)
        assert _refunds(store, samples.query()) == ["rfd_d", "rfd_c", "rfd_b", "rfd_a"]
        assert _refunds(store, samples.query(limit=2)) == ["rfd_d", "rfd_c"]
        place = Cursor(created_at=samples.NOW, id="rfd_c")
        assert _refunds(store, samples.query(after=place)) == ["rfd_b", "rfd_a"]

    def test_listed_refunds_are_whole(self, store: Store) -> None:
        _put(store, samples.everything())
        listed = store.transact(lambda tx: tx.refunds(samples.query()))
        assert list(listed) == list(samples.everything().refunds)

    def test_refund_listings_are_narrowed(self, store: Store) -> None:
        _put_refunds(store)
        live = samples.query(environment=Environment.LIVE)
        assert _refunds(store, live) == []
        assert _refunds(store, samples.query(scope="tenant_9")) == []
        assert _refunds(store, samples.query(payment_id="pay_order_2")) == ["rfd_c"]
        assert _refunds(store, samples.query(status=RefundStatus.UNKNOWN)) == ["rfd_a"]
        assert _refunds(store, samples.query(created_from=samples.NOW)) == [
            "rfd_d",
            "rfd_c",
            "rfd_b",
        ]
        assert _refunds(store, samples.query(created_before=samples.NOW)) == ["rfd_a"]

    def test_refund_listings_follow_a_status_that_changes(self, store: Store) -> None:
        waiting = samples.refund("r1")
        (first,) = _put(store, samples.payment(refunds=(waiting,)))
        _put(store, first.evolve(refunds=(replace(waiting, outcome=RefundStatus.FAILED),)))
        assert _refunds(store, samples.query(status=RefundStatus.PENDING)) == []
        assert _refunds(store, samples.query(status=RefundStatus.FAILED)) == ["rfd_r1"]


def _put_refunds(store: Store) -> None:
    a = samples.refund("a", outcome=RefundStatus.UNKNOWN, created_at=samples.after(days=-1))
    first = samples.payment("order_1", refunds=(samples.refund("d"), a, samples.refund("b")))
    second = samples.payment("order_2", refunds=(samples.refund("c", of="pay_order_2"),))
    _put(store, first, second)


def _refunds(store: Store, query: Query) -> list[str]:
    return [refund.id for refund in store.transact(lambda tx: tx.refunds(query))]
