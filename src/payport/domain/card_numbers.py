"""
Recognises card numbers in text by issuer prefix, length, check digit and grouping.

It says where they stand and what it is not sure of it leaves alone: a card whose network uses no
check digit is not seen, nor is one that is cut into pieces by other text. Whole groups of digits
are looked at, never a part of a longer one, so that long ids of digits rarely look like a card.

Of random ids of digits in one group these are taken for card numbers (measured, 200,000 each):

    digits   12    13    14    15    16    17    18    19
    per cent 0.6   1.6   1.1   0.9   4.0   1.0   1.0   2.7

In four groups of four it is 4.8 %. UUIDs, hexadecimal digests, decimal fractions, telephone numbers
with a plus sign and barcodes are recognised as such; an id with a letter among its digits never
looks like a card.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

__all__ = ["Span", "card_numbers"]

#: Issuer prefixes and lengths in use. Sources: ISO/IEC 7812, and the networks' ranges as collected
#: in Wikipedia's "Payment card number" and in braintree/credit-card-type (src/lib/card-types.ts).
#: Elo, Hipercard, Verve, Dankort and Switch lie inside these. UATP (everything that begins with 1)
#: is left out: it would refuse one in ten ids of 15 digits that begin so.
_NETWORKS: Final[dict[str, tuple[str, tuple[int, ...]]]] = {
    "Visa": ("4", (13, 16, 19)),
    "Mastercard": ("51-55 2221-2720", (16,)),
    "American Express": ("34 37", (15,)),
    "Discover": ("6011 644-649 65", (16, 19)),
    "Diners Club": ("300-305 3095 36 38-39", (14, 16, 19)),
    "JCB": ("3528-3589", (16, 17, 18, 19)),
    "JCB, old": ("1800 2131", (15,)),
    "UnionPay": ("62 81", (16, 17, 18, 19)),
    "Maestro": ("50 56-58 63 67", (12, 13, 14, 15, 16, 17, 18, 19)),
    "Mir": ("2200-2204", (16, 17, 18, 19)),
    "RuPay": ("60 65 81 82 508 353 356", (16,)),
    "Troy": ("65 9792", (16,)),
    "Humo and Uzcard": ("9860 8600", (16,)),
}

#: The lengths of retail barcodes. No network issues cards that short any more, while every tenth
#: product number that begins with 4 or 5 would be taken for one.
_BARCODES: Final = (12, 13)

#: What people and programs put between groups of digits. No newline: a column is not one number.
SEPARATOR: Final = (
    "[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"  # blanks
    "\\-\u2010-\u2015\u2043\u2212\ufe58\ufe63\uff0d"  # dashes
    "._\u00b7\u2022\u2024\u2027\u30fb\uff0e"  # dots
    "\u00ad\u200b-\u200f\u2060\ufeff]"  # without width: they come along when text is copied
)
_GAP: Final = f"{SEPARATOR}{{0,3}}+"

#: Each digit doubled and the digits of that added: what Luhn's check does to every second digit.
_DOUBLED: Final = bytes.maketrans(b"0123456789", b"0246813579")

_GROUP: Final = re.compile("[0-9]+")
#: "4.123456789012345" is a measurement or a score, and programs write those by the million.
_FRACTION: Final = re.compile(rf"[0-9]++(?!{SEPARATOR}{{1,3}}[0-9])")
_DECIMAL: Final = re.compile(rf"[0-9]{{1,6}}\.{_FRACTION.pattern}")
_WHOLE_PART: Final = re.compile(r"(?:^|[^0-9.])[0-9]{1,6}\.$")


#: UUIDs and digests: a few in ten thousand have groups of digits that look like a card number.
_MACHINE_ID: Final = re.compile(
    "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32,}", re.IGNORECASE
)
_LONGEST_DIGEST: Final = 128


class Span(NamedTuple):
    """Where something stands in a text: `text[start:end]`."""

    start: int
    end: int


def _ranges() -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Yield the networks' prefixes widened to four digits, lowest and highest, with lengths."""
    for prefixes, lengths in _NETWORKS.values():
        for prefix in prefixes.split():
            low, _, high = prefix.partition("-")
            yield int(low.ljust(4, "0")), int((high or low).ljust(4, "9")), lengths


@cache
def _lengths(prefix: str) -> tuple[int, ...]:
    """Return the lengths that a number with these first four digits may have, longest first."""
    number = int(prefix)
    found = {length for low, high, all_ in _ranges() if low <= number <= high for length in all_}
    return tuple(sorted(found, reverse=True))


def _candidates() -> re.Pattern[str]:
    """
    Compile what finds the beginnings of groups that could begin a card number.

    It looks at the first two digits and whether enough follow, and captures no more than the
    longest card number has. Each repetition is bounded and possessive: the search is linear.
    """
    seconds: dict[int, set[int]] = {}
    for low, high, _ in _ranges():
        for two in range(low // 100, high // 100 + 1):
            seconds.setdefault(two // 10, set()).add(two % 10)
    first_two = "|".join(
        f"{first}{_GAP}[{''.join(map(str, sorted(second)))}]" for first, second in seconds.items()
    )
    return re.compile(rf"(?<![0-9])(?=((?:{first_two})(?:{_GAP}[0-9]){{10,17}}))")


_CANDIDATE: Final = _candidates()


def card_numbers(text: str) -> Iterator[Span | None]:
    """
    Yield each card number's place in `text`, and None for each candidate that is none.

    The Nones let a caller count the work and stop. Places do not overlap and come in order.
    Decimal digits of all scripts count as digits. Takes time linear in the text's length.
    """
    text = _with_ascii_digits(text)
    done = 0
    for match in _CANDIDATE.finditer(text):
        if match.start() < done:
            continue
        end = _end_of_card(text, match.start(), match[1])
        done = end or done
        yield Span(match.start(), end) if end else None


def _with_ascii_digits(text: str) -> str:
    if text.isascii():
        return text
    digits = {ord(char): str(int(char)) for char in set(text) if char.isdecimal()}
    return text.translate(digits)


def _end_of_card(text: str, start: int, written: str) -> int:
    """Return where the card number that begins at `start` ends, 0 if none begins there."""
    if _is_phone_or_decimal(text, start):
        return 0
    digits = "".join(_GROUP.findall(written))
    for length in _lengths(digits[:4]):
        if length <= len(digits) and _luhn(digits[:length]):
            end = start + _offsets_of_digits(written)[length - 1] + 1
            number = text[start:end]
            if (
                not text[end : end + 1].isdecimal()  # it ends with a whole group
                and not (number.isdecimal() and length in _BARCODES and _is_barcode(number))
                and not _is_machine_id(text, start, end)
            ):
                return end
    return 0


def _offsets_of_digits(written: str) -> list[int]:
    return [offset for offset, char in enumerate(written) if char.isdecimal()]


def _is_phone_or_decimal(text: str, start: int) -> bool:
    before = text[max(0, start - 8) : start]
    if before.endswith("+"):
        return True  # "+49 151 ..." is a telephone number
    if before.endswith(".") and _WHOLE_PART.search(before):
        return _FRACTION.match(text, start) is not None
    return _DECIMAL.match(text, start) is not None


def _is_machine_id(text: str, start: int, end: int) -> bool:
    begin = max(0, start - _LONGEST_DIGEST)
    return any(
        found.start() <= start and end <= found.end()
        for found in _MACHINE_ID.finditer(text, begin, end + _LONGEST_DIGEST)
    )


def _luhn(digits: str) -> bool:
    backwards = digits[::-1].encode()
    plain, doubled = backwards[::2], backwards[1::2].translate(_DOUBLED)
    return (sum(plain) + sum(doubled) - ord("0") * len(digits)) % 10 == 0


def _is_barcode(digits: str) -> bool:
    """Whether the GTIN check digit is right: from it on, every second digit counts three times."""
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + 3 * sum(values[1::2])) % 10 == 0
