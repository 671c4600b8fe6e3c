"""A figure, its bar, and how it is measured: the best of several rounds, or of several in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from payport.providers.outcomes import Answer, Outcome

__all__ = ["Figure", "accepted", "at_least", "at_most", "best", "cpu", "in_turn", "known"]


@dataclass(frozen=True)
class Figure:
    """One measured figure, and the bar it is held to."""

    what: str
    measured: str
    bar: str
    held: bool


def at_most(what: str, value: float, bar: float, *, unit: str = "", digits: int = 2) -> Figure:
    """A figure that must not be greater than its bar."""
    return Figure(
        what=what,
        measured=f"{value:.{digits}f}{unit}",
        bar=f"at most {bar:g}{unit}",
        held=value <= bar,
    )


def at_least(what: str, value: float, bar: float, *, unit: str = "", digits: int = 0) -> Figure:
    """A figure that must not be less than its bar."""
    return Figure(
        what=what,
        measured=f"{value:,.{digits}f}{unit}",
        bar=f"at least {bar:,g}{unit}",
        held=value >= bar,
    )


def known(what: str, value: float, *, unit: str = "", digits: int = 2) -> Figure:
    """A figure without a bar."""
    return Figure(
        what=what, measured=f"{value:,.{digits}f}{unit}", bar="for information", held=True
    )


def best(measure: Callable[[], float], rounds: int = 5) -> float:
    """The least of several measurements."""
    return min(measure() for _ in range(rounds))


def in_turn(contenders: Mapping[str, Callable[[], float]], rounds: int = 9) -> dict[str, float]:
    """The least of each, measured in turn, so that a bad moment of the machine meets them all."""
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            measured[name].append(measure())
    return {name: min(values) for name, values in measured.items()}


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of this process that some work takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


def accepted(outcome: Outcome) -> Answer:
    """The answer of a call that cannot fail here."""
    if not isinstance(outcome, Answer):
        raise TypeError(outcome)
    return outcome
