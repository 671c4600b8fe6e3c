"""
From receiving a webhook to its handler's commit, beside durable queues: how many events a second.
Measured when asked for: `python benchmarks/run.py queues`.

huey, procrastinate and DBOS (all MIT) are installed into an environment of their own below
`build/`, run as processes of their own, never imported, and needed for nothing else. All of them
sync their commits to the disk, and write the handler's row in a commit of its own or of payport's.

- **payport** verifies, stores under the event's id, applies the event to its payment (journal,
  facts, domain event, a row for the handler), and runs the handler in the transaction that marks
  it. Nothing is lost, and nothing done twice, whoever is killed.
- **huey** (`SqliteHuey`, `fsync=True`, no results) verifies by the SDK's `construct_event`, puts
  the body into its file, takes it out, and runs the handler: killed in between, the event is lost.
  One thread works.
- **procrastinate** verifies the same way and defers a job; four worker processes of one job at a
  time, which listen, run the handler: at least once, and a repetition is another job.
- **DBOS** verifies the same way and runs a workflow of one step under the event's id in four
  threads, which receive too: at least once. Four processes were slower than these threads.

Eight threads receive. On SQLite it is first received and then worked off; on PostgreSQL four worker
processes work meanwhile. Rounds are taken in turn, and the best counts.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from figures import Figure, at_least, in_turn, known
from shop_events import SECRET, Event, Shop, signed

import payport.storage
from payport import Handlers, PaymentSucceeded, Payport

_ROOT: Final = Path(__file__).parent.parent
sys.path += [str(_ROOT / "benchmarks" / "kills"), str(_ROOT / "tests")]

from children import Children  # noqa: E402 - found since
from postgres_server import started  # noqa: E402

VERSIONS: Final = {"huey": "3.5.4", "procrastinate": "3.10.0", "dbos": "3.4.0", "stripe": "16.1.0"}
PLACE: Final = _ROOT / "build" / "queues"
PEERS: Final = _ROOT / "benchmarks" / "peers"
EVENTS: Final = 1_000
ROUNDS: Final = 3
CALLERS: Final = 8
WORKERS: Final = 4
_POLL: Final = 0.01
#: The server of the tests does not wait for the disk. payport asks for that in each transaction,
#: and the others rely on the server's settings.
_DURABLE: Final = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "autovacuum": "on",
    "shared_buffers": "128MB",
}
_PATIENCE: Final = 120.0

handlers: Final = Handlers()
_ADD: Final = sa.text("INSERT INTO effects VALUES (:event)")


@handlers.on(PaymentSucceeded)
def paid(event: PaymentSucceeded, tx: Any) -> None:
    """A row for each effect."""
    tx.connection.execute(_ADD, {"event": event.id})


def installed() -> Path:
    """The Python of an environment that has the peers."""
    python = PLACE / "bin" / "python"
    if not python.exists():
        subprocess.run(["/bin/sh", _ROOT / "scripts" / "venv.sh", "create", PLACE], check=True)
        wanted = [f"{name}=={version}" for name, version in VERSIONS.items()]
        pip = [python, "-m", "pip", "install", "-q", "psycopg[binary,pool]", *wanted]
        subprocess.run(pip, check=True)
    return python


class Bench:
    """What contenders are measured on: databases of their own for each round."""

    def __init__(self, folder: Path, server: Any) -> None:
        self._folder = folder
        self._server = server
        self._numbers = count(1)
        self._python = installed()

    def _database(self) -> str:
        name = f"round_{next(self._numbers)}"
        with psycopg.connect(self._server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        url: str = self._server.url(name)
        return url

    def _files(self) -> Path:
        place = self._folder / f"round_{next(self._numbers)}"
        place.mkdir()
        return place

    def peer(self, name: str, *, on_postgres: bool) -> float:
        """Seconds that one of the others takes for an event."""
        shop = Shop("memory")
        pay = shop.client()
        told = self._folder / "events.json"
        told.write_text(json.dumps([_plain(event) for event in shop.events(pay, EVENTS)]))
        where = self._database() if on_postgres else str(self._files())
        command = [str(self._python), str(PEERS / f"{name}_peer.py"), where, str(told)]
        done = subprocess.run(
            command,
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE,
        )
        return float(done.stdout.decode().split()[-1])

    def payport_on_sqlite(self) -> float:
        """Seconds that payport takes, received and then worked off."""
        path = self._files() / "payments.db"
        shop = Shop(f"sqlite:///{path}", handlers)
        pay = shop.client()
        events = shop.events(pay, EVENTS)
        pay.webhooks._drive.ports.store.transact(  # noqa: SLF001
            lambda tx: tx.connection.exec_driver_sql("CREATE TABLE effects (event TEXT NOT NULL)")
        )
        began = time.perf_counter()
        _receive(pay, events)
        pay.webhooks.process_due()
        taken = time.perf_counter() - began
        pay.close()
        _check(sa.create_engine(f"sqlite:///{path}"))
        return taken / len(events)

    def payport_on_postgres(self) -> float:
        """Seconds that payport takes with four worker processes."""
        url = self._database()
        payport.storage.upgrade(url)
        shop = Shop(url, handlers)
        pay = shop.client()
        events = shop.events(pay, EVENTS)
        pay.close()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE effects (event TEXT NOT NULL)")
        with Children() as children:
            for _ in range(WORKERS):
                children.fork(lambda: shop.client().webhooks.run_worker(poll=_POLL))
            time.sleep(1.0)  # until the workers have started: their start is not measured
            pay = shop.client()
            pay.webhooks.stats()
            with psycopg.connect(url, autocommit=True) as connection:
                began = time.perf_counter()
                _receive(pay, events)
                _wait_for(connection)
                taken = time.perf_counter() - began
            pay.close()
        return taken / len(events)


def _plain(event: Event) -> Mapping[str, str]:
    signature = signed(event.body)["Stripe-Signature"]
    return {"id": event.id, "body": event.body.decode(), "signature": signature, "secret": SECRET}


def _receive(pay: Payport, events: Sequence[Event]) -> None:
    def one(event: Event) -> None:
        pay.webhooks.receive(body=event.body, headers=signed(event.body))

    with ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(one, events))


def _check(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        done = connection.exec_driver_sql("SELECT count(*) FROM effects").scalar_one()
    engine.dispose()
    if done != EVENTS:
        raise RuntimeError(f"{done} of {EVENTS} were done")


def _wait_for(connection: Any) -> None:
    until = time.monotonic() + _PATIENCE
    while connection.execute("SELECT count(*) FROM effects").fetchone()[0] < EVENTS:
        if time.monotonic() > until:
            raise RuntimeError("they were not done")
        time.sleep(0.005)


def figures() -> Iterator[Figure]:
    """Both databases."""
    logging.getLogger("payport").addHandler(logging.NullHandler())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(started(**_DURABLE))
        bench = Bench(folder, server)
        on_sqlite = in_turn(
            {
                "payport": bench.payport_on_sqlite,
                "huey": lambda: bench.peer("huey", on_postgres=False),
            },
            rounds=ROUNDS,
        )
        on_postgres = in_turn(
            {
                "payport": bench.payport_on_postgres,
                "procrastinate": lambda: bench.peer("procrastinate", on_postgres=True),
                "dbos": lambda: bench.peer("dbos", on_postgres=True),
            },
            rounds=ROUNDS,
        )
    for where, taken, bar in (("SQLite", on_sqlite, 2), ("PostgreSQL", on_postgres, 5)):
        for name, seconds in taken.items():
            if name != "payport":
                ratio = seconds / taken["payport"]
                what = f"{where}, rate against {name} {VERSIONS[name]}"
                yield at_least(what, ratio, bar, unit="x", digits=2)
        for name, seconds in taken.items():
            yield known(f"{where}, events of {name} a second", 1 / seconds, digits=0)
