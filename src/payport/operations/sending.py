"""
Sending: one request on the wire at a time, under a lease, with the retries that are safe.

Decides nothing about what an outcome means for the operation; it only never lets a later failure
hide an earlier doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from payport.domain.outcomes import Certainty, FailureKind
from payport.operations.plan import Deadline
from payport.operations.steps import Steps, transact_shared, wait_step
from payport.providers.commands import Operation
from payport.providers.exchange import Call, SendRefused
from payport.providers.outcomes import Failure, Outcome
from payport.providers.retries import Retrying
from payport.providers.spec import Resolution

if TYPE_CHECKING:
    from payport.operations.gate import Gate
    from payport.operations.leases import Leases
    from payport.operations.messages import Message
    from payport.operations.plan import JournalSettings
    from payport.operations.records import OperationRecord
    from payport.providers.base import PaymentProvider
    from payport.providers.commands import Command
    from payport.providers.spec import ProviderSpec

__all__ = ["Sending", "Turn", "doubt_in"]

#: Seconds a request is given even at the very end of the deadline; the guard decides before it.
_SHORTEST_TIMEOUT = 0.05


def always() -> bool:
    """There is no time after which it is too late."""
    return True


@dataclass(slots=True, kw_only=True)
class Turn:
    """
    One holder's time with an operation.

    Attributes:
        record: The row, with our lease.
        message: What goes on the wire; None where it was never stored.
        deadline: How much of the caller's time is left.
        lease: How much of the lease is left, by the monotonic clock; begun before the store wrote
            it, so it ends here first.
        may_send: Asked before each write to the wire: whether it is not too late for it by now.
        is_hurried: Whether what was refused before a byte was sent is not tried again, because
            another provider takes it then.
    """

    record: OperationRecord
    message: Message | None
    deadline: Deadline
    lease: Deadline
    may_send: Callable[[], bool] = always
    is_hurried: bool = False


class Sending:
    """Sends under a lease."""

    def __init__(
        self, settings: JournalSettings, spec: ProviderSpec, leases: Leases, gate: Gate
    ) -> None:
        self._settings = settings
        self._spec = spec
        self._leases = leases
        self._gate = gate

    def sent(self, turn: Turn, message: Message) -> Steps[Outcome]:
        """Send, and send again what may be; the least certain outcome of it all."""
        first = yield from self.once(turn, message)
        if not isinstance(first, Failure):
            return first
        tried: list[Outcome] = [first]

        def attempt() -> Generator[Any, Any, Outcome]:
            outcome = yield from self.once(turn, message)
            tried.append(outcome)
            return outcome

        retrying = Retrying(
            self._settings.retries,
            remaining=turn.deadline.remaining,
            allow=lambda failure: self._may_send_again(turn, failure),
        )
        last = yield from retrying.steps(attempt, wait_step, first)
        # A later failure answers its own send only: one doubt makes the operation doubtful.
        doubts = [doubt for doubt in map(doubt_in, tried) if doubt is not None]
        if doubts and isinstance(last, Failure):
            return doubts[-1]
        if isinstance(last, Failure) and last.unsent and not all(map(_is_unsent, tried)):
            return replace(last, unsent=False)  # an earlier try was sent
        return last

    def _may_send_again(self, turn: Turn, failure: Failure) -> bool:
        """With keys anything but a final no; without, only what provably was not executed."""
        if turn.is_hurried and failure.unsent and failure.kind is not FailureKind.CONGESTED:
            return False
        if failure.certainty is not Certainty.UNKNOWN:
            return True
        return self._spec.idempotency.has_keys and Resolution.REPLAY in self._spec.resolution

    def once(self, turn: Turn, message: Message) -> Steps[Outcome]:
        """Send once, if the provider is well, a turn is free and the lease allows it."""
        permit = yield from self._gate.entered(turn.deadline.remaining)
        if isinstance(permit, Failure):
            return permit
        try:
            outcome = yield from self._let_out(turn, message)
        except BaseException:
            permit.leave(None)
            raise
        permit.leave(None if _was_refused(outcome) else outcome)
        return outcome

    def _let_out(self, turn: Turn, message: Message) -> Steps[Outcome]:
        timeout = self.timeout(turn.deadline)
        held = yield from self._held(turn, timeout)

        def guard() -> None:
            left = min(turn.deadline.remaining(), turn.lease.remaining())
            if not held or left <= 0 or not turn.may_send():
                raise SendRefused

        call = Call(
            key=turn.record.key,
            timeout=timeout,
            guard=guard,
            exact=message.exact,
            first_sent_at=turn.record.first_sent_at,
        )
        asked_at = self._settings.clock.monotonic()
        try:
            outcome = yield from self._gate.ask(
                lambda provider: _perform(provider, message.command, call)
            )
        except SendRefused as refused:
            why = "the time for this operation is over; this try was not sent"
            return Failure(kind=FailureKind.UNAVAILABLE, message=why, cause=refused, unsent=True)
        except Exception as error:  # noqa: BLE001 - whatever it was, it came after a possible send
            why = f"the adapter failed: {type(error).__name__}"
            return Failure(kind=FailureKind.UNKNOWN, message=why, cause=error)
        self._gate.reckoning.hear(outcome, asked_at)
        return outcome

    def _held(self, turn: Turn, timeout: float) -> Steps[bool]:
        """Whether the lease covers one more request; it is renewed where it does not."""
        if turn.lease.remaining() > timeout:
            return True
        renewed = Deadline(self._settings.clock, self._settings.lease)
        ours = yield from transact_shared(lambda tx: self._leases.renew(tx, turn.record))
        if ours is None:
            return False
        turn.record, turn.lease = ours, renewed
        return True

    def timeout(self, deadline: Deadline) -> float:
        """Seconds that the next request may take."""
        longest = min(self._settings.call_timeout, deadline.remaining())
        return max(_SHORTEST_TIMEOUT, longest)


def _perform(provider: PaymentProvider, command: Command, call: Call) -> Outcome:
    """Call the provider's method of the command's name."""
    match command.operation:
        case Operation.CREATE_PAYMENT:
            return provider.create_payment(command, call)
        case Operation.CONFIRM_PAYMENT:
            return provider.confirm_payment(command, call)
        case Operation.CAPTURE_PAYMENT:
            return provider.capture_payment(command, call)
        case Operation.CANCEL_PAYMENT:
            return provider.cancel_payment(command, call)
        case Operation.CREATE_REFUND:
            return provider.create_refund(command, call)


def _was_refused(outcome: Outcome) -> bool:
    """Whether our own time was over before anything was sent: that says nothing of the provider."""
    return isinstance(outcome, Failure) and isinstance(outcome.cause, SendRefused)


def doubt_in(outcome: Outcome) -> Failure | None:
    """The failure, where it leaves open whether the operation was executed."""
    if isinstance(outcome, Failure) and outcome.certainty is Certainty.UNKNOWN:
        return outcome
    return None


def _is_unsent(outcome: Outcome) -> bool:
    return isinstance(outcome, Failure) and outcome.unsent
