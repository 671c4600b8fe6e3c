"""Real data of Stripe's is read without loss: recorded calls, its own samples, real webhooks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from stripe_help import DATA, MOMENT, Ran, adapter, answer, charge, delivered, dispute, payment

from payport.domain.apply import apply
from payport.domain.facts import AttemptStatus, CaptureStatus
from payport.domain.identifiers import Environment
from payport.domain.money import Money
from payport.domain.outcomes import FailureKind
from payport.domain.payment_intent import PaymentIntent
from payport.providers.outcomes import Answer
from payport.providers.stripe.errors import document_from, failure_from
from payport.providers.stripe.facts import (
    ATTEMPTS,
    Moment,
    charge_facts,
    dispute_facts,
    payment_facts,
    refund_facts,
)

RECORDINGS = sorted((DATA / "recordings").glob("*.json"))
EVENTS = sorted((DATA / "events").glob("*.json"))
IN_SCOPE = ("/v1/payment_intents", "/v1/charges", "/v1/refunds")
WHEN = Moment(at=MOMENT)


@cache
def calls() -> list[tuple[str, dict[str, Any]]]:
    """Every recorded call, with a name for it."""
    return [
        (f"{path.stem}-{index}", call)
        for path in RECORDINGS
        for index, call in enumerate(json.loads(path.read_text(encoding="utf-8")))
    ]


def in_scope() -> list[Any]:
    return [
        pytest.param(call, id=name)
        for name, call in calls()
        if call["request"]["path"].startswith(IN_SCOPE)
    ]


def objects(kind: str) -> list[Any]:
    """Every object of a kind, wherever in the answers it is."""
    found = [
        (f"{name}-{number}", one)
        for name, call in calls()
        for number, one in enumerate(_inside(call["response"]["body"]))
        if one.get("object") == kind
    ]
    return [pytest.param(one, id=name) for name, one in found]


def _inside(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _inside(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _inside(inner)


def recorded(call: dict[str, Any]) -> Any:
    """The answer as the transport would bring it; the recordings left the date out."""
    told = call["response"]
    headers = {name.lower().replace("-", "_"): value for name, value in told["headers"].items()}
    return answer(told["body"], told["status"], **headers)


def test_there_is_something_to_read() -> None:
    assert len(in_scope()) >= 30
    assert len(objects("payment_intent")) >= 30
    assert len(objects("charge")) >= 15
    assert len(objects("refund")) >= 2
    assert len(EVENTS) >= 15
    assert {c["response"]["status"] for _, c in calls()} == {200, 400, 401, 402, 404}


@pytest.mark.parametrize("call", in_scope())
def test_every_recorded_answer_is_an_answer(call: dict[str, Any]) -> None:
    assert call["response"]["status"] == 200
    told, one = recorded(call), adapter()
    kind = call["response"]["body"]["object"]
    if kind == "payment_intent":
        outcome = Ran(one.retrieve_payment("pi_1"), told).outcome
    elif kind == "refund":
        outcome = Ran(one.retrieve_refund("re_1"), told).outcome
    else:
        assert kind == "charge"
        return  # a payment's charge is read within its payment
    assert isinstance(outcome, Answer), outcome
    assert outcome.request_id == call["response"]["headers"]["Request-Id"]
    assert outcome.facts.api_version == call["response"]["headers"]["Stripe-Version"]


@pytest.mark.parametrize("document", objects("payment_intent"))
def test_every_recorded_payment_has_its_totals(document: dict[str, Any]) -> None:
    amount = Money(document["amount"], document["currency"].upper())
    intent = applied(amount, payment_facts(document, WHEN))
    (attempt,) = intent.attempts
    assert attempt.status is ATTEMPTS[document["status"]]
    assert intent.captured.minor == document["amount_received"]
    assert intent.capturable.minor == document["amount_capturable"]
    assert attempt.raw.value is document
    if attempt.status is AttemptStatus.SUCCEEDED:
        assert intent.is_paid
        assert intent.authorized == amount


@pytest.mark.parametrize("document", objects("charge"))
def test_every_recorded_charge_has_its_totals(document: dict[str, Any]) -> None:
    facts = charge_facts(document, WHEN)
    taken = sum(c.amount.minor for c in facts.captures if c.status is CaptureStatus.SUCCEEDED)
    assert taken == (document["amount_captured"] if facts.attempt_ref else 0)
    listed = (document.get("refunds") or {}).get("data", [])
    if listed and facts.attempt_ref:
        # What is given back adds up to what the charge says was given back.
        amount = Money(document["amount"], document["currency"].upper())
        parent = payment(
            id=facts.attempt_ref, amount=amount.minor, amount_received=taken, latest_charge=document
        )
        intent = applied(amount, payment_facts(parent, WHEN))
        assert intent.refunded.minor == document["amount_refunded"]


@pytest.mark.parametrize("document", objects("refund"))
def test_every_recorded_refund_is_read(document: dict[str, Any]) -> None:
    facts = refund_facts(document, WHEN)
    (fact,) = facts.refunds
    assert fact.amount == Money(document["amount"], document["currency"].upper())
    assert (fact.ref, fact.attempt_ref) == (document["id"], document["payment_intent"])
    assert fact.status == document["status"]


def test_refunds_of_one_payment_add_up() -> None:
    """Two refunds, and the charge that was read after them."""
    name = "performing_multiple_refunds_increments_total_refund_amount"
    story = [call for one, call in calls() if one.startswith(name)]
    paid = next(c for c in story if c["request"]["path"] == "/v1/payment_intents")
    given = [c for c in story if c["request"]["path"] == "/v1/refunds"]
    intent = applied(Money(3_000, "USD"), payment_facts(paid["response"]["body"], WHEN))
    for call in given:
        intent = apply(intent, refund_facts(call["response"]["body"], WHEN)).intent
    assert (intent.captured.minor, intent.refunded.minor) == (3_000, 1_500)
    assert intent.refundable.minor == 1_500


def test_a_recorded_hold_is_captured() -> None:
    story = [c for name, c in calls() if name.startswith("can_capture_an_authorized_charge")]
    held, taken = [
        c["response"]["body"]
        for c in story
        if c["request"]["method"] == "POST" and "payment_intents" in c["request"]["path"]
    ]
    intent = applied(Money(2_900, "USD"), payment_facts(held, WHEN))
    assert (intent.capturable.minor, intent.captured.minor) == (2_900, 0)
    later = Moment(at=MOMENT + timedelta(seconds=1))
    intent = apply(intent, payment_facts(taken, later)).intent
    assert (intent.capturable.minor, intent.captured.minor) == (0, 2_900)
    assert len(intent.captures) == 1


@pytest.mark.parametrize(
    "call", [pytest.param(c, id=n) for n, c in calls() if c["response"]["status"] >= 400]
)
def test_every_recorded_error_is_classified(call: dict[str, Any]) -> None:
    told = recorded(call)
    failure = failure_from(told, document_from(told), reads=True)
    assert failure.kind is not FailureKind.UNKNOWN
    assert failure.code == call["response"]["body"]["error"].get("code")


def applied(amount: Money, facts: Any) -> PaymentIntent:
    intent = PaymentIntent(
        id="pay_1",
        reference="order_1",
        scope="shop",
        environment=Environment.TEST,
        provider="stripe",
        account="acct_1",
        amount=amount,
        created_at=MOMENT,
    )
    return apply(intent, facts).intent


# -- Stripe's own samples -------------------------------------------------------------------------


def samples() -> dict[str, Any]:
    told: dict[str, Any] = json.loads((DATA / "fixtures3.json").read_text(encoding="utf-8"))
    return dict(told["resources"])


def test_stripes_sample_payment_is_read() -> None:
    facts = payment_facts(samples()["payment_intent"], WHEN)
    assert [a.status for a in facts.attempts] == [AttemptStatus.DECLINED]
    assert not facts.captures


def test_stripes_sample_charge_refund_and_dispute_are_read() -> None:
    """They belong to no payment; given one they are read."""
    about = {"payment_intent": "pi_1"}
    assert not charge_facts(samples()["charge"], WHEN).captures
    (given,) = refund_facts({**samples()["refund"], **about}, WHEN).refunds
    assert (given.amount.minor, given.status) == (100, "succeeded")
    (asked,) = dispute_facts({**samples()["dispute"], **about}, WHEN).disputes
    assert (asked.amount.minor, asked.status) == (1_000, "inquiry")


def test_stripes_sample_account_is_read() -> None:
    sample = samples()["account"]
    assert Ran(adapter().account(), answer(sample)).outcome.id == sample["id"]


def test_stripes_sample_event_means_nothing() -> None:
    told = delivered(samples()["event"])
    assert (told.facts, told.needs_fetch, told.type) == (None, False, "plan.created")


def test_our_own_samples_have_no_field_that_stripes_lack() -> None:
    """What the other tests are written with is in Stripe's words."""
    for mine, kind in ((payment(), "payment_intent"), (charge(), "charge"), (dispute(), "dispute")):
        assert mine.keys() <= samples()[kind].keys(), kind


# -- real webhooks, of older versions -------------------------------------------------------------


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_a_real_webhook_of_an_older_version_makes_no_money(path: Any) -> None:
    event = json.loads(path.read_text(encoding="utf-8"))
    told = delivered(event)
    about = event["data"]["object"]
    ref = about["id"] if about["object"] == "payment_intent" else about.get("payment_intent")
    assert told.type == event["type"]
    assert told.occurred_at == datetime.fromtimestamp(event["created"], UTC)
    assert (told.attempt_ref, told.api_version) == (ref, event.get("api_version"))
    assert told.needs_fetch == (ref is not None)
    assert told.facts is None or not list(told.facts)
    assert told.environment is Environment.TEST
