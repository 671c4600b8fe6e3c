"""What arrives by webhook: the request as it came, and the deliveries an adapter reads from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from payport.domain.facts import Facts
from payport.domain.identifiers import Environment
from payport.domain.secrets import NOTHING, Sealed

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Delivery", "WebhookRequest"]


class WebhookRequest:
    """
    The whole request, unparsed: signatures cover bytes, some cover the address.

    Header names are compared without case; a header that came twice keeps the last value.
    """

    __slots__ = ("_headers", "body", "url")

    def __init__(self, *, body: bytes, headers: Mapping[str, str], url: str | None = None) -> None:
        self.body: bytes = bytes(body)
        self.url: str | None = url
        self._headers = {name.lower(): value for name, value in headers.items()}

    @property
    def headers(self) -> dict[str, str]:
        """All headers, with their names in lower case; a copy."""
        return dict(self._headers)

    def header(self, name: str) -> str | None:
        """The value of a header, whatever the case of its name."""
        return self._headers.get(name.lower())

    def __repr__(self) -> str:
        return f"WebhookRequest({len(self.body)} bytes)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """
    One statement of a webhook; a request may hold several.

    Attributes:
        dedupe_key: The same for every delivery of the same statement.
        ordering_key: The same for statements about one payment; one of them is processed at a time.
        type: The provider's word for what happened.
        attempt_ref: The provider's object the statement is about, where told.
        tag: Our key, where the object that the statement is about carries it: of a statement about
            a refund, the refund's. `facts.tag` is always the payment's.
        facts: What it says; None where it says nothing payport has a meaning for.
        needs_fetch: Whether the object must be read before it can be trusted, such as when the
            payload is of another API version, or is only a hint.
        environment: Test or live, as the statement says.
        account: The provider's account it is about, where told.
    """

    dedupe_key: str
    ordering_key: str
    type: str
    occurred_at: datetime
    attempt_ref: str | None = None
    tag: str | None = None
    facts: Facts | None = None
    needs_fetch: bool = False
    api_version: str | None = None
    environment: Environment | None = None
    account: str | None = None
    raw: Sealed[Any] = field(default=NOTHING, compare=False, repr=False)
