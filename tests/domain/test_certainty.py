"""An operation's outcome is the least certain over all its sends."""

from itertools import product

import pytest

from payport.domain.outcomes import CERTAINTY, Certainty, FailureKind, combine

#: What one send can end in: facts, or one of the failures.
SENDS = ("facts", *FailureKind)
SEQUENCES = [s for length in range(1, 5) for s in product(SENDS, repeat=length)]


def certainty_of(send):
    return Certainty.CONFIRMED if send == "facts" else CERTAINTY[send]


def combined(sends):
    outcome = None
    for send in sends:
        outcome = combine(outcome, certainty_of(send))
    return outcome


def test_what_each_failure_proves_about_its_own_send():
    assert CERTAINTY == {
        FailureKind.INVALID_REQUEST: Certainty.REJECTED,
        FailureKind.AUTHENTICATION: Certainty.NO_EFFECT,
        FailureKind.PERMISSION: Certainty.NO_EFFECT,
        FailureKind.RATE_LIMITED: Certainty.NO_EFFECT,
        FailureKind.UNAVAILABLE: Certainty.NO_EFFECT,
        FailureKind.CONGESTED: Certainty.NO_EFFECT,
        FailureKind.CIRCUIT_OPEN: Certainty.NO_EFFECT,
        FailureKind.IN_PROGRESS: Certainty.UNKNOWN,
        FailureKind.KEY_REUSED: Certainty.UNKNOWN,
        FailureKind.NOT_FOUND: Certainty.UNKNOWN,
        FailureKind.UNKNOWN: Certainty.UNKNOWN,
    }
    assert set(CERTAINTY) == set(FailureKind)


def test_after_an_ambiguous_send_only_facts_conclude_over_all_sequences():
    # 11,110 sequences of up to four sends.
    for sends in SEQUENCES:
        told = [certainty_of(send) for send in sends]
        if Certainty.CONFIRMED in told:
            expected = Certainty.CONFIRMED
        elif Certainty.UNKNOWN in told:
            expected = Certainty.UNKNOWN
        else:
            expected = told[-1]
        assert combined(sends) is expected, sends


@pytest.mark.parametrize(
    "later",
    [
        FailureKind.UNAVAILABLE,
        FailureKind.AUTHENTICATION,
        FailureKind.RATE_LIMITED,
        FailureKind.INVALID_REQUEST,
        FailureKind.PERMISSION,
    ],
)
def test_a_time_out_followed_by_a_refusal_is_unknown(later):
    assert combined([FailureKind.UNKNOWN, later]) is Certainty.UNKNOWN
    assert combined([FailureKind.UNKNOWN, later, "facts"]) is Certainty.CONFIRMED
    assert combined([later]) is not Certainty.UNKNOWN


def test_a_send_that_had_no_effect_leaves_the_word_to_the_next_one():
    assert combined([FailureKind.UNAVAILABLE, FailureKind.INVALID_REQUEST]) is Certainty.REJECTED
    assert combined([FailureKind.INVALID_REQUEST, FailureKind.UNAVAILABLE]) is Certainty.NO_EFFECT


def test_facts_are_not_taken_back_by_a_later_failure():
    assert all(combined(["facts", kind]) is Certainty.CONFIRMED for kind in FailureKind)
