"""What of Stripe's objects becomes which fact: tables of states, and fields found by probing."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from payport.domain.actions import ClientToken, Redirect
from payport.domain.facts import Facts
from payport.domain.refund import RefundReason
from payport.domain.secrets import Sealed
from payport.providers.exchange import Call
from payport.providers.stripe import facts
from payport.providers.stripe.facts import Moment
from payport.providers.stripe.objects import UNREADABLE, Document
from payport.providers.stripe.requests import REASONS
from payport.testing import Tokens
from stripe_tables.markdown import code, listed, table
from stripe_tables.shop import Shop

__all__ = ["TABLES", "documents"]

_AT = Moment(at=datetime(2026, 1, 1, tzinfo=UTC))


def _states(words: Mapping[str, StrEnum], fact: str) -> str:
    rows = [(code(word), code(f"{fact}.status = {state}")) for word, state in words.items()]
    return table(
        ("Stripe's `status`", "fact"), [*rows, ("anything else", code(f"{fact}.status = unknown"))]
    )


def cancellations_table() -> str:
    """Who ended a payment."""
    rows = [(code(word), code(state)) for word, state in facts.CANCELLATIONS.items()]
    return table(
        ("`cancellation_reason`", "`attempt.status`"),
        [*rows, ("anything else, or none", code("canceled"))],
    )


def reasons_table() -> str:
    """Why money is given back, both ways."""
    rows = [
        (code(reason), code(f"reason={REASONS[reason]}") if reason in REASONS else "left out")
        for reason in RefundReason
    ]
    return table(("`RefundReason`", "Stripe"), rows)


# -- probing --------------------------------------------------------------------------------------


def documents(shop: Shop | None = None) -> dict[str, list[Document]]:
    """Whole objects as the simulator writes them, by kind, in many states."""
    shop = shop or Shop()
    paid = shop.made()
    for method in (Tokens.AUTHENTICATE, Tokens.AUTHENTICATE_TOKEN, Tokens.PROCESSING):
        shop.run(shop.creating(method=method, return_url="https://shop.example"))
    shop.run(shop.creating(method=Tokens.INSUFFICIENT_FUNDS))
    shop.run(shop.creating(method=None, confirm=False))
    held = shop.made(manual=True)
    shop.run(shop.capturing(shop.made(manual=True), 1_000))
    shop.run(shop.canceling(held))
    refund = shop.run(shop.refunding(paid, 700)).facts.refunds[0].ref
    shop.provider.retrieve_refund(refund, Call())
    failing = shop.made(method=Tokens.REFUND_REVERSES)
    gone = shop.run(shop.refunding(failing)).facts.refunds[0].ref
    shop.simulator.clock.advance(5 * 86_400)
    shop.provider.retrieve_refund(gone, Call())
    shop.simulator.bank.dispute(paid)
    shop.provider.retrieve_payment(paid, Call())
    found: dict[str, list[Document]] = {}
    for document in shop.documents():
        for one in _objects(document):
            found.setdefault(one["object"], []).append(one)
    return found


def _objects(told: Any) -> Iterator[Any]:
    """Every object in an answer, within lists, errors and other objects too."""
    if isinstance(told, list):
        for one in told:
            yield from _objects(one)
    elif isinstance(told, dict):
        if told.get("object") in {"payment_intent", "charge", "refund", "dispute"}:
            yield told
        for value in told.values():
            yield from _objects(value)


def _leaves(told: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(told, dict) and told:
        for name, value in told.items():
            yield from _leaves(value, (*path, name))
    elif isinstance(told, list):
        yield path
        for number, value in enumerate(told):
            yield from _leaves(value, (*path, number))
    else:
        yield path


def _others(value: Any) -> list[Any]:
    """Values of the same kind; for nothing, words that a field of Stripe's may hold."""
    if value is None:
        return ["automatic", "other"]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 10, 0]
    if isinstance(value, str):
        return ["other", "pp1_other", "failed", "eur"]
    return [value * 2] if isinstance(value, list) else []


def _changed(document: Document, path: tuple[Any, ...], value: Any) -> Document:
    changed: Any = copy.deepcopy(document)
    at = changed
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return changed


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """What a fact says, by name, what is sealed included."""
    if isinstance(value, Redirect | ClientToken):
        told = value.url if isinstance(value, Redirect) else value.token
        yield name, f"{type(value).__name__} {told}"
    elif isinstance(value, Sealed):
        return
    elif is_dataclass(value) and type(value).__module__.endswith(("facts", "declines")):
        for field in fields(value):
            yield from _flat(
                getattr(value, field.name), f"{name}.{field.name}" if name else field.name
            )
    elif isinstance(value, tuple):
        for number, one in enumerate(value):
            for inner, told in _flat(one, f"{name.removesuffix('s')}"):
                yield f"{number} {inner}", told
    else:
        yield name, repr(value)


def _said(told: Facts) -> dict[str, str]:
    return dict(_flat(told, ""))


def _plain(path: tuple[Any, ...]) -> str:
    text = ""
    for step in path:
        text += "[]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def _probed(reading: Callable[[Document, Moment], Facts], samples: list[Document]) -> str:
    """Which facts each field changes, over all samples."""
    moves: dict[str, dict[str, None]] = {}
    for document in {json.dumps(sample): sample for sample in samples}.values():
        said = _said(reading(document, _AT))
        for path in _leaves(document):
            for other in _others(_value(document, path)):
                try:
                    now = _said(reading(_changed(document, path, other), _AT))
                except UNREADABLE:
                    if _value(document, path) is not None:
                        moves.setdefault(_plain(path), {})
                    continue
                names = _differences(said, now)
                if names:
                    moves.setdefault(_plain(path), {}).update(dict.fromkeys(names))
    rows = [
        (code(field), listed(sorted(names)) if names else "none: without it the object is not read")
        for field, names in moves.items()
    ]
    return table(("Stripe's field", "facts that change with it"), rows)


def _differences(said: dict[str, str], now: dict[str, str]) -> set[str]:
    """What is told otherwise; a fact as a whole where it is there or not."""
    both = [{_effect(name) for name in one} for one in (said, now)]
    whole = both[0] ^ both[1]
    names = {name for name in said.keys() | now.keys() if said.get(name) != now.get(name)}
    return {
        _effect(name).partition(" ")[2]
        if _effect(name) in whole
        else name.partition(" ")[2] or name
        for name in names
    }


def _effect(name: str) -> str:
    """The effect that a name belongs to, such as `0 capture`."""
    number, space, rest = name.partition(" ")
    return f"{number}{space}{rest.partition('.')[0]}"


def _value(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def _probe(kind: str, reading: Callable[[Document, Moment], Facts]) -> Callable[[], str]:
    return lambda: _probed(reading, documents()[kind])


TABLES = {
    "payment-states": lambda: _states(facts.ATTEMPTS, "attempt"),
    "cancellations": cancellations_table,
    "refund-states": lambda: _states(facts.REFUNDS, "refund"),
    "refund-reasons": reasons_table,
    "dispute-states": lambda: _states(facts.DISPUTES, "dispute"),
    "payment-fields": _probe("payment_intent", facts.payment_facts),
    "charge-fields": _probe("charge", facts.charge_facts),
    "refund-fields": _probe("refund", facts.refund_facts),
    "dispute-fields": _probe("dispute", facts.dispute_facts),
}
