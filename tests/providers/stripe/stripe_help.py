"""Stripe's objects, answers and events, short to write; and a way to run an exchange by hand."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import hmac
import inspect
import itertools
import json
import re
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from payport.domain.frozen import FrozenMapping
from payport.domain.money import Money
from payport.domain.payment_intent import CaptureMethod
from payport.providers.commands import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    CreatePayment,
    CreateRefund,
    Terms,
)
from payport.providers.deliveries import WebhookRequest
from payport.providers.exchange import Call, Request, Response
from payport.providers.stripe import API_VERSION, AsyncStripeProvider, StripeProvider
from payport.providers.stripe.adapter import StripeAdapter
from payport.providers.stripe.settings import settings_from
from payport.testing._heard import heard

DATA = Path(__file__).parents[2] / "data" / "stripe"

KEY = "sk_test_obviously0fake0key"
SECRET = "whsec_obviously_fake_secret"
TAG = "pp1_" + "a" * 52
NOW = 1_790_000_000
DATE = "Mon, 21 Sep 2026 14:13:20 GMT"
MOMENT = datetime.fromtimestamp(NOW, UTC)
MADE = NOW - 7
PRICE = Money(4_999, "USD")
_numbers = itertools.count(1)


def adapter(**options: Any) -> StripeAdapter:
    return StripeAdapter(settings(**options))


def settings(**options: Any) -> Any:
    given = {"api_key": KEY, "webhook_secrets": [SECRET]}
    return settings_from({**given, **options})


def words_of(kind: type) -> set[str]:
    """Every text in the source of one of the SDK's classes, such as the words of its literals."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    values = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return {value for value in values if isinstance(value, str)}


# -- commands -------------------------------------------------------------------------------------


def terms(amount: Money = PRICE, method: str | None = "pm_card_visa", **more: Any) -> Terms:
    if more.pop("manual", False):
        more["capture_method"] = CaptureMethod.MANUAL
    if "metadata" in more:
        more["metadata"] = FrozenMapping(more["metadata"])
    return Terms(amount=amount, payment_method=method, **more)


def creating(*, confirm: bool = True, attempt: int = 1, **more: Any) -> CreatePayment:
    return CreatePayment(
        payment_id="pay_1",
        reference="order_1",
        attempt=attempt,
        terms=terms(**more),
        confirm=confirm,
    )


def confirming(ref: str | None = "pi_1", attempt: int = 1, **more: Any) -> ConfirmPayment:
    return ConfirmPayment(
        payment_id="pay_1",
        reference="order_1",
        attempt=attempt,
        payment_ref=ref,
        terms=terms(**more),
    )


def capturing(amount: Money = PRICE, ref: str = "pi_1", **more: Any) -> CapturePayment:
    return CapturePayment(
        payment_id="pay_1", payment_ref=ref, amount=amount, **{"final": True, **more}
    )


def canceling(ref: str = "pi_1") -> CancelPayment:
    return CancelPayment(payment_id="pay_1", payment_ref=ref, amount=PRICE)


def refunding(amount: Money = PRICE, ref: str = "pi_1", **more: Any) -> CreateRefund:
    if "metadata" in more:
        more["metadata"] = FrozenMapping(more["metadata"])
    return CreateRefund(
        payment_id="pay_1",
        payment_ref=ref,
        refund_id="rfd_1",
        reference="return_1",
        amount=amount,
        **more,
    )


EVERY_COMMAND = {
    "create": creating(),
    "create later": creating(confirm=False),
    "create with everything": creating(
        manual=True,
        customer="cus_1",
        off_session=True,
        save_payment_method=True,
        return_url="https://shop.example/back?a=b&c=[d]",
        description="Zwölf Äpfel & 100 % mehr",
        statement_descriptor="APPLES",
        receipt_email="a+b@shop.example",
        metadata={"colour": "grün", "empty": "", "note": "a=b&c %5B"},
    ),
    "create anew": confirming(None, attempt=2),
    "confirm": confirming(),
    "confirm with everything": confirming(
        attempt=3, off_session=True, return_url="https://shop.example", save_payment_method=True
    ),
    "confirm what it has": confirming(method=None),
    "capture": capturing(),
    "capture a part": capturing(Money(1_000, "USD")),
    "cancel": canceling(),
    "refund": refunding(),
    "refund with everything": refunding(Money(5, "USD"), metadata={"why": "late"}),
}


def form_of(request: Request) -> dict[str, Any]:
    """The fields of a request, nested again."""
    text = request.body.decode() or urlsplit(request.target).query
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)):
        *path, last = re.findall(r"[^\[\]]+", name)
        place = tree
        for step in path:
            place = place.setdefault(step, {})
        assert last not in place, f"{name} is there twice"
        place[last] = value
    return {
        name: list(value.values()) if name == "expand" else value for name, value in tree.items()
    }


# -- objects --------------------------------------------------------------------------------------


def payment(**more: Any) -> dict[str, Any]:
    """A PaymentIntent that succeeded."""
    told = {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 4_999,
        "amount_capturable": 0,
        "amount_received": 4_999,
        "canceled_at": None,
        "cancellation_reason": None,
        "client_secret": "pi_1_secret_canary",
        "created": MADE,
        "currency": "usd",
        "last_payment_error": None,
        "latest_charge": "ch_1",
        "livemode": False,
        "metadata": {"payport_key": TAG, "payport_reference": "order_1"},
        "next_action": None,
        "status": "succeeded",
    }
    return {**told, **more}


def held(**more: Any) -> dict[str, Any]:
    told = {"status": "requires_capture", "amount_received": 0, "amount_capturable": 4_999}
    return payment(**{**told, **more})


def unpaid(status: str = "requires_payment_method", **more: Any) -> dict[str, Any]:
    return payment(**{"status": status, "amount_received": 0, "latest_charge": None, **more})


def declined(code: str = "insufficient_funds", charge: str = "ch_1", **more: Any) -> dict[str, Any]:
    why = {"type": "card_error", "code": "card_declined", "decline_code": code, "charge": charge}
    return unpaid(**{"last_payment_error": why, "latest_charge": charge, **more})


def charge(**more: Any) -> dict[str, Any]:
    told = {
        "id": "ch_1",
        "object": "charge",
        "amount": 4_999,
        "amount_captured": 4_999,
        "amount_refunded": 0,
        "captured": True,
        "created": MADE + 1,
        "currency": "usd",
        "disputed": False,
        "metadata": {"payport_key": TAG},
        "payment_intent": "pi_1",
        "payment_method_details": {"type": "card", "card": {"amount_authorized": 4_999}},
        "refunds": {"object": "list", "data": [], "has_more": False},
        "status": "succeeded",
    }
    return {**told, **more}


def refund(**more: Any) -> dict[str, Any]:
    told = {
        "id": "re_1",
        "object": "refund",
        "amount": 1_000,
        "charge": "ch_1",
        "created": MADE + 2,
        "currency": "usd",
        "metadata": {"payport_key": TAG},
        "payment_intent": "pi_1",
        "status": "succeeded",
    }
    return {**told, **more}


def dispute(**more: Any) -> dict[str, Any]:
    told = {
        "id": "dp_1",
        "object": "dispute",
        "amount": 4_999,
        "balance_transactions": [],
        "charge": "ch_1",
        "created": MADE + 3,
        "currency": "usd",
        "evidence_details": {"due_by": NOW + 86_400},
        "metadata": {},
        "payment_intent": "pi_1",
        "reason": "fraudulent",
        "status": "needs_response",
    }
    return {**told, **more}


def listing(*items: dict[str, Any], more: bool = False) -> dict[str, Any]:
    return {"object": "list", "data": list(items), "has_more": more, "url": "/v1/things"}


def error(code: str | None, kind: str = "invalid_request_error", **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"type": kind, "message": "Something was wrong.", **more}
    return {"error": told if code is None else {**told, "code": code}}


# -- answers --------------------------------------------------------------------------------------


def answer(document: Any, status: int = 200, **headers: str) -> Response:
    """An answer as Stripe writes it; headers by name, with underscores for dashes."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    told = {"date": DATE, "request-id": "req_1", "stripe-version": API_VERSION}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    shown = {name: value for name, value in told.items() if value}
    return Response(status=status, headers=FrozenMapping(shown), body=body)


def replay(document: Any, status: int = 200) -> Response:
    return answer(document, status, idempotent_replayed="true")


class Ran:
    """An exchange that was run: what it asked for, and what it returned."""

    def __init__(self, exchange: Any, *answers: Response) -> None:
        self.requests: list[Any] = []
        left = list(answers)
        try:
            asked = next(exchange)
            while True:
                self.requests.append(asked)
                asked = exchange.send(left.pop(0))
        except StopIteration as finished:
            self.outcome = finished.value
        assert not left, "it asked for less than was answered"

    @property
    def facts(self) -> Any:
        return self.outcome.facts

    @property
    def attempt(self) -> Any:
        (attempt,) = self.outcome.facts.attempts
        return attempt

    @property
    def targets(self) -> list[str]:
        return [f"{request.method} {request.target}" for request in self.requests]


def ran(command: Any, *answers: Response, key: str = TAG, **options: Any) -> Ran:
    """A command, carried out by hand."""
    return Ran(adapter(**options).exchange(command, key), *answers)


# -- webhooks -------------------------------------------------------------------------------------


def event(kind: str, about: Any, **more: Any) -> dict[str, Any]:
    told = {
        "id": f"evt_{next(_numbers)}",
        "object": "event",
        "api_version": API_VERSION,
        "created": NOW,
        "data": {"object": about},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
    return {**told, **more}


def signature(body: bytes, at: object = NOW, secret: str = SECRET) -> str:
    signed = f"{at}.".encode() + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def signed(about: Any, at: object = NOW, secret: str = SECRET) -> WebhookRequest:
    body = about if isinstance(about, bytes) else json.dumps(about).encode()
    header = f"t={at},v1={signature(body, at, secret)},v0=00"
    return WebhookRequest(body=body, headers={"Stripe-Signature": header})


def delivered(about: Any, **options: Any) -> Any:
    (one,) = heard(adapter(**options), signed(about), MOMENT)
    return one


# -- colours --------------------------------------------------------------------------------------


class Awaited:
    """An async provider whose methods block, in one event loop of its own."""

    def __init__(self, **options: Any) -> None:
        self._runner: Any = asyncio.Runner()
        self.subject = AsyncStripeProvider(**options)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.subject, name)
        if not asyncio.iscoroutinefunction(found):
            return found
        return lambda *args, **named: self._runner.run(found(*args, **named))

    def wait(self, seconds: float) -> None:
        """Let time pass in the loop, which hears of its connections only while it runs."""
        self._runner.run(asyncio.sleep(seconds))

    def close(self) -> None:
        if self._runner is None:
            return
        self._runner.run(self.subject.aclose())
        self._runner.close()
        self._runner = None


COLOURS = {"sync": StripeProvider, "async": Awaited}
CALL = Call(key=TAG)
