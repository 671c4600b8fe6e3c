"""How an application tests its checkout: fixtures from payport's plugin, outcomes from tokens."""

from __future__ import annotations

import pytest

from payport import Handlers, Money, PaymentSucceeded, Payport
from payport.testing import FakeProvider
from payport.testing.faults import LostResponse

shipped: list[str] = []
handlers = Handlers()


@handlers.on(PaymentSucceeded)
def ship(event: PaymentSucceeded, tx: object) -> None:
    """The application's own handler."""
    del tx
    shipped.append(event.reference)


@pytest.fixture
def payport_handlers() -> Handlers:
    """Give the application's handlers to the `payport` fixture."""
    shipped.clear()
    return handlers


def checkout(pay: Payport, order: str, token: str) -> str:
    """The application's own code."""
    intent = pay.payments.create(
        reference=order, amount=Money(4999, "USD"), payment_method=token, confirm=True
    )
    return intent.decline.user_message if intent.decline else str(intent.status)


def test_a_paid_order_is_shipped_once(payport: Payport, payport_fake: FakeProvider) -> None:
    """Asked twice and told by webhook as well, it is still one order."""
    assert checkout(payport, "order_1", "pm_card_visa") == "succeeded"
    assert checkout(payport, "order_1", "pm_card_visa") == "succeeded"

    payport_fake.deliver(payport)

    assert shipped == ["order_1"]
    assert payport_fake.bank.charged("order_1") == Money(4999, "USD")


def test_a_declined_customer_reads_why(payport: Payport) -> None:
    """The message is payport's own, and safe to show."""
    said = checkout(payport, "order_2", "pm_card_insufficient_funds")

    assert "not enough money" in said


def test_a_lost_answer_charges_nobody_twice(payport: Payport, payport_fake: FakeProvider) -> None:
    """The bank took the money, and the answer never arrived."""
    payport_fake.next("create_payment", LostResponse())

    assert checkout(payport, "order_3", "pm_card_visa") == "succeeded"
    assert payport_fake.bank.charged("order_3") == Money(4999, "USD")
