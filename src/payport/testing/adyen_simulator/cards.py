"""
Adyen's test cards and other payment methods, as cards of the bank.

Which number does what: https://docs.adyen.com/development-resources/testing/test-card-numbers;
which holder's name: https://docs.adyen.com/development-resources/testing/result-codes. Any other
number that could be a card's is one that pays. The bank's own tokens, such as `pm_card_partial`,
are taken as encrypted numbers (`test_pm_card_partial`) and as ids of stored payment methods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from payport.testing.adyen_simulator.refusals import OUTCOMES, decline_code
from payport.testing.tokens import CARDS, Card, Challenge, Refunds

__all__ = [
    "HOLDERS",
    "METHODS",
    "NATIVE",
    "Look",
    "card_for",
    "look_of",
    "registered",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """
    What is to be seen of a payment method.

    Attributes:
        type: Its `type` in requests.
        brand: What webhooks call it.
    """

    type: str = "scheme"
    brand: str = "visa"
    bin: str = "411111"
    last4: str = "1111"
    expiry_month: str = "03"
    expiry_year: str = "2030"
    holder: str | None = None
    iban: str | None = None
    owner: str | None = None

    @property
    def is_card(self) -> bool:
        """Whether it is a card."""
        return self.type == "scheme"


#: How numbers of a brand begin.
_BRANDS: Final = (
    ("34", "amex"),
    ("37", "amex"),
    ("36", "diners"),
    ("6011", "discover"),
    ("35", "jcb"),
    ("4", "visa"),
    ("5", "mc"),
    ("2", "mc"),
    ("6", "maestro"),
)
#: Numbers whose holder is sent to a page.
_REDIRECTED: Final = ("4212345678901237", "5212345678901234")
#: Numbers whose holder is asked in the shop's own page.
_NATIVE: Final = (
    *("4917610000000000", "4871049999999910", "4035501428146300"),
    *("5201281505129736", "5454545454545454"),
)
#: What the bank knows those by.
NATIVE: Final = "adyen_native"
#: What holders' names make of modifications. https://docs.adyen.com/development-resources/testing
HOLDERS: Final[dict[str, Card]] = {
    "capture failed": Card(captures_stay=False),
    "refund failed": Card(refunds=Refunds.FAIL),
    "refund reversed": Card(refunds=Refunds.REVERSE),
}
#: Payment methods that are no cards: those that send the shopper away, and those that take a while.
METHODS: Final[dict[str, Card]] = {
    "ideal": Card(challenge=Challenge.REDIRECT),
    "sepadirectdebit": Card(waits=True),
    "bankTransfer_IBAN": Card(waits=True),
    "multibanco": Card(waits=True),
}
_SPECIAL: Final = {
    "4": Card(errs=True),
    "1": Card(),
    "13": Card(waits=True),
}


def _of_outcomes() -> dict[str, Card]:
    return {code: _SPECIAL.get(code, Card(declined=decline_code(code))) for code in OUTCOMES}


_OUTCOMES: Final[dict[str, Card]] = _of_outcomes()
_CODES: Final = {outcome.holder: code for code, outcome in OUTCOMES.items()}


def card_for(number: str, holder: str | None, requested: str | None) -> tuple[str, Card]:
    """
    The bank's token and card for a number, as the test environment treats it.

    Args:
        number: A card's number, or one of the bank's own tokens.
        holder: The name on it.
        requested: The `RequestedTestAcquirerResponseCode`.
    """
    asked = requested if requested is not None else _asked_by(holder)
    if asked is not None:
        return f"adyen_outcome_{asked}", _OUTCOMES[asked]
    if holder in HOLDERS:
        return f"adyen_holder_{holder.replace(' ', '_')}", HOLDERS[holder]
    if number in CARDS:
        return number, CARDS[number]
    if number in _REDIRECTED:
        return "adyen_redirected", Card(challenge=Challenge.REDIRECT)
    if number in _NATIVE:
        return NATIVE, Card(challenge=Challenge.CLIENT_TOKEN)
    return "adyen_ok", Card()


def _asked_by(holder: str | None) -> str | None:
    """The code that a holder's name asks for: `DECLINED`, or `DECLINED : 06 : ERROR`."""
    if holder is None:
        return None
    return _CODES.get(holder.partition(":")[0].strip())


def look_of(number: str, month: str, year: str, holder: str | None) -> Look:
    """What is to be seen of a card."""
    if not number.isdecimal():
        return Look(holder=holder)
    brand = next((brand for start, brand in _BRANDS if number.startswith(start)), "visa")
    return Look(
        brand=brand,
        bin=number[:6],
        last4=number[-4:],
        expiry_month=month,
        expiry_year=year,
        holder=holder,
    )


def registered() -> dict[str, Card]:
    """All cards that payments here may be made with, by token: what the bank has to know."""
    cards = {f"adyen_outcome_{code}": card for code, card in _OUTCOMES.items()}
    cards |= {f"adyen_holder_{name.replace(' ', '_')}": card for name, card in HOLDERS.items()}
    cards |= {f"adyen_method_{name}": card for name, card in METHODS.items()}
    cards["adyen_redirected"] = Card(challenge=Challenge.REDIRECT)
    cards[NATIVE] = Card(challenge=Challenge.CLIENT_TOKEN)
    cards["adyen_ok"] = Card()
    return cards
