"""
From commands to requests: the exact bytes that ask Adyen for something, without credentials.

Nothing is sent here, and nothing is decided about answers. What Adyen could not be told accurately
is refused here, before anything is sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from payport.domain.errors import InvalidRequest, UnsupportedOperation
from payport.domain.frozen import FrozenMapping
from payport.domain.payment_intent import CaptureMethod
from payport.domain.refund import RefundReason
from payport.providers.adyen import references
from payport.providers.adyen.methods import Method, method_in
from payport.providers.adyen.objects import Document
from payport.providers.adyen.references import LONGEST, Reference
from payport.providers.adyen.settings import Settings
from payport.providers.adyen.spec import API_VERSION, PROVIDER, wire_amount
from payport.providers.commands import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    CreatePayment,
    CreateRefund,
    Terms,
)
from payport.providers.exchange import Request

__all__ = ["REASONS", "Requests"]

#: What Adyen takes for a refund's reason.
REASONS: Final[Mapping[RefundReason, str]] = {
    RefundReason.DUPLICATE: "DUPLICATE",
    RefundReason.FRAUDULENT: "FRAUD",
    RefundReason.REQUESTED_BY_CUSTOMER: "CUSTOMER REQUEST",
}

#: https://docs.adyen.com/online-payments/3d-secure/native-3ds2/
_NATIVE: Final = {"threeDSRequestData": {"nativeThreeDS": "preferred"}}
_DESCRIPTION: Final = "payport_description"
_PSP: Final = re.compile(r"[A-Za-z0-9]{1,64}")
_SHOPPER: Final = range(3, 257)


class Requests:
    """Renders requests for one merchant account."""

    __slots__ = ("_prefix", "_settings")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._prefix = f"{settings.path}/{API_VERSION}"

    def account(self) -> Request:
        """Asks whether the key may use the merchant account: Adyen says nothing else of either."""
        return replace(self._post("account", "/paymentMethods", {}, None), mutates=False)

    def payment(self, command: CreatePayment | ConfirmPayment, key: str) -> Request:
        """A payment; or a session, in which the customer makes it."""
        terms, operation = command.terms, str(command.operation)
        method = method_in(terms.payment_method or "", operation)
        body = self._terms(command, key, method)
        if method.mode is not None:
            body |= {"mode": method.mode, **_storing_in_session(terms)}
            return self._post(operation, "/sessions", body, key)
        told = {name: value for name, value in method.fields.items() if value is not None}
        # What is said here stands over what a browser said.
        body = {**told, **body, **self._using(terms, method)}
        if self._settings.native_3ds and not terms.off_session:
            body["authenticationData"] = _NATIVE
        return self._post(operation, "/payments", body, key, storable=method.storable)

    def details(self, command: ConfirmPayment, key: str) -> Request:
        """What the customer's action brought. It works once, and is never stored."""
        told = dict(command.action_result)
        data = told.pop("paymentData", None)
        body: dict[str, Any] = {"details": told}
        if data is not None:
            body["paymentData"] = data
        operation = str(command.operation)
        return self._post(operation, "/payments/details", body, key, storable=False, account=False)

    def capture(self, command: CapturePayment, key: str) -> Request:
        """Take held money."""
        operation = str(command.operation)
        whole = command.authorized if command.authorized is not None else command.amount
        body = {
            "amount": wire_amount(command.amount, operation),
            "reference": references.of_capture(key, whole.minor if command.final else None),
        }
        path = f"{_payment(command.payment_ref, operation)}/captures"
        return self._post(operation, path, body, key)

    def cancel(self, command: CancelPayment, key: str) -> Request:
        """
        Release held money; of a payment that may be captured at this moment, by a reversal, which
        cancels or refunds as it turns out; of one that only its name is known of, by that name.
        """
        operation = str(command.operation)
        named = named_by(command)
        lost = Reference.read(named)
        automatic = lost is not None and lost.is_automatic
        body: dict[str, Any] = {"reference": references.of_cancel(key, automatic=automatic)}
        if named is not None:
            if not self._settings.cancel_lost:
                raise UnsupportedOperation(
                    "Adyen has not decided this payment, and can cancel it only by its reference. "
                    "Nothing was sent: wait for the webhook, or allow it with cancel_lost=True.",
                    operation=operation,
                    provider=PROVIDER,
                )
            return self._post(operation, "/cancels", {"paymentReference": named, **body}, key)
        way = "reversals" if command.capturing else "cancels"
        path = f"{_payment(command.payment_ref, operation)}/{way}"
        return self._post(operation, path, body, key)

    def refund(self, command: CreateRefund, key: str) -> Request:
        """Give money back."""
        operation = str(command.operation)
        body: dict[str, Any] = {
            "amount": wire_amount(command.amount, operation),
            "reference": references.of_refund(key),
        }
        if command.reason in REASONS:
            body["merchantRefundReason"] = REASONS[command.reason]
        path = f"{_payment(command.payment_ref, operation)}/refunds"
        return self._post(operation, path, body, key)

    # -- the frame ------------------------------------------------------------------------------

    def _terms(
        self, command: CreatePayment | ConfirmPayment, key: str, method: Method
    ) -> dict[str, Any]:
        """What payments and sessions have in common."""
        terms, operation = command.terms, str(command.operation)
        back = terms.return_url or self._settings.return_url
        if back is None:
            raise InvalidRequest(
                "Adyen wants one for every payment: pass return_url, or set one for all payments "
                "when the provider is constructed",
                operation=operation,
                field="return_url",
                provider=PROVIDER,
            )
        body: dict[str, Any] = {
            "amount": wire_amount(terms.amount, operation),
            "reference": reference_of(command, key, method).text,
            "merchantOrderReference": command.reference,
            "returnUrl": back,
        }
        if terms.capture_method is CaptureMethod.MANUAL:
            body["additionalData"] = {"manualCapture": "true"}
        else:
            # Whatever delay the merchant account has.
            body["captureDelayHours"] = 0
        described = {_DESCRIPTION: terms.description} if terms.description is not None else {}
        optional = {
            "metadata": {**terms.metadata, **described} or None,
            "shopperReference": _shopper(terms, operation),
            "shopperEmail": terms.receipt_email,
            "shopperStatement": terms.statement_descriptor,
        }
        return body | {name: value for name, value in optional.items() if value is not None}

    def _using(self, terms: Terms, method: Method) -> dict[str, Any]:
        """Who is present, and what becomes of the method."""
        model = self._settings.recurring_model
        if terms.off_session:
            return {"shopperInteraction": "ContAuth", "recurringProcessingModel": model}
        if terms.save_payment_method:
            return {
                "shopperInteraction": "Ecommerce",
                "storePaymentMethod": True,
                "recurringProcessingModel": model,
            }
        if method.is_stored:
            return {"shopperInteraction": "ContAuth", "recurringProcessingModel": "CardOnFile"}
        return {"shopperInteraction": "Ecommerce"}

    def _post(
        self,
        operation: str,
        path: str,
        body: Mapping[str, Any],
        key: str | None,
        *,
        storable: bool = True,
        account: bool = True,
    ) -> Request:
        whole = {"merchantAccount": self._settings.merchant_account, **body} if account else body
        headers = {"Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return Request(
            operation=operation,
            method="POST",
            target=f"{self._prefix}{path}",
            headers=FrozenMapping(headers),
            body=_encoded(whole, operation),
            key=key,
            storable=storable,
        )


def reference_of(
    command: CreatePayment | ConfirmPayment, key: str, method: Method | None = None
) -> Reference:
    """
    What a payment is called.

    Raises:
        InvalidRequest: The key is none of payport's, or the attempt's number is none.
    """
    terms = command.terms
    mode = (method or method_in(terms.payment_method or "0000", command.operation)).mode
    text = references.of_payment(
        key, command.attempt, terms.capture_method, session=mode is not None
    )
    read = Reference.read(text)
    if read is None or len(text) > LONGEST:
        raise InvalidRequest(
            f"a payment's reference has at most {LONGEST} characters of a key and an attempt",
            operation=command.operation,
            field="attempt",
            provider=PROVIDER,
        )
    return read


def named_by(command: CancelPayment) -> str | None:
    """Our name of the payment, where that is all that is known of it."""
    if command.lost is not None:
        lost = command.lost
        return references.of_payment(lost.key, lost.attempt, lost.capture_method)
    read = Reference.read(command.payment_ref)
    return read.text if read is not None else None


def _storing_in_session(terms: Terms) -> Document:
    if not terms.save_payment_method:
        return {}
    return {"storePaymentMethodMode": "enabled", "recurringProcessingModel": "CardOnFile"}


def _shopper(terms: Terms, operation: str) -> str | None:
    if terms.customer is None:
        if terms.save_payment_method:
            _refuse("is needed: Adyen saves methods under a shopper's reference", operation)
        return None
    if len(terms.customer) not in _SHOPPER:
        _refuse("a shopper's reference has 3 to 256 characters", operation)
    return terms.customer


def _refuse(why: str, operation: str) -> None:
    raise InvalidRequest(why, operation=operation, field="customer", provider=PROVIDER)


def _payment(payment_ref: str, operation: str) -> str:
    """
    The path of a payment.

    Raises:
        InvalidRequest: It is no id of Adyen's, or could lead elsewhere.
    """
    if not _PSP.fullmatch(payment_ref):
        raise InvalidRequest(
            "this is no id of Adyen's. Pass one that it gave.",
            operation=operation,
            field="payment_ref",
            provider=PROVIDER,
        )
    return f"/payments/{payment_ref}"


def _encoded(body: Mapping[str, Any], operation: str) -> bytes:
    try:
        return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        message = "holds half a character: text that was cut, or decoded wrongly"
        raise InvalidRequest(message, operation=operation, provider=PROVIDER) from None
