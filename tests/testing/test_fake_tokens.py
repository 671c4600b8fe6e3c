"""Every token of the table, in both colours, in every behaviour."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fake_calls import (
    COLOURS,
    DOLLARS,
    ask,
    capturing,
    confirming,
    creating,
    deliveries,
    failed,
    paid,
    read,
    refunding,
    told,
)

from payport.domain.actions import ClientToken, Redirect
from payport.domain.declines import Decline, DeclineReason
from payport.domain.facts import AttemptStatus, CaptureStatus, RefundStatus
from payport.domain.money import Money
from payport.domain.outcomes import FailureKind
from payport.providers.spec import Capability
from payport.testing import CARDS, Tokens, adyen_like, keyless, stripe_like

BEHAVIOURS = {"stripe_like": stripe_like, "adyen_like": adyen_like, "keyless": keyless}


@pytest.fixture(params=COLOURS.values(), ids=COLOURS)
def make(request):
    return request.param


@pytest.fixture(params=BEHAVIOURS.values(), ids=BEHAVIOURS)
def behaviour(request):
    return request.param()


@pytest.fixture
def fake(make, behaviour):
    return make(behaviour=behaviour)


def latest(fake, ref):
    """What the bank tells last about a payment: by reading, or by webhooks where it cannot be."""
    if fake.spec.has(Capability.RETRIEVE_PAYMENT):
        return read(fake, ref)
    return [d.facts for d in deliveries(fake) if d.attempt_ref == ref][-1]


@pytest.mark.parametrize("token", [Tokens.OK, Tokens.VISA])
def test_a_good_card_pays(fake, token):
    ref = paid(fake, token)

    facts = latest(fake, ref)
    assert [a.status for a in facts.attempts] == [AttemptStatus.SUCCEEDED]
    assert [(c.status, c.amount) for c in facts.captures] == [(CaptureStatus.SUCCEEDED, DOLLARS)]
    assert fake.bank.charged("order_1") == DOLLARS


@pytest.mark.parametrize("reason", DeclineReason)
def test_every_reason_to_decline_has_a_token(fake, reason):
    facts = told(fake, creating(Tokens.declined(reason)))

    (attempt,) = facts.attempts
    assert AttemptStatus.DECLINED is attempt.status
    assert Decline.of(reason) == attempt.decline
    assert attempt.decline.raw
    assert Money(0, "USD") == attempt.authorized
    assert Money(0, "USD") == fake.bank.charged("order_1")


def test_the_reason_that_nobody_knows_keeps_the_banks_word(fake):
    facts = told(fake, creating(Tokens.declined(DeclineReason.UNKNOWN)))

    assert facts.attempts[0].decline.raw == "unheard_of"


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (Tokens.INSUFFICIENT_FUNDS, DeclineReason.INSUFFICIENT_FUNDS),
        (Tokens.EXPIRED, DeclineReason.EXPIRED_CARD),
    ],
)
def test_readable_tokens_decline_too(fake, token, reason):
    assert reason is told(fake, creating(token)).attempts[0].decline.reason


def test_a_card_fails_by_nobodys_decision(fake):
    (attempt,) = told(fake, creating(Tokens.ERROR)).attempts

    assert AttemptStatus.FAILED is attempt.status
    assert attempt.decline is None


def test_a_token_the_bank_never_issued_is_refused_and_nothing_is_made(fake):
    failure = failed(fake, creating("pm_card_of_nobody"))

    assert FailureKind.INVALID_REQUEST is failure.kind
    assert failure.code == "no_such_method"
    assert fake.bank.payments == ()


def test_a_customer_is_sent_to_a_page_and_pays_when_back(fake):
    facts = told(fake, creating(Tokens.AUTHENTICATE, return_url="https://shop.invalid/back"))
    (attempt,) = facts.attempts
    assert AttemptStatus.REQUIRES_ACTION is attempt.status
    assert isinstance(attempt.next_action, Redirect)
    assert attempt.next_action.url.startswith("https://bank.invalid/authenticate/bp_000001?token=")
    assert facts.captures == ()

    assert fake.bank.authenticate(facts.attempt_ref) == "https://shop.invalid/back"

    assert AttemptStatus.SUCCEEDED is latest(fake, facts.attempt_ref).attempts[0].status
    assert fake.bank.charged("order_1") == DOLLARS


def test_a_shops_own_page_gets_a_client_token(fake):
    facts = told(fake, creating(Tokens.AUTHENTICATE_TOKEN))
    (attempt,) = facts.attempts
    assert AttemptStatus.REQUIRES_ACTION is attempt.status
    assert isinstance(attempt.next_action, ClientToken)
    assert attempt.next_action.token == "bp_000001_secret_1"

    fake.bank.authenticate("order_1")

    assert fake.bank.charged("order_1") == DOLLARS


def test_a_customer_who_fails_to_authenticate_is_declined(fake):
    ref = paid(fake, Tokens.AUTHENTICATE)

    fake.bank.authenticate(ref, ok=False)

    (attempt,) = latest(fake, ref).attempts
    assert DeclineReason.AUTHENTICATION_FAILED is attempt.decline.reason
    assert attempt.next_action is None


def test_a_customer_who_authenticates_may_still_be_declined(fake):
    ref = paid(fake, Tokens.AUTHENTICATE_DECLINED)

    fake.bank.authenticate(ref)

    assert DeclineReason.GENERIC is latest(fake, ref).attempts[0].decline.reason


@pytest.mark.parametrize("how", ["abandon", "clock"])
def test_a_customer_who_walks_away_times_out(fake, how):
    ref = paid(fake, Tokens.AUTHENTICATE)

    if how == "abandon":
        fake.bank.abandon(ref)
    else:
        fake.clock.advance(timedelta(minutes=59))
        assert AttemptStatus.REQUIRES_ACTION is latest(fake, ref).attempts[0].status
        fake.clock.advance(timedelta(minutes=1))

    (attempt,) = latest(fake, ref).attempts
    assert AttemptStatus.DECLINED is attempt.status
    assert DeclineReason.CUSTOMER_TIMED_OUT is attempt.decline.reason


def test_nobody_is_there_to_authenticate_off_session(fake):
    (attempt,) = told(fake, creating(Tokens.AUTHENTICATE, off_session=True)).attempts

    assert DeclineReason.AUTHENTICATION_REQUIRED is attempt.decline.reason


@pytest.mark.parametrize("how", ["settle", "clock"])
def test_an_issuer_that_thinks_pays_later(fake, how):
    ref = paid(fake, Tokens.PROCESSING)
    assert AttemptStatus.PROCESSING is latest(fake, ref).attempts[0].status

    if how == "settle":
        fake.bank.settle(ref)
    else:
        fake.clock.advance(timedelta(hours=1))

    assert AttemptStatus.SUCCEEDED is latest(fake, ref).attempts[0].status
    assert fake.bank.charged(ref) == DOLLARS


def test_an_issuer_that_thinks_declines_later(fake):
    ref = paid(fake, Tokens.PROCESSING_FAILS)

    fake.clock.advance(timedelta(hours=1))

    (attempt,) = latest(fake, ref).attempts
    assert AttemptStatus.DECLINED is attempt.status
    assert DeclineReason.PROCESSING_ERROR is attempt.decline.reason


def test_a_test_may_overrule_the_issuer(fake):
    ref = paid(fake, Tokens.PROCESSING_FAILS)

    fake.bank.settle(ref, ok=True)
    fake.clock.advance(timedelta(days=1))

    assert fake.bank.charged(ref) == DOLLARS


def test_an_issuer_may_authorise_less_than_the_amount(fake):
    ref = paid(fake, Tokens.PARTIAL, amount=Money(4999, "USD"))

    facts = latest(fake, ref)
    assert Money(2500, "USD") == facts.attempts[0].authorized
    assert Money(2500, "USD") == fake.bank.charged(ref)


def test_a_captured_payment_may_come_back(fake):
    ref = paid(fake, Tokens.CAPTURE_FAILS)
    assert fake.bank.charged(ref) == DOLLARS

    fake.clock.advance(timedelta(days=2))

    (capture,) = latest(fake, ref).captures
    assert CaptureStatus.FAILED is capture.status
    assert capture.amount == DOLLARS
    assert Money(0, "USD") == fake.bank.charged(ref)
    assert Money(0, "USD") == fake.bank.moved(ref)


def test_refunds_may_stay_pending(fake):
    ref = paid(fake, Tokens.REFUND_PENDING)
    (refund,) = told(fake, refunding(ref)).refunds
    assert RefundStatus.PENDING is refund.status

    fake.clock.advance(timedelta(days=60))
    assert Money(0, "USD") == fake.bank.refunded(ref)

    fake.bank.settle(refund.ref)
    assert Money(1000, "USD") == fake.bank.refunded(ref)


def test_refunds_may_fail_late(fake):
    ref = paid(fake, Tokens.REFUND_FAILS)
    assert RefundStatus.PENDING is told(fake, refunding(ref)).refunds[0].status

    fake.clock.advance(timedelta(days=2))

    (refund,) = latest(fake, ref).refunds
    assert RefundStatus.FAILED is refund.status
    assert refund.failure_code == "declined"
    assert fake.bank.moved(ref) == DOLLARS


def test_refunds_may_come_back(fake):
    ref = paid(fake, Tokens.REFUND_REVERSES)
    told(fake, refunding(ref))
    assert Money(4000, "USD") == fake.bank.moved(ref)

    fake.clock.advance(timedelta(days=2))

    (refund,) = latest(fake, ref).refunds
    assert RefundStatus.FAILED is refund.status
    assert refund.failure_code == "returned"
    assert fake.bank.moved(ref) == DOLLARS


def test_a_holder_may_dispute(fake):
    ref = paid(fake, Tokens.DISPUTE)
    assert fake.bank.disputes == ()

    fake.clock.advance(timedelta(days=1))

    (dispute,) = latest(fake, ref).disputes
    assert dispute.amount == DOLLARS
    assert dispute.reason_code == "fraudulent"
    assert fake.clock.now() < dispute.respond_by
    assert Money(0, "USD") == fake.bank.moved(ref)


@pytest.mark.parametrize("token", CARDS)
def test_every_token_leads_to_facts_that_the_domain_takes(fake, token):
    facts = told(fake, creating(token))

    assert len(facts.attempts) == 1
    assert AttemptStatus.UNKNOWN is not facts.attempts[0].status
    assert facts.attempts[0].number == 1


@pytest.mark.parametrize("token", CARDS)
def test_every_token_works_with_a_capture_by_hand(fake, token):
    facts = told(fake, creating(token, manual=True))

    assert facts.captures == ()
    held = facts.attempts[0].status is AttemptStatus.AUTHORIZED
    outcome = ask(fake, capturing(facts.attempt_ref, 100))
    assert held == hasattr(outcome, "facts")


def test_a_declined_object_is_tried_again_where_the_bank_does_that(make):
    fake = make(behaviour=stripe_like())
    ref = paid(fake, Tokens.INSUFFICIENT_FUNDS)

    facts = told(fake, confirming(ref, Tokens.OK, attempt=2))

    assert ref == facts.attempt_ref
    (attempt,) = facts.attempts
    assert (attempt.number, attempt.try_ref) == (2, "bt_000002")
    assert AttemptStatus.SUCCEEDED is attempt.status


def test_a_declined_object_is_done_for_where_the_bank_does_not(make):
    fake = make(behaviour=adyen_like())
    ref = paid(fake, Tokens.INSUFFICIENT_FUNDS)

    assert failed(fake, confirming(ref, Tokens.OK, attempt=2)).code == "wrong_state"
    assert ref != told(fake, confirming(None, Tokens.OK, attempt=2)).attempt_ref
