import shutil

import pytest

from payport.storage.sqlite import SqliteStore


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A migrated file: migrating one for each test would take most of the time."""
    path = tmp_path_factory.mktemp("template") / "payments.db"
    store = SqliteStore(str(path))
    store.transact(lambda tx: None)
    store.close()
    return path


@pytest.fixture
def db(template, tmp_path):
    """A migrated file of the test's own."""
    return shutil.copy(template, tmp_path / "payments.db")


@pytest.fixture
def written(db):
    """Reads everything SQLite has written for `db`, its log included."""

    def read():
        return b"".join(path.read_bytes() for path in sorted(db.parent.glob("payments.db*")))

    return read


@pytest.fixture
def path(tmp_path):
    """Where no file is yet."""
    return tmp_path / "payments.db"


@pytest.fixture
def open_store():
    """Makes stores on SQLite files, and closes them."""
    stores = []

    def make(path, **options):
        stores.append(SqliteStore(str(path), **options))
        return stores[-1]

    yield make
    for store in stores:
        store.close()
