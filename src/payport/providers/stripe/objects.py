"""
Reading Stripe's objects: ids, keys, words and moments out of JSON that anybody may have written.

What has to be there and is not raises one of UNREADABLE; what may be there is read as None. Nothing
here knows what an object means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias, cast

from payport.domain.errors import InvalidRequest

__all__ = [
    "CAPTURE_TAG",
    "EPOCH",
    "TAG",
    "UNREADABLE",
    "Document",
    "attempt_ref_in",
    "charge_in",
    "check_is",
    "earliest",
    "id_in",
    "moment_from",
    "object_in",
    "own_id",
    "ref_of_payment",
    "tag_in",
    "word",
]

Document: TypeAlias = Mapping[str, Any]

#: Where payport's key is in the metadata of what it made, and of a payment that it captured.
TAG: Final = "payport_key"
CAPTURE_TAG: Final = "payport_capture"

#: What reading an object raises that is not one.
UNREADABLE: Final = (
    *(AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError),
    InvalidRequest,
)

_ID: Final = re.compile(r"[A-Za-z0-9_]{1,255}")
_A_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WORD: Final = re.compile(r"[\x21-\x7e]{1,4096}")
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def check_is(document: Document, kind: str) -> None:
    """Raise ValueError where an object is of another kind."""
    if document["object"] != kind:
        message = f"an object that is no {kind}"
        raise ValueError(message)


def own_id(document: Document) -> str:
    """The id of an object. Raises ValueError where it has none."""
    ref = id_in(document)
    if ref is None:
        message = "an object without an id"
        raise ValueError(message)
    return ref


def id_in(value: object) -> str | None:
    """An id, of an object that is named or expanded; None where there is none."""
    if not isinstance(value, str):
        value = cast("Document", value).get("id") if isinstance(value, Mapping) else None
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def attempt_ref_in(document: Document) -> str | None:
    """The id of the PaymentIntent that something belongs to."""
    return id_in(document.get("payment_intent"))


def ref_of_payment(document: Document) -> str:
    """The same. Raises ValueError where it belongs to none."""
    ref = attempt_ref_in(document)
    if ref is None:
        message = "it is of a charge without a payment"
        raise ValueError(message)
    return ref


def charge_in(payment: Document) -> Document | None:
    """The latest charge of a payment, where it is in it and not only named."""
    charge = payment.get("latest_charge")
    return cast("Document", charge) if isinstance(charge, Mapping) else None


def object_in(document: Document, name: str) -> Document:
    """An object within another; an empty one where there is none. Raises TypeError."""
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        message = f"{name} is no object"
        raise TypeError(message)
    return cast("Document", value)


def earliest(payment: Document) -> datetime:
    """The latest moment that a payment itself proves to be past. Raises one of UNREADABLE."""
    charge = charge_in(payment)
    made = [payment["created"], *([charge["created"]] if charge is not None else [])]
    return max(moment_from(at) for at in made)


def tag_in(document: Document, name: str = TAG) -> str | None:
    """Our key, where an object carries it. Raises TypeError."""
    value = object_in(document, "metadata").get(name)
    return value if isinstance(value, str) and _A_KEY.fullmatch(value) else None


def word(value: object) -> str | None:
    """A text for machines, such as a code or an address; None for anything else."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def moment_from(seconds: object) -> datetime:
    """A moment of Stripe's, in seconds since 1970. Raises ValueError, OverflowError."""
    if type(seconds) is not int:
        message = "a moment is missing"
        raise ValueError(message)
    return EPOCH + timedelta(seconds=seconds)
