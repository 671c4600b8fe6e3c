"""What a store in memory holds, and how a unit of work on it is taken back."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from payport.domain.errors import StoreConflict
from payport.storage.agenda import Agenda
from payport.storage.units import ENDED

if TYPE_CHECKING:
    from payport.domain.events import DomainEvent
    from payport.domain.payment_intent import PaymentIntent
    from payport.operations.records import OperationRecord, ResolutionRecord
    from payport.storage.base import RestorationRecord
    from payport.storage.inbox import HandlerRun, InboxRow

__all__ = ["MemoryTables", "MemoryUnit"]

_MISSING: Final = object()
_next_look: Final = attrgetter("next_look_at")


class MemoryTables:
    """The tables: dicts by primary key, and one for each question that is asked often."""

    def __init__(self) -> None:
        self.payments: dict[str, PaymentIntent] = {}
        self.refs: dict[tuple[str, str, str], str] = {}
        self.refunds: dict[str, str] = {}
        self.operations: dict[str, OperationRecord] = {}
        self.identities: dict[tuple[object, ...], str] = {}
        self.keys: dict[str, str] = {}
        self.looked_for: Agenda[OperationRecord] = Agenda(_next_look)
        self.restorations: dict[None, tuple[RestorationRecord, ...]] = {}
        self.resolutions: dict[str, tuple[ResolutionRecord, ...]] = {}
        self.events: dict[str, DomainEvent] = {}
        self.told: dict[str, tuple[DomainEvent, ...]] = {}
        self.inbox: dict[str, InboxRow] = {}
        self.dedupe: dict[tuple[str, str, str], str] = {}
        self.waiting: dict[str, InboxRow] = {}
        self.foreign: dict[str, InboxRow] = {}
        self.runs: dict[tuple[str, str], HandlerRun] = {}
        self.waiting_runs: dict[tuple[str, str], HandlerRun] = {}


class MemoryUnit:
    """Writes at once, and remembers what was there before."""

    __slots__ = ("_conflict", "_data", "_undo")

    def __init__(self, data: MemoryTables) -> None:
        self._data = data
        self._undo: list[tuple[dict[Any, Any], object, object]] = []
        self._conflict: StoreConflict | None = None

    def check(self) -> None:
        """Raise the conflict that the work swallowed: half a payment must not be kept."""
        if self._conflict is not None:
            raise self._conflict

    def undo(self) -> None:
        """Take every write back, the latest first."""
        for table, key, before in reversed(self._undo):
            if before is _MISSING:
                del table[key]
            else:
                table[key] = before

    def end(self) -> None:
        """Make the transaction unusable."""
        self._data = ENDED

    def _put(self, table: dict[Any, Any], key: object, value: object) -> None:
        self._undo.append((table, key, table.get(key, _MISSING)))
        table[key] = value

    def _drop(self, table: dict[Any, Any], key: object) -> None:
        if key in table:
            # Undone by _put's rule: the value from before is put back.
            self._undo.append((table, key, table.pop(key)))

    def _clash(self, message: str, operation: str = "save_payment") -> StoreConflict:
        self._conflict = StoreConflict(message, operation=f"store.{operation}")
        return self._conflict
