"""From how an operation ended to what the caller is told: the one table of faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payport.domain.errors import (
    AuthenticationFailed,
    CircuitOpen,
    InvalidRequest,
    NotFound,
    OperationInProgress,
    OutcomeUnknown,
    PayportError,
    ProviderFault,
    ProviderPermissionDenied,
    ProviderUnavailable,
    RateLimited,
)
from payport.domain.outcomes import FailureKind
from payport.operations.records import OperationState

if TYPE_CHECKING:
    from payport.domain.refund import Refund
    from payport.operations.plan import Concluded
    from payport.providers.outcomes import Failure

__all__ = ["raise_unless_known", "read_fault"]

#: What is raised where it is proven that nothing was executed, or that the request is wrong.
_PROVEN: dict[FailureKind, type[PayportError]] = {
    FailureKind.INVALID_REQUEST: InvalidRequest,
    FailureKind.AUTHENTICATION: AuthenticationFailed,
    FailureKind.PERMISSION: ProviderPermissionDenied,
    FailureKind.RATE_LIMITED: RateLimited,
    FailureKind.UNAVAILABLE: ProviderUnavailable,
    FailureKind.CONGESTED: ProviderUnavailable,
    FailureKind.CIRCUIT_OPEN: CircuitOpen,
}

_UNKNOWN = frozenset({OperationState.UNKNOWN, OperationState.NEEDS_REVIEW, OperationState.SENT})


def raise_unless_known(
    concluded: Concluded, *, operation: str, reference: str, refund: Refund | None = None
) -> None:
    """
    Raise what a caller has to be told, unless facts concluded the operation.

    Raises:
        OutcomeUnknown: It may have been executed.
        OperationInProgress: The provider is executing it at this moment.
        InvalidRequest, ProviderFault: It was not executed, and why.
    """
    record = concluded.record
    told = {
        "operation": operation,
        "reference": reference,
        "provider": record.provider,
        "idempotency_key": record.key,
        "request_id": record.request_id,
    }
    message = record.failure_message or ""
    failure = concluded.failure
    cause = failure.cause if failure is not None else None
    if record.state in _UNKNOWN:
        if record.failure is FailureKind.IN_PROGRESS:
            raise OperationInProgress(message, **told) from cause
        intent = concluded.intent
        raise OutcomeUnknown(message, payment=intent, refund=refund, **told) from cause
    if record.failure is None:
        return
    kind = _PROVEN.get(record.failure, ProviderFault)
    if kind is RateLimited:
        after = failure.retry_after if failure is not None else None
        raise RateLimited(message, retry_after=after, **told) from cause
    raise kind(message, **told) from cause


#: What a read raises. A read moves no money, so nothing about it is unknown.
_READ: dict[FailureKind, type[PayportError]] = {
    **_PROVEN,
    FailureKind.NOT_FOUND: NotFound,
    FailureKind.UNKNOWN: ProviderUnavailable,
    FailureKind.IN_PROGRESS: ProviderUnavailable,
}


def read_fault(failure: Failure, *, operation: str, reference: str, provider: str) -> PayportError:
    """The error for a read that brought no facts; raise it from `failure.cause`."""
    kind = _READ.get(failure.kind, ProviderFault)
    told = {
        "operation": operation,
        "reference": reference,
        "provider": provider,
        "request_id": failure.request_id,
    }
    if kind is RateLimited:
        return RateLimited(failure.message, retry_after=failure.retry_after, **told)
    return kind(failure.message, **told)
