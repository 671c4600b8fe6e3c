"""
pytest fixtures for applications that use payport. Nothing here acts unless a test asks for it.

    def test_an_order_is_paid(payport, payport_fake):
        intent = payport.payments.create(
            reference="order_1", amount=Money(4999, "USD"), payment_method="pm_card_visa",
            confirm=True,
        )
        assert intent.status == "succeeded"
        assert payport_fake.bank.charged("order_1") == Money(4999, "USD")

Override `payport_handlers` to have your own handlers called by `payport_fake.deliver(payport)`. The
module itself imports nothing of payport, so that loading the plugin costs a test suite nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from payport import AsyncPayport, Handlers, Payport
    from payport.testing import AsyncFakeProvider, FakeClock, FakeProvider

__all__ = [
    "async_payport",
    "async_payport_fake",
    "payport",
    "payport_clock",
    "payport_fake",
    "payport_handlers",
    "payport_network_block",
]


@pytest.fixture
def payport_clock() -> FakeClock:
    """A clock that stands still until a test moves it."""
    from payport.testing import FakeClock  # noqa: PLC0415 - lazy, as the module says

    return FakeClock()


@pytest.fixture
def payport_fake(payport_clock: FakeClock) -> FakeProvider:
    """The fake provider behind `payport`: script it, deliver its webhooks, look into its bank."""
    from payport.testing import FakeProvider  # noqa: PLC0415 - lazy, as the module says

    return FakeProvider(clock=payport_clock)


@pytest.fixture
def async_payport_fake(payport_fake: FakeProvider) -> AsyncFakeProvider:
    """The fake provider behind `async_payport`; its bank is that of `payport_fake`."""
    from payport.testing import AsyncFakeProvider  # noqa: PLC0415 - lazy, as the module says

    return AsyncFakeProvider(bank=payport_fake.bank)


@pytest.fixture
def payport_handlers() -> Handlers:
    """No handlers; override it with the application's."""
    from payport import Handlers  # noqa: PLC0415 - lazy, as the module says

    return Handlers()


@pytest.fixture
def payport(payport_fake: FakeProvider, payport_handlers: Handlers) -> Iterator[Payport]:
    """A client on the fake, with a store in memory."""
    from payport import Payport  # noqa: PLC0415 - lazy, as the module says

    with Payport(payport_fake, handlers=payport_handlers) as client:
        yield client


@pytest.fixture
def async_payport(
    async_payport_fake: AsyncFakeProvider, payport_handlers: Handlers
) -> AsyncPayport:
    """
    An awaited client on the fake, with a store in memory.

    It belongs to the first event loop that uses it, and has nothing to close: a test may run it by
    `asyncio.run` or by whatever plugin it likes.
    """
    from payport import AsyncPayport  # noqa: PLC0415 - lazy, as the module says

    return AsyncPayport(async_payport_fake, handlers=payport_handlers)


@pytest.fixture
def payport_network_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection, datagram and look-up of a name, loopback included."""

    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        del args, kwargs
        pytest.fail("the test reached for the network, and payport_network_block forbids it")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("create_connection", "getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        monkeypatch.setattr(socket, name, refuse)
