"""
Effort: how many functions are called for a payment, which no other process can disturb.

Bounds are a fifth above what was counted on Python 3.11 and stripe 16.1. What it costs in time, and
beside the SDK, is measured by `make bench`.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from stripe_help import CALL, KEY, PRICE, charge, creating, payment

from payport import Payport
from payport.providers.outcomes import Answer
from payport.providers.stripe import AsyncStripeProvider, StripeProvider
from payport.testing import StripeSimulator
from payport.testing.stripe_simulator import HttpRequest

_KEY_HEADER: Final = "idempotency-key"


def calls_of(work: Callable[[], object]) -> int:
    """How many functions are called, those of C included."""
    calls = 0

    def count(_frame: Any, event: str, _: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    work()  # what happens once, such as imports, has happened
    gc.disable()  # finalizers of other tests' objects are nobody's effort
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls


def answered(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json=payment(latest_charge=charge()))


@pytest.mark.parametrize(("colour", "most"), [("sync", 1_500), ("async", 1_820)])
def test_a_payment_is_made_with_little_ado(colour: str, most: int) -> None:
    carried = httpx.MockTransport(answered)
    with asyncio.Runner() as runner:
        if colour == "sync":
            provider: Any = StripeProvider(api_key=KEY, http_client=httpx.Client(transport=carried))
            run = lambda outcome: outcome  # noqa: E731 - beside its twin
        else:
            client = httpx.AsyncClient(transport=carried)
            provider, run = AsyncStripeProvider(api_key=KEY, http_client=client), runner.run

        def create() -> None:
            assert isinstance(run(provider.create_payment(creating(), CALL)), Answer)

        assert 0 < calls_of(create) <= most


@pytest.mark.parametrize(("store", "most"), [("memory", 980), ("sqlite", 960)])
def test_a_journal_adds_little_ado(store: str, most: int, tmp_path: Path) -> None:
    url = "memory" if store == "memory" else f"sqlite:///{tmp_path}/payments.db"
    numbers = itertools.count(1)

    def answered_anew(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"id": "acct_1", "object": "account"})
        number = next(numbers)
        made = charge(id=f"ch_{number}", metadata={"payport_key": request.headers[_KEY_HEADER]})
        return httpx.Response(200, json=payment(id=f"pi_{number}", latest_charge=made))

    client = httpx.Client(transport=httpx.MockTransport(answered_anew))
    bare = StripeProvider(api_key=KEY, http_client=client)
    with Payport(StripeProvider(api_key=KEY, http_client=client), scope="shop", store=url) as pay:
        create = pay.payments.create

        def journaled() -> None:
            reference = f"order_{next(numbers)}"
            paid = create(
                reference=reference, amount=PRICE, payment_method="pm_card_visa", confirm=True
            )
            assert paid.status == "succeeded"

        unjournaled = calls_of(lambda: bare.create_payment(creating(), CALL))
        assert 0 < calls_of(journaled) - unjournaled <= most


def test_the_simulator_answers_with_little_ado() -> None:
    simulator = StripeSimulator()
    headers = {
        "authorization": f"Bearer {KEY}",
        "content-type": "application/x-www-form-urlencoded",
    }
    body = b"amount=4999&currency=usd&payment_method=pm_card_visa&confirm=true"
    body += b"&expand[0]=latest_charge&return_url=https://shop.example/"

    def pay() -> None:
        request = HttpRequest(
            method="POST", target="/v1/payment_intents", headers=headers, body=body
        )
        assert simulator.handle(request).status == 200

    assert 0 < calls_of(pay) <= 740
