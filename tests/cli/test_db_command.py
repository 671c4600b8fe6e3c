"""`payport db`: tables, durability, and what became of a database."""

import sqlite3
import stat

import pytest
from clis import APP

from payport.storage import sqlite_sends
from payport.storage.upkeep import restorations


@pytest.fixture(autouse=True)
def _sound(monkeypatch):
    """A SQLite that two processes cannot damage a file with, whatever this machine has."""
    monkeypatch.setattr(sqlite_sends, "SOUND", (3, 0, 0))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "payments.db"


@pytest.fixture
def url(path):
    return f"sqlite:///{path}"


def checks(ended):
    return {one["name"]: one for one in ended.document["checks"]}


def test_a_check_does_not_make_the_file(cli, path, url):
    ended = cli("db", "check", url, "--json", code=3)

    assert not path.exists()
    assert ended.document["ready"] is False
    assert "not made yet" in checks(ended)["schema"]["said"]


def test_a_check_neither_migrates_nor_changes_an_older_file(cli, path, url):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE payport_alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO payport_alembic_version VALUES ('0000')")
    connection.close()
    before = path.read_bytes()

    ended = cli("db", "check", url, "--json", code=3)

    assert path.read_bytes() == before
    assert checks(ended)["schema"] == {
        "name": "schema",
        "ok": False,
        "said": "version 0000, not 0002",
        "problem": "run `payport db upgrade`",
    }


def test_an_upgrade_makes_the_tables_and_a_check_is_content(cli, path, url):
    cli("db", "upgrade", url)

    ended = cli("db", "check", url, "--json")

    assert list(ended.document) == ["kind", "ready", "checks"]
    assert (ended.document["kind"], ended.document["ready"]) == ("sqlite", True)
    assert {name: one["said"] for name, one in checks(ended).items() if name != "sqlite"} == {
        "schema": "version 0002, which this payport uses",
        "journal mode": "wal",
        "synchronous": "full",
        "live sends": "never restored, as far as is known",
        "file mode": "0600",
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_others_may_read_is_told_of(cli, path, url):
    cli("db", "upgrade", url)
    path.chmod(0o644)

    ended = cli("db", "check", url, "--json", code=3)

    assert "chmod 600" in checks(ended)["file mode"]["problem"]


def test_a_sqlite_that_can_damage_the_file_is_told_of(cli, url, monkeypatch):
    cli("db", "upgrade", url)
    monkeypatch.setattr(sqlite_sends, "SOUND", (9, 0, 0))

    ended = cli("db", "check", url, "--json", code=3)

    assert "3.51.3" in checks(ended)["sqlite"]["problem"]


def test_a_restored_database_is_told_of_until_somebody_acknowledges_it(cli, url):
    cli("db", "upgrade", url)
    cli("db", "restored", url, "--author", "zoe", "--reason", "disk failed")

    restored = cli("db", "check", url, "--json", code=3)
    cli("db", "acknowledge", url, "--author", "max", "--reason", "compared with the dashboard")
    acknowledged = cli("db", "check", url, "--json")

    assert "payport db acknowledge" in checks(restored)["live sends"]["problem"]
    assert "may send again, says max" in checks(acknowledged)["live sends"]["said"]
    assert [word.author for word in restorations(url)] == ["zoe", "max"]


def test_words_on_a_database_need_a_name(cli, url):
    cli("db", "restored", url, "--reason", "disk failed", code=2)
    cli("db", "acknowledge", url, "--reason", "looked", "--author", "", code=2)


def test_what_is_no_database_is_refused_untouched(cli, path, url):
    path.write_text("something else, and long enough to be looked at" * 30)

    for command in ("check", "upgrade"):
        ended = cli("db", command, url, code=2)
        assert ended.err.count("\n") == 1

    assert path.read_text().startswith("something else")


def test_a_database_that_cannot_be_written_is_unavailable(cli, tmp_path, url, path):
    cli("db", "upgrade", url)
    path.chmod(0o400)
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as held:
        held.execute("SELECT 1")
    held.close()
    taken = sqlite3.connect(path, isolation_level=None)
    taken.execute("PRAGMA locking_mode = EXCLUSIVE")
    taken.execute("BEGIN IMMEDIATE")
    try:
        ended = cli("db", "restored", url, "--author", "zoe", "--reason", "why", code=4)
    finally:
        taken.close()

    assert "locked" in ended.err


def test_the_applications_own_database_is_looked_at(cli, shop):
    ended = cli("db", "check", *APP, "--json")

    assert ended.document["kind"] == "memory"


def test_a_database_is_named_once(cli, url, shop):
    cli("db", "check", url, *APP, code=2)
    cli("db", "check", url, "--store", url, code=2)
    cli("db", "check", code=2)


def test_postgresql_is_made_and_checked(cli, new_postgres_url):
    url = new_postgres_url()

    missing = cli("db", "check", url, "--json", code=2)
    cli("db", "upgrade", url)
    ended = cli("db", "check", url, "--json", code=None)

    assert "payport db upgrade" in missing.err
    assert ended.document["kind"] == "postgresql"
    assert checks(ended)["schema"]["ok"]
    assert checks(ended)["synchronous_commit"]["said"].startswith("on")
    assert {"fsync", "full_page_writes"} <= set(checks(ended))
