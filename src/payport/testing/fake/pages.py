"""Pages of what the bank keeps: which payments, and how many at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

from payport.testing.bank.bank import Bank
from payport.testing.bank.records import Payment, Refused
from payport.testing.bank.vault import MICROSECOND, micros
from payport.testing.fake.outbox import Kept, Outbox

__all__ = ["listed_events", "listed_payments", "page"]

#: The most that the bank gives at once.
_MOST: Final = 100
_SECOND: Final = 1_000_000


class _Kept(Protocol):
    @property
    def ref(self) -> str: ...


K = TypeVar("K", bound=_Kept)


def listed_payments(bank: Bank, query: Mapping[str, str]) -> Sequence[Payment]:
    """The payments that a query asks for, newest first."""
    begins, ends = (_micros(query.get(name)) for name in ("from", "before"))
    customer = query.get("customer")
    return [
        payment
        for payment in reversed(bank.vault.payments.values())
        if begins is None or payment.created >= begins
        if ends is None or payment.created < ends
        if customer is None or payment.order.customer == customer
    ]


def listed_events(bank: Bank, outbox: Outbox, query: Mapping[str, str]) -> Sequence[Kept]:
    """What the bank told and keeps that a query asks for, newest first."""
    begins, ends = (_micros(query.get(name)) for name in ("from", "before"))
    kept = bank.behaviour.events_kept
    oldest = bank.vault.wall() - kept // MICROSECOND if kept is not None else 0
    return [
        event
        for event in outbox.kept()
        if event.created * _SECOND >= max(oldest, begins or 0)
        if ends is None or event.created * _SECOND < ends
    ]


def page(
    items: Sequence[K], query: Mapping[str, str], write: Callable[[K], dict[str, Any]]
) -> dict[str, Any]:
    """
    A page of items: those after the one that the query names.

    Raises:
        Refused: There is no such item.
    """
    most = min(int(query.get("limit", _MOST)), _MOST)
    start = 0
    if "after" in query:
        refs = [item.ref for item in items]
        if query["after"] not in refs:
            raise Refused("no_such_cursor", "There is nothing to go on after.")
        start = refs.index(query["after"]) + 1
    shown = items[start : start + most]
    more = start + most < len(items)
    return {"items": [write(one) for one in shown], "next": shown[-1].ref if more else None}


def _micros(told: str | None) -> int | None:
    return None if told is None else micros(datetime.fromisoformat(told))
