"""
DBOS on PostgreSQL: `python dbos_peer.py URL EVENTS`. Prints seconds for each event.

A workflow of one step for each event, under the event's id, which is how DBOS knows it again; four
threads run them.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import stripe
from dbos import DBOS, SetWorkflowID
from psycopg_pool import ConnectionPool

url, events = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
WORKERS = 4
DBOS(config={"name": "shop", "system_database_url": url, "run_admin_server": False})


@DBOS.step()
def paid(body: str) -> None:
    """The handler: a row for each effect."""
    with pool.connection() as connection:
        connection.execute("INSERT INTO effects VALUES (%s)", (json.loads(body)["id"],))


@DBOS.workflow()
def handled(body: str) -> None:
    """What is made durable."""
    paid(body)


def receive(event: dict[str, str]) -> None:
    """The endpoint: verified as Stripe documents it, then handled under the event's id."""
    stripe.Webhook.construct_event(event["body"], event["signature"], event["secret"])
    with SetWorkflowID(event["id"]):
        handled(event["body"])


with psycopg.connect(url, autocommit=True) as connection:
    connection.execute("CREATE TABLE effects (event TEXT NOT NULL)")
    with ConnectionPool(url, min_size=WORKERS, max_size=WORKERS) as pool:
        DBOS.launch()
        began = time.perf_counter()
        with ThreadPoolExecutor(WORKERS) as callers:
            list(callers.map(receive, events))
        taken = time.perf_counter() - began
        (done,) = connection.execute("SELECT count(*) FROM effects").fetchone()
        DBOS.destroy()
if done != len(events):
    raise SystemExit(f"{done} of {len(events)} were done")
print(taken / len(events))
