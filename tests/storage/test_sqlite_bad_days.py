import os
import shutil
import sqlite3
import tempfile
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlite_help import read, save, version_of

from payport.domain.errors import (
    ConfigurationError,
    StoreUnavailable,
)
from payport.storage import sqlite_file
from payport.storage.migrate import HEAD
from payport.storage.sqlite import SqliteStore
from payport.testing._store_contract import samples

# -- bad days ---------------------------------------------------------------------------------


def test_a_locked_file_is_unavailable_and_then_available_again(db, open_store):
    store = open_store(db, wait=0.05)
    other = sqlite3.connect(db, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match=r"is locked.*never joins") as told:
        save(store)
    assert isinstance(told.value.__cause__, sqlite3.OperationalError)
    assert told.value.__context__ is None
    other.execute("ROLLBACK")
    other.close()
    assert save(store).version == 1


def test_a_file_that_is_locked_while_it_is_opened_is_unavailable(path, open_store):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable, match="is locked"):
        read(open_store(path, wait=0.05))
    other.close()


def test_switching_to_a_log_waits_for_who_is_in_the_way(path, open_store):
    # A reader of a file without a log does not stop us from reading it, only from switching.
    reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    reader.execute("CREATE TABLE payport_alembic_version (version_num TEXT)")
    reader.execute("INSERT INTO payport_alembic_version VALUES (?)", [HEAD])
    reader.execute("BEGIN")
    assert version_of(reader) == HEAD
    with pytest.raises(StoreUnavailable, match="is locked"):
        open_store(path, wait=0.05).transact(lambda tx: None)
    threading.Timer(0.2, reader.rollback).start()
    open_store(path, wait=10).transact(lambda tx: None)
    reader.close()


def test_switching_is_tried_again_where_sqlite_does_not_wait(path, open_store, monkeypatch):
    ask, answers = sa.Connection.exec_driver_sql, []

    def busy_twice(connection, statement):
        if "journal_mode" in statement and len(answers) < 2:
            answers.append("busy")
            cause = sqlite3.OperationalError("database is locked")
            cause.sqlite_errorname = "SQLITE_BUSY"
            raise sa.exc.OperationalError(statement, {}, cause)
        return ask(connection, statement)

    monkeypatch.setattr(sa.Connection, "exec_driver_sql", busy_twice)
    assert save(open_store(path)).version == 1
    assert answers == ["busy", "busy"]


def test_a_full_disk_is_told_and_leaves_nothing_behind(db, open_store):
    store = open_store(db)
    store.transact(
        lambda tx: tx.connection.exec_driver_sql(
            f"PRAGMA max_page_count = {db.stat().st_size // 4096}"
        )
    )
    big = samples.payment(description="x" * 500_000)
    with pytest.raises(StoreUnavailable, match="is full"):
        store.transact(lambda tx: tx.save_payment(big))
    # The next connection has no limit: there is room again.
    assert store.transact(lambda tx: tx.save_payment(big)).version == 1


def test_a_damaged_file_is_told(db, open_store):
    store = open_store(db)
    for number in range(50):
        save(store, f"order_{number}")
    store.close()
    content = bytearray(db.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    db.write_bytes(content)
    with pytest.raises(StoreUnavailable, match=r"is damaged.*backup"):
        store.transact(lambda tx: tx.payments(samples.query()))


@pytest.mark.parametrize("do", ["remove", "replace"])
def test_a_file_that_went_away_is_not_begun_anew(db, open_store, tmp_path, do):
    store = open_store(db)
    save(store)
    aside = db.rename(tmp_path / "aside.db")
    if do == "replace":
        shutil.copy(aside, db)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="removed or replaced"):
            read(store)
    aside.replace(db)
    assert read(store).version == 1


def test_a_file_that_went_away_while_it_was_closed_for_a_fault_is_not_begun_anew(db, open_store):
    store = open_store(db, wait=0.05)
    save(store)
    other = sqlite3.connect(db, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        read(store)
    other.close()
    db.unlink()
    with pytest.raises(StoreUnavailable, match="removed or replaced"):
        read(store)
    assert not db.exists()


def without_privileges(do):
    """What `do` says in a process that may not write everywhere: root may."""
    told, telling = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.seteuid(65534)
            os.write(telling, repr(do()).encode())
        finally:
            os._exit(0)
    os.close(telling)
    os.waitpid(child, 0)
    with os.fdopen(told, "rb") as answer:
        return answer.read().decode()


def fault(path):
    try:
        save(SqliteStore(str(path)))
    except Exception as error:  # noqa: BLE001 - told to the parent
        return type(error).__name__, str(error), type(error.__cause__).__name__
    return "no fault"


@pytest.fixture
def public(tmp_path_factory):
    """A directory that other users can get to, unlike pytest's."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


def test_a_file_in_a_directory_that_is_read_only_is_unavailable(public, db, open_store):
    save(open_store(db))  # what the child needs is imported by now
    public.chmod(0o555)
    told = without_privileges(lambda: fault(public / "payments.db"))
    assert "'StoreUnavailable'" in told
    assert "cannot be made" in told
    assert "'PermissionError'" in told


def test_a_file_that_cannot_be_made_is_unavailable(path, open_store, monkeypatch):
    def refuse(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StoreUnavailable, match="cannot be made") as told:
        read(open_store(path))
    assert isinstance(told.value.__cause__, OSError)


def test_a_file_that_is_read_only_is_unavailable(public, db, open_store):
    save(open_store(db))
    path = public / "payments.db"
    store = open_store(path)
    save(store)
    store.close()
    path.chmod(0o444)
    public.chmod(0o555)
    told = without_privileges(lambda: fault(path))
    assert "'StoreUnavailable'" in told
    assert "read-only" in told or "cannot be opened" in told
    assert "'OperationalError'" in told


def test_a_place_where_files_cannot_be_shared_is_refused(path, open_store, monkeypatch):
    monkeypatch.setattr(sqlite_file.SqliteFile, "_try_wal", lambda *_: "delete")
    with pytest.raises(ConfigurationError, match=r"write-ahead log.*local disk"):
        read(open_store(path))


@pytest.fixture(params=[(3, 51, 2), (3, 51, 3), (3, 53, 0)])
def version(request, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", request.param)
    return request.param


def test_a_sqlite_that_can_damage_the_file_is_warned_of_once(
    db, open_store, caplog, monkeypatch, version
):
    monkeypatch.setattr(sqlite_file, "_warned", threading.Event())
    for _ in range(2):
        store = open_store(db)
        save(store, f"order_{_}")
        store.close()
    told = [record for record in caplog.records if "can damage a database" in record.getMessage()]
    assert len(told) == (version < (3, 51, 3))
