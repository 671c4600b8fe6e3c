"""
Shops: a client of either colour, on either store, in front of a bank, driven by plain code.

A promise is written once and asked of every kind of shop. What is awaited is run in one event loop
by a thin view; nothing else differs between the colours.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from payport import AsyncPayport, Handlers, Money, Payport
from payport.domain.identifiers import Kind as IdKind
from payport.domain.identifiers import derive_id
from payport.storage.memory import AsyncMemoryStore, MemoryStore
from payport.storage.postgres import AsyncPostgresStore, PostgresStore
from payport.storage.sqlite import AsyncSqliteStore, SqliteStore
from payport.testing import (
    AsyncFakeProvider,
    Bank,
    FakeClock,
    FakeProvider,
    adyen_like,
    keyless,
    stripe_like,
)

BEHAVIOURS = {"stripe_like": stripe_like, "adyen_like": adyen_like, "keyless": keyless}

#: What most tests pay.
PRICE = Money(5000, "USD")
VISA = "pm_card_visa"


def usd(minor):
    return Money(minor, "USD")


@dataclass(frozen=True)
class Kind:
    """Which shop: the client's colour, the store, and how the bank behaves."""

    colour: str = "sync"
    store: str = "memory"
    behaviour: Any = "stripe_like"

    def __str__(self):
        named = self.behaviour if isinstance(self.behaviour, str) else self.behaviour().name
        return f"{self.colour}-{self.store}-{named}"


FOUR = [Kind(c, s) for c in ("sync", "async") for s in ("memory", "sqlite")]
POSTGRES = [Kind(c, "postgres") for c in ("sync", "async")]
MEMORY = [kind for kind in FOUR if kind.store == "memory"]
SQLITE = [kind for kind in FOUR if kind.store == "sqlite"]


def kinds(*shops):
    """Ask these shops instead of the usual four."""
    return pytest.mark.parametrize("shop", shops, ids=str, indirect=True)


def behaving(*names):
    """Ask shops of both colours, in memory and one of them on SQLite, for these behaviours."""
    first = replace(FOUR[3], behaviour=names[0])
    others = [replace(kind, behaviour=name) for name in names for kind in MEMORY]
    return kinds(first, *others)


def blocking(*names):
    """Ask a blocking shop in memory for these behaviours: for what is asked very often."""
    return kinds(*[replace(FOUR[0], behaviour=name) for name in names])


each_behaviour = behaving(*BEHAVIOURS)
with_keys = behaving("stripe_like", "adyen_like")
each_colour = kinds(*MEMORY)


class Plain:
    """The attributes of a target, with what they return awaited and their listings read."""

    def __init__(self, target, run):
        self._target = target
        self._run = run

    def __getattr__(self, name):
        value = getattr(self._target, name)
        if not callable(value):
            return Plain(value, self._run) if type(value).__module__.startswith(_OURS) else value

        def called(*args, **named):
            result = value(*args, **named)
            if inspect.isawaitable(result):
                return self._run(result)
            if hasattr(result, "page"):
                return _Listing(result, self._run)
            if isinstance(result, AsyncPayport | Payport):
                return Plain(result, self._run)
            return result

        return called

    def __repr__(self):
        return repr(self._target)


_OURS = "payport.client"


class _Listing:
    def __init__(self, listing, run):
        self._listing = listing
        self._run = run

    def page(self, **named):
        page = self._listing.page(**named)
        return self._run(page) if inspect.isawaitable(page) else page

    def __iter__(self):
        if hasattr(self._listing, "__aiter__"):
            return iter(self._run(_drained(self._listing)))
        return iter(self._listing)


async def _drained(items):
    return [item async for item in items]


class Faulty:
    """
    A store in front of another one that breaks when it is told to.

    `before` and `after` are called with the number of each transaction, counted from 1, before it
    is begun and after it is committed; whatever they raise is what the client sees.
    """

    def __init__(self, inner):
        self.inner = inner
        self.count = 0
        self.before = self.after = lambda number: None

    def transact(self, work):
        self.count += 1
        number = self.count
        self.before(number)
        result = self.inner.transact(work)
        self.after(number)
        return result

    def close(self):
        self.inner.close()


class AsyncFaulty(Faulty):
    async def transact(self, work):
        self.count += 1
        number = self.count
        self.before(number)
        result = await self.inner.transact(work)
        self.after(number)
        return result

    async def aclose(self):
        await self.inner.aclose()


class Shop:
    """
    A shop: `pay` is its client, `bank` where the money is, `fake` the provider between them.

    `another()` is another process of the same shop: a client, provider and store object of its own
    on the same data and the same bank. `path` is the file or the URL of the data.
    """

    def __init__(self, kind, path=None, clock=None):
        self.kind = kind
        self.path = path
        self.is_async = kind.colour == "async"
        self._runner = asyncio.Runner() if self.is_async else None
        self._memory = MemoryStore()
        self._open = []
        self._stores = []
        self._looking = None
        behaviour = kind.behaviour
        made = BEHAVIOURS[behaviour]() if isinstance(behaviour, str) else behaviour()
        self.clock = clock or FakeClock()
        self.bank = Bank(behaviour=made, clock=self.clock)
        self.fake = self.provider()
        self.handlers = Handlers()
        self._pay = None

    # -- parts ----------------------------------------------------------------------------------

    def run(self, awaitable):
        return self._runner.run(_await(awaitable))

    def provider(self, **more):
        make = AsyncFakeProvider if self.is_async else FakeProvider
        return make(bank=self.bank, **more)

    def store(self):
        """Another store object on the shop's data."""
        if self.kind.store == "memory":
            return AsyncMemoryStore(self._memory) if self.is_async else self._memory
        if self.kind.store == "postgres":
            make = AsyncPostgresStore if self.is_async else PostgresStore
            self._stores.append(make(self.path))
            return self._stores[-1]
        return AsyncSqliteStore(str(self.path)) if self.is_async else SqliteStore(str(self.path))

    def faulty(self):
        """A store on the shop's data that breaks when it is told to."""
        return AsyncFaulty(self.store()) if self.is_async else Faulty(self.store())

    def client(self, provider=None, **named):
        """A client of this shop; arguments as for `Payport`."""
        named = {"handlers": self.handlers, "store": None, "clock": self.clock, **named}
        named["store"] = named["store"] or self.store()
        make = AsyncPayport if self.is_async else Payport
        client = make(provider or self.fake, **named)
        self._open.append(client)
        return Plain(client, self.run if self.is_async else None)

    def hurried(self, provider=None, **named):
        """A client that has no turn left: what it sends next has to wait for one, for a second."""
        return self.client(provider, rate_limit=1, **named)

    def another(self, **named):
        """A client of another process: with a provider of its own, that no script spoils."""
        return self.client(self.provider(), **named)

    @property
    def pay(self):
        if self._pay is None:
            self._pay = self.client()
        return self._pay

    def transact(self, work):
        """Look into the store, past the client."""
        if self._looking is None:
            self._looking = self.store()
        result = self._looking.transact(work)
        return self.run(result) if self.is_async else result

    def close(self):
        # Connections to PostgreSQL are few; what else a store opened goes with its shop.
        for each in (*self._open, *self._stores):
            if self.is_async:
                self.run(each.aclose())
            else:
                each.close()
        if self._runner is not None:
            self._runner.close()

    # -- what tests do all the time ---------------------------------------------------------------

    def buy(self, reference="order_1", pay=None, **more):
        """A payment, confirmed at once."""
        asked = {"amount": PRICE, "payment_method": VISA, "confirm": True, **more}
        return (pay or self.pay).payments.create(reference=reference, **asked)

    def hold(self, reference="order_1", **more):
        """A payment whose money is held."""
        held = self.buy(reference, capture_method="manual", **more)
        assert held.status == "requires_capture"
        return held

    def refund(self, payment, reference="return_1", pay=None, **more):
        return (pay or self.pay).refunds.create(payment=payment.id, reference=reference, **more)

    def deliver(self, pay=None, *, fake=None, **how):
        """Carry the bank's webhooks to a client."""
        delivered = 0
        while requests := (fake or self.fake).webhooks(**how):
            for request in requests:
                self.receive(request, pay)
            (pay or self.pay).webhooks.process_due()
            delivered += len(requests)
        return delivered

    def due(self, limit=10):
        """The deliveries that a worker would be handed now."""
        now = self.clock.now()
        asked = {"provider": "fake", "environment": self.bank.environment, "limit": limit}
        return list(self.transact(lambda tx: tx.due_deliveries(**asked, now=now)))

    def receive(self, request, pay=None):
        return (pay or self.pay).webhooks.receive(
            body=request.body, headers=request.headers, url=request.url
        )

    def events(self, payment):
        """The kinds of event the payment made, in the order in which they were learned."""
        return [type(e).__name__ for e in self.transact(lambda tx: tx.events(payment.id))]

    def rows(self, **query):
        """The journal, oldest first."""
        return list(self.pay.operations.list(**query))[::-1]

    def requests(self):
        """How many requests that change something reached the bank."""
        return sum(self.bank.vault.arrived.values())


@dataclass(frozen=True)
class Doing:
    """
    An operation, for promises that hold for all of them.

    `begin` makes what it needs and `call` asks for it; `key` finds it at the bank.
    """

    operation: str

    def begin(self, shop):
        """What has to be there before: a payment, or nothing."""
        match self.operation:
            case "create_payment":
                return None
            case "confirm_payment":
                return shop.pay.payments.create(
                    reference="order_1", amount=PRICE, payment_method=VISA
                )
            case "create_refund":
                paid = shop.buy()
                shop.deliver()
                return paid
        return shop.hold()

    def call(self, shop, there, pay=None):
        """Ask for it; the payment or refund that comes of it."""
        pay = pay or shop.pay
        match self.operation:
            case "create_payment":
                return shop.buy(pay=pay)
            case "confirm_payment":
                return pay.payments.confirm(there.id)
            case "capture_payment":
                return pay.payments.capture(there.id, amount=usd(1000), reference="parcel_1")
            case "cancel_payment":
                return pay.payments.cancel(there.id)
            case _:
                return shop.refund(there, pay=pay, amount=usd(1000))

    def row(self, shop):
        """Its row of the journal; None before there is one."""
        payment = derive_id(IdKind.PAYMENT, "test", "test", "order_1")
        found = [r for r in shop.rows(payment=payment) if r.operation == self.operation]
        return found[0] if found else None

    def effects(self, shop):
        """How often the bank did it."""
        row = self.row(shop)
        return shop.bank.effects(row.key) if row is not None else 0

    def check_done(self, shop):
        """It was done once; journal, payment and bank agree, and nothing is spoken for."""
        shop.deliver()
        row = self.row(shop)
        payment = shop.pay.payments.get(reference="order_1")
        bank = shop.bank
        assert self.effects(shop) == 1
        assert (row.state, row.lease_owner) == ("confirmed", None)
        assert (payment.in_flight, payment.unresolved) == ((), ())
        assert payment.captured == bank.charged("order_1")
        assert payment.refunded == bank.refunded("order_1")
        assert (payment.refund_pending, payment.capture_pending) == (usd(0), usd(0))
        assert len(bank.payments) == 1
        wanted = {
            "create_payment": (PRICE, usd(0), "succeeded"),
            "confirm_payment": (PRICE, usd(0), "succeeded"),
            "capture_payment": (usd(1000), usd(0), "requires_capture"),
            "cancel_payment": (usd(0), usd(0), "canceled"),
            "create_refund": (PRICE, usd(1000), "succeeded"),
        }[self.operation]
        assert (payment.captured, payment.refunded, payment.status) == wanted
        assert len(payment.refunds) == len(bank.refunds)
        assert all(capture.fact is not None for capture in payment.captures)

    def __str__(self):
        return self.operation


DOINGS = [
    Doing(operation)
    for operation in (
        "create_payment",
        "confirm_payment",
        "capture_payment",
        "cancel_payment",
        "create_refund",
    )
]
each_operation = pytest.mark.parametrize("doing", DOINGS, ids=str)


async def _await(awaitable):
    return await awaitable


#: A disk that forgets is enough here, and much faster: whether commits last is the store's test.
_MEMORY_DISK = "/dev/shm"  # noqa: S108 - each run makes a directory of its own in it


@pytest.fixture(scope="session")
def files():
    """A directory for databases, with a migrated one: migrating one each time takes long."""
    fast = _MEMORY_DISK if os.access(_MEMORY_DISK, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=fast, prefix="payport-tests-") as directory:
        store = SqliteStore(str(Path(directory) / "migrated.db"))
        store.transact(lambda tx: None)
        store.close()
        yield Path(directory)


@pytest.fixture
def database(files):
    """A migrated file of the test's own."""
    directory = Path(tempfile.mkdtemp(dir=files))
    yield shutil.copy(files / "migrated.db", directory / "payments.db")
    shutil.rmtree(directory)


#: The fixture that tells where a kind of store keeps its data.
PLACES = {"sqlite": "database", "postgres": "postgres_url"}


def place_of(kind, request):
    """Where the data of a shop of this kind is; an empty place for each test."""
    return request.getfixturevalue(PLACES[kind.store]) if kind.store in PLACES else None


@pytest.fixture(params=FOUR, ids=str)
def shop(request):
    kind = request.param
    shop = Shop(kind, place_of(kind, request))
    yield shop
    shop.close()
