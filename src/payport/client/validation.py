"""Checks what applications pass, before any I/O; a refusal names operation, field and next step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import urlsplit

from payport.domain.errors import InvalidRequest
from payport.domain.frozen import EMPTY, FrozenMapping
from payport.domain.identifiers import Kind, check_reference
from payport.domain.money import Money
from payport.domain.sensitive import refuse_sensitive

if TYPE_CHECKING:
    from payport.providers.spec import Limits

__all__ = [
    "Checker",
    "check_delivery_id",
    "check_id",
    "check_limit",
    "check_moment",
    "checked_reference",
    "checked_status",
]

E = TypeVar("E", bound=StrEnum)

_COUNTRY = re.compile(r"[A-Z]{2}")
_METHOD = re.compile(r"[a-z0-9][a-z0-9_.-]{0,49}")
_TOKEN = re.compile(r"[A-Za-z0-9_\-:.=+|@~]+")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
_URL_LENGTH = 2048
#: Results of 3-D Secure have some thousands.
_LONGEST_RESULT = 300_000
_MOST_PER_PAGE = 1000


class Checker:
    """Checks the arguments of one operation."""

    __slots__ = ("_limits", "_operation", "_reference")

    def __init__(self, operation: str, limits: Limits, reference: str | None = None) -> None:
        self._operation = operation
        self._limits = limits
        self._reference = reference

    @property
    def limits(self) -> Limits:
        """What the provider accepts."""
        return self._limits

    def refused(self, field: str, why: str) -> InvalidRequest:
        """The error for a field."""
        return InvalidRequest(
            why, operation=self._operation, reference=self._reference, field=field
        )

    def amount(self, amount: object, field: str = "amount") -> Money:
        """A positive amount that is not more than the provider takes."""
        if not isinstance(amount, Money):
            given = type(amount).__name__
            raise self.refused(
                field,
                f"must be Money, not {given}: Money(4999, 'USD'), or "
                "Money.from_major('49.99', 'USD')",
            )
        if amount.minor <= 0:
            raise self.refused(field, f"must be more than nothing, not {amount}")
        if amount.minor > self._limits.max_amount:
            most = Money(self._limits.max_amount, amount.currency)
            raise self.refused(field, f"{amount} is more than the provider takes at once, {most}")
        return amount

    def optional_amount(self, amount: object) -> Money | None:
        """`amount`, or None for all there is."""
        return None if amount is None else self.amount(amount)

    def token(self, token: object, field: str) -> str | None:
        """A provider's token or id; never a card number, never part of a path."""
        if token is None:
            return None
        refuse_sensitive(token, operation=self._operation, field=field)
        if not isinstance(token, str) or not _TOKEN.fullmatch(token) or ".." in token:
            raise self.refused(field, "must be a token of the provider's, such as 'pm_card_visa'")
        if len(token) > self._limits.token_length:
            found = f"the provider's tokens have at most {self._limits.token_length} characters"
            raise self.refused(field, found)
        return token

    def text(self, text: object, field: str, longest: int) -> str | None:
        """A text for people, without card data."""
        if text is None:
            return None
        if not isinstance(text, str) or not text.strip():
            raise self.refused(field, "must be text that is not blank; leave it out otherwise")
        if len(text) > longest:
            raise self.refused(field, f"at most {longest} characters are kept, not {len(text)}")
        refuse_sensitive(text, operation=self._operation, field=field)
        return text

    def country(self, country: object) -> str | None:
        """A country by ISO 3166, as `NL`."""
        if country is None or (isinstance(country, str) and _COUNTRY.fullmatch(country)):
            return country
        raise self.refused("country", "must be two upper-case letters by ISO 3166, such as 'NL'")

    def method(self, method: object) -> str | None:
        """A type of payment method, as `card`."""
        if method is None or (isinstance(method, str) and _METHOD.fullmatch(method)):
            return method
        raise self.refused("payment_method_type", "must be a lower-case word, such as 'card'")

    def email(self, email: object, field: str) -> str | None:
        """An address for a receipt."""
        checked = self.text(email, field, 320)
        if checked is not None and not _EMAIL.fullmatch(checked):
            raise self.refused(field, "must be an e-mail address")
        return checked

    def url(self, url: object, field: str) -> str | None:
        """An absolute http(s) address without credentials in it."""
        if url is None:
            return None
        if not isinstance(url, str) or len(url) > _URL_LENGTH or not url.isprintable():
            raise self.refused(field, "must be an absolute URL of at most 2048 characters")
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or " " in url:
            raise self.refused(field, "must be an absolute http or https URL")
        if parts.username is not None:
            raise self.refused(field, "must not contain a user name or password")
        refuse_sensitive(url, operation=self._operation, field=field)
        return url

    def flag(self, flag: object, field: str) -> bool:
        """True or False and nothing that is merely taken for it."""
        if not isinstance(flag, bool):
            raise self.refused(field, f"must be True or False, not {type(flag).__name__}")
        return flag

    def attempt(self, attempt: object) -> int:
        """A number from 1."""
        if not isinstance(attempt, int) or isinstance(attempt, bool) or attempt < 1:
            raise self.refused("attempt", "must be a whole number from 1")
        return attempt

    def member(self, value: object, kind: type[E], field: str) -> E:
        """A member of a vocabulary, or its text."""
        try:
            return kind(str(value))
        except ValueError:
            known = ", ".join(repr(str(member)) for member in kind)
            raise self.refused(field, f"must be one of {known}") from None

    def action_result(self, result: object) -> FrozenMapping:
        """Text for text, as it came from the browser: not looked into, and never stored."""
        given: Mapping[object, object] = {}
        if isinstance(result, Mapping):
            given = cast("Mapping[object, object]", result)
        kept = {k: v for k, v in given.items() if isinstance(k, str) and isinstance(v, str)}
        if not kept or len(kept) != len(given):
            raise self.refused("action_result", "must be a mapping of text to text, not empty")
        if sum(map(len, kept.values())) > _LONGEST_RESULT:
            raise self.refused("action_result", f"has more than {_LONGEST_RESULT} characters")
        return FrozenMapping(kept)

    def metadata(self, metadata: object) -> FrozenMapping:
        """Text for text, within the provider's limits, without card data."""
        if metadata is None:
            return EMPTY
        if not isinstance(metadata, Mapping):
            raise self.refused("metadata", "must be a mapping of text to text")
        given = cast("Mapping[object, object]", metadata)
        limits = self._limits
        if len(given) > limits.metadata_keys:
            found = f"at most {limits.metadata_keys} entries are kept, not {len(given)}"
            raise self.refused("metadata", found)
        kept: dict[str, str] = {}
        for name, value in given.items():
            if not isinstance(name, str) or not isinstance(value, str):
                raise self.refused("metadata", "keys and values must be text: convert them first")
            self._metadata_entry(name, value)
            kept[name] = value
        refuse_sensitive(kept, operation=self._operation, field="metadata")
        return FrozenMapping(kept)

    def _metadata_entry(self, name: str, value: str) -> None:
        limits = self._limits
        if not name or len(name) > limits.metadata_key_length:
            found = f"keys have 1 to {limits.metadata_key_length} characters"
            raise self.refused("metadata", found)
        if "[" in name or "]" in name:
            raise self.refused("metadata", "keys must not contain [ or ]")
        if name.startswith(_OURS):
            raise self.refused("metadata", f"keys beginning with {_OURS} are payport's own")
        if len(value) > limits.metadata_value_length:
            found = f"values have at most {limits.metadata_value_length} characters"
            raise self.refused("metadata", found)


#: Where payport puts its tag.
_OURS = "payport_"

_DELIVERY = re.compile(r"inb_[a-z2-7]{26}")
_IDS = {kind: re.compile(rf"{kind.value}_[a-z2-7]{{26}}") for kind in Kind}


def checked_reference(reference: object, *, operation: str) -> str:
    """
    Return a new object's reference, or refuse it.

    Raises:
        InvalidRequest: Blank, over-long, not printable or path-like.
        SensitiveData: It is a card number.
    """
    refuse_sensitive(reference, operation=operation, field="reference")
    return check_reference(reference, operation=operation)


def checked_status(
    limits: Limits, status: object, kind: type[StrEnum], operation: str
) -> str | None:
    """A status to list by, as text. Raises InvalidRequest for one that does not exist."""
    if status is None:
        return None
    return str(Checker(operation, limits).member(status, kind, "status"))


def check_id(given: object, kind: Kind, *, operation: str, field: str) -> str:
    """
    Return an id of payport's own, or refuse it.

    Raises:
        InvalidRequest: Anything else, such as a provider's id or a path.
    """
    if not isinstance(given, str) or not _IDS[kind].fullmatch(given):
        raise InvalidRequest(
            f"must be payport's own id, '{kind.value}_...': pass the id of the object that "
            "payport returned, or use reference=",
            operation=operation,
            field=field,
        )
    return given


def check_delivery_id(given: object, *, operation: str, field: str) -> str:
    """
    Return the inbox's id of a delivery, or refuse it.

    Raises:
        InvalidRequest: Anything else, such as the provider's id of an event.
    """
    if not isinstance(given, str) or not _DELIVERY.fullmatch(given):
        raise InvalidRequest(
            "must be one of the ids that webhooks.receive returned, 'inb_...'",
            operation=operation,
            field=field,
        )
    return given


def check_moment(moment: object, *, operation: str, field: str) -> datetime | None:
    """
    Return an aware datetime, or refuse it.

    Raises:
        InvalidRequest: Not a datetime, or a naive one.
    """
    if moment is None:
        return None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise InvalidRequest(
            "must be an aware datetime, such as datetime.now(UTC): a naive one has no moment",
            operation=operation,
            field=field,
        )
    return moment


def check_limit(limit: object, *, operation: str) -> int:
    """
    Return a page's length, or refuse it.

    Raises:
        InvalidRequest: Not a whole number from 1 to 1000.
    """
    whole = limit if isinstance(limit, int) and not isinstance(limit, bool) else 0
    if not 1 <= whole <= _MOST_PER_PAGE:
        message = f"must be a whole number from 1 to {_MOST_PER_PAGE}"
        raise InvalidRequest(message, operation=operation, field="limit")
    return whole
