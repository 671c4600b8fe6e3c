"""
payport's own ids, and the one encoding that every derived id and key is made with.

An id is derived from what the application said (scope, environment, kind, reference), so that any
process finds the same object without asking anybody. A provider's id is data and never an id here.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from payport.domain.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Environment",
    "Kind",
    "check_reference",
    "check_scope",
    "derive_id",
    "digest",
    "short_digest",
]

#: Longest reference an application may use. Every provider we know keeps at least this many.
MAX_REFERENCE = 80
MAX_SCOPE = 64

_PRINTABLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_PATH_LIKE = re.compile(r"\.\.|[/\\?#%]")


class Environment(StrEnum):
    """Where the money is. Decided by the provider's key and part of every identity."""

    #: Play money.
    TEST = "test"
    #: Real money.
    LIVE = "live"


class Kind(StrEnum):
    """What an own id names; also its prefix."""

    PAYMENT = "pay"
    REFUND = "rfd"
    OPERATION = "opn"
    EVENT = "evt"
    PAYOUT = "pyt"


#: Base32 in lower case, by ten bits: every operation has several ids, and the library's own
#: function takes longer than the hash.
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS: Final = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
#: Of a whole digest, and of the half of one that an id is made of.
_SHIFTS: Final = range(250, -1, -10)
_ID_SHIFTS: Final = range(250, 120, -10)
#: The lengths that nearly all parts have, as they are written: in four bytes.
_LENGTHS: Final = tuple(f"\0\0\0{chr(length)}" for length in range(128))


def digest(parts: Sequence[str]) -> str:
    """
    Return 52 characters of lower-case base32 of SHA-256 over the length-prefixed parts.

    Each part is preceded by its length in bytes, so (`ab`, `c`) and (`a`, `bc`) differ.
    """
    return _digest(parts, _SHIFTS)


def short_digest(parts: Sequence[str]) -> str:
    """Return the first 26 characters (130 bits) of the digest, which ids are made of."""
    return _digest(parts, _ID_SHIFTS)


def _digest(parts: Sequence[str], shifts: range) -> str:
    # 256 bits and four more, in characters of five: two at a time.
    bits = int.from_bytes(hashlib.sha256(_written(parts)).digest(), "big") << 4
    return "".join([_PAIRS[bits >> shift & 1023] for shift in shifts])


def _written(parts: Sequence[str]) -> bytes:
    """The parts, each behind its length."""
    try:
        text = "".join([_LENGTHS[len(part)] + part for part in parts])
    except IndexError:
        pass  # a long one
    else:
        if text.isascii():
            return text.encode()
    encoded = [part.encode() for part in parts]
    return b"".join([piece for part in encoded for piece in (len(part).to_bytes(4, "big"), part)])


@lru_cache(maxsize=1024)
def derive_id(kind: Kind, *parts: str) -> str:
    """Return `<kind>_` and the short digest of kind and parts."""
    return f"{kind.value}_{short_digest((kind.value, *parts))}"


def check_reference(reference: object, *, operation: str, field: str = "reference") -> str:
    """
    Return the reference, or refuse it.

    References are 1 to 80 printable ASCII characters without surrounding spaces, and without the
    characters of paths and URLs: some providers put them into one.

    Raises:
        InvalidRequest: Blank, over-long, not printable or path-like.
    """
    if not isinstance(reference, str):
        raise _refused(f"must be text, not {type(reference).__name__}", operation, field)
    if not reference.strip():
        raise _refused("must not be blank", operation, field)
    if len(reference) > MAX_REFERENCE:
        found = f"at most {MAX_REFERENCE} characters are kept, not {len(reference)}"
        raise _refused(found, operation, field)
    if not _PRINTABLE.fullmatch(reference):
        raise _refused("must be printable ASCII without spaces around it", operation, field)
    if _PATH_LIKE.search(reference):
        raise _refused("must not contain '..' or any of / \\ ? # %", operation, field)
    return reference


def check_scope(scope: object) -> str:
    """
    Return the scope, or refuse it by the rules of references, with at most 64 characters.

    Raises:
        InvalidRequest: Blank, over-long, not printable or path-like.
    """
    checked = check_reference(scope, operation="Payport", field="scope")
    if len(checked) > MAX_SCOPE:
        raise _refused(f"at most {MAX_SCOPE} characters are kept", "Payport", "scope")
    return checked


def _refused(why: str, operation: str, field: str) -> InvalidRequest:
    advice = "Pass a short stable id of your own, such as 'order_12345'."
    return InvalidRequest(f"{why}. {advice}", operation=operation, field=field)
