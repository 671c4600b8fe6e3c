"""
From the bank's answers to outcomes: what each of them proves, by status and the bank's code.

Pure functions of one response. Whatever is no answer of the bank's is UNKNOWN: it proves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, cast

from payport.domain.errors import InvalidRequest, WebhookRejected
from payport.domain.outcomes import FailureKind
from payport.domain.sensitive import redact
from payport.providers.deliveries import Statement
from payport.providers.events import EventsPage, ToldEvent
from payport.providers.exchange import Response
from payport.providers.listings import FactsPage
from payport.providers.outcomes import Answer, Failure, Outcome
from payport.testing.fake.facts import facts_from, moment_from, payout_from
from payport.testing.fake.outbox import API_VERSION
from payport.testing.fake.webhooks import deliveries_from

__all__ = [
    "document_from",
    "events_from",
    "failure_from",
    "outcome_from",
    "page_from",
    "payout_statement_from",
]

#: What an answer without facts proves, by status and the bank's code. Nothing else proves anything.
_FAILURES: Final[Mapping[tuple[int, str], FailureKind]] = {
    (400, "key_reused"): FailureKind.KEY_REUSED,
    (401, "bad_credentials"): FailureKind.AUTHENTICATION,
    (403, "not_permitted"): FailureKind.PERMISSION,
    (409, "key_in_use"): FailureKind.IN_PROGRESS,
    (429, "rate_limited"): FailureKind.RATE_LIMITED,
    (503, "not_executed"): FailureKind.UNAVAILABLE,
}
#: The same by status alone, for codes about the request itself.
_BY_STATUS: Final[Mapping[int, FailureKind]] = {
    400: FailureKind.INVALID_REQUEST,
    404: FailureKind.NOT_FOUND,
}
_ANSWERS: Final = frozenset({200, 402})

_decode = json.JSONDecoder().decode
_encode = json.JSONEncoder(separators=(",", ":")).encode

#: What a document raises that is not one.
UNREADABLE: Final = (AttributeError, KeyError, TypeError, ValueError, InvalidRequest)


def document_from(response: Response) -> dict[str, Any]:
    """The body of an answer; empty where it is none in the bank's language."""
    try:
        told = _decode(response.body.decode())
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}


def outcome_from(response: Response, *, reads: bool, tag: str | None = None) -> Outcome:
    """
    The outcome that an answer is.

    Args:
        reads: Whether the request asked for something rather than to change something.
        tag: The tag to tell, where it is of another object than the payment.
    """
    document = document_from(response)
    if response.status not in _ANSWERS or "error" in document:
        return failure_from(response, document, reads=reads)
    try:
        facts = facts_from(document, tag=tag, api_version=API_VERSION)
        provider_time = time_in(response)
    except UNREADABLE as error:
        return _unreadable(response, error)
    headers = response.headers
    return Answer(
        facts=facts,
        replayed="idempotent-replayed" in headers,
        request_id=headers.get("request-id"),
        provider_time=provider_time,
    )


def page_from(response: Response) -> FactsPage | Failure:
    """A page of a listing; a failure where it, or a document on it, cannot be read."""
    document = document_from(response)
    if response.status not in _ANSWERS or "error" in document:
        return failure_from(response, document)
    try:
        items = tuple([facts_from(one, api_version=API_VERSION) for one in document["items"]])
        following = document["next"]
    except UNREADABLE as error:
        return _unreadable(response, error)
    return FactsPage(
        items=items, next_cursor=following, request_id=response.headers.get("request-id")
    )


def events_from(response: Response) -> EventsPage | Failure:
    """A page of what the bank told; a failure where it, or an envelope on it, cannot be read."""
    document = document_from(response)
    if response.status not in _ANSWERS or "error" in document:
        return failure_from(response, document)
    try:
        items = tuple([_event(envelope) for envelope in document["items"]])
        following = document["next"]
    except (*UNREADABLE, WebhookRejected) as error:
        return _unreadable(response, error)
    return EventsPage(
        items=items, next_cursor=following, request_id=response.headers.get("request-id")
    )


def _event(envelope: Mapping[str, Any]) -> ToldEvent:
    (delivery,) = deliveries_from(envelope)
    return ToldEvent(delivery=delivery, body=_encode(envelope).encode())


def payout_statement_from(response: Response) -> Statement | Failure:
    """What is true of a payout."""
    document = document_from(response)
    if response.status not in _ANSWERS or "error" in document:
        return failure_from(response, document)
    try:
        return Statement(payout=payout_from(document))
    except UNREADABLE as error:
        return _unreadable(response, error)


def time_in(response: Response) -> datetime | None:
    told = response.headers.get("bank-time")
    return moment_from(int(told)) if told is not None else None


def _unreadable(response: Response, error: BaseException | None = None) -> Failure:
    return Failure(
        kind=FailureKind.UNKNOWN,
        message=f"an answer with status {response.status} that is no answer of the bank's",
        request_id=response.headers.get("request-id"),
        cause=error,
    )


def failure_from(response: Response, document: Mapping[str, Any], *, reads: bool = True) -> Failure:
    """The failure that an answer without facts is."""
    code, message = _said(document.get("error"))
    if code is None:
        return _unreadable(response)
    status = response.status
    kind = _FAILURES.get((status, code)) or _BY_STATUS.get(status, FailureKind.UNKNOWN)
    if kind is FailureKind.NOT_FOUND and not reads:
        # Something was to be changed that does not exist: the request itself is wrong.
        kind = FailureKind.INVALID_REQUEST
    after = response.headers.get("retry-after")
    return Failure(
        kind=kind,
        message=message,
        code=code,
        request_id=response.headers.get("request-id"),
        retry_after=float(after) if after is not None else None,
        provider_time=time_in(response),
    )


def _said(error: object) -> tuple[str | None, str]:
    """The code and the message of an error; no code where it is none of the bank's."""
    if not isinstance(error, dict):
        return None, ""
    told = cast("dict[str, Any]", error)
    code = told.get("code")
    return (code if isinstance(code, str) else None), redact(str(told.get("message", "")))
