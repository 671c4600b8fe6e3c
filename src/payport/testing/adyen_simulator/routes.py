"""Which request is which: method and path, the operation's name, and the role it needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["MORE_OPERATIONS", "VERSION", "Route", "route_of"]

#: The version of the Checkout API whose contract the simulator keeps.
VERSION: Final = "v72"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    One kind of request.

    Attributes:
        name: The parameters' and the handler's name.
        operations: What scripts call it: operations of payport's provider protocols. Where there
            are several, the first one that something is scripted for.
        status: The HTTP status of an answer.
    """

    name: str
    operations: tuple[str, ...]
    status: int = 200


_CHARGE: Final = ("create_payment", "confirm_payment")

#: Method, path, and what it is; `:id` is an id.
_ROUTES: Final[dict[tuple[str, str], Route]] = {
    ("POST", "payments"): Route(name="payments", operations=_CHARGE),
    ("POST", "payments/details"): Route(name="details", operations=("confirm_payment",)),
    ("POST", "sessions"): Route(name="sessions", operations=_CHARGE, status=201),
    ("GET", "sessions/:id"): Route(name="session", operations=("session_result",)),
    ("POST", "payments/:id/captures"): Route(
        name="captures", operations=("capture_payment",), status=201
    ),
    ("POST", "payments/:id/cancels"): Route(
        name="cancels", operations=("cancel_payment",), status=201
    ),
    ("POST", "payments/:id/reversals"): Route(
        name="reversals", operations=("cancel_payment",), status=201
    ),
    ("POST", "payments/:id/refunds"): Route(
        name="refunds", operations=("create_refund",), status=201
    ),
    ("POST", "cancels"): Route(
        name="cancels_by_reference", operations=("cancel_payment",), status=201
    ),
    ("POST", "paymentMethods"): Route(name="payment_methods", operations=("account",)),
    ("GET", "storedPaymentMethods"): Route(
        name="stored_methods", operations=("list_stored_methods",)
    ),
    ("POST", "storedPaymentMethods"): Route(
        name="store_method", operations=("store_method",), status=201
    ),
    ("DELETE", "storedPaymentMethods/:id"): Route(
        name="delete_method", operations=("delete_stored_method",), status=204
    ),
}

#: Operations that payport's protocols have no name for.
MORE_OPERATIONS: Final = frozenset(
    operation for route in _ROUTES.values() for operation in route.operations
)

#: Live addresses have a folder before the version, test addresses may.
_PATH: Final = re.compile(rf"(?:/checkout)?/{VERSION}/(\w+)(?:/([\w.~-]+))?(?:/(\w+))?")


def route_of(method: str, path: str) -> tuple[Route, str] | None:
    """The route of a request, and the id in its path; None where there is nothing."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    resource, ref, verb = match.groups()
    if verb is None:
        plain = f"{resource}/{ref}" if ref is not None else resource
        exact = _ROUTES.get((method, plain))
        if exact is not None:
            return exact, ""
    if ref is None:
        return None
    found = _ROUTES.get((method, f"{resource}/:id" + (f"/{verb}" if verb is not None else "")))
    return (found, ref) if found is not None else None
