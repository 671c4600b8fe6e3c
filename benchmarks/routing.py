"""
A router's decision: pure Python, no I/O, asked once for each new payment. Five providers and twenty
rules with all kinds of conditions. The last rule's payment is compared with all of them; a share
adds a SHA-256. All are CPU time. What a payment costs more by a router of two than by its provider alone is one
look into the store, here the one in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Final

from figures import Figure, at_most, best, cpu, in_turn, known

from payport import Money, Payport
from payport.domain.frozen import FrozenMapping
from payport.providers.routing import Asked, Router, Rule
from payport.testing import FakeClock, FakeProvider

NAMES: Final = ("a", "b", "c", "d", "e")
DECISIONS: Final = 20_000
PAYMENTS: Final = 300
#: Microseconds that a decision may take.
BAR: Final = 20

_CURRENCIES: Final = ("EUR", "GBP", "SEK", "NOK", "DKK", "CHF", "PLN")
_COUNTRIES: Final = ("NL", "BE", "DE", "FR", "IT", "ES")


def rules() -> list[Rule]:
    """Twenty rules; the last one is for every payment."""
    return [
        *[Rule(NAMES[n % 5], currencies={code}) for n, code in enumerate(_CURRENCIES)],
        *[Rule(NAMES[n % 5], countries={code}) for n, code in enumerate(_COUNTRIES)],
        Rule("b", methods={"ideal", "bancontact"}),
        Rule("c", at_least=Money(1_000_000, "USD")),
        Rule("d", at_least=Money(1, "JPY"), at_most=Money(900, "JPY")),
        Rule("e", when=lambda asked: asked.metadata.get("risk") == "high"),
        Rule({"a": 50, "b": 50}, currencies={"USD"}, countries={"US"}, methods={"card"}),
        Rule("b", currencies={"USD"}, methods={"wallet"}),
        Rule(NAMES),
    ]


def router() -> Router:
    """Five providers, twenty rules."""
    made = Router([FakeProvider(name=name) for name in NAMES], rules())
    assert len(made.rules) == 20  # noqa: PLR2004, S101 - as the page says
    return made


def _asked(country: str | None = None, method: str | None = None) -> Asked:
    return Asked(
        reference="order_12345",
        amount=Money(4999, "USD"),
        country=country,
        method=method,
        metadata=FrozenMapping({"order": "12345"}),
    )


def _microseconds(asked: Asked, made: Router) -> float:
    def all_of_them() -> None:
        for _ in range(DECISIONS):
            made.decide(asked)

    return best(lambda: cpu(all_of_them)) / DECISIONS * 1e6


def _payments(pay: Payport) -> Callable[[], float]:
    numbers = count(1)

    def all_of_them() -> None:
        for _ in range(PAYMENTS):
            pay.payments.create(
                reference=f"order_{next(numbers)}",
                amount=Money(4999, "USD"),
                payment_method="pm_card_visa",
                confirm=True,
            )

    return lambda: cpu(all_of_them) / PAYMENTS * 1e6


def figures() -> list[Figure]:
    """What a decision takes, and what it adds to a payment."""
    made = router()
    last = _microseconds(_asked(), made)
    share = _microseconds(_asked(country="US", method="card"), made)
    clock = FakeClock()
    two = Router([FakeProvider(name=name, clock=clock) for name in ("a", "b")], [Rule(["a", "b"])])
    taken = in_turn(
        {
            "router": _payments(Payport(two, store="memory")),
            "alone": _payments(Payport(FakeProvider(), store="memory")),
        },
        rounds=5,
    )
    return [
        at_most("a decision, no rule but the last one matches", last, BAR, unit=" us", digits=1),
        at_most("a decision by a share", share, BAR, unit=" us", digits=1),
        known("a payment by a router of two", taken["router"], unit=" us", digits=0),
        known("a payment by its provider alone", taken["alone"], unit=" us", digits=0),
    ]
