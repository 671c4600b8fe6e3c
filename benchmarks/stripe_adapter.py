"""
The Stripe adapter against the official SDK: `create_payment`, without a journal, to a loopback
server in another process that answers a canned document; CPU time of this process.

The SDK's side is its typed call, `v1.payment_intents.create`, on the fastest client that it has:
its httpx client, and its aiohttp client where sixteen calls wait at once. The adapter's side
renders the request, compares what the SDK would write, and reads the answer into facts. The bars
are on the document that Stripe answers where nothing is expanded, of little more than a kilobyte;
with the charge in it, as the adapter asks, the SDK makes more objects.
"""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import httpx
import stripe
from canned import serving
from figures import Figure, accepted, at_most, cpu, in_turn, known

from payport.domain.money import Money
from payport.providers.commands import CreatePayment, Terms
from payport.providers.exchange import Call
from payport.providers.stripe import AsyncStripeProvider, StripeProvider
from payport.testing import StripeSimulator

KEY: Final = "sk_test_obviouslyfake"
CALLS: Final = 300
AT_ONCE: Final = 16
COMMAND: Final = CreatePayment(
    payment_id="pay_1",
    reference="order_1",
    attempt=1,
    terms=Terms(amount=Money(4999, "USD"), payment_method="pm_card_visa"),
    confirm=True,
)


def documents() -> Iterator[tuple[str, bytes]]:
    """What is answered, by name: a payment as Stripe tells it, without and with its charge."""
    with httpx.Client(transport=StripeSimulator().transport()) as client:
        provider = StripeProvider(api_key=KEY)
        answered = client.post(
            "https://api.stripe.com/v1/payment_intents",
            headers={
                "Authorization": f"Bearer {KEY}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            content=provider.render(COMMAND, "canned").body,
        )
    payment = answered.raise_for_status().json()
    named = {**payment, "latest_charge": payment["latest_charge"]["id"]}
    yield "payment alone", json.dumps(named, separators=(",", ":")).encode()
    yield "payment and charge", json.dumps(payment, separators=(",", ":")).encode()


def typed(number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same request as the SDK's parameters and options."""
    params = {
        "amount": 4999,
        "currency": "usd",
        "confirm": True,
        "capture_method": "automatic",
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "payment_method": "pm_card_visa",
        "metadata": {"payport_key": f"pp1_{number:052d}", "payport_reference": "order_1"},
        "expand": ["latest_charge"],
    }
    return params, {"idempotency_key": f"pp1_{number:052d}"}


def sdk_at(address: str, client: stripe.HTTPClient) -> Any:
    """The SDK on one of its clients."""
    return stripe.StripeClient(
        KEY, base_addresses={"api": address}, http_client=client, max_network_retries=0
    )


def blocking(address: str) -> dict[str, float]:
    """CPU seconds of a call, one after the other."""
    ours = StripeProvider(api_key=KEY, base_url=address)
    sdk = sdk_at(address, stripe.HTTPXClient(allow_sync_methods=True))

    def by_us() -> None:
        for number in range(CALLS):
            accepted(ours.create_payment(COMMAND, Call(key=f"pp1_{number:052d}")))

    def by_sdk() -> None:
        for number in range(CALLS):
            sdk.v1.payment_intents.create(*typed(number))

    try:
        return in_turn({"ours": lambda: cpu(by_us) / CALLS, "sdk": lambda: cpu(by_sdk) / CALLS})
    finally:
        ours.close()


async def at_once(call: Callable[[int], Awaitable[object]]) -> None:
    """So many calls, sixteen of them at a time."""
    numbers = iter(range(CALLS))

    async def one_after_the_other() -> None:
        for number in numbers:
            await call(number)

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))


def awaited(address: str) -> dict[str, float]:
    """CPU seconds of a call where sixteen wait at once."""
    plain = httpx.AsyncClient()
    ours = AsyncStripeProvider(api_key=KEY, base_url=address)
    on_httpx = AsyncStripeProvider(api_key=KEY, base_url=address, http_client=plain)
    connections = stripe.AIOHTTPClient()
    sdk = sdk_at(address, connections)

    def by(provider: AsyncStripeProvider) -> Callable[[int], Awaitable[object]]:
        return lambda n: provider.create_payment(COMMAND, Call(key=f"pp1_{n:052d}"))

    def by_sdk(number: int) -> Awaitable[object]:
        created: Awaitable[object] = sdk.v1.payment_intents.create_async(*typed(number))
        return created

    async def close() -> None:
        await ours.aclose()
        await plain.aclose()
        await connections.close_async()

    with asyncio.Runner() as runner:

        def measured(call: Callable[[int], Awaitable[object]]) -> Callable[[], float]:
            return lambda: cpu(lambda: runner.run(at_once(call))) / CALLS

        contenders = {"ours": measured(by(ours)), "sdk": measured(by_sdk)}
        taken = in_turn(contenders)
        taken |= in_turn({"on httpx": measured(by(on_httpx))}, rounds=3)
        runner.run(close())
    return taken


def figures() -> Iterator[Figure]:
    """Both colours, with and without a charge."""
    # The SDK's httpx client passes text where httpx wants bytes, and is told so each time.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="httpx")
    stripe.enable_telemetry = False
    for name, document in documents():
        has_bar = name == "payment alone"
        size = f"{name}, {len(document) / 1000:.1f} kB"
        with serving(document) as address:
            one, many = blocking(address), awaited(address)
        first = f"create, CPU against the SDK's httpx client ({size})"
        then = f"sixteen at once, awaited, CPU against the SDK's aiohttp client ({size})"
        for what, taken, bar in ((first, one, 0.9), (then, many, 1.2)):
            ratio = taken["ours"] / taken["sdk"]
            yield at_most(what, ratio, bar, unit="x") if has_bar else known(what, ratio, unit="x")
        if has_bar:
            for what, seconds in (
                ("create, CPU microseconds", one["ours"]),
                ("create by the SDK, CPU microseconds", one["sdk"]),
                ("sixteen at once, CPU microseconds a call", many["ours"]),
                ("sixteen at once by the SDK, CPU microseconds a call", many["sdk"]),
            ):
                yield known(what, seconds * 1e6, digits=0)
            slower = many["on httpx"] / many["ours"]
            yield known("sixteen at once on httpx's own pool, against aiohttp", slower, unit="x")
