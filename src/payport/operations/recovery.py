"""
Recovery: what became of operations whose sender died, or whose outcome nobody could tell.

Never begins anything. A row that was never sent is given up; one that was sent is sent again only
byte for byte, under its key, while the key lives and before it is too late for the customer, and
only by a client at the same account and endpoint. Otherwise it is only read about, and where that
brings nothing it goes to a person. Absence is never proof.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from payport.domain.errors import StoreUnavailable
from payport.domain.outcomes import FailureKind
from payport.operations.claiming import Claim
from payport.operations.messages import stored_message
from payport.operations.plan import CLOCK_TOLERANCE, Deadline, new_owner
from payport.operations.records import CONCLUDED, OperationRecord, OperationState
from payport.operations.sending import Turn
from payport.operations.settling import given_up, locked_operation, locked_payment
from payport.operations.steps import Steps, transact

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from payport.domain.identifiers import Environment
    from payport.operations.journal import Journal
    from payport.providers.outcomes import Account
    from payport.storage.base import Transaction

__all__ = ["CIRCUIT_OPEN", "TOLD_TO_STOP", "Recovered", "Recovery", "waiting_elsewhere"]

_log = logging.getLogger("payport.operations")

#: Why a run ended before it was through; see `Recovered.stopped`.
CIRCUIT_OPEN: Final = "the circuit breaker is open"
TOLD_TO_STOP: Final = "it was told to stop"

#: Rows that are read at once; each is then claimed on its own.
_BATCH = 100
#: An operation that nobody at its own account looked at for so long goes to a person.
_UNTENDED = timedelta(days=1)
#: When an operation of elsewhere is glanced at again.
_NEXT_GLANCE = timedelta(hours=1)
#: Counting those that wait for another provider stops here.
_MOST_WAITING = 10_000
_OPEN: Final = frozenset(OperationState) - CONCLUDED
#: Further ahead than this no look is ever planned: the clock that did so was wrong.
_FURTHEST_LOOK = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """
    What one run of recovery did.

    Attributes:
        concluded: Operations whose outcome is known now: they took effect, or were declined.
        abandoned: Operations that were never sent, and are given up.
        unknown: Operations that may have been executed still; a later run looks again.
        needs_review: Operations that are left to a person.
        stopped: Why the run ended before everything due was looked at; None if it was.
        waiting: How many operations wait for a provider that this client has not, by its name:
            nobody here can find out what became of them.
    """

    concluded: int = 0
    abandoned: int = 0
    unknown: int = 0
    needs_review: int = 0
    stopped: str | None = None
    waiting: Mapping[str, int] = field(default_factory=dict[str, int])

    def __add__(self, other: Recovered) -> Recovered:
        """What two runs did."""
        return Recovered(
            concluded=self.concluded + other.concluded,
            abandoned=self.abandoned + other.abandoned,
            unknown=self.unknown + other.unknown,
            needs_review=self.needs_review + other.needs_review,
            stopped=self.stopped or other.stopped,
            waiting=other.waiting or self.waiting,
        )

    @property
    def looked_at(self) -> int:
        """How many operations this run dealt with."""
        return self.concluded + self.abandoned + self.unknown + self.needs_review


class Recovery:
    """
    Looks after the operations of one scope, or of all, at one account.

    Args:
        scope: The order space; None for all of them.
        others: Names of providers that the same client looks after too, by runs of their own.
    """

    def __init__(
        self, journal: Journal, scope: str | None, others: frozenset[str] = frozenset()
    ) -> None:
        self._journal = journal
        self._clock = journal.settings.clock
        self._scope = scope
        self._others = others

    def run(
        self,
        account: Account,
        limit: int | None,
        watch: Callable[[Recovered], bool] = lambda _: True,
    ) -> Steps[Recovered]:
        """
        Look at every operation that is due, each once, and conclude what can be concluded.

        Args:
            limit: How many at most; None for all.
            watch: Called with what was done so far before each operation; says whether to go on.

        Raises:
            StoreUnavailable: The store failed. What was concluded before is.
            ConfigurationError: The store was restored from a backup, and nobody said that it may
                send to a live account again.
        """
        environment = self._journal.settings.environment
        yield from transact(lambda tx: tx.check_sendable(environment))
        tally = _Tally(limit)
        began = self._clock.now()
        for find in (self._due, self._untended):
            while tally.batch and not tally.stopped:
                new = tally.new((yield from find(began, account, tally.batch)))
                if not new:
                    break
                yield from self._looked_at(new, account, tally, watch)
        return tally.recovered()

    def _looked_at(
        self,
        rows: Sequence[OperationRecord],
        account: Account,
        tally: _Tally,
        watch: Callable[[Recovered], bool],
    ) -> Steps[None]:
        for row in rows:
            if not watch(tally.recovered()):
                tally.stopped = TOLD_TO_STOP
                return
            record = yield from self._guarded(row, account)
            if record is not None:
                tally.count(record)
            if tally.stopped:
                return

    def _due(self, now: datetime, account: Account, limit: int) -> Steps[Sequence[OperationRecord]]:
        settings = self._journal.settings
        return transact(
            lambda tx: tx.due_operations(
                environment=settings.environment,
                provider=self._journal.spec.name,
                account=account.id,
                scope=self._scope,
                now=now,
                limit=limit,
            )
        )

    def _untended(
        self, now: datetime, account: Account, limit: int
    ) -> Steps[Sequence[OperationRecord]]:
        del account  # whoever's they are: their own client is not there
        return transact(
            lambda tx: tx.untended_operations(
                environment=self._journal.settings.environment,
                scope=self._scope,
                before=now - _UNTENDED,
                beyond=now + _FURTHEST_LOOK,
                limit=limit,
            )
        )

    def _guarded(self, row: OperationRecord, account: Account) -> Steps[OperationRecord | None]:
        """One operation; what goes wrong with it does not keep the others waiting."""
        try:
            return (yield from self._one(row, account))
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - the next row is another operation's
            # Its lease ends, and another run tries again. Texts of errors may quote anything.
            kind = type(error).__name__
            _log.error("recovery of %s %s: %s", row.operation, row.aggregate_id, kind)
            return None

    def _one(self, row: OperationRecord, account: Account) -> Steps[OperationRecord | None]:
        lease = Deadline(self._clock, self._journal.settings.lease)
        taken = yield from transact(lambda tx: self._taken(tx, row, account))
        if taken is None or isinstance(taken, OperationRecord):
            return taken
        turn = Turn(
            record=taken.record,
            message=taken.message,
            deadline=Deadline(self._clock, self._journal.settings.deadline),
            lease=lease,
        )
        concluded = yield from self._journal.resume(turn)
        return concluded.record

    def _taken(
        self, tx: Transaction, row: OperationRecord, account: Account
    ) -> Claim | OperationRecord | None:
        """
        The lease of an operation that nobody holds, or what became of it without one.

        None where somebody else holds it, concluded it or looked at it meanwhile.
        """
        intent = locked_payment(tx, row)
        record = locked_operation(tx, row.id)
        now = self._clock.now()
        owner = new_owner()
        if not _is_due(record, now) or self._journal.leases.is_held(record, owner, now):
            return None
        if record.state is OperationState.PREPARED:
            return given_up(tx, record, OperationState.ABANDONED, now, "it was never sent")
        if not _is_at(record, account, self._journal.spec.name):
            # Another provider of this client's is asked by a run of its own, once it can be.
            return None if record.provider in self._others else self._elsewhere(tx, record, now)
        tx.check_sendable(record.environment, count=True)
        claimed = replace(self._journal.leases.taken(record, owner, now), doubtful=True)
        tx.save_operation(claimed)
        return Claim(
            record=claimed,
            intent=intent,
            granted=True,
            resume=True,
            message=stored_message(record),
        )

    def _elsewhere(
        self, tx: Transaction, record: OperationRecord, now: datetime
    ) -> OperationRecord | None:
        """
        An operation at another account is neither sent nor read from here. Where nobody looked
        after it for long, its own client is gone, and a person has to.
        """
        if -CLOCK_TOLERANCE <= now - record.latest_at < _UNTENDED:
            tx.save_operation(replace(record, next_look_at=now + _NEXT_GLANCE))
            return None
        why = f"nobody at {record.provider} account {record.account} looks after it"
        return given_up(tx, record, OperationState.NEEDS_REVIEW, now, why)


def waiting_elsewhere(
    tx: Transaction,
    *,
    names: Collection[str],
    scope: str | None,
    environment: Environment,
    now: datetime,
) -> Mapping[str, int]:
    """
    How many operations are open at providers that are not among the names, by provider: in the
    scope, or of all scopes those that recovery would look for.
    """
    if scope is None:
        found = tx.untended_operations(
            environment=environment, before=now, beyond=now, limit=_MOST_WAITING
        )
    else:
        found = tx.list_operations(
            scope=scope, environment=environment, states=_OPEN, limit=_MOST_WAITING
        )
    return dict(Counter(row.provider for row in found if row.provider not in names))


def _is_due(record: OperationRecord, now: datetime) -> bool:
    look = record.next_look_at
    return look is not None and (look <= now or look > now + _FURTHEST_LOOK)


def _is_at(record: OperationRecord, account: Account, provider: str) -> bool:
    begun_at = (record.provider, record.account, record.endpoint)
    return begun_at == (provider, account.id, account.endpoint)


class _Tally:
    """What one run did so far, and how much of it is left to do."""

    def __init__(self, limit: int | None) -> None:
        self._left = limit
        self._counts = Counter[str]()
        self._seen = set[str]()
        self.stopped: str | None = None

    @property
    def batch(self) -> int:
        """How many rows to read next."""
        return _BATCH if self._left is None else min(_BATCH, self._left)

    def new(self, rows: Sequence[OperationRecord]) -> list[OperationRecord]:
        """The rows that this run has not dealt with: one that fails is not tried for ever."""
        new = [row for row in rows if row.id not in self._seen]
        self._seen.update(row.id for row in new)
        if self._left is not None:
            self._left -= len(new)
        return new

    def count(self, record: OperationRecord) -> None:
        if record.failure is FailureKind.CIRCUIT_OPEN:
            self.stopped = CIRCUIT_OPEN
        if record.state in _COUNTED:
            self._counts[_COUNTED[record.state]] += 1

    def recovered(self) -> Recovered:
        counts: dict[str, Any] = dict(self._counts)
        return Recovered(**counts, stopped=self.stopped)


_COUNTED = {
    OperationState.CONFIRMED: "concluded",
    OperationState.REJECTED: "concluded",
    OperationState.NO_EFFECT: "concluded",
    OperationState.ABANDONED: "abandoned",
    OperationState.UNKNOWN: "unknown",
    OperationState.NEEDS_REVIEW: "needs_review",
}
