import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from payport.storage.engines import AsyncSqlStore, SyncSqlStore
from payport.storage.memory import AsyncMemoryStore, MemoryStore
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


class TestAContractWithoutAStore:
    def test_it_says_what_is_missing(self):
        with pytest.raises(NotImplementedError, match="override the fixture `store`"):
            StoreContract.store._fixture_function(StoreContract())
