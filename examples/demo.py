"""
`make demo`: five payments on the fake with a SQLite file, asked twice, one killed in the middle.

It ends with a table of what was asked, how often, and what the bank moved, and with how true the
Stripe simulator is to recorded traffic. It exits with 1 if the two disagree, or if it is not true.
"""

from __future__ import annotations

import importlib
import logging
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from payport import Money, PaymentIntent, PaymentStatus, Payport, Redirect
from payport.testing import FakeClock, FakeProvider
from payport.testing.faults import Crash, CrashAfter


def usd(minor: int) -> Money:
    """US dollars, in cents."""
    return Money(minor, "USD")


@dataclass
class Shop:
    """An application, its store, and a bank that outlives it."""

    url: str
    fake: FakeProvider = field(default_factory=lambda: FakeProvider(clock=FakeClock()))
    asked: int = 0
    kills: int = 0

    def __post_init__(self) -> None:
        """Start the application's first process."""
        self.pay = Payport(self.fake, scope="demo", store=self.url)

    def restart(self) -> None:
        """Begin again with nothing but the file: a new provider, and a new client."""
        self.pay.close()
        self.fake = FakeProvider(bank=self.fake.bank)
        self.pay = Payport(self.fake, scope="demo", store=self.url)

    def twice(self, request: Callable[[Payport], PaymentIntent]) -> PaymentIntent:
        """Ask, and ask again as a customer does who clicks twice."""
        self.once(request)
        return self.once(request)

    def once(self, request: Callable[[Payport], PaymentIntent]) -> PaymentIntent:
        """Ask, and ask again after a restart where the process was killed."""
        self.asked += 1
        try:
            return request(self.pay)
        except Crash:
            self.kills += 1
            self.restart()
        return self.once(request)


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    order: str
    wanted: str
    asked: int
    status: str
    expected: Money
    moved: Money


def success(shop: Shop) -> tuple[PaymentIntent, Money]:
    """Pay, and be killed after the bank took the money and before the answer arrived."""
    shop.fake.next("create_payment", CrashAfter())
    paid = shop.twice(
        lambda pay: pay.payments.create(
            reference="order_1", amount=usd(4999), payment_method="pm_card_visa", confirm=True
        )
    )
    return paid, usd(4999)


def decline(shop: Shop) -> tuple[PaymentIntent, Money]:
    """Be declined, with words for the customer."""
    declined = shop.twice(
        lambda pay: pay.payments.create(
            reference="order_2",
            amount=usd(1200),
            payment_method="pm_card_insufficient_funds",
            confirm=True,
        )
    )
    if declined.decline:
        print(f"order_2: the customer reads: {declined.decline.user_message}")
    return declined, usd(0)


def three_d_secure(shop: Shop) -> tuple[PaymentIntent, Money]:
    """Send the customer to their bank, and learn the outcome by webhook."""
    intent = shop.twice(
        lambda pay: pay.payments.create(
            reference="order_3",
            amount=usd(2500),
            payment_method="pm_card_authenticate",
            confirm=True,
            return_url="https://shop.example/return",
        )
    )
    if isinstance(intent.next_action, Redirect):
        print(f"order_3: the customer is sent to: {intent.next_action.url}")
    shop.fake.bank.authenticate(intent.provider_ref or "", ok=True)
    shop.fake.deliver(shop.pay)
    return shop.pay.payments.get(intent.id), usd(2500)


def partial_captures(shop: Shop) -> tuple[PaymentIntent, Money]:
    """Hold money, and take it in two equal parts as the parcels leave."""
    held = shop.twice(
        lambda pay: pay.payments.create(
            reference="order_4",
            amount=usd(6000),
            payment_method="pm_card_visa",
            capture_method="manual",
            confirm=True,
        )
    )
    capture = partial(take, payment=held.id)
    shop.twice(partial(capture, parcel="parcel_1"))
    return shop.twice(partial(capture, parcel="parcel_2")), usd(6000)


def take(pay: Payport, payment: str, parcel: str) -> PaymentIntent:
    """Capture for one parcel."""
    return pay.payments.capture(payment, amount=usd(3000), reference=parcel)


def equal_refunds(shop: Shop) -> tuple[PaymentIntent, Money]:
    """Pay, and give the same amount back twice, for two different things."""
    paid = shop.twice(
        lambda pay: pay.payments.create(
            reference="order_5", amount=usd(8000), payment_method="pm_card_visa", confirm=True
        )
    )
    refund = partial(give_back, payment=paid.id)
    shop.twice(partial(refund, thing="return_1"))
    return shop.twice(partial(refund, thing="return_2")), usd(6000)


def give_back(pay: Payport, payment: str, thing: str) -> PaymentIntent:
    """Refund for one thing that came back."""
    pay.refunds.create(payment=payment, reference=thing, amount=usd(1000))
    return pay.payments.get(payment)


STORIES = {
    "order_1": ("pay 49.99, killed in the middle", success),
    "order_2": ("pay 12.00, declined", decline),
    "order_3": ("pay 25.00 with 3-D Secure", three_d_secure),
    "order_4": ("hold 60.00, capture 2 x 30.00", partial_captures),
    "order_5": ("pay 80.00, refund 2 x 10.00", equal_refunds),
}


def told(shop: Shop) -> list[Line]:
    """Run every story."""
    lines: list[Line] = []
    for order, (wanted, story) in STORIES.items():
        before = shop.asked
        intent, expected = story(shop)
        lines.append(
            Line(
                order=order,
                wanted=wanted,
                asked=shop.asked - before,
                status=describe(intent),
                expected=expected,
                moved=shop.fake.bank.moved(order),
            )
        )
    return lines


def describe(intent: PaymentIntent) -> str:
    """What payport knows of the payment."""
    if intent.status is PaymentStatus.SUCCEEDED and not intent.refunded.is_zero:
        return f"{intent.status}, {intent.refunded} refunded"
    return str(intent.status)


def fidelity() -> tuple[str, bool]:
    """How true the Stripe simulator and adapter are to real traffic, as `make fidelity` says."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "fidelity"))
    report = importlib.import_module("report").report()
    return report.summary, report.is_true


def main() -> int:
    """Tell the stories, print the table, and compare it with the bank's books."""
    # One process alone uses this file: that is what the warning about old SQLite versions asks.
    logging.getLogger("payport.storage").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(f"sqlite:///{Path(folder) / 'payments.db'}")
        lines = told(shop)
        shop.pay.close()
    row = "{:<9} {:<32} {:>6}  {:<32} {:>10} {:>10}"
    print()
    print(row.format("order", "what was asked", "times", "payport says", "expected", "bank moved"))
    for line in lines:
        cells = (line.order, line.wanted, line.asked, line.status, line.expected, line.moved)
        print(row.format(*(str(cell) for cell in cells)))
    wrong = [line.order for line in lines if line.expected != line.moved]
    print()
    print(f"{shop.asked} requests, {shop.kills} killed, {len(wrong)} orders moved the wrong money")
    summary, is_true = fidelity()
    print(summary)
    return 1 if wrong or not shop.kills or not is_true else 0


if __name__ == "__main__":
    sys.exit(main())
