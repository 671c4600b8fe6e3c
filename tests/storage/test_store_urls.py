import sys

import pytest
import sqlalchemy as sa

from payport.domain.errors import ConfigurationError
from payport.storage import urls
from payport.storage.memory import AsyncMemoryStore, MemoryStore
from payport.storage.sqlite import AsyncSqliteStore, SqliteStore
from payport.storage.urls import is_relative_sqlite, open_async_store, open_store


def path_of(store):
    return str(getattr(store, "_store", store)._file.path)


@pytest.mark.parametrize("driver", ["sqlite", "sqlite+pysqlite", "sqlite+aiosqlite"])
def test_a_url_opens_its_file_in_either_colour(tmp_path, driver):
    url = f"{driver}:///{tmp_path}/payments.db"
    for given in (url, sa.make_url(url)):
        sync, other = open_store(given), open_async_store(given)
        assert isinstance(sync, SqliteStore)
        assert isinstance(other, AsyncSqliteStore)
        assert path_of(sync) == path_of(other) == f"{tmp_path}/payments.db"
    assert list(tmp_path.iterdir()) == []


def test_a_relative_url_is_relative_to_where_the_store_was_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert path_of(open_store("sqlite:///payments.db")) == f"{tmp_path}/payments.db"


def test_memory_opens_a_store_of_its_own_each_time():
    assert isinstance(open_store("memory"), MemoryStore)
    assert isinstance(open_async_store("memory"), AsyncMemoryStore)
    assert open_store("memory") is not open_store("memory")


def test_a_store_is_taken_as_it_is():
    sync, other = MemoryStore(), AsyncMemoryStore()
    assert open_store(sync) is sync
    assert open_async_store(other) is other


def test_a_memory_store_is_shared_by_both_colours():
    sync = MemoryStore()
    assert open_async_store(sync).store is sync


def test_a_store_of_the_wrong_colour_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"an async store.*Use AsyncPayport"):
        open_store(AsyncMemoryStore())
    with pytest.raises(ConfigurationError, match=r"a sync store.*Use Payport"):
        open_async_store(SqliteStore(str(tmp_path / "payments.db")))


@pytest.mark.parametrize(
    ("store", "why"),
    [
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite://payments.db", "names no file"),
        ("sqlite:////srv/payments.db?timeout=1", "has no options"),
        ("payments.db", "no store that payport knows"),
        ("/srv/payments.db", "no store that payport knows"),
        ("Memory", "no store that payport knows"),
        ("", "no store that payport knows"),
        (None, "no store that payport knows"),
        (7, "no store that payport knows"),
        ("sqlite+other:////srv/payments.db", "no store that payport knows"),
        ("postgres://user:hunter2@db/shop", "no store that payport knows"),
        ("postgresql+asyncpg://user:hunter2@db/shop", "no store that payport knows"),
        (sa.make_url("postgresql+psycopg2://user:hunter2@db/shop"), "no store that payport knows"),
    ],
)
@pytest.mark.parametrize("opened", [open_store, open_async_store])
def test_anything_else_is_refused_with_what_to_pass_and_no_password(opened, store, why):
    with pytest.raises(ConfigurationError, match=why) as refused:
        opened(store)
    assert "sqlite:////srv/shop/payments.db" in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert refused.value.field == "store"


@pytest.mark.parametrize("missing", ["sqlalchemy", "alembic"])
@pytest.mark.parametrize("opened", [open_store, open_async_store])
def test_a_missing_toolkit_is_told_with_what_to_install(monkeypatch, opened, missing):
    monkeypatch.setattr(urls, "find_spec", lambda name: None if name == missing else sys)
    with pytest.raises(ConfigurationError, match=r"pip install 'payport\[sql\]'"):
        opened("sqlite:////srv/payments.db")


@pytest.mark.parametrize(
    ("store", "relative"),
    [
        ("sqlite:///payments.db", True),
        ("sqlite+aiosqlite:///data/payments.db", True),
        ("sqlite:///./payments.db?x=1", True),
        (sa.make_url("sqlite:///payments.db"), True),
        (sa.create_engine("sqlite:///payments.db"), True),
        ("sqlite:////srv/payments.db", False),
        (sa.create_engine("sqlite:////srv/payments.db"), False),
        ("sqlite://", False),
        ("sqlite:///:memory:", False),
        ("memory", False),
        ("postgresql://u:p@db/shop", False),
        (MemoryStore(), False),
        (None, False),
    ],
)
def test_a_relative_file_is_told_from_others(store, relative):
    assert is_relative_sqlite(store) is relative
