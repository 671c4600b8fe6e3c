"""
Leases: who may send an operation, until when by the wall clock of the store's writers.

The lease in the row keeps *other* senders away. What keeps *ours* from sending too late is the
monotonic deadline that a sender holds beside it (`Turn.lease`), begun before the row was written.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from payport.operations.plan import CLOCK_TOLERANCE
from payport.operations.records import OperationRecord, OperationState
from payport.operations.settling import locked_operation

if TYPE_CHECKING:
    from payport.operations.plan import JournalSettings
    from payport.storage.base import Transaction

__all__ = ["Leases"]


class Leases:
    """Takes leases, lengthens them, and tells whether somebody holds one."""

    def __init__(self, settings: JournalSettings) -> None:
        self._settings = settings

    def end(self, now: datetime) -> datetime:
        """When a lease that is taken now ends."""
        return now + timedelta(seconds=self._settings.lease)

    def is_held(self, record: OperationRecord, owner: str, now: datetime) -> bool:
        """Whether somebody else may be sending the operation at this moment."""
        held = record.state in {OperationState.PREPARED, OperationState.SENT}
        if not held or record.lease_until is None or record.lease_owner == owner:
            return False
        # A lease that was written later than now was written by a clock that stepped back since:
        # it is not waited for until that moment comes again.
        return now < record.lease_until and now >= record.latest_at - CLOCK_TOLERANCE

    def taken(self, record: OperationRecord, owner: str, now: datetime) -> OperationRecord:
        """The row with a new lease of ours, which fences off whoever held one before."""
        until = self.end(now)
        return replace(
            record,
            state=OperationState.SENT,
            lease_owner=owner,
            lease_until=until,
            next_look_at=until,
            fencing=record.fencing + 1,
            latest_at=max(record.latest_at, now),
            concluded_at=None,
        )

    def renew(self, tx: Transaction, claimed: OperationRecord) -> OperationRecord | None:
        """Lengthen our lease for another try; the row with it, or None where it is not ours."""
        record = locked_operation(tx, claimed.id)
        if record.state is not OperationState.SENT or record.fencing != claimed.fencing:
            return None
        now = self._settings.clock.now()
        until, latest = self.end(now), max(record.latest_at, now)
        renewed = replace(record, lease_until=until, next_look_at=until, latest_at=latest)
        tx.save_operation(renewed)
        return renewed
