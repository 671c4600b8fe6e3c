"""huey on SQLite: `python huey_peer.py FOLDER EVENTS`. Prints seconds for each event."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import stripe
from huey import SqliteHuey

folder, events = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
queue = SqliteHuey(filename=str(folder / "queue.db"), fsync=True, results=False)
shop = sqlite3.connect(folder / "shop.db", isolation_level=None, check_same_thread=False)
shop.execute("PRAGMA journal_mode = WAL")
shop.execute("PRAGMA synchronous = FULL")
shop.execute("CREATE TABLE effects (event TEXT NOT NULL)")


@queue.task()
def paid(body: str) -> None:
    """The handler: a row for each effect."""
    shop.execute("INSERT INTO effects VALUES (?)", (json.loads(body)["id"],))


def receive(event: dict[str, str]) -> None:
    """The endpoint: verified as Stripe documents it, then put into the queue."""
    stripe.Webhook.construct_event(event["body"], event["signature"], event["secret"])
    paid(event["body"])


began = time.perf_counter()
with ThreadPoolExecutor(8) as callers:
    list(callers.map(receive, events))
while (task := queue.dequeue()) is not None:
    queue.execute(task)
taken = time.perf_counter() - began
(done,) = shop.execute("SELECT count(*) FROM effects").fetchone()
if done != len(events):
    raise SystemExit(f"{done} of {len(events)} were done")
print(taken / len(events))
