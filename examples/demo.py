"""
`make demo`: five payments through Stripe's own SDK, over a socket, with a journal in a SQLite file.

The Stripe simulator and the shop are processes of their own. The shop is killed twice, when the
bank has moved the money and nobody has read its answer; each time it starts again at the top of its
list. The demo exits with 1 if the bank moved anything twice or not at all, and leaves neither
processes nor files behind.
"""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

from payport import Money, Payport
from payport.providers.stripe import StripeProvider

HERE = Path(__file__).resolve().parent
FIDELITY = HERE.parent / "tests" / "fidelity" / "report.py"
#: Seconds after which a process that hangs is ended.
PATIENCE = 30.0
#: Of what is told about a step, so that a line fits a terminal.
WIDTH = 60
#: How wide a terminal is.
COLUMNS = 80
#: What the bank's books have to say about each order in the end, in cents.
ORDERS = {
    "order_1": ("pay 12.00, declined", []),
    "order_2": ("pay 25.00, 3-D Secure", [2_500]),
    "order_3": ("pay 49.99", [4_999]),
    "order_4": ("hold 60.00, capture 2 x 30.00", [3_000, 3_000]),
    "order_5": ("pay 80.00, refund 2 x 10.00", [8_000, -1_000, -1_000]),
}
#: The shop is killed at the first answer to each of these.
DEATHS = ("order_3", "order_5/return_1")


@dataclass
class Story:
    """What happened so far, by order."""

    asked: Counter[str] = field(default_factory=Counter[str])
    sent: Counter[str] = field(default_factory=Counter[str])
    replayed: Counter[str] = field(default_factory=Counter[str])
    notes: list[str] = field(default_factory=list[str])
    totals: dict[str, int] = field(default_factory=dict[str, int])
    kills: int = 0

    def say(self, order: str, words: str) -> None:
        """Print what is worth telling, once."""
        line = f"  {order:<16}  {words if len(words) < WIDTH else words[: WIDTH - 4] + ' ...'}"
        if line not in self.notes:
            self.notes.append(line)
            print(line)


class Signals:
    """Signals end the demo; not while a process starts or ends, or that one would be left over."""

    def __init__(self) -> None:
        self._waits = False
        self._number = 0

    def __call__(self, number: int, _: FrameType | None) -> None:
        """What Python calls when a signal comes."""
        self._number = number
        if not self._waits:
            sys.exit(128 + number)

    @contextmanager
    def wait(self) -> Iterator[None]:
        """Let signals wait until this block is over."""
        self._waits = True
        try:
            yield
        finally:
            self._waits = False
        if self._number:
            sys.exit(128 + self._number)


signals = Signals()


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that ends with this block, or when it hangs."""
    started: subprocess.Popen[str] | None = None
    try:
        with signals.wait():
            started = subprocess.Popen(  # noqa: S603 - a part of this demo
                [sys.executable, *arguments],
                stdout=subprocess.PIPE,
                text=True,
                # A group of its own: Ctrl-C at the terminal is for this process, which ends all.
                process_group=0,
            )
            watchdog = threading.Timer(PATIENCE, started.kill)
            watchdog.start()
        yield started
    finally:
        if started is not None:
            with signals.wait(), started:  # which waits for its end, and closes its output
                watchdog.cancel()
                started.kill()


@contextmanager
def simulator() -> Iterator[httpx.Client]:
    """The Stripe simulator in its own process, and a client for its address."""
    module = "payport.testing.stripe_simulator"
    with process("-m", module, "--port", "0", "--idle", str(PATIENCE)) as running:
        url = running.stdout.readline().strip() if running.stdout else ""
        if not url:
            sys.exit("demo: the simulator did not start")
        with httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as http:
            yield http


def run_shop(story: Story, url: str, journal: Path, die_at: str) -> None:
    """Start the shop, note what it does, and kill it where it is said to die."""
    arguments = (str(HERE / "demo_shop.py"), url, str(journal), die_at)
    with process(*arguments) as shop:
        for line in shop.stdout or ():
            told: dict[str, Any] = json.loads(line)
            if "unread" in told:
                shop.kill()
                shop.wait()
                story.kills += 1
                story.say(told["unread"], f"done and answered: SIGKILL before {shop.pid} reads it")
                story.say("", f"its journal says: {left(url, journal)}")
            else:
                note(story, told)
        code = shop.wait()
    if code != (-signal.SIGKILL if die_at else 0):
        sys.exit(f"demo: the shop ended with {code}")


def note(story: Story, told: dict[str, Any]) -> None:
    """Note one thing that the shop told."""
    match told:
        case {"asked": str(step)}:
            story.asked[order_of(step)] += 1
        case {"sent": str(step), "replayed": bool(replayed)}:
            story.sent[order_of(step)] += 1
            story.replayed[order_of(step)] += replayed
            if replayed:
                story.say(step, "asked again by another process, same key: replayed")
        case {"order": str(order), "total": int(cents)}:
            story.totals[order] = cents
        case {"note": str(order), "says": str(words)}:
            story.say(order, words)
        case _:
            sys.exit(f"demo: the shop told something unheard: {told}")


def order_of(step: str) -> str:
    """The order that a step belongs to, such as `order_5/return_1`."""
    return step.partition("/")[0]


def left(url: str, journal: Path) -> str:
    """How the journal says that unfinished operations stand, as the killed process left it."""
    provider = StripeProvider(api_key="sk_test_obviously_fake", base_url=url)
    with Payport(provider, scope="demo", store=f"sqlite:///{journal}") as pay:
        open_ones = [row for row in pay.operations.list() if not row.is_concluded]
        return ", ".join(f"{row.operation} {row.state}" for row in open_ones)


def moved(http: httpx.Client, order: str) -> list[int]:
    """What the bank's books say that moved for an order, in cents; its fees left out."""
    answer = http.get("/_control/moved", params={"name": order}).raise_for_status()
    return [entry["amount"] for entry in answer.json()["entries"] if entry["kind"] != "fee"]


def show(story: Story, books: dict[str, list[int]]) -> None:
    """Print the table."""
    row = "{:<8} {:<29} {:>5} {:>4} {:>8}  {}"
    print()
    print(row.format("order", "what was asked", "asked", "sent", "replayed", "the bank moved"))
    for order, (wanted, _) in ORDERS.items():
        cells = (story.asked[order], story.sent[order], story.replayed[order])
        amounts = " ".join(str(Money(cents, "USD").major) for cents in books[order])
        print(row.format(order, wanted, *cells, amounts or "nothing"))


def fidelity() -> int:
    """Compare the simulator with recordings of the real Stripe, where this tree has them."""
    if not FIDELITY.exists():
        return 0
    done = subprocess.run(  # noqa: S603 - a script of this tree
        [sys.executable, str(FIDELITY), "--summary"],
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
        process_group=0,
    )
    for line in done.stdout.strip().splitlines():
        print(textwrap.fill(line, COLUMNS, subsequent_indent="  "))
    return done.returncode


def main() -> int:
    """Tell the story, print the table, and compare it with the bank's books."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signals)
    # One process at a time uses this file: that is what the warning about old SQLite asks for.
    logging.getLogger("payport").setLevel(logging.CRITICAL)
    began = time.monotonic()
    story = Story()
    with tempfile.TemporaryDirectory() as folder, simulator() as http:
        journal = Path(folder) / "payments.db"
        print(f"Stripe simulator: {http.base_url}; the shop's journal: a SQLite file.")
        print("The shop asks for everything twice, and is killed twice; then it begins again.\n")
        for die_at in (*DEATHS, ""):
            run_shop(story, str(http.base_url), journal, die_at)
        books = {order: moved(http, order) for order in ORDERS}
    show(story, books)
    wrong = [order for order, (_, expected) in ORDERS.items() if books[order] != expected]
    differ = [order for order in ORDERS if sum(books[order]) != story.totals.get(order)]
    agree = "differ from" if differ else "are"
    print(f"\n{story.kills} kills, {len(wrong)} orders moved the wrong money;", end=" ")
    print(f"payport's totals {agree} the bank's. {time.monotonic() - began:.1f} s")
    told = story.kills == len(DEATHS) <= story.replayed.total()
    return fidelity() or int(bool(wrong or differ) or not told)


if __name__ == "__main__":
    sys.exit(main())
