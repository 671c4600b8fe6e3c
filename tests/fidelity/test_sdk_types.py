"""What payport sends fits the SDK's own types of parameters, and what would not is found."""

from __future__ import annotations

from typing import Any

import pytest
from sdk_types import TYPES, misfits
from sending import Sent, everything_sent

CREATE = TYPES["POST /v1/payment_intents"]
LEAST = {"amount": "5", "currency": "usd"}


@pytest.mark.parametrize("route", list(TYPES))
def test_every_request_fits_the_sdks_types(route: str) -> None:
    sent = [one for one in everything_sent() if one.route == route]
    assert sent
    assert [(one.what, list(misfits(one.form, TYPES[route]))) for one in sent if wrong(one)] == []


def wrong(one: Sent) -> bool:
    return any(misfits(one.form, TYPES[one.route]))


def test_nothing_else_is_sent() -> None:
    assert {one.route for one in everything_sent()} == set(TYPES)


def test_a_lookup_asks_the_newest_first_then_the_search_and_then_reads() -> None:
    asked = [one.route.partition(" ")[2] for one in everything_sent() if "by search" in one.what]
    pages, found = asked[:-2], asked[-2:]
    assert pages == ["/v1/payment_intents"] * 3
    assert found == ["/v1/payment_intents/search", "/v1/payment_intents/{id}"]
    newest = [one.route for one in everything_sent() if "the newest" in one.what]
    assert newest == ["GET /v1/payment_intents"]


def test_the_simulator_takes_every_request() -> None:
    declined = [one.what for one in everything_sent() if one.status != 200]
    assert declined == ["confirm after a decline"]


def test_every_parameter_that_payport_knows_is_sent() -> None:
    """A parameter that no combination sends is one that nobody checks."""
    sent = {name for one in everything_sent() for name in one.form if "POST" in one.route}
    assert sent == {
        *("amount", "amount_to_capture", "automatic_payment_methods", "capture_method", "confirm"),
        *("currency", "customer", "description", "expand", "final_capture", "metadata"),
        *("off_session", "payment_intent", "payment_method", "payment_method_options", "reason"),
        *("receipt_email", "return_url", "setup_future_usage", "statement_descriptor_suffix"),
    }


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"currency": "usd"}, "amount is required"),
        ({**LEAST, "colour": "red"}, "colour is unknown"),
        ({**LEAST, "idempotency_key": "k1"}, "idempotency_key is unknown"),
        ({**LEAST, "amount": "five"}, "amount cannot be 'five'"),
        ({**LEAST, "confirm": "True"}, "confirm cannot be 'True'"),
        ({**LEAST, "confirm": {"0": "true"}}, "confirm cannot be {'0': 'true'}"),
        ({**LEAST, "capture_method": "by_hand"}, "capture_method cannot be 'by_hand'"),
        ({**LEAST, "off_session": "sometimes"}, "off_session cannot be 'sometimes'"),
        ({**LEAST, "expand": "latest_charge"}, "expand cannot be 'latest_charge'"),
        ({**LEAST, "metadata": {"a": ["b"]}}, "metadata cannot be {'a': ['b']}"),
        (
            {**LEAST, "automatic_payment_methods": {"enabled": "yes"}},
            "automatic_payment_methods.enabled cannot be 'yes'",
        ),
        (
            {**LEAST, "automatic_payment_methods": {"allow_redirects": "never"}},
            "automatic_payment_methods.enabled is required",
        ),
        (
            {**LEAST, "payment_method_options": {"card": {"request_multicapture": "always"}}},
            "payment_method_options.card.request_multicapture cannot be 'always'",
        ),
        (
            {**LEAST, "payment_method_options": {"card": {"color": "red"}}},
            "payment_method_options.card.color is unknown",
        ),
    ],
)
def test_what_does_not_fit_is_found(fields: dict[str, Any], told: str) -> None:
    assert list(misfits(fields, CREATE)) == [told]


@pytest.mark.parametrize(
    "fields",
    [
        {"capture_method": "manual", "confirm": "false", "off_session": "recurring"},
        {"automatic_payment_methods": {"enabled": "true", "allow_redirects": "never"}},
        {"payment_method_options": {"card": {"request_multicapture": "if_available"}}},
        {"payment_method_options": {"card": ""}},
        {"expand": ["latest_charge"], "metadata": {"a": "b"}, "return_url": "https://a.example"},
    ],
)
def test_what_fits_is_let_through(fields: dict[str, Any]) -> None:
    assert list(misfits({**LEAST, **fields}, CREATE)) == []
