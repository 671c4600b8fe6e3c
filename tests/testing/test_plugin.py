"""The fixtures that applications' tests are given."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys

import pytest

from payport import AsyncPayport, Handlers, Money, PaymentSucceeded, Payport
from payport.testing import AsyncFakeProvider, FakeClock, FakeProvider

PRICE = Money(4999, "USD")
heard: list[str] = []


@pytest.fixture
def payport_handlers() -> Handlers:
    heard.clear()
    handlers = Handlers()
    handlers.on(PaymentSucceeded)(lambda event, tx: heard.append(event.reference))
    return handlers


def buy(pay: Payport) -> str:
    intent = pay.payments.create(
        reference="order_1", amount=PRICE, payment_method="pm_card_visa", confirm=True
    )
    return intent.status


def test_the_client_is_on_the_fake_and_its_clock(
    payport: Payport, payport_fake: FakeProvider, payport_clock: FakeClock
) -> None:
    assert buy(payport) == "succeeded"
    assert payport_fake.bank.charged("order_1") == PRICE
    assert payport.payments.get(reference="order_1").created_at == payport_clock.now()


def test_an_overridden_fixture_brings_handlers(
    payport: Payport, payport_fake: FakeProvider
) -> None:
    buy(payport)
    payport_fake.deliver(payport)

    assert heard == ["order_1"]


def test_the_awaited_client_shares_the_bank(
    async_payport: AsyncPayport, async_payport_fake: AsyncFakeProvider, payport_fake: FakeProvider
) -> None:
    async def main() -> None:
        intent = await async_payport.payments.create(
            reference="order_2", amount=PRICE, payment_method="pm_card_visa", confirm=True
        )
        assert intent.status == "succeeded"
        await async_payport_fake.deliver(async_payport)

    asyncio.run(main())
    assert payport_fake.bank.charged("order_2") == PRICE
    assert heard == ["order_2"]


def test_each_test_has_a_bank_of_its_own(payport_fake: FakeProvider) -> None:
    assert payport_fake.bank.payments == ()


@pytest.mark.usefixtures("payport_network_block")
def test_the_network_is_out_of_reach_where_that_is_asked_for() -> None:
    with pytest.raises(pytest.fail.Exception, match="forbids"):
        socket.create_connection(("127.0.0.1", 9))
    with pytest.raises(pytest.fail.Exception, match="forbids"):
        socket.getaddrinfo("shop.example", 443)
    with pytest.raises(pytest.fail.Exception, match="forbids"):
        socket.gethostbyname("shop.example")
    datagrams = socket.socket(type=socket.SOCK_DGRAM)
    with pytest.raises(pytest.fail.Exception, match="forbids"), datagrams as one:
        one.sendto(b"", ("127.0.0.1", 9))
    with pytest.raises(pytest.fail.Exception, match="forbids"), socket.socket() as one:
        one.connect(("127.0.0.1", 9))


def test_the_network_is_there_where_nobody_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


def test_loading_the_plugin_imports_nothing_of_payport() -> None:
    code = (
        "import importlib.util, sys; "
        "spec = importlib.util.find_spec('payport.testing.plugin'); "
        "import payport.testing.plugin; "
        "print(*sorted(name for name in sys.modules if name.startswith('payport')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)

    assert done.stdout.split() == ["payport", "payport.testing", "payport.testing.plugin"]
