"""
The control surface of a simulator behind a socket: what a test does from another process.

    GET  /_control/                       what there is
    GET  /_control/moved                  the bank's books and balances; with ?name=..., what is
                                          written in the books about the payments with this name
    GET  /_control/charged?name=...       what was charged and refunded for a name
    GET  /_control/endpoints              what every address took, did not take, and is still sent
    POST /_control/advance                {"seconds": 3600}
    POST /_control/next                   {"operation": "create_payment", "fault": "LostResponse"};
                                          more members are the fault's arguments, such as "effect"
    POST /_control/authenticate           {"name": "a name of the payment's", "ok": true}
    POST /_control/settle                 {"name": "...", "ok": true}
    POST /_control/dispute                {"name": "...", "reason": "fraudulent"}
    POST /_control/win, /_control/lose    {"dispute": "the dispute's id at the bank"}
    POST /_control/endpoints              {"url": "http://127.0.0.1:...", "types": ["*"]}
    POST /_control/send_due               {}

Bodies and answers are JSON. Whoever can reach it can do all of it: it is for loopback only, which
the application in front of it sees to. A simulator adds routes of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl

from payport.domain.declines import DeclineReason
from payport.domain.errors import PayportError
from payport.testing import faults
from payport.testing.bank.bank import Bank
from payport.testing.bank.records import Refused
from payport.testing.clock import FakeClock
from payport.testing.script import As, Declined, Scripted
from payport.testing.simulation.documents import Doc
from payport.testing.simulation.outbox import Endpoint

__all__ = ["PREFIX", "Control", "Controlled"]

PREFIX: Final = "/_control/"
#: Faults that may be scripted over the network; a process does not crash by being asked to.
_FAULTS: Final = frozenset(faults.__all__) - {"Crash", "CrashAfter", "CrashBefore", "Fault", "Line"}


class Controlled(Protocol):
    """As much of a simulator as is controlled from outside."""

    @property
    def bank(self) -> Bank:
        """What it stands in front of."""
        ...

    @property
    def clock(self) -> FakeClock:
        """The bank's clock."""
        ...

    @property
    def addresses(self) -> Sequence[Endpoint[Any]]:
        """Whom webhooks are sent to."""
        ...

    def next(self, operation: str, *scripted: Scripted) -> None:
        """Script the next requests of an operation."""
        ...

    def add_endpoint(self, url: str, *, types: Collection[str] = ("*",)) -> object:
        """Have webhooks sent to an address."""
        ...

    def send_due(self) -> int:
        """Send what is due."""
        ...


class Control:
    """
    Serves the control surface.

    Attributes:
        serves: What serves which route, by method and path below the prefix.
    """

    def __init__(self, simulator: Controlled) -> None:
        self._simulator = simulator
        self._bank: Bank = simulator.bank
        self.serves: dict[tuple[str, str], Callable[[Doc], Doc]] = {
            ("GET", ""): self._index,
            ("GET", "moved"): self._moved,
            ("GET", "charged"): self._charged,
            ("GET", "endpoints"): self._addresses,
            ("POST", "advance"): self._advance,
            ("POST", "next"): self._next,
            ("POST", "authenticate"): self._authenticate,
            ("POST", "settle"): self._settle,
            ("POST", "dispute"): self._dispute,
            ("POST", "win"): self._win,
            ("POST", "lose"): self._lose,
            ("POST", "endpoints"): self._endpoints,
            ("POST", "send_due"): self._send_due,
        }

    def handle(self, method: str, path: str, query: str, body: bytes) -> tuple[int, Doc]:
        """Do what is asked; return the HTTP status and the answer."""
        serve = self.serves.get((method, path.removeprefix(PREFIX)))
        if serve is None:
            return 404, {"error": f"there is no {method} {path}"}
        try:
            asked: Any = json.loads(body) if body else {}
            if not isinstance(asked, dict):
                return 400, {"error": "the body has to be a JSON object"}
            fields: Doc = {**dict(parse_qsl(query)), **asked}
            return 200, serve(fields)
        except KeyError as missing:
            return 400, {"error": f"{missing.args[0]!r} is missing"}
        except (PayportError, Refused, LookupError, TypeError, ValueError) as wrong:
            return 400, {"error": str(wrong)}

    # -- reading --------------------------------------------------------------------------------

    def _index(self, fields: Doc) -> Doc:
        del fields
        return {"routes": [f"{method} {PREFIX}{path}" for method, path in self.serves]}

    def _moved(self, fields: Doc) -> Doc:
        name: str | None = fields.get("name")
        with self._bank.open() as vault:
            named = {payment.ref for payment in vault.named(name)} if name is not None else None
            entries = [
                {
                    "kind": entry.kind,
                    "amount": entry.minor,
                    "currency": entry.currency,
                    "payment": entry.payment,
                    "effect": entry.effect,
                }
                for entry in vault.books.entries
                if named is None or entry.payment in named
            ]
            return {"entries": entries, "balances": dict(vault.books.balances)}

    def _charged(self, fields: Doc) -> Doc:
        name: str = fields["name"]
        charged, refunded = self._bank.charged(name), self._bank.refunded(name)
        return {
            "charged": charged.minor,
            "refunded": refunded.minor,
            "currency": charged.currency,
            "payments": len(self._bank.payments_named(name)),
        }

    def _addresses(self, fields: Doc) -> Doc:
        del fields
        with self._bank.open():
            told = [
                {
                    "url": endpoint.url,
                    "types": sorted(endpoint.types),
                    "delivered": list(endpoint.delivered),
                    "given_up": list(endpoint.given_up),
                    "waiting": endpoint.waits_for,
                    "underway": endpoint.underway,
                }
                for endpoint in self._simulator.addresses
            ]
        return {"endpoints": told}

    # -- doing ----------------------------------------------------------------------------------

    def _advance(self, fields: Doc) -> Doc:
        self._simulator.clock.advance(timedelta(seconds=float(fields["seconds"])))
        return self._now()

    def _now(self) -> Doc:
        with self._bank.open():
            return {"now": self._bank.clock.now().isoformat()}

    def _next(self, fields: Doc) -> Doc:
        arguments = dict(fields)
        operation: str = arguments.pop("operation")
        self._simulator.next(operation, _scripted(arguments.pop("fault"), arguments))
        return {"scripted": operation}

    def _authenticate(self, fields: Doc) -> Doc:
        back = self._bank.authenticate(fields["name"], ok=bool(fields.get("ok", True)))
        return {"return_url": back}

    def _settle(self, fields: Doc) -> Doc:
        self._bank.settle(fields["name"], ok=fields.get("ok"))
        return {}

    def _dispute(self, fields: Doc) -> Doc:
        reason = str(fields.get("reason", "fraudulent"))
        return {"dispute": self._bank.dispute(fields["name"], reason=reason)}

    def _win(self, fields: Doc) -> Doc:
        self._bank.win(fields["dispute"])
        return {}

    def _lose(self, fields: Doc) -> Doc:
        self._bank.lose(fields["dispute"])
        return {}

    def _endpoints(self, fields: Doc) -> Doc:
        types: list[str] = fields.get("types", ["*"])
        self._simulator.add_endpoint(str(fields["url"]), types=types)
        return {"url": fields["url"]}

    def _send_due(self, fields: Doc) -> Doc:
        del fields
        return {"taken": self._simulator.send_due()}


def _scripted(name: str, arguments: Doc) -> Scripted:
    if name == "Declined":
        return Declined(DeclineReason(arguments.get("reason", DeclineReason.GENERIC)))
    if name == "As":
        return As(arguments["token"])
    if name not in _FAULTS:
        named = ", ".join(sorted(_FAULTS | {"As", "Declined"}))
        raise ValueError(f"there is no fault {name!r}; there are {named}")
    fault: faults.Fault = getattr(faults, name)(**arguments)
    return fault
