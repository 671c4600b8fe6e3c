"""The journal's row: everything that must be known about an operation by whoever finds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from payport.domain.changing import changed
from payport.domain.identifiers import Environment, Kind, derive_id
from payport.domain.outcomes import FailureKind
from payport.providers.commands import Operation

__all__ = [
    "CONCLUDED",
    "Identity",
    "OperationRecord",
    "OperationState",
    "ResolutionRecord",
    "Verdict",
]


class OperationState(StrEnum):
    """Where an operation stands in the journal."""

    #: Committed, never sent. A crash here leaves nothing at the provider.
    PREPARED = "prepared"
    #: Being sent, or the sender died: it may have been executed.
    SENT = "sent"
    #: It took effect, and the facts are applied.
    CONFIRMED = "confirmed"
    #: The provider said no: a decline, or a request it will never accept.
    REJECTED = "rejected"
    #: Proven that nothing was executed; it may be sent again.
    NO_EFFECT = "no_effect"
    #: It may have been executed; recovery goes on looking.
    UNKNOWN = "unknown"
    #: Nothing automatic is left to try; a person decides.
    NEEDS_REVIEW = "needs_review"
    #: Prepared, never sent, and given up.
    ABANDONED = "abandoned"


#: States in which the outcome is known.
CONCLUDED = frozenset(
    {
        OperationState.CONFIRMED,
        OperationState.REJECTED,
        OperationState.NO_EFFECT,
        OperationState.ABANDONED,
    }
)


#: States of a row that may have no send behind it; in all others one is under way, or was.
_UNSENT = frozenset({OperationState.PREPARED, OperationState.NO_EFFECT, OperationState.ABANDONED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """
    What makes an operation this one, whoever asks for it. Unique in the store.

    The provider is not part of it: a second process, another route or a new deployment finds the
    same row.

    Attributes:
        aggregate_id: payport's id of the payment or refund that it makes or changes.
        reference: The application's reference within the aggregate, such as a partial capture's.
    """

    scope: str
    environment: Environment
    operation: Operation
    aggregate_id: str
    reference: str = ""
    attempt: int = 1

    @property
    def id(self) -> str:
        """The operation's id, derived from the rest."""
        return derive_id(
            Kind.OPERATION,
            self.scope,
            self.environment,
            self.operation,
            self.aggregate_id,
            self.reference,
            str(self.attempt),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationRecord:
    """
    One row of the journal.

    Attributes:
        payment_id: The payment it belongs to; the aggregate itself but for refunds.
        fingerprint: Version and digest of the parameters that the application gave.
        command: What the provider is asked, as JSON; without the payment method where the request
            must not be stored.
        request: The exact first request; None where it must not be stored.
        key: The idempotency key, and the tag at the provider.
        endpoint: The address it was or will be sent to.
        route: Why this provider, in words: decided once and replayed. A row of which nothing was
            ever sent may go to another provider; then the words say so, after those before.
        baseline: What the aggregate looked like when the operation began, so that a later look at
            the provider's object can tell a change from none.
        lease_owner: Who may send.
        lease_until: Until when, by the wall clock of the store's writers.
        fencing: Grows with each new lease; a sender with an older one may not conclude.
        sends: How often a send was begun, but for those of which no byte went on the wire.
        doubtful: Whether some send may have been executed: then only evidence concludes.
        first_sent_at: When the key began to live at the provider.
        latest_at: The latest time ever recorded here, ours or the provider's: ages are measured
            against it, so a clock that steps back does not make a key young again.
        send_before: After this moment recovery does not send any more.
        next_look_at: When recovery looks at it next; None where there is nothing to look for, once
            it is concluded or waits for a person.
        failure: Why the last send brought no facts.
    """

    id: str
    scope: str
    environment: Environment
    operation: Operation
    aggregate_id: str
    payment_id: str
    reference: str
    attempt: int
    fingerprint: str
    command: bytes | None = field(repr=False)
    request: bytes | None = field(default=None, repr=False)
    key: str
    provider: str
    account: str
    endpoint: str
    route: str = "the only provider"
    baseline: str = ""
    state: OperationState = OperationState.PREPARED
    lease_owner: str | None = None
    lease_until: datetime | None = None
    fencing: int = 0
    sends: int = 0
    doubtful: bool = False
    prepared_at: datetime
    first_sent_at: datetime | None = None
    latest_at: datetime
    send_before: datetime
    next_look_at: datetime | None = None
    concluded_at: datetime | None = None
    failure: FailureKind | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    request_id: str | None = None

    @property
    def was_never_sent(self) -> bool:
        """Whether it is certain that no byte of it ever went on the wire, in any process."""
        return self.state in _UNSENT and not self.sends and not self.doubtful

    @property
    def is_concluded(self) -> bool:
        """Whether the outcome is known."""
        return self.state in CONCLUDED

    def evolve(self, **changes: object) -> OperationRecord:
        """A copy with some attributes replaced."""
        return changed(self, changes)


class Verdict(StrEnum):
    """What a person found out about an operation."""

    #: The provider carried it out.
    EXECUTED = "executed"
    #: The provider did not carry it out, and will not.
    NOT_EXECUTED = "not_executed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionRecord:
    """
    A person's word on an operation that nothing automatic could conclude, or the evidence that
    contradicted what was concluded (author `payport`). Kept for ever.

    Attributes:
        at: When it was given.
        author: Who gave it.
        reason: Why, in their words.
        from_state: Where the operation stood before.
        to_state: Where it stood afterwards.
    """

    operation_id: str
    at: datetime
    author: str
    reason: str
    from_state: OperationState
    to_state: OperationState
