"""Errors are classified by what they prove; everything else proves nothing."""

from __future__ import annotations

from typing import Any

import pytest
import stripe
from stripe_help import MOMENT, Ran, adapter, answer, creating, error, ran, refunding, words_of

from payport.domain.outcomes import Certainty, FailureKind
from payport.providers.stripe.errors import BY_CODE, BY_STATUS, BY_TYPE

_K = FailureKind

#: status, type, code: what it is for a change, and for a read.
TABLE: list[tuple[int, str, str | None, FailureKind, FailureKind]] = [
    (400, "invalid_request_error", "parameter_missing", _K.INVALID_REQUEST, _K.INVALID_REQUEST),
    (400, "invalid_request_error", None, _K.INVALID_REQUEST, _K.INVALID_REQUEST),
    (400, "invalid_request_error", "rate_limit", _K.RATE_LIMITED, _K.RATE_LIMITED),
    (400, "idempotency_error", None, _K.KEY_REUSED, _K.KEY_REUSED),
    (401, "invalid_request_error", None, _K.AUTHENTICATION, _K.AUTHENTICATION),
    (401, "invalid_request_error", "api_key_expired", _K.AUTHENTICATION, _K.AUTHENTICATION),
    (402, "card_error", "card_declined", _K.INVALID_REQUEST, _K.INVALID_REQUEST),
    (403, "invalid_request_error", None, _K.PERMISSION, _K.PERMISSION),
    (404, "invalid_request_error", "resource_missing", _K.INVALID_REQUEST, _K.NOT_FOUND),
    (409, "idempotency_error", "idempotency_key_in_use", _K.IN_PROGRESS, _K.IN_PROGRESS),
    (409, "invalid_request_error", None, _K.IN_PROGRESS, _K.IN_PROGRESS),
    (429, "invalid_request_error", "rate_limit", _K.RATE_LIMITED, _K.RATE_LIMITED),
    (429, "invalid_request_error", "lock_timeout", _K.IN_PROGRESS, _K.IN_PROGRESS),
    (429, "rate_limit_error", None, _K.RATE_LIMITED, _K.RATE_LIMITED),
    (424, "api_error", None, _K.UNKNOWN, _K.UNKNOWN),
    (418, "invalid_request_error", None, _K.UNKNOWN, _K.UNKNOWN),
    (302, "invalid_request_error", None, _K.UNKNOWN, _K.UNKNOWN),
    *[(status, "api_error", None, _K.UNKNOWN, _K.UNKNOWN) for status in (500, 502, 503, 504)],
    # A server's own error is none of the others, whatever it says.
    (500, "idempotency_error", "rate_limit", _K.UNKNOWN, _K.UNKNOWN),
    (503, "invalid_request_error", "lock_timeout", _K.UNKNOWN, _K.UNKNOWN),
]


def changing(told: Any) -> Any:
    return ran(creating(), told).outcome


def reading(told: Any) -> Any:
    return Ran(adapter().retrieve_payment("pi_1"), told).outcome


@pytest.mark.parametrize(("status", "kind", "code", "changes", "reads"), TABLE)
def test_each_answer_proves_what_the_table_says(
    status: int, kind: str, code: str | None, changes: FailureKind, reads: FailureKind
) -> None:
    told = answer(error(code, kind), status)
    for failure, expected in ((changing(told), changes), (reading(told), reads)):
        assert (failure.kind, failure.code) == (expected, code)
        assert failure.message == "Something was wrong."
        assert failure.request_id == "req_1"
        assert failure.provider_time == MOMENT


def test_a_replayed_server_error_is_no_evidence() -> None:
    told = answer(error(None, "api_error"), 500, idempotent_replayed="true")
    assert changing(told).certainty is Certainty.UNKNOWN


def test_what_stripe_would_have_tried_again_is_not_its_last_word() -> None:
    for status in (400, 402, 404):
        told = answer(error(None), status, stripe_should_retry="true")
        assert changing(told).kind is FailureKind.UNKNOWN
        final = answer(error(None), status, stripe_should_retry="false")
        assert changing(final).kind is FailureKind.INVALID_REQUEST


def test_advice_not_to_retry_makes_nothing_certain() -> None:
    told = answer(error(None, "api_error"), 500, stripe_should_retry="false")
    assert changing(told).kind is FailureKind.UNKNOWN


@pytest.mark.parametrize("status", [200, 301, 400, 401, 402, 403, 404, 409, 429, 500, 503])
@pytest.mark.parametrize(
    "body",
    [
        b"<html>Bad Request</html>",
        b"",
        b"null",
        b"[]",
        b'{"error": "invalid_request", "error_description": "as OAuth says it"}',
        b'{"error": {"message": "without a type"}}',
        b'{"error": {"type": 7}}',
        b'{"error": null}',
        b'{"errors": []}',
        b"\xff\xfe",
    ],
)
def test_what_is_not_in_stripes_shape_proves_nothing(status: int, body: bytes) -> None:
    """Something in between may have written it after Stripe carried the request out."""
    for failure in (changing(answer(body, status)), reading(answer(body, status))):
        assert failure.kind is FailureKind.UNKNOWN
        assert str(status) in failure.message
        assert failure.request_id == "req_1", "what the headers say is not lost with the body"


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("0", 0.0),
        ("Mon, 21 Sep 2026 14:14:20 GMT", 60.0),
        ("Mon, 21 Sep 2026 14:14:20 -0000", 60.0),
        ("Mon, 21 Sep 2026 14:13:00 GMT", 0.0),
        ("", None),
        ("-1", None),
        ("nan", None),
        ("1e9", None),
        ("\u0667", None),
        ("soon", None),
        ("9" * 5_000, None),
    ],
)
def test_how_long_to_wait_is_told_in_seconds(told: str, seconds: float | None) -> None:
    assert changing(answer(error(None), 429, retry_after=told)).retry_after == seconds


def test_a_date_to_wait_for_needs_stripes_clock() -> None:
    told = answer(error(None), 429, retry_after="Mon, 21 Sep 2026 14:14:20 GMT", date="")
    assert changing(told).retry_after is None


@pytest.mark.parametrize(
    "secret",
    [
        "sk_test_" + "4eC39HqLyjWDarjtT1zdp7dc",
        "sk_test_****************1234",
        "pi_1_secret_abcdef",
        "4242 4242 4242 4242",
    ],
)
def test_a_message_repeats_no_secret(secret: str) -> None:
    told = answer(error(None, message=f"Invalid thing provided: {secret}"), 400)
    message = changing(told).message
    assert message.startswith("Invalid thing provided")
    assert secret not in message
    assert "1234" not in message


def test_a_message_that_is_no_text_is_replaced() -> None:
    assert changing(answer(error(None, message={"a": 1}), 400)).message == "status 400"
    assert changing(answer(error(7, message="x"), 400)).code is None


def test_a_refund_that_is_refused_says_why() -> None:
    failure = ran(refunding(), answer(error("charge_already_refunded"), 400)).outcome
    assert (failure.code, failure.certainty) == ("charge_already_refunded", Certainty.REJECTED)


def test_every_code_of_the_table_is_one_of_stripes() -> None:
    """The SDK lists the codes, in the type of `PaymentIntent.last_payment_error.code`."""
    words = words_of(stripe.PaymentIntent.LastPaymentError)
    assert set(BY_CODE) <= words
    assert set(BY_TYPE) <= words


def test_nothing_of_the_table_concludes_by_chance() -> None:
    concluding = {status: kind for status, kind in BY_STATUS.items() if status >= 500}
    assert not concluding
