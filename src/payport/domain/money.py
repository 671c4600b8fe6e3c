"""
Money: a whole number of minor units with its currency, and arithmetic that loses none of them.

There is no division, no rounding, no exchange rate and no formatting for a locale here: each of
them is a decision of the application. Exponents are ISO 4217's; where a provider counts a currency
differently, its adapter converts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import total_ordering
from typing import TYPE_CHECKING, Any, Final, NoReturn, final

from pydantic_core import core_schema

from payport.domain._currencies import EXPONENTS, WITHOUT_MINOR_UNIT
from payport.domain.errors import InvalidRequest

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

__all__ = ["Money", "total"]

#: What a BIGINT column holds. Every amount that exists fits with room to spare.
_LEAST: Final = -(2**63)
_MOST: Final = 2**63 - 1

#: Longer text is no amount. Checked first, so that nobody's megabyte is searched for digits.
_LONGEST_TEXT: Final = 40

#: ASCII digits with at most one point. Group separators are refused: "1,234" is one thousand in
#: one country and one and a quarter in another. Exponents and other scripts' digits: nobody types
#: them as a price.
_MAJOR_TEXT: Final = re.compile(r"-?([0-9]{1,19})(?:\.([0-9]{1,19}))?")

_USE_FROM_MAJOR: Final = (
    "Pass minor units as an int, as in Money(4999, 'USD'), or use Money.from_major('49.99', 'USD')."
)


@final
@total_ordering
@dataclass(frozen=True, slots=True)
class Money:
    """
    An amount in one currency: `Money(4999, "USD")` is 49.99 dollars.

    Zero and negative amounts are values like others (a ledger needs them); operations refuse them
    where they make no sense. Amounts of different currencies are never equal, and comparing or
    adding them raises. Truth testing raises `TypeError`: `if money:` reads as "is there an amount"
    and as "is it not zero", so say `is not None` or `is_zero`.

    Attributes:
        minor: Minor units: cents, yen, fils. A 64-bit signed integer.
        currency: The ISO 4217 code in capitals.

    Raises:
        InvalidRequest: `minor` is not an `int` (a `float`, `bool`, `str` or `Decimal` is refused)
            or too large, or `currency` is not an active ISO 4217 currency with a minor unit.
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.currency) is not str:
            object.__setattr__(self, "currency", _plain(self.currency))
        if (
            type(self.minor) is not int
            or self.currency not in EXPONENTS
            or not _LEAST <= self.minor <= _MOST
        ):
            _refuse(self.minor, self.currency)

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Return no money in `currency`: the start value for `sum()`."""
        return cls(0, currency)

    @classmethod
    def from_major(cls, amount: Decimal | str | int, currency: str) -> Money:
        """
        Convert major units: `Money.from_major("49.99", "USD")`. Never rounds.

        Text is plain ASCII digits with an optional minus sign and point, and no more decimal places
        than the currency has, zeros included: "1.000" may be a thousand. A `Decimal` may carry
        trailing zeros, as database columns do, because its value is not in doubt.

        Raises:
            InvalidRequest: The amount is a `float` or `bool`, is not a finite number, needs more
                decimal places than the currency has, or is too large.
        """
        code = _plain(currency)
        return cls(_minor_from_major(amount, code, _exponent_of(code)), code)

    @property
    def exponent(self) -> int:
        """The currency's decimal places by ISO 4217: 2 for dollars, 0 for yen, 3 for dinars."""
        return EXPONENTS[self.currency]

    @property
    def major(self) -> Decimal:
        """The amount in major units, exact, with the currency's decimal places: `49.90`."""
        # From text, because decimal's arithmetic rounds to the precision of the caller's context.
        return Decimal(f"{self.minor}E-{self.exponent}")

    @property
    def is_zero(self) -> bool:
        """Whether this is no money."""
        return self.minor == 0

    @property
    def is_positive(self) -> bool:
        """Whether this is more than no money."""
        return self.minor > 0

    def allocate(self, weights: Sequence[int]) -> tuple[Money, ...]:
        """
        Share the amount out by weight, to the last minor unit.

        Every share is first cut towards zero; the units left over go one each to the shares that
        lost the largest fraction, the earlier first. A weight of zero gets nothing. A negative
        amount is shared as its opposite would be.

        Args:
            weights: Whole numbers, none negative, not all zero: `[1, 1, 2]`.

        Raises:
            InvalidRequest: The weights are not of that kind.
        """
        whole = _sum_of_weights(weights)
        shares, rests = _shares(abs(self.minor), weights, whole)
        left = abs(self.minor) - sum(shares)
        for index in sorted(range(len(rests)), key=lambda place: -rests[place])[:left]:
            shares[index] += 1
        sign = -1 if self.minor < 0 else 1
        return tuple(Money(sign * share, self.currency) for share in shares)

    def split(self, parts: int) -> tuple[Money, ...]:
        """
        Share the amount out evenly: the parts differ by one minor unit at most, larger ones first.

        Raises:
            InvalidRequest: `parts` is not a positive `int`.
        """
        if type(parts) is not int or parts < 1:
            raise InvalidRequest("Split into one part or more.", field="parts")
        return self.allocate([1] * parts)

    def __add__(self, other: Money) -> Money:
        if type(other) is not Money:
            return NotImplemented
        self._same_currency(other, "add")
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        if type(other) is not Money:
            return NotImplemented
        self._same_currency(other, "subtract")
        return Money(self.minor - other.minor, self.currency)

    def __mul__(self, factor: int) -> Money:
        if type(factor) is not int:
            raise InvalidRequest(
                f"Money is multiplied by an int, not by {type(factor).__name__}: anything else "
                "has to round. Use allocate() for shares, or round in Decimal and use from_major.",
                field="factor",
            )
        return Money(self.minor * factor, self.currency)

    __rmul__ = __mul__

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __abs__(self) -> Money:
        return Money(abs(self.minor), self.currency)

    def __lt__(self, other: Money) -> bool:
        if type(other) is not Money:
            return NotImplemented
        self._same_currency(other, "compare")
        return self.minor < other.minor

    def __bool__(self) -> NoReturn:
        raise TypeError("Money is neither true nor false: ask `is not None`, `is_zero` or compare")

    def __str__(self) -> str:
        return f"{self.major} {self.currency}"

    def __repr__(self) -> str:
        return f"Money({self.minor}, {self.currency!r})"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __copy__(self) -> Money:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Money:
        return self

    def __reduce__(self) -> tuple[type[Money], tuple[int, str]]:
        # Through the constructor, so that a doctored pickle is validated like any input.
        return Money, (self.minor, self.currency)

    def _same_currency(self, other: Money, verb: str) -> None:
        if self.currency != other.currency:
            raise InvalidRequest(
                f"Cannot {verb} {self.currency} and {other.currency}. Convert one of them first: "
                "payport knows no exchange rates.",
                field="currency",
            )

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Validate from `Money` or `{"minor": 4999, "currency": "USD"}`, and dump to the latter."""
        fields = core_schema.typed_dict_schema(
            {
                "minor": core_schema.typed_dict_field(
                    core_schema.int_schema(strict=True, ge=_LEAST, le=_MOST)
                ),
                "currency": core_schema.typed_dict_field(
                    core_schema.str_schema(strict=True, pattern="^[A-Z]{3}$")
                ),
            },
            extra_behavior="forbid",
            cls_name="Money",
        )
        mapping = core_schema.no_info_after_validator_function(_from_fields, fields)
        return core_schema.json_or_python_schema(
            json_schema=mapping,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), mapping]),
            serialization=core_schema.plain_serializer_function_ser_schema(
                _to_fields, return_schema=fields
            ),
        )


def total(amounts: Iterable[Money], currency: str) -> Money:
    """
    Add up amounts that are all in `currency`; none of them is `Money.zero(currency)`.

    Raises:
        InvalidRequest: One is in another currency, or the sum is too large.
    """
    return sum(amounts, Money.zero(currency))


def _from_fields(fields: dict[str, Any]) -> Money:
    try:
        return Money(fields["minor"], fields["currency"])
    except InvalidRequest as error:
        # pydantic collects ValueError; ours would break out of the validation.
        raise ValueError(error.message) from error


def _to_fields(money: Money) -> dict[str, int | str]:
    return {"minor": money.minor, "currency": money.currency}


def _refuse(minor: object, currency: str) -> NoReturn:
    if type(minor) is not int:
        kind = type(minor).__name__
        raise InvalidRequest(f"An amount is never a {kind}. {_USE_FROM_MAJOR}", field="amount")
    _exponent_of(currency)
    raise InvalidRequest(
        "The amount does not fit in 64 bits. Is it really in minor units?", field="amount"
    )


def _plain(currency: object) -> str:
    # Members of an application's own StrEnum are welcome, but stay out of reprs and pickles.
    if isinstance(currency, str):
        return str.__str__(currency)
    kind = type(currency).__name__
    raise InvalidRequest(
        f"A currency is an ISO 4217 code such as 'USD', not a {kind}.", field="currency"
    )


def _exponent_of(currency: str) -> int:
    if currency in EXPONENTS:
        return EXPONENTS[currency]
    if currency in WITHOUT_MINOR_UNIT:
        message = f"{currency} has no minor unit, so nobody can be charged in it. Use a currency."
    elif currency.upper() in EXPONENTS:
        message = f"Currency codes are written in capitals: '{currency.upper()}'."
    else:
        # Not repeated: whatever text ended up here may be something else entirely.
        message = "Not an active ISO 4217 currency. Use a code such as 'USD'."
    raise InvalidRequest(message, field="currency")


def _minor_from_major(amount: object, currency: str, exponent: int) -> int:
    if type(amount) is int:
        scale: int = 10**exponent
        return amount * scale
    if isinstance(amount, Decimal):
        return _minor_from_decimal(amount, currency, exponent)
    if isinstance(amount, str):
        return _minor_from_text(amount, currency, exponent)
    kind = type(amount).__name__
    raise InvalidRequest(
        f"An amount is never a {kind}. Pass a str or Decimal, as in "
        "Money.from_major('49.99', 'USD').",
        field="amount",
    )


def _minor_from_text(amount: str, currency: str, exponent: int) -> int:
    match = _MAJOR_TEXT.fullmatch(amount) if len(amount) <= _LONGEST_TEXT else None
    if match is None:
        raise InvalidRequest(
            "Not an amount. Write digits with an optional minus sign and point, as in '-1234.50'.",
            field="amount",
        )
    whole, fraction = match[1], match[2] or ""
    if len(fraction) > exponent:
        _too_precise(currency, exponent)
    minor = int(whole + fraction.ljust(exponent, "0"))
    return -minor if amount.startswith("-") else minor


def _minor_from_decimal(amount: Decimal, currency: str, exponent: int) -> int:
    if not amount.is_finite():
        raise InvalidRequest("NaN and Infinity are no amounts.", field="amount")
    if not amount:
        return 0
    # Before any digit is written out: Decimal("1E+1000000") is short to write and long to expand.
    if amount.adjusted() > len(str(_MOST)):
        raise InvalidRequest("The amount does not fit in 64 bits.", field="amount")
    sign, digits, places = amount.as_tuple()
    shift = int(places) + exponent
    if shift < 0:
        if any(digits[shift:]):
            _too_precise(currency, exponent)
        digits, shift = digits[:shift], 0
    minor = int("".join(map(str, digits)) + "0" * shift)
    return -minor if sign else minor


def _too_precise(currency: str, exponent: int) -> NoReturn:
    raise InvalidRequest(
        f"The amount has more decimal places than {currency} has ({exponent}). "
        "Round it yourself: payport never does.",
        field="amount",
    )


def _sum_of_weights(weights: Sequence[int]) -> int:
    kinds = {type(weight) for weight in weights}
    if kinds != {int} or min(weights) < 0 or not any(weights):
        raise InvalidRequest(
            "Weights are whole numbers, none negative and not all zero, as in [1, 1, 2].",
            field="weights",
        )
    return sum(weights)


def _shares(minor: int, weights: Sequence[int], whole: int) -> tuple[list[int], list[int]]:
    """Return each share cut to whole units, and what the cut took from it as a `whole`-th."""
    pairs = [divmod(minor * weight, whole) for weight in weights]
    return [share for share, _ in pairs], [rest for _, rest in pairs]
