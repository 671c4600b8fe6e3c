"""
What a simulator brings to the command line: `payport listen` and `payport trigger`.

An entry point of the group `payport.simulators`, by the adapter's name, names a `Simulated`. The
commands know no processor, and import none before one is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from payport.providers.deliveries import WebhookRequest

__all__ = ["GROUP", "Post", "Simulated", "Simulator"]

#: The entry point group.
GROUP: Final = "payport.simulators"


class Post(Protocol):
    """Sends a webhook and returns the HTTP status. Raises OSError where nobody answers."""

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Send one."""
        ...


class Simulator(Protocol):
    """A simulator, as far as the commands are concerned."""

    def add_endpoint(self, url: str, *, types: Sequence[str]) -> object:
        """Send webhooks of these types to an address."""
        ...

    def send_due(self, post: Post) -> object:
        """Send what is due."""
        ...

    def webhooks(self, *, duplicate: int, shuffle: int | None) -> Sequence[WebhookRequest]:
        """Take the webhooks that wait."""
        ...

    def asgi(self) -> Any:
        """The simulator as an ASGI application."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """
    A simulator, for whoever knows its processor by its name alone.

    Attributes:
        make: Makes one on the machine's clock that signs with these secrets, or with the known one
            if there are none. Raises ConfigurationError for what is no signing secret.
        secrets_variable: Where an application keeps its signing secrets, separated by commas.
        known_secret: What is signed with unless told otherwise. Everybody knows it.
        scenarios: What has to happen for an event to be sent, by the event.
        post: Sends to this machine, and to no other.
        loopback: The hosts that are this machine.
    """

    make: Callable[[Sequence[str]], Simulator] = field(repr=False)
    secrets_variable: str
    known_secret: str = field(repr=False)
    scenarios: Mapping[str, Callable[[Any], None]] = field(repr=False)
    post: Post = field(repr=False)
    loopback: frozenset[str]
