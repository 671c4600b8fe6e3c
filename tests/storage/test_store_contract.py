import pytest
import sqlalchemy as sa
from postgres_help import dumped, psycopg_url
from sqlalchemy.ext.asyncio import create_async_engine

from payport.storage.engines import AsyncSqlStore, SyncSqlStore
from payport.storage.memory import AsyncMemoryStore, MemoryStore
from payport.storage.postgres import AsyncPostgresStore, PostgresStore
from payport.storage.sqlite import AsyncSqliteStore, SqliteStore
from payport.testing.blocking import Blocking
from payport.testing.store_contract import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStore()


class TestAsyncMemoryStore(StoreContract):
    @pytest.fixture
    def store(self):
        with Blocking(AsyncMemoryStore()) as store:
            yield store


class OnDisk(StoreContract):
    @pytest.fixture
    def at_rest(self, written):
        return written


class TestSqliteStore(OnDisk):
    @pytest.fixture
    def store(self, db):
        store = SqliteStore(str(db))
        yield store
        store.close()


class TestAsyncSqliteStore(OnDisk):
    @pytest.fixture
    def store(self, db):
        with Blocking(AsyncSqliteStore(str(db))) as store:
            yield store


class TestStoreOnAnEngine(OnDisk):
    @pytest.fixture
    def store(self, db):
        engine = sa.create_engine(f"sqlite:///{db}")
        yield SyncSqlStore(engine)
        engine.dispose()


class TestStoreOnAnAsyncEngine(OnDisk):
    @pytest.fixture
    def store(self, db):
        engine = create_async_engine(f"sqlite+aiosqlite:///{db}")
        with Blocking(engine) as view:
            yield Blocking(AsyncSqlStore(engine), beside=view)
            view.dispose()


class OnPostgres(StoreContract):
    """One store for all tests, whose connections stay open; its tables are emptied for each."""

    @pytest.fixture
    def at_rest(self, postgres_url):
        return lambda: dumped(postgres_url)

    @pytest.fixture
    def store(self, opened, postgres_url):
        return opened


class TestPostgresStore(OnPostgres):
    @pytest.fixture(scope="class")
    @classmethod
    def opened(cls, postgres_database):
        store = PostgresStore(postgres_database)
        yield store
        store.close()


class TestAsyncPostgresStore(OnPostgres):
    @pytest.fixture
    def opened(self, postgres_database):
        # Its event loop ends with closing it, which is one of the promises.
        with Blocking(AsyncPostgresStore(postgres_database)) as store:
            yield store


class TestPostgresStoreOnAnEngine(OnPostgres):
    @pytest.fixture(scope="class")
    @classmethod
    def opened(cls, postgres_database):
        engine = sa.create_engine(psycopg_url(postgres_database))
        yield SyncSqlStore(engine)
        engine.dispose()


class TestPostgresStoreOnAnAsyncEngine(OnPostgres):
    @pytest.fixture(scope="class")
    @classmethod
    def opened(cls, postgres_database):
        engine = create_async_engine(psycopg_url(postgres_database))
        with Blocking(engine) as view:
            yield Blocking(AsyncSqlStore(engine), beside=view)
            view.dispose()


class TestAContractWithoutAStore:
    def test_it_says_what_is_missing(self):
        with pytest.raises(NotImplementedError, match="override the fixture `store`"):
            StoreContract.store._fixture_function(StoreContract())
