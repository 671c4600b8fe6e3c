"""
Amounts on Stripe's wire, against amounts in the bank's books.

Stripe counts in the smallest unit of a currency, with exceptions: two currencies without decimals
are counted in hundredths, and those with three decimals end in zero.
https://docs.stripe.com/currencies
"""

from __future__ import annotations

from typing import Final

from payport.domain.errors import PayportError
from payport.domain.money import Money
from payport.testing.stripe_simulator.errors import invalid

__all__ = ["check_chargeable", "currency_of", "from_wire", "shown", "to_wire"]

#: Counted in hundredths here, and in whole units everywhere else.
_IN_HUNDREDTHS: Final = frozenset({"ISK", "UGX"})
#: Amounts have to end in zero.
_ENDING_IN_ZERO: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
#: The least that Stripe takes, on the wire. https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
_LEAST: Final = {
    **dict.fromkeys(("USD", "CAD", "AUD", "NZD", "SGD", "EUR", "CHF", "BRL", "INR"), 50),
    "GBP": 30,
    "JPY": 50,
    "DKK": 250,
    "NOK": 300,
    "SEK": 300,
    "PLN": 200,
    "RON": 200,
    "AED": 200,
    "BGN": 100,
    "CZK": 1500,
    "HKD": 400,
    "HUF": 17_500,
    "MXN": 1000,
    "MYR": 200,
    "THB": 1000,
}
#: The most, for most cards. https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
_MOST: Final = 999_999_999_999
_SIGNS: Final = {"USD": "$", "EUR": "\u20ac", "GBP": "\u00a3"}


def currency_of(code: str) -> str:
    """
    The currency of a code on the wire, in upper case.

    Raises:
        ApiError: There is no such currency.
    """
    currency = code.upper()
    try:
        Money(0, currency)
    except PayportError:
        message = f"Invalid currency: {code.lower()}. Stripe does not support this currency."
        raise invalid(message, param="currency") from None
    return currency


def from_wire(amount: int, currency: str, *, param: str = "amount") -> int:
    """
    An amount in the bank's minor units.

    Raises:
        ApiError: It is not positive, or no amount of the currency.
    """
    if amount < 1:
        message = "This value must be greater than or equal to 1."
        raise invalid(message, "parameter_invalid_integer", param=param)
    step = 100 if currency in _IN_HUNDREDTHS else 10 if currency in _ENDING_IN_ZERO else 1
    if amount % step:
        message = f"Invalid amount: amounts in {currency.lower()} must be divisible by {step}."
        raise invalid(message, "parameter_invalid_integer", param=param)
    return amount // 100 if currency in _IN_HUNDREDTHS else amount


def to_wire(minor: int, currency: str) -> int:
    """What the bank's minor units are on the wire."""
    return minor * 100 if currency in _IN_HUNDREDTHS else minor


def check_chargeable(amount: int, currency: str) -> None:
    """
    Check that an amount on the wire may be charged.

    Raises:
        ApiError: It is too small or too large.
    """
    least = _LEAST.get(currency, 1)
    if amount < least:
        message = f"Amount must be at least {_told(least, currency)}"
        raise invalid(message, "amount_too_small", param="amount")
    if amount > _MOST:
        message = f"Amount must be no more than {_told(_MOST, currency)}"
        raise invalid(message, "amount_too_large", param="amount")


def shown(minor: int, currency: str) -> str:
    """An amount as messages show it, such as `$10.00`."""
    money = Money(minor, currency)
    sign = _SIGNS.get(currency)
    return f"{sign}{money.major:,}" if sign else f"{money.major:,} {currency.lower()}"


def _told(amount: int, currency: str) -> str:
    return f"{shown(from_wire(amount, currency), currency)} {currency.lower()}"
