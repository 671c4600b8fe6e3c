"""The recorded calls: real traffic with Stripe in test mode, one file for each scenario."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["DATA", "PREFIXED", "Call", "Scenario", "objects_in", "scenarios"]

DATA = Path(__file__).parents[1] / "data" / "stripe"

#: An id that Stripe made, as it stands in paths, forms and answers.
PREFIXED = re.compile(r"(?<![A-Za-z0-9_])(?:ch|cus|pi|pm|re|txn)_[A-Za-z0-9]{8,}")


@dataclass(frozen=True, kw_only=True)
class Call:
    """
    A request and its answer.

    Attributes:
        scenario: The name of the file that it is in.
        index: Its place there.
        version: The API version that the client asked for.
    """

    scenario: str
    index: int
    method: str
    path: str
    query: str
    form: str
    sent: dict[str, str] = field(repr=False)
    status: int
    headers: dict[str, str] = field(repr=False)
    body: dict[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        return f"{self.scenario}-{self.index}"

    @property
    def asked(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def version(self) -> str:
        return self.sent["stripe-version"]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Calls in the order in which they were made."""

    name: str
    calls: tuple[Call, ...]


@cache
def scenarios() -> tuple[Scenario, ...]:
    """All of them, by name."""
    return tuple(
        Scenario(
            name=path.stem,
            calls=tuple(
                _call(path.stem, index, told)
                for index, told in enumerate(json.loads(path.read_text(encoding="utf-8")))
            ),
        )
        for path in sorted((DATA / "recordings").glob("*.json"))
    )


def _call(scenario: str, index: int, told: dict[str, Any]) -> Call:
    request, response = told["request"], told["response"]
    return Call(
        scenario=scenario,
        index=index,
        method=request["method"],
        path=request["path"],
        query=request["query"] or "",
        form=request["form"] or "",
        sent={name.lower(): value for name, value in request["headers"].items()},
        status=response["status"],
        headers={name.lower(): value for name, value in response["headers"].items()},
        body=response["body"],
    )


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of Stripe's in an answer, however deep, the outermost first."""
    if isinstance(value, dict):
        if "object" in value:
            yield value
        for inner in value.values():
            yield from objects_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects_in(inner)
