"""Statements about one effect: what they refuse, and which of two stands."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone, tzinfo
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saying import at, attempt, capture, dispute, payment, refund, said, usd

from payport.domain.apply import apply
from payport.domain.errors import InvalidRequest, ProviderFault
from payport.domain.facts import (
    _LEVELS,
    _TIES,
    AttemptFact,
    AttemptStatus,
    CaptureFact,
    CaptureStatus,
    DisputeFact,
    DisputeStatus,
    Facts,
    RefundFact,
    RefundStatus,
    same_moment,
    stands_over,
)
from payport.domain.money import Money
from payport.domain.secrets import Sealed
from payport.testing import strategies

KINDS = {
    AttemptFact: AttemptStatus,
    CaptureFact: CaptureStatus,
    RefundFact: RefundStatus,
    DisputeFact: DisputeStatus,
}
MAKERS = {"attempt": attempt, "capture": capture, "refund": refund, "dispute": dispute}
makers = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


class Nowhere(tzinfo):
    """A time zone that does not say how far it is from UTC."""

    def utcoffset(self, moment):
        return None


@makers
def test_a_moment_without_a_zone_is_refused(make):
    fact = make("succeeded", 5)
    for moment in (datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=Nowhere())):  # noqa: DTZ001
        with pytest.raises(InvalidRequest, match="aware") as caught:
            replace(fact, at=moment)
        assert caught.value.field == "at"


@makers
def test_a_fact_about_nothing_is_refused(make):
    with pytest.raises(InvalidRequest, match="id of its object") as caught:
        make("succeeded", 5, ref="")
    assert caught.value.field == "ref"


@pytest.mark.parametrize("make", [attempt, capture, refund])
def test_money_in_another_currency_is_a_fault_and_nothing_of_the_answer_is_applied(make):
    key = "authorized" if make is attempt else "amount"
    wrong = replace(make("succeeded", 5, ref="x_1"), **{key: Money(5, "EUR")})
    start = payment()
    with pytest.raises(ProviderFault, match="told EUR for x_1") as caught:
        apply(start, said(capture("succeeded", 100, ref="fine"), wrong))
    assert caught.value.reference == "order_1"
    assert start == payment()


def test_a_bank_may_dispute_in_its_own_currency():
    intent = payment(dispute(DisputeStatus.OPEN, Money(700, "JPY")))
    assert intent.disputed == usd(0)
    assert len(intent.disputes) == 1


def test_facts_are_told_apart_by_kind_and_kept_in_order():
    facts = (attempt("declined"), capture("failed", 1), refund("failed", 1), dispute("won", 1))
    assert tuple(said(*reversed(facts))) == facts
    assert tuple(Facts()) == ()


@pytest.mark.parametrize(
    ("kind", "status"), [(kind, status) for kind, words in KINDS.items() for status in words]
)
def test_every_state_has_its_place_in_the_order(kind, status):
    assert status.value in _TIES
    assert set(_LEVELS) == set(KINDS)
    assert kind in _LEVELS


@makers
def test_equal_statements_do_not_stand_over_each_other(make):
    fact = make("succeeded", 5)
    assert not stands_over(fact, replace(fact, raw=Sealed({"other": "payload"})))


_statements = strategies.facts(at_most=6).map(list)


@given(_statements)
def test_of_two_unequal_statements_exactly_one_stands(statements):
    for one, other in product(statements, repeat=2):
        if type(one) is type(other) and repr(one) != repr(other):
            assert stands_over(one, other) is not stands_over(other, one)


@given(st.lists(strategies.facts().flatmap(lambda f: st.just(f.captures)), min_size=3))
def test_standing_is_transitive(told):
    captures = [fact for facts in told for fact in facts][:5]
    for a, b, c in permutations(captures, 3):
        if stands_over(a, b) and stands_over(b, c):
            assert stands_over(a, c)


def test_what_a_read_tells_is_a_statement_of_the_moment_of_the_read():
    facts = said(
        attempt(AttemptStatus.PROCESSING, s=1),
        capture(CaptureStatus.SUCCEEDED, 5, s=2),
        refund(RefundStatus.SUCCEEDED, 5, s=3),
        dispute(DisputeStatus.OPEN, 5, s=99),
        attempt_ref="obj_1",
        tag="key_1",
    )
    read = facts.restated(at(9))
    # The provider's clock may be ahead of ours: what it dated later stays later.
    assert [fact.at for fact in read] == [at(9), at(9), at(9), at(99)]
    assert (read.attempt_ref, read.tag) == ("obj_1", "key_1")
    assert [fact.status for fact in read] == [fact.status for fact in facts]


# -- the lattice, state by state ------------------------------------------------------------------

A, C, D, R = AttemptStatus, CaptureStatus, DisputeStatus, RefundStatus
_UNDECIDED = [
    A.REQUIRES_PAYMENT_METHOD,
    A.REQUIRES_CONFIRMATION,
    A.REQUIRES_ACTION,
    A.PROCESSING,
    A.DECLINED,
    A.FAILED,
]


def later(make, status):
    return make(status, 5, s=9)


def earlier(make, status):
    return make(status, 5, s=1)


@pytest.mark.parametrize(
    ("make", "kept", "told_later"),
    [
        *[(attempt, A.AUTHORIZED, status) for status in (*_UNDECIDED, A.UNKNOWN)],
        *[
            (attempt, end, status)
            for end in (A.SUCCEEDED, A.CANCELED, A.EXPIRED)
            for status in (*_UNDECIDED, A.UNKNOWN, A.AUTHORIZED)
        ],
        *[(attempt, status, A.UNKNOWN) for status in _UNDECIDED],
        *[
            (capture, decided, status)
            for decided in (C.SUCCEEDED, C.FAILED)
            for status in (C.PENDING, C.UNKNOWN)
        ],
        *[
            (refund, decided, status)
            for decided in (R.SUCCEEDED, R.FAILED, R.CANCELED)
            for status in (R.PENDING, R.REQUIRES_ACTION, R.UNKNOWN)
        ],
        *[(dispute, status, D.UNKNOWN) for status in D if status is not D.UNKNOWN],
    ],
)
def test_a_higher_state_is_kept_whatever_is_told_later(make, kept, told_later):
    assert stands_over(earlier(make, kept), later(make, told_later))
    assert not stands_over(later(make, told_later), earlier(make, kept))


@pytest.mark.parametrize(
    ("make", "states"),
    [
        (attempt, _UNDECIDED),
        (attempt, [A.SUCCEEDED, A.CANCELED, A.EXPIRED]),
        (capture, [C.SUCCEEDED, C.FAILED]),
        (capture, [C.PENDING, C.UNKNOWN]),
        (refund, [R.SUCCEEDED, R.FAILED, R.CANCELED]),
        (refund, [R.PENDING, R.REQUIRES_ACTION, R.UNKNOWN]),
        (dispute, [status for status in D if status is not D.UNKNOWN]),
    ],
)
def test_between_states_that_really_alternate_the_later_one_stands(make, states):
    for first, second in permutations(states, 2):
        assert stands_over(later(make, second), earlier(make, first))


@pytest.mark.parametrize(
    ("make", "first", "second"),
    [
        (attempt, A.REQUIRES_PAYMENT_METHOD, A.REQUIRES_CONFIRMATION),
        (attempt, A.REQUIRES_CONFIRMATION, A.REQUIRES_ACTION),
        (attempt, A.REQUIRES_ACTION, A.PROCESSING),
        (attempt, A.PROCESSING, A.DECLINED),
        (attempt, A.DECLINED, A.FAILED),
        (attempt, A.CANCELED, A.SUCCEEDED),
        (attempt, A.EXPIRED, A.SUCCEEDED),
        (capture, C.UNKNOWN, C.PENDING),
        (capture, C.SUCCEEDED, C.FAILED),
        (refund, R.UNKNOWN, R.PENDING),
        (refund, R.PENDING, R.REQUIRES_ACTION),
        (refund, R.SUCCEEDED, R.FAILED),
        (refund, R.SUCCEEDED, R.CANCELED),
        (dispute, D.INQUIRY, D.OPEN),
        (dispute, D.OPEN, D.UNDER_REVIEW),
        (dispute, D.UNDER_REVIEW, D.WON),
        (dispute, D.WON, D.LOST),
        (dispute, D.UNDER_REVIEW, D.INQUIRY_CLOSED),
    ],
)
def test_within_one_second_the_state_that_comes_after_stands(make, first, second):
    assert stands_over(make(second, 5), make(first, 5))
    assert same_moment(make(first, 5), make(second, 5))


def test_within_one_second_a_total_that_grew_stands():
    assert stands_over(capture(C.SUCCEEDED, 1_000), capture(C.SUCCEEDED, 300))
    assert stands_over(attempt(A.AUTHORIZED, 1_000), attempt(A.AUTHORIZED, 300))


def test_one_moment_written_in_two_zones_is_one_moment():
    there = capture(C.SUCCEEDED, 5, s=1)
    here = replace(there, at=at(1).astimezone(timezone(timedelta(hours=-5))))
    assert here == there
    assert stands_over(replace(here, rank=1), there)
    assert same_moment(replace(here, status=C.FAILED), there)
