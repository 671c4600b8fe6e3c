"""What worlds came to: one by one, and all together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

__all__ = ["Outcome", "Report"]

#: As many failures as anybody reads.
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What one world came to.

    Attributes:
        replay: What repeats it: a seed's number, or the name of a crash or a route.
        option: Which option takes that name, where it is not told by the name.
        profile: The processor, by its name; "" for one that was passed.
        broken: What did not hold, in words; empty where all did.
        operations: How many operations were asked for.
        crashes: How many processes were killed.
        reviewed: How many operations were left to a person.
        faults: How often each fault struck.
        history: What happened, in order; empty unless it was asked for.
    """

    replay: str
    profile: str = ""
    broken: tuple[str, ...] = ()
    operations: int = 0
    crashes: int = 0
    reviewed: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])
    history: tuple[str, ...] = field(default=(), repr=False)
    option: str = ""

    def __str__(self) -> str:
        option = self.option or ("--seed" if self.replay.isdecimal() else "--crash")
        profile = f" --profile {self.profile}" if self.profile else ""
        said = "".join(f"\n    {what}" for what in self.broken)
        return f"{option} '{self.replay}'{profile}{said}"


@dataclass(slots=True)
class Report:
    """
    What many worlds came to.

    Attributes:
        worlds: How many there were.
        failures: Those in which something did not hold.
    """

    worlds: int = 0
    operations: int = 0
    crashes: int = 0
    reviewed: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])
    failures: list[Outcome] = field(default_factory=list[Outcome])

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> Self:
        """The report on these worlds."""
        report = cls()
        for outcome in outcomes:
            report.add(outcome)
        return report

    @property
    def ok(self) -> bool:
        """Whether everything held in every world, of which there was at least one."""
        return self.worlds > 0 and not self.failures

    def add(self, outcome: Outcome) -> None:
        """Count one world."""
        self.worlds += 1
        self.operations += outcome.operations
        self.crashes += outcome.crashes
        self.reviewed += outcome.reviewed
        self.faults += outcome.faults
        if outcome.broken:
            self.failures.append(outcome)

    def merge(self, other: Report) -> None:
        """Count the worlds of another report."""
        self.worlds += other.worlds
        self.operations += other.operations
        self.crashes += other.crashes
        self.reviewed += other.reviewed
        self.faults += other.faults
        self.failures += other.failures

    def __str__(self) -> str:
        lines = [
            (
                f"{self.worlds} worlds, {self.operations} operations, {self.crashes} crashes, "
                f"{self.reviewed} left to a person, {len(self.failures)} failures"
            ),
            *(f"  {count:>8}  {kind}" for kind, count in self.faults.most_common()),
            *(f"FAILED: {failure}" for failure in self.failures[:_SHOWN]),
        ]
        return "\n".join(lines)
