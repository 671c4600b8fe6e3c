"""
What a webhook's sender is answered, the same in every framework, and how much of its body is read.
Knows HTTP's words and no framework: a module of each turns an `Answer` into its own response.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from payport.domain.errors import PayportError, RateLimited, WebhookRejected
from payport.webhooks.inbox import MAX_BODY, Receipt

__all__ = ["Answer", "Body", "answer_from", "answer_to", "check_length", "read_body", "too_large"]

_log: Final = logging.getLogger("payport.integrations")

#: Seconds after which a provider may come again. Most have their own idea, and keep to it.
_RETRY_AFTER: Final = 30

#: Bytes that are asked for at once.
_PIECE: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP response: a status, a line of text, and headers beside its type."""

    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def answer_from(receipt: Receipt) -> Answer:
    """What a stored request is answered, be it new, a repetition or a contradiction: 200."""
    return Answer(status=200, text=receipt.status.value)


def answer_to(error: Exception) -> Answer:
    """
    What a request is answered that could not be stored.

    | error | status | what the provider does |
    | --- | --- | --- |
    | `WebhookRejected` | its own: 400, or 413 for too large | gives up, or tries again in vain |
    | anything that is retryable, `StoreUnavailable` first | 503, `Retry-After` | sends it again |
    | everything else: a mistake of ours or of the set-up | 500, logged | sends it again |

    Only a rejection says why: it is about what the sender sent. What went wrong on this side is
    nobody's business outside.
    """
    if isinstance(error, WebhookRejected):
        _log.warning("a webhook was rejected: %s", error)
        return Answer(status=error.status, text=error.message)
    if isinstance(error, PayportError) and error.retryable:
        _log.error("a webhook could not be stored, and has to be sent again: %s", error)
        return Answer(status=503, text="try again", headers={"Retry-After": _pause(error)})
    _log.error("a webhook could not be received", exc_info=error)
    return Answer(status=500, text="error")


def _pause(error: PayportError) -> str:
    asked = error.retry_after if isinstance(error, RateLimited) else None
    return str(max(1, round(asked)) if asked is not None else _RETRY_AFTER)


def check_length(declared: str | None) -> None:
    """
    Refuse a body by the length that its sender declares, before any of it is read.

    Raises:
        WebhookRejected: It is no length, or too long.
    """
    if declared is None:
        return
    if not (declared.isascii() and declared.isdecimal()):
        raise _rejected("Content-Length is no number of bytes", status=400)
    # By digits first: a number of thousands of digits is expensive to read.
    if len(declared.lstrip("0")) > len(str(MAX_BODY)) or int(declared) > MAX_BODY:
        raise too_large()


class Body:
    """A body that arrives in pieces, whose sender may never end."""

    def __init__(self) -> None:
        self._pieces = bytearray()

    def add(self, piece: bytes) -> None:
        """
        Take the next piece as it came: it is never inflated, for the signature covers these bytes.

        Raises:
            WebhookRejected: It is too much. The rest must not be read.
        """
        if len(self._pieces) + len(piece) > MAX_BODY:
            raise too_large()
        self._pieces += piece

    def whole(self) -> bytes:
        """All that came."""
        return bytes(self._pieces)


def read_body(read: Callable[[int], bytes], declared: str | None) -> bytes:
    """
    Read a body from a function that gives at most so many bytes, and none at the end.

    Args:
        declared: Its Content-Length, if it has one.

    Raises:
        WebhookRejected: It is too large; only what the limit allows was read.
    """
    check_length(declared)
    body = Body()
    while piece := read(_PIECE):
        body.add(piece)
    return body.whole()


def too_large() -> WebhookRejected:
    """The rejection of a body that nobody has to read."""
    return _rejected(f"more than {MAX_BODY} bytes, which is what is read at most", status=413)


def _rejected(message: str, *, status: int) -> WebhookRejected:
    return WebhookRejected(message, status=status, operation="webhooks.receive", field="body")
