import logging
import os
import sqlite3
import stat

import pytest
from sqlite_help import read, run_python, save

from payport.domain.errors import (
    ConfigurationError,
    StoreError,
    StoreUnavailable,
)
from payport.testing._store_contract import samples

# -- the file ---------------------------------------------------------------------------------


def test_nothing_is_opened_before_the_first_use(path, open_store):
    store = open_store(path)
    store.close()
    assert not path.exists()
    assert read(store) is None
    assert path.exists()


def test_the_file_and_its_log_are_their_owners_alone(path, open_store):
    previous = os.umask(0)
    try:
        save(open_store(path))
    finally:
        os.umask(previous)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
    assert modes == {"payments.db": 0o600, "payments.db-wal": 0o600, "payments.db-shm": 0o600}


def test_a_file_behind_a_dangling_link_is_its_owners_alone_too(path, open_store):
    target = path.with_name("elsewhere.db")
    path.symlink_to(target)
    previous = os.umask(0)
    try:
        save(open_store(path))
    finally:
        os.umask(previous)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_file_that_others_can_read_is_warned_of_once(db, open_store, caplog):
    db.chmod(0o644)
    store = open_store(db)
    save(store)
    store.close()
    read(store)
    told = [record for record in caplog.records if "chmod 600" in record.getMessage()]
    assert len(told) == 1
    assert told[0].levelno == logging.WARNING


def test_a_private_file_is_not_warned_of(db, open_store, caplog):
    db.chmod(0o600)
    save(open_store(db))
    assert "chmod" not in caplog.text


def test_a_relative_path_is_fixed_when_the_store_is_made(tmp_path, monkeypatch, open_store):
    monkeypatch.chdir(tmp_path)
    store = open_store("payments.db")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    save(store)
    assert (tmp_path / "payments.db").exists()


def test_commits_are_durable_and_the_connection_is_strict(db, open_store):
    def ask(tx):
        pragmas = ["journal_mode", "synchronous", "foreign_keys", "fullfsync"]
        return [tx.connection.exec_driver_sql(f"PRAGMA {p}").scalar_one() for p in pragmas]

    full = 2
    assert open_store(db).transact(ask) == ["wal", full, 1, 1]


def test_every_transaction_takes_the_write_lock_at_once(db, open_store):
    other = sqlite3.connect(db, timeout=0, isolation_level=None)

    def work(tx):
        tx.payment("pay_order_1")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")

    open_store(db).transact(work)
    other.execute("BEGIN IMMEDIATE")
    other.close()


def test_what_is_committed_is_there_for_another_process(db, open_store):
    save(open_store(db))
    script = (
        "import sys; from payport.storage.sqlite import SqliteStore as S; "
        "print(S(sys.argv[1]).transact(lambda tx: tx.payment('pay_order_1')).version)"
    )
    assert run_python(script, db) == "1"


def test_a_closed_store_opens_again(db, open_store):
    store = open_store(db)
    save(store)
    store.close()
    assert read(store).version == 1


# -- refusals ---------------------------------------------------------------------------------


def test_a_missing_directory_is_refused_and_not_made(tmp_path, open_store):
    store = open_store(tmp_path / "nowhere" / "payments.db")
    with pytest.raises(ConfigurationError, match=r"directory .*nowhere.* does not exist"):
        read(store)
    assert not (tmp_path / "nowhere").exists()


def test_a_directory_is_not_a_file(tmp_path, open_store):
    with pytest.raises(ConfigurationError, match="is a directory"):
        read(open_store(tmp_path))


def test_a_file_that_is_no_database_is_refused_and_kept(path, open_store):
    path.write_bytes(b"Dear diary, " * 1000)
    with pytest.raises(ConfigurationError, match="is not a SQLite database") as refused:
        read(open_store(path))
    assert isinstance(refused.value.__cause__, sqlite3.DatabaseError)
    assert path.read_bytes() == b"Dear diary, " * 1000


def test_an_applications_own_database_is_refused_and_kept(path, open_store):
    with sqlite3.connect(path) as theirs:
        theirs.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    theirs.close()
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match=r"belongs to something else.*engine"):
        read(open_store(path))
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_store(path, open_store):
    path.touch(mode=0o600)
    save(open_store(path))


def test_tables_of_others_beside_payports_do_no_harm(db, open_store):
    with sqlite3.connect(db) as theirs:
        theirs.execute("CREATE TABLE notes (text TEXT)")
    theirs.close()
    save(open_store(db))


def test_a_newer_schema_is_refused_and_kept(db, open_store):
    with sqlite3.connect(db) as newer:
        newer.execute("UPDATE payport_alembic_version SET version_num = '9999'")
    newer.close()
    with pytest.raises(ConfigurationError, match=r"'9999'.*Upgrade payport"):
        read(open_store(db))


def test_tables_without_a_version_are_refused(db, open_store):
    with sqlite3.connect(db) as broken:
        broken.execute("DELETE FROM payport_alembic_version")
    broken.close()
    with pytest.raises(ConfigurationError, match=r"names no version.*Restore"):
        read(open_store(db))


def test_a_row_that_cannot_be_read_is_told_without_its_content(db, open_store):
    store = open_store(db)
    save(store)
    store.transact(
        lambda tx: tx.connection.exec_driver_sql(
            'UPDATE payport_payments SET document = \'{"id": "very private"}\''
        )
    )
    with pytest.raises(StoreError, match="cannot read") as told:
        read(store)
    assert not isinstance(told.value, StoreUnavailable)
    seen, error = "", told.value
    while error is not None:
        seen += f"{error!r} {error}"
        error = error.__cause__ or error.__context__
    assert "very private" not in seen


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE payport_operations SET state = 'tomorrows_state'",
        "UPDATE payport_events SET kind = 'tomorrows_kind'",
        "UPDATE payport_handler_runs SET state = 'tomorrows_state'",
    ],
)
def test_a_newer_payports_words_are_an_error_and_never_guessed(db, open_store, spoil):
    store = open_store(db)

    def write(tx):
        tx.insert_operation(samples.operation())
        tx.add_events([samples.event()], at=samples.NOW)
        tx.add_delivery(samples.delivery())
        tx.add_handler_runs([samples.run()])
        tx.connection.exec_driver_sql(spoil)

    def look(tx):
        tx.operation(samples.operation().id)
        tx.event("evt_1")
        tx.handler_run("evt_1", "shop.paid")
        tx.delivery("dlv_1")

    store.transact(write)
    with pytest.raises(StoreError, match="upgrade payport"):
        store.transact(look)
