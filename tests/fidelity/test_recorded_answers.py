"""The adapter reads what Stripe really said, and what it gives as samples, without a loss."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

import pytest
from reading import WHEN, Reading, applied, readings
from recorded_calls import DATA, Call, scenarios
from stripe_help import MOMENT, charge, dispute, payment

from payport.domain.apply import apply
from payport.domain.money import Money
from payport.providers.stripe.facts import Moment, payment_facts, refund_facts

READINGS = list(readings())


def test_there_is_something_to_read() -> None:
    counts = Counter(reading.kind for reading in READINGS)
    assert counts == {
        "recorded answers": 29,
        "recorded errors": 22,
        "recorded payment_intents": 48,
        "recorded charges": 21,
        "recorded refunds": 2,
        "samples of Stripe's": 10,
        "older webhooks": 15,
    }


@pytest.mark.parametrize("reading", READINGS, ids=lambda one: f"{one.kind}: {one.name}")
def test_it_is_read(reading: Reading) -> None:
    reading.check()


def story(name: str) -> tuple[Call, ...]:
    (found,) = [scenario.calls for scenario in scenarios() if scenario.name == name]
    return found


def test_refunds_of_one_payment_add_up() -> None:
    """Two refunds, and the charge that was read after them."""
    calls = story("performing_multiple_refunds_increments_total_refund_amount")
    (paid,) = [call.body for call in calls if call.path == "/v1/payment_intents"]
    intent = applied(Money(3_000, "USD"), payment_facts(paid, WHEN))
    for call in calls:
        if call.path == "/v1/refunds":
            intent = apply(intent, refund_facts(call.body, WHEN)).intent
    assert (intent.captured.minor, intent.refunded.minor) == (3_000, 1_500)
    assert intent.refundable.minor == 1_500


def test_a_recorded_hold_is_captured() -> None:
    held, taken = [
        call.body
        for call in story("can_capture_an_authorized_charge")
        if call.method == "POST" and "payment_intents" in call.path
    ]
    intent = applied(Money(2_900, "USD"), payment_facts(held, WHEN))
    assert (intent.capturable.minor, intent.captured.minor) == (2_900, 0)
    later = Moment(at=MOMENT + timedelta(seconds=1))
    intent = apply(intent, payment_facts(taken, later)).intent
    assert (intent.capturable.minor, intent.captured.minor) == (0, 2_900)
    assert len(intent.captures) == 1


def test_our_own_samples_have_no_field_that_stripes_lack() -> None:
    """What the other tests are written with is in Stripe's words."""
    samples = json.loads((DATA / "fixtures3.json").read_text(encoding="utf-8"))["resources"]
    for mine, kind in ((payment(), "payment_intent"), (charge(), "charge"), (dispute(), "dispute")):
        assert mine.keys() <= samples[kind].keys(), kind
