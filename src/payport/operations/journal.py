"""
The write-ahead journal: prepare, send, conclude, each in a commit of its own.

Written once as steps for both colours. No database transaction is open while a request is on the
wire, and none is the caller's. An outcome that is not known is looked for in the provider's own
order of resolution while the deadline lasts, and stays unknown otherwise: it is never guessed.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from payport.domain.errors import OperationInProgress, StoreConflict, StoreError
from payport.domain.outcomes import Certainty, FailureKind
from payport.operations.claiming import Claim, Claiming
from payport.operations.concluding import Concluding
from payport.operations.gate import Gate
from payport.operations.leases import Leases
from payport.operations.messages import Messages
from payport.operations.plan import (
    ONLY,
    Concluded,
    Deadline,
    JournalSettings,
    Plan,
    Route,
    new_owner,
)
from payport.operations.preparing import Prepared, Preparing
from payport.operations.records import OperationRecord, OperationState
from payport.operations.resolving import Resolving
from payport.operations.sending import Sending, Turn, doubt_in
from payport.operations.settling import released
from payport.operations.steps import Steps, transact, transact_shared, wait
from payport.providers.outcomes import Account, Failure, Outcome, judged

if TYPE_CHECKING:
    from collections.abc import Callable

    from payport.domain.payment_intent import PaymentIntent
    from payport.providers.commands import Command
    from payport.providers.exchange import Request
    from payport.providers.spec import ProviderSpec
    from payport.storage.base import Transaction

__all__ = ["Journal"]

_log = logging.getLogger("payport.operations")

#: How long a caller waits before looking again whether somebody else is done; doubles up to 1 s.
_FIRST_LOOK = 0.02
_LAST_LOOK = 1.0

T = TypeVar("T")


class Journal:
    """Carries out plans for one scope, environment and provider."""

    def __init__(
        self,
        settings: JournalSettings,
        spec: ProviderSpec,
        render: Callable[[Command, str], Request],
        gate: Gate,
    ) -> None:
        self.settings = settings
        self.spec = spec
        self.gate = gate
        self.concluding: Concluding = Concluding(settings)
        self.leases: Leases = Leases(settings)
        messages = Messages(settings, spec, render, gate.reckoning)
        parts = (settings, spec, messages, self.leases, gate.reckoning)
        self._preparing = Preparing(*parts)
        self._claiming = Claiming(*parts)
        self._sending = Sending(settings, spec, self.leases, gate)
        self.resolving: Resolving = Resolving(settings, spec, self._sending, gate)

    def known(self, plan: Plan) -> Steps[Concluded | None]:
        """
        How the operation was concluded, if it was: without asking the provider anything.

        Raises:
            IdempotencyConflict: It was asked before with other parameters; nothing was sent.
        """
        return transact(lambda tx: self._preparing.known(tx, plan))

    def execute(
        self,
        plan: Plan,
        account: Account,
        route: Route = ONLY,
        deadline: Deadline | None = None,
    ) -> Steps[Concluded]:
        """
        Carry the operation out, or find out what became of it.

        Args:
            deadline: How much of the caller's time is left; a new one if left out.

        Raises:
            Elsewhere: It is at another provider or account, and stays there. Nothing was sent.
            IdempotencyConflict: It was asked before with other parameters; nothing was sent.
            OperationInProgress: Somebody else holds it and did not finish within the deadline.
            InvalidRequest, InvalidTransition: `plan.begin` refused; nothing was written or sent.
        """
        owner = new_owner()
        deadline = deadline or Deadline(self.settings.clock, self.settings.deadline)
        lease = Deadline(self.settings.clock, self.settings.lease)
        send = self.gate.is_free()
        prepared = yield from _trusting(
            lambda tx, trusted: self._preparing.prepare(
                tx, plan, account, owner, route, send=send, trusted=trusted
            ),
            trusted=plan.makes_payment and not route.is_known,
        )
        if prepared.record.state is OperationState.CONFIRMED:
            return Concluded(record=prepared.record, intent=prepared.intent)
        if prepared.granted:
            claim = prepared.claim()
        else:
            claim, lease = yield from self._claimed(plan, account, owner, prepared, deadline)
        if not claim.granted:
            return Concluded(record=claim.record, intent=claim.intent)
        turn = Turn(
            record=claim.record,
            message=claim.message,
            deadline=deadline,
            lease=lease,
            is_hurried=route.is_one_of_several,
        )
        try:
            known = None if claim.resume else claim.intent
            return (yield from self._carried_out(turn, resume=claim.resume, known=known))
        except StoreError as error:
            return _unwritten(claim, error)

    def _claimed(
        self,
        plan: Plan,
        account: Account,
        owner: str,
        own: Prepared,
        deadline: Deadline,
    ) -> Steps[tuple[Claim, Deadline]]:
        """Our lease, or the conclusion that somebody else reached while we waited for it."""
        if own.message is not None:
            # Whoever dies while they wait here leaves a row that was provably never sent.
            yield from self.gate.until_free(deadline.remaining)
        pause = _FIRST_LOOK
        while True:
            lease = Deadline(self.settings.clock, self.settings.lease)
            claim = yield from _trusting(
                lambda tx, trusted: self._claiming.claim(
                    tx, plan, account, owner, own, trusted=trusted
                ),
                trusted=own.message is not None and pause == _FIRST_LOOK,
            )
            held = claim.record.state in {OperationState.PREPARED, OperationState.SENT}
            if claim.granted or not held:
                return claim, lease
            if deadline.remaining() <= pause:
                raise OperationInProgress(
                    operation=plan.named,
                    reference=plan.reference,
                    provider=claim.record.provider,
                    idempotency_key=claim.record.key,
                )
            yield from wait(pause)
            pause = min(pause * 2, _LAST_LOOK)

    def resume(self, turn: Turn) -> Steps[Concluded]:
        """
        Find out what became of an operation that was sent before, and write it down.

        Raises:
            StoreError: It could not be written down; the row says that it was sent.
        """
        return self._carried_out(turn, resume=True)

    def _carried_out(
        self, turn: Turn, *, resume: bool, known: PaymentIntent | None = None
    ) -> Steps[Concluded]:
        """
        Send, or resolve what was sent before; then write down how it ended.

        Args:
            known: The payment as it was stored when the lease was taken, where this call knows.
        """
        doubt: Failure | None = None
        outcome: Outcome | None = None
        review = False
        if not resume and turn.message is not None:
            outcome = yield from self._sending.sent(turn, turn.message)
            doubt = doubt_in(outcome)
        if outcome is None or doubt is not None:
            outcome, review = yield from self.resolving.resolved(turn, doubt)
        # What ended the search says nothing of the sends before it.
        told = judged(outcome, answered=int(doubt is not None))
        record, intent = yield from _trusting(
            lambda tx, trusted: self.concluding.conclude(
                tx, turn.record, told, review=review, known=known if trusted else None
            ),
            trusted=known is not None,
        )
        _log_outcome(record)
        failure = told if isinstance(told, Failure) else None
        return Concluded(record=record, intent=intent, failure=failure)


def _unwritten(claim: Claim, error: StoreError) -> Concluded:
    """
    What a caller is told when the store failed after the operation may have been sent.

    The row says that it was sent, so whoever asks again finds out what became of it.
    """
    why = "the store failed after the operation may have been sent"
    _log.error("%s %s: %s", claim.record.operation, claim.record.aggregate_id, why)
    record = replace(
        claim.record,
        state=OperationState.UNKNOWN,
        failure=FailureKind.UNKNOWN,
        failure_message=why,
    )
    return Concluded(
        record=record,
        intent=released(claim.intent, record, Certainty.UNKNOWN, why),
        failure=Failure(kind=FailureKind.UNKNOWN, message=why, cause=error),
    )


_FOR_A_PERSON = OperationState.NEEDS_REVIEW


def _log_outcome(record: OperationRecord) -> None:
    level = logging.INFO
    if record.failure is FailureKind.INVALID_REQUEST or record.state is _FOR_A_PERSON:
        level = logging.ERROR
    elif record.failure is FailureKind.AUTHENTICATION:
        level = logging.CRITICAL
    elif record.failure is not None:
        level = logging.WARNING
    _log.log(level, "%s %s: %s", record.operation, record.aggregate_id, record.state)


def _trusting(work: Callable[[Transaction, bool], T], *, trusted: bool) -> Steps[T]:
    """
    One transaction that trusts what an earlier one read, as nearly always it may; where somebody
    changed it since, one that reads it anew.
    """
    if trusted:
        try:
            return (yield from transact_shared(lambda tx: work(tx, True)))  # noqa: FBT003 - says it above
        except StoreConflict:
            pass
    return (yield from _again(lambda tx: work(tx, False)))  # noqa: FBT003


def _again(work: Callable[[Transaction], T]) -> Steps[T]:
    """One transaction, once more where two writers met."""
    try:
        return (yield from transact_shared(work))
    except StoreConflict:
        return (yield from transact_shared(work))
