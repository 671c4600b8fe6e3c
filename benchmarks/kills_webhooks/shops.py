"""
The shops whose processes are killed: an endpoint, a worker, and a handler that writes a row for
each effect through the transaction that it is given.

`SqlShop` is FastAPI's endpoint and SQLAlchemy's rows, on SQLite or PostgreSQL; `django_shop` has
another one. Each is made before the forks, and opened after them.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
import sqlalchemy as sa
import uvicorn
from sending import PATH, Event
from slots import AsyncSlow, Phase, QuickClock, Slot, Slow
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import NullPool
from starlette.applications import Starlette

import payport.storage
from payport import AsyncPayport, Handlers, Money, PaymentSucceeded, Payport
from payport.integrations.fastapi import mount_webhooks
from payport.providers.stripe import AsyncStripeProvider, StripeProvider
from payport.storage.postgres import AsyncPostgresStore, PostgresStore
from payport.storage.sqlite import AsyncSqliteStore, SqliteStore
from payport.testing import StripeSimulator
from payport.testing.stripe_simulator import SIGNING_SECRET

__all__ = ["API_KEY", "OPTIONS", "Books", "Shop", "SqlShop", "make_events", "serve"]

API_KEY: Final = "sk_test_000000000000000000000000"
#: Of the clients. By the time-out of a request a worker's lease is reckoned.
OPTIONS: Final = {"timeout": 1.0, "rate_limit": 0}
#: Seconds between two looks of a worker that has nothing to do.
POLL: Final = 0.01


@dataclass(frozen=True, slots=True)
class Books:
    """
    What the store and the shop's own table hold in the end.

    Attributes:
        stored: The ids of the events in the inbox.
        effects: How many effects there were for each order.
    """

    stored: set[str]
    effects: Counter[str]


class Shop(Protocol):
    """One way to receive and to work."""

    name: str

    def prepare(self, count: int) -> list[Event]:
        """Make the tables, and so many payments whose customers have paid; nothing stays open."""
        ...

    def receive(self, where: socket.socket, slot: Slot) -> None:
        """Serve the endpoint until the process is killed."""
        ...

    def work(self, slot: Slot) -> None:
        """Work off what was received until the process is killed."""
        ...

    def is_done(self) -> bool:
        """Whether there is nothing left to do."""
        ...

    def books(self) -> Books:
        """What is there in the end."""
        ...


def make_events(pay: Payport, simulator: StripeSimulator, count: int) -> list[Event]:
    """Payments that wait for their customers, who then pay: one event about each."""
    events: list[Event] = []
    for number in range(count):
        reference = f"order_{number}"
        intent = pay.payments.create(
            reference=reference,
            amount=Money(1000 + number, "USD"),
            payment_method="pm_card_authenticate",
            confirm=True,
            return_url="https://shop.example/",
        )
        simulator.webhooks()
        simulator.bank.authenticate(intent.provider_ref or "")
        for request in simulator.webhooks():
            told = json.loads(request.body)
            if told["type"] == "payment_intent.succeeded":
                events.append(Event(told["id"], reference, request.body))
    return events


def serve(app: Any, where: socket.socket) -> None:
    """Run an application on a socket that is there already."""
    config = uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off")
    asyncio.run(uvicorn.Server(config).serve(sockets=[where]))


class _Base(DeclarativeBase):
    pass


class _Effect(_Base):
    """A row for each effect: nothing in the table keeps a second one out."""

    __tablename__ = "effects"

    number: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str]


_ADD: Final = sa.insert(_Effect.__table__)  # type: ignore[arg-type]


class SqlShop:
    """
    On payport's own SQLite file or a PostgreSQL database, with FastAPI's endpoint.

    Args:
        url: The database's.
        clock: Of the day.
    """

    def __init__(self, url: str, clock: QuickClock) -> None:
        self._url = sa.make_url(url)
        self.name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[self._url.get_backend_name()]
        self._clock = clock
        self._simulator = StripeSimulator()

    def prepare(self, count: int) -> list[Event]:
        """See `Shop`."""
        if self._on_sqlite:
            Path(self._url.database or "").parent.mkdir(exist_ok=True)
        else:
            payport.storage.upgrade(self._url.render_as_string(hide_password=False))
        pay = self._client(self._store(), Handlers())
        events = make_events(pay, self._simulator, count)
        pay.close()
        with self._engine().begin() as connection:
            _Base.metadata.create_all(connection)
        return events

    def receive(self, where: socket.socket, slot: Slot) -> None:
        """See `Shop`."""
        http_client = httpx.AsyncClient(transport=self._simulator.async_transport())
        url = self._url.render_as_string(hide_password=False)
        store = (
            AsyncSqliteStore(self._url.database or "")
            if self._on_sqlite
            else AsyncPostgresStore(url)
        )
        pay = AsyncPayport(
            AsyncStripeProvider(
                api_key=API_KEY, webhook_secrets=[SIGNING_SECRET], http_client=http_client
            ),
            store=AsyncSlow(store, slot),
            **self._options(),
        )
        app = Starlette()
        mount_webhooks(app, pay, PATH)
        slot.enter(Phase.IDLE)
        serve(app, where)

    def work(self, slot: Slot) -> None:
        """See `Shop`."""
        handlers = Handlers()

        @handlers.on(PaymentSucceeded, name="paid")
        def paid(event: PaymentSucceeded, tx: Any) -> None:
            slot.enter(Phase.HANDLING)
            if event.amount.minor % 2:
                tx.session().add(_Effect(reference=event.reference))
            else:
                tx.connection.execute(_ADD, {"reference": event.reference})
            slot.pause()

        pay = self._client(Slow(self._store(), slot), handlers)
        slot.enter(Phase.IDLE)
        pay.webhooks.run_worker(poll=POLL)

    def is_done(self) -> bool:
        """See `Shop`."""
        query = "SELECT 1 FROM {} WHERE state = 'due' LIMIT 1"
        with self._engine().connect() as connection:
            return not any(
                connection.exec_driver_sql(query.format(table)).first()
                for table in ("payport_inbox", "payport_handler_runs")
            )

    def books(self) -> Books:
        """See `Shop`."""
        with self._engine().connect() as connection:
            stored = connection.exec_driver_sql("SELECT dedupe_key FROM payport_inbox").scalars()
            acted = connection.execute(sa.select(_Effect.reference)).scalars()
            return Books(set(stored), Counter(acted))

    @property
    def _on_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    def _store(self) -> Any:
        if self._on_sqlite:
            return SqliteStore(self._url.database or "")
        return PostgresStore(self._url.render_as_string(hide_password=False))

    def _engine(self) -> sa.Engine:
        return sa.create_engine(
            self._url if self._on_sqlite else self._url.set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
        )

    def _client(self, store: Any, handlers: Handlers) -> Payport:
        http_client = httpx.Client(transport=self._simulator.transport())
        return Payport(
            StripeProvider(
                api_key=API_KEY, webhook_secrets=[SIGNING_SECRET], http_client=http_client
            ),
            store=store,
            handlers=handlers,
            **self._options(),
        )

    def _options(self) -> dict[str, Any]:
        return {"scope": "shop", "clock": self._clock, **OPTIONS}
