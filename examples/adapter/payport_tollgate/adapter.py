"""Tollgate's operations as exchanges: no colour, no I/O, no state but what it was made with."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from payport.domain.errors import WebhookRejected
from payport.domain.facts import Facts
from payport.domain.identifiers import Environment
from payport.domain.outcomes import FailureKind
from payport.providers.base import Adapter
from payport.providers.commands import ConfirmPayment, CreatePayment, CreateRefund, Lookup
from payport.providers.deliveries import Delivery, Statement, WebhookRequest, hint
from payport.providers.exchange import Exchange, Request
from payport.providers.outcomes import Account, Answer, Failure, Outcome
from payport_tollgate.answers import understood
from payport_tollgate.facts import facts_from, refund_facts_from
from payport_tollgate.spec import SPEC

_ID: Final = re.compile("tg_[0-9]{6,12}")
_LONGEST: Final = 100


class TollgateAdapter(Adapter):
    """Speaks Tollgate's API. Holds no key: the sender adds it."""

    spec = SPEC

    def __init__(self, environment: Environment, base_url: str) -> None:
        self.environment = environment
        self._base_url = base_url

    def account(self) -> Exchange[Account | Failure]:
        """See `PaymentProvider.account`."""
        response = yield _reading("account", "/shop")
        return understood(
            response, lambda told: Account(id=str(told["shop"]), endpoint=self._base_url)
        )

    def create_payment(self, command: CreatePayment, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.create_payment`: an order is made, and its page is where to pay."""
        return self._ordered(command, key)

    def confirm_payment(self, command: ConfirmPayment, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.confirm_payment`: nothing exists here before that."""
        return self._ordered(command, key)

    def _ordered(self, command: CreatePayment | ConfirmPayment, key: str) -> Exchange[Outcome]:
        self.spec.check(command)
        terms = command.terms
        fields = {
            "ref": key,
            "order": command.reference,
            "amount": str(terms.amount.major),
            "currency": terms.amount.currency,
            "method": terms.payment_method,
            "return_to": terms.return_url,
            "text": terms.description,
            # A statement's text and a receipt are set up at Tollgate, for all orders alike.
        }
        return _told(_changing(command.operation, "/orders", fields), facts_from)

    def create_refund(self, command: CreateRefund, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.create_refund`."""
        self.spec.check(command)
        fields = {"ref": key, "amount": str(command.amount.major)}
        target = f"{_order(command.payment_ref)}/refunds"
        return _told(_changing(command.operation, target, fields), refund_facts_from)

    def retrieve_payment(self, payment_ref: str) -> Exchange[Outcome]:
        """See `PaymentProvider.retrieve_payment`."""
        return _told(_reading("retrieve_payment", _order(payment_ref)), facts_from)

    def find(self, lookup: Lookup) -> Exchange[Outcome]:
        """See `PaymentProvider.find`. A refund stands on its order, and is found there."""
        target = f"/orders?ref={lookup.key}"
        if isinstance(lookup.command, CreateRefund):
            target = _order(lookup.command.payment_ref)
        response = yield _reading("find", target)
        found = understood(response, lambda told: [*map(facts_from, told.get("orders", [told]))])
        if isinstance(found, Failure):
            return found
        for facts in found:
            # Not what looks alike, and not what comes first: our own key on it is the evidence.
            if lookup.key in {facts.tag, *(refund.tag for refund in facts.refunds)}:
                return Answer(facts=facts)
        return Failure(kind=FailureKind.NOT_FOUND, message="nothing has the ref, or not yet")

    def parse_webhook(self, request: WebhookRequest, *, now: datetime) -> tuple[Delivery, ...]:
        """
        See `ReceivesWebhooks.parse_webhook`. Tollgate sends `{"id": "tg_000001"}`, unsigned: as
        anybody can send that, it says which order to look at, and nothing to be believed.
        """
        try:
            said = json.loads(request.body) if len(request.body) <= _LONGEST else {}
            ref = said["id"] if len(said) == 1 and _ID.fullmatch(said["id"]) else ""
        except (LookupError, TypeError, ValueError):
            ref = ""
        if not ref:
            raise WebhookRejected("it names no order", operation="webhooks.receive")
        return (hint(ref, now),)

    def read_webhook(self, body: bytes) -> tuple[Statement, ...]:
        """See `ReceivesWebhooks.read_webhook`: whatever it says, the order has to be read."""
        del body
        return (Statement(needs_fetch=True),)


def _order(ref: str) -> str:
    return f"/orders/{quote(ref, safe='')}"


def _changing(operation: str, target: str, fields: dict[str, Any]) -> Request:
    body = json.dumps(fields, separators=(",", ":")).encode()
    return Request(operation=operation, method="POST", target=target, body=body)


def _reading(operation: str, target: str) -> Request:
    return Request(operation=operation, method="GET", target=target, mutates=False)


def _told(request: Request, read: Callable[[Any], Facts]) -> Exchange[Outcome]:
    response = yield request
    return understood(response, lambda told: Answer(facts=read(told)))
