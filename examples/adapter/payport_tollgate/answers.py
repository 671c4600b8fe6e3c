"""From Tollgate's answers to outcomes: what each of them proves, by status and Tollgate's code."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from payport.domain.errors import PayportError
from payport.domain.outcomes import FailureKind
from payport.domain.sensitive import redact
from payport.providers.exchange import Response
from payport.providers.outcomes import Failure

T = TypeVar("T")

#: https://docs.tollgate.example/errors. Nothing else proves anything.
_FAILURES: Final[Mapping[tuple[int, str], FailureKind]] = {
    (400, "bad_request"): FailureKind.INVALID_REQUEST,
    (400, "refund_too_large"): FailureKind.INVALID_REQUEST,
    (401, "bad_key"): FailureKind.AUTHENTICATION,
    (403, "not_allowed"): FailureKind.PERMISSION,
    (404, "no_such_order"): FailureKind.NOT_FOUND,
    (429, "slow_down"): FailureKind.RATE_LIMITED,
    (503, "not_done"): FailureKind.UNAVAILABLE,
}
_DONE: Final = frozenset({200, 201})
_UNREADABLE: Final = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


def understood(response: Response, read: Callable[[Any], T]) -> T | Failure:
    """What `read` makes of an answer; the failure that it is, if it is none."""
    try:
        told = json.loads(response.body)
        if response.status in _DONE:
            return read(told)
        code = str(told["error"]["code"])
    except (*_UNREADABLE, RecursionError, PayportError) as error:
        # Half an answer, or a page of something in between: it proves nothing, whatever its status.
        why = f"an answer with status {response.status} that is none of Tollgate's"
        return Failure(kind=FailureKind.UNKNOWN, message=why, cause=error)
    wait = response.headers.get("retry-after", "")
    return Failure(
        kind=_FAILURES.get((response.status, code), FailureKind.UNKNOWN),
        message=redact(f"Tollgate says {code}"),
        code=code,
        retry_after=float(wait) if wait.isdecimal() else None,
    )
