"""
How true the simulator is to the recorded traffic: every recorded call, accounted for.

    fidelity = measured()
    fidelity.is_true           # every difference has a reason, and every reason a difference
    fidelity.summary           # one line

Needs neither the SDK nor an HTTP client.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from comparing import Difference
from reasons import Reason, Reasons
from recorded_calls import Call, Scenario, scenarios
from replaying import Replayed, replayed

from payport.testing import StripeSimulator

__all__ = ["Accounted", "WireFidelity", "measured"]


@dataclass(frozen=True, kw_only=True)
class Accounted:
    """
    One recorded call.

    Attributes:
        out: Why it is out of scope.
        reasons: The written reasons for what differs.
        unexplained: What differs for no reason.
    """

    call: Call
    out: str | None
    reasons: tuple[Reason, ...]
    unexplained: tuple[Difference, ...]

    @property
    def verdict(self) -> str:
        if self.out is not None:
            return "out of scope"
        if self.unexplained:
            return "unexplained"
        return "with reason" if self.reasons else "equal"


@dataclass(frozen=True, kw_only=True)
class WireFidelity:
    """
    What was found.

    Attributes:
        calls: Every recorded call, in its order.
        unneeded: Reasons that nothing differs for.
    """

    calls: tuple[Accounted, ...]
    unneeded: tuple[Reason, ...]

    @property
    def is_true(self) -> bool:
        return not self.unneeded and not any(one.unexplained for one in self.calls)

    @property
    def counts(self) -> Counter[str]:
        """How many calls there are of each verdict."""
        return Counter(one.verdict for one in self.calls)

    @property
    def out(self) -> Counter[str]:
        """How many calls are out of scope, by reason."""
        return Counter(one.out for one in self.calls if one.out is not None)

    @property
    def summary(self) -> str:
        counts, total = self.counts, len(self.calls)
        return (
            f"Stripe simulator: {total} recorded calls, {total - counts['out of scope']} in scope:"
            f" {counts['equal']} answered equally, {counts['with reason']} differ with a reason,"
            f" {counts['unexplained']} without; {counts['out of scope']} out of scope"
        )

    @property
    def faults(self) -> Iterator[str]:
        """What has to be mended: the simulator, or the reasons."""
        for one in self.calls:
            for difference in one.unexplained:
                yield f"{one.call.name} {one.call.asked}: {difference}"
        for reason in self.unneeded:
            yield f"reasons.toml: nothing differs any more in {reason} ({reason.why})"


def measured(
    *,
    make: Callable[[], StripeSimulator] = StripeSimulator,
    of: Sequence[Scenario] | None = None,
    reasons: Reasons | None = None,
) -> WireFidelity:
    """
    Replay recorded scenarios, each at a simulator of its own.

    Args:
        make: Makes a simulator.
        of: The scenarios; all of them unless passed.
        reasons: The reasons; those of `reasons.toml` unless passed.
    """
    known = Reasons() if reasons is None else reasons
    calls = tuple(
        _accounted(one, known)
        for scenario in (scenarios() if of is None else of)
        for one in replayed(scenario, make(), known.incomparable)
    )
    return WireFidelity(calls=calls, unneeded=tuple(known.unneeded))


def _accounted(one: Replayed, reasons: Reasons) -> Accounted:
    found = [(difference, reasons.why(difference)) for difference in one.differences]
    return Accounted(
        call=one.call,
        out=one.out,
        reasons=tuple(dict.fromkeys(reason for _, reason in found if reason is not None)),
        unexplained=tuple(difference for difference, reason in found if reason is None),
    )
