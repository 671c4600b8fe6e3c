"""
Checks what a request says against the tables, in Stripe's words, before anything is executed.

It turns texts into the values that they mean and knows nothing of payments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from payport.testing.stripe_simulator.errors import ApiError, Doc, invalid
from payport.testing.stripe_simulator.parameters import Parameters

__all__ = ["checked"]

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^\s]+", re.IGNORECASE)
_BOOLEANS: Final = {"true": True, "false": False}
_BOUNDS: Final = frozenset({"gt", "gte", "lt", "lte"})
_LONGEST_TEXT: Final = 5_000
_LONGEST_KEY: Final = 40
_LONGEST_VALUE: Final = 500
_MOST_KEYS: Final = 50

#: What is wrong with a value: to be raised by who knows which alternatives there are.
_Convert = Callable[[str, Any], Any]


def checked(parameters: Parameters, fields: Mapping[str, Any]) -> Doc:
    """
    The fields as values.

    Raises:
        ApiError: There is one too many, one too few, or one of the wrong kind.
    """
    for name in fields:
        if name not in parameters.names:
            raise invalid(f"Received unknown parameter: {name}", "parameter_unknown", param=name)
    for name in parameters.required:
        if name not in fields:
            raise invalid(f"Missing required param: {name}.", "parameter_missing", param=name)
    kinds = parameters.kinds
    return {name: _value(name, given, kinds[name]) for name, given in fields.items()}


def _value(name: str, given: Any, kind: str) -> Any:
    convert = _KINDS.get(kind)
    if convert is not None:
        if given == "" and kind != "metadata":
            raise _not_empty(name)
        return convert(name, given)
    words = kind.split("|")
    if given == "":
        if "empty" in words:
            return ""
        raise _not_empty(name)
    if "bool" in words and given in _BOOLEANS:
        return _BOOLEANS[given]
    for word in words:
        if word == given and word not in _KINDS:
            return given
    for word in words:
        if word in _KINDS and word != "bool":
            return _KINDS[word](name, given)
    allowed = [word for word in words if word not in {"bool", "empty"}]
    told = ", ".join(allowed[:-1]) + (", or " if len(allowed) > 1 else "") + allowed[-1]
    raise invalid(f"Invalid {name}: must be one of {told}", param=name)


def _not_empty(name: str) -> ApiError:
    message = (
        f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a"
        f" parameter; however '{name}' cannot be unset. You should remove '{name}' from your"
        " request or supply a non-empty value."
    )
    return invalid(message, "parameter_invalid_empty", param=name)


def _integer(name: str, given: Any) -> int:
    if not isinstance(given, str) or not _INTEGER.fullmatch(given):
        shown = given if isinstance(given, str) else "object"
        raise invalid(f"Invalid integer: {shown}", "parameter_invalid_integer", param=name)
    return int(given)


def _boolean(name: str, given: Any) -> bool:
    if given not in _BOOLEANS:
        shown = given if isinstance(given, str) else "object"
        raise invalid(f"Invalid boolean: {shown}", param=name)
    return _BOOLEANS[given]


def _text(name: str, given: Any) -> str:
    if not isinstance(given, str):
        raise invalid("Invalid string: object", param=name)
    if len(given) > _LONGEST_TEXT:
        message = f"Invalid string: must be at most {_LONGEST_TEXT} characters"
        raise invalid(message, param=name)
    return given


def _email(name: str, given: Any) -> str:
    text = _text(name, given)
    if not _EMAIL.fullmatch(text):
        raise invalid(f"Invalid email address: {text}", "email_invalid", param=name)
    return text


def _url(name: str, given: Any) -> str:
    text = _text(name, given)
    if not _URL.fullmatch(text):
        message = "Not a valid URL"
        raise invalid(message, "url_invalid", param=name)
    return text


def _hash(name: str, given: Any) -> Doc:
    if not isinstance(given, dict):
        raise invalid("Invalid object", param=name)
    return cast("Doc", given)


def _list(name: str, given: Any) -> list[Any]:
    items = _hash(name, given) if isinstance(given, dict) else None
    if items is None or not all(key.isdecimal() for key in items):
        raise invalid("Invalid array", param=name)
    return [items[key] for key in sorted(items, key=int)]


def _range(name: str, given: Any) -> Doc:
    if not isinstance(given, dict):
        moment = _integer(name, given)
        return {"gte": moment, "lte": moment}
    bounds = _hash(name, given)
    for bound in bounds:
        if bound not in _BOUNDS:
            full = f"{name}[{bound}]"
            raise invalid(f"Received unknown parameter: {full}", "parameter_unknown", param=full)
    return {bound: _integer(f"{name}[{bound}]", value) for bound, value in bounds.items()}


def _metadata(name: str, given: Any) -> dict[str, str]:
    if given == "":
        return {}
    pairs = _hash(name, given)
    if len(pairs) > _MOST_KEYS:
        message = f"You can only specify up to {_MOST_KEYS} metadata keys"
        raise invalid(message, param=name)
    for key, value in pairs.items():
        at = f"{name}[{key}]"
        if not isinstance(value, str):
            raise invalid("Metadata values must be strings", param=at)
        if len(key) > _LONGEST_KEY:
            message = (
                f"Metadata keys can have up to {_LONGEST_KEY} characters, but you passed in a key"
                f" that is {len(key)} characters."
            )
            raise invalid(message, param=at)
        if len(value) > _LONGEST_VALUE:
            message = (
                f"Metadata values can have up to {_LONGEST_VALUE} characters, but you passed in a"
                f" value that is {len(value)} characters."
            )
            raise invalid(message, param=at)
    return pairs


_KINDS: Final[Mapping[str, _Convert]] = {
    "int": _integer,
    "bool": _boolean,
    "str": _text,
    "email": _email,
    "url": _url,
    "hash": _hash,
    "list": _list,
    "metadata": _metadata,
    "range": _range,
}
