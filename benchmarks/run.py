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

<<<<<<< HEAD
from figures import Figure
=======
from due import due_seconds

from payport import Money, Payport
from payport.domain.refund import RefundReason
from payport.providers.commands import ConfirmPayment, CreatePayment, CreateRefund, Terms
from payport.providers.exchange import Call, Exchange, Request, Response, run
from payport.providers.outcomes import Answer, Outcome
from payport.testing import FakeProvider
>>>>>>> 4f85f92 (Bench: finding what is due does not grow with what is done)

REPORT: Final = Path(__file__).parent.parent / "docs" / "benchmarks.md"

#: Names of subjects and their modules, in the order of the page.
SUBJECTS: Final = {
    "imports": "importing",
    "fake": "faking",
    "calls": "calling",
    "journal": "journal",
    "stripe": "stripe_adapter",
    "simulator": "stripe_simulator",
    "localstripe": "beside_localstripe",
}
#: Those that install something are measured when they are asked for only.
ONLY_IF_ASKED: Final = {"localstripe"}

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
    skipped = set() if os.environ.get("LOCALSTRIPE") else ONLY_IF_ASKED
    return [subject for subject in SUBJECTS if subject not in skipped]


<<<<<<< HEAD
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
    REPORT.write_text("\n".join([_TOP, *shown]))
=======
def journal_figures() -> Iterator[Figure]:
    """What a journaled payment costs over the fake alone."""
    payments = 500
    alone = FakeProvider()
    numbers = count()

    def bare() -> float:
        began = time.perf_counter()
        for _ in range(payments):
            number = next(numbers)
            create = CreatePayment(
                payment_id=f"o{number}",
                reference=f"o{number}",
                attempt=1,
                terms=Terms(amount=Money(4999, "USD"), payment_method="pm_card_visa"),
                confirm=True,
            )
            accepted(alone.create_payment(create, Call(key=f"k{number}")))
        return time.perf_counter() - began

    def journaled(pay: Payport) -> float:
        began = time.perf_counter()
        for _ in range(payments):
            pay.payments.create(
                reference=f"order_{next(numbers)}",
                amount=Money(4999, "USD"),
                payment_method="pm_card_visa",
                confirm=True,
            )
        return time.perf_counter() - began

    base = best(bare)
    with tempfile.TemporaryDirectory() as folder:
        for name, store in (("memory", "memory"), ("SQLite", f"sqlite:///{folder}/payments.db")):
            with Payport(FakeProvider(), store=store) as pay:
                added = (best(lambda pay=pay: journaled(pay)) - base) / payments * 1e3
            yield Figure(
                what=f"a journaled create on {name} over the fake alone, milliseconds",
                measured=f"{added:.2f}",
                bar="for information",
                held=True,
            )


def due_figure() -> Figure:
    """What recovery pays for the operations that were concluded long ago."""
    few, many = due_seconds(10_000), due_seconds(1_000_000)
    return Figure(
        what="finding due operations among 1,000,000 on SQLite, against among 10,000",
        measured=f"{many / few:.2f}x",
        bar="at most 2x",
        held=many / few <= 2,  # noqa: PLR2004 - the bar
    )


def report(figures: list[Figure]) -> str:
    """The page."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`. All figures of the table are of one run on one machine; one of",
        "another run, or another machine, is not to be compared with them.",
        "",
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}.",
        "",
        "| figure | measured | bar | held |",
        "| --- | ---: | --- | --- |",
        *(
            f"| {f.what} | {f.measured} | {f.bar} | {'yes' if f.held else '**no**'} |"
            for f in figures
        ),
        "",
        "`import payport` imports names when they are first asked for; the rows below it say what",
        "asking for them costs. Whatever is asked, no SDK, no SQL toolkit and no HTTP client is",
        "imported before a store or a provider is opened.",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure everything, write the page, and say what was missed."""
    figures = [
        *import_figures(),
        fake_figure(),
        fixture_figure(),
        exchange_figure(),
        *journal_figures(),
        due_figure(),
    ]
    REPORT.write_text(report(figures))
    for figure in figures:
        print(f"{figure.what}: {figure.measured} ({figure.bar})")
    missed = [figure.what for figure in figures if not figure.held]
>>>>>>> 4f85f92 (Bench: finding what is due does not grow with what is done)
    for what in missed:
        print(f"MISSED: {what}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
