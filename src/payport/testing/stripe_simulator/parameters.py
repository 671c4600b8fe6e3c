"""
What each request may say: the parameters of the pinned API version and their kinds, as tables.

A kind is a list of alternatives, divided by `|`: `int`, `bool`, `str`, `email`, `url`, `hash`,
`list`, `metadata`, `range` (a moment, or bounds), or a word that is meant literally. `empty` allows
an empty text, which unsets. What is inside a hash is not checked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["PARAMETERS", "Parameters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """
    What a request may say.

    Attributes:
        kinds: The kind of each parameter.
        required: Those that have to be there, in the order in which Stripe asks for them.
    """

    kinds: Mapping[str, str]
    required: tuple[str, ...] = ()
    names: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", frozenset(self.kinds))


def _kinds(**names: str) -> dict[str, str]:
    """Turn kinds with the names that are of them into names with their kinds."""
    return {name: _WORDS.get(kind, kind) for kind, of in names.items() for name in of.split()}


#: Kinds that no Python name spells.
_WORDS: Final = {
    "hash_or_empty": "hash|empty",
    "int_or_empty": "int|empty",
    "list_or_empty": "list|empty",
    "str_or_empty": "str|empty",
    "email_or_empty": "email|empty",
    "capture": "automatic|automatic_async|manual",
    "confirmation": "automatic|manual",
    "usage": "off_session|on_session",
    "usage_or_empty": "off_session|on_session|empty",
    "session": "bool|one_off|recurring",
    "canceled": "abandoned|duplicate|fraudulent|requested_by_customer",
    "refunded": "duplicate|fraudulent|requested_by_customer",
    "origin": "customer_balance",
    "exempt": "exempt|none|reverse|empty",
    "redisplay": "always|limited|unspecified",
}

_PAGE: Final = _kinds(int="limit", str="starting_after ending_before", list="expand")
_EXPAND: Final = _kinds(list="expand")

_PAYMENT_CREATE: Final = _kinds(
    int="amount application_fee_amount",
    bool="confirm error_on_requires_action use_stripe_sdk",
    capture="capture_method",
    confirmation="confirmation_method",
    usage="setup_future_usage",
    session="off_session",
    email="receipt_email",
    url="return_url",
    metadata="metadata",
    list="allowed_payment_method_types excluded_payment_method_types expand",
    str=(
        "confirmation_token currency customer customer_account description mandate on_behalf_of"
        " payment_method payment_method_configuration statement_descriptor"
        " statement_descriptor_suffix transfer_group"
    ),
    hash=(
        "amount_details automatic_payment_methods hooks payment_details payment_method_data"
        " payment_method_options radar_options shipping transfer_data"
    ),
    hash_or_empty="mandate_data",
)
_PAYMENT_CONFIRM: Final = _kinds(
    int="amount_to_confirm",
    bool="error_on_requires_action use_stripe_sdk",
    capture="capture_method",
    usage_or_empty="setup_future_usage",
    session="off_session",
    email_or_empty="receipt_email",
    url="return_url",
    list="allowed_payment_method_types expand",
    list_or_empty="excluded_payment_method_types",
    str="confirmation_token mandate payment_method",
    hash="hooks payment_method_data payment_method_options radar_options",
    hash_or_empty="amount_details mandate_data payment_details shipping",
)
_PAYMENT_UPDATE: Final = _kinds(
    int="amount",
    int_or_empty="application_fee_amount",
    capture="capture_method",
    usage_or_empty="setup_future_usage",
    email_or_empty="receipt_email",
    metadata="metadata",
    list="allowed_payment_method_types expand",
    list_or_empty="excluded_payment_method_types",
    str=(
        "currency customer customer_account description payment_method"
        " payment_method_configuration statement_descriptor statement_descriptor_suffix"
        " transfer_group"
    ),
    hash="hooks payment_method_data payment_method_options transfer_data",
    hash_or_empty="amount_details payment_details shipping",
)
_PAYMENT_CAPTURE: Final = _kinds(
    int="amount_to_capture application_fee_amount",
    bool="final_capture",
    metadata="metadata",
    list="expand",
    str="statement_descriptor statement_descriptor_suffix",
    hash="amount_details hooks transfer_data",
    hash_or_empty="payment_details",
)
_REFUND_CREATE: Final = _kinds(
    int="amount",
    bool="refund_application_fee reverse_transfer",
    metadata="metadata",
    list="expand",
    str="charge currency customer payment_intent",
    email="instructions_email",
    origin="origin",
    refunded="reason",
)
_CUSTOMER_UPDATE: Final = _kinds(
    int="balance next_invoice_sequence",
    bool="validate",
    metadata="metadata",
    list="expand preferred_locales",
    # Recorded clients send these empty, although only some of them are documented to be unset.
    str_or_empty="business_name individual_name description email name phone",
    str="invoice_prefix source default_source",
    hash="cash_balance invoice_settings tax",
    hash_or_empty="address shipping",
    exempt="tax_exempt",
)
_CUSTOMER_CREATE: Final = {
    **{name: kind for name, kind in _CUSTOMER_UPDATE.items() if name != "default_source"},
    **_kinds(str="payment_method test_clock", list="tax_id_data"),
}


def _list(**names: str) -> Parameters:
    return Parameters(kinds={**_PAGE, **_kinds(**names)})


#: Routes, by name; `payport.testing.stripe_simulator.routes` says which request is which.
PARAMETERS: Final[Mapping[str, Parameters]] = {
    "create_payment": Parameters(kinds=_PAYMENT_CREATE, required=("amount", "currency")),
    "confirm_payment": Parameters(kinds=_PAYMENT_CONFIRM),
    "update_payment": Parameters(kinds=_PAYMENT_UPDATE),
    "capture_payment": Parameters(kinds=_PAYMENT_CAPTURE),
    "cancel_payment": Parameters(kinds=_kinds(list="expand", canceled="cancellation_reason")),
    "retrieve_payment": Parameters(kinds=_kinds(list="expand", str="client_secret")),
    "list_payments": _list(str="customer customer_account", range="created"),
    "search_payments": Parameters(
        kinds=_kinds(int="limit", list="expand", str="page query"), required=("query",)
    ),
    "retrieve_charge": Parameters(kinds=_EXPAND),
    "list_charges": _list(str="customer payment_intent transfer_group", range="created"),
    "create_refund": Parameters(kinds=_REFUND_CREATE),
    "retrieve_refund": Parameters(kinds=_EXPAND),
    "update_refund": Parameters(kinds=_kinds(list="expand", metadata="metadata")),
    "list_refunds": _list(str="charge payment_intent", range="created"),
    "retrieve_dispute": Parameters(kinds=_EXPAND),
    "list_disputes": _list(str="charge payment_intent", range="created"),
    "create_payout": Parameters(
        kinds=_kinds(int="amount", str="currency", list="expand"), required=("amount", "currency")
    ),
    "retrieve_payout": Parameters(kinds=_EXPAND),
    "list_payouts": _list(str="destination status", range="arrival_date created"),
    "balance": Parameters(kinds=_EXPAND),
    "retrieve_balance_transaction": Parameters(kinds=_EXPAND),
    "list_balance_transactions": _list(str="currency payout source type", range="created"),
    "retrieve_event": Parameters(kinds=_EXPAND),
    "list_events": _list(str="type", list="types expand", bool="delivery_success", range="created"),
    "account": Parameters(kinds=_EXPAND),
    "create_customer": Parameters(kinds=_CUSTOMER_CREATE),
    "update_customer": Parameters(kinds=_CUSTOMER_UPDATE),
    "retrieve_customer": Parameters(kinds=_EXPAND),
    "list_customers": _list(str="email test_clock", range="created"),
    "create_method": Parameters(
        kinds=_kinds(
            list="expand",
            str="type customer payment_method",
            hash="billing_details card",
            metadata="metadata",
            redisplay="allow_redisplay",
        ),
    ),
    "retrieve_method": Parameters(kinds=_EXPAND),
    "attach_method": Parameters(
        kinds=_kinds(list="expand", str="customer customer_account"), required=("customer",)
    ),
    "detach_method": Parameters(kinds=_EXPAND),
    "list_methods": _list(str="customer customer_account type", redisplay="allow_redisplay"),
}
