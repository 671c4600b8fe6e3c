"""
Adyen's front door: who may ask, which keys were used before, and how answers are worded.

One server stands in front of a bank, however many clients there are. It never executes a request
twice for a key that it remembers, and always does for one that it has forgotten. Keys are kept for
the company account, whichever merchant account uses them, and for one region alone.
https://docs.adyen.com/development-resources/api-idempotency
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from payport.providers.exchange import Response
from payport.testing.adyen_simulator.desks import Desks
from payport.testing.adyen_simulator.errors import ApiError, forbidden, unauthorized
from payport.testing.adyen_simulator.line import Kept, Line
from payport.testing.adyen_simulator.outbox import Outbox
from payport.testing.adyen_simulator.wire import authorized, region_of
from payport.testing.bank.bank import Bank
from payport.testing.bank.vault import MICROSECOND
from payport.testing.faults import Fault
from payport.testing.script import Script
from payport.testing.simulation.server import FrontDoor
from payport.testing.simulation.wire import HttpRequest

__all__ = ["KEY_LIFE", "AdyenServer"]

#: How long an answer is kept under its key at least, by the shorter of two texts of Adyen's.
KEY_LIFE: Final = timedelta(days=7)
_IN_USE: Final = 422


class AdyenServer(FrontDoor[tuple[str, str]]):
    """
    The server in front of a bank; get it by `bank.face(AdyenServer)`.

    Attributes:
        outbox: Webhooks that wait to be delivered.
        refuses_other_requests: Whether a key that was used for another request is refused. Adyen
            does not say what it does; otherwise the first answer is given again.
    """

    def __init__(self, bank: Bank) -> None:
        super().__init__(bank)
        self.desks: Desks = Desks(bank)
        self.outbox: Outbox = Outbox(bank, self.desks.telling)
        self.refuses_other_requests: bool = True
        self._kept: dict[tuple[str, str], Kept] = {}

    def handle(self, request: HttpRequest, script: Script) -> Response:
        """
        Answer one request.

        Raises:
            TransportError: The script says that no whole answer comes back.
            Crash: The script says that the client dies.
        """
        for listener in self.heard:
            listener(request)
        if request.key is None:
            return self._answer(request, script)
        key = (region_of(request), request.key)
        with self.guard:
            busy = key in self.running
            self.running.add(key)
        if busy:
            with self.bank.lock:
                return Line(self, request).refuse(_IN_USE, "key_in_use")
        try:
            return self._answer(request, script)
        finally:
            self.running.discard(key)

    def _answer(self, request: HttpRequest, script: Script) -> Response:
        with self.bank.lock:
            vault = self.bank.vault
            vault.catch_up()
            line = Line(self, request)
            try:
                if not script.is_idle:
                    line.scripted = script.take(line.asked(script.pending))
                if isinstance(line.scripted, Fault):
                    return line.scripted.strike(line)
                return line.execute()
            finally:
                vault.catch_up()

    # -- who asks -------------------------------------------------------------------------------

    def admit(self, request: HttpRequest, operations: Collection[str]) -> None:
        """
        Check who asks, how often, and whether they may.

        Raises:
            ApiError: They may not.
        """
        api_key = authorized(request, self.bank.environment)
        if self.is_revoked(api_key):
            raise unauthorized()
        allowed = self.allowed(api_key)
        if allowed is not None and allowed.isdisjoint(operations):
            raise forbidden()
        if not self.takes():
            raise ApiError(429, "000", "Too Many Requests", "security")

    # -- keys -----------------------------------------------------------------------------------

    def kept(self, request: HttpRequest) -> Kept | None:
        """What is remembered under a request's key; what is too old is forgotten."""
        if request.key is None:
            return None
        name = (region_of(request), request.key)
        kept = self._kept.get(name)
        if kept is not None and self.bank.vault.wall() - kept.since >= KEY_LIFE // MICROSECOND:
            del self._kept[name]
            return None
        return kept

    def keep(self, request: HttpRequest, kept: Kept) -> None:
        """Remember an answer."""
        if request.key is not None:
            self._kept[region_of(request), request.key] = kept

    def forget(self, *keys: str) -> None:
        """Forget these keys in every region, or all of them where none is named."""
        with self.bank.lock:
            for name in list(self._kept):
                if not keys or name[1] in keys:
                    del self._kept[name]
