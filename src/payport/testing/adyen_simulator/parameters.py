"""
Which fields each request takes, of what kind, and what becomes of those that do nothing here.

The names are those of Adyen's description of its Checkout API, version 72. A field is used, or it
only says something and is checked for its kind, or it would change what happens in ways
that are not simulated: those are refused. What is inside objects is told in `shapes`.

Kinds: `string`, `integer`, `boolean`, `object`, `array`, `strings` (an object of texts), `amount`,
or words with `|` between them. A number after a colon is how long a text may be at most.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

__all__ = ["PARAMETERS", "Parameters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """
    The fields of one kind of request.

    Attributes:
        kinds: What kind each field is of.
        required: Fields that have to be there, in the order in which their absence is told.
        refused: Fields that are known and not simulated.
    """

    kinds: dict[str, str]
    required: tuple[str, ...] = ("merchantAccount",)
    refused: frozenset[str] = field(default_factory=frozenset[str])


_MODEL: Final = "CardOnFile|Subscription|UnscheduledCardOnFile"
_CHANNEL: Final = "iOS|Android|Web"

#: What both payments and sessions are asked with.
_SALE: Final = {
    "additionalData": "object",
    "amount": "amount",
    "captureDelayHours": "integer",
    "merchantAccount": "string",
    "merchantOrderReference": "string:1000",
    "metadata": "strings",
    "recurringProcessingModel": _MODEL,
    "reference": "string:80",
    "returnUrl": "string:1024",
    "shopperInteraction": "Ecommerce|ContAuth|Moto|POS",
    "shopperReference": "string:256",
    "storePaymentMethod": "boolean",
}
#: What only says something of a sale.
_SALE_TOLD: Final = {
    "accountInfo": "object",
    "applicationInfo": "object",
    "authenticationData": "object",
    "billingAddress": "object",
    "channel": _CHANNEL,
    "company": "object",
    "countryCode": "string:100",
    "dateOfBirth": "string",
    "deliveryAddress": "object",
    "lineItems": "array",
    "mandate": "object",
    "mcc": "string",
    "recurringExpiry": "string",
    "recurringFrequency": "string",
    "redirectFromIssuerMethod": "string",
    "redirectToIssuerMethod": "string",
    "riskData": "object",
    "shopperEmail": "string:256",
    "shopperIP": "string:50",
    "shopperLocale": "string",
    "shopperName": "object",
    "shopperStatement": "string:10000",
    "socialSecurityNumber": "string:50",
    "store": "string:64",
    "telephoneNumber": "string:64",
    "threeDS2RequestData": "object",
    "trustedShopper": "boolean",
}
_SALE_REFUSED: Final = frozenset(
    {
        *("additionalAmount", "deliverAt", "enableOneClick", "enablePayOut", "enableRecurring"),
        *("fundOrigin", "fundRecipient", "mpiData", "platformChargebackLogic", "splits"),
        "threeDSAuthenticationOnly",
    }
)
#: What modifications are asked with, and what only says something of them.
_MODIFICATION: Final = {
    "merchantAccount": "string",
    "reference": "string:80",
    "applicationInfo": "object",
}
_WITH_AMOUNT: Final = {
    **_MODIFICATION,
    "amount": "amount",
    "enhancedSchemeData": "object",
    "lineItems": "array",
}

#: By the name of the request.
PARAMETERS: Final[dict[str, Parameters]] = {
    "payments": Parameters(
        kinds={
            **_SALE,
            **_SALE_TOLD,
            "browserInfo": "object",
            "checkoutAttemptId": "string:256",
            "deviceFingerprint": "string:5000",
            "enhancedSchemeData": "object",
            "entityType": "NaturalPerson|CompanyName",
            "industryUsage": "delayedCharge|installment|noShow",
            "localizedShopperStatement": "strings",
            "merchantRiskIndicator": "object",
            "origin": "string:80",
            "paymentMethod": "object",
            "sessionValidity": "string",
            "shopperConversionId": "string:256",
        },
        required=("merchantAccount", "amount", "reference", "paymentMethod", "returnUrl"),
        refused=_SALE_REFUSED
        | {
            *("bankAccount", "dccQuote", "deliveryDate", "fraudOffset", "installments", "order"),
            *("orderReference", "paymentValidations", "shopperTaxInfo", "subMerchants"),
            "surcharge",
        },
    ),
    "details": Parameters(
        kinds={"details": "object", "paymentData": "string:200000"},
        required=("details",),
        refused=frozenset({"authenticationData", "threeDSAuthenticationOnly"}),
    ),
    "sessions": Parameters(
        kinds={
            **_SALE,
            **_SALE_TOLD,
            "allowedPaymentMethods": "array",
            "blockedPaymentMethods": "array",
            "expiresAt": "string",
            "mode": "embedded|hosted",
            "showInstallmentAmount": "boolean",
            "showRemovePaymentMethodButton": "boolean",
            "storeFiltrationMode": "exclusive|inclusive|skipFilter",
            "storePaymentMethodMode": "askForConsent|disabled|enabled",
            "themeId": "string",
        },
        required=("merchantAccount", "amount", "reference", "returnUrl"),
        refused=_SALE_REFUSED | {"installmentOptions", "splitCardFundingSources"},
    ),
    "session": Parameters(kinds={"sessionResult": "string"}, required=("sessionResult",)),
    "captures": Parameters(
        kinds=_WITH_AMOUNT,
        required=("merchantAccount", "amount"),
        refused=frozenset({"platformChargebackLogic", "splits", "subMerchants"}),
    ),
    "refunds": Parameters(
        kinds={
            **_WITH_AMOUNT,
            "capturePspReference": "string",
            "merchantRefundReason": "FRAUD|CUSTOMER REQUEST|RETURN|DUPLICATE|OTHER",
            "store": "string",
        },
        required=("merchantAccount", "amount"),
        refused=frozenset({"splits"}),
    ),
    "cancels": Parameters(kinds=_MODIFICATION),
    "reversals": Parameters(kinds=_MODIFICATION),
    "cancels_by_reference": Parameters(
        kinds={**_MODIFICATION, "paymentReference": "string:80"},
        required=("merchantAccount", "paymentReference"),
    ),
    "payment_methods": Parameters(
        kinds={
            "additionalData": "strings",
            "allowedPaymentMethods": "array",
            "amount": "amount",
            "blockedPaymentMethods": "array",
            "browserInfo": "object",
            "channel": _CHANNEL,
            "countryCode": "string",
            "merchantAccount": "string",
            "shopperConversionId": "string:256",
            "shopperEmail": "string",
            "shopperIP": "string",
            "shopperLocale": "string",
            "shopperReference": "string:256",
            "store": "string:16",
            "storeFiltrationMode": "exclusive|inclusive|skipFilter",
            "telephoneNumber": "string",
        },
        refused=frozenset({"order", "splitCardFundingSources"}),
    ),
    "stored_methods": Parameters(
        kinds={"merchantAccount": "string", "shopperReference": "string:256"},
        required=("merchantAccount", "shopperReference"),
    ),
    "store_method": Parameters(
        kinds={
            "merchantAccount": "string",
            "paymentMethod": "object",
            "recurringProcessingModel": _MODEL,
            "shopperEmail": "string",
            "shopperIP": "string",
            "shopperReference": "string:256",
        },
        required=(
            *("merchantAccount", "shopperReference", "recurringProcessingModel"),
            "paymentMethod",
        ),
    ),
    "delete_method": Parameters(
        kinds={"merchantAccount": "string", "shopperReference": "string:256"},
        required=("merchantAccount", "shopperReference"),
    ),
}
