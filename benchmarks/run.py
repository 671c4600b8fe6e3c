"""
`make bench`: measures the figures that payport promises and writes docs/benchmarks.md.

    python benchmarks/run.py                all subjects
    python benchmarks/run.py stripe         one of them, or several
    make bench LOCALSTRIPE=1                all, and the comparison with localstripe

A subject is a module beside this one: its docstring is the section's text, and its `figures()`
yields what it measures. Each figure is a ratio, or a rate with its bar, taken in one run on one
machine. The best of several rounds counts, because whatever else the machine does only ever adds
time. Sections of subjects that were not asked for stay as they are. Exits with 1 where a bar is
missed.
"""

from __future__ import annotations

import inspect
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

from figures import Figure

REPORT: Final = Path(__file__).parent.parent / "docs" / "benchmarks.md"

#: Names of subjects and their modules, in the order of the page.
SUBJECTS: Final = {
    "imports": "importing",
    "fake": "faking",
    "calls": "calling",
    "journal": "journal",
    "router": "routing",
    "recovery": "recovering",
    "inbox": "receiving",
    "queues": "beside_queues",
    "load": "loading",
    "stripe": "stripe_adapter",
    "adyen": "adyen_adapter",
    "simulator": "stripe_simulator",
    "localstripe": "beside_localstripe",
}
#: Those that install something, or take minutes, are measured when they are asked for only.
ONLY_IF_ASKED: Final = {"localstripe", "queues", "load"}

_TOP: Final = """\
# Benchmarks

Written by `make bench`. Each section is of one run on one machine: its ratios hold, and its numbers
are not to be compared with those of another section, run or machine.
"""


def section(subject: str, module: ModuleType, figures: Sequence[Figure]) -> str:
    """A subject's part of the page."""
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}"
    return "\n".join(
        [
            f"## {subject}",
            "",
            inspect.cleandoc(module.__doc__ or ""),
            "",
            "| figure | measured | bar | held |",
            "| --- | ---: | --- | --- |",
            *(
                f"| {f.what} | {f.measured} | {f.bar} | {'yes' if f.held else '**no**'} |"
                for f in figures
            ),
            "",
            f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine}.",
            "",
        ]
    )


def kept(page: str) -> dict[str, str]:
    """The sections of a page, by subject."""
    parts = page.split("\n## ")[1:]
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in parts}


def asked(arguments: Sequence[str]) -> list[str]:
    """
    The subjects to measure.

    Raises:
        SystemExit: There is no such subject.
    """
    unknown = set(arguments) - set(SUBJECTS)
    if unknown:
        message = f"no such subject: {', '.join(sorted(unknown))}. There are {', '.join(SUBJECTS)}."
        raise SystemExit(message)
    if arguments:
        return list(arguments)
    skipped = ONLY_IF_ASKED - ({"localstripe"} if os.environ.get("LOCALSTRIPE") else set())
    return [subject for subject in SUBJECTS if subject not in skipped]


def main(arguments: Sequence[str]) -> int:
    """Measure what is asked for, write its sections, and say what was missed."""
    sections = kept(REPORT.read_text()) if REPORT.exists() else {}
    missed: list[str] = []
    for subject in asked(arguments):
        module = import_module(SUBJECTS[subject])
        figures: list[Figure] = []
        for figure in module.figures():
            figures.append(figure)
            print(f"{subject}: {figure.what}: {figure.measured} ({figure.bar})", flush=True)
        sections[subject] = section(subject, module, figures)
        missed += [f"{subject}: {figure.what}" for figure in figures if not figure.held]
    shown = [sections[subject] for subject in SUBJECTS if subject in sections]
    # What a command of its own wrote, such as `make kills`.
    shown += [text for name, text in sections.items() if name not in SUBJECTS]
    REPORT.write_text("\n".join([_TOP, *shown]))
    for what in missed:
        print(f"MISSED: {what}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
