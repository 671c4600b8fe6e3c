"""Sends webhooks over HTTP, to loopback addresses only: play money has no business elsewhere."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from payport.domain.errors import ConfigurationError

__all__ = ["LOOPBACK", "Post", "post_to_loopback"]

#: Sends a webhook to an address and returns the HTTP status; raises OSError if nobody answers.
Post: TypeAlias = Callable[[str, Mapping[str, str], bytes], int]

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_PATIENCE: Final = 10.0


def post_to_loopback(url: str, headers: Mapping[str, str], body: bytes) -> int:
    """
    Send a webhook; return the HTTP status.

    Raises:
        ConfigurationError: The address is not on this machine.
        OSError: Nobody answered.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK:
        message = "webhooks are sent to http://127.0.0.1:... only. Pass `post` to send elsewhere."
        raise ConfigurationError(message, operation="send_due", field="url")
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_PATIENCE)
    target = parts.path or "/"
    try:
        connection.request(
            "POST",
            f"{target}?{parts.query}" if parts.query else target,
            body=body,
            headers=dict(headers),
        )
        return connection.getresponse().status
    except http.client.HTTPException as broken:
        raise OSError("the address answered no HTTP") from broken
    finally:
        connection.close()
