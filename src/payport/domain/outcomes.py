"""
How certain an operation's outcome is, and how the outcomes of several sends add up.

One operation may be sent more than once: retried, replayed by a later process, asked for again.
Its outcome is the *least certain* over all those sends, and after one ambiguous send only positive
evidence concludes. This module holds those two rules and nothing else.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["CERTAINTY", "Certainty", "FailureKind", "combine"]


class Certainty(StrEnum):
    """What is known about an operation after its sends so far."""

    #: The provider told the state of the object that the operation made or changed. A decline is
    #: one of these: it happened, and is known.
    CONFIRMED = "confirmed"
    #: The provider refused the request itself; it will refuse it again.
    REJECTED = "rejected"
    #: Proven that the provider executed nothing.
    NO_EFFECT = "no_effect"
    #: It may have been executed.
    UNKNOWN = "unknown"


class FailureKind(StrEnum):
    """Why a call to a provider brought no facts. Adapters classify into these and nothing else."""

    #: The provider refused the parameters.
    INVALID_REQUEST = "invalid_request"
    #: The provider refused the credentials.
    AUTHENTICATION = "authentication"
    #: The credentials are valid and may not do this.
    PERMISSION = "permission"
    #: Too many requests; refused before execution.
    RATE_LIMITED = "rate_limited"
    #: Proven not executed: no connection was made, or the provider says so.
    UNAVAILABLE = "unavailable"
    #: Not sent: none of this process's own connections was free in time. Says nothing of the
    #: provider.
    CONGESTED = "congested"
    #: Not sent: the provider's circuit breaker is open. Adapters do not use it.
    CIRCUIT_OPEN = "circuit_open"
    #: A request with the same key is being executed at this moment.
    IN_PROGRESS = "in_progress"
    #: The key was used before with another body: something was executed that is not this request.
    KEY_REUSED = "key_reused"
    #: The object of a read does not exist, or is not visible yet. Absence is not proof.
    NOT_FOUND = "not_found"
    #: Anything else once the first byte was written: time-outs, resets, 5xx, unreadable answers.
    UNKNOWN = "unknown"


#: What each failure proves about the send that it answers.
CERTAINTY: dict[FailureKind, Certainty] = {
    FailureKind.INVALID_REQUEST: Certainty.REJECTED,
    FailureKind.AUTHENTICATION: Certainty.NO_EFFECT,
    FailureKind.PERMISSION: Certainty.NO_EFFECT,
    FailureKind.RATE_LIMITED: Certainty.NO_EFFECT,
    FailureKind.UNAVAILABLE: Certainty.NO_EFFECT,
    FailureKind.CONGESTED: Certainty.NO_EFFECT,
    FailureKind.CIRCUIT_OPEN: Certainty.NO_EFFECT,
    FailureKind.IN_PROGRESS: Certainty.UNKNOWN,
    FailureKind.KEY_REUSED: Certainty.UNKNOWN,
    FailureKind.NOT_FOUND: Certainty.UNKNOWN,
    FailureKind.UNKNOWN: Certainty.UNKNOWN,
}


def combine(earlier: Certainty | None, latest: Certainty) -> Certainty:
    """
    The outcome of an operation after one more send.

    Facts conclude, whatever came before. Otherwise one ambiguous send keeps the operation unknown:
    a time-out followed by connection-refused, 401, 429 or 400 is unknown, because those answer the
    *later* send only.
    """
    if latest is Certainty.CONFIRMED or earlier is Certainty.CONFIRMED:
        return Certainty.CONFIRMED
    if earlier is Certainty.UNKNOWN:
        return Certainty.UNKNOWN
    return latest
