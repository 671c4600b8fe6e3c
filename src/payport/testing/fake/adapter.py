"""
The fake's adapter: the bank's operations as exchanges, without colour and without I/O.

It is an adapter like any other, and the shortest complete one to read: requests are written,
answers are classified by `answers`, and documents are read by `facts` and `webhooks`. It keeps no
state but its configuration.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from payport.domain.errors import InvalidRequest
from payport.domain.identifiers import Environment
from payport.domain.payment_intent import CaptureMethod
from payport.providers.commands import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    CreatePayment,
    CreateRefund,
    Lookup,
    Operation,
)
from payport.providers.deliveries import Delivery, Statement, Subject, WebhookRequest
from payport.providers.events import EventsAdapter, EventsPage, EventsQuery
from payport.providers.exchange import Exchange, Request
from payport.providers.listings import FactsPage, ListingAdapter, PaymentsQuery, RefundsQuery
from payport.providers.outcomes import Account, Failure, Outcome
from payport.providers.spec import Capability, ProviderSpec
from payport.providers.webhook_secrets import WebhookSecret
from payport.testing.fake.answers import (
    document_from,
    events_from,
    failure_from,
    outcome_from,
    page_from,
    payout_statement_from,
    time_in,
)
from payport.testing.fake.webhooks import (
    deliveries_from,
    envelope_in,
    hint_from,
    signed_by,
    statements_from,
)

__all__ = ["ENDPOINT", "FakeAdapter"]

#: What stands for the address in what is written down about an operation.
ENDPOINT: Final = "fake://bank"

#: What is searched for when the outcome of an operation is not known.
_SEARCHED: Final[Mapping[Operation, str]] = {
    Operation.CREATE_PAYMENT: "payments",
    Operation.CONFIRM_PAYMENT: "tries",
    Operation.CAPTURE_PAYMENT: "captures",
    Operation.CANCEL_PAYMENT: "cancels",
    Operation.CREATE_REFUND: "refunds",
}

_encode = json.JSONEncoder(separators=(",", ":")).encode


class FakeAdapter(ListingAdapter, EventsAdapter):
    """
    Speaks the bank's wire.

    Args:
        webhook_secrets: Webhooks signed with any of them are accepted.
    """

    def __init__(
        self, spec: ProviderSpec, environment: Environment, webhook_secrets: Sequence[WebhookSecret]
    ) -> None:
        self.spec = spec
        self.environment = environment
        self._webhook_secrets = tuple(webhook_secrets)
        self._has_keys = spec.idempotency.has_keys

    def account(self) -> Exchange[Account | Failure]:
        """See `PaymentProvider.account`."""
        response = yield Request(
            operation="account", method="GET", target="/account", mutates=False
        )
        told = document_from(response)
        if response.status != 200 or not isinstance(told.get("id"), str):  # noqa: PLR2004
            return failure_from(response, told)
        return Account(id=told["id"], endpoint=ENDPOINT, provider_time=time_in(response))

    def create_payment(self, command: CreatePayment, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.create_payment`."""
        self.spec.check(command)
        fields = _terms(command, key)
        fields["confirm"] = command.confirm
        return self._changes(command.operation, "/payments", fields, key)

    def confirm_payment(self, command: ConfirmPayment, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.confirm_payment`. Without an object it makes and confirms one."""
        self.spec.check(command)
        fields = _terms(command, key)
        if command.payment_ref is None:
            fields["confirm"] = True
            return self._changes(command.operation, "/payments", fields, key)
        target = f"/payments/{_safe(command.payment_ref)}/confirm"
        return self._changes(command.operation, target, fields, key)

    def capture_payment(self, command: CapturePayment, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.capture_payment`."""
        self.spec.check(command)
        fields = {"tag": key, "amount": command.amount.minor, "final": command.final}
        target = f"/payments/{_safe(command.payment_ref)}/captures"
        return self._changes(command.operation, target, fields, key)

    def cancel_payment(self, command: CancelPayment, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.cancel_payment`."""
        self.spec.check(command)
        target = f"/payments/{_safe(command.payment_ref)}/cancel"
        return self._changes(command.operation, target, {"tag": key}, key)

    def create_refund(self, command: CreateRefund, key: str) -> Exchange[Outcome]:
        """See `PaymentProvider.create_refund`."""
        self.spec.check(command)
        fields: dict[str, Any] = {
            "tag": key,
            "reference": command.reference,
            "amount": command.amount.minor,
            "currency": command.amount.currency,
            "reason": command.reason,
        }
        if command.metadata:
            fields["metadata"] = dict(command.metadata)
        target = f"/payments/{_safe(command.payment_ref)}/refunds"
        return self._changes(command.operation, target, fields, key)

    def retrieve_payment(self, payment_ref: str) -> Exchange[Outcome]:
        """See `PaymentProvider.retrieve_payment`."""
        self._needs(Capability.RETRIEVE_PAYMENT, "retrieve_payment")
        return self._reads("retrieve_payment", f"/payments/{_safe(payment_ref)}")

    def retrieve_refund(self, refund_ref: str) -> Exchange[Outcome]:
        """See `PaymentProvider.retrieve_refund`."""
        self._needs(Capability.RETRIEVE_REFUND, "retrieve_refund")
        return self._reads("retrieve_refund", f"/refunds/{_safe(refund_ref)}")

    def find(self, lookup: Lookup) -> Exchange[Outcome]:
        """See `PaymentProvider.find`."""
        self._needs(Capability.FIND, "find")
        what = _SEARCHED[lookup.command.operation]
        return self._reads("find", f"/search?what={what}&tag={lookup.key}", tag=lookup.key)

    def list_payments(self, query: PaymentsQuery) -> Exchange[FactsPage | Failure]:
        """See `ListsPayments.list_payments`."""
        self._needs(Capability.LIST_PAYMENTS, "list_payments")
        asked = {**_bounds(query), "customer": query.customer}
        return self._lists("/payments", asked, query)

    def list_refunds(self, query: RefundsQuery) -> Exchange[FactsPage | Failure]:
        """See `ListsPayments.list_refunds`."""
        self._needs(Capability.LIST_REFUNDS, "list_refunds")
        target = f"/payments/{_safe(query.payment_ref)}/refunds"
        return self._lists(target, {}, query)

    def list_events(self, query: EventsQuery) -> Exchange[EventsPage | Failure]:
        """See `ListsEvents.list_events`."""
        self._needs(Capability.LIST_EVENTS, "list_events")
        return self._told(_page_of("/events", _bounds(query), query))

    def _told(self, target: str) -> Exchange[EventsPage | Failure]:
        return events_from((yield _read("list_events", target)))

    def retrieve_subject(self, subject: Subject) -> Exchange[Statement | Failure]:
        """See `ReadsSubjects.retrieve_subject`. The bank's are payouts."""
        self._needs(Capability.RETRIEVE_SUBJECT, "retrieve_subject")
        return self._payout(f"/payouts/{_safe(subject.ref)}")

    def _payout(self, target: str) -> Exchange[Statement | Failure]:
        return payout_statement_from((yield _read("retrieve_subject", target)))

    def parse_webhook(self, request: WebhookRequest, *, now: datetime) -> tuple[Delivery, ...]:
        """See `ReceivesWebhooks.parse_webhook`."""
        if not self.spec.signs_webhooks:
            return (hint_from(envelope_in(request.body), now),)
        secret = signed_by(request, self._webhook_secrets, now)
        return deliveries_from(envelope_in(request.body), secret)

    def read_webhook(self, body: bytes) -> tuple[Statement, ...]:
        """See `ReceivesWebhooks.read_webhook`."""
        if not self.spec.signs_webhooks:
            return (Statement(needs_fetch=True),)
        return statements_from(envelope_in(body))

    def _needs(self, capability: Capability, operation: str) -> None:
        if not self.spec.has(capability):
            self._lacks(operation)

    def _changes(
        self, operation: Operation, target: str, fields: Mapping[str, Any], key: str
    ) -> Exchange[Outcome]:
        response = yield Request(
            operation=operation.value,
            method="POST",
            target=target,
            body=_encode(fields).encode(),
            key=key if self._has_keys else None,
        )
        return outcome_from(response, reads=False)

    def _reads(self, operation: str, target: str, *, tag: str | None = None) -> Exchange[Outcome]:
        response = yield _read(operation, target)
        return outcome_from(response, reads=True, tag=tag)

    def _lists(
        self, path: str, asked: Mapping[str, str | None], query: PaymentsQuery | RefundsQuery
    ) -> Exchange[FactsPage | Failure]:
        operation = "list_payments" if isinstance(query, PaymentsQuery) else "list_refunds"
        response = yield _read(operation, _page_of(path, asked, query))
        return page_from(response)


def _read(operation: str, target: str) -> Request:
    return Request(operation=operation, method="GET", target=target, mutates=False)


def _page_of(
    path: str, asked: Mapping[str, str | None], query: PaymentsQuery | RefundsQuery | EventsQuery
) -> str:
    cursor = None if query.after is None else _safe(query.after, "cursor")
    fields = {**asked, "after": cursor, "limit": str(query.limit)}
    told = urlencode({name: value for name, value in fields.items() if value is not None})
    return f"{path}?{told}"


def _bounds(query: PaymentsQuery | EventsQuery) -> dict[str, str | None]:
    return {
        "from": query.created_from.isoformat() if query.created_from else None,
        "before": query.created_before.isoformat() if query.created_before else None,
    }


def _terms(command: CreatePayment | ConfirmPayment, key: str) -> dict[str, Any]:
    terms = command.terms
    fields: dict[str, Any] = {
        "tag": key,
        "reference": command.reference,
        "attempt": command.attempt,
        "amount": terms.amount.minor,
        "currency": terms.amount.currency,
        "manual": terms.capture_method is CaptureMethod.MANUAL,
        "off_session": terms.off_session,
        "save": terms.save_payment_method,
        "payment_method": terms.payment_method,
        "customer": terms.customer,
        "return_url": terms.return_url,
        "description": terms.description,
    }
    if terms.metadata:
        fields["metadata"] = dict(terms.metadata)
    return fields


def _safe(ref: str, field: str = "payment_ref") -> str:
    """
    An id of the bank's as part of a path.

    Raises:
        InvalidRequest: It holds anything that could lead elsewhere.
    """
    if not ref.replace("_", "").isalnum() or not ref.isascii():
        raise InvalidRequest("this is no id of the bank's. Pass one it gave.", field=field)
    return ref
