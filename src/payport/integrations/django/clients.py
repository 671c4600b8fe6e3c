"""
The client of the process, made of the settings when it is first asked for; in each forked process
anew.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Final

from payport.client.payport import Payport

__all__ = ["clients", "get_payport"]


class Clients:
    """At most one client, which `close` forgets."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client: Payport | None = None

    def get(self) -> Payport:
        """The client, which is made now if there is none."""
        if self._client is None:
            with self._lock:
                if self._client is None:
                    from payport.integrations.django.settings import (  # noqa: PLC0415
                        client_from,  # needs settings, which are not there on import
                        read_settings,
                    )

                    self._client = client_from(read_settings())
        return self._client

    def close(self) -> None:
        """Close the client, if there is one; the next `get` makes another."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def settings_changed(self, *, setting: str, **_: Any) -> None:
        """A test overrides the settings, or ends to: another client is wanted."""
        if setting == "PAYPORT":
            self.close()

    def begin_anew(self) -> None:
        """In a forked child too: lock and client are the parent's, who goes on with them."""
        self._lock = threading.Lock()
        self._client = None


clients: Final = Clients()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=clients.begin_anew)


def get_payport() -> Payport:
    """
    The client of this process, made of the settings `PAYPORT` at the first call.

    It is safe to share between threads. Making it does no I/O.

    Raises:
        ImproperlyConfigured: The settings are missing, or make no client.
    """
    return clients.get()
