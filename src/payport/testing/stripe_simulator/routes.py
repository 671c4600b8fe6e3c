"""Which request is which: method and path, the operation's name, and the permission it needs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from payport.testing.stripe_simulator.expanding import expanded_kinds

__all__ = ["MORE_OPERATIONS", "READING", "ROUTES", "Route", "allows", "needed", "route_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    One kind of request.

    Attributes:
        name: The parameters' and the handler's name.
        operation: What scripts call it: an operation of payport's provider protocols where one
            sends such requests.
        permission: What a restricted key has to be allowed.
        kind: The kind of object it answers with.
        is_list: Whether it answers with a list of them.
    """

    name: str
    operation: str
    permission: str
    kind: str
    is_list: bool


#: Method, path, name, and permission; `:id` is an id.
_TABLE: Final = (
    ("POST", "payment_intents", "create_payment", "payment_intent_write"),
    ("GET", "payment_intents", "list_payments", "payment_intent_read"),
    ("GET", "payment_intents/search", "search_payments", "payment_intent_read"),
    ("GET", "payment_intents/:id", "retrieve_payment", "payment_intent_read"),
    ("POST", "payment_intents/:id", "update_payment", "payment_intent_write"),
    ("POST", "payment_intents/:id/confirm", "confirm_payment", "payment_intent_write"),
    ("POST", "payment_intents/:id/capture", "capture_payment", "payment_intent_write"),
    ("POST", "payment_intents/:id/cancel", "cancel_payment", "payment_intent_write"),
    ("GET", "charges", "list_charges", "charge_read"),
    ("GET", "charges/:id", "retrieve_charge", "charge_read"),
    ("POST", "refunds", "create_refund", "charge_write"),
    ("GET", "refunds", "list_refunds", "charge_read"),
    ("GET", "refunds/:id", "retrieve_refund", "charge_read"),
    ("POST", "refunds/:id", "update_refund", "charge_write"),
    ("GET", "disputes", "list_disputes", "dispute_read"),
    ("GET", "disputes/:id", "retrieve_dispute", "dispute_read"),
    ("POST", "payouts", "create_payout", "payout_write"),
    ("GET", "payouts", "list_payouts", "payout_read"),
    ("GET", "payouts/:id", "retrieve_payout", "payout_read"),
    ("GET", "balance", "balance", "balance_read"),
    ("GET", "balance_transactions", "list_balance_transactions", "balance_read"),
    ("GET", "balance_transactions/:id", "retrieve_balance_transaction", "balance_read"),
    ("GET", "events", "list_events", "event_read"),
    ("GET", "events/:id", "retrieve_event", "event_read"),
    ("GET", "account", "account", "accounts_kyc_basic_read"),
    ("POST", "customers", "create_customer", "customer_write"),
    ("GET", "customers", "list_customers", "customer_read"),
    ("GET", "customers/:id", "retrieve_customer", "customer_read"),
    ("POST", "customers/:id", "update_customer", "customer_write"),
    ("POST", "payment_methods", "create_method", "payment_method_write"),
    ("GET", "payment_methods", "list_methods", "payment_method_read"),
    ("GET", "payment_methods/:id", "retrieve_method", "payment_method_read"),
    ("POST", "payment_methods/:id/attach", "attach_method", "payment_method_write"),
    ("POST", "payment_methods/:id/detach", "detach_method", "payment_method_write"),
)
#: What payport's provider protocols call it, where that is another name.
_OPERATIONS: Final[dict[str, str]] = {
    **dict.fromkeys(("list_payments", "search_payments", "list_refunds"), "find"),
    **dict.fromkeys(("retrieve_charge", "retrieve_dispute", "retrieve_payout"), "retrieve_subject"),
}

#: All of them, by method and path.
ROUTES: Final[dict[tuple[str, str], Route]] = {
    (method, path): Route(
        name=name,
        operation=_OPERATIONS.get(name, name),
        permission=permission,
        kind=path.partition("/")[0].removesuffix("s"),
        is_list=method == "GET" and name.startswith(("list", "search")),
    )
    for method, path, name, permission in _TABLE
}

#: Operations that payport's protocols have no name for.
MORE_OPERATIONS: Final = frozenset(route.operation for route in ROUTES.values())

#: What a restricted key has to be allowed to see an object of a kind within another, by its kind.
#: https://docs.stripe.com/stripe-apps/reference/permissions#object-permissions
READING: Final[dict[str, str]] = {
    route.kind: route.permission for route in ROUTES.values() if route.permission.endswith("_read")
}

_PATH: Final = re.compile(r"/v1/(\w+)(?:/([^/]+))?(?:/(\w+))?")


def needed(route: Route, fields: Mapping[str, Any]) -> frozenset[str]:
    """
    What a restricted key has to be allowed for a request: its own resource, and to read whatever it
    wants to have expanded.

    Raises:
        ApiError: There is nothing like that to be expanded.
    """
    given = fields.get("expand")
    paths = list(cast("Mapping[str, Any]", given).values()) if isinstance(given, Mapping) else []
    kinds = expanded_kinds(route.kind, paths, is_list=route.is_list)
    return frozenset({route.permission, *(READING[kind] for kind in kinds if kind in READING)})


def allows(allowed: Collection[str], permission: str) -> bool:
    """Whether a key may; who may write may read."""
    return permission in allowed or f"{permission.removesuffix('_read')}_write" in allowed


def route_of(method: str, path: str) -> tuple[Route, str] | None:
    """The route of a request, and the id in its path; None where there is nothing."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    resource, ref, verb = match.groups()
    plain = f"{resource}/{ref}" if ref is not None and verb is None else resource
    exact = ROUTES.get((method, plain)) if verb is None else None
    if exact is not None:
        return exact, ""
    template = f"{resource}/:id" + (f"/{verb}" if verb is not None else "")
    found = ROUTES.get((method, template)) if ref is not None else None
    return (found, ref or "") if found is not None else None
