"""
How an answer of the simulator's differs from the recorded one.

Compared are the status, the headers that say something of the request, the keys of every object,
the kind of every value, and every value but those that the reasons call incomparable. A difference
names the innermost object of Stripe's that it is in, so that a charge differs in the same way
wherever it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from recorded_calls import PREFIXED

__all__ = ["HEADERS", "Difference", "Incomparable", "differences", "pairs"]

#: What answers say of the request beside the body.
HEADERS = (
    *("content-type", "idempotency-key", "original-request", "request-id"),
    *("stripe-should-retry", "stripe-version"),
)
_REDACTED = "REDACTED"
#: Whether the values at a place are nobody's to compare, such as moments.
Incomparable = Callable[[str, str], bool]


@dataclass(frozen=True, kw_only=True, order=True)
class Difference:
    """
    One difference.

    Attributes:
        of: The kind of object that it is in; `error`, `headers` or `answer` where it is in none.
        at: The path of keys within the object; `[]` stands for any place in a list.
        how: `missing` (the simulator leaves it out), `extra` (it alone has it), `type`, `value`.
        version: The API version of the recording.
        told: What Stripe said, and what the simulator says, for people.
    """

    of: str
    at: str
    how: str
    version: str
    told: str

    def __str__(self) -> str:
        return f"{self.of}.{self.at} {self.how}: {self.told}"


@dataclass(frozen=True, kw_only=True)
class _Place:
    of: str
    at: str = ""

    def key(self, name: str) -> _Place:
        return _Place(of=self.of, at=f"{self.at}.{name}" if self.at else name)

    def item(self) -> _Place:
        return _Place(of=self.of, at=f"{self.at}[]")


class _Comparison:
    """Two answers, and what was found."""

    def __init__(self, version: str, names: Mapping[str, str], incomparable: Incomparable) -> None:
        self._version = version
        self._names = names
        self._incomparable = incomparable
        self.found: list[Difference] = []

    def note(self, place: _Place, how: str, told: str) -> None:
        self.found.append(
            Difference(of=place.of, at=place.at, how=how, version=self._version, told=told)
        )

    def values(self, place: _Place, theirs: Any, ours: Any) -> None:
        if type(theirs) is not type(ours):
            self.note(place, "type", f"{_shown(theirs)} is {_shown(ours)}")
        elif isinstance(theirs, dict):
            self.objects(place, theirs, ours)
        elif isinstance(theirs, list):
            self.lists(place, theirs, ours)
        elif not self._alike(theirs, ours) and not self._incomparable(place.of, place.at):
            self.note(place, "value", f"{_shown(theirs)} is {_shown(ours)}")

    def objects(self, place: _Place, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
        kind = theirs.get("object")
        place = _Place(of=kind) if isinstance(kind, str) else place
        for name in sorted(theirs.keys() | ours.keys()):
            inner = place.key(name)
            if name not in ours:
                self.note(inner, "missing", _shown(theirs[name]))
            elif name not in theirs:
                self.note(inner, "extra", _shown(ours[name]))
            else:
                self.values(inner, theirs[name], ours[name])

    def lists(self, place: _Place, theirs: list[Any], ours: list[Any]) -> None:
        if len(theirs) != len(ours):
            self.note(place, "value", f"{len(theirs)} are {len(ours)}")
        for one, other in zip(theirs, ours, strict=False):
            self.values(place.item(), one, other)

    def _alike(self, theirs: Any, ours: Any) -> bool:
        """Whether they are the same, ids being the same where one stands for the other."""
        if theirs == ours:
            return True
        return isinstance(theirs, str) and _pattern(theirs, self._names).fullmatch(ours) is not None


def differences(
    theirs: tuple[int, Mapping[str, str], dict[str, Any]],
    ours: tuple[int, Mapping[str, str], dict[str, Any]],
    *,
    version: str,
    names: Mapping[str, str],
    incomparable: Incomparable,
) -> list[Difference]:
    """
    What differs between two answers: status, headers and body of each.

    Args:
        names: Which of the simulator's ids stands for which recorded one.
        incomparable: Which values are not to be compared, by object and path.
    """
    found = _Comparison(version, names, incomparable)
    found.values(_Place(of="answer").key("status"), theirs[0], ours[0])
    shown = [
        {name: told[name] for name in HEADERS if name in told} for _, told, _ in (theirs, ours)
    ]
    found.objects(_Place(of="headers"), *shown)
    if "error" in theirs[2] and "error" in ours[2]:
        found.objects(_Place(of="error"), theirs[2]["error"], ours[2]["error"])
    else:
        found.objects(_Place(of="answer"), theirs[2], ours[2])
    return sorted(found.found)


def pairs(theirs: Any, ours: Any) -> Iterator[tuple[str, str]]:
    """Texts that stand in the same place of two answers."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in theirs.keys() & ours.keys():
            yield from pairs(theirs[name], ours[name])
    elif isinstance(theirs, list) and isinstance(ours, list):
        for one, other in zip(theirs, ours, strict=False):
            yield from pairs(one, other)
    elif isinstance(theirs, str) and isinstance(ours, str):
        yield theirs, ours


def _pattern(text: str, names: Mapping[str, str]) -> re.Pattern[str]:
    """A recorded text, with our ids for theirs, and with anything where it was redacted."""
    renamed = PREFIXED.sub(lambda found: names.get(found[0], found[0]), text)
    return re.compile(re.escape(renamed).replace(_REDACTED, ".+"))


def _shown(value: Any) -> str:
    text = {dict: "an object", list: "a list"}.get(type(value)) or repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
