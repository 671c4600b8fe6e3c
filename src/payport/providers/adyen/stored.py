"""
Which payment methods Adyen stored: read out of webhooks, for applications that charge them later.

payport has no event for a stored method. What Adyen calls it is known once its webhook comes, and
not before: a method that was shown to a customer has another id than the one that was stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from payport.domain.errors import WebhookRejected
from payport.providers.adyen.objects import Document, psp_in, word
from payport.providers.adyen.webhooks import told_in

__all__ = ["StoredMethod", "stored_methods_in"]

_TOLD_BY: Final = frozenset({"AUTHORISATION", "RECURRING_CONTRACT"})
#: https://docs.adyen.com/api-explorer/Tokenization-webhooks/1/overview
_NOTICES: Final = frozenset(
    f"recurring.token.{word}" for word in ("created", "updated", "alreadyExisting")
)
#: Adyen's names of the id and of the shopper in each of them, the new ones first.
#: https://docs.adyen.com/online-payments/tokenization/create-tokens
_ID: Final = (
    "tokenization.storedPaymentMethodId",
    "recurring.recurringDetailReference",
    "storedPaymentMethodId",
)
_SHOPPER: Final = (
    "tokenization.shopperReference",
    "recurring.shopperReference",
    "shopperReference",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMethod:
    """
    A payment method that Adyen stored.

    Attributes:
        id: What `payment_method=` takes.
        customer: Whose it is: what `customer=` takes.
        payment_ref: Adyen's id of the payment, or of the request, that it was stored with.
    """

    id: str
    customer: str
    payment_ref: str


def stored_methods_in(body: bytes) -> tuple[StoredMethod, ...]:
    """
    The methods that a webhook says were stored, each once. Verifies nothing: call it with a body
    that `webhooks.receive` took. Adyen repeats webhooks, so what is done with the answer has to
    bear a repetition.
    """
    try:
        told = told_in(body)
    except WebhookRejected:
        return ()
    found = {method.id: method for one in told if (method := _stored(one)) is not None}
    return tuple(found.values())


def _stored(told: Document) -> StoredMethod | None:
    if told.get("type") in _NOTICES:
        more = told.get("data")
        payment = psp_in(told, "eventId")
    elif told.get("eventCode") in _TOLD_BY and told.get("success") == "true":
        more = told.get("additionalData")
        payment = psp_in(told, "originalReference") or psp_in(told)
    else:
        return None
    fields: Document = cast("Document", more) if isinstance(more, dict) else {}
    ref, customer = _first(fields, _ID), _first(fields, _SHOPPER)
    if ref is None or customer is None or payment is None:
        return None
    return StoredMethod(id=ref, customer=customer, payment_ref=payment)


def _first(told: Document, names: tuple[str, ...]) -> str | None:
    return next((found for name in names if (found := word(told.get(name))) is not None), None)
