"""
`make kills-webhooks`: receivers and workers of webhooks are killed at random moments.

    python benchmarks/kills_webhooks --kills 2000            all shops share them, and the table
    python benchmarks/kills_webhooks --kills 2000 --write    the table goes to docs/benchmarks.md

Receivers serve a real endpoint on a loopback port, workers work off what these stored, and both are
hit by SIGKILL after up to 200 ms, while a provider sends each event until it is acknowledged, and
some of them again. Exits with 1 where an acknowledged event is not in the inbox, or was not acted
on exactly once.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

_BENCHMARKS: Final = Path(__file__).parent.parent
# Beside this folder: `page`, what the other kills have in common, and the tests' PostgreSQL server.
for _place in (_BENCHMARKS, _BENCHMARKS / "kills", _BENCHMARKS.parent / "tests"):
    sys.path.append(str(_place))

from days import Day, Plan, day  # noqa: E402 - found since
from shops import Shop, SqlShop  # noqa: E402
from slots import QuickClock  # noqa: E402

_TEXT: Final = """\
Two processes serve a webhook endpoint over a socket, and two work off what these stored. Each is
killed up to 200 ms after it has started, or before, and started again; most are killed while
they have a transaction open, or have just committed one. A provider posts signed events from eight
connections: what is not answered with 200 is sent again, one in five is sent again though it was,
and one in ten is sent twice at once. A handler writes a row for each effect through the
transaction that it is given: by SQLAlchemy and its ORM, and by Django's ORM in a Django project.
Time runs 200 times faster for payport, so that the leases of the dead end within seconds.
Transactions take up to 8 ms more than they would, before and after the commit. In the end what was
acknowledged is compared with the inbox and with the rows.
"""


@contextmanager
def _sqlite(folder: Path, clock: QuickClock) -> Iterator[Shop]:
    yield SqlShop(f"sqlite:///{folder}/payport/payments.db", clock)


@contextmanager
def _postgres(folder: Path, clock: QuickClock) -> Iterator[Shop]:
    del folder
    from postgres_server import started  # noqa: PLC0415 - only who asks for it needs it

    with started() as server:
        yield SqlShop(server.url(), clock)


@contextmanager
def _django(folder: Path, clock: QuickClock) -> Iterator[Shop]:
    from django_shop import DjangoShop  # noqa: PLC0415 - only who asks for it needs it

    yield DjangoShop(folder / "project.db", clock)


MAKERS: Final = {"sqlite": _sqlite, "postgres": _postgres, "django": _django}


def main() -> int:
    """Run, report, and say whether payport kept its promises."""
    options = _options()
    logging.getLogger("payport").addHandler(logging.NullHandler())
    logging.getLogger("payport").propagate = False
    each = -(-options.kills // len(options.shops))
    plan = Plan(kills=each, seed=options.seed)
    days: list[Day] = []
    for name in options.shops:
        clock = QuickClock()
        with (
            tempfile.TemporaryDirectory(prefix="payport-kills-") as folder,
            MAKERS[name](Path(folder), clock) as shop,
        ):
            days.append(day(shop, plan, clock, Path(folder)))
    text = report(days, plan)
    print(json.dumps([asdict(one) for one in days]) if options.json else text)
    if options.write:
        from page import keep  # noqa: PLC0415 - only who writes the page needs it

        keep("kills of receivers and workers", text)
    return 0 if all(one.held for one in days) else 1


#: The columns, and what is in them.
_COLUMNS: Final[dict[str, Callable[[Day], int]]] = {
    "kill -9": lambda day: day.kills,
    "in a transaction": lambda day: day.open,
    "events": lambda day: day.events,
    "deliveries": lambda day: day.deliveries,
    "without an answer": lambda day: day.answers.get("none", 0),
    "acknowledged": lambda day: day.acknowledged,
    "lost": lambda day: day.lost,
    "acted twice": lambda day: day.acted_twice,
    "not acted on": lambda day: day.not_acted,
}


def report(days: Sequence[Day], plan: Plan) -> str:
    """The table, and the command that made it."""
    rows = [[one.name, *(f"{told(one):,}" for told in _COLUMNS.values())] for one in days]
    total = ["all", *(f"{sum(map(told, days)):,}" for told in _COLUMNS.values())]
    table = [["store", *_COLUMNS], ["---", *["---:"] * len(_COLUMNS)], *rows, total]
    kills = sum(one.kills for one in days)
    made = f"seed {plan.seed}, {sum(one.seconds for one in days):.0f} s"
    return "\n".join(
        [
            _TEXT,
            *(f"| {' | '.join(row)} |" for row in table),
            "",
            f"Written by `make kills-webhooks KILLS={kills} WRITE=1` ({made}).",
            "",
        ]
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/kills_webhooks", description="See the module."
    )
    parser.add_argument("--kills", type=_positive, default=300, help="of all shops together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shops", nargs="+", choices=MAKERS, default=list(MAKERS))
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
