"""How long a store takes to find the operations that are due, among few and among very many."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from payport.domain.identifiers import Environment
from payport.storage.schema import operations
from payport.storage.sqlite import SqliteStore
from payport.testing._store_contract import samples

if TYPE_CHECKING:
    from payport.storage.base import Store

DUE = 1_000
LIMIT = 100

#: What makes a copy of a row another operation, which is done.
COPIES = {
    "id": "'opn_' || n",
    "aggregate_id": "'pay_' || n",
    "payment_id": "'pay_' || n",
    "key": "'key_' || n",
    "state": "'confirmed'",
    "next_look_at": "NULL",
}


def due_seconds(done: int) -> float:
    """The seconds in which SQLite finds a hundred of 1,000 due operations among so many others."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(str(Path(folder) / "payments.db"))
        _fill(store, done)
        seconds = min(_look(store) for _ in range(30))
        store.close()
    return seconds


def _fill(store: Store, done: int) -> None:
    due = [samples.operation(f"due_{n}", next_look_at=samples.NOW) for n in range(DUE)]
    names = [column.name for column in operations.columns]
    copied = ", ".join(COPIES.get(name, name) for name in names)
    store.transact(lambda tx: [tx.insert_operation(record) for record in due])
    store.transact(
        lambda tx: tx.connection.exec_driver_sql(
            "WITH RECURSIVE numbers (n) AS "  # noqa: S608 - names of our own columns
            f"(SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {done}) "
            f"INSERT INTO payport_operations ({', '.join(names)}) SELECT {copied} "
            "FROM numbers, payport_operations o WHERE o.key = 'pp1_due_0'"
        )
    )


def _look(store: Store) -> float:
    began = time.process_time()
    found = store.transact(
        lambda tx: tx.due_operations(
            environment=Environment.TEST, provider="fake", now=samples.NOW, limit=LIMIT, lock=True
        )
    )
    seconds = time.process_time() - began
    if len(found) != LIMIT:
        raise RuntimeError(found)
    return seconds
