"""
Checks what a request says against the tables, in Adyen's words, before anything is executed.

It knows nothing of payments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from payport.testing.adyen_simulator.errors import invalid, missing, not_simulated
from payport.testing.adyen_simulator.parameters import Parameters
from payport.testing.adyen_simulator.shapes import SHAPES
from payport.testing.simulation.documents import Doc

__all__ = ["checked"]

_SHORTEST_SHOPPER: Final = 3
_MOST_METADATA: Final = 20
_LONGEST_NAME: Final = 20
_LONGEST_VALUE: Final = 80
_LONGEST_DELAY: Final = 672
_AMOUNT: Final = frozenset({"currency", "value"})
_MOST_MONEY: Final = 2**63 - 1


def checked(parameters: Parameters, fields: Mapping[str, Any]) -> Doc:
    """
    The fields, without those that are null.

    Raises:
        ApiError: There is one too many, one too few, or one of the wrong kind.
    """
    kinds = parameters.kinds
    # JSON's null is nothing, for Adyen as well.
    given = {name: value for name, value in fields.items() if value is not None}
    unknown = [name for name in given if name not in kinds]
    for name in unknown:
        if name in parameters.refused:
            raise not_simulated(name)
    if unknown:
        message = f"Structure contains the following unknown fields: [{', '.join(unknown)}]"
        raise invalid("702", message, status=400)
    for name in parameters.required:
        if name not in given:
            raise missing(name)
    for name, value in given.items():
        _check(name, value, kinds[name])
    return given


def _check(name: str, value: Any, kind: str) -> None:
    check = _KINDS.get(kind)
    if check is not None:
        check(name, value)
    elif kind.startswith("string:"):
        _text(name, value)
        if len(value) > int(kind.partition(":")[2]):
            raise invalid("000", f"Field '{name}' is too long: at most {kind.partition(':')[2]}.")
        if not value.strip():
            raise missing(name)
        if name == "shopperReference" and len(value) < _SHORTEST_SHOPPER:
            raise invalid("000", "Field 'shopperReference' is too short: at least 3.")
    elif value not in kind.split("|"):
        raise invalid("000", f"Field '{name}' is not one of: {kind.replace('|', ', ')}.")


def _expected(name: str, value: Any, what: str) -> Exception:
    shown = type(value).__name__
    return invalid("702", f"Unexpected input for {name}: {shown}, expected: {what}", status=400)


def _text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise _expected(name, value, "string")


def _integer(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _expected(name, value, "integer")
    if name == "captureDelayHours" and not 0 <= value <= _LONGEST_DELAY:
        raise invalid("000", f"Field '{name}' is from 0 to {_LONGEST_DELAY} hours.")


def _boolean(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise _expected(name, value, "boolean")


def _object(name: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise _expected(name, value, "object")
    told = cast("Doc", value)
    shape = SHAPES.get(name)
    if shape is None:
        return
    unknown = sorted(told.keys() - shape.kinds.keys())
    if unknown:
        message = f"Structure of {name} contains the following unknown fields: {unknown}"
        raise invalid("702", message, status=400)
    for field in shape.required:
        if told.get(field) is None:
            raise missing(f"{name}.{field}")
    for field, inner in told.items():
        if inner is not None:
            _check(field, inner, shape.kinds[field])


def _array(name: str, value: Any) -> None:
    if not isinstance(value, list):
        raise _expected(name, value, "array")
    for item in cast("Sequence[Any]", value):
        # Lists are of objects, except for those of payment methods' names.
        wanted = str if name.endswith("PaymentMethods") else dict
        if not isinstance(item, wanted):
            raise _expected(f"{name}[]", item, "object" if wanted is dict else "string")


def _strings(name: str, value: Any) -> None:
    _object(name, value)
    for key, text in cast("Doc", value).items():
        _text(f"{name}.{key}", text)
    if name == "metadata":
        small = len(value) <= _MOST_METADATA and all(
            len(key) <= _LONGEST_NAME and len(text) <= _LONGEST_VALUE for key, text in value.items()
        )
        if not small:
            raise invalid("177", "Metadata size exceeds limit")


def _amount(name: str, value: Any) -> None:
    _object(name, value)
    told = cast("Doc", value)
    if told.keys() - _AMOUNT:
        unknown = ", ".join(sorted(told.keys() - _AMOUNT))
        message = f"Structure of Amount contains the following unknown fields: [{unknown}]"
        raise invalid("702", message, status=400)
    if told.get("currency") is None:
        raise invalid("138", "Unsupported currency specified")
    if told.get("value") is None:
        raise invalid("137", "Invalid amount specified")
    _text(f"{name}.currency", told["currency"])
    _integer(f"{name}.value", told["value"])
    if not -_MOST_MONEY <= told["value"] <= _MOST_MONEY:
        raise invalid("137", "Invalid amount specified")


_KINDS: Final[Mapping[str, Callable[[str, Any], None]]] = {
    "string": _text,
    "integer": _integer,
    "boolean": _boolean,
    "object": _object,
    "array": _array,
    "strings": _strings,
    "amount": _amount,
}
