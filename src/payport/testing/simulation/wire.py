"""Requests as they came over the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["MOST_BYTES", "HttpRequest"]

#: Larger bodies are nobody's request.
MOST_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """
    A request.

    Attributes:
        target: Path and query.
        headers: By lower-case name.
        timeout: Seconds that the client waits.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    timeout: float = 30.0

    @property
    def key(self) -> str | None:
        """The idempotency key; reads have none, whatever they say."""
        return self.headers.get("idempotency-key") if self.method == "POST" else None
