"""Puts objects in the place of their ids, as `expand[]` asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from payport.testing.stripe_simulator.errors import ApiError, Doc, invalid

__all__ = ["check_paths", "expand", "expanded_kinds"]

_DEEPEST: Final = 4

#: What may be expanded, by the kind of object. What starts with + is left out unless asked for.
_EXPANDABLE: Final[Mapping[str, frozenset[str]]] = {
    "payment_intent": frozenset(
        {"application", "customer", "latest_charge", "on_behalf_of", "payment_method", "review"}
        | {"source", "payment_record"}
    ),
    "charge": frozenset(
        {"application", "application_fee", "balance_transaction", "customer"}
        | {"failure_balance_transaction", "on_behalf_of", "payment_intent", "review", "+refunds"}
        | {"source_transfer", "source", "dispute"}
    ),
    "refund": frozenset(
        {"balance_transaction", "charge", "customer", "failure_balance_transaction"}
        | {"payment_intent", "payment_method", "source_transfer_reversal", "transfer_reversal"}
    ),
    "dispute": frozenset({"charge", "payment_intent"}),
    "balance_transaction": frozenset({"source"}),
    "payout": frozenset(
        {"balance_transaction", "destination", "failure_balance_transaction"}
        | {"original_payout", "reversed_by"}
    ),
    "payment_method": frozenset({"customer"}),
    "customer": frozenset(
        {"default_source", "test_clock", "+invoice_credit_balance", "+tax", "+subscriptions"}
        | {"+sources", "+tax_ids", "+cash_balance", "invoice_settings"}
    ),
    "account": frozenset(),
    "balance": frozenset(),
    "event": frozenset(),
}
#: Objects inside objects, which have no kind of their own.
_WITHIN: Final = frozenset({"default_payment_method"})

_LIST: Final = "list"
#: Which kind of object is found where, if not one of the same name.
_LEADS: Final = {
    "latest_charge": "charge",
    "refunds": _LIST,
    "failure_balance_transaction": "balance_transaction",
}


def expand(
    document: Doc,
    paths: Sequence[str],
    find: Callable[[str], Doc | None],
    more: Callable[[Doc, str], Any],
) -> Doc:
    """
    The document with objects in the place of ids.

    Args:
        find: The object with an id; None where there is none.
        more: What a document has only where it is asked for: the document and the key.

    Raises:
        ApiError: There is nothing to be expanded; `check_paths` finds most of that before.
    """
    for path in paths:
        _walk(document, path.split("."), path, find, more)
    return document


def check_paths(kind: str, paths: Sequence[Any], *, is_list: bool) -> None:
    """
    Check what a request wants to have expanded, before it is carried out.

    Raises:
        ApiError: There is nothing like that in the answer.
    """
    for given in paths:
        path = str(given)
        steps = path.split(".")
        if is_list and steps.pop(0) != "data":
            raise _cannot(path)
        if len(steps) > _DEEPEST:
            message = f"You may not expand more than {_DEEPEST} levels of a property: {path}."
            raise invalid(message, param="expand")
        for _ in _follow(kind, steps, path):
            pass


def _follow(kind: str, steps: Sequence[str], path: str) -> Iterator[str]:
    """The kinds of object that a path leads through. Raises ApiError where it leads nowhere."""
    at = kind
    for step in steps:
        if at == _LIST:
            at = "refund"
            if step != "data":
                raise _cannot(path)
            continue
        kinds = _EXPANDABLE.get(at)
        if kinds is not None and step not in kinds and f"+{step}" not in kinds:
            raise _cannot(path)
        at = _LEADS.get(step, step)
        yield "refund" if at == _LIST else at


def expanded_kinds(kind: str, paths: Sequence[Any], *, is_list: bool) -> frozenset[str]:
    """
    The kinds of object that a request wants to have expanded.

    Raises:
        ApiError: There is nothing like that in the answer.
    """
    kinds: set[str] = set()
    for given in paths:
        path = str(given)
        steps = path.split(".")
        if is_list and steps.pop(0) != "data":
            raise _cannot(path)
        kinds.update(_follow(kind, steps, path))
    return frozenset(kinds)


def _walk(
    at: Doc,
    steps: Sequence[str],
    path: str,
    find: Callable[[str], Doc | None],
    more: Callable[[Doc, str], Any],
) -> None:
    step, rest = steps[0], steps[1:]
    if at.get("object") in {"list", "search_result"}:
        if step != "data":
            raise _cannot(path)
        for item in at["data"]:
            if rest:
                _walk(item, rest, path, find, more)
        return
    value = _value(at, step, path, find, more)
    if rest and isinstance(value, dict):
        _walk(cast("Doc", value), rest, path, find, more)


def _value(
    at: Doc,
    step: str,
    path: str,
    find: Callable[[str], Doc | None],
    more: Callable[[Doc, str], Any],
) -> Any:
    kinds = _EXPANDABLE.get(at.get("object", ""), _WITHIN)
    if f"+{step}" in kinds:
        if step not in at:
            at[step] = more(at, step)
    elif step not in kinds:
        raise _cannot(path)
    value = at.get(step)
    if isinstance(value, str):
        value = find(value) or value
        at[step] = value
    return value


def _cannot(path: str) -> ApiError:
    return invalid(f"This property cannot be expanded ({path}).", param="expand")
