"""
A request in one write: httpx's blocking transport, which writes head and body one after the other.

Two writes are two system calls here and two wake-ups at the other end, which a call feels: a tenth
of a millisecond to a server on the same machine. A head whose body follows is held back until the
body is there; whatever else happens first, it is written as it would have been.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import httpcore
import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

__all__ = ["OneWriteTransport"]

#: A head that says that a body comes behind it.
_ANNOUNCES_BODY: Final = re.compile(rb"(?is)\r\ncontent-length: [1-9].*\r\n\r\n\Z")


class OneWriteTransport(httpx.HTTPTransport):
    """As httpx's own, without a proxy, and with one write for each request."""

    def __init__(self, *, verify: ssl.SSLContext, limits: httpx.Limits, **options: Any) -> None:
        super().__init__(verify=verify, limits=limits, **options)
        self._pool = httpcore.ConnectionPool(
            ssl_context=verify,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_Backend(),
        )


class _Backend(httpcore.SyncBackend):
    """Opens streams that hold heads back."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """See `httpcore.NetworkBackend`."""
        return _Stream(super().connect_tcp(host, port, timeout, local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    """A connection; see `httpcore.NetworkStream`."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._held = b""

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write, or hold back what a body is announced in."""
        if not buffer:
            return
        if not self._held and _ANNOUNCES_BODY.search(buffer):
            self._held = buffer
            return
        held, self._held = self._held, b""
        self._stream.write(held + buffer, timeout)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what comes, after everything was written."""
        if self._held:
            held, self._held = self._held, b""
            self._stream.write(held, timeout)
        return self._stream.read(max_bytes, timeout)

    def close(self) -> None:
        """Close it."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """The same connection with TLS on it."""
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """What is known of the connection."""
        return self._stream.get_extra_info(info)
