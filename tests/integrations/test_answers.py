"""What a webhook's sender is answered, and what is read of a body, without any framework."""

from __future__ import annotations

import io

import pytest

from payport import (
    ConfigurationError,
    NotFound,
    OutcomeUnknown,
    ProviderUnavailable,
    RateLimited,
    StoreUnavailable,
    WebhookRejected,
)
from payport.domain.errors import StoreConflict
from payport.integrations._answers import Body, answer_from, answer_to, check_length, read_body
from payport.webhooks.inbox import MAX_BODY, Receipt, ReceiptStatus


@pytest.mark.parametrize("status", ReceiptStatus)
def test_whatever_was_stored_is_acknowledged(status):
    answer = answer_from(Receipt(status=status, ids=("inb_1",)))
    assert (answer.status, answer.text) == (200, status.value)


STATUSES = {
    "400": WebhookRejected("no signature"),
    "413": WebhookRejected("too large", status=413),
    "503 unavailable": StoreUnavailable("secret"),
    "503 conflict": StoreConflict("secret"),
    "503 provider": ProviderUnavailable("secret"),
    "503 unknown": OutcomeUnknown("secret"),
    "500 configuration": ConfigurationError("secret"),
    "500 missing": NotFound("secret"),
    "500 anything": KeyError("secret"),
}


@pytest.mark.parametrize("case", STATUSES)
def test_each_error_has_its_status(case):
    answer = answer_to(STATUSES[case])
    assert str(answer.status) == case.split()[0]
    assert "secret" not in answer.text
    assert ("Retry-After" in answer.headers) is (answer.status == 503)


@pytest.mark.parametrize(("asked", "told"), [(None, "30"), (7.4, "7"), (0.0, "1")])
def test_the_provider_comes_again_when_it_is_asked_to(asked, told):
    answer = answer_to(RateLimited(retry_after=asked))
    assert answer.headers["Retry-After"] == told


@pytest.mark.parametrize("length", [None, "0", "12", str(MAX_BODY), f"000{MAX_BODY}"])
def test_a_length_within_the_limit_is_let_through(length):
    check_length(length)


@pytest.mark.parametrize(
    ("length", "status"),
    [
        (str(MAX_BODY + 1), 413),
        ("9" * 5_000, 413),  # more digits than Python turns into a number
        ("", 400),
        ("-1", 400),
        ("1e3", 400),
        ("٣", 400),  # a digit, but no Latin one
    ],
)
def test_a_length_beyond_it_is_refused(length, status):
    with pytest.raises(WebhookRejected) as refused:
        check_length(length)
    assert refused.value.status == status


def test_a_body_may_be_as_large_as_the_limit():
    body = Body()
    body.add(b"x" * (MAX_BODY - 1))
    body.add(b"y")
    assert len(body.whole()) == MAX_BODY
    with pytest.raises(WebhookRejected):
        body.add(b"z")


def test_no_more_is_read_than_the_limit_and_a_piece():
    endless = io.BytesIO(b"x" * (4 * MAX_BODY))
    with pytest.raises(WebhookRejected) as refused:
        read_body(endless.read, None)
    assert refused.value.status == 413
    assert endless.tell() <= MAX_BODY + 64 * 1024


def test_pieces_make_the_whole():
    assert read_body(io.BytesIO(b"ab" * 100_000).read, "200000") == b"ab" * 100_000
