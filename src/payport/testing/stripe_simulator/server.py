"""
Stripe's front door: who may ask, which keys were used before, and how answers are worded.

One server stands in front of a bank, however many clients there are. It never executes a request
twice for a key that it remembers, and always does for one that it has forgotten.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from payport.providers.exchange import Response
from payport.testing.bank.bank import Bank
from payport.testing.bank.vault import MICROSECOND
from payport.testing.faults import Fault
from payport.testing.script import Script
from payport.testing.simulation.server import FrontDoor
from payport.testing.simulation.wire import HttpRequest
from payport.testing.stripe_simulator.desks import Desks
from payport.testing.stripe_simulator.errors import Doc, invalid
from payport.testing.stripe_simulator.line import Kept, Line
from payport.testing.stripe_simulator.outbox import Outbox
from payport.testing.stripe_simulator.refusals import not_permitted, too_many
from payport.testing.stripe_simulator.routes import Route, allows, needed
from payport.testing.stripe_simulator.wire import authorized, unknown_key

__all__ = ["StripeServer"]

#: How long an answer is kept under its key. https://docs.stripe.com/api/idempotent_requests
KEY_LIFE: Final = timedelta(hours=24)


class StripeServer(FrontDoor[str]):
    """
    The server in front of a bank; get it by `bank.face(StripeServer)`.

    Attributes:
        outbox: Webhooks that wait to be delivered.
        connected: Servers of accounts that requests may name by `Stripe-Account`.
    """

    def __init__(self, bank: Bank) -> None:
        super().__init__(bank)
        self.desks: Desks = Desks(bank, search_lag=bank.behaviour.search_lag)
        self.outbox: Outbox = Outbox(bank, self.desks.events)
        self.connected: dict[str, StripeServer] = {}
        self._kept: dict[str, Kept] = {}

    def handle(self, request: HttpRequest, script: Script) -> Response:
        """
        Answer one request.

        Raises:
            TransportError: The script says that no whole answer comes back.
            Crash: The script says that the client dies.
        """
        for listener in self.heard:
            listener(request)
        account = request.headers.get("stripe-account")
        server = self.connected.get(account, self) if account is not None else self
        key = request.key
        if key is None:
            return server.answer(request, script)
        with server.guard:
            busy = key in server.running
            server.running.add(key)
        if busy:
            with server.bank.lock:
                return Line(server, request).refuse(409, "key_in_use")
        try:
            return server.answer(request, script)
        finally:
            server.running.discard(key)

    def answer(self, request: HttpRequest, script: Script) -> Response:
        """Answer a request that no other one is in the way of; see `handle`."""
        with self.bank.lock:
            vault = self.bank.vault
            vault.catch_up()
            line = Line(self, request)
            try:
                if not script.is_idle:
                    line.scripted = script.take(line.asked())
                if isinstance(line.scripted, Fault):
                    return line.scripted.strike(line)
                return line.execute()
            finally:
                self.desks.events.request = (None, None)
                vault.catch_up()

    # -- who asks -------------------------------------------------------------------------------

    def admit(self, request: HttpRequest) -> None:
        """
        Check who asks, and how often.

        Raises:
            ApiError: They may not.
        """
        api_key = authorized(request, self.bank.environment)
        if self.is_revoked(api_key):
            raise unknown_key(api_key)
        account = request.headers.get("stripe-account")
        if account is not None and account != self.bank.account:
            message = (
                f"The provided key '{api_key[:8]}************' does not have access to account"
                f" '{account}' (or that account does not exist). Application access may have been"
                " revoked."
            )
            raise invalid(message, "account_invalid", status=403)
        if not self.takes():
            raise too_many(None)

    def permit(self, request: HttpRequest, route: Route, fields: Doc) -> None:
        """
        Check whether a restricted key may do this.

        Raises:
            ApiError: It may not.
        """
        allowed = self.allowed(authorized(request, self.bank.environment))
        if allowed is None:
            return
        for permission in sorted(needed(route, fields)):
            if not allows(allowed, permission):
                raise not_permitted(f"rak_{permission}", self.bank.account)

    # -- keys -----------------------------------------------------------------------------------

    def kept(self, key: str) -> Kept | None:
        """What is remembered under a key; what is older than a day is forgotten."""
        kept = self._kept.get(key)
        if kept is not None and self.bank.vault.wall() - kept.since >= KEY_LIFE // MICROSECOND:
            del self._kept[key]
            return None
        return kept

    def keep(self, key: str, kept: Kept) -> None:
        """Remember an answer."""
        self._kept[key] = kept
