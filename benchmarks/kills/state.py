"""What the processes tell each other without a file: a few bytes of memory that all of them see."""

from __future__ import annotations

import mmap
import socket
import ssl
import time
from enum import IntEnum
from typing import Any, Final

__all__ = ["Phase", "Shared", "be_slow", "spare_certificates"]

#: Bytes that a slow line takes at once, and how long it then takes no more.
_PIECE: Final = 2048
_PAUSE: Final = 0.003
_CLOSING: Final = 0


class Phase(IntEnum):
    """What a worker is doing, so that it is known where a kill hit it."""

    STARTING = 0
    PAYING = 1
    #: Part of a request is on the wire.
    WRITING = 2
    #: All of it is.
    ASKED = 3
    RECORDING = 4
    RECOVERING = 5


class Shared:
    """The bytes: one that says whether the day is over, and one for each worker's phase."""

    def __init__(self, slots: int) -> None:
        self._bytes = mmap.mmap(-1, slots + 1)

    @property
    def closing(self) -> bool:
        """Whether no more orders come in."""
        return bool(self._bytes[_CLOSING])

    def close_the_shop(self) -> None:
        """Let no more orders in."""
        self._bytes[_CLOSING] = 1

    def enter(self, slot: int, phase: Phase) -> None:
        """Say what this slot's worker does from now on."""
        self._bytes[slot + 1] = phase

    def phase(self, slot: int) -> Phase:
        """What the slot's worker does, or did when it died."""
        return Phase(self._bytes[slot + 1])


def be_slow(shared: Shared, slot: int) -> None:
    """
    Give all sockets of this process a slow line: what is long leaves in pieces, with pauses. Both
    clients write through Python's sockets, and neither knows; a kill between two pieces leaves half
    a request on the wire.
    """
    sendall = socket.socket.sendall

    def slowly(self: socket.socket, data: Any, *flags: Any) -> None:
        view = memoryview(data).cast("B")
        shared.enter(slot, Phase.WRITING)
        for at in range(0, len(view), _PIECE):
            if at:
                time.sleep(_PAUSE)
            sendall(self, view[at : at + _PIECE], *flags)
        shared.enter(slot, Phase.ASKED)

    def send_slowly(self: socket.socket, data: Any, *flags: Any) -> int:
        slowly(self, data, *flags)
        return len(data)

    socket.socket.sendall = slowly  # type: ignore[method-assign,assignment]
    socket.socket.send = send_slowly  # type: ignore[method-assign,assignment]


def spare_certificates() -> None:
    """
    Load no certificates in this process and its children: nothing here is encrypted, and whoever
    opens a client would spend a third of its short life on them.
    """
    ssl.SSLContext.load_verify_locations = lambda *_, **__: None  # type: ignore[method-assign]
