"""Exactly once for what a handler writes through `tx`, in every colour and on every SQL store."""

import asyncio
import itertools
import threading
import time

import pytest
import sqlalchemy as sa
from shops import POSTGRES, SQLITE, Kind, kinds
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from payport import ConfigurationError, PaymentSucceeded

SQL = kinds(*SQLITE, *POSTGRES)
AWAITED = kinds(*[kind for kind in (*SQLITE, *POSTGRES) if kind.colour == "async"])
READ = "SELECT reference FROM shipped"


class Base(DeclarativeBase):
    """The application's own tables."""


class Shipped(Base):
    """An order that was shipped."""

    __tablename__ = "shipped"
    reference: Mapped[str] = mapped_column(primary_key=True)


def sql(shop, statement):
    return shop.transact(lambda tx: tx.connection.exec_driver_sql(statement))


def opened(shop):
    # A server's databases are used by one test after the other, and only payport's tables emptied.
    sql(shop, "DROP TABLE IF EXISTS shipped")
    sql(shop, "CREATE TABLE shipped (reference text)")


def shipped(shop):
    rows = shop.transact(lambda tx: tx.connection.exec_driver_sql(READ).fetchall())
    return [row[0] for row in rows]


def insert(connection, reference="order_1"):
    connection.execute(sa.insert(Shipped).values(reference=reference))


def worked(shop, handler, *, tries=2):
    opened(shop)
    shop.handlers.on(PaymentSucceeded, name="heard")(handler)
    shop.buy()
    for _ in range(tries):
        shop.pay.webhooks.process_due()
        shop.clock.advance(3600)


def failing_once(write):
    """A handler that writes, and fails afterwards when it is called first."""
    called = []

    def handler(event, tx):
        write(event, tx)
        called.append(event)
        if len(called) == 1:
            raise ZeroDivisionError

    return handler, called


@SQL
def test_what_a_plain_handler_writes_commits_with_its_mark(shop):
    handler, called = failing_once(lambda event, tx: insert(tx.connection, event.reference))
    worked(shop, handler, tries=3)
    assert len(called) == 2
    assert shipped(shop) == ["order_1"]


@kinds(*SQLITE, POSTGRES[0])
def test_a_session_of_the_orm_is_joined_to_the_transaction(shop):
    def write(event, tx):
        session = tx.session()
        assert session is tx.session()
        session.add(Shipped(reference=event.reference))
        session.commit()
        session.add(Shipped(reference="order_2"))
        session.rollback()
        session.add(Shipped(reference="order_3"))

    handler, called = failing_once(write)
    worked(shop, handler, tries=3)
    assert len(called) == 2
    assert sorted(shipped(shop)) == ["order_1", "order_3"], "what was not flushed is not lost"


@kinds(POSTGRES[1])
def test_a_plain_handler_beside_an_async_engine_is_told_how_to_use_the_orm(shop):
    refused = []

    def handler(event, tx):
        with pytest.raises(ConfigurationError, match="async def") as raised:
            tx.session()
        refused.append(raised.value)

    worked(shop, handler)
    assert len(refused) == 1


@AWAITED
def test_what_an_awaited_handler_writes_commits_with_its_mark(shop):
    called = []

    async def handler(event, tx):
        await asyncio.sleep(0)
        await tx.run(lambda connection: insert(connection, event.reference))
        count = await tx.run(lambda connection: len(connection.execute(sa.text(READ)).all()))
        called.append(count)
        if len(called) == 1:
            raise ZeroDivisionError

    worked(shop, handler, tries=3)
    assert called == [1, 1]
    assert shipped(shop) == ["order_1"]


@AWAITED
def test_what_fails_in_an_awaited_handlers_transaction_is_its_own_error(shop):
    caught = []

    async def handler(event, tx):
        try:
            await tx.run(lambda connection: 1 / 0)
        except ZeroDivisionError as error:
            caught.append(error)
        await tx.run(insert)

    worked(shop, handler)
    assert len(caught) == 1
    assert shipped(shop) == ["order_1"]


@kinds(POSTGRES[1])
def test_an_awaited_handler_gets_an_async_session(shop):
    called = []

    async def handler(event, tx):
        async with tx.session() as session:
            session.add(Shipped(reference=event.reference))
            assert (await session.execute(sa.select(sa.func.count(Shipped.reference)))).one()
        called.append(event)
        if len(called) == 1:
            raise ZeroDivisionError

    worked(shop, handler, tries=3)
    assert len(called) == 2
    assert shipped(shop) == ["order_1"]


@kinds(SQLITE[1])
def test_beside_payports_own_file_a_session_is_made_where_the_file_is_used(shop):
    def write(connection):
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            session.add(Shipped(reference="order_1"))
            session.commit()

    async def handler(event, tx):
        with pytest.raises(ConfigurationError, match=r"tx\.run"):
            async with tx.session():
                raise AssertionError
        await tx.run(write)

    worked(shop, handler)
    assert shipped(shop) == ["order_1"]


@kinds(Kind("async"))
def test_without_a_database_there_is_nothing_to_run_with(shop):
    refused = []

    async def handler(event, tx):
        with pytest.raises(ConfigurationError, match="memory") as raised:
            await tx.run(insert)
        refused.append(raised.value)
        raise raised.value

    shop.handlers.on(PaymentSucceeded)(handler)
    shop.buy()
    shop.pay.webhooks.process_due()
    assert len(refused) == 1


@AWAITED
def test_two_workers_write_once(shop):
    """The lease of the first one ended while it was at work."""
    called = []

    async def handler(event, tx):
        called.append(event)
        if len(called) == 1:
            shop.clock.advance(3600)
            await other.webhooks.process_due()
        await tx.run(lambda connection: insert(connection, event.reference))

    other = shop.another()._target
    opened(shop)
    from payport.webhooks.handling import IN_HANDLER  # noqa: PLC0415

    async def unguarded(event, tx):
        token = IN_HANDLER.set(None)
        try:
            await handler(event, tx)
        finally:
            IN_HANDLER.reset(token)

    shop.handlers.on(PaymentSucceeded, name="heard")(unguarded)
    shop.buy()
    shop.pay.webhooks.process_due()
    assert len(called) == 2
    assert shipped(shop) == ["order_1"]


# -- threads --------------------------------------------------------------------------------------


@kinds(Kind("async"), SQLITE[1], POSTGRES[1])
def test_a_handler_that_blocks_blocks_no_event_loop(shop):
    named, beats = [], []

    def handler(event, tx):
        named.append(threading.current_thread().name)
        time.sleep(0.2)

    shop.handlers.on(PaymentSucceeded)(handler)
    shop.buy()
    client = shop.pay._target

    async def beat():
        while True:
            beats.append(time.monotonic())
            await asyncio.sleep(0.01)

    async def main():
        beating = asyncio.create_task(beat())
        await client.webhooks.process_due()
        beating.cancel()

    shop.run(main())
    assert named[0].startswith("payport-handlers")
    assert max(b - a for a, b in itertools.pairwise(beats)) < 0.15

    shop.run(client.aclose())
    assert not [t for t in threading.enumerate() if t.name.startswith("payport-handlers")]
