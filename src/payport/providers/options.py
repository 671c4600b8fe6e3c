"""
What both colours of a provider are constructed with, as one typed dictionary: so that it is written
down once, and is checked by type checkers and at run time alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

__all__ = ["misnamed", "taken"]


def taken(given: Mapping[str, Any]) -> dict[str, Any]:
    """
    All that was given, which is empty from now on: the frame that it came from keeps no key where
    something is raised.
    """
    told = dict(given)
    cast("dict[str, Any]", given).clear()
    return told


def misnamed(options: type, given: Mapping[str, Any], name: str) -> TypeError | None:
    """
    What is wrong with the names of what was given, as Python would say it; None where nothing is.

    Args:
        options: A `TypedDict`.
        name: What is constructed.
    """
    required: frozenset[str] = getattr(options, "__required_keys__", frozenset())
    known = required | getattr(options, "__optional_keys__", frozenset[str]())
    missing = sorted(required - given.keys())
    if missing:
        return TypeError(f"{name}() missing a required keyword argument: {missing[0]!r}")
    unknown = sorted(given.keys() - known)
    if unknown:
        return TypeError(f"{name}() got an unexpected keyword argument {unknown[0]!r}")
    return None
