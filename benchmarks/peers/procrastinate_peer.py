"""
procrastinate on PostgreSQL, with four workers: `python procrastinate_peer.py URL EVENTS`. Prints
seconds for each event. With `worker` in the place of the events it is one of the workers.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import procrastinate
import psycopg
import stripe
from psycopg_pool import ConnectionPool

WORKERS = 4
url, is_worker = sys.argv[1], sys.argv[2] == "worker"
kind = procrastinate.PsycopgConnector if is_worker else procrastinate.SyncPsycopgConnector
app = procrastinate.App(connector=kind(conninfo=url))


@app.task(name="paid")
def paid(body: str) -> None:
    """The handler: a row for each effect."""
    with pool.connection() as connection:
        connection.execute("INSERT INTO effects VALUES (%s)", (json.loads(body)["id"],))


def receive(event: dict[str, Any]) -> None:
    """The endpoint: verified as Stripe documents it, then put into the queue."""
    stripe.Webhook.construct_event(event["body"], event["signature"], event["secret"])
    paid.defer(body=event["body"])


def measured(events: list[dict[str, Any]]) -> float:
    """Seconds for each event, from the first that is received to the last that is done."""
    app.schema_manager.apply_schema()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE effects (event TEXT NOT NULL)")
        workers = [
            subprocess.Popen([sys.executable, __file__, url, "worker"]) for _ in range(WORKERS)
        ]
        try:
            time.sleep(4.0)
            began = time.perf_counter()
            with ThreadPoolExecutor(8) as callers:
                list(callers.map(receive, events))
            while connection.execute("SELECT count(*) FROM effects").fetchone() != (len(events),):
                time.sleep(0.005)
            return (time.perf_counter() - began) / len(events)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()


with ConnectionPool(url, min_size=1, max_size=8) as pool:
    if is_worker:
        app.run_worker(concurrency=1, install_signal_handlers=False)
    else:
        with app.open():
            print(measured(json.loads(Path(sys.argv[2]).read_text())))
