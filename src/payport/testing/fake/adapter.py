"""
The fake's adapter: the bank's operations as exchanges, without colour and without I/O.

It is an adapter like any other, and the shortest complete one to read: requests are written,
answers are classified by a table, and documents are read by `facts` and `webhooks`. It keeps no
state but its configuration.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

from payport.domain.errors import InvalidRequest
from payport.domain.identifiers import Environment
from payport.domain.outcomes import FailureKind
from payport.domain.payment_intent import CaptureMethod
from payport.domain.secrets import Secret
from payport.domain.sensitive import redact
from payport.providers.base import Adapter
from payport.providers.commands import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    CreatePayment,
    CreateRefund,
    Lookup,
    Operation,
)
from payport.providers.deliveries import Delivery, WebhookRequest
from payport.providers.exchange import Exchange, Request, Response
from payport.providers.outcomes import Account, Answer, Failure, Outcome
from payport.providers.spec import Capability, ProviderSpec
from payport.testing.fake.facts import facts_from, moment_from
from payport.testing.fake.outbox import API_VERSION
from payport.testing.fake.webhooks import deliveries_from, verified

__all__ = ["ENDPOINT", "FakeAdapter"]

#: What stands for the address in what is written down about an operation.
ENDPOINT: Final = "fake://bank"

#: What an answer without facts proves, by status and the bank's code. Nothing else proves anything.
_FAILURES: Final[Mapping[tuple[int, str], FailureKind]] = {
    (400, "key_reused"): FailureKind.KEY_REUSED,
    (401, "bad_credentials"): FailureKind.AUTHENTICATION,
    (403, "not_permitted"): FailureKind.PERMISSION,
    (409, "key_in_use"): FailureKind.IN_PROGRESS,
    (429, "rate_limited"): FailureKind.RATE_LIMITED,
    (503, "not_executed"): FailureKind.UNAVAILABLE,
}
#: The same by status alone, for codes about the request itself.
_BY_STATUS: Final[Mapping[int, FailureKind]] = {
    400: FailureKind.INVALID_REQUEST,
    404: FailureKind.NOT_FOUND,
}
_ANSWERS: Final = frozenset({200, 402})

#: What is searched for when the outcome of an operation is not known.
_SEARCHED: Final[Mapping[Operation, str]] = {
    Operation.CREATE_PAYMENT: "payments",
    Operation.CONFIRM_PAYMENT: "tries",
    Operation.CAPTURE_PAYMENT: "captures",
    Operation.CANCEL_PAYMENT: "cancels",
    Operation.CREATE_REFUND: "refunds",
}

_encode = json.JSONEncoder(separators=(",", ":")).encode
_decode = json.JSONDecoder().decode

#: What a document raises that is not one.
UNREADABLE: Final = (AttributeError, KeyError, TypeError, ValueError, InvalidRequest)


class FakeAdapter(Adapter):
    """
    Speaks the bank's wire.

    Args:
        webhook_secrets: Webhooks signed with any of them are accepted.
    """

    def __init__(
        self, spec: ProviderSpec, environment: Environment, webhook_secrets: Sequence[Secret]
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
        told = _document(response)
        if response.status != 200 or not isinstance(told.get("id"), str):  # noqa: PLR2004
            return _failure(response, told)
        return Account(id=told["id"], endpoint=ENDPOINT)

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

    def parse_webhook(self, request: WebhookRequest, *, now: datetime) -> tuple[Delivery, ...]:
        """See `PaymentProvider.parse_webhook`."""
        return deliveries_from(verified(request, self._webhook_secrets, now))

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
        return _outcome(response, reads=False)

    def _reads(self, operation: str, target: str, *, tag: str | None = None) -> Exchange[Outcome]:
        request = Request(operation=operation, method="GET", target=target, mutates=False)
        response = yield request
        return _outcome(response, reads=True, tag=tag)


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


def _safe(ref: str) -> str:
    """
    An id of the bank's as part of a path.

    Raises:
        InvalidRequest: It holds anything that could lead elsewhere.
    """
    if not ref.replace("_", "").isalnum() or not ref.isascii():
        raise InvalidRequest("this is no id of the bank's. Pass one it gave.", field="payment_ref")
    return ref


def _document(response: Response) -> dict[str, Any]:
    """The body of an answer; empty where it is none in the bank's language."""
    try:
        told = _decode(response.body.decode())
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}


def _outcome(response: Response, *, reads: bool, tag: str | None = None) -> Outcome:
    document = _document(response)
    if response.status not in _ANSWERS or "error" in document:
        return _failure(response, document, reads=reads)
    try:
        facts = facts_from(document, tag=tag, api_version=API_VERSION)
        provider_time = _time(response)
    except UNREADABLE as error:
        return _unreadable(response, error)
    headers = response.headers
    return Answer(
        facts=facts,
        replayed="idempotent-replayed" in headers,
        request_id=headers.get("request-id"),
        provider_time=provider_time,
    )


def _time(response: Response) -> datetime | None:
    told = response.headers.get("bank-time")
    return moment_from(int(told)) if told is not None else None


def _unreadable(response: Response, error: BaseException | None = None) -> Failure:
    return Failure(
        kind=FailureKind.UNKNOWN,
        message=f"an answer with status {response.status} that is no answer of the bank's",
        request_id=response.headers.get("request-id"),
        cause=error,
    )


def _failure(response: Response, document: Mapping[str, Any], *, reads: bool = True) -> Failure:
    code, message = _said(document.get("error"))
    if code is None:
        return _unreadable(response)
    status = response.status
    kind = _FAILURES.get((status, code)) or _BY_STATUS.get(status, FailureKind.UNKNOWN)
    if kind is FailureKind.NOT_FOUND and not reads:
        # Something was to be changed that does not exist: the request itself is wrong.
        kind = FailureKind.INVALID_REQUEST
    after = response.headers.get("retry-after")
    return Failure(
        kind=kind,
        message=message,
        code=code,
        request_id=response.headers.get("request-id"),
        retry_after=float(after) if after is not None else None,
        provider_time=_time(response),
    )


def _said(error: object) -> tuple[str | None, str]:
    """The code and the message of an error; no code where it is none of the bank's."""
    if not isinstance(error, dict):
        return None, ""
    told = cast("dict[str, Any]", error)
    code = told.get("code")
    return (code if isinstance(code, str) else None), redact(str(told.get("message", "")))
