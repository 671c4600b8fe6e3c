import os
import sqlite3
import subprocess
import sys
import threading

import pytest
from sqlite_help import read, run_python, save, version_of

from payport.domain.errors import (
    InvalidRequest,
)
from payport.storage.migrate import HEAD
from payport.testing._store_contract import samples

# -- threads and processes --------------------------------------------------------------------


def test_a_unit_of_work_never_begins_another(db, open_store):
    store = open_store(db)

    def work(tx):
        tx.save_payment(samples.payment())
        with pytest.raises(InvalidRequest, match="never begins another"):
            save(store)

    store.transact(work)
    assert read(store).version == 1


def test_two_stores_on_one_file_take_turns(db, open_store):
    stores = [open_store(db), open_store(db)]
    save(stores[0])

    def grow(store, key):
        def work(tx):
            held = tx.payment("pay_order_1", lock=True)
            tx.save_payment(held.evolve(in_flight=(*held.in_flight, key)))

        for _ in range(20):
            store.transact(work)

    threads = [
        threading.Thread(target=grow, args=(store, f"key_{n}")) for n, store in enumerate(stores)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read(stores[0]).in_flight) == 40


RACE = """
import sys, time
from payport.storage.sqlite import SqliteStore
from payport.testing._store_contract import samples
store = SqliteStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
store.transact(lambda tx: tx.save_payment(samples.payment(sys.argv[2])))
store.close()
"""


def test_processes_that_start_at_once_migrate_once(path, open_store):
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(path), f"order_{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for number in range(4)
    ]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        _, complaint = racer.communicate(timeout=60)
        assert racer.returncode == 0, complaint
    listed = open_store(path).transact(lambda tx: tx.payments(samples.query()))
    assert len(listed) == 4
    with sqlite3.connect(path) as look:
        assert version_of(look) == HEAD
    look.close()


def test_importing_payport_and_the_memory_store_imports_no_sql():
    heavy = "sqlalchemy alembic aiosqlite sqlite3"
    script = (
        "import sys, payport, payport.storage, payport.storage.urls as u; u.open_store('memory'); "
        f"print([m for m in '{heavy}'.split() if m in sys.modules])"
    )
    assert run_python(script) == "[]"


def test_opening_a_migrated_file_does_not_import_alembic(db):
    script = (
        "import sys; from payport.storage.sqlite import SqliteStore as S; "
        "S(sys.argv[1]).transact(lambda tx: None); print('alembic' in sys.modules)"
    )
    assert run_python(script, db) == "False"
