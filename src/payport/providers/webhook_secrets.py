"""
Signing secrets of webhooks, of which several count while one is replaced, each until its own end.

Comparing takes the same time whatever was sent: every secret is tried with every signature, expired
ones too. Nothing here knows how a provider signs.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NoReturn, final

from payport.domain.errors import ConfigurationError
from payport.domain.secrets import Secret

__all__ = ["WebhookSecret", "matched_secret"]


@final
class WebhookSecret:
    """
    A signing secret, and until when it counts.

        webhook_secrets=["whsec_new", WebhookSecret("whsec_old", until=friday)]

    Args:
        value: The secret.
        until: An aware moment; webhooks that it signed are rejected from then on. None: for ever.

    Raises:
        ConfigurationError: The secret is blank, or the moment has no time zone.
    """

    __slots__ = ("_secret", "until")

    until: datetime | None

    def __init__(self, value: str | Secret, *, until: datetime | None = None) -> None:
        if until is not None and until.utcoffset() is None:
            del value
            raise ConfigurationError(
                "needs a moment with a time zone", operation="WebhookSecret", field="until"
            )
        self._secret = value if isinstance(value, Secret) else Secret(value)
        self.until = until

    def reveal(self) -> str:
        """Return the text. Call it where the text is used, and keep no variable that holds it."""
        return self._secret.reveal()

    def counts_at(self, now: datetime) -> bool:
        """Whether it counts still."""
        return self.until is None or now < self.until

    def __repr__(self) -> str:
        return "<webhook secret>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a WebhookSecret is never pickled: configure it in each process")


def matched_secret(
    secrets: Sequence[WebhookSecret],
    given: Iterable[bytes],
    signature: Callable[[str], bytes],
    now: datetime,
) -> int | None:
    """
    Which of the secrets made one of the given signatures, from 0; None if no valid one did.

    Args:
        signature: What a secret's text makes of what was signed.
    """
    macs = tuple(given)
    fits: list[int] = []
    for number, secret in enumerate(secrets):
        ours = signature(secret.reveal())
        # A list, so that each is compared with each and the time taken tells nothing.
        same = [hmac.compare_digest(ours, mac) for mac in macs]
        if True in same and secret.counts_at(now):
            fits.append(number)
    return fits[0] if fits else None
