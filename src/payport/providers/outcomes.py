"""What a call to a provider brings back: facts, or a classified failure. Never an exception."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias, TypeVar

from payport.domain.facts import Facts
from payport.domain.outcomes import CERTAINTY, Certainty, FailureKind
from payport.providers.exchange import TransportError

__all__ = ["Account", "Answer", "Failure", "Outcome", "aged", "failure_from_transport", "judged"]


R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """
    Which account of which provider the credentials really belong to.

    Attributes:
        id: The provider's id of the account.
        endpoint: The address the requests go to; a simulator is another endpoint than the provider.
        provider_time: The provider's clock when it answered. No part of who the account is.
    """

    id: str
    endpoint: str
    provider_time: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    The provider told the state of the object that the call is about. A decline is an answer.

    Attributes:
        replayed: Whether this is the stored answer of an earlier request with the same key: its
            facts are as old as that request, and the adapter dated them so.
        provider_time: The provider's clock when it answered.
    """

    facts: Facts
    replayed: bool = False
    request_id: str | None = None
    provider_time: datetime | None = None

    @property
    def certainty(self) -> Certainty:
        """Always confirmed."""
        return Certainty.CONFIRMED


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """
    The call brought no facts; `kind` says what that proves.

    Attributes:
        message: What the provider said, with keys, secrets and card numbers taken out.
        code: The provider's own code.
        retry_after: Seconds the provider asked to wait.
        cause: The exception behind it, kept as `__cause__` of what the client raises.
        demoted: Set where the failure alone would prove that nothing was executed, and an earlier
            request of the same call takes that proof away.
        unsent: Whether it is certain that not one byte of the call went on the wire. Stronger than
            any proof that nothing was executed, which a provider may give by its answer.
    """

    kind: FailureKind
    message: str
    code: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    provider_time: datetime | None = None
    cause: BaseException | None = field(default=None, compare=False, repr=False)
    demoted: bool = False
    unsent: bool = False

    @property
    def certainty(self) -> Certainty:
        """What this proves about the call that it ended."""
        return Certainty.UNKNOWN if self.demoted else CERTAINTY[self.kind]


#: What every method of a provider returns.
Outcome: TypeAlias = Answer | Failure


def failure_from_transport(error: TransportError) -> Failure:
    """Without a byte sent nothing was executed; after that, anything may have been."""
    unsent = FailureKind.CONGESTED if error.congested else FailureKind.UNAVAILABLE
    kind = FailureKind.UNKNOWN if error.sent else unsent
    return Failure(kind=kind, message=str(error), cause=error, unsent=not error.sent)


def aged(outcome: R | Failure, first_sent_at: datetime | None) -> R | Failure:
    """
    An answer of a provider that does not say whether it is a stored one: it may be as old as the
    operation's first send, and its facts must not stand over what happened since.

    In whole seconds, which is how exactly webhooks tell the time.
    """
    if first_sent_at is None or not isinstance(outcome, Answer):
        return outcome
    facts = outcome.facts.told_by(first_sent_at.replace(microsecond=0))
    return replace(outcome, facts=facts)


def judged(outcome: R | Failure, *, answered: int) -> R | Failure:
    """
    The outcome of a call, given how many of its requests may have changed something before the
    last one.

    A failure of the last request says nothing about those, which were answered: the call's outcome
    is the least certain over all of them.
    """
    if isinstance(outcome, Failure) and answered:
        return replace(outcome, demoted=True, unsent=False)
    return outcome
