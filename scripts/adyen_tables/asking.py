"""What each operation asks of Adyen, and which role it needs for it: by running them."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from stripe_tables.markdown import code, listed, table

from adyen_tables.shop import PRICE, STORED, Shop
from payport import CaptureMethod, Money, RefundReason
from payport.domain.frozen import FrozenMapping
from payport.providers.adyen import HOSTED, SESSION, payment_method_from
from payport.providers.commands import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    CreateRefund,
    LostPayment,
)
from payport.providers.exchange import Call, Request
from payport.testing.adyen_simulator.routes import Route, route_of

__all__ = ["SCENARIOS", "TABLES"]

_EVERYTHING: dict[str, Any] = {
    "customer": "shopper_1",
    "save_payment_method": True,
    "description": "Two apples",
    "statement_descriptor": "APPLES",
    "receipt_email": "ann@shop.example",
    "metadata": FrozenMapping({"colour": "green"}),
}
_ENCRYPTED = {
    "type": "scheme",
    "encryptedCardNumber": "test_4111111111111111",
    "encryptedExpiryMonth": "test_03",
    "encryptedExpiryYear": "test_2030",
    "encryptedSecurityCode": "test_737",
}


def _account(shop: Shop) -> None:
    shop.provider.account(Call())


def _created(**terms: Any) -> Callable[[Shop], None]:
    return lambda shop: shop.run(shop.creating(**terms))


def _acted(shop: Shop) -> None:
    ask = shop.creating("PMCARDAUTHENTICATE")
    ref = shop.run(ask).facts.attempt_ref
    brought = {"redirectResult": shop.simulator.redirect_result("order_1")}
    shop.run(
        ConfirmPayment(
            payment_id="pay_1",
            reference="order_1",
            attempt=1,
            payment_ref=ref,
            terms=ask.terms,
            action_result=FrozenMapping(brought),
        )
    )


def _captured(minor: int, *, final: bool) -> Callable[[Shop], None]:
    def act(shop: Shop) -> None:
        ref = shop.made(manual=True)
        amount = Money(minor, "USD")
        shop.run(
            CapturePayment(
                payment_id="pay_1", payment_ref=ref, amount=amount, final=final, authorized=PRICE
            )
        )

    return act


def _canceled(*, capturing: bool = False) -> Callable[[Shop], None]:
    def act(shop: Shop) -> None:
        ref = shop.made(manual=True)
        command = CancelPayment(
            payment_id="pay_1", payment_ref=ref, amount=PRICE, capturing=capturing
        )
        shop.run(command)

    return act


def _lost(shop: Shop) -> None:
    shop.made(manual=True)
    lost = LostPayment(key=f"pp1_{1:052d}", attempt=1, capture_method=CaptureMethod.MANUAL)
    shop.run(CancelPayment(payment_id="pay_1", payment_ref="pay_1", amount=PRICE, lost=lost))


def _refunded(reason: RefundReason) -> Callable[[Shop], None]:
    def act(shop: Shop) -> None:
        ref = shop.made()
        shop.run(
            CreateRefund(
                payment_id="pay_1",
                payment_ref=ref,
                refund_id="rfd_1",
                reference="return_1",
                amount=Money(500, "USD"),
                reason=reason,
            )
        )

    return act


#: The operation, the occasion, options of the provider, and what is done.
SCENARIOS: list[tuple[str, str, dict[str, Any], Callable[[Shop], None]]] = [
    ("account", "at the first use of a client", {}, _account),
    ("create_payment", "a stored method, captured at once", {}, _created()),
    ("create_payment", "a stored method, held", {}, _created(manual=True)),
    (
        "create_payment",
        "a stored method, the customer absent",
        {},
        _created(customer="shopper_1", off_session=True),
    ),
    (
        "create_payment",
        "encrypted card data, with everything (never stored)",
        {},
        _created(method=payment_method_from({"paymentMethod": _ENCRYPTED}), **_EVERYTHING),
    ),
    ("create_payment", "on Adyen's page", {}, _created(method=HOSTED)),
    ("create_payment", "in a session", {}, _created(method=SESSION)),
    ("confirm_payment", "what the customer's action brought (never stored)", {}, _acted),
    (
        "capture_payment",
        "all, or a part of which the rest is released",
        {},
        _captured(4_999, final=True),
    ),
    (
        "capture_payment",
        "a part, the rest kept",
        {"multicapture": True},
        _captured(1_000, final=False),
    ),
    ("cancel_payment", "held", {}, _canceled()),
    ("cancel_payment", "held, and a capture is not decided", {}, _canceled(capturing=True)),
    ("cancel_payment", "its answer was lost", {"cancel_lost": True}, _lost),
    (
        "create_refund",
        "with a reason that Adyen has a word for",
        {},
        _refunded(RefundReason.DUPLICATE),
    ),
    ("create_refund", "without", {}, _refunded(RefundReason.UNKNOWN)),
]


def _sent() -> Iterator[tuple[str, str, Request, Route]]:
    """The last request of each scenario, which is the operation's, and only one."""
    for operation, when, options, act in SCENARIOS:
        shop = Shop(**options)
        act(shop)
        request = shop.requests[-1]
        found = route_of(request.method, request.target)
        if request.operation != operation or found is None:
            raise LookupError(when)
        yield operation, when, request, found[0]


def _named(text: str) -> str:
    text = re.sub(
        r"pp1_[0-9a-z]+", "{key}", re.sub(r"/payments/[A-Z0-9]{16}", "/payments/{psp}", text)
    )
    return text.replace(STORED, "{stored method}")


def _fields(body: Any, within: str = "") -> Iterator[str]:
    for name, value in body.items():
        if isinstance(value, dict):
            yield from _fields(value, f"{within}{name}.")
        else:
            shown = "..." if name in {"redirectResult", "paymentData"} else _named(str(value))
            yield f"{within}{name}={shown}"


def requests_table() -> str:
    """Operation, occasion, request, and the fields with what was written in them."""
    rows = []
    for operation, when, request, _ in _sent():
        kind = "changes" if request.mutates else "reads"
        path = code(f"{request.method} {_named(request.target)}")
        fields = listed(_fields(json.loads(request.body)))
        rows.append((code(operation), when, f"{path} ({kind})", fields))
    return table(("operation", "when", "request", "fields"), rows)


TABLES: dict[str, Callable[[], str]] = {"requests": requests_table}
