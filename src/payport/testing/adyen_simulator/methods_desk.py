"""Serves what shoppers can pay with: payment methods, and those that were stored."""

from __future__ import annotations

from typing import Any, Final

from payport.testing.adyen_simulator.asking import Ask
from payport.testing.adyen_simulator.errors import invalid
from payport.testing.adyen_simulator.memory import Memory, Stored
from payport.testing.adyen_simulator.methods import Methods
from payport.testing.bank.vault import moment
from payport.testing.simulation.documents import Doc

__all__ = ["MethodsDesk"]

_NAMES: Final = {
    "scheme": "Cards",
    "ideal": "iDEAL",
    "sepadirectdebit": "SEPA Direct Debit",
    "bankTransfer_IBAN": "Bank Transfer",
    "multibanco": "Multibanco",
}
_MODELS: Final = ("CardOnFile", "Subscription", "UnscheduledCardOnFile")
_SCHEMES: Final = {"visa": "VISA", "mc": "Mastercard", "amex": "American Express"}


class MethodsDesk:
    """Serves `/paymentMethods`, `/storedPaymentMethods`. Whoever calls it holds the bank's lock."""

    def __init__(self, memory: Memory, methods: Methods) -> None:
        self._memory = memory
        self._methods = methods

    def payment_methods(self, ask: Ask) -> Doc:
        """POST /paymentMethods."""
        params = ask.params
        allowed: list[Any] = params.get("allowedPaymentMethods", list(_NAMES))
        blocked: list[Any] = params.get("blockedPaymentMethods", [])
        body: Doc = {
            "paymentMethods": [
                _offered(kind) for kind in _NAMES if kind in allowed and kind not in blocked
            ]
        }
        shopper: str | None = params.get("shopperReference")
        if shopper is not None:
            body["storedPaymentMethods"] = [
                _shown(stored) for stored in self._of(shopper) if stored.model == "CardOnFile"
            ]
        return body

    def stored_methods(self, ask: Ask) -> Doc:
        """GET /storedPaymentMethods."""
        shopper: str = ask.params["shopperReference"]
        return {
            "merchantAccount": ask.account,
            "shopperReference": shopper,
            "storedPaymentMethods": [_resource(stored) for stored in self._of(shopper)],
        }

    def store_method(self, ask: Ask) -> Doc:
        """POST /storedPaymentMethods."""
        params = ask.params
        shopper: str = params["shopperReference"]
        method = self._methods.read(params["paymentMethod"], None, None)
        if not method.look.is_card:
            raise invalid("000", "The simulator stores cards only.")
        if method.card.declined is not None or method.card.errs:
            raise invalid("000", "The issuer did not verify the card.")
        model: str = params["recurringProcessingModel"]
        stored = self._memory.store(method.card, method.look, shopper, model, None)
        if ask.key is not None:
            self._memory.vault.executed[ask.key] += 1
        return _resource(stored)

    def delete_method(self, ask: Ask) -> Doc:
        """DELETE /storedPaymentMethods/{storedPaymentMethodId}."""
        stored = self._memory.stored.get(ask.ref)
        if stored is None or stored.shopper != ask.params["shopperReference"]:
            raise invalid("803", "PaymentDetail not found")
        self._memory.forget(stored)
        return {}

    def _of(self, shopper: str) -> list[Stored]:
        known = self._memory.vault.customers.get(shopper, [])
        stored = self._memory.stored
        return [stored[ref] for ref in known if ref in stored]


def _offered(kind: str) -> Doc:
    offered: Doc = {"name": _NAMES[kind], "type": kind}
    if kind == "scheme":
        offered["brands"] = list(_SCHEMES)
    return offered


def _shown(stored: Stored) -> Doc:
    """A stored method as a shop's page offers it."""
    look = stored.look
    shown: Doc = {
        "id": stored.id,
        "type": look.type,
        "brand": look.brand,
        "name": _SCHEMES.get(look.brand, look.brand),
        "lastFour": look.last4,
        "expiryMonth": look.expiry_month,
        "expiryYear": look.expiry_year,
        "supportedRecurringProcessingModels": list(_MODELS),
        "supportedShopperInteractions": ["Ecommerce", "ContAuth"],
    }
    if look.holder is not None:
        shown["holderName"] = look.holder
    return shown


def _resource(stored: Stored) -> Doc:
    """A stored method as it is listed."""
    resource = _shown(stored)
    del resource["supportedShopperInteractions"]
    resource["shopperReference"] = stored.shopper
    resource["createdAt"] = moment(stored.created).isoformat(timespec="seconds")
    if stored.first is not None:
        resource["firstPspReference"] = stored.first
    return resource
