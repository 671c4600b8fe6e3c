"""
Payment methods as requests say them: read, checked, and turned into a card of the bank.

Encrypted fields are those of the test environment, a value after `test_`; numbers in the clear are
for companies that may see them (`raw_cards`). Nothing is decrypted here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, cast

from payport.testing.adyen_simulator.cards import METHODS, Look, card_for, look_of
from payport.testing.adyen_simulator.errors import forbidden, invalid, missing, not_simulated
from payport.testing.adyen_simulator.memory import Memory, Stored
from payport.testing.simulation.documents import Doc
from payport.testing.tokens import CARDS, Card

__all__ = ["Method", "Methods"]

_ENCRYPTED: Final = {
    "encryptedCardNumber": "number",
    "encryptedExpiryMonth": "expiryMonth",
    "encryptedExpiryYear": "expiryYear",
    "encryptedSecurityCode": "cvc",
}
_CARD_TYPES: Final = frozenset({"scheme", "card"})
#: Fields of a card that only say something.
_TOLD: Final = frozenset({"type", "holderName", "brand", "checkoutAttemptId", "sdkData"})
_STORED: Final = frozenset({"storedPaymentMethodId", "recurringDetailReference"})
_CARD: Final = _TOLD | _STORED | frozenset(_ENCRYPTED) | frozenset(_ENCRYPTED.values())
_FIELDS: Final[dict[str, frozenset[str]]] = {
    "ideal": frozenset({"type", "issuer", "checkoutAttemptId", "sdkData"}),
    "sepadirectdebit": frozenset({"type", "iban", "ownerName", "checkoutAttemptId", "sdkData"}),
    "bankTransfer_IBAN": frozenset({"type", "checkoutAttemptId", "sdkData"}),
    "multibanco": frozenset({"type", "checkoutAttemptId", "sdkData"}),
}
_NUMBER: Final = re.compile(r"[0-9]{12,19}")
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_CVC: Final = {"amex": "7373"}
_TEST: Final = "test_"
#: The bank's own tokens, as they are and in the letters of Adyen's ids: `PMCARDPARTIAL`.
_TOKENS: Final = {
    name: token for token in CARDS for name in (token, token.replace("_", "").upper())
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """
    A payment method that can be charged.

    Attributes:
        token: What the bank knows it by.
        stored: The saved method that it is.
    """

    token: str
    card: Card
    look: Look
    stored: Stored | None = None


class Methods:
    """
    Reads payment methods.

    Attributes:
        raw_cards: Whether card numbers may be sent in the clear.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.raw_cards: bool = False

    def read(self, told: Doc, shopper: str | None, requested: str | None) -> Method:
        """
        The payment method of a request.

        Args:
            told: What it says.
            shopper: Whose it is, where it is a saved one.
            requested: The outcome that the test environment is asked for.

        Raises:
            ApiError: It is none, nobody's, or one that is not simulated.
        """
        kind: Any = told.get("type", "scheme")
        allowed = _CARD if kind in _CARD_TYPES else _FIELDS.get(kind)
        if allowed is None:
            raise invalid("000", f"The simulator does not know payment methods of type '{kind}'.")
        for name, value in told.items():
            if name not in allowed:
                raise not_simulated(f"paymentMethod.{name}")
            if not isinstance(value, str):
                message = f"Unexpected input for paymentMethod.{name}, expected: string"
                raise invalid("702", message, status=400)
        texts = cast("dict[str, str]", told)
        if kind in _CARD_TYPES:
            return self._card(texts, shopper, requested)
        return self._other(texts, kind)

    def _card(self, told: dict[str, str], shopper: str | None, requested: str | None) -> Method:
        ref = told.get("storedPaymentMethodId") or told.get("recurringDetailReference")
        if ref is not None:
            return self._stored(ref, shopper, requested)
        fields = self._in_the_clear(told)
        if "number" not in fields:
            raise invalid("101", "Invalid card number")
        number, holder = fields["number"].replace(" ", ""), told.get("holderName")
        if number not in CARDS:
            _check_card(number, fields)
        token, card = card_for(number, holder, requested)
        look = look_of(
            number, fields.get("expiryMonth", "03"), fields.get("expiryYear", "2030"), holder
        )
        if number not in CARDS and not _is_the_test_card(fields, look) and requested is None:
            token, card = card_for(number, "DECLINED", None)
        return Method(token=token, card=card, look=look)

    def _in_the_clear(self, told: dict[str, str]) -> dict[str, str]:
        fields: dict[str, str] = {}
        for encrypted, name in _ENCRYPTED.items():
            if encrypted in told:
                value = told[encrypted]
                if not value.startswith(_TEST):
                    raise invalid("174", "Unable to decrypt data")
                fields[name] = value.removeprefix(_TEST)
            elif name in told:
                if not self.raw_cards:
                    raise forbidden()
                fields[name] = told[name]
        return fields

    def _stored(self, ref: str, shopper: str | None, requested: str | None) -> Method:
        stored = self._memory.stored.get(ref)
        if stored is None and ref in _TOKENS:
            # The bank's own tokens stand for methods that anybody saved.
            token, card = card_for(_TOKENS[ref], None, requested)
            return Method(token=token, card=card, look=Look())
        if stored is None and ref not in self._memory.vault.methods:
            raise invalid("803", "PaymentDetail not found")
        if shopper is None:
            raise missing("shopperReference")
        card, owner = self._memory.vault.methods[ref]
        if owner != shopper:
            raise invalid("800", "Contract not found")
        look = stored.look if stored is not None else Look()
        if requested is not None:
            token, card = card_for(ref, None, requested)
            return Method(token=token, card=card, look=look, stored=stored)
        return Method(token=ref, card=card, look=look, stored=stored)

    def _other(self, told: dict[str, str], kind: str) -> Method:
        look = Look(type=kind, brand=kind)
        if kind == "sepadirectdebit":
            for name in ("iban", "ownerName"):
                if name not in told:
                    raise missing(name)
            if not _IBAN.fullmatch(told["iban"].replace(" ", "")):
                raise invalid("161", "Invalid iban")
            look = Look(type=kind, brand=kind, iban=told["iban"], owner=told["ownerName"])
        return Method(token=f"adyen_method_{kind}", card=METHODS[kind], look=look)


def _check_card(number: str, fields: dict[str, str]) -> None:
    """Whether it could be a card at all."""
    if not _NUMBER.fullmatch(number) or not _adds_up(number):
        raise invalid("101", "Invalid card number")
    month, year = fields.get("expiryMonth", ""), fields.get("expiryYear", "")
    if not (month.isdecimal() and 1 <= int(month) <= 12 and year.isdecimal() and int(year) > 2000):  # noqa: PLR2004 - what the message says
        message = "Invalid expiryMonth[1..12] / expiryYear[>2000], or before now"
        raise invalid("140", message)
    cvc = fields.get("cvc")
    if cvc is not None and not (cvc.isdecimal() and len(cvc) == len(_cvc_of(number))):
        raise invalid("103", "CVC is not the right length")


def _is_the_test_card(fields: dict[str, str], look: Look) -> bool:
    """Whether a test card's other details are as well: with other ones it is refused."""
    month, year = fields.get("expiryMonth", ""), fields.get("expiryYear", "")
    expiry = (int(month), int(year)) == (3, 2030)
    return expiry and fields.get("cvc") in {None, _CVC.get(look.brand, "737")}


def _cvc_of(number: str) -> str:
    return _CVC.get(look_of(number, "", "", None).brand, "737")


def _adds_up(number: str) -> bool:
    """Luhn's check of a number."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 - the digits' sum
    return total % 10 == 0
