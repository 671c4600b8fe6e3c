"""
The Adyen adapter against a bare `httpx` post of the same JSON with the same headers:
`create_payment`, without a journal, to a loopback server in another process that answers a canned
document; CPU time of this process.

The bare side parses the answer's JSON and nothing more. The adapter's side renders the request,
reads the answer into facts, and sends by connections of its own. Where sixteen calls wait at once,
both go by httpx's own connections; what the adapter makes of aiohttp's, which it takes by itself
where they are installed, is told beside.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import httpx
from canned import serving
from figures import Figure, accepted, at_most, cpu, in_turn, known

from payport.domain.money import Money
from payport.providers.adyen import AdyenProvider, AsyncAdyenProvider
from payport.providers.commands import CreatePayment, Terms
from payport.providers.exchange import Call
from payport.testing import AdyenSimulator
from payport.testing.adyen_simulator import MERCHANT_ACCOUNT

CALLS: Final = 300
AT_ONCE: Final = 16
GIVEN: Final[dict[str, Any]] = {
    "api_key": "AQE_obviously_fake",
    "merchant_account": MERCHANT_ACCOUNT,
    "environment": "test",
}
COMMAND: Final = CreatePayment(
    payment_id="pay_1",
    reference="order_1",
    attempt=1,
    terms=Terms(
        amount=Money(4999, "USD"),
        payment_method="PMCARDOK",
        return_url="https://shop.example/back",
    ),
    confirm=True,
)


def key(number: int) -> str:
    """The idempotency key of a call."""
    return f"pp1_{number:052d}"


def document() -> bytes:
    """What is answered: a payment as the simulator answers it."""
    rendered = AdyenProvider(**GIVEN).render(COMMAND, key(0))
    with httpx.Client(transport=AdyenSimulator().transport()) as client:
        answered = client.post(
            f"https://checkout-test.adyen.com{rendered.target}",
            headers={**rendered.headers, "X-API-Key": GIVEN["api_key"]},
            content=rendered.body,
        )
    return answered.raise_for_status().content


def asked() -> tuple[str, dict[str, Any]]:
    """The path, and the same JSON, from which httpx makes the body anew each time."""
    rendered = AdyenProvider(**GIVEN).render(COMMAND, key(0))
    return rendered.target, json.loads(rendered.body)


def headers(number: int) -> dict[str, str]:
    """The headers that the adapter sends."""
    return {"X-API-Key": GIVEN["api_key"], "Idempotency-Key": key(number)}


def blocking(address: str) -> dict[str, float]:
    """CPU seconds of a call, one after the other."""
    path, body = asked()
    ours = AdyenProvider(base_url=address, **GIVEN)
    bare = httpx.Client()

    def by_us() -> None:
        for number in range(CALLS):
            accepted(ours.create_payment(COMMAND, Call(key=key(number))))

    def by_httpx() -> None:
        for number in range(CALLS):
            bare.post(address + path, json=body, headers=headers(number)).json()

    try:
        return in_turn({"ours": lambda: cpu(by_us) / CALLS, "httpx": lambda: cpu(by_httpx) / CALLS})
    finally:
        ours.close()
        bare.close()


async def at_once(call: Callable[[int], Awaitable[object]]) -> None:
    """So many calls, sixteen of them at a time."""
    numbers = iter(range(CALLS))

    async def one_after_the_other() -> None:
        for number in numbers:
            await call(number)

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))


def awaited(address: str) -> dict[str, float]:
    """CPU seconds of a call where sixteen wait at once."""
    path, body = asked()
    bare, plain = httpx.AsyncClient(), httpx.AsyncClient()
    ours = AsyncAdyenProvider(base_url=address, http_client=plain, **GIVEN)
    as_it_comes = AsyncAdyenProvider(base_url=address, **GIVEN)

    def by(provider: AsyncAdyenProvider) -> Callable[[int], Awaitable[object]]:
        return lambda n: provider.create_payment(COMMAND, Call(key=key(n)))

    async def by_httpx(number: int) -> object:
        answer = await bare.post(address + path, json=body, headers=headers(number))
        told: object = answer.json()
        return told

    async def close() -> None:
        await as_it_comes.aclose()
        for client in (bare, plain):
            await client.aclose()

    with asyncio.Runner() as runner:

        def measured(call: Callable[[int], Awaitable[object]]) -> Callable[[], float]:
            return lambda: cpu(lambda: runner.run(at_once(call))) / CALLS

        taken = in_turn({"ours": measured(by(ours)), "httpx": measured(by_httpx)}, rounds=5)
        taken |= in_turn({"as it comes": measured(by(as_it_comes))}, rounds=3)
        runner.run(close())
    return taken


def figures() -> Iterator[Figure]:
    """Both colours."""
    answered = document()
    with serving(answered) as address:
        one, many = blocking(address), awaited(address)
    size = f"{len(answered) / 1000:.1f} kB answered"
    ratio = one["ours"] / one["httpx"]
    yield at_most(f"create, CPU against a bare httpx post ({size})", ratio, 1.5, unit="x")
    ratio = many["ours"] / many["httpx"]
    yield at_most("sixteen at once, awaited, CPU against bare httpx", ratio, 1.5, unit="x")
    yield known("create, CPU microseconds", one["ours"] * 1e6, digits=0)
    yield known("a bare post, CPU microseconds", one["httpx"] * 1e6, digits=0)
    yield known("sixteen at once, CPU microseconds a call", many["ours"] * 1e6, digits=0)
    yield known("the same by aiohttp's connections", many["as it comes"] * 1e6, digits=0)
