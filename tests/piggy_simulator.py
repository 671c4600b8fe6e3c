"""
Piggy, the processor of docs/adding-a-provider.md, as a face of the bank, and its harness.

Speaks the wire of the page and lets the bank do the business, so that the adapter of the page can
be held to the contract. The page's own Piggy, a dict, moves nothing that could be compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from payport.domain.declines import DeclineReason
from payport.domain.frozen import FrozenMapping
from payport.providers.base import SyncProvider
from payport.providers.deliveries import WebhookRequest
from payport.providers.exchange import Request, Response, TransportError
from payport.providers.spec import Capability
from payport.testing import As, Asked, Bank, Behaviour, Declined, FakeClock, Fault, Refused, Tokens
from payport.testing.bank.records import Change, Order, Payment, Refund, State
from payport.testing.bank.vault import MICROSECOND
from payport.testing.provider_contract import Harness, Rig, Sent
from payport.testing.script import Script, Scripted

PAGE: Final = Path(__file__).parent.parent / "docs" / "adding-a-provider.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def guide() -> dict[str, Any]:
    """What the code on the page defines, after it ran."""
    names: dict[str, Any] = {"__name__": "guide"}
    blocks = _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    exec(compile("\n".join(blocks), str(PAGE), "exec"), names)  # noqa: S102 - our own docs
    return names


GUIDE: Final = guide()
SPEC: Final = GUIDE["SPEC"]
LACKS: Final = {
    capability: "Piggy does not do that"
    for capability in Capability
    if capability not in SPEC.capabilities
}

#: Piggy's tokens and words for the bank's. Piggy has no words for the other declines.
_TOKENS = {
    Tokens.OK: "oink_ok",
    Tokens.VISA: "oink_ok",
    Tokens.INSUFFICIENT_FUNDS: "oink_broke",
    Tokens.declined(DeclineReason.LOST_OR_STOLEN): "oink_stolen",
}
_CARDS = {
    "oink_ok": Tokens.OK,
    "oink_broke": Tokens.INSUFFICIENT_FUNDS,
    "oink_stolen": Tokens.declined(DeclineReason.LOST_OR_STOLEN),
}
_STATES = {State.DONE: "paid", State.REFUSED: "refused"}
_WHY = {"insufficient_funds": "broke", "lost_or_stolen": "stolen"}
_REFUNDS = {"given": "given", "bounced": "returned"}
_DISPUTES = {
    "inquiry": "asked",
    "answered": "answered",
    "raised": "taken",
    "examined": "judged",
    "won": "won",
    "lost": "lost",
}
_REFUSALS = {
    "bad_credentials": "who_are_you",
    "not_permitted": "not_yours",
    "key_in_use": "being_done",
    "rate_limited": "one_at_a_time",
    "not_executed": "closed",
    "refund_too_large": "not_that_much",
}


def units(minor: int, coin: str) -> int:
    """Minor units as Piggy counts them: krónur in hundredths, everything else as ISO 4217."""
    return minor * 100 if coin == "ISK" else minor


def minors(counted: int, coin: str) -> int:
    return counted // 100 if coin == "ISK" else counted


def charge_of(payment: Payment, only: Refund | None = None) -> dict[str, Any]:
    """A payment in Piggy's words; with one refund alone where `only`."""
    order = payment.order
    parts = [(refund, _REFUNDS[refund.state]) for refund in payment.refunds]
    return {
        "id": payment.ref,
        "order": order.reference,
        "mark": order.tag,
        "coin": order.currency,
        "units": units(order.amount, order.currency),
        "state": _STATES.get(payment.state, str(payment.state)),
        "why": _WHY.get(payment.decline or "", payment.decline),
        "refunds": [
            {**part_of(payment, refund, state), "mark": refund.tag}
            for refund, state in parts
            if only in {None, refund}
        ],
        "disputes": [part_of(payment, one, _DISPUTES[one.state]) for one in payment.disputes],
        "at": payment.updated // 1_000_000,
        "turn": payment.round + payment.taken_rounds,
    }


def part_of(payment: Payment, part: Any, state: str) -> dict[str, Any]:
    counted = units(part.amount, payment.order.currency)
    at = part.updated // 1_000_000
    return {"id": part.ref, "state": state, "units": counted, "at": at, "turn": part.round}


class PiggyServer:
    """Piggy's end of the network, in front of a bank; get it by `bank.face(PiggyServer)`."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.sent: list[Sent] = []
        self.outbox: list[bytes] = []
        self.answers: dict[str, tuple[Request, Response, int]] = {}
        bank.listen(self.told)

    def told(self, change: Change) -> None:
        """Write down what is to be sent about a change."""
        event: dict[str, Any] = {"id": self.bank.vault.new_ref("ev"), "type": str(change.what)}
        event |= {"farm": "farm_7", "live": False, "version": 3, "at": change.at // 1_000_000}
        payment = change.payment
        if payment is not None:
            refund = next((one for one in change.effects if isinstance(one, Refund)), None)
            mark = refund.tag if refund is not None else payment.order.tag
            event |= {"type": "charge.changed", "mark": mark, "charge": charge_of(payment)}
        self.outbox.append(json.dumps(event).encode())

    def handle(self, request: Request, script: Script, timeout: float) -> Response:
        """Answer one request, if the script lets it through. Raises what the script says."""
        headers = {**request.headers, "piggy-once": request.key or ""}
        self.sent.append(
            Sent(method=request.method, target=request.target, headers=headers, body=request.body)
        )
        with self.bank.open():
            line = PiggyLine(self, request, timeout)
            asked = Asked(
                operation=request.operation,
                key=request.key,
                target=request.target,
                fields=line.fields,
            )
            line.scripted = script.take(asked)
            if isinstance(line.scripted, Fault):
                return line.scripted.strike(line)
            return line.execute()

    def do(self, method: str, path: list[str], asked: dict[str, Any], scripted: Scripted) -> Any:
        """Do what a request asks. Raises Refused."""
        vault = self.bank.vault
        match method, path:
            case "GET", ["me"]:
                return {"farm": "farm_7"}
            case "POST", ["charges"]:
                return self.charge(asked, scripted)
            case "POST", ["charges", ref, "refunds"]:
                return self.refund(vault.payment(ref), asked, scripted)
            case "GET", ["charges", ref]:
                return charge_of(vault.payment(ref))
            case "GET", ["marked", mark]:
                charges = map(charge_of, vault.payments.values())
                return [charge for charge in charges if mark[:4] in json.dumps(charge)]
        raise Refused("no_such_thing", "There is nothing here.", status=404)

    def charge(self, asked: dict[str, Any], scripted: Scripted) -> dict[str, Any]:
        order = Order(
            amount=minors(asked["units"], asked["coin"]),
            currency=asked["coin"],
            tag=asked["mark"],
            reference=asked["order"],
            token=_CARDS.get(asked["token"], asked["token"]),
        )
        forced = scripted.card if isinstance(scripted, As | Declined) else None
        return charge_of(self.bank.payments_desk.create(order, confirm=True, forced=forced))

    def refund(self, payment: Payment, asked: dict[str, Any], scripted: Scripted) -> dict[str, Any]:
        _, refund = self.bank.refunds_desk.refund(
            payment.ref,
            minors(asked["units"], payment.order.currency),
            tag=asked["mark"],
            refused=isinstance(scripted, Declined),
        )
        return charge_of(payment, only=refund)


class PiggyLine:
    """One request at the server: what faults act on."""

    def __init__(self, server: PiggyServer, request: Request, timeout: float) -> None:
        self.server = server
        self.request = request
        self.timeout = timeout
        self.fields: dict[str, Any] = json.loads(request.body or b"{}")
        self.scripted: Scripted = None

    def execute(self) -> Response:
        request, answers = self.request, self.server.answers
        vault = self.server.bank.vault
        asked, answer, since = answers.get(request.key or "", (request, None, 0))
        if answer is not None and vault.wall() - since < SPEC.idempotency.life // MICROSECOND:
            if (asked.target, asked.body) != (request.target, request.body):
                return said(422, {"error": "once_means_once"})
            return replace(answer, headers=FrozenMapping({"piggy-replayed": "yes"}))
        try:
            path = request.target.split("/")[1:]
            answer = said(200, self.server.do(request.method, path, self.fields, self.scripted))
        except Refused as refused:
            status = 404 if request.method == "GET" else 400
            return said(status, {"error": _REFUSALS.get(refused.code, "no_such_thing")})
        if request.key is not None:
            answers[request.key] = (request, answer, vault.wall())
        return answer

    def refuse(self, status: int, code: str, *, retry_after: float | None = None) -> Response:
        wait = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
        return said(status, {"error": _REFUSALS[code]}, **wait)

    def break_down(self, status: int, *, effect: bool) -> Response:
        if effect:
            self.execute()
        return said(status, {"error": "oops"})

    def pass_time(self, seconds: float) -> None:
        self.server.bank.clock.sleep(seconds)


def said(status: int, document: Any, **headers: str) -> Response:
    body = json.dumps(document).encode()
    return Response(status=status, headers=FrozenMapping(headers), body=body)


class PiggyWire:
    """
    Carries requests from the page's sender to the server, and raises what a real network would.

    The transport does not know which operation a request belongs to, and scripts do.
    """

    def __init__(self, server: PiggyServer, script: Script, api_key: str) -> None:
        self.server = server
        self.script = script
        # A closure, because a partial shows the key to whoever prints it.
        self.send = lambda transport: GUIDE["PiggySend"](api_key, transport)

    def __call__(self, request: Request, *, timeout: float) -> Response:
        return self.send(partial(self.transport, request.operation))(request, timeout=timeout)

    def transport(self, operation: str, *wire: Any) -> tuple[int, Any, bytes]:
        method, target, headers, body, timeout = wire
        shown = {name: value for name, value in headers.items() if name != "authorization"}
        key = shown.pop("piggy-once", None)
        request = Request(
            operation=operation,
            method=method,
            target=target,
            headers=FrozenMapping(shown),
            body=body,
            key=key,
        )
        try:
            response = self.server.handle(request, self.script, timeout)
        except TransportError as error:
            raise (ConnectionResetError if error.sent else ConnectionRefusedError) from None
        return response.status, response.headers, response.body


class PiggyHarness(Harness):
    """The page's adapter and sender in front of the bank."""

    currencies = ("USD", "EUR", "JPY", "ISK", "KWD")

    def __init__(self) -> None:
        self.clock = FakeClock()
        behaviour = Behaviour(
            name="piggy",
            idempotency=SPEC.idempotency,
            resolution=SPEC.resolution,
            lacks=frozenset(LACKS),
            whole_seconds=True,
        )
        self.bank = Bank(behaviour=behaviour, clock=self.clock)
        self.server = self.bank.face(PiggyServer)

    def make(
        self, *, api_key: str | None = None, webhook_secrets: Sequence[str] | None = None
    ) -> Rig:
        secrets = webhook_secrets
        if secrets is None:
            secrets = [secret.reveal() for secret in self.bank.signing_secrets]
        script = Script()
        adapter = GUIDE["PiggyAdapter"](self.bank.environment, secrets)
        wire = PiggyWire(self.server, script, api_key or "oink_test_0001")
        provider: SyncProvider[Any] = SyncProvider(adapter, wire)
        return Rig(provider=provider, subject=provider, script=script, sent=self.server.sent)

    def close(self) -> None:
        """Nothing was opened."""

    def webhooks(self) -> list[WebhookRequest]:
        with self.bank.open():
            told, self.server.outbox = self.server.outbox, []
        return [self.sign(body) for body in told]

    def sign(
        self, body: bytes, *, secret: str | None = None, at: datetime | None = None
    ) -> WebhookRequest:
        stamp = str(int((at or self.clock.now()).timestamp()))
        known = [one.reveal() for one in self.bank.signing_secrets]
        secrets = known if secret is None else [secret]
        macs = [GUIDE["signature"](one, stamp, body).decode() for one in secrets]
        return WebhookRequest(body=body, headers={"Piggy-Signature": ".".join([stamp, *macs])})

    def signature(self, request: WebhookRequest) -> str:
        return request.header("piggy-signature") or ""

    def forge(self, request: WebhookRequest, signature: str | None) -> WebhookRequest:
        headers = {} if signature is None else {"Piggy-Signature": signature}
        return WebhookRequest(body=request.body, headers=headers, url=request.url)

    def older(self, request: WebhookRequest) -> WebhookRequest:
        return self.sign(json.dumps({**json.loads(request.body), "version": 2}).encode())

    def token(self, token: str) -> str | None:
        # The bank has a card for every decline, and Piggy's test tokens are just its own.
        return _TOKENS.get(token, token if token.startswith("tok_declined_") else None)

    def decline(self, reason: DeclineReason) -> DeclineReason:
        return reason if reason.value in _WHY else DeclineReason.UNKNOWN
