"""
What an answer without facts proves: tables by code and status, and the failure made of them.

Everything that is not in a table is UNKNOWN, and so is every answer that is not in Adyen's own
shape, whatever its status: something in between may have written it after Adyen carried the request
out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from payport.domain.outcomes import FailureKind
from payport.domain.sensitive import redact
from payport.providers.adyen.objects import Document, provider_time, psp_in, word
from payport.providers.exchange import Response
from payport.providers.outcomes import Failure

__all__ = ["BY_CODE", "BY_STATUS", "TRANSIENT_HEADER", "failure_from", "of_another", "unreadable"]

#: Says that the same request under the same key may have another answer a little later.
TRANSIENT_HEADER: Final = "transient-error"

#: By status and `errorCode`, first: https://docs.adyen.com/development-resources/error-codes
BY_CODE: Final[Mapping[tuple[int, str], FailureKind]] = MappingProxyType(
    {
        # The store of keys is away, and nothing is executed without it.
        (503, "703"): FailureKind.UNAVAILABLE,
        # Executed before, or being executed; which of the two is said by the header.
        (409, "704"): FailureKind.KEY_REUSED,
        (422, "704"): FailureKind.KEY_REUSED,
    }
)
#: By status, next. A server's own errors (5xx) are never looked up: they prove nothing.
BY_STATUS: Final[Mapping[int, FailureKind]] = MappingProxyType(
    {
        400: FailureKind.INVALID_REQUEST,
        401: FailureKind.AUTHENTICATION,
        403: FailureKind.PERMISSION,
        # Whatever is not there, the request itself named it.
        404: FailureKind.INVALID_REQUEST,
        409: FailureKind.IN_PROGRESS,
        422: FailureKind.INVALID_REQUEST,
        429: FailureKind.RATE_LIMITED,
    }
)

#: Kinds that `transient-error: true` takes the finality from.
_FINAL: Final = frozenset({FailureKind.INVALID_REQUEST, FailureKind.PERMISSION})
_SECONDS: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?")
#: API keys begin like this; Adyen never repeats one, and even so none is passed on.
_KEY: Final = re.compile(r"\bAQE[\w+/=.-]{20,}")


def failure_from(response: Response, document: Document) -> Failure:
    """The failure that an answer without facts is."""
    code, kind_of_error = word(document.get("errorCode")), document.get("errorType")
    if code is None or not isinstance(kind_of_error, str):
        return unreadable(response)
    told = document.get("message")
    return Failure(
        kind=_kind(response, code),
        message=redact(_KEY.sub("[key]", told)) if isinstance(told, str) else code,
        code=code,
        request_id=psp_in(document) or psp_in(response.headers, "pspreference"),
        retry_after=_retry_after(response),
        provider_time=provider_time(response),
    )


def unreadable(response: Response, error: BaseException | None = None) -> Failure:
    """The failure that an answer is which is none of Adyen's."""
    return Failure(
        kind=FailureKind.UNKNOWN,
        message=f"an answer with status {response.status} that is no answer of Adyen's",
        request_id=psp_in(response.headers, "pspreference"),
        provider_time=provider_time(response),
        cause=error,
    )


def of_another(response: Response, document: Document) -> Failure:
    """
    The failure that an answer is which is about another payment, or does not say about which.

    What a customer brings back names its payment in a way that only Adyen reads: a customer may
    hand in for one order what was done for another one, which did nothing for this one.
    """
    if not isinstance(document.get("merchantReference"), str):
        return unreadable(response)
    return Failure(
        kind=FailureKind.INVALID_REQUEST,
        message="the result that was handed in is of another payment: hand it in for that one",
        request_id=psp_in(document),
        provider_time=provider_time(response),
    )


def _kind(response: Response, code: str) -> FailureKind:
    transient = response.headers.get(TRANSIENT_HEADER) == "true"
    found = BY_CODE.get((response.status, code))
    if found is FailureKind.KEY_REUSED:
        return FailureKind.IN_PROGRESS if transient else found
    found = found or BY_STATUS.get(response.status, FailureKind.UNKNOWN)
    return FailureKind.UNKNOWN if transient and found in _FINAL else found


def _retry_after(response: Response) -> float | None:
    told = response.headers.get("retry-after", "")
    return float(told) if _SECONDS.fullmatch(told) else None
