"""Stripe's objects become facts: every state, to the last minor unit, and none is guessed."""

from __future__ import annotations

import re
import typing
from datetime import timedelta
from typing import Any

import pytest
import stripe
from stripe_help import (
    MADE,
    MOMENT,
    NOW,
    TAG,
    charge,
    declined,
    dispute,
    held,
    payment,
    refund,
    unpaid,
)

from payport.domain.actions import ClientToken, Redirect
from payport.domain.apply import apply
from payport.domain.facts import (
    AttemptStatus,
    CaptureStatus,
    DisputeStatus,
    RefundStatus,
    stands_over,
)
from payport.domain.identifiers import Environment
from payport.domain.money import Money
from payport.domain.payment_intent import PaymentIntent, PaymentStatus
from payport.providers.stripe.facts import (
    ATTEMPTS,
    CANCELLATIONS,
    DISPUTES,
    REFUNDS,
    Moment,
    charge_facts,
    dispute_facts,
    payment_facts,
    refund_facts,
)
from payport.providers.stripe.objects import UNREADABLE, moment_from
from payport.providers.stripe.spec import EXPONENTS, money_from, spec_with, wire_amount

_SECOND = timedelta(seconds=1)
WHEN = Moment(at=MOMENT)


def words(kind: type, field: str) -> set[str]:
    """The words that the SDK's type of a field lists."""
    return set(re.findall(r"'(\w+)'", str(kind.__annotations__[field])))


def attempt(document: dict[str, Any]) -> Any:
    (fact,) = payment_facts(document, WHEN).attempts
    return fact


def paid_for(amount: int, currency: str = "USD") -> PaymentIntent:
    return PaymentIntent(
        id="pay_1",
        reference="order_1",
        scope="shop",
        environment=Environment.TEST,
        provider="stripe",
        account="acct_1",
        amount=Money(amount, currency),
        created_at=MOMENT,
    )


# -- attempts -------------------------------------------------------------------------------------


def test_every_state_of_the_sdk_is_in_the_table_and_no_other() -> None:
    assert set(ATTEMPTS) == words(stripe.PaymentIntent, "status")
    assert set(DISPUTES) == words(stripe.Dispute, "status")
    assert set(CANCELLATIONS) < words(stripe.PaymentIntent, "cancellation_reason")
    # The SDK tells a refund's states in words only.
    listed = set(re.findall(r"`(\w+)`", typing.cast("str", _doc_of(stripe.Refund, "status"))))
    assert set(REFUNDS) == listed


def _doc_of(kind: type, field: str) -> str:
    source = __import__("inspect").getsource(kind)
    return str(source.split(f"    {field}: Optional[str]\n")[1].split('"""')[1])


@pytest.mark.parametrize(("word", "status"), list(ATTEMPTS.items()))
def test_a_payments_state_is_told(word: str, status: AttemptStatus) -> None:
    assert attempt(unpaid(word)).status is status


def test_a_payment_that_was_declined_is_not_one_without_a_method() -> None:
    assert attempt(unpaid()).status is AttemptStatus.REQUIRES_PAYMENT_METHOD
    assert attempt(unpaid()).decline is None
    told = attempt(declined("expired_card"))
    assert (told.status, told.decline.reason) == (AttemptStatus.DECLINED, "expired_card")


def test_an_old_error_declines_nothing_that_went_on() -> None:
    for status in ("requires_action", "processing", "succeeded"):
        told = attempt(declined(status=status))
        assert (told.status, told.decline) == (ATTEMPTS[status], None)


@pytest.mark.parametrize("status", ["requires_reauthorization", "", "SUCCEEDED", 7, None])
def test_a_state_that_nobody_knows_is_unknown(status: Any) -> None:
    told = payment_facts(unpaid(status), WHEN)
    assert [fact.status for fact in told] == [AttemptStatus.UNKNOWN]


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("automatic", AttemptStatus.EXPIRED),
        ("expired", AttemptStatus.EXPIRED),
        ("requested_by_customer", AttemptStatus.CANCELED),
        ("something_new", AttemptStatus.CANCELED),
        (None, AttemptStatus.CANCELED),
    ],
)
def test_who_ended_a_payment_is_told(reason: str | None, status: AttemptStatus) -> None:
    gone = unpaid("canceled", cancellation_reason=reason, canceled_at=NOW - 3)
    assert attempt(gone).status is status
    assert attempt(gone).at == MOMENT - 3 * _SECOND
    assert not attempt(gone).authorized.minor


def test_a_try_is_named_by_its_charge() -> None:
    assert attempt(payment()).try_ref == "ch_1"
    assert attempt(payment(latest_charge=charge(id="ch_2"))).try_ref == "ch_2"
    assert attempt(declined(charge="ch_3", latest_charge="ch_3")).try_ref == "ch_3"
    quiet = {"type": "card_error", "code": "card_declined"}
    assert attempt(unpaid(last_payment_error=quiet, latest_charge="ch_4")).try_ref == "ch_4"


def test_a_failed_authentication_has_no_charge_of_its_own() -> None:
    """The latest one is of an earlier try: with its name this would be taken for that."""
    why = {"type": "invalid_request_error", "code": "payment_intent_authentication_failure"}
    told = attempt(unpaid(last_payment_error=why, latest_charge="ch_of_the_first_try"))
    assert (told.status, told.try_ref) == (AttemptStatus.DECLINED, "")
    assert told.decline.reason == "authentication_failed"


# -- what the customer has to do ------------------------------------------------------------------


def action(told: Any) -> Any:
    return attempt(unpaid("requires_action", next_action=told)).next_action


def test_a_page_is_a_redirect() -> None:
    told = action({"type": "redirect_to_url", "redirect_to_url": {"url": "https://a.example/x"}})
    assert isinstance(told, Redirect)
    assert told.url == "https://a.example/x"


def test_everything_else_is_for_stripes_own_code() -> None:
    source = __import__("inspect").getsource(stripe.PaymentIntent.NextAction)
    kinds = set(re.findall(r"^        (\w+): Optional\[", source, re.MULTILINE))
    kinds -= {"redirect_to_url", "type"}
    assert "use_stripe_sdk" in kinds
    for kind in (*kinds, "came_up_in_2031"):
        told = action({"type": kind, kind: {}})
        assert isinstance(told, ClientToken), kind
        assert told.token == "pi_1_secret_canary"


def test_without_a_token_there_is_none() -> None:
    document = unpaid("requires_action", next_action={"type": "use_stripe_sdk"}, client_secret=None)
    told = attempt(document).next_action
    assert isinstance(told, ClientToken)
    assert not told.is_complete
    assert action(None) is None


def test_nothing_has_to_be_done_in_other_states() -> None:
    assert attempt(payment(next_action={"type": "use_stripe_sdk"})).next_action is None


# -- money ----------------------------------------------------------------------------------------


def test_captures_are_one_running_total() -> None:
    """Under the charge's id: told twice, from the payment and from the charge, it is one effect."""
    both = {"payport_key": "pp1_first", "payport_capture": TAG}
    part = held(amount_received=1_500, amount_capturable=3_499, metadata=both)
    intent = apply(paid_for(4_999), payment_facts(part, WHEN)).intent
    intent = apply(intent, charge_facts(charge(amount_captured=1_500), WHEN)).intent
    assert (intent.captured.minor, intent.capturable.minor) == (1_500, 3_499)
    assert intent.authorized.minor == 4_999
    final = payment(amount_received=2_500, metadata=both)
    intent = apply(intent, payment_facts(final, Moment(at=MOMENT + _SECOND))).intent
    assert len(intent.captures) == 1
    assert intent.captured.minor == 2_500
    assert intent.status is PaymentStatus.SUCCEEDED


def test_a_final_capture_of_less_is_paid() -> None:
    """Also as a webhook tells it, whose charge is only named."""
    for told in (payment(amount_received=1_000), payment(amount_received=1_000, **_charged())):
        intent = apply(paid_for(4_999), payment_facts(told, WHEN)).intent
        assert intent.status is PaymentStatus.SUCCEEDED
        assert (intent.captured.minor, intent.authorized.minor) == (1_000, 4_999)


def _charged(**more: Any) -> dict[str, Any]:
    return {"latest_charge": charge(amount_captured=1_000, **more)}


def test_an_issuer_may_authorise_less() -> None:
    """What it did not authorise is still due."""
    less = {"type": "card", "card": {"amount_authorized": 1_000}}
    told = payment(amount_received=1_000, **_charged(payment_method_details=less))
    intent = apply(paid_for(4_999), payment_facts(told, WHEN)).intent
    assert intent.authorized.minor == intent.captured.minor == 1_000
    assert intent.status is PaymentStatus.REQUIRES_PAYMENT_METHOD


@pytest.mark.parametrize("details", [None, {}, {"type": "link"}, {"card": None}])
def test_without_a_card_the_whole_amount_was_authorised(details: Any) -> None:
    told = payment(latest_charge=charge(payment_method_details=details))
    assert attempt(told).authorized.minor == 4_999


def test_money_that_was_taken_and_came_back_is_told() -> None:
    failed = charge(status="failed", amount_captured=0)
    intent = apply(paid_for(4_999), payment_facts(payment(), WHEN)).intent
    later = Moment(at=MOMENT + _SECOND)
    for facts in (
        charge_facts(failed, later),
        payment_facts(unpaid("processing", latest_charge=failed), later),
    ):
        assert [c.status for c in facts.captures] == [CaptureStatus.FAILED]
        assert apply(intent, facts).intent.captured.is_zero


@pytest.mark.parametrize(
    "told",
    [
        charge(status="failed", captured=False, amount_captured=0),
        charge(status="pending"),
        charge(captured=False, amount_captured=0),
        charge(status="something_new"),
    ],
)
def test_a_charge_that_took_nothing_says_nothing(told: Any) -> None:
    """A declined card has a charge as well, and it never failed to be captured."""
    assert not list(charge_facts(told, WHEN))


def test_a_payment_without_a_charge_that_received_money_is_its_own_capture() -> None:
    (capture,) = payment_facts(payment(latest_charge=None), WHEN).captures
    assert (capture.ref, capture.amount.minor) == ("pi_1", 4_999)


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD", *EXPONENTS])
def test_amounts_survive_the_way_there_and_back(currency: str) -> None:
    amount = Money.from_major(1234, currency)
    wire = wire_amount(amount, "payments.create")
    assert money_from(wire, currency.lower()) == amount
    told = payment(amount=wire, amount_received=wire, currency=currency.lower())
    facts = payment_facts(told, WHEN)
    assert facts.captures[0].amount == facts.attempts[0].authorized == amount
    money = {"amount": wire, "currency": currency.lower()}
    assert refund_facts(refund(**money), WHEN).refunds[0].amount == amount
    assert dispute_facts(dispute(**money), WHEN).disputes[0].amount == amount


def test_exponents_differ_from_the_standards_or_would_not_be_there() -> None:
    for currency, exponent in EXPONENTS.items():
        assert Money(0, currency).exponent != exponent


def test_amounts_that_have_to_end_in_zero_are_declared() -> None:
    """https://docs.stripe.com/currencies#three-decimal"""
    steps = spec_with(multicapture=False).steps
    assert steps == dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), 10)
    assert {Money(0, currency).exponent for currency in steps} == {3}


@pytest.mark.parametrize(
    ("amount", "currency"),
    [(4_010, "isk"), (None, "usd"), (1.5, "usd"), (True, "usd"), ("5", "usd"), (5, "xyz"), (5, 7)],
)
def test_an_amount_that_is_none_is_not_read(amount: Any, currency: Any) -> None:
    with pytest.raises(UNREADABLE):
        money_from(amount, currency)


def test_waiting_for_the_customer_after_a_decline_of_the_same_second_stands() -> None:
    declined = payment_facts(
        payment(
            status="requires_payment_method",
            amount_received=0,
            latest_charge="ch_1",
            last_payment_error={
                "type": "card_error",
                "code": "card_declined",
                "decline_code": "insufficient_funds",
                "charge": "ch_1",
            },
        ),
        WHEN,
    ).attempts[0]
    waiting = payment_facts(
        payment(status="requires_action", amount_received=0, latest_charge="ch_1"), WHEN
    ).attempts[0]
    assert declined.status is AttemptStatus.DECLINED
    assert stands_over(waiting, declined)
    assert not stands_over(declined, waiting)


def test_waiting_for_the_customer_at_the_first_try_has_no_rank() -> None:
    told = payment(status="requires_action", amount_received=0, latest_charge=None)
    assert payment_facts(told, WHEN).attempts[0].rank == 0


# -- refunds --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "status"), list(REFUNDS.items()))
def test_a_refunds_state_is_told(word: str, status: RefundStatus) -> None:
    (fact,) = refund_facts(refund(status=word, failure_reason="declined"), WHEN).refunds
    assert (fact.status, fact.failure_code) == (status, "declined")


def test_a_refunds_unknown_state_is_unknown() -> None:
    (fact,) = refund_facts(refund(status=None), WHEN).refunds
    assert fact.status is RefundStatus.UNKNOWN


def test_a_refund_of_a_charge_without_a_payment_is_nobodys() -> None:
    for read, told in ((refund_facts, refund), (dispute_facts, dispute)):
        with pytest.raises(UNREADABLE):
            read(told(payment_intent=None), WHEN)
    assert charge_facts(charge(payment_intent=None), WHEN).attempt_ref is None


def test_a_payment_may_be_expanded_wherever_it_is_named() -> None:
    whole = payment()
    assert refund_facts(refund(payment_intent=whole), WHEN).attempt_ref == "pi_1"
    assert dispute_facts(dispute(payment_intent=whole), WHEN).attempt_ref == "pi_1"
    assert charge_facts(charge(payment_intent=whole), WHEN).attempt_ref == "pi_1"


# -- disputes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "status"), list(DISPUTES.items()))
def test_a_disputes_state_is_told(word: str, status: DisputeStatus) -> None:
    (fact,) = dispute_facts(dispute(status=word), WHEN).disputes
    assert (fact.status, fact.reason_code) == (status, "fraudulent")
    assert fact.respond_by == MOMENT + timedelta(days=1)


def test_a_dispute_may_have_no_end() -> None:
    for details in (None, {}, {"due_by": None}, {"due_by": 0}):
        (fact,) = dispute_facts(dispute(evidence_details=details, reason=7), WHEN).disputes
        assert (fact.respond_by, fact.reason_code) == (None, None)


def test_a_dispute_to_and_fro_ends_as_it_ended_within_one_second() -> None:
    """Each time the money moves Stripe adds an entry: that orders what its clock does not."""
    moves = [[], ["txn_1"], ["txn_1", "txn_2"], ["txn_1", "txn_2", "txn_3"]]
    states = ["warning_needs_response", "needs_response", "won", "needs_response"]
    told = [
        dispute_facts(dispute(status=state, balance_transactions=moved), WHEN)
        for state, moved in zip(states, moves, strict=True)
    ]
    for order in (told, told[::-1]):
        intent = paid_for(4_999)
        for facts in order:
            intent = apply(intent, facts).intent
        assert [d.status for d in intent.disputes] == [DisputeStatus.OPEN]


# -- shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [10**30, -(10**30), None, True, 1.5, "1"])
def test_a_moment_that_is_none_is_not_read(seconds: Any) -> None:
    with pytest.raises(UNREADABLE):
        moment_from(seconds)


def test_the_age_of_an_object_is_the_latest_that_it_proves() -> None:
    assert moment_from(MADE) < MOMENT


@pytest.mark.parametrize("key", ["", "a" * 65, "pp1_ü", "a b", 7, None, ["pp1_a"]])
def test_a_tag_that_is_no_key_is_none(key: Any) -> None:
    assert payment_facts(payment(metadata={"payport_key": key}), WHEN).tag is None


def test_payloads_are_kept_and_not_shown() -> None:
    fact = attempt(payment())
    assert fact.raw.value["id"] == "pi_1"
    assert "canary" not in repr(payment_facts(payment(), WHEN))
