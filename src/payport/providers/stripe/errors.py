"""
What an answer without facts proves: tables by status, type and code, and the failure made of them.

Reads JSON and headers, never an SDK's object. Everything that is not in a table is UNKNOWN, and so
is every answer that is not in Stripe's own shape, whatever its status: something in between may
have written it after Stripe carried the request out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, cast

from payport.domain.outcomes import FailureKind
from payport.domain.sensitive import redact
from payport.providers.exchange import Response
from payport.providers.outcomes import Failure

__all__ = [
    "BY_CODE",
    "BY_STATUS",
    "BY_TYPE",
    "Refused",
    "document_from",
    "error_in",
    "failure_from",
    "provider_time",
    "unreadable",
]

#: By `error.code`, first: https://docs.stripe.com/error-codes
BY_CODE: Final[Mapping[str, FailureKind]] = MappingProxyType(
    {
        "api_key_expired": FailureKind.AUTHENTICATION,
        "idempotency_key_in_use": FailureKind.IN_PROGRESS,
        # Another request holds the object. Refused, and not proven to have done nothing before:
        # so it is asked again under the same key, and not called failed.
        "lock_timeout": FailureKind.IN_PROGRESS,
        "platform_api_key_expired": FailureKind.AUTHENTICATION,
        # Once told with status 400.
        "rate_limit": FailureKind.RATE_LIMITED,
    }
)
#: By `error.type`, next: https://docs.stripe.com/api/errors
BY_TYPE: Final[Mapping[str, FailureKind]] = MappingProxyType(
    {"idempotency_error": FailureKind.KEY_REUSED}
)
#: By status, last. A server's own errors (5xx) are never looked up: they prove nothing.
BY_STATUS: Final[Mapping[int, FailureKind]] = MappingProxyType(
    {
        400: FailureKind.INVALID_REQUEST,
        401: FailureKind.AUTHENTICATION,
        # Declines of a payment were taken out before; this one made no payment.
        402: FailureKind.INVALID_REQUEST,
        403: FailureKind.PERMISSION,
        404: FailureKind.NOT_FOUND,
        409: FailureKind.IN_PROGRESS,
        429: FailureKind.RATE_LIMITED,
    }
)

_SERVER: Final = 500
#: Kinds that are an answer for good, unless Stripe itself says that a retry may change it.
_FINAL: Final = frozenset({FailureKind.INVALID_REQUEST, FailureKind.NOT_FOUND})
#: Stripe masks keys in what it says; even what is left of one is left out.
_KEY: Final = re.compile(r"\b[srp]k_(?:live|test)_[\w*]+")
_SECONDS: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?")

_decode = json.JSONDecoder().decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(Response):
    """
    An answer that the SDK made an exception of.

    Attributes:
        cause: The exception, without frames that hold a key.
    """

    cause: BaseException | None = field(default=None, compare=False, repr=False)


def document_from(response: Response) -> dict[str, Any]:
    """The JSON object of an answer; empty where it is none."""
    try:
        told = _decode(response.body.decode())
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}


def error_in(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """The error of an answer, where it is in Stripe's shape. OAuth's errors are not: text."""
    error = document.get("error")
    return cast("dict[str, Any]", error) if isinstance(error, dict) else None


def failure_from(response: Response, document: Mapping[str, Any], *, reads: bool) -> Failure:
    """
    The failure that an answer without facts is.

    Args:
        reads: Whether the request asked for something rather than to change something.
    """
    error = error_in(document)
    if error is None or not isinstance(error.get("type"), str):
        return unreadable(response)
    code, kind = error.get("code"), _kind(response, error)
    if kind is FailureKind.NOT_FOUND and not reads:
        # Something was to be changed that does not exist: the request itself is wrong.
        kind = FailureKind.INVALID_REQUEST
    told = error.get("message")
    return Failure(
        kind=kind,
        message=_clean(told) if isinstance(told, str) else f"status {response.status}",
        code=code if isinstance(code, str) else None,
        request_id=response.headers.get("request-id"),
        retry_after=_retry_after(response),
        provider_time=provider_time(response),
        cause=_cause(response),
    )


def unreadable(response: Response, error: BaseException | None = None) -> Failure:
    """The failure that an answer is which is none of Stripe's."""
    return Failure(
        kind=FailureKind.UNKNOWN,
        message=f"an answer with status {response.status} that is no answer of Stripe's",
        request_id=response.headers.get("request-id"),
        provider_time=provider_time(response),
        cause=error if error is not None else _cause(response),
    )


def provider_time(response: Response) -> datetime | None:
    """When Stripe answered, by its own clock."""
    return _date(response.headers.get("date"))


def _kind(response: Response, error: Mapping[str, Any]) -> FailureKind:
    status = response.status
    if status >= _SERVER:
        return FailureKind.UNKNOWN
    code, kind = error.get("code"), error.get("type")
    found = BY_CODE.get(code) if isinstance(code, str) else None
    if found is None and isinstance(kind, str):
        found = BY_TYPE.get(kind)
    if found is None:
        found = BY_STATUS.get(status, FailureKind.UNKNOWN)
    if found in _FINAL and response.headers.get("stripe-should-retry") == "true":
        return FailureKind.UNKNOWN
    return found


def _cause(response: Response) -> BaseException | None:
    return response.cause if isinstance(response, Refused) else None


def _clean(message: str) -> str:
    return redact(_KEY.sub("[key]", message))


def _retry_after(response: Response) -> float | None:
    """Seconds to wait: told as such, or as a date, which is compared with Stripe's own clock."""
    told = response.headers.get("retry-after")
    if told is None:
        return None
    if _SECONDS.fullmatch(told):
        return float(told)
    until, now = _date(told), provider_time(response)
    if until is None or now is None:
        return None
    return max(0.0, (until - now).total_seconds())


@lru_cache(maxsize=64)
def _date(told: str | None) -> datetime | None:
    """A header's moment; read several times for an answer, and the same for those of a second."""
    if told is None:
        return None
    try:
        moment = parsedate_to_datetime(told)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None
