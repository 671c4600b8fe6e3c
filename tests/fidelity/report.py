"""
`make fidelity`: how true the Stripe adapter and the simulator are to Stripe's real traffic.

It replays every recorded call at the simulator, has the adapter read every real answer, holds every
request of the adapter's against the SDK's own types, and calls every endpoint with the plain SDK.
It exits with 1 if anything differs for no written reason. Without the SDK and an HTTP client only
the first is done.
"""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

_HERE = Path(__file__).parent
# What is shared with other tests; test folders are not packages.
for _folder in (
    _HERE,
    _HERE.parent / "providers" / "stripe",
    _HERE.parent / "testing" / "stripe_simulator",
):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))

from wire_fidelity import Accounted, WireFidelity, measured  # noqa: E402 - found by the paths above

if TYPE_CHECKING:
    from sections import Section

__all__ = ["Report", "report"]

_VERDICTS = ("equal", "with reason", "unexplained", "out of scope")


@dataclass(frozen=True, kw_only=True)
class Report:
    """
    Everything that was found.

    Attributes:
        wire: The recorded calls, replayed.
        sections: What needs the SDK; empty where it is not installed.
    """

    wire: WireFidelity
    sections: tuple[Section, ...]

    @property
    def faults(self) -> tuple[str, ...]:
        """What has to be mended; nothing if all is well."""
        return (*self.wire.faults, *(fault for one in self.sections for fault in one.faults))

    @property
    def is_true(self) -> bool:
        return not self.faults

    @property
    def summary(self) -> str:
        """A line for each part."""
        return "\n".join((self.wire.summary, *(one.summary for one in self.sections)))

    @property
    def text(self) -> str:
        """All of it, for people."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield from self._scenarios()
        yield "\nout of scope:"
        yield from (f"  {count:4} {why}" for why, count in self.wire.out.most_common())
        yield "\nreasons, and how many calls differ for each:"
        yield from (f"  {count:4} {why}" for why, count in self._reasons().most_common())
        for one in self.sections:
            yield f"\n{one.summary}:"
            yield from (f"  {count:4} {kind}" for kind, count in one.counts.most_common())
        if self.faults:
            yield "\nto be mended:"
            yield from (f"  {fault}" for fault in self.faults)
        yield f"\n{self.summary}"

    def _scenarios(self) -> Iterator[str]:
        row = "{:<78}{:>6}{:>7}{:>13}{:>13}  {}"
        yield row.format("scenario", "calls", *_VERDICTS)
        for name in dict.fromkeys(one.call.scenario for one in self.wire.calls):
            calls = [one for one in self.wire.calls if one.call.scenario == name]
            verdicts = Counter(one.verdict for one in calls)
            counts = (verdicts[one] or "" for one in _VERDICTS[:-1])
            yield row.format(name, len(calls), *counts, _labels(calls)).rstrip()
        totals = self.wire.counts
        yield row.format("all", totals.total(), *(totals[one] for one in _VERDICTS))

    def _reasons(self) -> Counter[str]:
        """How many calls there are that differ for each reason."""
        return Counter(
            why for one in self.wire.calls for why in {reason.why for reason in one.reasons}
        )


def _labels(calls: list[Accounted]) -> str:
    """How many calls are out of scope, and why in a word; the whole reasons stand below."""
    out = Counter(one.out.partition(":")[0] for one in calls if one.out is not None)
    return ", ".join(f"{count} {label}" for label, count in out.items())


def report() -> Report:
    """Do all of it."""
    if not all(map(importlib.util.find_spec, ("stripe", "httpx"))):
        return Report(wire=measured(), sections=())
    from sections import sections  # noqa: PLC0415 - needs the SDK

    return Report(wire=measured(), sections=sections())


def main() -> int:
    """Print the report; with `--summary` a line for each part."""
    found = report()
    sys.stdout.write(f"{found.summary if '--summary' in sys.argv[1:] else found.text}\n")
    return 0 if found.is_true else 1


if __name__ == "__main__":
    sys.exit(main())
