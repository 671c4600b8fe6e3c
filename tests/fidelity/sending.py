"""
Every kind of request that the adapter sends, with every combination of terms, sent to a simulator.

What is sent is collected together with what was answered. Nothing is judged here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any
from urllib.parse import urlsplit

from stripe_help import (
    KEY,
    adapter,
    canceling,
    capturing,
    confirming,
    creating,
    form_of,
    refunding,
)

from payport.domain.money import Money
from payport.domain.refund import RefundReason
from payport.providers.commands import Command, Lookup
from payport.providers.exchange import Request
from payport.providers.listings import PaymentsQuery, RefundsQuery
from payport.providers.outcomes import Answer
from payport.testing import StripeSimulator
from payport.testing.stripe_simulator import HttpRequest

_ID = re.compile(r"(?<=/)(?:pi|re)_[^/]+")

__all__ = ["Sent", "everything_sent"]

_ACCOUNT = "acct_connected"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """
    A request, and the status that it was answered with.

    Attributes:
        what: The operation and the terms that it was sent for.
    """

    what: str
    request: Request = field(repr=False)
    status: int

    @property
    def route(self) -> str:
        """Method and path, without the id in it."""
        path = urlsplit(self.request.target).path
        return f"{self.request.method} {_ID.sub('{id}', path)}"

    @property
    def form(self) -> dict[str, Any]:
        return form_of(self.request)


@cache
def everything_sent() -> tuple[Sent, ...]:
    """All requests, in the order in which they were sent."""
    sender = _Sender()
    for story in (_creations, _confirmations, _captures, _refunds, _reads, _searches, _listings):
        story(sender)
    return tuple(sender.sent)


class _Sender:
    """Carries exchanges out at a simulator."""

    def __init__(self) -> None:
        self.simulator = StripeSimulator()
        self.simulator.connected(_ACCOUNT)
        self.customer, self.saved = self._customer()
        self.sent: list[Sent] = []
        self.ref = "pi_none"
        self._keys = 0

    def _customer(self) -> tuple[str, str]:
        customer = self._post("/v1/customers", "")
        path = "/v1/payment_methods/pm_card_visa/attach"
        return customer, self._post(path, f"customer={customer}")

    def _post(self, path: str, form: str) -> str:
        return str(json.loads(self._answer("POST", path, {}, form.encode()).body)["id"])

    def _answer(self, method: str, target: str, headers: Any, body: bytes) -> Any:
        told = {name.lower(): value for name, value in headers.items()}
        told["authorization"] = f"Bearer {KEY}"
        return self.simulator.handle(
            HttpRequest(method=method, target=target, headers=told, body=body)
        )

    def run(self, what: str, exchange: Any) -> Any:
        """Carry an exchange out; return its outcome."""
        try:
            request = next(exchange)
            while True:
                answer = self._answer(request.method, request.target, request.headers, request.body)
                self.sent.append(Sent(what=what, request=request, status=answer.status))
                request = exchange.send(answer)
        except StopIteration as finished:
            return finished.value

    def do(self, what: str, command: Command, **options: Any) -> str:
        """Carry a command out under a key of its own; return that key."""
        self._keys += 1
        key = f"pp1_{self._keys:052}"
        outcome = self.run(what, adapter(**options).exchange(command, key))
        if isinstance(outcome, Answer) and outcome.facts.attempts:
            self.ref = outcome.facts.attempts[0].ref
        return key

    def hold(self, **options: Any) -> str:
        """Hold money; return the payment's id."""
        self.do("to be captured", creating(manual=True), **options)
        return self.ref


# -- what is asked for --------------------------------------------------------------------------

_EVERY_TEXT = {
    "return_url": "https://shop.example/back?a=b&c=[d]",
    "description": "Zwölf Äpfel & 100 % mehr",
    "statement_descriptor": "APPLES",
    "receipt_email": "a+b@shop.example",
    "metadata": {"colour": "grün", "empty": "", "note": "a=b&c %5B"},
}
_TEXTS: tuple[dict[str, Any], ...] = (
    {},
    *({name: value} for name, value in _EVERY_TEXT.items()),
    _EVERY_TEXT,
)


def _methods(sender: _Sender) -> dict[str, dict[str, Any]]:
    return {
        "new method": {},
        "saved method": {"method": sender.saved, "customer": sender.customer},
        "method to save": {"customer": sender.customer, "save_payment_method": True},
    }


def _creations(sender: _Sender) -> None:
    """Every combination of terms."""
    flags = product((True, False), repeat=4)
    for (confirm, manual, off_session, multicapture), texts in product(flags, _TEXTS):
        for method, terms in _methods(sender).items():
            command = creating(
                confirm=confirm, manual=manual, off_session=off_session, **terms, **texts
            )
            what = (
                f"create: {confirm=} {manual=} {off_session=} {multicapture=} {method} {[*texts]}"
            )
            sender.do(what, command, multicapture=multicapture)
    sender.do("create without a method", creating(confirm=False, method=None))
    sender.do("create at a connected account", creating(), account=_ACCOUNT)


def _confirmations(sender: _Sender) -> None:
    """Of what was made before, with its own method or another, and after a decline."""
    for off_session, back in product((True, False), (None, "https://shop.example")):
        for method, terms in _methods(sender).items():
            what = f"confirm: {off_session=} {back=} {method}"
            named = {"customer": terms.get("customer"), "return_url": back}
            sender.do(what, creating(confirm=False, method=None, **named | {"return_url": None}))
            told = {**terms, "off_session": off_session, "return_url": back}
            sender.do(what, confirming(sender.ref, **told))
    sender.do("confirm what it has", creating(confirm=False))
    sender.do("confirm what it has", confirming(sender.ref, method=None))
    sender.do("confirm after a decline", creating(method="pm_card_visa_chargeDeclined"))
    sender.do("confirm after a decline", confirming(sender.ref, attempt=2))
    sender.do("confirm where nothing is", confirming(None, attempt=2, **_EVERY_TEXT))


def _captures(sender: _Sender) -> None:
    """All, a part that ends it, parts that do not; and none."""
    sender.do("capture all", capturing(ref=sender.hold()))
    sender.do("capture a part", capturing(_part(1_000), sender.hold()))
    ref = sender.hold(multicapture=True)
    several = capturing(_part(1_000), ref, final=False, capture_reference="first")
    sender.do("capture several times", several, multicapture=True)
    sender.do("capture the rest", capturing(_part(3_999), ref), multicapture=True)
    sender.do("cancel", canceling(sender.hold()))


def _refunds(sender: _Sender) -> None:
    """All, parts, for each reason, and with metadata."""
    sender.do("to be refunded", creating())
    sender.do("refund all", refunding(ref=sender.ref))
    for reason in RefundReason:
        sender.do("to be refunded", creating())
        sender.do(f"refund: {reason}", refunding(_part(5), sender.ref, reason=reason))
    why = {"why": "late", "empty": ""}
    sender.do("refund with metadata", refunding(_part(6), sender.ref, metadata=why))


def _reads(sender: _Sender) -> None:
    """What was made, with so many refunds and disputes that they are listed apart."""
    sender.do("to be read", creating())
    ref, one = sender.ref, adapter()
    for number in range(_MANY):
        sender.do("to be read", refunding(_part(10 + number), ref))
    sender.simulator.bank.dispute(ref)
    read = sender.run("retrieve a payment", one.retrieve_payment(ref))
    for refund in read.facts.refunds[:1] if isinstance(read, Answer) else ():
        sender.run("retrieve a refund", one.retrieve_refund(refund.ref))
    sender.run("account", one.account())


def _searches(sender: _Sender) -> None:
    """By the tag: found among the newest, found by search, and not found; for each command."""
    one, held = adapter(), sender.hold()
    wanted: dict[str, Command] = {
        "a payment": creating(),
        "a customer's payment": creating(customer=sender.customer),
        "a confirmation": confirming(held),
        "a confirmation that made it": confirming(None, attempt=2),
        "a capture": capturing(ref=held),
        "a cancellation": canceling(held),
        "a refund": refunding(ref=held),
    }
    for what, command in wanted.items():
        lookup = Lookup(key="pp1_nobody", command=command, payment_ref=held)
        sender.run(f"find {what} in vain", one.find(lookup))
    first = "pp1_" + f"{1:052}"
    sender.simulator.clock.advance(_LAG)
    sender.run("find by search", one.find(Lookup(key=first, command=creating())))
    newest = sender.do("to be found", creating())
    sender.run("find among the newest", one.find(Lookup(key=newest, command=creating())))


def _listings(sender: _Sender) -> None:
    """What the account holds, page by page, with every filter."""
    one = adapter()
    sender.do("a customer's payment", creating(customer=sender.customer))
    paid = sender.ref
    moment = sender.simulator.clock.now()
    filters: tuple[dict[str, Any], ...] = (
        {},
        {"created_from": moment},
        {"created_before": moment, "limit": 7},
        {"customer": sender.customer, "after": paid},
    )
    for asked in filters:
        told = ", ".join(asked) or "everything"
        sender.run(f"list payments by {told}", one.list_payments(PaymentsQuery(**asked)))
    sender.run("list refunds", one.list_refunds(RefundsQuery(payment_ref=paid)))


#: More refunds than a charge tells of.
_MANY = 11
#: After that a search finds what was made before.
_LAG = 61


def _part(minor: int) -> Money:
    return Money(minor, "USD")
