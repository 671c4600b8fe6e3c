"""What the journal is asked to carry out, and what it is set up with. Values only."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from payport.domain.errors import ConfigurationError
from payport.providers.breaker import DEFAULT_BREAKER, BreakerPolicy
from payport.providers.retries import DEFAULT_RETRIES, RetryPolicy

if TYPE_CHECKING:
    from payport.domain.events import DomainEvent
    from payport.domain.identifiers import Environment
    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.clock import Clock
    from payport.operations.records import Identity, OperationRecord
    from payport.providers.commands import Command
    from payport.providers.outcomes import Account, Failure
    from payport.providers.routing.rules import Asked
    from payport.providers.spec import ProviderSpec
    from payport.storage.base import Transaction

__all__ = [
    "CLOCK_TOLERANCE",
    "DEFAULT_SEND_WITHIN",
    "ONLY",
    "Beginning",
    "Begun",
    "Concluded",
    "Deadline",
    "Elsewhere",
    "JournalSettings",
    "Plan",
    "Route",
    "new_owner",
]


#: A customer who is present is not charged later than this after the payment was last asked for.
DEFAULT_SEND_WITHIN = timedelta(minutes=15)


class Elsewhere(ConfigurationError):
    """The operation or the payment is at another provider or account. Nothing was sent."""


#: How far two clocks may lie apart before one of them is taken to have stepped back.
CLOCK_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """
    The payment with the operation begun on it: what it speaks for is spoken for.

    Attributes:
        command: What the provider is asked, or would be.
        send: False where nothing needs to be sent: the operation is confirmed as it is written.
    """

    intent: PaymentIntent
    command: Command
    send: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """
    What an operation begins with, under the payment's lock.

    Attributes:
        spec: Of the provider that is asked.
        stored: The payment as it is stored; None before its first operation.
        key: The operation's key, which tags whatever it speaks for.
        earlier: The command it was begun with before, when it had no effect and is asked again:
            what it asked then stands, because the provider may remember the key with it.
    """

    tx: Transaction
    spec: ProviderSpec
    stored: PaymentIntent | None
    account: Account
    now: datetime
    key: str
    earlier: Command | None = None


def _stays(intent: PaymentIntent) -> bool:
    del intent
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    Where an operation is carried out, and why.

    Attributes:
        reason: In words, kept with the operation.
        is_one_of_several: Whether another provider takes it where nothing can be sent to this one:
            then what was refused before a byte was sent is not tried here again.
        is_known: Whether the store has the operation or its payment already.
        may_take: Whether a payment that is at another provider may be taken over from there, by its
            state, which is held: only where nothing of it can be charged there any more.
    """

    reason: str = "the only provider"
    is_one_of_several: bool = False
    is_known: bool = False
    may_take: Callable[[PaymentIntent], bool] = _stays


def _latest(intent: PaymentIntent) -> str | None:
    del intent
    return None


#: The route of a client with one provider.
ONLY = Route()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    One operation of the application's.

    Attributes:
        named: The public name of the operation, for errors.
        reference: What errors call the aggregate.
        asked: What decides about the provider; None where the operation is on something that one
            provider holds, and so stays with it.
        held_by: Which attempt of the payment the operation is on, by the provider's id; the latest
            one if it says None.
        begin: Called under the payment's lock. Checks that the payment's state allows the command,
            reserves what the command speaks for, and returns both. Called again, on the state of
            then, when an operation without effect is asked again.
        makes_payment: Whether it is the operation that a payment begins with, so that nearly always
            neither is stored yet.
    """

    identity: Identity
    payment_id: str
    fingerprint: str
    named: str
    reference: str
    begin: Callable[[Beginning], Begun]
    makes_payment: bool = False
    asked: Asked | None = None
    held_by: Callable[[PaymentIntent], str | None] = _latest


@dataclass(frozen=True, slots=True, kw_only=True)
class Concluded:
    """
    How an operation ended, for now.

    Attributes:
        failure: What this call's last send or read ended in, where no facts came.
    """

    record: OperationRecord
    intent: PaymentIntent
    failure: Failure | None = None


def _no_events(tx: Transaction, events: Sequence[DomainEvent], at: datetime) -> None:
    del tx, events, at


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSettings:
    """
    How the journal works.

    Attributes:
        deadline: Seconds an operation may take in all, waits included.
        call_timeout: Seconds one request may take.
        lease_margin: Seconds that a lease outlives the one request it is taken for. It is renewed
            before each further try, so that a sender who died is not waited for longer than it
            takes a living one to try again.
        send_within: How long after it was last asked for an operation that charges a customer who
            is present may still be sent.
        breaker: When the provider is left alone, and for how long.
        rate: So many requests a second at most; None for no limit of our own.
        on_events: Called in the transaction that stores new events.
    """

    scope: str
    environment: Environment
    clock: Clock
    retries: RetryPolicy = DEFAULT_RETRIES
    deadline: float = 20.0
    call_timeout: float = 10.0
    lease_margin: float = 1.0
    send_within: timedelta = DEFAULT_SEND_WITHIN
    breaker: BreakerPolicy = DEFAULT_BREAKER
    rate: int | None = None
    on_events: Callable[[Transaction, Sequence[DomainEvent], datetime], None] = field(
        default=_no_events
    )

    @property
    def lease(self) -> float:
        """Seconds that a lease lasts."""
        return min(self.call_timeout, self.deadline) + self.lease_margin


class Deadline:
    """How much of an operation's time is left, by the monotonic clock."""

    __slots__ = ("_clock", "_ends")

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._ends = clock.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left; negative when it is over."""
        return self._ends - self._clock.monotonic()


_counter = itertools.count(1)
_process = (0, "")


def new_owner() -> str:
    """A name for one sender, unlike any other in any process."""
    global _process  # noqa: PLW0603 - renewed in a forked child
    pid = os.getpid()
    if _process[0] != pid:
        _process = (pid, secrets.token_hex(6))
    return f"{_process[1]}-{next(_counter)}"
