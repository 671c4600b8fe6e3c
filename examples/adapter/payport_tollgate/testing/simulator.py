"""
Tollgate's wire in front of payport's bank: what it answers, forgets to remember, and sends.

It takes requests as they come over the network and knows nothing of the adapter. It has no keys:
each POST is carried out. An application can be tested against it too: `TollgateSimulator` is a
processor on a clock that the test moves, as an httpx transport or on a socket of this machine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from payport.domain.frozen import FrozenMapping
from payport.domain.money import Money
from payport.providers.exchange import Response
from payport.providers.spec import ALL_CAPABILITIES
from payport.testing import As, Asked, Bank, Behaviour, Declined, FakeClock, Fault, Refused
from payport.testing.bank.records import Change, Order, Payment, Refund, State
from payport.testing.bank.vault import moment
from payport.testing.script import Script, Scripted
from payport_tollgate.spec import SPEC

#: What the bank calls things, and what Tollgate does.
_STATES: Final = {
    State.CHALLENGED: "open",
    State.PENDING: "checking",
    State.DONE: "paid",
    State.REFUSED: "failed",
}
_REASONS: Final = {
    "insufficient_funds": "no_money",
    "expired_card": "card_too_old",
    "lost_or_stolen": "card_stolen",
    "authentication_failed": "not_you",
    "customer_timed_out": "too_late",
    "generic": "refused",
}
_REFUNDS: Final = {"asked": "asked", "given": "sent", "bounced": "returned"}
_DISPUTES: Final = {
    "inquiry": "question",
    "answered": "answered",
    "raised": "taken",
    "examined": "in_review",
    "won": "given_back",
    "lost": "kept",
}
_ERRORS: Final = {
    "bad_credentials": "bad_key",
    "not_permitted": "not_allowed",
    "rate_limited": "slow_down",
    "not_executed": "not_done",
    "no_such_payment": "no_such_order",
    "refund_too_large": "refund_too_large",
}
#: `https://pay.tollgate.example/tg_000001?pass=...`: who has it may pay.
_PAGE: Final = "https://pay.tollgate.example"


@dataclass(frozen=True, kw_only=True)
class Wire:
    """A request as it arrives."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    timeout: float = 10.0


def behaviour() -> Behaviour:
    """What kind of processor the bank is here."""
    return Behaviour(
        name="tollgate",
        idempotency=SPEC.idempotency,
        resolution=SPEC.resolution,
        lacks=ALL_CAPABILITIES - SPEC.capabilities,
        pages=True,
        signs_webhooks=False,
    )


class TollgateSimulator:
    """
    Tollgate.

    Attributes:
        bank: What really moves: `bank.visit()` has customers pay on their pages.
        outbox: Webhooks that wait to be delivered.
        seen: Every request that was sent, in order; also one that was lost on its way.
        heard: Called with each request when it arrives; `answered`, when it was carried out.
    """

    def __init__(self, bank: Bank | None = None) -> None:
        self.bank = bank or Bank(behaviour=behaviour(), clock=FakeClock())
        self.bank.vault.beginnings["bp"] = "tg_"
        self.outbox: list[bytes] = []
        self.seen: list[Wire] = []
        self.heard: list[Callable[[Wire], None]] = []
        self.answered: list[Callable[[Wire], None]] = []
        self.bank.listen(self._changed)

    def _changed(self, change: Change) -> None:
        if change.payment is not None:
            self.outbox.append(json.dumps({"id": change.payment.ref}).encode())

    def webhooks(self) -> list[bytes]:
        """Take the bodies of the webhooks that wait. They have no signature to take along."""
        with self.bank.open():
            waiting, self.outbox = self.outbox, []
        return waiting

    def handle(self, wire: Wire, script: Script | None = None) -> Response:
        """Answer a request; raises what the script says."""
        self.seen.append(wire)
        for listener in self.heard:
            listener(wire)
        with self.bank.open():
            line = _Line(self, wire)
            line.scripted = None if script is None else script.take(line.asked(script))
            fault = line.scripted if isinstance(line.scripted, Fault) else None
            answer = line.execute() if fault is None else fault.strike(line)
        for listener in self.answered:
            listener(wire)
        return answer


class _Line:
    """One request at Tollgate: what faults act on. A `payport.testing.faults.Line`."""

    def __init__(self, simulator: TollgateSimulator, wire: Wire) -> None:
        self._bank = simulator.bank
        self._wire = wire
        self._fields: dict[str, Any] = json.loads(wire.body or b"{}")
        self.timeout = wire.timeout
        self.scripted: Scripted = None

    def asked(self, script: Script) -> Asked:
        """
        The request as a script sees it: by the operation of the provider protocol. One that makes
        an order may be either of two; it is the one that something is scripted for.
        """
        path = urlsplit(self._wire.target)
        operation = {
            ("GET", False): "find" if path.query else "retrieve_payment",
            ("POST", False): "create_payment",
            ("POST", True): "create_refund",
        }[self._wire.method, path.path.endswith("/refunds")]
        if path.path == "/shop":
            operation = "account"
        if operation == "create_payment" and "confirm_payment" in script.pending:
            operation = "confirm_payment"
        key, target = self._fields.get("ref"), self._wire.target
        return Asked(operation=operation, key=key, target=target, fields=self._fields)

    # -- what faults do -------------------------------------------------------------------------

    def execute(self) -> Response:
        """Carry the request out, however often it came before."""
        if not self._wire.headers.get("authorization", "").startswith("Bearer tg_"):
            return _said(401, {"error": {"code": "bad_key"}})
        try:
            return self._executed()
        except Refused as refused:
            code = _ERRORS.get(refused.code, "bad_request")
            return _said(404 if code == "no_such_order" else 400, {"error": {"code": code}})

    def refuse(self, status: int, code: str, *, retry_after: float | None = None) -> Response:
        """An answer that says no, before anything was looked at."""
        wait = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
        return _said(status, {"error": {"code": _ERRORS.get(code, "busy")}}, **wait)

    def break_down(self, status: int, *, effect: bool) -> Response:
        """A server error, after the request was carried out or instead."""
        if effect:
            self.execute()
        return _said(status, {"error": {"code": "broken"}})

    def pass_time(self, seconds: float) -> None:
        """Let the bank's clock advance."""
        self._bank.clock.sleep(seconds)

    # -- what is asked for ----------------------------------------------------------------------

    def _executed(self) -> Response:
        vault, url = self._bank.vault, urlsplit(self._wire.target)
        match self._wire.method, [unquote(part) for part in url.path.split("/")[1:]]:
            case "GET", ["shop"]:
                return _said(200, {"shop": self._bank.account})
            case "GET", ["orders"]:
                found = vault.named(parse_qs(url.query)["ref"][0])
                return _said(200, {"orders": [_document(one) for one in found]})
            case "GET", ["orders", ref]:
                return _said(200, _document(vault.payment(ref)))
            case "POST", ["orders"]:
                return _said(201, _document(self._ordered()))
            case "POST", ["orders", ref, "refunds"]:
                return _said(201, self._refunded(vault.payment(ref)))
            case _:
                return _said(404, {"error": {"code": "no_such_order"}})

    def _ordered(self) -> Payment:
        fields = self._fields
        money = Money.from_major(fields["amount"], fields["currency"])
        order = Order(
            amount=money.minor,
            currency=money.currency,
            tag=fields["ref"],
            reference=fields["order"],
            # In the sandbox `method` says what the page does.
            token=fields["method"],
            return_url=fields["return_to"],
        )
        forced = self.scripted.card if isinstance(self.scripted, As | Declined) else None
        return self._bank.payments_desk.create(order, confirm=True, forced=forced)

    def _refunded(self, payment: Payment) -> dict[str, Any]:
        money = Money.from_major(self._fields["amount"], payment.order.currency)
        refused = isinstance(self.scripted, Declined)
        tag = self._fields["ref"]
        desk = self._bank.refunds_desk
        _, refund = desk.refund(payment.ref, money.minor, tag=tag, refused=refused)
        currency = payment.order.currency
        return {"order": payment.ref, "currency": currency, "refund": _refund(payment, refund)}


def _document(payment: Payment) -> dict[str, Any]:
    order = payment.order
    page = f"{_PAGE}/{payment.ref}?pass={payment.secret}" if payment.secret else None
    parts = [_part(payment, one, _DISPUTES[one.state]) for one in payment.disputes]
    return {
        "id": payment.ref,
        "ref": order.tag,
        "order": order.reference,
        "state": _STATES.get(payment.state, payment.state.value),
        "reason": _REASONS.get(payment.decline or "", payment.decline),
        "amount": str(Money(order.amount, order.currency).major),
        "currency": order.currency,
        "page": page,
        "changed": moment(payment.updated).isoformat(),
        "turn": payment.round + payment.taken_rounds,
        "refunds": [_refund(payment, one) for one in payment.refunds],
        "disputes": parts,
    }


def _refund(payment: Payment, refund: Refund) -> dict[str, Any]:
    return {**_part(payment, refund, _REFUNDS[refund.state]), "ref": refund.tag}


def _part(payment: Payment, part: Any, state: str) -> dict[str, Any]:
    amount = str(Money(part.amount, payment.order.currency).major)
    changed = moment(part.updated).isoformat()
    return {
        "id": part.ref,
        "state": state,
        "amount": amount,
        "changed": changed,
        "turn": part.round,
    }


def _said(status: int, document: Any, **headers: str) -> Response:
    body = json.dumps(document).encode()
    return Response(status=status, headers=FrozenMapping(headers), body=body)
