"""
Amounts on Adyen's wire, against amounts in the bank's books.

Adyen counts in minor units, and has other decimals than ISO 4217 for four currencies.
https://docs.adyen.com/development-resources/currency-codes
"""

from __future__ import annotations

from typing import Any, Final

from payport.domain.errors import PayportError
from payport.domain.money import Money
from payport.testing.adyen_simulator.errors import invalid
from payport.testing.simulation.documents import Doc

__all__ = ["amount_from", "amount_on_wire"]

#: Counted in hundredths here, and in whole units by ISO 4217.
_IN_HUNDREDTHS: Final = frozenset({"CLP", "ISK"})
#: Counted in whole units here, and in hundredths by ISO 4217.
_IN_WHOLE: Final = frozenset({"CVE", "IDR"})


def amount_from(fields: Doc, *, zero: bool = False) -> tuple[int, str]:
    """
    What an `amount` object says, in the bank's minor units.

    Args:
        zero: Whether it may be nothing, as where only a card is verified.

    Raises:
        ApiError: It is no amount, or none that can be charged.
    """
    currency: Any = fields["currency"]
    value: Any = fields["value"]
    try:
        Money(0, currency)
    except PayportError:
        raise invalid("138", "Unsupported currency specified") from None
    if value < 0 or (value == 0 and not zero):
        raise invalid("137", "Invalid amount specified")
    if currency in _IN_WHOLE:
        return value * 100, currency
    if currency in _IN_HUNDREDTHS:
        if value % 100:
            raise invalid("137", "Invalid amount specified")
        return value // 100, currency
    return value, currency


def amount_on_wire(minor: int, currency: str) -> Doc:
    """An `amount` object."""
    if currency in _IN_HUNDREDTHS:
        minor *= 100
    elif currency in _IN_WHOLE:
        minor //= 100
    return {"currency": currency, "value": minor}
