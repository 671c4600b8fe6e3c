"""
Amounts as a processor counts them, where it counts minor units otherwise than ISO 4217.

Nothing is ever rounded: what does not come out even is refused on its way out, and unreadable on
its way in.
"""

from __future__ import annotations

from collections.abc import Mapping

from payport.domain.errors import InvalidRequest
from payport.domain.money import Money

__all__ = ["minor_units", "money_of"]


def minor_units(money: Money, exponents: Mapping[str, int]) -> int | None:
    """The amount as such a processor counts it; None where it does not count so finely."""
    wanted = exponents.get(money.currency)
    if wanted is None:
        return money.minor
    minor, rest = _shifted(money.minor, wanted - money.exponent)
    return None if rest else minor


def money_of(amount: object, currency: object, exponents: Mapping[str, int]) -> Money:
    """
    An amount as a processor with these exceptions wrote it.

    Raises:
        ValueError, InvalidRequest: It is none, or has a fraction that its currency has not.
    """
    if type(amount) is not int or not isinstance(currency, str):
        message = "an amount or a currency is missing"
        raise ValueError(message)
    money = Money(amount, currency.upper())
    exponent = exponents.get(money.currency)
    if exponent is None:
        return money
    minor, rest = _shifted(amount, money.exponent - exponent)
    if rest:
        message = f"an amount with a fraction that {money.currency} has not"
        raise InvalidRequest(message, field="amount")
    return Money(minor, money.currency)


def _shifted(minor: int, places: int) -> tuple[int, int]:
    """A number with so many decimal places more, and what is left over where it has fewer."""
    scale: int = 10 ** abs(places)
    return (minor * scale, 0) if places >= 0 else divmod(minor, scale)
