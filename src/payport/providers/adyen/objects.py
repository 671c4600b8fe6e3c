"""What is read out of Adyen's documents: references, moments, words. Decides nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Final, TypeAlias, cast

from payport.domain.errors import InvalidRequest
from payport.providers.exchange import Response

__all__ = [
    "EPOCH",
    "UNREADABLE",
    "Document",
    "document_from",
    "moment_from",
    "object_in",
    "provider_time",
    "psp_in",
    "word",
]

Document: TypeAlias = Mapping[str, Any]

#: What reading a document raises that is none of Adyen's.
UNREADABLE: Final = (
    *(AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError),
    InvalidRequest,
)

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

#: Sixteen characters, says Adyen; names of reports stand in the same place and are longer.
_PSP: Final = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_WORD: Final = re.compile(r"[\x20-\x7e]{1,255}")

_decode = json.JSONDecoder().decode


def document_from(response: Response) -> dict[str, Any]:
    """The JSON object of an answer; empty where it is none."""
    try:
        told = _decode(response.body.decode())
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}


def psp_in(document: Document, name: str = "pspReference") -> str | None:
    """One of Adyen's own references; None where there is none."""
    value = document.get(name)
    return value if isinstance(value, str) and _PSP.fullmatch(value) else None


def object_in(document: Document, name: str) -> Document:
    """An object within another; an empty one where there is none. Raises TypeError."""
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        message = f"{name} is no object"
        raise TypeError(message)
    return cast("Document", value)


def word(value: object) -> str | None:
    """A short text, such as a code or a reason; None for anything else."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def moment_from(told: object) -> datetime:
    """A moment with its time zone, as webhooks write it. Raises ValueError."""
    moment = datetime.fromisoformat(told) if isinstance(told, str) else None
    if moment is None or moment.utcoffset() is None:
        message = "a moment is missing, or has no time zone"
        raise ValueError(message)
    return moment.astimezone(UTC)


def provider_time(response: Response) -> datetime | None:
    """When Adyen answered, by its own clock."""
    return _date(response.headers.get("date"))


@lru_cache(maxsize=64)
def _date(told: str | None) -> datetime | None:
    if told is None:
        return None
    try:
        moment = parsedate_to_datetime(told)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None
