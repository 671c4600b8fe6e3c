"""
A shop with two processors, `first` and `second`, in either colour and on each store.

`first` is like Stripe (objects before the first confirmation), `second` like Adyen (nothing before
it); each has a bank of its own, and they share a clock.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace

import pytest
from shops import FOUR, POSTGRES, PRICE, VISA, Plain, place_of

from payport import AsyncPayport, Handlers, Payport
from payport.domain.identifiers import Environment
from payport.providers.routing import AsyncRouter, Router, Rule
from payport.storage.memory import AsyncMemoryStore, MemoryStore
from payport.storage.postgres import AsyncPostgresStore, PostgresStore
from payport.storage.sqlite import AsyncSqliteStore, SqliteStore
from payport.testing import (
    AsyncFakeProvider,
    Bank,
    FakeClock,
    FakeProvider,
    adyen_like,
    stripe_like,
)

__all__ = ["ALL", "FIRST", "RoutedShop", "each_place", "routed"]

#: The first of the two, and the second where nothing can be sent to it.
FIRST = [Rule(["first", "second"])]
SECOND = [Rule(["second", "first"])]
POOR = "pm_card_insufficient_funds"

#: In what order ids are counted: the two processors have different ones.
_NUMBERS = {"first": 1, "second": 500_001, "third": 800_001}
ALL = [*FOUR, *POSTGRES]


class RoutedShop:
    """Processes of one shop, each with a router of its own."""

    def __init__(self, kind, path=None):
        self.kind = kind
        self.path = path
        self.is_async = kind.colour == "async"
        self._runner = asyncio.Runner() if self.is_async else None
        self._memory = MemoryStore()
        self._open = []
        self._stores = []
        self.clock = FakeClock()
        self.handlers = Handlers()
        self.banks = {}
        for name, made in (("first", stripe_like), ("second", adyen_like)):
            self.add(name, made())

    def add(self, name, behaviour, **more):
        """A processor with a bank of its own."""
        self.banks[name] = Bank(
            behaviour=replace(behaviour, provider=name, **more),
            clock=self.clock,
            first_number=_NUMBERS[name],
        )

    def run(self, awaitable):
        async def done():
            return await awaitable

        return self._runner.run(done())

    def provider(self, name, **more):
        make = AsyncFakeProvider if self.is_async else FakeProvider
        return make(bank=self.banks[name], **more)

    def router(self, rules=FIRST, names=("first", "second"), **more):
        make = AsyncRouter if self.is_async else Router
        return make([self.provider(name) for name in names], rules, **more)

    def store(self):
        if self.kind.store == "memory":
            return AsyncMemoryStore(self._memory) if self.is_async else self._memory
        if self.kind.store == "postgres":
            make = AsyncPostgresStore if self.is_async else PostgresStore
            self._stores.append(make(self.path))
            return self._stores[-1]
        return AsyncSqliteStore(str(self.path)) if self.is_async else SqliteStore(str(self.path))

    def process(self, rules=FIRST, names=("first", "second"), **named):
        """Another process: a client with a router, breakers and connections of its own."""
        router = named.pop("router", None) or self.router(rules, names)
        return self.client(router, **named)

    def client(self, provider, **named):
        """A client with this in the provider's place; arguments as for `Payport`."""
        named = {
            "handlers": self.handlers,
            "scope": "shop",
            "store": None,
            "clock": self.clock,
            **named,
        }
        named["store"] = named["store"] or self.store()
        make = AsyncPayport if self.is_async else Payport
        client = make(provider, **named)
        self._open.append(client)
        plain = Plain(client, self.run if self.is_async else None)
        plain.router = provider
        return plain

    def buy(self, pay, reference="order_1", **more):
        asked = {"amount": PRICE, "payment_method": VISA, "confirm": True, **more}
        return pay.payments.create(reference=reference, **asked)

    def charged(self, reference="order_1"):
        """What each bank took, where it took anything."""
        taken = {name: bank.charged(reference) for name, bank in self.banks.items()}
        return {name: amount.minor for name, amount in taken.items() if amount.minor}

    def deliver(self, pay, name):
        """Carry a bank's webhooks to a client; how many there were."""
        delivered = 0
        while requests := pay.router.providers[name].webhooks():
            for request in requests:
                pay.webhooks.receive(
                    body=request.body, headers=request.headers, url=request.url, provider=name
                )
            pay.webhooks.process_due()
            delivered += len(requests)
        return delivered

    def row(self, pay, operation="create_payment"):
        """The latest row of an operation."""
        return next(row for row in pay.operations.list() if row.operation == operation)

    def requests(self, name):
        """How many requests that change something arrived at a bank."""
        return sum(self.banks[name].vault.arrived.values())

    def transact(self, work):
        result = self.store().transact(work)
        return self.run(result) if self.is_async else result

    def run_elsewhere(self):
        """A payment at the first bank that the store knows nothing of; its id there."""
        make = AsyncPayport if self.is_async else Payport
        client = make(self.provider("first"), scope="elsewhere", store="memory", clock=self.clock)
        self._open.append(client)
        made = self.buy(Plain(client, self.run if self.is_async else None), "order_elsewhere")
        return made.provider_ref

    @property
    def environment(self):
        return Environment.TEST

    def close(self):
        for each in (*self._open, *self._stores):
            if self.is_async:
                self.run(each.aclose())
            else:
                each.close()
        if self._runner is not None:
            self._runner.close()


def each_place(*kinds):
    """Ask shops of these kinds."""
    return pytest.mark.parametrize("routed", kinds, ids=str, indirect=True)


@pytest.fixture(params=FOUR, ids=str)
def routed(request, files):
    kind = request.param
    path = place_of(kind, request)
    if kind.store == "sqlite":
        path = shutil.copy(files / "migrated.db", path)
    shop = RoutedShop(kind, path)
    yield shop
    shop.close()
