"""
From commands to requests: the exact bytes that ask Stripe for something, without credentials.

Nothing is sent here, and nothing is decided about answers. A form is written as the SDK writes it;
a test compares the two, and the sender refuses to write anything else than what was rendered here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, cast
from urllib.parse import quote_plus

from payport.domain.errors import InvalidRequest
from payport.domain.frozen import FrozenMapping
from payport.domain.payment_intent import CaptureMethod
from payport.domain.refund import RefundReason
from payport.providers.commands import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    CreatePayment,
    CreateRefund,
    Terms,
)
from payport.providers.deliveries import Subject
from payport.providers.events import EventsQuery
from payport.providers.exchange import Request
from payport.providers.listings import PaymentsQuery, RefundsQuery
from payport.providers.stripe.objects import CAPTURE_TAG, EPOCH, TAG
from payport.providers.stripe.spec import API_VERSION, PROVIDER, wire_amount

__all__ = ["PAGE", "REASONS", "Requests", "encoded"]

#: What Stripe takes for a refund's reason; it has no word for the others.
REASONS: Final[Mapping[RefundReason, str]] = {
    RefundReason.DUPLICATE: "duplicate",
    RefundReason.FRAUDULENT: "fraudulent",
    RefundReason.REQUESTED_BY_CUSTOMER: "requested_by_customer",
}

_PAYMENTS: Final = "/v1/payment_intents"
_REFUNDS: Final = "/v1/refunds"
_REFERENCE: Final = "payport_reference"
#: A payment without its charge does not tell what was held.
_WITH_CHARGE: Final = {"0": "latest_charge"}
_WITH_ALL: Final = {"0": "latest_charge", "1": "latest_charge.refunds"}
_EACH_WITH_CHARGE: Final = {"0": "data.latest_charge"}
#: The most objects that Stripe gives at once: https://docs.stripe.com/api/pagination
PAGE: Final = 100
_SECOND: Final = timedelta(seconds=1)

_ID: Final = re.compile(r"[A-Za-z0-9_]{1,255}")
#: What `quote_plus` leaves as it is.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~-]*")


class Requests:
    """
    Renders requests for one account.

    Args:
        account: The connected account that they are made for; None for the key's own.
        multicapture: Whether payments ask to be captured several times.
    """

    __slots__ = ("_account", "_multicapture")

    def __init__(self, *, account: str | None, multicapture: bool) -> None:
        self._account = account
        self._multicapture = multicapture

    # -- what changes something -----------------------------------------------------------------

    def create(self, command: CreatePayment | ConfirmPayment, key: str) -> Request:
        """A new PaymentIntent, confirmed unless the command says otherwise."""
        confirm = isinstance(command, ConfirmPayment) or command.confirm
        terms = command.terms
        form: dict[str, Any] = {
            "amount": wire_amount(terms.amount, command.operation),
            "currency": terms.amount.currency.lower(),
            "confirm": confirm,
            "capture_method": "manual" if _is_manual(terms) else "automatic",
            "automatic_payment_methods": _methods(terms),
            "payment_method": terms.payment_method,
            "customer": terms.customer,
            "setup_future_usage": _usage(terms),
            "description": terms.description,
            # The one that cards take; their charges refuse the other one.
            "statement_descriptor_suffix": terms.statement_descriptor,
            "receipt_email": terms.receipt_email,
            "metadata": {**terms.metadata, TAG: key, _REFERENCE: command.reference},
            "expand": _WITH_CHARGE,
        }
        if self._multicapture and _is_manual(terms):
            form["payment_method_options"] = {"card": {"request_multicapture": "if_available"}}
        if confirm:
            form |= _confirming(terms)
        return self._change(command.operation, _PAYMENTS, form, key)

    def confirm(self, command: ConfirmPayment, payment_ref: str, key: str) -> Request:
        """Confirm a PaymentIntent that exists. Stripe keeps no metadata of this."""
        terms = command.terms
        form: dict[str, Any] = {
            "payment_method": terms.payment_method,
            "setup_future_usage": _usage(terms),
            "expand": _WITH_CHARGE,
            **_confirming(terms),
        }
        path = f"{_payment(payment_ref, command.operation)}/confirm"
        return self._change(command.operation, path, form, key)

    def capture(self, command: CapturePayment, key: str) -> Request:
        """Take held money."""
        form: dict[str, Any] = {
            "amount_to_capture": wire_amount(command.amount, command.operation),
            # Only said where it may be: without it a capture is final.
            "final_capture": None if command.final else False,
            "metadata": {CAPTURE_TAG: key},
            "expand": _WITH_CHARGE,
        }
        path = f"{_payment(command.payment_ref, command.operation)}/capture"
        return self._change(command.operation, path, form, key)

    def cancel(self, command: CancelPayment, key: str) -> Request:
        """Release held money. Stripe keeps no metadata of this."""
        path = f"{_payment(command.payment_ref, command.operation)}/cancel"
        return self._change(command.operation, path, {"expand": _WITH_CHARGE}, key)

    def refund(self, command: CreateRefund, key: str) -> Request:
        """Give money back."""
        form: dict[str, Any] = {
            "payment_intent": _checked(command.payment_ref, command.operation, "payment_ref"),
            "amount": wire_amount(command.amount, command.operation),
            "reason": REASONS.get(command.reason),
            "metadata": {**command.metadata, TAG: key, _REFERENCE: command.reference},
        }
        return self._change(command.operation, _REFUNDS, form, key)

    # -- what reads -----------------------------------------------------------------------------

    def account(self) -> Request:
        """The account that the key, or the header, names."""
        return self._read("account", "/v1/account", {})

    def payment(self, payment_ref: str, operation: str) -> Request:
        """A PaymentIntent with its charge and that one's refunds."""
        return self._read(operation, _payment(payment_ref, operation), {"expand": _WITH_ALL})

    def payments(self, operation: str, customer: str | None, after: str | None) -> Request:
        """A page of the newest PaymentIntents."""
        asked = {"customer": customer, "limit": PAGE, "starting_after": after}
        return self._read(operation, _PAYMENTS, {**asked, "expand": _EACH_WITH_CHARGE})

    def listed_payments(self, query: PaymentsQuery) -> Request:
        """A page of PaymentIntents for whoever lists them."""
        operation = "list_payments"
        window = {"gte": _second(query.created_from), "lt": _second(query.created_before)}
        asked = {
            "created": window,
            "customer": _cursor(query.customer, operation, "customer"),
            "limit": min(query.limit, PAGE),
            "starting_after": _cursor(query.after, operation, "cursor"),
            "expand": _EACH_WITH_CHARGE,
        }
        return self._read(operation, _PAYMENTS, asked)

    def listed_refunds(self, query: RefundsQuery) -> Request:
        """A page of a payment's Refunds for whoever lists them."""
        operation = "list_refunds"
        asked = {
            "payment_intent": _checked(query.payment_ref, operation, "payment_ref"),
            "limit": min(query.limit, PAGE),
            "starting_after": _cursor(query.after, operation, "cursor"),
        }
        return self._read(operation, _REFUNDS, asked)

    def search(self, operation: str, key: str) -> Request:
        """PaymentIntents that carry a key; Stripe's search lags by up to some minutes."""
        query = f"metadata['{TAG}']:'{_checked(key, operation, 'key', _TAG)}'"
        return self._read(operation, f"{_PAYMENTS}/search", {"query": query, "limit": 1})

    def refunds(self, operation: str, payment_ref: str, after: str | None) -> Request:
        """A page of a payment's refunds, the newest first."""
        ref = _checked(payment_ref, operation, "payment_ref")
        asked = {"payment_intent": ref, "limit": PAGE, "starting_after": after}
        return self._read(operation, _REFUNDS, asked)

    def disputes(self, operation: str, payment_ref: str, after: str | None) -> Request:
        """A page of a payment's disputes."""
        ref = _checked(payment_ref, operation, "payment_ref")
        asked = {"payment_intent": ref, "limit": PAGE, "starting_after": after}
        return self._read(operation, "/v1/disputes", asked)

    def one_refund(self, refund_ref: str, operation: str) -> Request:
        """A refund."""
        ref = _checked(refund_ref, operation, "refund_ref")
        return self._read(operation, f"{_REFUNDS}/{ref}", {})

    def subject(self, subject: Subject) -> Request:
        """A charge, a dispute, a payout or a refund."""
        operation = "retrieve_subject"
        ref = _checked(subject.ref, operation, "subject")
        return self._read(operation, f"/v1/{subject.kind}s/{ref}", {})

    def events(self, query: EventsQuery) -> Request:
        """A page of what was told, delivered or not."""
        operation = "list_events"
        asked = {
            "created": {"gte": _second(query.created_from), "lt": _second(query.created_before)},
            "limit": min(query.limit, PAGE),
            "starting_after": _cursor(query.after, operation, "cursor"),
        }
        return self._read(operation, "/v1/events", asked)

    # -- the frame ------------------------------------------------------------------------------

    def _change(self, operation: str, path: str, form: Mapping[str, Any], key: str) -> Request:
        return Request(
            operation=str(operation),
            method="POST",
            target=path,
            headers=FrozenMapping({"Idempotency-Key": key, **self._headers()}),
            body=encoded(form, operation).encode(),
            key=key,
        )

    def _read(self, operation: str, path: str, asked: Mapping[str, Any]) -> Request:
        query = encoded(asked, operation)
        return Request(
            operation=operation,
            method="GET",
            target=f"{path}?{query}" if query else path,
            headers=FrozenMapping(self._headers()),
            mutates=False,
        )

    def _headers(self) -> dict[str, str]:
        headers = {"Stripe-Version": API_VERSION}
        if self._account is not None:
            headers["Stripe-Account"] = self._account
        return headers


_TAG: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _is_manual(terms: Terms) -> bool:
    return terms.capture_method is CaptureMethod.MANUAL


def _methods(terms: Terms) -> dict[str, Any]:
    """
    Whatever the dashboard allows; methods that leave the page only where there is a way back.

    Without a return URL Stripe refuses to confirm a payment that such a method could pay.
    """
    return {"enabled": True, "allow_redirects": "always" if terms.return_url else "never"}


def _usage(terms: Terms) -> str | None:
    return "off_session" if terms.save_payment_method else None


def _confirming(terms: Terms) -> dict[str, Any]:
    """What Stripe takes only together with a confirmation."""
    return {"off_session": True if terms.off_session else None, "return_url": terms.return_url}


def _payment(payment_ref: str, operation: str) -> str:
    return f"{_PAYMENTS}/{_checked(payment_ref, operation, 'payment_ref')}"


def _cursor(given: str | None, operation: str, field: str) -> str | None:
    """An id that may be left out. Raises InvalidRequest."""
    return None if given is None else _checked(given, operation, field)


def _second(moment: datetime | None) -> int | None:
    """The first whole second, as Stripe counts, that is not before a moment."""
    return None if moment is None else -((EPOCH - moment) // _SECOND)


def _checked(given: str, operation: str, field: str, shape: re.Pattern[str] = _ID) -> str:
    """
    An id as part of a path.

    Raises:
        InvalidRequest: It is empty, or holds anything that could lead elsewhere.
    """
    if not shape.fullmatch(given):
        message = "this is no id of Stripe's. Pass one that it gave."
        raise InvalidRequest(message, operation=operation, field=field, provider=PROVIDER)
    return given


def encoded(fields: Mapping[str, Any], operation: str) -> str:
    """
    Fields as a form, in the SDK's way: what is None is left out, brackets are left as they are. A
    list is written as a mapping of its indexes.

    Raises:
        InvalidRequest: A text holds half a character, which no form can.
    """
    try:
        return "&".join([f"{name}={_quoted(value)}" for name, value in _flat(fields)])
    except UnicodeEncodeError:
        message = "holds half a character: text that was cut, or decoded wrongly"
        raise InvalidRequest(message, operation=operation, provider=PROVIDER) from None


def _flat(fields: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, str]]:
    """The fields, with the names that they have in a form, and their values in words."""
    for name, value in fields.items():
        field = f"{within}[{_named(name)}]" if within else _named(name)
        if isinstance(value, str):
            yield field, value
        elif isinstance(value, bool):
            yield field, "true" if value else "false"
        elif isinstance(value, int):
            yield field, str(value)
        elif value is not None:
            yield from _flat(cast("Mapping[str, Any]", value), field)


def _quoted(text: str) -> str:
    """A text as a form holds it. Most texts are ids and words, and need no quoting."""
    return text if _PLAIN.fullmatch(text) else quote_plus(text, safe="[]")


#: Names are few, and the same in every request.
_named = lru_cache(maxsize=256)(_quoted)
