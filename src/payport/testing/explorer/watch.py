"""
What must hold at every moment: rules that each commit and each send is held against as it happens.

A `Watch` sees what processes write and send, and knows what they cannot: what the bank did, which
requests are still on their way, and what time it really is. It keeps what is broken, and stops
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from payport.domain.facts import RefundStatus
from payport.domain.payment_intent import PaymentIntent
from payport.domain.refund import Refund
from payport.operations.plan import CLOCK_TOLERANCE, DEFAULT_SEND_WITHIN
from payport.operations.records import OperationRecord, OperationState
from payport.operations.settling import is_over
from payport.providers.commands import Command, ConfirmPayment, CreatePayment, command_from_json
from payport.testing.explorer.tasks import Role, Task

if TYPE_CHECKING:
    from payport.storage.base import Store
    from payport.testing.bank.bank import Bank
    from payport.testing.clock import FakeClock
    from payport.testing.explorer.network import Network

__all__ = ["NEVER_SENT", "Watch", "is_declined"]

_WITHOUT_EFFECT: Final = frozenset(
    {OperationState.NO_EFFECT, OperationState.ABANDONED, OperationState.REJECTED}
)
#: What writes a row of the journal.
_ROWS: Final = frozenset(
    {"insert_operation", "save_operation", "swap_operation", "reroute_operation"}
)
#: States of a row for which no request may be on the wire.
NEVER_SENT: Final = frozenset(
    {OperationState.PREPARED, OperationState.ABANDONED, OperationState.NO_EFFECT}
)


def is_declined(record: OperationRecord) -> bool:
    """Whether facts said no: it was carried out, and moved nothing."""
    return record.state is OperationState.REJECTED and record.failure is None


class Watch:
    """
    The rules of every moment.

    Attributes:
        broken: What did not hold, in words, in order; what is broken twice is there once.
        rows: The journal as it was told to be written.
    """

    def __init__(self, bank: Bank, clock: FakeClock, network: Network, store: Store) -> None:
        self._bank = bank
        self._clock = clock
        self._network = network
        self._store = store
        self._holders: dict[tuple[str, int], Task] = {}
        self._asked: dict[str, datetime] = {}
        self._until: dict[str, datetime] = {}
        self.broken: list[str] = []
        self.rows: dict[str, OperationRecord] = {}

    def breaks(self, what: str) -> None:
        """Note that something did not hold."""
        if what not in self.broken:
            self.broken.append(what)

    # -- commits --------------------------------------------------------------------------------

    def committed(self, task: Task, written: Sequence[tuple[str, Any]]) -> None:
        """Look at what a transaction wrote."""
        for name, value in written:
            if name in _ROWS:
                before = self.rows.get(value.id)
                self.rows[value.id] = value
                self._changed(task, before, value)

    def _changed(self, task: Task, before: OperationRecord | None, after: OperationRecord) -> None:
        for why in (
            self._began_by_nobody(task, before, after),
            self._ended_by_another(task, before, after),
            self._is_not_proven(before, after),
            _was_concluded(before, after),
            _went_back(before, after),
        ):
            if why is not None:
                change = f"{_state(before)} -> {after.state}"
                self.breaks(f"{why} ({_named(after)}: {change} by {task})")
        if after.state is OperationState.SENT and after.fencing > (before.fencing if before else 0):
            self._holders[after.id, after.fencing] = task
            if task.role is Role.CALLER:
                self._asked[after.id] = self._clock.now()
        # A caller whose clock is behind moves it back; whoever was told a later one may keep to it.
        self._until[after.id] = max(after.send_before, self._until.get(after.id, after.send_before))

    def _is_not_proven(self, before: OperationRecord | None, after: OperationRecord) -> str | None:
        entered = after.state in _WITHOUT_EFFECT and not is_declined(after)
        if not entered or (before is not None and before.state is after.state):
            return None
        if self._bank.effects(after.key):
            return "concluded without effect, and the bank carried it out"
        if self._network.travelling[after.key]:
            return "concluded without effect, and a request for it is still on its way"
        return None

    def _began_by_nobody(
        self, task: Task, before: OperationRecord | None, after: OperationRecord
    ) -> str | None:
        begun = after.state is OperationState.SENT
        never = before is None or before.state in NEVER_SENT
        if begun and never and task.role is not Role.CALLER:
            return "an operation that was never sent was begun by nobody who asked for it"
        return None

    def _ended_by_another(
        self, task: Task, before: OperationRecord | None, after: OperationRecord
    ) -> str | None:
        if before is None or before.state is not OperationState.SENT or is_over(after):
            return None
        if after.fencing > before.fencing or self._holders.get((before.id, before.fencing)) is task:
            return None
        until, now = before.lease_until, task.process.clock.now()
        # A lease that is over is nobody's, and one from a future that was taken back is not waited
        # for: by the clock of whoever looks, since there is no other.
        if until is not None and before.latest_at - CLOCK_TOLERANCE <= now < until:
            return "the lease of a sender was ended or lengthened by somebody else"
        return None

    def told(self, task: Task) -> None:
        """Look at what a caller was told: never of money that did not move."""
        result = task.result
        if isinstance(result, PaymentIntent):
            # By the captures: a webhook may tell of the money before the object it was taken by.
            refs = {c.fact.attempt_ref for c in result.captures if c.fact is not None}
            tried = [payment for ref in refs for payment in self._bank.payments_named(ref)]
            if result.captured.minor > sum(payment.taken for payment in tried):
                self.breaks(f"somebody was told of money that was never taken ({task})")
        if not isinstance(result, Refund) or result.status is not RefundStatus.SUCCEEDED:
            return
        if not self._bank.effects(result.key or ""):
            self.breaks(f"somebody was told of a refund that was never given ({task})")

    # -- sends ----------------------------------------------------------------------------------

    def sending(self, task: Task, command: Command, key: str) -> None:
        """Look at a request that is written to the wire at this moment."""
        row = self._store.transact(lambda tx: tx.operation_by_key(key))
        what = f"{command.operation} by {task}"
        if row is None or row.state in NEVER_SENT or row.first_sent_at is None:
            self.breaks(f"a request was sent without a committed row that says so ({what})")
            return
        here = (task.process.session.spec.name, task.process.session.known_account)
        if here != (row.provider, row.account):
            self.breaks(f"a request was sent from another account or provider ({what})")
        if task.role is Role.RECOVERY:
            self._sending_again(task, command, row, what)

    def _sending_again(self, task: Task, command: Command, row: OperationRecord, what: str) -> None:
        if task.process.clock.now() >= self._until.get(row.id, row.send_before):
            self.breaks(f"recovery sent a request after it was too late ({what})")
        asked = self._asked.get(row.id)
        late = asked is not None and self._clock.now() - asked > _SOON
        if late and _charges_somebody_present(command):
            self.breaks(f"a customer was charged long after they asked ({what})")


#: As late as a payment may be sent by recovery, where two clocks are as far apart as they may be.
_SOON: Final = DEFAULT_SEND_WITHIN + CLOCK_TOLERANCE + timedelta(seconds=1)


def _was_concluded(before: OperationRecord | None, after: OperationRecord) -> str | None:
    if before is None or not is_over(before):
        return None
    same = (before.state, is_declined(before)) == (after.state, is_declined(after))
    return None if same else "what facts concluded was concluded otherwise"


def _went_back(before: OperationRecord | None, after: OperationRecord) -> str | None:
    if before is None:
        return None
    if after.latest_at < before.latest_at or after.fencing < before.fencing:
        return "a row went back in time"
    first = before.first_sent_at
    younger = first is not None and first != after.first_sent_at
    if younger and before.doubtful and after.doubtful and not is_over(after):
        return "a key was made younger than it is"
    return None


def _charges_somebody_present(command: Command) -> bool:
    if isinstance(command, CreatePayment):
        return command.confirm and not command.terms.off_session
    return isinstance(command, ConfirmPayment) and not command.terms.off_session


def _state(record: OperationRecord | None) -> str:
    return "nothing" if record is None else str(record.state)


def _named(record: OperationRecord) -> str:
    command = command_from_json(record.command) if record.command is not None else None
    reference = getattr(command, "reference", "") or record.reference
    return f"{record.operation} {reference} attempt {record.attempt}"
