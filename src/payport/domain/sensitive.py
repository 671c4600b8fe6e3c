"""
Refuses card data in what applications pass, and keeps card numbers and keys out of logs.

`refuse_sensitive` is called with every input before anything is stored, sent or logged; `redact`
cleans a text on its way to a log. Neither proves that something is harmless, and neither repeats
what it found. How card numbers are recognised, and how often wrongly: `card_numbers`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Final, cast
from unicodedata import normalize

from payport.domain.card_numbers import card_numbers
from payport.domain.errors import InvalidRequest, SensitiveData
from payport.domain.money import Money

__all__ = ["redact", "refuse_sensitive"]

#: Names that mean card or account data whatever their value is.
_NAMES: Final = frozenset(
    {
        *("cvc", "cvc2", "cvccode", "cvcnumber", "cvcvalue", "cvn", "cvn2", "cvp2"),
        *("cvv", "cvv2", "cvvcode", "cvvnumber", "cvvvalue", "cardsecuritycode"),
        *("cardverificationcode", "cardverificationvalue", "pinblock", "iban"),
        *("cardno", "cardnum", "cardnumber", "ccno", "ccnum", "ccnumber"),
        *("creditcardnumber", "debitcardnumber", "primaryaccountnumber"),
        *("track1", "track2", "track3", "track1data", "track2data", "track3data", "trackdata"),
        *("track2equivalentdata", "magstripe", "magneticstripe"),
    }
)
#: Names that mean it with such a value only: a `cid` may be a client, a `pin` something on a map
#: and a `pan` an Indian tax number.
_NAMES_WITH_VALUE: Final = {
    "cid": re.compile(r"\d{3,4}"),
    "csc": re.compile(r"\d{3,4}"),
    "cvd": re.compile(r"\d{3,4}"),
    "securitycode": re.compile(r"\d{3,4}"),
    "verificationvalue": re.compile(r"\d{3,4}"),
    "pin": re.compile(r"\d{4,12}"),
    "pincode": re.compile(r"\d{4}"),
    "pan": re.compile(r"(?:\D{0,3}\d){8,19}\D{0,3}"),
}
#: Beside one of these, a number of a card's length is a card's, whatever its check digit says.
_EXPIRY: Final = frozenset(
    {
        *("expmonth", "expyear", "expdate", "expiry", "expirymonth", "expiryyear", "expirydate"),
        *("expiration", "expirationmonth", "expirationyear", "expirationdate", "validthru"),
        *("cardexpiry", "cardexpiration"),
    }
)
_NUMBER_NAMES: Final = frozenset({"number", "card", "account", "accountnumber"})
_CARD_LENGTH: Final = re.compile(r"(?:\D{0,3}\d){12,19}")
#: "cardNumber", "card[number]" and "CARD_NUMBER2" are read as words.
_WORD: Final = re.compile("[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
#: As much of a name as is looked at, from its end.
_LONGEST_NAME: Final = 80
_LONGEST_PHRASE: Final = 4

#: A security code spelled out in a text: "CVC: 123".
_CODE: Final = re.compile(r"(?<![a-z0-9])(?:cvc|cvv)2?[\"'\s:=#-]{1,4}\d{3,4}(?!\d)", re.IGNORECASE)
_SECRET: Final = re.compile(
    r"""
      (?<![a-z0-9])(?:sk|rk|pk|ek)_(?:live|test)_[\w-]+  # keys, by their usual prefixes
    | (?<![a-z0-9])whsec_[\w+/=-]+
    | (?<![\w-])[\w-]+?_secret_[\w-]+                    # an object's id with its client secret
    | (?<=://)[^\s/@]+(?=@)                              # user and password in a URL
    | (?<![a-z0-9])(?:authorization|api[_-]?key|(?:client|webhook)?[_-]?secret|password|passwd
        |(?:access|auth|client)[_-]?token)["']?\s*[:=]\s*["']?
      (?:(?:bearer|basic)\s+)?[^\s"',;&}]+
    | (?<![a-z0-9])bearer\s+[\w.~+/=-]{8,}
    | (?<![a-z0-9])basic\s+(?=[a-z]*[0-9+/=])[\w+/=]{8,}
    """,
    re.VERBOSE | re.IGNORECASE,
)

#: More digits than a card number has.
_BEYOND_CARDS: Final = 10**19

_DEEPEST: Final = 64
_MOST_VALUES: Final = 20_000
#: Candidates for a card number that are checked in one call: some 20 ms. Honest input has dozens.
_MOST_CANDIDATES: Final = 5_000

_REMOVE: Final = "Leave it out: nobody may keep it, not even you."
_BREAK_UP: Final = "If it is an id of yours, put a letter among its digits."
_RENAME: Final = "If it is something else, use another name."

#: Stands in a path for a key that is itself at fault.
_A_KEY: Final = object()

#: The keys and indexes that lead to a value, innermost last.
_Path = tuple[object, ...]


def refuse_sensitive(value: object, *, operation: str | None, field: str) -> None:
    """
    Raise if there is a card number, a security code or the like anywhere in `value`.

    Looks into mappings (keys and values), sequences, sets and dataclasses; at texts, bytes and
    numbers; not into other objects. Names count too, however they are written: `cardNumber`,
    `card[cvc]`, `TRACK_2`. Takes time linear in the input's size, some 20 ms for a megabyte.

    Args:
        value: Anything. `Money` is passed over: a large amount is not a card.
        operation: The operation the input is for, such as "payments.create".
        field: The argument that holds the value, such as "metadata".

    Raises:
        SensitiveData: Something was found. The error names the place and repeats no value.
        InvalidRequest: The input is nested more than 64 deep, contains itself, or holds far more
            values or numbers than a payment has use for.
    """
    search = _Search(operation, field)
    left: list[tuple[object, _Path]] = [(value, ())]
    while left:
        item, path = left.pop()
        search.look_at(item, path)
        for found in search.inside(item, path):
            search.count()
            left.append(found)


def redact(text: str) -> str:
    """
    Return `text` with card numbers, security codes, keys and passwords replaced by placeholders.

    For logs and error messages. Keys are known by their prefix or by the name before them. What
    follows thousands of long numbers is left out, so that no text costs more than a log is worth.
    """
    text = _CODE.sub("[security code]", _SECRET.sub("[secret]", text))
    parts: list[str] = []
    done = 0
    for count, span in enumerate(card_numbers(text)):
        if count == _MOST_CANDIDATES:
            return "".join([*parts, "[rest left out]"])
        if span is not None:
            parts += text[done : span.start], "[card number]"
            done = span.end
    return "".join([*parts, text[done:]])


class _Search:
    """One call of `refuse_sensitive`: where it looks, and how much it may still look at."""

    def __init__(self, operation: str | None, field: str) -> None:
        self._operation = operation
        self._field = field
        self._values = _MOST_VALUES
        self._candidates = _MOST_CANDIDATES

    def count(self) -> None:
        """Count one more value, and refuse the one that is too many."""
        self._values -= 1
        if self._values < 0:
            raise self._too_much(f"holds more than {_MOST_VALUES} values")

    def look_at(self, item: object, path: _Path) -> None:
        """Refuse `item` itself, without what is in it."""
        if len(path) > _DEEPEST:
            raise self._too_much(f"is nested more than {_DEEPEST} deep, or contains itself")
        text = _text_of(item)
        if text is None:
            return
        if _CODE.search(text):
            raise self._refusal("holds a card's security code", path, _REMOVE)
        for span in card_numbers(text):
            if span is not None:
                raise self._refusal("holds what looks like a card number", path, _BREAK_UP)
            self._candidates -= 1
            if self._candidates < 0:
                raise self._too_much("holds more long numbers than can be checked")

    def inside(self, item: object, path: _Path) -> Iterator[tuple[object, _Path]]:
        """Yield what is in `item`, with the way to it; refuse forbidden names at once."""
        if isinstance(item, str | bytes | bytearray):
            return
        if isinstance(item, Mapping):
            yield from self._entries(cast("Mapping[object, object]", item), path)
        elif isinstance(item, Sequence | AbstractSet):
            for index, member in enumerate(cast("Iterable[object]", item)):
                yield member, (*path, index)
        elif is_dataclass(item) and not isinstance(item, type | Money):
            entries: dict[object, object] = {
                entry.name: getattr(item, entry.name) for entry in fields(item)
            }
            yield from self._entries(entries, path)

    def _entries(
        self, entries: Mapping[object, object], path: _Path
    ) -> Iterator[tuple[object, _Path]]:
        phrases = {key: _phrases(key) for key in entries}
        dated = any(not _EXPIRY.isdisjoint(names) for names in phrases.values())
        for key, item in entries.items():
            place = (*path, key)
            if _is_forbidden(phrases[key], item, dated=dated):
                raise self._refusal("is named like card or account data", place, _RENAME)
            yield key, (*path, _A_KEY)
            yield item, place

    def _refusal(self, finding: str, path: _Path, hint: str) -> SensitiveData:
        return SensitiveData(
            f"{finding}, which payport never accepts. {hint}",
            operation=self._operation,
            field="".join([self._field, *map(_step, path)]),
        )

    def _too_much(self, what: str) -> InvalidRequest:
        return InvalidRequest(
            f"{what}. Pass what the payment needs and keep the rest in your own database.",
            operation=self._operation,
            field=self._field,
        )


def _text_of(item: object) -> str | None:
    """Return what a text, bytes or number reads like; None for anything else."""
    if isinstance(item, str):
        return item
    if isinstance(item, bytes | bytearray):
        return item.decode("utf-8", "replace")
    if isinstance(item, Decimal) and item.is_nan():
        return None  # does not even compare
    if isinstance(item, int | float | Decimal) and -_BEYOND_CARDS < item < _BEYOND_CARDS:
        return str(int(item))
    return None


def _phrases(key: object) -> set[str]:
    """Return the last word of a name, the last two together, and so on, in small letters."""
    name = normalize("NFKC", (_text_of(key) or "")[-_LONGEST_NAME:])
    words = _WORD.findall(name)[-_LONGEST_PHRASE:]
    return {"".join(words[first:]).lower() for first in range(len(words))}


def _is_forbidden(names: set[str], item: object, *, dated: bool) -> bool:
    if not _NAMES.isdisjoint(names):
        return True
    text = _text_of(item)
    if text is None:
        return False
    text = text.strip()
    return any(
        shape.fullmatch(text) for name, shape in _NAMES_WITH_VALUE.items() if name in names
    ) or (dated and not _NUMBER_NAMES.isdisjoint(names) and bool(_CARD_LENGTH.fullmatch(text)))


def _step(key: object) -> str:
    """Write one step of a path, without anything that a key might give away."""
    if key is _A_KEY:
        return " (a key)"
    if isinstance(key, int) and 0 <= key < _MOST_VALUES:
        return f"[{key}]"
    if isinstance(key, str) and len(key) <= _LONGEST_NAME and key.isprintable():
        return f".{redact(key)}"
    return ".?"
