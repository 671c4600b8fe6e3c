"""
Typed calls of the plain SDK, one for each endpoint of the simulator, in both colours.

They build on each other: what one made, the next ones name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import stripe

from payport.testing import StripeSimulator

__all__ = ["CALLS", "PAYMENT", "Transport", "TypedCall", "called", "called_async", "in_process"]

KEY = "sk_test_obviously_fake"
#: Moves a clock by seconds.
Advance = Callable[[int], object]
PAYMENT = {
    "amount": 2_000,
    "currency": "usd",
    "confirm": True,
    "payment_method": "pm_card_visa",
    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
    "metadata": {"order": "order_1"},
}


class Transport(stripe.HTTPClient):
    """The SDK's own way to bring a transport: clients of both colours."""

    name = "simulator"

    def __init__(self, client: httpx.Client, awaited: httpx.AsyncClient) -> None:
        super().__init__()
        self._client = client
        self._async = awaited

    def request(self, method: str, url: str, headers: Any, post_data: Any = None) -> Any:
        answer = self._client.request(method, url, headers=headers, content=post_data)
        return answer.text, answer.status_code, answer.headers

    async def request_async(
        self, method: str, url: str, headers: Any, post_data: Any = None
    ) -> Any:
        answer = await self._async.request(method, url, headers=headers, content=post_data)
        return answer.text, answer.status_code, answer.headers

    async def sleep_async(self, secs: float) -> None:
        await asyncio.sleep(0)

    def close(self) -> None:
        self._client.close()

    async def close_async(self) -> None:
        await self._async.aclose()


def in_process(simulator: StripeSimulator) -> Transport:
    """A transport to a simulator in this process."""
    return Transport(
        httpx.Client(transport=simulator.transport()),
        httpx.AsyncClient(transport=simulator.async_transport()),
    )


@dataclass(frozen=True, kw_only=True)
class TypedCall:
    """
    One call.

    Attributes:
        route: The simulator's name for what it asks.
        service: The SDK's service and method.
        kind: The class of what it returns.
        arguments: Its arguments, made of the ids that are known by then.
        keeps: What the id of what it returns is known as.
        later: Seconds that pass before it.
    """

    route: str
    service: str
    kind: type
    arguments: Callable[[dict[str, str]], tuple[Any, ...]] = field(default=lambda ids: ())
    keeps: str | None = None
    later: int = 0


def _call(
    route: str,
    service: str,
    kind: type,
    *arguments: Any,
    keeps: str | None = None,
    later: int = 0,
) -> TypedCall:
    """A call with arguments in which a text in braces stands for an id."""
    return TypedCall(
        route=route,
        service=service,
        kind=kind,
        arguments=lambda ids: tuple(_filled(one, ids) for one in arguments),
        keeps=keeps,
        later=later,
    )


def _filled(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(inner, ids) for name, inner in value.items()}
    return value.format(**ids) if isinstance(value, str) and value.startswith("{") else value


_LIST, _FOUND = stripe.ListObject, stripe.SearchResultObject
_HELD = {**PAYMENT, "capture_method": "manual"}
_OPEN = {"amount": 500, "currency": "usd", "payment_method": "pm_card_visa"}
_QUERY = {"query": "metadata['order']:'order_1'"}

CALLS: tuple[TypedCall, ...] = (
    _call("account", "accounts.retrieve_current", stripe.Account),
    _call(
        "create_customer",
        "customers.create",
        stripe.Customer,
        {"email": "a@b.example"},
        keeps="cus",
    ),
    _call("update_customer", "customers.update", stripe.Customer, "{cus}", {"name": "A. B."}),
    _call("retrieve_customer", "customers.retrieve", stripe.Customer, "{cus}"),
    _call("list_customers", "customers.list", _LIST, {"email": "a@b.example"}),
    _call(
        "create_method",
        "payment_methods.create",
        stripe.PaymentMethod,
        {"type": "card", "card": {"token": "tok_visa"}},
        keeps="pm",
    ),
    _call("retrieve_method", "payment_methods.retrieve", stripe.PaymentMethod, "{pm}"),
    _call(
        "attach_method",
        "payment_methods.attach",
        stripe.PaymentMethod,
        "{pm}",
        {"customer": "{cus}"},
    ),
    _call("list_methods", "payment_methods.list", _LIST, {"customer": "{cus}"}),
    _call("detach_method", "payment_methods.detach", stripe.PaymentMethod, "{pm}"),
    _call("create_payment", "payment_intents.create", stripe.PaymentIntent, _HELD, keeps="held"),
    _call(
        "capture_payment",
        "payment_intents.capture",
        stripe.PaymentIntent,
        "{held}",
        {"amount_to_capture": 1_500},
    ),
    _call("create_payment", "payment_intents.create", stripe.PaymentIntent, _OPEN, keeps="open"),
    _call(
        "update_payment",
        "payment_intents.update",
        stripe.PaymentIntent,
        "{open}",
        {"amount": 700, "metadata": {"order": "order_2"}},
    ),
    _call(
        "confirm_payment",
        "payment_intents.confirm",
        stripe.PaymentIntent,
        "{open}",
        {"return_url": "https://shop.invalid"},
    ),
    _call(
        "create_payment", "payment_intents.create", stripe.PaymentIntent, _OPEN, keeps="unwanted"
    ),
    _call(
        "cancel_payment",
        "payment_intents.cancel",
        stripe.PaymentIntent,
        "{unwanted}",
        {"cancellation_reason": "abandoned"},
    ),
    _call(
        "retrieve_payment",
        "payment_intents.retrieve",
        stripe.PaymentIntent,
        "{held}",
        {"expand": ["latest_charge"]},
    ),
    _call("list_payments", "payment_intents.list", _LIST, {"limit": 2}),
    _call("search_payments", "payment_intents.search", _FOUND, _QUERY, later=61),
    _call("list_charges", "charges.list", _LIST, {"payment_intent": "{held}"}, keeps="ch"),
    _call("retrieve_charge", "charges.retrieve", stripe.Charge, "{ch}"),
    _call(
        "create_refund",
        "refunds.create",
        stripe.Refund,
        {"payment_intent": "{held}", "amount": 500, "reason": "duplicate"},
        keeps="re",
    ),
    _call("update_refund", "refunds.update", stripe.Refund, "{re}", {"metadata": {"a": "b"}}),
    _call("retrieve_refund", "refunds.retrieve", stripe.Refund, "{re}"),
    _call("list_refunds", "refunds.list", _LIST, {"payment_intent": "{held}"}),
    _call(
        "create_payout",
        "payouts.create",
        stripe.Payout,
        {"amount": 100, "currency": "usd"},
        keeps="po",
    ),
    _call("retrieve_payout", "payouts.retrieve", stripe.Payout, "{po}"),
    _call("list_payouts", "payouts.list", _LIST, {"status": "pending"}),
    _call(
        "create_payment",
        "payment_intents.create",
        stripe.PaymentIntent,
        {**PAYMENT, "payment_method": "pm_card_createDispute"},
    ),
    _call("list_disputes", "disputes.list", _LIST, keeps="dp", later=86_400),
    _call("retrieve_dispute", "disputes.retrieve", stripe.Dispute, "{dp}"),
    _call("balance", "balance.retrieve", stripe.Balance),
    _call("list_balance_transactions", "balance_transactions.list", _LIST, keeps="txn"),
    _call(
        "retrieve_balance_transaction",
        "balance_transactions.retrieve",
        stripe.BalanceTransaction,
        "{txn}",
    ),
    _call("list_events", "events.list", _LIST, {"type": "charge.refunded"}, keeps="evt"),
    _call("retrieve_event", "events.retrieve", stripe.Event, "{evt}"),
)


class _Story:
    """The calls, and the ids that became known."""

    def __init__(self, transport: Transport, advance: Advance, url: str) -> None:
        self._advance = advance
        addresses = {"api": url}
        client = stripe.StripeClient(KEY, http_client=transport, base_addresses=addresses)
        self._services = client.v1
        self._ids: dict[str, str] = {}
        self.made: list[tuple[TypedCall, Any]] = []

    def calls(self, suffix: str) -> Iterator[tuple[TypedCall, Callable[[], Any]]]:
        for call in CALLS:
            if call.later:
                self._advance(call.later)
            service, _, method = call.service.partition(".")
            function = getattr(getattr(self._services, service), method + suffix)
            yield call, partial(function, *call.arguments(self._ids))

    def learn(self, call: TypedCall, told: Any) -> None:
        self.made.append((call, told))
        if call.keeps is not None:
            one = told.data[0] if isinstance(told, stripe.ListObject) else told
            self._ids[call.keeps] = one.id


def called(
    transport: Transport, advance: Advance, url: str = stripe.DEFAULT_API_BASE
) -> list[tuple[TypedCall, Any]]:
    """
    Make all calls, and return what each returned.

    Args:
        transport: Is closed afterwards.
        advance: Moves the simulator's clock by seconds.
        url: Where the simulator is.
    """
    story = _Story(transport, advance, url)
    for call, ask in story.calls(""):
        story.learn(call, ask())
    transport.close()
    return story.made


async def called_async(
    transport: Transport, advance: Advance, url: str = stripe.DEFAULT_API_BASE
) -> list[tuple[TypedCall, Any]]:
    """`called`, awaited."""
    story = _Story(transport, advance, url)
    for call, ask in story.calls("_async"):
        story.learn(call, await ask())
    await transport.close_async()
    return story.made
