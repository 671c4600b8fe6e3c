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
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent.parent))  # beside this folder: `page`

from clients import PayportShop, PlainShop, Shop
from killing import Day, Plan, day

_TEXT: Final = """\
Processes that take payments from the Stripe simulator over a socket, and record their orders in
SQLite, are killed 20 to 200 ms after each start, and started again. A new process goes on with the
orders of which the one before it did not record whether they were paid. payport's recovery runs in
a process that is killed as well; the plain `stripe` package is used as it comes. In the end the
orders are compared with the processor's books.
"""

MAKERS: Final[dict[str, Callable[[str, Path], Shop]]] = {"payport": PayportShop, "plain": PlainShop}


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


#: The columns, and what is in them.
_COLUMNS: Final[dict[str, Callable[[Day], int]]] = {
    "orders": lambda day: day.orders,
    "kill -9": lambda day: day.kills,
    "with a request on the wire": lambda day: day.hit.get("writing", 0) + day.hit.get("asked", 0),
    "requests cut off in the middle": lambda day: day.cut,
    "orders charged twice or more": lambda day: day.twice,
    "extra charges": lambda day: day.extra,
    "orders lost": lambda day: day.lost,
}


def report(days: Sequence[Day], plan: Plan) -> str:
    """The table, and the command that made it."""
    seconds = " and ".join(f"{one.seconds:.0f} s" for one in days)
    made = f"{plan.workers} workers, seed {plan.seed}, {seconds}"
    rows = [[one.name, *(f"{told(one):,}" for told in _COLUMNS.values())] for one in days]
    table = [["client", *_COLUMNS], ["---", *["---:"] * len(_COLUMNS)], *rows]
    return "\n".join(
        [
            _TEXT,
            *(f"| {' | '.join(row)} |" for row in table),
            "",
            f"Written by `make kills KILLS={plan.kills} WRITE=1` ({made}).",
            "",
        ]
    )


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
