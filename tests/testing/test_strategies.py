"""The strategies make what payport accepts, of every kind, and only they need hypothesis."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payport.domain.apply import apply
from payport.domain.facts import (
    AttemptFact,
    AttemptStatus,
    CaptureFact,
    CaptureStatus,
    DisputeFact,
    DisputeStatus,
    Facts,
    RefundFact,
    RefundStatus,
)
from payport.domain.payment_intent import PaymentStatus
from payport.domain.sensitive import refuse_sensitive
from payport.providers.spec import Limits
from payport.testing import histories, strategies


def what_is_made(strategy, seen, examples=300):
    """All that `seen` finds in a fixed sample."""
    found = set()

    @settings(max_examples=examples, derandomize=True, database=None)
    @given(strategy)
    def look(made):
        found.update(seen(made))

    look()
    return found


@given(strategies.metadata(at_most=3))
def test_metadata_is_within_what_every_provider_keeps(made):
    limits = Limits()
    assert len(made) <= 3
    assert all(0 < len(key) <= limits.metadata_key_length for key in made)
    assert all(0 < len(value) <= limits.metadata_value_length for value in made.values())
    refuse_sensitive(dict(made), operation=None, field="metadata")


@given(strategies.references())
def test_references_hold_nothing_that_looks_like_a_card(made):
    refuse_sensitive(made, operation=None, field="reference")


@given(strategies.money("JPY", at_least=5, at_most=9))
def test_money_is_between_what_was_asked(made):
    assert 5 <= made.minor <= 9
    assert made.currency == "JPY"


def test_money_is_in_every_kind_of_currency():
    found = what_is_made(strategies.money(), lambda made: {made.exponent}, examples=2000)
    assert found == {0, 2, 3, 4}


@given(strategies.moments())
def test_moments_are_whole_seconds_with_a_zone(made):
    assert made.utcoffset().total_seconds() == 0
    assert made.microsecond == 0


KINDS = sorted(
    set(histories.__all__) - {"START", "History", "new_payment"},
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_history_can_be_asked_for_by_name(kind):
    @settings(max_examples=5)
    @given(strategies.histories(kind))
    def one(story):
        assert story.kind == kind
        assert story.told
        assert story.payment.status is PaymentStatus.REQUIRES_CONFIRMATION or story.payment.captures

    one()


def test_by_default_every_kind_is_told():
    assert what_is_made(strategies.histories(), lambda story: {story.kind}) == set(KINDS)


def test_a_history_begins_and_goes_on_when_it_is_told_to():
    for kind in KINDS:
        amount = strategies.Money(6_000, "USD")
        extra = {
            "partial_captures": ([2_000, 2_000],),
            "running_total": ([2_000, 2_000],),
            "refunds_that_fail": (1_000,),
            "equal_refunds": (1_000, 3),
            "disputed": (1_000,),
        }.get(kind, ())
        pace = {"start": datetime(2030, 1, 1, tzinfo=UTC), "gap": timedelta(seconds=10)}
        story = getattr(histories, kind)(amount, *extra, **pace)
        moments = sorted({fact.at for facts in story.told for fact in facts})
        expected = [pace["start"] + n * pace["gap"] for n in range(len(story.told))]
        assert moments == expected


VOCABULARIES = {
    AttemptFact: AttemptStatus,
    CaptureFact: CaptureStatus,
    RefundFact: RefundStatus,
    DisputeFact: DisputeStatus,
}


def test_facts_are_in_every_state():
    seen = what_is_made(strategies.facts(), lambda facts: {(type(f), f.status) for f in facts})
    assert seen == {(kind, status) for kind, words in VOCABULARIES.items() for status in words}


@given(strategies.facts("EUR"))
def test_facts_are_in_the_payments_currency_and_may_be_applied(facts):
    payment = histories.new_payment(strategies.Money(500, "EUR"))
    assert apply(payment, facts).intent.amount.currency == "EUR"
    assert type(facts) is Facts


def test_payments_are_in_every_status():
    made = strategies.payment_intents()
    seen = what_is_made(made, lambda payment: {payment.status}, examples=600)
    assert seen == set(PaymentStatus)


@given(st.data())
def test_payments_hold_what_facts_left_and_nothing_that_contradicts_itself(data):
    payment = data.draw(strategies.payment_intents())
    assert len({r.id for r in payment.refunds}) == len(payment.refunds)
    assert len({a.ref for a in payment.attempts}) == len(payment.attempts)


def test_histories_are_told_without_hypothesis():
    code = "import sys, payport.testing.histories; sys.exit('hypothesis' in sys.modules)"
    path = [entry for entry in sys.path if entry]
    ran = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}; {code}"], check=False
    )
    assert ran.returncode == 0
