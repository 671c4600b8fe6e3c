"""The status is a projection in which money comes first: nothing hides what was taken or held."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saying import (
    asked_capture,
    asked_refund,
    attempt,
    capture,
    dispute,
    payment,
    refund,
    said,
    tell,
    usd,
)

from payport.domain.actions import ClientToken, Redirect
from payport.domain.declines import Decline, DeclineReason
from payport.domain.errors import PaymentDeclined
from payport.domain.facts import AttemptStatus, CaptureStatus, DisputeStatus, RefundStatus
from payport.domain.money import Money
from payport.domain.payment_intent import PaymentStatus
from payport.domain.secrets import Sealed
from payport.testing import strategies

A, C, P, R, D = AttemptStatus, CaptureStatus, PaymentStatus, RefundStatus, DisputeStatus


def held_in(intent):
    return sum(a.authorized.minor for a in intent.attempts if a.status is A.AUTHORIZED)


# -- projections of whole payments ----------------------------------------------------------------

_HALF = [capture(C.SUCCEEDED, 2_000)]

CASES = {
    "nothing given": (payment(has_payment_method=False), P.REQUIRES_PAYMENT_METHOD),
    "a method given": (payment(), P.REQUIRES_CONFIRMATION),
    "an object without a method": (
        payment(attempt(A.REQUIRES_PAYMENT_METHOD)),
        P.REQUIRES_PAYMENT_METHOD,
    ),
    "an object with a method": (payment(attempt(A.REQUIRES_CONFIRMATION)), P.REQUIRES_CONFIRMATION),
    "the customer is asked": (payment(attempt(A.REQUIRES_ACTION)), P.REQUIRES_ACTION),
    "the bank decides": (payment(attempt(A.PROCESSING)), P.PROCESSING),
    "declined": (payment(attempt(A.DECLINED)), P.REQUIRES_PAYMENT_METHOD),
    "failed": (payment(attempt(A.FAILED)), P.FAILED),
    "canceled": (payment(attempt(A.CANCELED, 5_000)), P.CANCELED),
    "expired": (payment(attempt(A.EXPIRED, 5_000)), P.CANCELED),
    "a word nobody knows": (payment(attempt(A.UNKNOWN)), P.UNKNOWN),
    "held": (payment(attempt(A.AUTHORIZED, 5_000)), P.REQUIRES_CAPTURE),
    "held in part": (payment(attempt(A.AUTHORIZED, 3_000)), P.REQUIRES_CAPTURE),
    "held, and all of it being taken": (
        payment(attempt(A.AUTHORIZED, 5_000), capture(C.PENDING, 5_000)),
        P.PROCESSING,
    ),
    "held, and part of it being taken": (
        payment(attempt(A.AUTHORIZED, 5_000), capture(C.PENDING, 2_000)),
        P.REQUIRES_CAPTURE,
    ),
    "held, and part of it taken": (
        payment(attempt(A.AUTHORIZED, 5_000), *_HALF),
        P.REQUIRES_CAPTURE,
    ),
    "held, and the capture failed": (
        payment(attempt(A.AUTHORIZED, 5_000), capture(C.FAILED, 5_000)),
        P.REQUIRES_CAPTURE,
    ),
    "taken": (payment(attempt(A.SUCCEEDED, 5_000), capture(C.SUCCEEDED, 5_000)), P.SUCCEEDED),
    "taken, and nothing told of the attempt": (payment(capture(C.SUCCEEDED, 5_000)), P.SUCCEEDED),
    "taken in part, and nothing told of the attempt": (payment(*_HALF), P.PROCESSING),
    "taken, and refunded": (
        payment(capture(C.SUCCEEDED, 5_000), refund(R.SUCCEEDED, 5_000)),
        P.SUCCEEDED,
    ),
    "taken, and disputed": (
        payment(capture(C.SUCCEEDED, 5_000), dispute(D.LOST, 5_000)),
        P.SUCCEEDED,
    ),
    "part taken by a final capture": (payment(attempt(A.SUCCEEDED, 5_000), *_HALF), P.SUCCEEDED),
    "part taken, the rest canceled": (payment(attempt(A.CANCELED, 5_000), *_HALF), P.SUCCEEDED),
    "part taken, the rest expired": (payment(attempt(A.EXPIRED), *_HALF), P.SUCCEEDED),
    "part taken, and the rest of it not decided": (
        payment(attempt(A.SUCCEEDED, 5_000), *_HALF, capture(C.PENDING, 3_000, ref="cap_2")),
        P.PROCESSING,
    ),
    "all taken of less than was due": (
        payment(attempt(A.SUCCEEDED, 2_000), *_HALF),
        P.REQUIRES_PAYMENT_METHOD,
    ),
    "less than was due being taken": (
        payment(attempt(A.SUCCEEDED, 2_000), capture(C.PENDING, 2_000)),
        P.PROCESSING,
    ),
    "nothing told of the capture yet": (payment(attempt(A.SUCCEEDED, 5_000)), P.PROCESSING),
    "taken, and it came back": (
        payment(attempt(A.SUCCEEDED, 5_000), capture(C.FAILED, 5_000)),
        P.REQUIRES_PAYMENT_METHOD,
    ),
    "canceled while a capture is not decided": (
        payment(attempt(A.CANCELED, 5_000), capture(C.UNKNOWN, 5_000)),
        P.PROCESSING,
    ),
    "canceled, and another attempt took part": (
        payment(
            attempt(A.CANCELED, 5_000, number=1),
            attempt(A.SUCCEEDED, 3_000, ref="obj_2", number=2),
            capture(C.SUCCEEDED, 3_000, of="obj_2"),
        ),
        P.REQUIRES_PAYMENT_METHOD,
    ),
    "less than was due taken, and a later attempt canceled": (
        payment(
            attempt(A.SUCCEEDED, 2_000, number=1),
            *_HALF,
            attempt(A.CANCELED, ref="obj_2", number=2),
        ),
        P.REQUIRES_PAYMENT_METHOD,
    ),
    "less than was due taken, and a later attempt failed": (
        payment(
            attempt(A.SUCCEEDED, 2_000, number=1), *_HALF, attempt(A.FAILED, ref="obj_2", number=2)
        ),
        P.REQUIRES_PAYMENT_METHOD,
    ),
    "all of one attempt came back, and another took less than was due": (
        payment(
            attempt(A.SUCCEEDED, 5_000, number=1),
            capture(C.FAILED, 5_000),
            attempt(A.SUCCEEDED, 2_000, ref="obj_2", number=2),
            capture(C.SUCCEEDED, 2_000, ref="cap_2", of="obj_2"),
        ),
        P.REQUIRES_PAYMENT_METHOD,
    ),
    "held, and a later attempt declined": (
        payment(
            attempt(A.AUTHORIZED, 5_000, number=1),
            attempt(A.DECLINED, ref="obj_2", number=2),
        ),
        P.REQUIRES_CAPTURE,
    ),
    "part taken for good, and another attempt holds money": (
        payment(
            attempt(A.SUCCEEDED, 5_000, number=1),
            *_HALF,
            attempt(A.AUTHORIZED, 5_000, ref="obj_2", number=2),
        ),
        P.REQUIRES_CAPTURE,
    ),
    "declined, and a later attempt canceled": (
        payment(attempt(A.DECLINED, number=1), attempt(A.CANCELED, ref="obj_2", number=2)),
        P.CANCELED,
    ),
    "an operation under way": (payment(in_flight=("key_1",)), P.PROCESSING),
    "an operation in doubt": (payment(unresolved=("key_1",)), P.UNKNOWN),
    "in doubt beside one under way": (payment(in_flight=("k",), unresolved=("u",)), P.UNKNOWN),
    "held, and in doubt": (
        payment(attempt(A.AUTHORIZED, 5_000), unresolved=("key_1",)),
        P.UNKNOWN,
    ),
    "part taken by a final capture, and in doubt": (
        payment(attempt(A.SUCCEEDED, 5_000), *_HALF, unresolved=("key_1",)),
        P.UNKNOWN,
    ),
    "taken, and in doubt": (
        payment(capture(C.SUCCEEDED, 5_000), unresolved=("key_1",), in_flight=("key_2",)),
        P.SUCCEEDED,
    ),
    "a capture of ours under way": (
        payment(attempt(A.AUTHORIZED, 5_000), captures=(asked_capture(5_000),)),
        P.PROCESSING,
    ),
}


@pytest.mark.parametrize(("intent", "status"), CASES.values(), ids=CASES.keys())
def test_the_status_of_a_payment(intent, status):
    assert intent.status is status


def test_every_status_is_reached():
    assert {status for _, status in CASES.values()} == set(PaymentStatus)


@given(strategies.payment_intents())
def test_a_payment_whose_money_was_taken_has_succeeded_whatever_else_is_said_of_it(intent):
    whole = tell(intent, [said(capture(C.SUCCEEDED, intent.amount.minor, ref="cap_whole"))])[0]
    assert whole.captured.minor >= intent.amount.minor
    assert whole.is_paid
    assert whole.status is P.SUCCEEDED


@given(strategies.payment_intents())
def test_paid_means_that_at_least_the_amount_was_taken(intent):
    assert intent.is_paid is (intent.captured.minor >= intent.amount.minor)
    if intent.is_paid:
        assert intent.status is P.SUCCEEDED


@given(strategies.payment_intents())
def test_no_status_says_that_nothing_was_taken_of_a_payment_that_was_taken_in_part(intent):
    if intent.captured.minor:
        assert intent.status not in {P.CANCELED, P.FAILED, P.REQUIRES_CONFIRMATION}


@given(strategies.payment_intents())
def test_an_operation_in_doubt_makes_the_payment_unknown_unless_it_is_paid(intent):
    doubted = replace(intent, unresolved=("key_1",))
    assert doubted.status is (P.SUCCEEDED if intent.is_paid else P.UNKNOWN)


@given(strategies.payment_intents())
def test_money_that_is_held_is_never_hidden_by_what_another_attempt_says(intent):
    settled = replace(intent, unresolved=(), in_flight=())
    if held_in(settled) and not settled.is_paid:
        assert settled.status in {P.REQUIRES_CAPTURE, P.PROCESSING}


@given(strategies.payment_intents())
def test_a_capture_that_is_not_decided_keeps_the_payment_open(intent):
    settled = replace(intent, unresolved=(), in_flight=())
    if settled.capture_pending.minor and not settled.is_paid:
        assert settled.status in {P.REQUIRES_CAPTURE, P.PROCESSING}


# -- totals -------------------------------------------------------------------------------------


def test_totals_are_sums_over_effects():
    intent = payment(
        attempt(A.SUCCEEDED, 6_000),
        attempt(A.CANCELED, 4_000, ref="obj_2"),
        capture(C.SUCCEEDED, 3_000, ref="cap_1"),
        capture(C.SUCCEEDED, 2_500, ref="cap_2"),
        capture(C.PENDING, 400, ref="cap_3"),
        capture(C.UNKNOWN, 50, ref="cap_4"),
        capture(C.FAILED, 9_000, ref="cap_5"),
        refund(R.SUCCEEDED, 300, ref="ref_1"),
        refund(R.SUCCEEDED, 300, ref="ref_2"),
        refund(R.PENDING, 40, ref="ref_3"),
        refund(R.REQUIRES_ACTION, 5, ref="ref_4"),
        refund(R.UNKNOWN, 7, ref="ref_5"),
        refund(R.FAILED, 1_000, ref="ref_6"),
        refund(R.CANCELED, 1_000, ref="ref_7"),
        dispute(D.OPEN, 200, ref="dsp_1"),
        dispute(D.UNDER_REVIEW, 20, ref="dsp_2"),
        dispute(D.LOST, 2, ref="dsp_3"),
        dispute(D.WON, 5_000, ref="dsp_4"),
        dispute(D.INQUIRY, 5_000, ref="dsp_5"),
        dispute(D.INQUIRY_CLOSED, 5_000, ref="dsp_6"),
        dispute(D.LOST, Money(70_000, "JPY"), ref="dsp_7"),
    )
    assert intent.authorized == usd(6_000)
    assert intent.captured == usd(5_500)
    assert intent.capture_pending == usd(450)
    assert intent.refunded == usd(600)
    assert intent.refund_pending == usd(52)
    assert intent.disputed == usd(222)
    assert intent.refundable == usd(5_500 - 600 - 52 - 222)
    assert intent.capturable == usd(0)


def test_what_is_capturable_is_what_is_held_less_what_is_taken_or_spoken_for():
    intent = payment(
        attempt(A.AUTHORIZED, 5_000),
        capture(C.SUCCEEDED, 1_000, ref="cap_1"),
        capture(C.PENDING, 500, ref="cap_2"),
        capture(C.FAILED, 3_000, ref="cap_3"),
        # Of an attempt that holds nothing any more.
        attempt(A.SUCCEEDED, 700, ref="obj_2"),
        capture(C.SUCCEEDED, 700, ref="cap_4", of="obj_2"),
        captures=(asked_capture(40),),
    )
    assert intent.capturable == usd(5_000 - 1_000 - 500 - 40)


def test_a_refund_of_ours_in_doubt_is_spoken_for_and_one_that_had_no_effect_is_not():
    taken = payment(capture(C.SUCCEEDED, 5_000))
    doubtful = replace(taken, refunds=(asked_refund(1_000, outcome=R.UNKNOWN),))
    without_effect = replace(taken, refunds=(asked_refund(1_000, outcome=R.FAILED),))
    under_way = replace(taken, refunds=(asked_refund(1_000),))
    assert [i.refundable for i in (doubtful, without_effect, under_way)] == [
        usd(4_000),
        usd(5_000),
        usd(4_000),
    ]


def test_a_dispute_that_nobody_understands_is_not_given_back_on_top():
    intent = payment(capture(C.SUCCEEDED, 5_000), dispute(D.UNKNOWN, 4_000))
    assert (intent.disputed, intent.refundable) == (usd(0), usd(1_000))


def test_a_word_nobody_knows_does_not_give_disputed_money_free():
    told = [said(dispute(D.OPEN, 4_000, s=1)), said(dispute(D.UNKNOWN, 4_000, s=2))]
    intent, _ = tell(payment(capture(C.SUCCEEDED, 5_000)), told)
    assert (intent.disputed, intent.refundable) == (usd(4_000), usd(1_000))


@given(strategies.payment_intents())
def test_totals_are_never_negative_and_never_promise_more_than_there_is(intent):
    totals = (
        intent.authorized,
        intent.captured,
        intent.capture_pending,
        intent.refunded,
        intent.refund_pending,
        intent.disputed,
        intent.capturable,
        intent.refundable,
    )
    assert all(amount.minor >= 0 and amount.currency == "USD" for amount in totals)
    assert intent.capturable.minor <= held_in(intent)
    assert intent.refundable.minor <= intent.captured.minor


# -- the latest attempt ---------------------------------------------------------------------------


def test_the_latest_attempt_has_the_highest_number_and_of_equal_numbers_was_told_last():
    first = attempt(A.DECLINED, ref="obj_b", number=1, s=9)
    second = attempt(A.PROCESSING, ref="obj_a", number=2, s=1)
    unnumbered = attempt(A.CANCELED, ref="obj_c", s=20)
    assert payment(first, second, unnumbered).provider_ref == "obj_a"
    twins = [attempt(A.DECLINED, ref=ref, s=s) for ref, s in (("obj_z", 1), ("obj_y", 2))]
    assert payment(*twins).provider_ref == "obj_y"
    assert payment().provider_ref is None


def test_a_decline_is_told_while_it_is_the_latest_word():
    no = Decline.of(DeclineReason.EXPIRED_CARD)
    declined = payment(attempt(A.DECLINED, decline=no))
    assert declined.decline == no
    with pytest.raises(PaymentDeclined) as caught:
        declined.raise_for_decline()
    assert (caught.value.decline, caught.value.payment) == (no, declined)
    paid, _ = tell(declined, [said(attempt(A.AUTHORIZED, 5_000, s=1, decline=no))])
    assert paid.decline is None
    paid.raise_for_decline()


@pytest.mark.parametrize("status", [A.DECLINED, A.FAILED, A.CANCELED])
def test_a_decline_is_an_outcome_of_a_payment_that_was_said_no_to(status):
    no = Decline.of(DeclineReason.GENERIC)
    assert payment(attempt(status, decline=no)).decline == no


def test_the_next_action_is_there_only_while_the_customer_has_to_act():
    to_bank = Redirect(target=Sealed("https://bank.example"))
    asked = payment(attempt(A.REQUIRES_ACTION, next_action=to_bank))
    assert asked.next_action.url == "https://bank.example"
    assert replace(asked, unresolved=("key_1",)).next_action is None
    done, _ = tell(asked, [said(attempt(A.PROCESSING, s=1, next_action=to_bank))])
    assert done.next_action is None
    assert payment().next_action is None


def test_the_fresher_of_two_equal_statements_brings_the_fresher_token():
    old, new = (
        attempt(A.REQUIRES_ACTION, next_action=ClientToken(secret=Sealed(token)))
        for token in ("tok_old", "tok_new")
    )
    intent, _ = tell(payment(old), [said(new)])
    assert intent.next_action.token == "tok_new"


def test_a_refund_is_found_by_payports_id():
    ours = asked_refund(100)
    intent = payment(refunds=(ours, asked_refund(100, number=2)))
    assert intent.refund(ours.id) is intent.refunds[0]
    assert intent.refund("rfd_of_another_payment") is None


@given(st.data())
def test_a_refund_speaks_for_what_was_asked_until_the_provider_says_otherwise(data):
    outcome = data.draw(st.sampled_from(RefundStatus))
    ours = asked_refund(100, outcome=outcome)
    assert (ours.status, ours.amount, ours.provider_ref) == (outcome, usd(100), None)
    told = replace(ours, fact=refund(R.SUCCEEDED, 90, ref="ref_9"))
    assert (told.status, told.amount, told.provider_ref) == (R.SUCCEEDED, usd(90), "ref_9")
