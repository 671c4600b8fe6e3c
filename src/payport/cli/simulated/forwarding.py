"""
Signed events of the simulator on their way to a local application: where to, signed with what, and
how each is told. Play money goes to this machine and nowhere else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from payport.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from payport.cli.line import Line
    from payport.testing.simulated import Simulated, Simulator

__all__ = ["ForwardTo", "Forwarder", "SecretOption", "local", "simulator"]

_SUCCESSES: Final = range(200, 300)

SecretOption = Annotated[
    str | None,
    typer.Option(
        "--secret",
        metavar="SECRET",
        help="What events are signed with; else what the provider's variable says, or a known one.",
    ),
]
ForwardTo = Annotated[
    str | None,
    typer.Option(
        "--forward-to", metavar="URL", help="Where to send them: http, on this machine only."
    ),
]


def local(kit: Simulated, url: str) -> str:
    """
    The address, if it is this machine's.

    Raises:
        ConfigurationError: It is not.
    """
    try:
        parts = urlsplit(url)
        fine = parts.scheme == "http" and parts.hostname in kit.loopback and parts.port != 0
    except ValueError:
        fine = False
    if not fine:
        message = "simulated events are sent to this machine only: http://127.0.0.1:8000/webhooks"
        raise ConfigurationError(message, field="--forward-to")
    return url


def simulator(kit: Simulated, secret: str | None) -> tuple[Simulator, str]:
    """A simulator on the machine's clock; and in words, what its events are signed with."""
    given = secret if secret is not None else os.environ.get(kit.secrets_variable, "")
    secrets = [one.strip() for one in given.split(",") if one.strip()]
    where = "--secret" if secret is not None else kit.secrets_variable
    said = f"what {where} says" if secrets else f"{kit.known_secret} (everybody knows it)"
    return kit.make(secrets), said


class Forwarder:
    """
    Sends an event and tells of it; a `payport.testing.simulated.Post`.

    Attributes:
        taken: How many were answered with a 2xx.
        refused: How many were not.
    """

    def __init__(self, line: Line, kit: Simulated) -> None:
        self._out = line.out
        self._post = kit.post
        self.taken: int = 0
        self.refused: int = 0

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """
        Send one.

        Raises:
            OSError: Nobody answered.
        """
        event: Any = json.loads(body)
        try:
            status = self._post(url, headers, body)
        except OSError:
            self._told(event, None)
            raise
        self._told(event, status)
        return status

    def _told(self, event: Any, status: int | None) -> None:
        fine = status in _SUCCESSES
        self.taken += fine
        self.refused += not fine
        said: dict[str, object] = {"event": event["id"], "type": event["type"], "status": status}
        words = "no answer" if status is None else str(status)
        self._out.line(said, f"{words:<10} {event['type']:<40} {event['id']}")

    def send_all(self, url: str, requests: Sequence[Any]) -> None:
        """Send webhooks that were taken from the simulator, whatever is answered."""
        for request in requests:
            try:
                self(url, request.headers, request.body)
            except OSError:
                continue  # told already; the others may be taken
