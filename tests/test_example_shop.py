"""
A shop on the worked adapter, in both colours and on each store: what payport does for a processor
without idempotency keys. It is written down, never sent twice, read, and left to a person.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from payport import AsyncPayport, Money, OutcomeUnknown, PaymentStatus, Payport
from payport.storage.memory import AsyncMemoryStore, MemoryStore
from payport.testing import LostRequest, LostResponse

EXAMPLE = Path(__file__).parent.parent / "examples" / "adapter"
PRICE = Money(4_999, "EUR")


class Shop:
    """Processes of one shop, each with a provider and a store object of its own."""

    def __init__(self, colour: str, place: str) -> None:
        harnesses = import_module("payport_tollgate.testing.harness")
        self.is_async = colour == "async"
        make = harnesses.AsyncTollgateHarness if self.is_async else harnesses.TollgateHarness
        self.harness: Any = make()
        self.place = place
        self._memory = MemoryStore()
        self._runner = asyncio.Runner() if self.is_async else None
        self._open: list[Any] = []

    def process(self) -> tuple[Any, Any]:
        """A client, and the script of what goes wrong with its requests."""
        rig = self.harness.make()
        more = {"scope": "shop", "clock": self.harness.clock}
        if self.is_async:
            store: Any = AsyncMemoryStore(self._memory) if self.place == "memory" else self.place
            client: Any = AsyncPayport(rig.subject, store=store, **more)
        else:
            store = self._memory if self.place == "memory" else self.place
            client = Payport(rig.subject, store=store, **more)
        self._open.append(client)
        return client, rig.script

    def do(self, what: Any) -> Any:
        """The result of a call; of a listing, all of it."""

        async def done() -> Any:
            if hasattr(what, "__aiter__"):
                return [one async for one in what]
            return await what

        if hasattr(what, "__aiter__") or inspect.isawaitable(what):
            assert self._runner is not None
            return self._runner.run(done())
        return list(what) if hasattr(what, "page") else what

    def order(self, pay: Any) -> Any:
        asked = {"amount": PRICE, "confirm": True, "payment_method": "pm_card_ok"}
        return self.do(pay.payments.create(reference="order_1", **asked))

    def posts(self) -> int:
        """How many requests that make an order arrived or were lost on their way."""
        seen = self.harness.simulator.seen
        return sum((wire.method, wire.target) == ("POST", "/orders") for wire in seen)

    def hear(self, pay: Any) -> None:
        for request in self.harness.webhooks():
            self.do(pay.webhooks.receive(body=request.body, headers=request.headers))
        self.do(pay.webhooks.process_due())

    def close(self) -> None:
        for client in self._open:
            self.do(client.aclose() if self.is_async else client.close())
        if self._runner is not None:
            self._runner.close()
        self.harness.close()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/shop.db" if request.param == "sqlite" else "memory"


@pytest.fixture(params=["sync", "async"])
def shop(
    request: pytest.FixtureRequest, place: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    monkeypatch.syspath_prepend(EXAMPLE)
    made = Shop(request.param, place)
    yield made
    made.close()


def test_an_order_is_paid_on_its_page_and_given_back(shop: Shop) -> None:
    pay, _ = shop.process()
    intent = shop.order(pay)
    assert intent.status is PaymentStatus.REQUIRES_ACTION
    shop.harness.bank.visit()
    shop.harness.clock.advance(10)
    shop.hear(pay)
    assert shop.do(pay.payments.get(intent.id)).is_paid
    back = {"payment": intent.id, "reference": "return_1", "amount": Money(1_000, "EUR")}
    shop.do(pay.refunds.create(**back))
    shop.harness.clock.advance(10)
    shop.hear(pay)
    assert shop.do(pay.payments.refresh(intent.id)).refunded == Money(1_000, "EUR")
    assert shop.harness.bank.refunded("order_1", "EUR") == Money(1_000, "EUR")


def test_an_order_whose_answer_was_lost_is_found_and_not_sent_again(shop: Shop) -> None:
    pay, script = shop.process()
    script.next("create_payment", LostResponse())
    assert shop.order(pay).status is PaymentStatus.REQUIRES_ACTION
    assert (shop.posts(), len(shop.harness.bank.payments)) == (1, 1)
    again, _ = shop.process()
    assert shop.order(again).status is PaymentStatus.REQUIRES_ACTION
    assert shop.posts() == 1


def test_what_is_not_found_is_never_sent_again_and_left_to_a_person(shop: Shop) -> None:
    pay, script = shop.process()
    script.next("create_payment", LostRequest())
    with pytest.raises(OutcomeUnknown):
        shop.order(pay)
    again, _ = shop.process()
    for _ in range(40):
        shop.harness.clock.advance(3_600)
        shop.do(again.operations.recover())
    (row,) = shop.do(again.operations.list())
    assert row.state == "needs_review"
    assert shop.posts() == 1, "absence was taken for a proof"
    word = {"reason": "It is not in Tollgate's books.", "author": "ada"}
    shop.do(again.operations.resolve(row.id, "not_executed", **word))
    assert shop.harness.bank.payments == ()
