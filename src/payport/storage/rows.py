"""
Values to rows and back. Pure: no statement, no connection, no clock.

Documents are JSON by pydantic, which writes every `Sealed` value as null: client tokens and
provider payloads end here. What is read is validated as if it came from outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter

from payport.domain.events import EVENT_TYPES, DomainEvent
from payport.domain.identifiers import Environment
from payport.domain.outcomes import FailureKind
from payport.domain.payment_intent import PaymentIntent
from payport.operations.records import OperationRecord, OperationState, ResolutionRecord
from payport.providers.commands import Operation
from payport.storage.base import (
    FIXED,
    ROUTED,
    HandlerRun,
    InboxRow,
    InboxState,
    RestorationKind,
    RestorationRecord,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pydantic_core import SchemaSerializer

    from payport.domain.refund import Refund

__all__ = [
    "delivery_changes",
    "delivery_from",
    "delivery_row",
    "event_from",
    "event_row",
    "handler_run_changes",
    "handler_run_from",
    "handler_run_row",
    "operation_changes",
    "operation_from",
    "operation_moves",
    "operation_row",
    "payment_changes",
    "payment_from",
    "payment_row",
    "refund_row",
    "resolution_from",
    "resolution_row",
    "restoration_from",
    "restoration_row",
]

#: A row as the database gives it, by column.
Row = Mapping[Any, Any]


@cache
def _documents(kind: Any) -> TypeAdapter[Any]:
    """Built at first use: building one takes longer than a thousand transactions in memory."""
    return TypeAdapter(kind)


@cache
def _serializer(kind: Any) -> SchemaSerializer:
    """What `dump_json` calls, without looking at its options each time."""
    serializer: SchemaSerializer = _documents(kind).serializer
    return serializer


def _to_json(kind: Any, value: object) -> str:
    return _serializer(kind).to_json(value).decode()


# -- payments and refunds -------------------------------------------------------------------------


def payment_row(intent: PaymentIntent) -> dict[str, Any]:
    """The columns of a new payment."""
    return {
        "id": intent.id,
        "scope": intent.scope,
        "environment": str(intent.environment),
        "reference": intent.reference,
        "currency": intent.amount.currency,
        "created_at": intent.created_at,
        **payment_changes(intent),
    }


def payment_changes(intent: PaymentIntent) -> dict[str, Any]:
    """The columns of a payment that change."""
    return {
        "provider": intent.provider,
        "account": intent.account,
        "status": str(intent.status),
        "amount": intent.amount.minor,
        "version": intent.version,
        "document": _to_json(PaymentIntent, intent),
    }


def payment_from(document: str) -> PaymentIntent:
    """
    The payment in a document.

    Raises:
        ValueError: It is none; a newer payport may have written it.
    """
    intent: PaymentIntent = _documents(PaymentIntent).validate_json(document)
    return intent


def refund_row(refund: Refund, intent: PaymentIntent) -> dict[str, Any]:
    """The columns by which a refund is found."""
    return {
        "id": refund.id,
        "payment_id": intent.id,
        "scope": intent.scope,
        "environment": intent.environment.value,
        "status": refund.status.value,
        "created_at": refund.created_at,
    }


# -- operations -----------------------------------------------------------------------------------

_OPERATION: Final = tuple(field.name for field in fields(OperationRecord))
_OPERATION_CHANGING: Final = tuple(name for name in _OPERATION if name not in {"id", *FIXED})
_OPERATION_WORDS: Final = {
    "environment": Environment,
    "operation": Operation,
    "state": OperationState,
    "failure": FailureKind,
}


_operation: Final = attrgetter(*_OPERATION)
_operation_changing: Final = attrgetter(*_OPERATION_CHANGING)


def operation_row(record: OperationRecord) -> dict[str, Any]:
    """The columns of a new operation."""
    row = dict(zip(_OPERATION, _operation(record), strict=True))
    return _worded(row, _OPERATION_WORDS)


def operation_changes(
    record: OperationRecord, before: OperationRecord | None = None
) -> dict[str, Any]:
    """
    The columns of an operation that change.

    Args:
        before: What is in the row, where that is known: columns that are the same are left out.
    """
    values = _operation_changing(record)
    if before is None:
        row = dict(zip(_OPERATION_CHANGING, values, strict=True))
    else:
        both = zip(_OPERATION_CHANGING, values, _operation_changing(before), strict=True)
        row = {name: new for name, new, old in both if new is not old and new != old}
        row = row or {"state": record.state}
    return _worded(row, _OPERATION_WORDS)


def operation_moves(record: OperationRecord) -> dict[str, Any]:
    """The columns of an operation that change when it goes to another provider."""
    return _plain(record, (*_OPERATION_CHANGING, *ROUTED))


def operation_from(row: Row) -> OperationRecord:
    """
    The operation in a row.

    Raises:
        ValueError: A word in it is unknown; a newer payport may have written it.
    """
    return OperationRecord(**_rich(row, _OPERATION_WORDS))


# -- resolutions ----------------------------------------------------------------------------------

_RESOLUTION: Final = tuple(field.name for field in fields(ResolutionRecord))
_RESOLUTION_WORDS: Final = {"from_state": OperationState, "to_state": OperationState}


def resolution_row(resolution: ResolutionRecord) -> dict[str, Any]:
    """The columns of a new resolution."""
    return _plain(resolution, _RESOLUTION)


def resolution_from(row: Row) -> ResolutionRecord:
    """
    The resolution in a row.

    Raises:
        ValueError: A word in it is unknown; a newer payport may have written it.
    """
    named = {name: row[name] for name in _RESOLUTION}
    return ResolutionRecord(**_rich(named, _RESOLUTION_WORDS))


# -- restorations ---------------------------------------------------------------------------------

_RESTORATION: Final = tuple(field.name for field in fields(RestorationRecord))


def restoration_row(restoration: RestorationRecord) -> dict[str, Any]:
    """The columns of a new restoration."""
    return _plain(restoration, _RESTORATION)


def restoration_from(row: Row) -> RestorationRecord:
    """
    The restoration in a row.

    Raises:
        ValueError: A word in it is unknown; a newer payport may have written it.
    """
    named = {name: row[name] for name in _RESTORATION}
    return RestorationRecord(**_rich(named, {"kind": RestorationKind}))


# -- events ---------------------------------------------------------------------------------------


def event_row(event: DomainEvent, at: datetime) -> dict[str, Any]:
    """The columns of an event that was learned at a moment."""
    return {
        "id": event.id,
        "kind": event.kind,
        "payment_id": event.aggregate_id,
        "occurred_at": event.occurred_at,
        "learned_at": at,
        "document": _to_json(type(event), event),
    }


def event_from(row: Row) -> DomainEvent:
    """
    The event in a row.

    Raises:
        ValueError: Its kind is unknown; a newer payport may have written it.
    """
    if row["kind"] not in EVENT_TYPES:
        raise ValueError("unknown kind of event")
    kind: Any = EVENT_TYPES[row["kind"]]
    event: DomainEvent = _documents(kind).validate_json(row["document"])
    return event


# -- inbox and handlers ---------------------------------------------------------------------------

_TURNS: Final = ("state", "tries", "due_at", "claimed_until", "fencing", "error", "trace")
_DELIVERY: Final = tuple(field.name for field in fields(InboxRow))
_DELIVERY_WORDS: Final = {"environment": Environment, "state": InboxState}
_DELIVERY_CHANGING: Final = (*_TURNS, "conflict")
_RUN: Final = tuple(field.name for field in fields(HandlerRun))


def delivery_row(row: InboxRow) -> dict[str, Any]:
    """The columns of a new delivery."""
    return _plain(row, _DELIVERY)


def delivery_changes(row: InboxRow) -> dict[str, Any]:
    """The columns of a delivery that change."""
    return _plain(row, _DELIVERY_CHANGING)


def delivery_from(row: Row) -> InboxRow:
    """
    The delivery in a row.

    Raises:
        ValueError: A word in it is unknown; a newer payport may have written it.
    """
    return InboxRow(**_rich(row, _DELIVERY_WORDS))


def handler_run_row(run: HandlerRun) -> dict[str, Any]:
    """The columns of a new run."""
    return _plain(run, _RUN)


def handler_run_changes(run: HandlerRun) -> dict[str, Any]:
    """The columns of a run that change."""
    return _plain(run, _TURNS)


def handler_run_from(row: Row) -> HandlerRun:
    """
    The run in a row.

    Raises:
        ValueError: A word in it is unknown; a newer payport may have written it.
    """
    return HandlerRun(**_rich(row, _DELIVERY_WORDS))


def _plain(value: object, names: tuple[str, ...]) -> dict[str, Any]:
    """A value's attributes as columns: words as text, because some drivers store an enum's name."""
    return {
        name: part.value if isinstance(part, Enum) else part
        for name, part in zip(names, _attributes(names)(value), strict=True)
    }


@cache
def _attributes(names: tuple[str, ...]) -> Callable[[object], tuple[Any, ...]]:
    return attrgetter(*names)


def _worded(row: dict[str, Any], words: Mapping[str, type[Enum]]) -> dict[str, Any]:
    """The columns with words as text, where the names of those columns are known."""
    for name in words:
        word = row.get(name)
        if word is not None:
            row[name] = str(word)  # a third of what `value` takes
    return row


def _rich(row: Row, words: Mapping[str, type[Enum]]) -> dict[str, Any]:
    """A row's columns as attributes."""
    return {
        name: words[name](part) if name in words and part is not None else part
        for name, part in row.items()
    }
