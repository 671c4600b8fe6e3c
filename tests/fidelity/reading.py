"""
The adapter reads real data without a loss: recorded answers, Stripe's own samples, real webhooks.

Each reading is one promise about one document, kept or broken when it is checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from recorded_calls import DATA, Call, objects_in, scenarios
from stripe_help import (
    MOMENT,
    Ran,
    adapter,
    answer,
    capturing,
    creating,
    delivered,
    event,
    payment,
    ran,
    refunding,
)

from payport.domain.apply import apply
from payport.domain.facts import AttemptStatus, CaptureStatus
from payport.domain.identifiers import Environment
from payport.domain.money import Money
from payport.domain.outcomes import FailureKind
from payport.domain.payment_intent import PaymentIntent
from payport.providers.outcomes import Answer, Failure
from payport.providers.stripe.errors import document_from, failure_from
from payport.providers.stripe.facts import (
    ATTEMPTS,
    Moment,
    charge_facts,
    dispute_facts,
    payment_facts,
    refund_facts,
)

__all__ = ["WHEN", "Reading", "answers", "applied", "events", "readings", "samples"]

WHEN = Moment(at=MOMENT)
_REFUSED = 400
#: The version since which a payment names its latest charge.
_WITH_LATEST_CHARGE = "2022-11-15"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """
    One document to be read.

    Attributes:
        kind: What kind of data it is.
        check: Reads it; raises where something was lost.
    """

    name: str
    kind: str
    check: Callable[[], None] = field(repr=False)


def readings() -> Iterator[Reading]:
    """Everything that there is to read."""
    yield from answers()
    yield from _recorded_objects()
    yield from samples()
    yield from events()


# -- recorded answers -----------------------------------------------------------------------------


def answers() -> Iterator[Reading]:
    """Every recorded answer that the adapter could receive, and every error."""
    for call in _calls():
        if call.status >= _REFUSED:
            yield _reading(call.name, "recorded errors", _an_error, call)
        elif call.path.startswith(("/v1/payment_intents", "/v1/refunds")):
            yield _reading(call.name, "recorded answers", _an_answer, call)


def _recorded_objects() -> Iterator[Reading]:
    """Every object that the adapter reads, wherever in the recorded answers it is."""
    for call in _calls():
        for number, one in enumerate(objects_in(call.body)):
            check = _OBJECTS.get(one["object"])
            if one["object"] == "payment_intent" and call.version < _WITH_LATEST_CHARGE:
                check = _an_older_payment
            if check is not None:
                yield _reading(f"{call.name}-{number}", f"recorded {one['object']}s", check, one)


def _calls() -> Iterator[Call]:
    return (call for scenario in scenarios() for call in scenario.calls)


def _reading(name: str, kind: str, check: Callable[..., None], *about: Any) -> Reading:
    return Reading(name=name, kind=kind, check=partial(check, *about))


def _told(call: Call) -> Any:
    """The answer as the transport would bring it; the recordings left the date out."""
    headers = {name.replace("-", "_"): value for name, value in call.headers.items()}
    return answer(call.body, call.status, **headers)


def _an_answer(call: Call) -> None:
    outcome = _asking(call, _told(call)).outcome
    assert isinstance(outcome, Answer), outcome
    assert outcome.request_id == call.headers["request-id"]
    assert outcome.facts.api_version == call.headers["stripe-version"]
    assert outcome.facts.attempts or outcome.facts.refunds


def _asking(call: Call, told: Any) -> Ran:
    """The operation that asked for it, carried out with the recorded answer."""
    amount = Money(call.body["amount"], call.body["currency"].upper())
    if call.method == "GET":
        return Ran(adapter().retrieve_payment(call.body["id"]), told)
    if call.path.endswith("/capture"):
        return ran(capturing(amount, call.body["id"]), told)
    if call.path == "/v1/refunds":
        return ran(refunding(amount, call.body["payment_intent"]), told)
    assert call.path == "/v1/payment_intents"
    return ran(creating(amount=amount), told)


def _an_error(call: Call) -> None:
    told = _told(call)
    failure = failure_from(told, document_from(told), reads=True)
    assert failure.kind is not FailureKind.UNKNOWN
    assert failure.code == call.body["error"].get("code")


def _a_payment(document: dict[str, Any]) -> None:
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


def _an_older_payment(document: dict[str, Any]) -> None:
    """It lists its charges instead: the adapter asks for no such version, and guesses nothing."""
    outcome = Ran(adapter().retrieve_payment(document["id"]), answer(document)).outcome
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.UNKNOWN


def _a_charge(document: dict[str, Any]) -> None:
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


def _a_refund(document: dict[str, Any]) -> None:
    facts = refund_facts(document, WHEN)
    (fact,) = facts.refunds
    assert fact.amount == Money(document["amount"], document["currency"].upper())
    assert (fact.ref, fact.attempt_ref) == (document["id"], document["payment_intent"])
    assert fact.status == document["status"]


_OBJECTS = {"payment_intent": _a_payment, "charge": _a_charge, "refund": _a_refund}


def applied(amount: Money, facts: Any) -> PaymentIntent:
    """A payment of which facts became known."""
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


def samples() -> Iterator[Reading]:
    """Each of Stripe's samples that the adapter could meet, alone and within an event."""
    told: dict[str, Any] = json.loads((DATA / "fixtures3.json").read_text(encoding="utf-8"))
    for kind, sample in told["resources"].items():
        yield _reading(kind, "samples of Stripe's", _SAMPLES[kind], sample)
    for kind, event_type in _EVENT_TYPES.items():
        sample = {**told["resources"][kind], **_ABOUT[kind]}
        yield _reading(event_type, "samples of Stripe's", _in_an_event, event_type, sample)


#: Some of Stripe's samples belong to no payment; given one they are read.
_OF_A_PAYMENT = {"payment_intent": "pi_1"}
_ABOUT: dict[str, dict[str, str]] = {
    "payment_intent": {},
    "charge": _OF_A_PAYMENT,
    "refund": _OF_A_PAYMENT,
    "dispute": _OF_A_PAYMENT,
}
_EVENT_TYPES = {
    "payment_intent": "payment_intent.created",
    "charge": "charge.succeeded",
    "refund": "refund.created",
    "dispute": "charge.dispute.created",
}


def _sample_payment(sample: dict[str, Any]) -> None:
    facts = payment_facts(sample, WHEN)
    assert [a.status for a in facts.attempts] == [AttemptStatus.DECLINED]
    assert not facts.captures
    read = Ran(adapter().retrieve_payment(sample["id"]), answer(sample)).attempt
    assert (read.ref, read.status) == (sample["id"], AttemptStatus.DECLINED)


def _sample_charge(sample: dict[str, Any]) -> None:
    assert not charge_facts(sample, WHEN).captures
    facts = charge_facts({**sample, **_OF_A_PAYMENT}, WHEN)
    assert (facts.attempt_ref, facts.captures) == ("pi_1", ())  # it was only authorised


def _sample_refund(sample: dict[str, Any]) -> None:
    (given,) = refund_facts({**sample, **_OF_A_PAYMENT}, WHEN).refunds
    assert (given.amount.minor, given.status) == (100, "succeeded")


def _sample_dispute(sample: dict[str, Any]) -> None:
    (asked,) = dispute_facts({**sample, **_OF_A_PAYMENT}, WHEN).disputes
    assert (asked.amount.minor, asked.status) == (1_000, "inquiry")


def _sample_account(sample: dict[str, Any]) -> None:
    assert Ran(adapter().account(), answer(sample)).outcome.id == sample["id"]


def _sample_event(sample: dict[str, Any]) -> None:
    told = delivered(sample)
    assert (told.facts, told.needs_fetch, told.type) == (None, False, "plan.created")


_SAMPLES = {
    "payment_intent": _sample_payment,
    "charge": _sample_charge,
    "refund": _sample_refund,
    "dispute": _sample_dispute,
    "account": _sample_account,
    "event": _sample_event,
}


def _in_an_event(kind: str, sample: dict[str, Any]) -> None:
    told = delivered(event(kind, sample))
    assert told.type == kind
    assert told.attempt_ref == (sample["id"] if sample["object"] == "payment_intent" else "pi_1")
    assert told.facts is not None


# -- real webhooks, of older versions -------------------------------------------------------------


def events() -> Iterator[Reading]:
    """Real events of versions before the pinned one: none makes money facts by itself."""
    for path in sorted((DATA / "events").glob("*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        yield _reading(path.stem, "older webhooks", _an_older_event, told)


def _an_older_event(told: dict[str, Any]) -> None:
    read = delivered(told)
    about = told["data"]["object"]
    ref = about["id"] if about["object"] == "payment_intent" else about.get("payment_intent")
    assert read.type == told["type"]
    assert read.occurred_at == datetime.fromtimestamp(told["created"], UTC)
    assert (read.attempt_ref, read.api_version) == (ref, told.get("api_version"))
    assert read.needs_fetch == (ref is not None)
    assert read.facts is None or not list(read.facts)
    assert read.environment is Environment.TEST
