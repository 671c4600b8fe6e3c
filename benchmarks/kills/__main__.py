"""
`make kills`: workers that take payments are killed at random moments, thousands of times.

    python benchmarks/kills --kills 2000            both clients, and the table
    python benchmarks/kills --kills 2000 --write    the table goes to docs/benchmarks.md as well

Worker processes take payments from the Stripe simulator over real sockets, are hit by SIGKILL every
20 to 200 ms, and start again until every order is done and recorded: through payport, whose
recovery runs in a process that is killed too, and by the plain `stripe` package. Everything is on
loopback, and nothing is left behind. Exits with 1 where payport charged anybody twice or lost an
order.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # beside this folder: `page`

from clients import PayportShop, PlainShop, Shop
from killing import Day, Plan, day

MAKERS: dict[str, Callable[[str, Path], Shop]] = {"payport": PayportShop, "plain": PlainShop}


def main() -> int:
    """Run, report, and say whether payport kept its promise."""
    options = _options()
    plan = Plan(kills=options.kills, workers=options.workers, seed=options.seed)
    logging.getLogger("payport").addHandler(logging.NullHandler())
    days: dict[str, Day] = {}
    for name in options.clients:
        with tempfile.TemporaryDirectory(prefix="payport-kills-") as folder:
            days[name] = day(MAKERS[name], plan, Path(folder))
            told = Path(folder, "errors.log")
            if told.exists():
                sys.stderr.write(told.read_text())
                days[name].errors = len(told.read_text().splitlines())
    text = report(tuple(days.values()), plan)
    print(json.dumps([asdict(one) for one in days.values()]) if options.json else text)
    if options.write:
        from page import keep  # noqa: PLC0415 - only who writes the page needs it

        keep("kills", text)
    mine = days.get("payport")
    if mine is None:
        return 0
    return 1 if any((mine.extra, mine.lost, mine.unfinished, mine.errors)) else 0


def report(days: tuple[Day, ...], plan: Plan) -> str:
    """The table, and the command that made it."""
    rows = [
        f"| {one.name} | {one.orders:,} | {one.kills:,} | {_on_the_wire(one):,}"
        f" | {one.cut:,} | {one.twice:,} | {one.extra:,} | {one.lost:,} |"
        for one in days
    ]
    seconds = ", ".join(f"{one.seconds:.0f} s" for one in days)
    return "\n".join(
        [
            f"Written by `make kills KILLS={plan.kills}` ({plan.workers} workers, seed {plan.seed},"
            f" {seconds}).",
            "",
            "| client | orders | kill -9 | with a request on the wire | requests cut off in the middle"
            " | orders charged twice or more | extra charges | orders lost |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
            *rows,
            "",
        ]
    )


def _on_the_wire(one: Day) -> int:
    return one.hit.get("writing", 0) + one.hit.get("asked", 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/kills", description="See the module.")
    parser.add_argument("--kills", type=_positive, default=200, help="for each client")
    parser.add_argument("--workers", type=_positive, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", nargs="+", choices=MAKERS, default=list(MAKERS))
    parser.add_argument("--json", action="store_true", help="figures instead of the table")
    parser.add_argument("--write", action="store_true", help="keep the table in the docs")
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
