"""
More requests than this process has connections: that is proven not executed, it says nothing of the
provider, and no breaker opens for it.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest

from payport import AsyncPayport, Money, Payport, ProviderUnavailable
from payport.domain.outcomes import Certainty, FailureKind
from payport.providers.breaker import BreakerState
from payport.providers.exchange import TransportError
from payport.providers.http_clients import failures, unanswered
from payport.providers.on_aiohttp import AiohttpClient
from payport.providers.outcomes import failure_from_transport
from payport.providers.retries import NO_RETRIES
from payport.providers.stripe import AsyncStripeProvider, StripeProvider
from payport.testing import StripeSimulator

ONE = httpx.Limits(max_connections=1)
#: Seconds for everything but a free connection, of which there is none for so long.
TIMES = httpx.Timeout(10, pool=0.05)


@contextmanager
def silent_server() -> Iterator[tuple[str, threading.Event]]:
    """An address where requests are taken and not answered, and whether one was taken."""
    taken = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        kept: list[socket.socket] = []

        def take() -> None:
            connection, _ = listening.accept()
            kept.append(connection)
            connection.recv(1000)
            taken.set()

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", taken
        finally:
            thread.join(10)
            for connection in kept:
                connection.close()


def blocked() -> TransportError:
    """What a second request ends in that blocks, while the only connection is taken."""

    def ask() -> None:
        with suppress(httpx.HTTPError):
            client.get(url)

    with silent_server() as (url, taken), httpx.Client(limits=ONE, timeout=TIMES) as client:
        first = threading.Thread(target=ask)
        first.start()
        assert taken.wait(10)
        with pytest.raises(failures()) as raised:
            client.get(url)
    first.join(10)
    return unanswered(raised.value)


def awaited(kind: type[httpx.AsyncClient]) -> TransportError:
    """The same of one that is awaited."""

    async def main(url: str, taken: threading.Event) -> TransportError:
        async with kind(limits=ONE, timeout=TIMES, trust_env=False) as client:
            first = asyncio.create_task(client.get(url))
            assert await asyncio.to_thread(taken.wait, 10)
            with pytest.raises(failures()) as raised:
                await client.get(url)
            first.cancel()
            await asyncio.wait([first])
            return unanswered(raised.value)

    with silent_server() as (url, taken):
        return asyncio.run(main(url, taken))


@pytest.mark.parametrize(
    "crowd",
    [blocked, lambda: awaited(httpx.AsyncClient), lambda: awaited(AiohttpClient)],
    ids=["httpx, blocking", "httpx, awaited", "aiohttp"],
)
def test_without_a_free_connection_nothing_was_sent_and_nobody_is_unwell(crowd: Any) -> None:
    error = crowd()
    assert (error.sent, error.congested) == (False, True)
    failure = failure_from_transport(error)
    assert (failure.kind, failure.certainty) == (FailureKind.CONGESTED, Certainty.NO_EFFECT)


def test_what_was_sent_is_never_congestion() -> None:
    error = TransportError("reset", sent=True, congested=True)
    assert failure_from_transport(error).kind is FailureKind.UNKNOWN


def test_a_turn_on_aiohttp_is_given_back_whatever_a_request_ends_in() -> None:
    async def main() -> list[type[BaseException]]:
        async with AiohttpClient(limits=ONE, timeout=TIMES, trust_env=False) as client:
            told = []
            for _ in range(3):
                with pytest.raises(httpx.TransportError) as raised:
                    await client.get("http://127.0.0.1:1/")
                told.append(raised.type)
            return told

    told = asyncio.run(main())
    assert len(told) == 3
    assert set(told) <= {httpx.ConnectError, httpx.ConnectTimeout}, "a turn was not given back"


class Crowded(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A pool without a free connection for so many payments, before the simulator."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.simulator = StripeSimulator()
        self._blocking, self._awaited = self.simulator.transport(), self.simulator.async_transport()

    def _enter(self, request: httpx.Request) -> None:
        if request.method == "POST" and self.left:
            self.left -= 1
            raise httpx.PoolTimeout("no connection was free", request=request)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._enter(request)
        return self._blocking.handle_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._enter(request)
        return await self._awaited.handle_async_request(request)


ASKED: dict[str, Any] = {
    "reference": "order_1",
    "amount": Money(4999, "USD"),
    "payment_method": "pm_card_visa",
    "confirm": True,
}
#: More than the failures in a row that open a breaker.
MANY = 15


def test_a_crowd_opens_no_breaker() -> None:
    crowded = Crowded(MANY)
    provider = StripeProvider(
        api_key="sk_test_obviouslyfake", http_client=httpx.Client(transport=crowded)
    )
    with Payport(provider, scope="shop", store="memory", retries=NO_RETRIES) as pay:
        for _ in range(MANY):
            with pytest.raises(ProviderUnavailable, match="connections was free") as raised:
                pay.payments.create(**ASKED)
            assert not raised.value.money_may_have_moved
        assert pay.breaker.state is BreakerState.CLOSED
        assert {row.state for row in pay.operations.list()} == {"no_effect"}
        assert pay.payments.create(**ASKED).is_paid


def test_a_crowd_of_tasks_opens_no_breaker() -> None:
    async def main() -> None:
        provider = AsyncStripeProvider(
            api_key="sk_test_obviouslyfake",
            http_client=httpx.AsyncClient(transport=Crowded(MANY)),
        )
        async with AsyncPayport(provider, scope="shop", store="memory", retries=NO_RETRIES) as pay:
            for _ in range(MANY):
                with pytest.raises(ProviderUnavailable, match="connections was free"):
                    await pay.payments.create(**ASKED)
            assert pay.breaker.state is BreakerState.CLOSED
            assert (await pay.payments.create(**ASKED)).is_paid

    asyncio.run(main())
