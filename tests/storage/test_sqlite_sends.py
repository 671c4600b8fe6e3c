"""Which SQLite file may send live requests: the one that was not restored or copied, from one
process where two could damage it.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlite_help import read, save

import payport.storage
from payport.domain.errors import ConfigurationError, InvalidRequest, StoreUnavailable
from payport.domain.identifiers import Environment
from payport.storage import sqlite_sends
from payport.storage.engines import AsyncSqlStore, SyncSqlStore
from payport.storage.sqlite import AsyncSqliteStore, SqliteStore
from payport.testing._store_contract import samples
from payport.testing.blocking import Blocking

WHO = {"author": "ada@shop.example", "reason": "Compared with the provider's report."}


def send(store, environment=Environment.LIVE):
    store.transact(lambda tx: tx.check_sendable(environment))
    store.transact(lambda tx: tx.check_sendable(environment, count=True))


def url_of(path):
    return f"sqlite:///{path}"


def note_of(path):
    return path.with_name(f"{path.name}-live")


def back_up(path, to):
    """As every good backup does it: whole, whatever is in the log."""
    source, target = sqlite3.connect(path), sqlite3.connect(to)
    source.backup(target)
    source.close()
    target.close()
    return to


@pytest.fixture(params=["sync", "async", "engine", "async engine"])
def open_any(request):
    """Every way to a SQLite file."""
    opened = []

    def make(path):
        if request.param == "sync":
            store = SqliteStore(str(path))
            opened.append(store.close)
        elif request.param == "async":
            store = Blocking(AsyncSqliteStore(str(path)))
            opened.append(store.close)
        elif request.param == "engine":
            engine = sa.create_engine(url_of(path), poolclass=NullPool)
            store = SyncSqlStore(engine)
            opened.extend([engine.dispose, store.close])
        else:
            engine = create_async_engine(f"sqlite+aiosqlite:///{path}", poolclass=NullPool)
            view = Blocking(engine)
            store = Blocking(AsyncSqlStore(engine), beside=view)
            opened.extend([view.close, view.dispose, store.close])
        return store

    yield make
    for close in reversed(opened):
        close()


# -- restored and copied ----------------------------------------------------------------------


def test_a_file_sends_on_after_it_was_closed_and_opened_again(db, open_any):
    for _ in range(3):
        store = open_any(db)
        send(store)
        send(store)
        store.close()
    assert note_of(db).read_text().endswith(" 6\n")


def test_a_backup_that_was_put_back_sends_nothing_live(db, open_any, tmp_path):
    store = open_any(db)
    send(store)
    backup = back_up(db, tmp_path / "backup.db")
    send(store)
    store.close()
    for part in db.parent.glob("payments.db-wal"), db.parent.glob("payments.db-shm"):
        for path in part:
            path.unlink()
    # Into the file that is there, so that it stays the same one to the system.
    with db.open("r+b") as file:
        file.truncate()
        file.write(backup.read_bytes())

    store = open_any(db)
    with pytest.raises(ConfigurationError, match=r"holds 1 live sends, and held 2") as refused:
        send(store)
    assert "acknowledge_restored" in str(refused.value)
    send(store, Environment.TEST)
    assert save(store).version == 1


def test_a_backup_from_before_the_first_send_sends_nothing_live(db, open_store, tmp_path):
    backup = back_up(db, tmp_path / "backup.db")
    store = open_store(db)
    send(store)
    store.close()
    shutil.copyfile(backup, db)
    with pytest.raises(ConfigurationError, match=r"not the one that 'payments\.db-live' belongs"):
        send(open_store(db))


def test_a_copy_sends_nothing_live_and_the_original_goes_on(db, open_any, tmp_path):
    store = open_any(db)
    send(store)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    copy = back_up(db, elsewhere / db.name)
    shutil.copy(note_of(db), note_of(copy))
    with pytest.raises(ConfigurationError, match="is a copy of another file, or was moved"):
        send(open_any(copy))
    send(store)


def test_a_file_without_its_note_sends_nothing_live(db, open_store):
    store = open_store(db)
    send(store)
    store.close()
    note_of(db).unlink()
    with pytest.raises(ConfigurationError, match=r"'payments\.db-live' is missing beside it"):
        send(open_store(db))


@pytest.mark.parametrize("note", [b"another 1\n", b"\xff\x00", b"\n", b"1", b"x" * 999])
def test_a_file_with_a_note_of_another_one_sends_nothing_live(db, open_store, note):
    store = open_store(db)
    send(store)
    store.close()
    note_of(db).write_bytes(note)
    with pytest.raises(ConfigurationError, match="belongs to"):
        send(open_store(db))


def test_a_directory_that_was_renamed_is_the_same_file(db, open_store, tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    path = shutil.copy(db, before / "payments.db")
    store = open_store(path)
    send(store)
    store.close()
    before.rename(after)
    send(open_store(after / "payments.db"))


def test_a_send_that_is_taken_back_is_not_counted(db, open_any):
    store = open_any(db)
    send(store)

    def fail(tx):
        tx.check_sendable(Environment.LIVE, count=True)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.transact(fail)
    assert note_of(db).read_text().endswith(" 1\n")
    send(store)


def test_a_note_that_is_behind_does_no_harm(db, open_store):
    """As after a power cut: the note is written after the commit, and not waited for."""
    store = open_store(db)
    send(store)
    behind = note_of(db).read_bytes()
    send(store)
    note_of(db).write_bytes(behind)
    send(store)


def test_a_note_that_cannot_be_written_stops_nothing(db, open_store, monkeypatch, caplog):
    store = open_store(db)
    send(store)

    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(sqlite_sends.os, "pwrite", fail)
        send(store)
    assert "payments.db-live cannot be written" in caplog.text
    send(store)


def test_tests_leave_nothing_beside_the_file(db, open_store):
    store = open_store(db)
    for _ in range(3):
        send(store, Environment.TEST)
    assert not note_of(db).exists()


def test_the_note_is_its_owners_alone(db, open_store):
    send(open_store(db))
    assert note_of(db).stat().st_mode & 0o777 == 0o600


def test_a_store_on_a_uri_knows_no_home(db):
    engine = sa.create_engine(f"sqlite:///file:{db}?uri=true")
    store = SyncSqlStore(engine)
    send(store)
    assert not note_of(db).exists()
    engine.dispose()


# -- a person's word --------------------------------------------------------------------------


def test_what_a_person_says_is_heard_by_stores_that_are_open(db, open_any):
    store = open_any(db)
    send(store)
    payport.storage.mark_restored(url_of(db), author="zoe", reason="The disk was lost.")
    with pytest.raises(ConfigurationError, match=r"was marked by zoe: The disk was lost\."):
        send(store)
    payport.storage.acknowledge_restored(url_of(db), **WHO)
    send(store)
    told = [(word.kind, word.author) for word in payport.storage.restorations(url_of(db))]
    assert told == [("restored", "zoe"), ("acknowledged", "ada@shop.example")]


@pytest.mark.parametrize("lost", ["sends", "note", "everything"])
def test_a_restored_file_sends_once_a_person_says_so(db, open_store, tmp_path, lost):
    store = open_store(db)
    backup = back_up(db, tmp_path / "backup.db") if lost == "everything" else None
    send(store)
    backup = backup or back_up(db, tmp_path / "backup.db")
    send(store)
    store.close()
    db.unlink()
    restored = shutil.copy(backup, db)
    if lost == "note":
        note_of(db).unlink()
    with pytest.raises(ConfigurationError):
        send(open_store(restored))
    payport.storage.acknowledge_restored(url_of(restored), **WHO)
    for _ in range(2):
        store = open_store(restored)
        send(store)
        store.close()


@pytest.mark.parametrize(
    "say", [payport.storage.mark_restored, payport.storage.acknowledge_restored]
)
@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"author": "", "reason": "why"}, "author"),
        ({"author": " \n", "reason": "why"}, "author"),
        ({"author": "ada", "reason": "x" * 1001}, "reason"),
        ({"author": "ada", "reason": None}, "reason"),
    ],
)
def test_a_word_without_an_author_or_a_reason_is_refused(db, say, words, field):
    with pytest.raises(InvalidRequest, match="who you are and why") as refused:
        say(url_of(db), **words)
    assert refused.value.field == field
    assert payport.storage.restorations(url_of(db)) == []


# -- one process alone ------------------------------------------------------------------------

OTHER = """
import sys
from payport.domain.identifiers import Environment
from payport.storage import sqlite_sends
from payport.storage.sqlite import SqliteStore

sqlite_sends.SOUND = tuple(map(int, sys.argv[3].split(".")))
store = SqliteStore(sys.argv[1])
environment = Environment(sys.argv[2])
try:
    store.transact(lambda tx: tx.check_sendable(environment, count=True))
except Exception as error:
    print(type(error).__name__, error, flush=True)
else:
    print("sent", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_process():
    """Sends from another process, which lives on; says what came of it."""
    begun = []

    def start(path, environment="live", sound="99.0.0"):
        process = subprocess.Popen(
            [sys.executable, "-c", OTHER, str(path), environment, sound],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        begun.append(process)
        return process.stdout.readline().strip()

    yield start
    for process in begun:
        process.communicate(timeout=20)


@pytest.fixture
def fragile(monkeypatch):
    """A SQLite that two processes can damage a file with."""
    monkeypatch.setattr(sqlite_sends, "SOUND", (99, 0, 0))


def test_a_second_process_sends_nothing_live_where_two_could_damage_the_file(
    db, open_any, other_process, fragile
):
    store = open_any(db)
    send(store)
    told = other_process(db)
    assert told.startswith("ConfigurationError")
    assert "from another process" in told
    assert (
        "Upgrade SQLite to 3.51.3 or later, let one process alone send, or use PostgreSQL" in told
    )
    assert other_process(db, "test") == "sent"
    # Nobody was disturbed, and the next process may once this one is done.
    send(store)
    store.close()
    assert other_process(db) == "sent"
    with pytest.raises(ConfigurationError, match="from another process"):
        send(open_any(db))


def test_many_processes_send_where_that_is_safe(db, open_store, other_process, monkeypatch):
    monkeypatch.setattr(sqlite_sends, "SOUND", (3, 0, 0))
    send(open_store(db))
    assert other_process(db, sound="3.0.0") == "sent"


def test_stores_of_one_process_send_together(db, open_store, fragile, other_process):
    first, second = open_store(db), open_store(db)
    engine = sa.create_engine(url_of(db))
    third = SyncSqlStore(engine)
    for store in (first, second, third):
        send(store)
    first.close()
    third.close()
    send(second)
    assert "from another process" in other_process(db)
    second.close()
    assert other_process(db) == "sent"
    engine.dispose()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_forked_child_sends_nothing_live_while_its_parent_does(db, open_store, fragile):
    store = open_store(db)
    send(store)

    def in_child(wanted):
        child = os.fork()
        if child == 0:
            said = "sent"
            try:
                send(store)
            except ConfigurationError as error:
                said = str(error)
            finally:
                os._exit(0 if wanted in said else 1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    # Released before the fork, as the connection is: whoever sends first has it.
    assert in_child("sent") == 0
    with open_in_thread(store):
        assert in_child("from another process") == 0
    send(store)


class open_in_thread:  # noqa: N801 - reads as what it does
    """Keeps the parent's file in use while it forks."""

    def __init__(self, store):
        self.other = SqliteStore(str(store._file.path))

    def __enter__(self):
        send(self.other)
        self.handle = os.open(note_of(self.other._file.path), os.O_RDWR)
        self.other.close()
        sqlite_sends.fcntl.flock(self.handle, sqlite_sends.fcntl.LOCK_EX)

    def __exit__(self, *_):
        os.close(self.handle)


def test_a_directory_that_cannot_be_written_is_told(db, open_store, fragile):
    note_of(db).mkdir()
    with pytest.raises(StoreUnavailable, match=r"payments\.db-live.*cannot be made"):
        send(open_store(db))


def test_threads_that_send_at_once_count_every_send(db):
    engine = sa.create_engine(url_of(db))
    store = SyncSqlStore(engine)
    send(store)

    def go():
        for _ in range(5):
            store.transact(lambda tx: tx.check_sendable(Environment.LIVE, count=True))

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.transact(lambda tx: tx.store_row()["sends"]) == 21
    send(store)
    store.close()
    engine.dispose()


def test_reading_never_waits_for_anybody(db, open_store, other_process, fragile):
    assert other_process(db) == "sent"
    store = open_store(db)
    assert read(store) is None
    store.transact(lambda tx: tx.save_payment(samples.payment()))
    assert read(store).version == 1
