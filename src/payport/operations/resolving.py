"""
Resolving: learning what became of an operation that may have been executed.

Follows the provider's own ways in their order, and takes only positive evidence. What it cannot
learn it leaves unknown.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from payport.domain.outcomes import FailureKind
from payport.operations.evidence import proves
from payport.operations.messages import stored_message
from payport.operations.plan import CLOCK_TOLERANCE, Deadline
from payport.operations.sending import Sending, Turn
from payport.providers.commands import Lookup
from payport.providers.exchange import Call
from payport.providers.outcomes import Answer, Failure, Outcome
from payport.providers.spec import Capability, Resolution

if TYPE_CHECKING:
    from collections.abc import Callable

    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.gate import Gate
    from payport.operations.messages import Message
    from payport.operations.plan import JournalSettings
    from payport.operations.records import OperationRecord
    from payport.operations.steps import Steps
    from payport.providers.base import PaymentProvider
    from payport.providers.spec import ProviderSpec

__all__ = ["Resolving"]

#: A key is not used in the last part of its life: it may be pruned while the request travels, and
#: our measure of its age may be off by the tolerance.
_KEY_MARGIN = timedelta(minutes=10)
#: What was not told or shown by then is not waited for. What comes later still concludes.
_TOLD_WITHIN = timedelta(days=1)
#: Ways that may bring later what they did not bring at once.
_LATE = frozenset({Resolution.FIND, Resolution.WEBHOOK})
#: A provider that could not be read by then is not waited for: a person asks it.
_ANSWERED_WITHIN = timedelta(days=3)
#: Failures of a read by which the provider did answer: it has, or shows, no such object.
_ANSWERED = frozenset({FailureKind.NOT_FOUND, FailureKind.INVALID_REQUEST})


class Resolving:
    """Looks for evidence in the provider's order of resolution."""

    def __init__(
        self, settings: JournalSettings, spec: ProviderSpec, sending: Sending, gate: Gate
    ) -> None:
        self._settings = settings
        self._spec = spec
        self._sending = sending
        self._gate = gate

    def resolved(self, turn: Turn, doubt: Failure | None) -> Steps[tuple[Outcome, bool]]:
        """
        Follow the provider's resolution until something is evidence.

        Args:
            doubt: What this very turn's own sends ended in: they are not repeated then.

        Returns:
            The outcome, and whether nothing is left to try but a person.
        """
        last = doubt or Failure(
            kind=FailureKind.UNKNOWN, message="an earlier send may have been executed"
        )
        unanswered = False
        for way in self._spec.resolution:
            if turn.deadline.remaining() <= 0:
                return last, False
            if turn.message is None or (way is Resolution.REPLAY and doubt is not None):
                continue
            outcome = yield from self._tried(way, turn, turn.message)
            if isinstance(outcome, Answer):
                return outcome, False
            if outcome is None:
                continue
            unanswered = unanswered or outcome.kind not in _ANSWERED
            if way is Resolution.REPLAY or outcome.kind is FailureKind.CIRCUIT_OPEN:
                last = outcome
        return last, not self._is_hopeful(turn.record, unanswered=unanswered)

    def _tried(self, way: Resolution, turn: Turn, message: Message) -> Steps[Outcome | None]:
        """What one way of resolution brings; None where it does not apply or proves nothing."""
        match way:
            case Resolution.REPLAY:
                if message.exact is None or not self._may_replay(turn.record):
                    return None
                # Asked again before each write: a try may wait, and a clock may jump meanwhile.
                turn.may_send = lambda: self._may_replay(turn.record)
                return (yield from self._sending.sent(turn, message))
            case Resolution.RETRIEVE:
                return (yield from self._retrieved(turn, message))
            case Resolution.FIND:
                return (yield from self._found(turn, message))
            case Resolution.WEBHOOK | Resolution.REVIEW:
                return None

    def _is_hopeful(self, record: OperationRecord, *, unanswered: bool) -> bool:
        """Whether anything but a person may still tell."""
        age = self._age(record)
        # A search may lag, and a webhook be late: what was not there yet may be a little later.
        told = age < _TOLD_WITHIN and not _LATE.isdisjoint(self._spec.resolution)
        return told or self._may_replay(record) or (unanswered and age < _ANSWERED_WITHIN)

    def _may_replay(self, record: OperationRecord) -> bool:
        """Whether the same request may still be sent: the key lives, and nobody is too late."""
        in_time = self._gate.reckoning.latest() < record.send_before
        return record.request is not None and in_time and self._key_lives(record)

    def _key_lives(self, record: OperationRecord) -> bool:
        """Whether the provider is certain to know the key still."""
        life = self._spec.idempotency.life
        return life is not None and self._age(record) < life - _KEY_MARGIN

    def _age(self, record: OperationRecord) -> timedelta:
        """How long ago it was first sent; for ever, where the clock stepped back since."""
        now = self._settings.clock.now()
        if record.first_sent_at is None or now < record.latest_at - CLOCK_TOLERANCE:
            return timedelta.max
        return max(self._gate.reckoning.latest(), record.latest_at) - record.first_sent_at

    def _retrieved(self, turn: Turn, message: Message) -> Steps[Outcome | None]:
        ref: str | None = getattr(message.command, "payment_ref", None)
        if ref is None or not self._spec.has(Capability.RETRIEVE_PAYMENT):
            return None
        outcome = yield from self._read(ref, turn.deadline)
        if isinstance(outcome, Answer) and not proves(outcome.facts, turn.record, ref):
            return None
        return outcome

    def _found(self, turn: Turn, message: Message) -> Steps[Outcome | None]:
        if not self._spec.has(Capability.FIND):
            return None
        ref: str | None = getattr(message.command, "payment_ref", None)
        lookup = Lookup(key=turn.record.key, command=message.command, payment_ref=ref)
        call = Call(timeout=self._sending.timeout(turn.deadline))
        return (yield from self._asked(lambda provider: provider.find(lookup, call), turn.deadline))

    def read_again(self, record: OperationRecord, intent: PaymentIntent) -> Steps[Answer | None]:
        """
        What the provider says of a payment now: by reading it, or by replaying the operation.

        None where neither is possible or brings facts.
        """
        clock = self._settings.clock
        deadline = Deadline(clock, self._settings.call_timeout)
        ref = intent.provider_ref
        outcome: Outcome | None = None
        if ref is not None and self._spec.has(Capability.RETRIEVE_PAYMENT):
            outcome = yield from self._read(ref, deadline)
        elif self._key_lives(record):
            message = stored_message(record)
            if message is not None and message.exact is not None:
                # A concluded operation needs no lease: its answer is kept under its key.
                turn = Turn(record=record, message=message, deadline=deadline, lease=_FOR_EVER)
                outcome = yield from self._sending.once(turn, message)
        return outcome if isinstance(outcome, Answer) else None

    def _read(self, ref: str, deadline: Deadline) -> Steps[Outcome]:
        call = Call(timeout=self._sending.timeout(deadline))
        return (yield from self._asked(lambda p: p.retrieve_payment(ref, call), deadline))

    def _asked(
        self, question: Callable[[PaymentProvider], Outcome], deadline: Deadline
    ) -> Steps[Outcome]:
        """A read whose failures of any sort prove nothing."""
        try:
            return (yield from self._gate.asked(question, deadline.remaining))
        except Exception as error:  # noqa: BLE001 - a failed read proves nothing
            message = f"the adapter failed: {type(error).__name__}"
            return Failure(kind=FailureKind.UNKNOWN, message=message, cause=error)


class _Endless(Deadline):
    """A deadline that never comes."""

    def __init__(self) -> None:
        """Nothing to measure."""

    def remaining(self) -> float:
        return float("inf")


_FOR_EVER = _Endless()
