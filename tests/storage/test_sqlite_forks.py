import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlite_help import read, save

from payport.domain.errors import ConfigurationError
from payport.storage import forks
from payport.storage.engines import SyncSqlStore
from payport.storage.sqlite import AsyncSqliteStore, SqliteStore
from payport.testing._store_contract import samples

#: Linux tells who holds which lock.
LOCKS = Path("/proc/locks")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")


def forked(do):
    """What `do` returns, or raises, in a forked child that ends like any other process."""
    told, telling = os.pipe()
    child = os.fork()
    if child == 0:
        answer = "nothing"
        try:
            answer = repr(do())
        except Exception as error:  # noqa: BLE001 - told to the parent
            answer = f"{type(error).__name__}: {error}"
        except BaseException:  # noqa: BLE001 - told to the parent
            answer = traceback.format_exc()
        finally:
            os.write(telling, answer.encode())
            os._exit(0)
    os.close(telling)
    os.waitpid(child, 0)
    with os.fdopen(told, "rb") as answer:
        return answer.read().decode()


def locks_on(path):
    """Who holds which of the file's and its log's locks, by process."""
    inodes = {part.stat().st_ino for part in path.parent.glob(f"{path.name}*")}
    held = [line.split() for line in LOCKS.read_text().splitlines()]
    return {int(words[-4]) for words in held if int(words[-3].split(":")[2]) in inodes}


def test_a_forked_child_reads_and_writes_through_a_connection_of_its_own(db, open_store):
    store = open_store(db)
    save(store, "order_1")

    def child():
        return read(store, "order_1").version, save(store, "order_2").version

    assert forked(child) == "(1, 1)"
    assert read(store, "order_2").version == 1


@pytest.mark.skipif(not LOCKS.exists(), reason="locks are only listed on Linux")
def test_a_forked_child_holds_locks_of_its_own(db, open_store):
    """Without them, others take the log away while the child writes to it."""
    store = open_store(db)
    save(store, "order_1")
    assert os.getpid() in locks_on(db)

    def child():
        save(store, "order_2")
        return os.getpid() in locks_on(db)

    assert forked(child) == "True"


OUTLIVED = """
import os, subprocess, sys, time
from payport.storage.sqlite import SqliteStore
from payport.testing._store_contract import samples

store = SqliteStore(sys.argv[1])
save = lambda name: store.transact(lambda tx: tx.save_payment(samples.payment(name)))
save("parents")
parent = os.getpid()
ready, telling = os.pipe()
if os.fork():
    os.read(ready, 1)      # the child has opened the file
    os._exit(0)            # and the parent is gone, as when a server becomes a daemon
save("childs_first")
os.write(telling, b".")
while os.getppid() == parent:
    time.sleep(0.01)
# Another process opens the file and closes it as, so it seems, the last one.
look = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA user_version')"
subprocess.run([sys.executable, "-c", look + ".fetchone(); c.close()", sys.argv[1]], check=True)
save("childs_second")
print("done", flush=True)
os._exit(0)                # and the child is killed, with nothing left to save it at the end
"""


def test_what_a_child_commits_outlives_its_parent(db, open_store):
    outcome = subprocess.run(
        [sys.executable, "-c", OUTLIVED, str(db)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert outcome.stdout == "done\n", outcome.stderr
    store = open_store(db)
    names = [p.reference for p in store.transact(lambda tx: tx.payments(samples.query()))]
    assert sorted(names) == ["childs_first", "childs_second", "parents"]


def test_a_fork_waits_for_the_transaction_of_another_thread(db, open_store):
    store = open_store(db)
    begun, go_on = threading.Event(), threading.Event()

    def slow(tx):
        tx.save_payment(samples.payment("order_1"))
        begun.set()
        go_on.wait(10)

    other = threading.Thread(target=store.transact, args=(slow,))
    other.start()
    assert begun.wait(10)
    threading.Timer(0.1, go_on.set).start()
    assert forked(lambda: read(store, "order_1").version) == "1"
    assert go_on.is_set()
    other.join()
    assert read(store, "order_1").version == 1


def test_a_child_that_was_forked_inside_a_transaction_refuses(db, open_store):
    store = open_store(db)

    def work(tx):
        tx.save_payment(samples.payment("order_1"))
        first, second = forked(lambda: read(store)), forked(lambda: (store.close(), read(store)))
        assert first.startswith("ConfigurationError: store: the database")
        assert "was open when this process was forked" in first
        # Closing it there must not close the parent's, nor make room for a second one.
        assert "was open when this process was forked" in second
        return tx.payment("pay_order_1").version

    assert store.transact(work) == 1
    assert read(store).version == 1


def test_a_fork_past_pythons_hooks_is_noticed(db, open_store, monkeypatch):
    store = open_store(db)
    save(store)
    abandoned = []
    monkeypatch.setattr(forks, "abandon", abandoned.append)
    with monkeypatch.context() as forked_by_c:
        forked_by_c.setattr(os, "getpid", lambda: -1)
        with pytest.raises(ConfigurationError, match="forked"):
            read(store)
        store.close()
    assert abandoned == [store._connection] * 2
    assert abandoned[0] is not None
    assert read(store).version == 1


def test_what_is_abandoned_is_never_freed():
    class Inherited:
        freed = False

        def __del__(self):
            Inherited.freed = True

    inherited = Inherited()
    forks.abandon(inherited)
    del inherited
    assert not Inherited.freed


def test_two_stores_survive_forks_from_two_threads(db, tmp_path, open_store):
    stores = [open_store(db), open_store(tmp_path / "second.db")]
    for store in stores:
        save(store, "order_1")
    answers = []

    def fork_often():
        both = [forked(lambda: [read(s, "order_1").version for s in stores]) for _ in range(3)]
        answers.extend(both)

    threads = [threading.Thread(target=fork_often) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == ["[1, 1]"] * 6
    assert read(stores[0], "order_1").version == 1


def test_an_async_store_begins_anew_in_a_child(db):
    async def use(store, name):
        return (await store.transact(lambda tx: tx.save_payment(samples.payment(name)))).version

    store = AsyncSqliteStore(str(db))
    assert asyncio.run(use(store, "order_1")) == 1

    def child():
        # Another loop, and none of the parent's threads.
        version = asyncio.run(use(store, "order_2"))
        asyncio.run(store.aclose())
        return version

    assert forked(child) == "1"
    with pytest.raises(ConfigurationError, match="another event loop"):
        asyncio.run(use(store, "order_3"))
    asyncio.run(store.aclose())
    with sqlite3.connect(db) as look:
        assert look.execute("SELECT count(*) FROM payport_payments").fetchone() == (2,)
    look.close()


def test_an_applications_engine_that_was_used_before_a_fork_is_refused_in_the_child(db):
    engine = sa.create_engine(f"sqlite:///{db}")
    unused = SyncSqlStore(engine)
    used = SyncSqlStore(engine)
    save(used)
    engine.dispose()
    assert "was used before this process was forked" in forked(lambda: read(used))
    assert forked(lambda: read(unused).version) == "1"
    assert read(used).version == 1
    engine.dispose()


def test_a_store_that_is_gone_is_not_asked_at_a_fork(db):
    store = SqliteStore(str(db))
    save(store)
    store.close()
    watched = len(list(forks._watch._things))
    del store
    assert len(list(forks._watch._things)) == watched - 1
