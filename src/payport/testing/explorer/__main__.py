"""
`python -m payport.testing.explorer`: every route between two processors, many seeds on all cores,
every crash, or one of them again.

    python -m payport.testing.explorer                             10,000 seeds, then every crash
    python -m payport.testing.explorer --seeds 500 --profile keyless --store sqlite
    python -m payport.testing.explorer --seed 123 --profile stripe_like        what happened in it
    python -m payport.testing.explorer --crash refund/7/recovery/3 --profile stripe_like
    python -m payport.testing.explorer --route 'sale/first/1 429/well/0/again/0'
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice, product
from typing import Final, TypeAlias

from payport.domain.errors import InvalidRequest
from payport.testing.explorer.explorer import CrashExplorer, silence
from payport.testing.explorer.outcome import Outcome, Report
from payport.testing.explorer.processors import PROFILES
from payport.testing.explorer.routes import KINDS, STORIES, Route, Routes
from payport.testing.explorer.stores import STORES

__all__ = ["main", "profile_of"]

SEEDS: Final = 10_000
MINUTES: Final = 10.0
_CHUNK: Final = 25
#: Seconds between two words about how far it is.
_TELLING: Final = 20.0
_FAKES: Final = ("stripe_like", "adyen_like", "keyless", "redirecting")
#: Of twenty seeds these two.
_WIRES: Final = {9: "adyen", 19: "stripe"}


def profile_of(seed: int) -> str:
    """The profile that a seed has where none is named: each in turn, and a real wire at times."""
    return _WIRES.get(seed % 20, _FAKES[seed % len(_FAKES)])


@dataclass(frozen=True, slots=True)
class _Storms:
    """Some seeds."""

    seeds: Sequence[int]
    profile: str
    store: str

    def __call__(self) -> Report:
        report = Report()
        for seed in self.seeds:
            explorer = CrashExplorer(self.profile or profile_of(seed), self.store)
            report.add(explorer.storm(seed))
        return report


@dataclass(frozen=True, slots=True)
class _Crashes:
    """Every crash of one operation at one processor."""

    profile: str
    store: str
    case: str
    pairs: bool

    def __call__(self) -> Report:
        return CrashExplorer(self.profile, self.store).crashes(pairs=self.pairs, case=self.case)


@dataclass(frozen=True, slots=True)
class _Routes:
    """All routes of one kind between two processors."""

    story: str
    rules: str
    kind: str
    store: str

    def __call__(self) -> Report:
        with silence():
            routes = Routes(STORES[self.store])
            mine = routes.all(self.story, self.rules, self.kind)
            return Report.of(routes.one(route)[0] for route in mine)


_Job: TypeAlias = Callable[[], Report]


def _do(job: _Job) -> Report:
    return job()


def _jobs(options: argparse.Namespace) -> Iterator[_Job]:
    if options.routes == "all":
        for kind, story in product(KINDS, STORIES):
            for rules in STORIES[story][1]:
                yield _Routes(story, rules, kind, options.store)
    seeds = iter(range(options.first, options.first + options.seeds))
    while chunk := list(islice(seeds, _CHUNK)):
        yield _Storms(chunk, options.profile, options.store)
    if options.crashes == "none":
        return
    pairs = options.crashes == "pairs"
    for profile in (options.profile,) if options.profile else _FAKES:
        for case in CrashExplorer.cases():
            yield _Crashes(profile, options.store, case, pairs)


def _explored(jobs: Iterable[_Job], cores: int, ends: float) -> tuple[Report, bool]:
    """What all jobs came to, and whether the time was enough for them; says how far it is."""
    report, left = Report(), iter(jobs)
    says = time.monotonic() + _TELLING
    with ProcessPoolExecutor(max_workers=cores) as pool:
        running: set[Future[Report]] = {pool.submit(_do, job) for job in islice(left, 2 * cores)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                report.merge(future.result())
            if time.monotonic() > says:
                says += _TELLING
                sys.stderr.write(f"... {report.worlds} worlds, {len(report.failures)} failures\n")
            if time.monotonic() < ends:
                running |= {pool.submit(_do, job) for job in islice(left, len(done))}
    return report, next(left, None) is None


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m payport.testing.explorer", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--seeds", type=int, default=SEEDS, help="how many seeds (default: %(default)s)")
    add("--first", type=int, default=0, help="the first of them (default: %(default)s)")
    add("--seed", type=int, help="this seed alone, with what happened in it")
    add("--crash", help="this crash alone, as a report names it")
    add("--route", help="this route alone, as a report names it")
    add("--routes", default="all", choices=["none", "all"], help="before the seeds")
    add("--profile", default="", choices=["", *PROFILES], help="one processor (default: all)")
    add("--store", default="memory", choices=STORES, help="where journals are (default: memory)")
    add("--crashes", default="pairs", choices=["none", "singles", "pairs"], help="after the seeds")
    add("--cores", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    add("--minutes", type=float, default=MINUTES, help="begin nothing new after them (%(default)s)")
    return parser.parse_args(arguments)


def _replayed(options: argparse.Namespace) -> Outcome:
    if options.route is not None:
        with silence():
            return Routes(STORES[options.store]).one(Route.parse(options.route))[0]
    if options.crash is not None:
        explorer = CrashExplorer(options.profile or _FAKES[0], options.store)
        return explorer.crash(options.crash)
    explorer = CrashExplorer(options.profile or profile_of(options.seed), options.store)
    return explorer.storm(options.seed, telling=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Explore, say what came of it, and return the exit status: 1 where something did not hold."""
    options = _options(arguments)
    write = sys.stdout.write
    if (options.seed, options.crash, options.route) != (None, None, None):
        try:
            outcome = _replayed(options)
        except InvalidRequest as wrong:
            write(f"{wrong}\n")
            return 2
        write("".join(f"{line}\n" for line in outcome.history))
        write(f"{'FAILED: ' if outcome.broken else 'held: '}{outcome}\n")
        return int(bool(outcome.broken))
    began = time.monotonic()
    report, whole = _explored(_jobs(options), options.cores, began + 60 * options.minutes)
    seconds = time.monotonic() - began
    write(f"{report}\n")
    write(f"{seconds:.0f} s on {options.cores} cores: {report.worlds / seconds:.1f} worlds/s, ")
    write(f"{report.operations / seconds:.0f} operations/s\n")
    if not whole:
        write(f"{options.minutes:g} minutes were over before all of it was explored\n")
    if report.failures:
        write("repeat one with: python -m payport.testing.explorer (or make simulate SEED=...)\n")
    return int(not report.ok)


if __name__ == "__main__":
    sys.exit(main())
