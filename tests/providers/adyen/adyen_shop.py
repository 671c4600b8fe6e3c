"""A shop on Adyen: a client of one colour, a store, and the simulator."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from adyen_help import ACCOUNT, API_KEY

from payport import AsyncPayport, Money, Payport
from payport.providers.adyen import AdyenProvider, AsyncAdyenProvider
from payport.storage.base import Transaction
from payport.storage.memory import AsyncMemoryStore, MemoryStore
from payport.storage.urls import open_store
from payport.testing import AdyenSimulator
from payport.testing.adyen_simulator import HMAC_KEY, HttpRequest

PRICE = Money(4_999, "USD")
#: Asks a test, or all of a module, for a shop on each store.
on_every_store = pytest.mark.parametrize("place", ["memory", "sqlite", "postgres"], indirect=True)
BACK = "https://shop.example/back"


class Shop:
    """
    What is awaited is awaited in `do`.

    Args:
        place: The URL of a database, or "memory".
    """

    def __init__(self, colour: str, place: str = "memory", **options: Any) -> None:
        self.simulator = AdyenSimulator(several_captures=options.get("multicapture", False))
        self.bank = self.simulator.bank
        self.heard: list[HttpRequest] = []
        self.simulator.listen(self.heard.append)
        self._runner = asyncio.Runner() if colour == "async" else None
        self.place = place
        self._memory = MemoryStore()
        self._clients: list[Any] = []
        self.provider = self.provider_with(**options)
        self.pay = self.client(self.provider)

    def provider_with(self, **options: Any) -> Any:
        given: dict[str, Any] = {
            "api_key": API_KEY,
            "merchant_account": ACCOUNT,
            "environment": "test",
            "webhook_secrets": [HMAC_KEY],
            **options,
        }
        if self._runner is None:
            transport = self.simulator.transport()
            return AdyenProvider(http_client=httpx.Client(transport=transport), **given)
        awaited = self.simulator.async_transport()
        return AsyncAdyenProvider(http_client=httpx.AsyncClient(transport=awaited), **given)

    def client(self, provider: Any, scope: str = "shop", **more: Any) -> Any:
        more |= {"clock": self.simulator.clock}
        # Every one opens the data for itself, as processes do.
        if self._runner is None:
            store = self._memory if self.place == "memory" else self.place
            client: Any = Payport(provider, scope=scope, store=store, **more)
        else:
            shared = AsyncMemoryStore(self._memory)
            store = shared if self.place == "memory" else self.place
            client = AsyncPayport(provider, scope=scope, store=store, **more)
        self._clients.append(client)
        return client

    def transact(self, work: Callable[[Transaction], Any]) -> Any:
        """Look into the store, past all clients."""
        if self.place == "memory":
            return self._memory.transact(work)
        store = open_store(self.place)
        try:
            return store.transact(work)
        finally:
            store.close()

    def do(self, what: Any) -> Any:
        """The result of a call; of a listing, all of it."""
        if hasattr(what, "__aiter__"):
            return self.do(_drained(what))
        if inspect.isawaitable(what):
            assert self._runner is not None
            return self._runner.run(_done(what))
        return list(what) if hasattr(what, "page") else what

    def buy(self, reference: str = "order_1", method: str = "PMCARDOK", **more: Any) -> Any:
        asked = {"amount": PRICE, "payment_method": method, "return_url": BACK, "confirm": True}
        return self.do(self.pay.payments.create(reference=reference, **asked, **more))

    def get(self, reference: str = "order_1") -> Any:
        return self.do(self.pay.payments.get(reference=reference))

    def deliver(self, **how: Any) -> None:
        """Carry the webhooks to the inbox, and work them off."""
        for request in self.simulator.webhooks(**how):
            self.receive(request)
        self.do(self.pay.webhooks.process_due())

    def receive(self, request: Any) -> Any:
        return self.do(self.pay.webhooks.receive(body=request.body, headers=request.headers))

    def asked(self, end: str) -> list[HttpRequest]:
        """The requests whose path ends so."""
        return [one for one in self.heard if one.target.partition("?")[0].endswith(end)]

    def close(self) -> None:
        for client in self._clients:
            self.do(client.close() if self._runner is None else client.aclose())
        if self._runner is not None:
            self._runner.close()


async def _done(what: Any) -> Any:
    return await what


async def _drained(listing: Any) -> list[Any]:
    return [one async for one in listing]
