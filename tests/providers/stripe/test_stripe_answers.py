"""Answers become outcomes: facts where Stripe told some, by exchanges run by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from stripe_help import (
    MADE,
    MOMENT,
    NOW,
    TAG,
    Ran,
    adapter,
    answer,
    canceling,
    capturing,
    charge,
    confirming,
    creating,
    declined,
    dispute,
    error,
    held,
    listing,
    payment,
    ran,
    refund,
    refunding,
    replay,
    unpaid,
)

from payport.domain.facts import AttemptStatus, CaptureStatus, DisputeStatus, RefundStatus
from payport.domain.money import Money
from payport.domain.outcomes import Certainty, FailureKind
from payport.providers.outcomes import Account, Answer, Failure
from payport.providers.stripe import API_VERSION
from payport.providers.stripe.objects import moment_from

_SECOND = timedelta(seconds=1)


# -- attempts to be paid --------------------------------------------------------------------------


def test_a_payment_that_succeeded_is_told_with_what_was_taken() -> None:
    one = ran(creating(), answer(payment(latest_charge=charge())))
    assert one.outcome.request_id == "req_1"
    assert one.outcome.provider_time == MOMENT
    assert (one.facts.attempt_ref, one.facts.tag) == ("pi_1", TAG)
    assert one.facts.api_version == API_VERSION
    assert (one.attempt.status, one.attempt.authorized.minor) == (AttemptStatus.SUCCEEDED, 4_999)
    (capture,) = one.facts.captures
    assert (capture.ref, capture.attempt_ref, capture.amount.minor) == ("ch_1", "pi_1", 4_999)
    assert capture.status is CaptureStatus.SUCCEEDED


def test_what_is_held_is_not_taken() -> None:
    one = ran(creating(manual=True), answer(held()))
    assert one.attempt.status is AttemptStatus.AUTHORIZED
    assert one.attempt.authorized.minor == 4_999
    assert not one.facts.captures


def test_a_decline_is_an_answer() -> None:
    told = error(
        "card_declined",
        "card_error",
        decline_code="insufficient_funds",
        payment_intent=declined(charge="ch_2"),
    )
    for command in (creating(), confirming(), confirming(None)):
        one = ran(command, answer(told, 402))
        assert one.attempt.status is AttemptStatus.DECLINED
        assert one.attempt.decline.reason == "insufficient_funds"
        assert one.attempt.try_ref == "ch_2"
        assert one.outcome.certainty is Certainty.CONFIRMED


def test_a_decline_that_only_the_error_explains_is_explained() -> None:
    bare = unpaid(last_payment_error=None)
    told = error("card_declined", "card_error", decline_code="lost_card", payment_intent=bare)
    one = ran(creating(), answer(told, 402))
    assert one.attempt.decline.reason == "lost_or_stolen"


def test_an_error_without_a_payment_made_none() -> None:
    told = error("card_declined", "card_error", decline_code="generic_decline")
    outcome = ran(creating(), answer(told, 402)).outcome
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.code) == (FailureKind.INVALID_REQUEST, "card_declined")


def test_a_refused_capture_and_refund_are_refusals() -> None:
    """The payment that comes with the error says nothing of what was asked."""
    told = error("card_declined", "card_error", payment_intent=held())
    for command in (capturing(), refunding()):
        outcome = ran(command, answer(told, 402)).outcome
        assert isinstance(outcome, Failure)
        assert outcome.certainty is Certainty.REJECTED


@pytest.mark.parametrize("status", ["succeeded", "requires_capture", "processing"])
def test_confirming_what_was_confirmed_tells_how_it_stands(status: str) -> None:
    told = error("payment_intent_unexpected_state", payment_intent=payment(status=status))
    one = ran(confirming(), answer(told, 400))
    assert isinstance(one.outcome, Answer)
    assert one.attempt.status is not AttemptStatus.UNKNOWN


@pytest.mark.parametrize("status", ["requires_payment_method", "requires_confirmation", "new", 7])
def test_a_refused_confirmation_of_something_open_is_a_refusal(status: Any) -> None:
    told = error("payment_intent_unexpected_state", payment_intent=unpaid(status))
    assert isinstance(ran(confirming(), answer(told, 400)).outcome, Failure)


def test_canceling_what_is_canceled_is_canceling_it() -> None:
    gone = unpaid("canceled", canceled_at=NOW - 99)
    told = error("payment_intent_unexpected_state", payment_intent=gone)
    one = ran(canceling(), answer(told, 400))
    assert one.attempt.status is AttemptStatus.CANCELED
    assert one.attempt.at == MOMENT - 99 * _SECOND


def test_canceling_what_is_paid_is_a_refusal() -> None:
    told = error("payment_intent_unexpected_state", payment_intent=payment())
    outcome = ran(canceling(), answer(told, 400)).outcome
    assert outcome.kind is FailureKind.INVALID_REQUEST


def test_capturing_what_is_captured_is_a_refusal() -> None:
    told = error("payment_intent_unexpected_state", payment_intent=payment())
    assert ran(capturing(), answer(told, 400)).outcome.kind is FailureKind.INVALID_REQUEST


@pytest.mark.parametrize(
    "document",
    [
        {"hello": "world"},
        {},
        [],
        None,
        b"<html>",
        b"\xff",
        b"[" * 200_000,
        b'{"id": 1' + b"0" * 10_000 + b"}",
        refund(),
        payment(id=None),
        payment(id="pi_1/.."),
        payment(amount_received="4999"),
        payment(amount_received=True),
        payment(currency="xxx"),
        payment(currency=None),
        payment(status=["succeeded"]),
        payment(metadata=[]),
        payment(latest_charge={"id": "ch_1"}),
        {name: value for name, value in payment().items() if name != "latest_charge"},
    ],
    ids=repr,
)
def test_an_answer_that_cannot_be_read_proves_nothing(document: Any) -> None:
    for command in (creating(), confirming(), capturing(), canceling()):
        outcome = ran(command, answer(document)).outcome
        assert isinstance(outcome, Failure)
        assert outcome.kind is FailureKind.UNKNOWN
        assert outcome.request_id == "req_1"


# -- how old an answer is -------------------------------------------------------------------------


def test_an_answer_is_as_old_as_it_says() -> None:
    one = ran(creating(), answer(payment(latest_charge=charge())))
    assert {fact.at for fact in one.facts} == {MOMENT}


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Sep 2026 14:13:20 GMT"])
def test_without_a_date_it_is_as_old_as_the_object_proves(date: str) -> None:
    one = ran(creating(), answer(payment(latest_charge=charge()), date=date))
    assert {fact.at for fact in one.facts} == {moment_from(MADE + 1)}
    assert one.outcome.provider_time is None


def test_a_replay_is_as_old_as_what_it_replays() -> None:
    first = ran(creating(), answer(held(latest_charge=charge(amount_captured=0)), date=""))
    again = ran(creating(), replay(held(latest_charge=charge(amount_captured=0))))
    assert list(again.facts) == list(first.facts)
    assert again.attempt.at == moment_from(MADE + 1)
    assert (first.outcome.replayed, again.outcome.replayed) == (False, True)
    assert again.outcome.provider_time == MOMENT


def test_what_was_only_made_is_as_old_as_itself() -> None:
    """So that a replayed confirmation within the next second is later than it."""
    one = ran(creating(confirm=False), answer(unpaid("requires_confirmation")))
    assert one.attempt.at == moment_from(MADE)


def test_rounds_are_told_apart_within_one_second() -> None:
    told = error("card_declined", "card_error", payment_intent=declined())
    first = ran(creating(), answer(told, 402))
    second = ran(confirming(attempt=2), answer(told, 402))
    assert first.attempt.at == second.attempt.at
    assert (first.attempt.rank, second.attempt.rank) == (0, 1)


def test_a_replayed_confirmation_that_passes_is_read_anew() -> None:
    """An object that was tried before does not say when it came into its state."""
    old = replay(unpaid("requires_action", latest_charge="ch_1"))
    now = answer(payment(latest_charge=charge(id="ch_2")))
    one = ran(confirming(attempt=2), old, now)
    assert one.targets[1].startswith("GET /v1/payment_intents/pi_1?expand")
    assert one.outcome.replayed
    assert one.attempt.status is AttemptStatus.SUCCEEDED
    assert one.attempt.at == MOMENT


def test_a_replayed_decline_of_a_confirmation_is_read_anew() -> None:
    told = error("card_declined", "card_error", payment_intent=declined())
    one = ran(confirming(attempt=2), replay(told, 402), answer(declined()))
    assert one.attempt.status is AttemptStatus.DECLINED
    assert one.attempt.at == MOMENT


def test_a_replayed_confirmation_that_cannot_be_read_anew_stays_what_it_is() -> None:
    old = replay(unpaid("requires_action", latest_charge=None))
    one = ran(confirming(attempt=2), old, answer(error("rate_limit"), 429))
    assert one.attempt.status is AttemptStatus.REQUIRES_ACTION
    assert one.attempt.at == moment_from(MADE)


def test_a_replayed_confirmation_that_decided_is_not_read_again() -> None:
    one = ran(confirming(), replay(payment(latest_charge=charge())))
    assert one.attempt.at == moment_from(MADE + 1)
    assert len(one.requests) == 1


def test_a_replayed_capture_of_several_is_read_anew() -> None:
    """The totals of several captures are one fact: an old one must not stand over a younger one."""
    part = capturing(Money(1_000, "USD"), final=False, capture_reference="second")
    old = replay(held(amount_received=2_000, amount_capturable=2_999))
    now = answer(held(amount_received=3_000, amount_capturable=1_999))
    one = ran(part, old, now, multicapture=True)
    assert [(c.amount.minor, c.at) for c in one.facts.captures] == [(3_000, MOMENT)]


def test_a_replayed_capture_that_was_the_only_one_is_not_read_again() -> None:
    one = ran(capturing(), replay(payment(latest_charge=charge())))
    assert len(one.requests) == 1
    assert one.facts.captures[0].at == moment_from(MADE + 1)


def test_a_cancellation_is_as_old_as_it_says_itself() -> None:
    gone = unpaid("canceled", canceled_at=MADE + 5)
    for told in (answer(gone), replay(gone)):
        assert ran(canceling(), told).attempt.at == moment_from(MADE + 5)


# -- captures and refunds -------------------------------------------------------------------------


def test_a_capture_tells_its_tag() -> None:
    both = {"payport_key": "pp1_of_the_payment", "payport_capture": TAG}
    one = ran(capturing(), answer(payment(metadata=both, latest_charge=charge())))
    assert [capture.tag for capture in one.facts.captures] == [TAG]
    assert one.facts.tag == "pp1_of_the_payment"


def test_a_refund_tells_its_tag_and_its_payment() -> None:
    for told in (answer(refund()), replay(refund())):
        one = ran(refunding(Money(1_000, "USD")), told)
        assert (one.facts.attempt_ref, one.facts.tag) == ("pi_1", TAG)
        (fact,) = one.facts.refunds
        assert (fact.ref, fact.attempt_ref, fact.tag) == ("re_1", "pi_1", TAG)
        assert (fact.status, fact.amount.minor) == (RefundStatus.SUCCEEDED, 1_000)
        assert fact.at == moment_from(MADE + 2)
        assert not one.facts.attempts


def test_a_refund_of_nothing_that_exists_is_a_wrong_request() -> None:
    outcome = ran(refunding(), answer(error("resource_missing"), 404)).outcome
    assert outcome.kind is FailureKind.INVALID_REQUEST


@pytest.mark.parametrize(
    "document",
    [{"hello": "world"}, payment(), refund(payment_intent=None), refund(created=None), []],
    ids=repr,
)
def test_a_refund_that_cannot_be_read_proves_nothing(document: Any) -> None:
    assert ran(refunding(), answer(document)).outcome.kind is FailureKind.UNKNOWN


# -- reading --------------------------------------------------------------------------------------


def reading(*answers: Any) -> Ran:
    return Ran(adapter().retrieve_payment("pi_1"), *answers)


def test_reading_a_payment_is_one_request_while_nothing_is_disputed() -> None:
    given = [refund(id="re_1", metadata={}), refund(id="re_2", status="pending", amount=500)]
    told = charge(refunds=listing(*given), amount_refunded=1_500)
    one = reading(answer(payment(latest_charge=told)))
    assert len(one.requests) == 1
    assert [(r.ref, r.status, r.tag) for r in one.facts.refunds] == [
        ("re_1", RefundStatus.SUCCEEDED, None),
        ("re_2", RefundStatus.PENDING, TAG),
    ]
    assert {fact.at for fact in one.facts} == {MOMENT}


def test_more_refunds_than_fit_are_read_page_by_page() -> None:
    told = charge(refunds=listing(refund(), more=True))
    one = reading(
        answer(payment(latest_charge=told)),
        answer(listing(refund(id="re_3"), refund(id="re_2"), more=True)),
        answer(listing(refund(id="re_1"))),
    )
    assert [r.ref for r in one.facts.refunds] == ["re_3", "re_2", "re_1"]
    assert one.targets[1:] == [
        "GET /v1/refunds?payment_intent=pi_1&limit=100",
        "GET /v1/refunds?payment_intent=pi_1&limit=100&starting_after=re_2",
    ]


def test_disputes_are_read_where_there_are_some() -> None:
    one = reading(
        answer(payment(latest_charge=charge(disputed=True))), answer(listing(dispute(amount=700)))
    )
    assert one.targets[1] == "GET /v1/disputes?payment_intent=pi_1&limit=100"
    (fact,) = one.facts.disputes
    assert (fact.status, fact.amount.minor) == (DisputeStatus.OPEN, 700)


@pytest.mark.parametrize(
    "page", [answer({"object": "list"}), answer({"data": [7]}), answer(listing(refund(id=None)))]
)
def test_a_part_that_cannot_be_read_is_not_left_out(page: Any) -> None:
    told = charge(refunds=listing(more=True), disputed=True)
    for before in ((), (answer(listing()),)):
        one = reading(answer(payment(latest_charge=told)), *before, page)
        assert isinstance(one.outcome, Failure)
        assert one.outcome.kind is FailureKind.UNKNOWN


def test_a_listing_that_never_ends_is_given_up() -> None:
    told = charge(refunds=listing(more=True))
    pages = [answer(listing(refund(), more=True))] * 20
    assert isinstance(reading(answer(payment(latest_charge=told)), *pages).outcome, Failure)


def test_a_payment_that_nobody_made_is_not_found() -> None:
    outcome = reading(answer(error("resource_missing"), 404)).outcome
    assert outcome.kind is FailureKind.NOT_FOUND


def test_a_refund_is_read_as_it_is_now() -> None:
    one = Ran(adapter().retrieve_refund("re_1"), answer(refund(status="failed")))
    assert one.targets == ["GET /v1/refunds/re_1"]
    (fact,) = one.facts.refunds
    assert (fact.status, fact.at) == (RefundStatus.FAILED, MOMENT)
    absent = Ran(adapter().retrieve_refund("re_1"), answer(error("resource_missing"), 404))
    assert absent.outcome.kind is FailureKind.NOT_FOUND


# -- the account ----------------------------------------------------------------------------------


def asking(told: Any, **options: Any) -> Ran:
    return Ran(adapter(**options).account(), told)


def test_the_account_is_what_stripe_says() -> None:
    one = asking(answer({"id": "acct_1", "object": "account"}))
    assert one.outcome == Account(id="acct_1", endpoint="https://api.stripe.com")
    assert one.targets == ["GET /v1/account"]
    here = asking(answer({"id": "acct_1"}), base_url="http://127.0.0.1:8420/")
    assert here.outcome.endpoint == "http://127.0.0.1:8420"


def test_a_restricted_key_learns_its_account_from_the_refusal() -> None:
    """There is no permission that would allow it to read its account."""
    told = error(None)
    told["error"]["message"] = (
        "The provided key 'rk_test_****1234' does not have the required permissions for this "
        "endpoint on account 'acct_1PJ'. Having more permissions would allow this request."
    )
    assert asking(answer(told, 403)).outcome.id == "acct_1PJ"


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (answer(error(None), 401), FailureKind.AUTHENTICATION),
        (answer(error(None), 403), FailureKind.PERMISSION),
        (answer(error(None, message=None), 403), FailureKind.PERMISSION),
        (answer({"object": "account"}), FailureKind.UNKNOWN),
        (answer(b"<html>", 403), FailureKind.UNKNOWN),
    ],
)
def test_an_account_that_is_not_told_is_a_failure(told: Any, kind: FailureKind) -> None:
    assert asking(told).outcome.kind is kind
