"""A shop on Adyen: a client of one colour, a store, and the simulator."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import httpx
from adyen_help import ACCOUNT, API_KEY

from payport import AsyncPayport, Money, Payport
from payport.providers.adyen import AdyenProvider, AsyncAdyenProvider
from payport.storage.memory import AsyncMemoryStore, MemoryStore
from payport.testing import AdyenSimulator
from payport.testing.adyen_simulator import HMAC_KEY, HttpRequest

PRICE = Money(4_999, "USD")
BACK = "https://shop.example/back"


class Shop:
    """What is awaited is awaited in `do`."""

    def __init__(self, colour: str, **options: Any) -> None:
        self.simulator = AdyenSimulator(several_captures=options.get("multicapture", False))
        self.bank = self.simulator.bank
        self.heard: list[HttpRequest] = []
        self.simulator.listen(self.heard.append)
        self._runner = asyncio.Runner() if colour == "async" else None
        self.store = MemoryStore()
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
        if self._runner is None:
            return Payport(provider, scope=scope, store=self.store, **more)
        return AsyncPayport(provider, scope=scope, store=AsyncMemoryStore(self.store), **more)

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
        if self._runner is None:
            self.pay.close()
            return
        self._runner.run(self.pay.aclose())
        self._runner.close()


async def _done(what: Any) -> Any:
    return await what


async def _drained(listing: Any) -> list[Any]:
    return [one async for one in listing]
