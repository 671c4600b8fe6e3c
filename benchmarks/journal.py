"""The journal: what a payment costs that is written down before it is sent."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from itertools import count

from figures import Figure, accepted, best

from payport import Money, Payport
from payport.providers.commands import CreatePayment, Terms
from payport.providers.exchange import Call
from payport.testing import FakeProvider


def figures() -> Iterator[Figure]:
    """What a journaled payment costs over the fake alone."""
    payments = 500
    alone = FakeProvider()
    numbers = count()

    def bare() -> float:
        began = time.perf_counter()
        for _ in range(payments):
            number = next(numbers)
            create = CreatePayment(
                payment_id=f"o{number}",
                reference=f"o{number}",
                attempt=1,
                terms=Terms(amount=Money(4999, "USD"), payment_method="pm_card_visa"),
                confirm=True,
            )
            accepted(alone.create_payment(create, Call(key=f"k{number}")))
        return time.perf_counter() - began

    def journaled(pay: Payport) -> float:
        began = time.perf_counter()
        for _ in range(payments):
            pay.payments.create(
                reference=f"order_{next(numbers)}",
                amount=Money(4999, "USD"),
                payment_method="pm_card_visa",
                confirm=True,
            )
        return time.perf_counter() - began

    base = best(bare)
    with tempfile.TemporaryDirectory() as folder:
        for name, store in (("memory", "memory"), ("SQLite", f"sqlite:///{folder}/payments.db")):
            with Payport(FakeProvider(), store=store) as pay:
                added = (best(lambda pay=pay: journaled(pay)) - base) / payments * 1e3
            yield Figure(
                what=f"a journaled create on {name} over the fake alone, milliseconds",
                measured=f"{added:.2f}",
                bar="for information",
                held=True,
            )
