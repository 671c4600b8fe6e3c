"""
Reads forms as Stripe does: `a[b]=1` is an object, `a[]=1` and `a[0]=1` are lists.

Lists stay objects with numbers for names here: only who knows the parameter knows which it is.
"""

from __future__ import annotations

import re
from typing import Any, Final, cast
from urllib.parse import parse_qsl

from payport.testing.stripe_simulator.errors import Doc, invalid

__all__ = ["decode"]

_NAME: Final = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART: Final = re.compile(r"\[([^\[\]]*)\]")
_DEEPEST: Final = 10
_MOST_FIELDS: Final = 1_000


def decode(text: str) -> Doc:
    """
    The fields of a form or query.

    Raises:
        ApiError: It is no form, or says two things about one field.
    """
    fields: Doc = {}
    if not text:
        return fields
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise invalid("Invalid request body: it is not a form.") from None
    for name, value in pairs:
        if "[" in name:
            _put(fields, name, value)
        else:
            fields[name] = value
    return fields


def _put(fields: Doc, name: str, value: str) -> None:
    match = _NAME.fullmatch(name)
    parts: list[str] = _PART.findall(match[2]) if match else []
    if match is None or len(parts) > _DEEPEST:
        raise invalid(f"Invalid parameter name: {name}", param=name)
    at: Doc = fields
    path = [match[1], *parts]
    for step in path[:-1]:
        inner: Any = at.setdefault(step or str(len(at)), {})
        if not isinstance(inner, dict):
            raise invalid(f"Invalid parameter: {match[1]} is given twice", param=match[1])
        at = cast("Doc", inner)
    at[path[-1] or str(len(at))] = value
