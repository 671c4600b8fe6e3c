"""
The written reasons why answers differ: `reasons.toml`, and what of it was needed.

Keeps account, so that a reason that explains nothing any more can be found and taken out.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparing import Difference

__all__ = ["Reason", "Reasons"]

_FILE = Path(__file__).parent / "reasons.toml"
#: How values differ that nobody can foresee.
_INCOMPARABLE = "incomparable"


@dataclass(frozen=True, kw_only=True)
class Reason:
    """
    Why one place differs.

    Attributes:
        before: The API version from which on it would not be a reason; None for any recording.
    """

    of: str
    at: str
    how: str
    why: str
    before: str | None = None

    def __str__(self) -> str:
        return f"{self.of}.{self.at} {self.how}"

    def explains(self, difference: Difference) -> bool:
        """Whether a difference is this one."""
        same = (self.of, self.at, self.how) == (difference.of, difference.at, difference.how)
        return same and (self.before is None or difference.version < self.before)


class Reasons:
    """
    All reasons.

    Args:
        told: The tables of a file of reasons; those of `reasons.toml` unless passed.

    Attributes:
        used: How often each was needed.
    """

    def __init__(self, told: dict[str, Any] | None = None) -> None:
        told = tomllib.loads(_FILE.read_text(encoding="utf-8")) if told is None else told
        reasons = [*_read(told.get("reason", ())), *_read(told.get(_INCOMPARABLE, ()))]
        self.used: Counter[Reason] = Counter(dict.fromkeys(reasons, 0))
        self._by_place: dict[tuple[str, str, str], list[Reason]] = {}
        for reason in reasons:
            self._by_place.setdefault((reason.of, reason.at, reason.how), []).append(reason)

    def incomparable(self, of: str, at: str) -> bool:
        """Whether two unequal values at a place are nobody's to compare."""
        found = self._by_place.get((of, at, _INCOMPARABLE), [])
        self.used.update(found)
        return bool(found)

    def why(self, difference: Difference) -> Reason | None:
        """The reason for a difference; None where nobody wrote one."""
        for reason in self._by_place.get((difference.of, difference.at, difference.how), ()):
            if reason.explains(difference):
                self.used[reason] += 1
                return reason
        return None

    @property
    def unneeded(self) -> list[Reason]:
        """Those that explain nothing."""
        return [reason for reason, count in self.used.items() if not count]


def _read(tables: Iterable[dict[str, Any]]) -> Iterable[Reason]:
    for table in tables:
        for place in table["at"]:
            yield Reason(
                of=table["of"],
                at=place,
                how=table.get("how", _INCOMPARABLE),
                why=table["why"],
                before=table.get("before"),
            )
