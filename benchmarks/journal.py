"""
The journal: what a payment costs that is written down before it is sent, on SQLite with FULL, to a
loopback server in another process that answers at once. Live calls take some hundred times longer.

The SDK's side is its typed call, `v1.payment_intents.create`, by the client that it has unless told
otherwise (requests), and by its httpx client. Its answer is the payment alone, as it asks for
nothing more; payport's is the payment with its charge. Ratios are medians of rounds taken in turn.
What the journal adds is the CPU time of `pay.payments.create` less that of the provider's own
`create_payment`: journal, retries, breaker and rate limit.
"""

from __future__ import annotations

import json
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx
import stripe
from figures import Figure, accepted, at_least, at_most, known
from numbered import KEY, NUMBER, serving

from payport import Money, Payport
from payport.domain.identifiers import Kind, derive_id
from payport.providers.commands import CreatePayment, Terms
from payport.providers.exchange import Call
from payport.providers.stripe import StripeProvider
from payport.testing import StripeSimulator

API_KEY: Final = "sk_test_obviouslyfake"
CALLS: Final = 60
ROUNDS: Final = 9
THREADS: Final = 32
#: More than any run takes, so that the limit is asked for each call and is never reached.
RATE: Final = 100_000

_numbers: Final = count(1)


def documents() -> tuple[bytes, bytes]:
    """What is answered: a payment as Stripe tells it, without and with its charge."""
    command = _command(0)
    with httpx.Client(transport=StripeSimulator().transport()) as client:
        answered = client.post(
            "https://api.stripe.com/v1/payment_intents",
            headers={
                "Authorization": f"Bearer {API_KEY}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            content=StripeProvider(api_key=API_KEY).render(command, KEY).body,
        )
    payment = answered.raise_for_status().json()
    charge = payment["latest_charge"]["id"]
    whole = json.dumps(payment, separators=(",", ":"))
    alone = json.dumps({**payment, "latest_charge": charge}, separators=(",", ":"))

    def numbered(text: str) -> bytes:
        told = text.replace(payment["id"], f"pi_{NUMBER}").replace(charge, f"ch_{NUMBER}")
        return told.encode()

    return numbered(alone), numbered(whole)


def _command(number: int) -> CreatePayment:
    terms = Terms(amount=Money(4999, "USD"), payment_method="pm_card_visa")
    name = f"order_{number}"
    payment = derive_id(Kind.PAYMENT, "shop", "test", name)
    return CreatePayment(payment_id=payment, reference=name, attempt=1, terms=terms, confirm=True)


def _by_sdk(client: Any) -> None:
    number = next(_numbers)
    client.v1.payment_intents.create(
        {
            "amount": 4999,
            "currency": "usd",
            "confirm": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "payment_method": "pm_card_visa",
            "metadata": {"order": f"order_{number}"},
        },
    )


def _by_provider(provider: StripeProvider) -> None:
    number = next(_numbers)
    accepted(provider.create_payment(_command(number), Call(key=f"pp1_{number:052d}")))


def _journaled(pay: Payport) -> None:
    pay.payments.create(
        reference=f"order_{next(_numbers)}",
        amount=Money(4999, "USD"),
        payment_method="pm_card_visa",
        confirm=True,
    )


Contenders = Mapping[str, Callable[[], None]]


def contenders(address: str, folder: str, stack: ExitStack) -> Contenders:
    """Everybody, each with one call."""
    made = {
        name: Payport(
            StripeProvider(api_key=API_KEY, base_url=address),
            scope="shop",
            store=store,
            rate_limit=RATE,
        )
        for name, store in (("sqlite", f"sqlite:///{folder}/payments.db"), ("memory", "memory"))
    }
    bare = StripeProvider(api_key=API_KEY, base_url=address)
    addresses: Any = {"api": address}
    on_requests = stripe.StripeClient(API_KEY, base_addresses=addresses)
    on_httpx = stripe.StripeClient(
        API_KEY,
        base_addresses=addresses,
        http_client=stripe.HTTPXClient(allow_sync_methods=True),
    )
    for pay in made.values():
        stack.callback(pay.close)
    stack.callback(bare.close)
    calls: dict[str, Callable[[], None]] = {
        "sdk": lambda: _by_sdk(on_requests),
        "sdk on httpx": lambda: _by_sdk(on_httpx),
        "provider": lambda: _by_provider(bare),
        "sqlite": lambda: _journaled(made["sqlite"]),
        "memory": lambda: _journaled(made["memory"]),
    }
    return calls


def one_by_one(calls: Contenders) -> dict[str, tuple[float, float]]:
    """Wall and CPU seconds of a call: the medians of rounds in turn."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(ROUNDS):
        for name, call in calls.items():
            wall, used = time.perf_counter(), time.process_time()
            for _ in range(CALLS):
                call()
            wall, used = time.perf_counter() - wall, time.process_time() - used
            taken[name].append((wall / CALLS, used / CALLS))
    return {
        name: (median(wall for wall, _ in many), median(used for _, used in many))
        for name, many in taken.items()
    }


def at_once(calls: Contenders) -> dict[str, float]:
    """Calls a second where so many threads make them: the medians of rounds in turn."""
    rates: dict[str, list[float]] = {name: [] for name in calls}
    with ThreadPoolExecutor(THREADS) as threads:

        def rate(call: Callable[[], None], each: int) -> float:
            began = time.perf_counter()
            list(threads.map(lambda _: [call() for _ in range(each)], range(THREADS)))
            return THREADS * each / (time.perf_counter() - began)

        for call in calls.values():
            rate(call, 1)
        for _ in range(ROUNDS):
            for name, call in calls.items():
                rates[name].append(rate(call, 6))
    return {name: median(many) for name, many in rates.items()}


def figures() -> Iterator[Figure]:
    """One call after the other, many at once, and what the journal adds."""
    # The SDK's httpx client passes text where httpx wants bytes, and is told so each time.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="httpx")
    stripe.enable_telemetry = False
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        address = stack.enter_context(serving(*documents()))
        calls = contenders(address, str(Path(folder)), stack)
        one = one_by_one(calls)
        many = at_once({name: calls[name] for name in ("sdk", "sdk on httpx", "sqlite")})
    (sdk, _), (on_httpx, _), (sqlite, _) = one["sdk"], one["sdk on httpx"], one["sqlite"]
    yield at_most("a journaled create, wall against the SDK's call", sqlite / sdk, 1.5, unit="x")
    yield known("the same against the SDK on httpx", sqlite / on_httpx, unit="x")
    yield known("a journaled create, wall milliseconds", sqlite * 1e3)
    yield known("the SDK's call, wall milliseconds", sdk * 1e3)
    rate = many["sqlite"] / many["sdk"]
    what = f"{THREADS} threads at once, throughput against the SDK's"
    yield at_least(what, rate, 0.7, unit="x", digits=2)
    rate = many["sqlite"] / many["sdk on httpx"]
    yield known(f"{THREADS} threads at once, against the SDK on httpx", rate, unit="x")
    yield known(f"{THREADS} threads at once, journaled creates a second", many["sqlite"], digits=0)
    base = one["provider"][1]
    added = {name: (one[name][1] - base) * 1e3 for name in ("sqlite", "memory")}
    yield at_most("CPU that the journal adds to a call on SQLite", added["sqlite"], 0.6, unit=" ms")
    yield known("CPU that the journal adds to a call in memory", added["memory"], unit=" ms")
    yield known("CPU of the provider's own call", base * 1e3, unit=" ms")
