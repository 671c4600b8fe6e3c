import os
import subprocess
import sys

from payport.testing._store_contract import samples


def save(store, name="order_1"):
    return store.transact(lambda tx: tx.save_payment(samples.payment(name)))


def read(store, name="order_1"):
    return store.transact(lambda tx: tx.payment(f"pay_{name}"))


def run_python(script, *args):
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, args)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ).stdout.strip()


def version_of(database):
    """What the file says its version is, by a connection of the driver's."""
    return database.execute("SELECT version_num FROM payport_alembic_version").fetchone()[0]
