"""
What every simulated front door knows: whose keys count and what for, how many requests it takes,
and what the time is. What is asked and answered is the processor's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from email.utils import format_datetime
from typing import Generic, TypeVar

from payport.domain.secrets import Secret
from payport.testing.bank.bank import Bank
from payport.testing.bank.vault import moment
from payport.testing.simulation.wire import HttpRequest

__all__ = ["FrontDoor"]

K = TypeVar("K")
_SECOND = 1_000_000


class FrontDoor(Generic[K]):
    """
    As much of a server as is common; `K` is what an idempotency key is known by.

    Attributes:
        rate_limit: How many requests a second it takes, by the bank's clock; None for any number.
        heard: Called with each request that arrives.
        running: The keys of requests that are being answered; `guard` is held to change them.
    """

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.rate_limit: int | None = None
        self.heard: list[Callable[[HttpRequest], None]] = []
        self.running: set[K] = set()
        self.guard: AbstractContextManager[object] = threading.Lock()
        self._revoked: set[Secret] = set()
        self._allowed: dict[Secret, frozenset[str]] = {}
        self._second, self._count = 0, 0
        self._date = (0, "")

    # -- who asks -------------------------------------------------------------------------------

    def revoke(self, api_key: str | Secret) -> None:
        """Accept an API key no longer: whoever uses it is answered 401."""
        self._revoked.add(_secret(api_key))

    def restrict(self, api_key: str | Secret, names: Collection[str]) -> None:
        """Allow a key nothing but what is named, in the processor's words or payport's."""
        self._allowed[_secret(api_key)] = frozenset(names)

    def is_revoked(self, api_key: str) -> bool:
        """Whether a key is accepted no longer."""
        return bool(self._revoked) and Secret(api_key) in self._revoked

    def allowed(self, api_key: str) -> frozenset[str] | None:
        """What a restricted key may do; None for one that may do everything."""
        return self._allowed.get(Secret(api_key)) if self._allowed else None

    def takes(self) -> bool:
        """Count a request; whether it is one of as many as are taken in this second."""
        if self.rate_limit is None:
            return True
        second = self.second()
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        return self._count <= self.rate_limit

    # -- the time -------------------------------------------------------------------------------

    def second(self) -> int:
        """The second that it is, by the bank's clock."""
        return self.bank.vault.wall() // _SECOND

    def date(self) -> str:
        """The moment as the `Date` header says it."""
        second = self.second()
        if second != self._date[0]:
            self._date = (second, format_datetime(moment(second * _SECOND), usegmt=True))
        return self._date[1]


def _secret(api_key: str | Secret) -> Secret:
    return api_key if isinstance(api_key, Secret) else Secret(api_key)
