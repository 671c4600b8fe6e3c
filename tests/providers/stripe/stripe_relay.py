"""A relay between a client and a server on loopback, which fails as networks do."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


class Relay:
    """
    Passes bytes on between a client and the simulator.

    Attributes:
        connections: How many were made to it.
        cut: Called with each answer's bytes; what it returns is passed on, and the connection is
            reset. None passes everything on.
        closes: Whether it closes a connection, without a word, once an answer went through.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self.connections = 0
        self.cut: Callable[[bytes], bytes] | None = None
        self.closes = False

    def serve(self, client: socket.socket) -> None:
        self.connections += 1
        with client, socket.create_connection(self._target, timeout=10) as server:
            while request := message(client):
                server.sendall(request)
                answer = message(server)
                if self.cut is not None:
                    client.sendall(self.cut(answer))
                    # Closed without lingering: the client sees a reset, and no orderly end.
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                client.sendall(answer)
                if self.closes:
                    return


def message(connection: socket.socket) -> bytes:
    """One whole request or answer; nothing where the other side is gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65_536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0].partition(b":")[2]) if lengths else 0
    while len(body) < length:
        part = connection.recv(65_536)
        if not part:
            return b""
        body += part
    return head + b"\r\n\r\n" + body


@contextmanager
def relayed(target: str) -> Iterator[tuple[Relay, str]]:
    relay = Relay(target)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                connection.settimeout(10)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        def serve(connection: socket.socket) -> None:
            try:
                relay.serve(connection)
            except OSError:
                return

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield relay, f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
    accepting.join(5)
