"""
Payment methods: what a payment's `payment_method` may be at Adyen, and what of it goes on the wire.

It is the id of a stored method; or what Adyen's Drop-in collected in the customer's browser, made
into a token by `payment_method_from`; or `HOSTED` or `SESSION`, for a customer who pays on Adyen's
page or in a session. What comes from a browser is taken by a list of names: nothing of it may say
what is paid, to whom or under which name.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from payport.domain.errors import InvalidRequest, SensitiveData
from payport.providers.adyen.spec import PROVIDER, UNSTORABLE

__all__ = ["FROM_BROWSERS", "HOSTED", "SESSION", "Method", "method_in", "payment_method_from"]

#: The customer pays on a page of Adyen's: the payment's next action is its address.
HOSTED: Final = "adyen:hosted"
#: The customer pays in a session, in Adyen's Drop-in: the next action's token is the session.
SESSION: Final = "adyen:session"

#: What may come from a customer's browser beside the method itself.
#: https://docs.adyen.com/online-payments/build-your-integration/advanced-flow
FROM_BROWSERS: Final[frozenset[str]] = frozenset(
    {
        *("paymentMethod", "browserInfo", "billingAddress", "deliveryAddress", "shopperName"),
        *("shopperEmail", "telephoneNumber", "dateOfBirth", "shopperLocale", "countryCode"),
        *("origin", "channel", "riskData", "installments", "lineItems", "bankAccount"),
        *("shopperIP", "deviceFingerprint", "checkoutAttemptId"),
    }
)
#: Drop-in says these too, and they are payport's to say.
_DROPPED: Final = frozenset({"clientStateDataIndicator", "storePaymentMethod"})

_PREFIX: Final = "adyen:data:"
_STORED: Final = re.compile(r"[A-Za-z0-9]{4,64}")
_OPERATION: Final = "payment_method_from"
#: Card data that was not encrypted.
_PLAIN: Final = frozenset({"number", "cvc", "expiryMonth", "expiryYear"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """
    How a payment is paid.

    Attributes:
        mode: `hosted` or `embedded` for a session; None for a payment.
        fields: What goes into the request.
        is_stored: Whether it is a method that Adyen stores.
        storable: Whether the request may be kept in a journal.
    """

    mode: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    is_stored: bool = False
    storable: bool = True


def payment_method_from(state: Mapping[str, Any]) -> str:
    """
    Make a token of what Adyen's Drop-in or Components collected: `state.data`.

    The token holds encrypted card data and is for one payment. payport never stores it.

    Raises:
        SensitiveData: Card data in it is not encrypted.
        InvalidRequest: It is nothing that a browser may say, or holds no payment method.
    """
    kept = {name: value for name, value in state.items() if name not in _DROPPED}
    _check(kept, _OPERATION)
    packed = json.dumps(kept, separators=(",", ":"), sort_keys=True).encode()
    return _PREFIX + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def method_in(token: str, operation: str) -> Method:
    """
    What a payment's `payment_method` means.

    Raises:
        SensitiveData: Card data in it is not encrypted.
        InvalidRequest: It is no method of Adyen's.
    """
    if token in {HOSTED, SESSION}:
        return Method(mode="hosted" if token == HOSTED else "embedded")
    if token.startswith(_PREFIX):
        told = _unpacked(token, operation)
        _check(told, operation)
        stored = "storedPaymentMethodId" in told["paymentMethod"]
        return Method(fields=told, is_stored=stored, storable=not _holds_unstorable(told))
    if not _STORED.fullmatch(token):
        raise _refused(
            "is no payment method of Adyen's; one that is saved at another provider cannot be "
            "charged here. Pass the id of a stored method, or what payment_method_from made.",
            operation,
        )
    method = {"type": "scheme", "storedPaymentMethodId": token}
    return Method(fields={"paymentMethod": method}, is_stored=True)


def _unpacked(token: str, operation: str) -> dict[str, Any]:
    packed = token.removeprefix(_PREFIX)
    try:
        told = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise _refused("is a token that payment_method_from did not make", operation)
    return cast("dict[str, Any]", told)


def _check(told: Mapping[str, Any], operation: str) -> None:
    method = told.get("paymentMethod")
    if not isinstance(method, Mapping):
        raise _refused("holds no paymentMethod: pass state.data of Adyen's Drop-in", operation)
    unknown = sorted(told.keys() - FROM_BROWSERS)
    if unknown:
        raise _refused(f"holds {unknown[0]!r}, which a browser may not say", operation)
    plain = _PLAIN & cast("Mapping[str, Any]", method).keys()
    if plain:
        raise SensitiveData(
            "card data has to be encrypted in the customer's browser before it comes here. "
            "Nothing was sent.",
            operation=operation,
            field="payment_method",
            provider=PROVIDER,
        )


def _holds_unstorable(value: object) -> bool:
    if isinstance(value, Mapping):
        told = cast("Mapping[str, object]", value)
        return not UNSTORABLE.isdisjoint(told) or any(map(_holds_unstorable, told.values()))
    return isinstance(value, list) and any(map(_holds_unstorable, cast("list[object]", value)))


def _refused(why: str, operation: str) -> InvalidRequest:
    return InvalidRequest(why, operation=operation, field="payment_method", provider=PROVIDER)
