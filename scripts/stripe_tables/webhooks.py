"""What events become, which are fetched, and which webhooks are rejected: by sending them."""

import hashlib
import hmac
import inspect
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import stripe

from payport import Environment, PaymentIntent, PayportError
from payport.domain.apply import apply
from payport.providers.deliveries import WebhookRequest
from payport.providers.exchange import Call
from payport.providers.stripe import API_VERSION
from payport.providers.stripe.adapter import StripeAdapter
from payport.providers.stripe.payouts import payout_fact
from payport.providers.stripe.signatures import MOST_SIGNATURES, SIGNATURE_HEADER, TOLERANCE
from payport.providers.stripe.statements import PAYOUT, TRANSLATED
from payport.testing import Tokens
from payport.testing._heard import Heard, heard
from payport.webhooks.inbox import MAX_BODY
from stripe_tables.markdown import code, listed, table
from stripe_tables.reading import documents
from stripe_tables.shop import PRICE, SECRET, Shop, settings

__all__ = ["TABLES", "event_types", "told_by"]

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_AT = int(_NOW.timestamp())


def event_types() -> list[str]:
    """Every type of event about payments, charges, refunds and disputes, as the SDK lists them."""
    text = inspect.getsource(stripe.Event)
    return sorted(set(re.findall(r'"((?:payment_intent|charge|refund)\.[a-z_.]+)"', text)))


def kind_of(event_type: str) -> str:
    """What kind of object an event holds, by https://docs.stripe.com/api/events/types ."""
    if event_type.startswith("charge.dispute."):
        return "dispute"
    if event_type == "charge.refund.updated":
        return "refund"
    return event_type.partition(".")[0]


def signed(body: bytes, *, at: object = _AT, secret: str = SECRET) -> WebhookRequest:
    """A webhook with a signature that fits it."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return WebhookRequest(body=body, headers={SIGNATURE_HEADER: f"t={at},v1={mac}"})


def _event(event_type: str, about: Any, **more: Any) -> bytes:
    told = {
        "id": "evt_1",
        "object": "event",
        "api_version": API_VERSION,
        "created": _AT,
        "data": {"object": about},
        "livemode": False,
        "type": event_type,
        **more,
    }
    return json.dumps(told).encode()


def _delivered(request: WebhookRequest) -> Heard:
    (delivery,) = heard(StripeAdapter(settings()), request, _NOW)
    return delivery


def told_by(event_type: str, **more: Any) -> Heard:
    """The delivery of an event with an object of its kind."""
    about = documents()[kind_of(event_type)][0]
    return _delivered(signed(_event(event_type, about, **more)))


def _facts_in(delivery: Heard) -> list[str]:
    facts = delivery.facts
    if facts is None:
        return ["payout"] if delivery.payout is not None else []
    names = ("attempts", "captures", "refunds", "disputes")
    return [name.removesuffix("s") for name in names if getattr(facts, name)]


# -- events ---------------------------------------------------------------------------------------


def _told(shop: Shop) -> list[Heard]:
    """Every event of a shop's story, as it is delivered, in order."""
    opened = shop.made(confirm=False)
    shop.simulator.clock.advance(1)
    shop.run(shop.confirming(opened))
    _sell(shop)
    _dispute(shop)
    for method in (Tokens.OK, Tokens.REFUND_FAILS, Tokens.REFUND_REVERSES):
        shop.run(shop.refunding(_bought(shop, method)))
    _settle(shop)
    shop.simulator.clock.advance(10 * 86_400)
    shop.provider.account(Call())  # the bank lets happen what is due when it is looked at
    adapter, now = shop.provider.adapter, shop.simulator.clock.now()
    return [d for w in shop.simulator.webhooks() for d in heard(adapter, w, now)]


def _settle(shop: Shop) -> None:
    ref = _bought(shop, Tokens.REFUND_PENDING)
    shop.run(shop.refunding(ref))
    shop.simulator.clock.advance(1)
    shop.simulator.bank.settle(ref)


def _bought(shop: Shop, method: str = Tokens.OK, **more: Any) -> str:
    """Stripe's id of a payment; what happens next is told as later."""
    ref = shop.made(method=method, return_url="https://shop.example", **more)
    shop.simulator.clock.advance(1)
    return ref


def _sell(shop: Shop) -> None:
    bank = shop.simulator.bank
    for method in (Tokens.INSUFFICIENT_FUNDS, Tokens.PROCESSING, Tokens.PROCESSING_FAILS):
        _bought(shop, method)
    bank.authenticate(_bought(shop, Tokens.AUTHENTICATE))
    bank.abandon(_bought(shop, Tokens.AUTHENTICATE))
    shop.run(shop.capturing(_bought(shop, manual=True)))
    shop.run(shop.canceling(_bought(shop, manual=True)))
    _bought(shop, manual=True)  # and nobody captures it


def _dispute(shop: Shop) -> None:
    bank = shop.simulator.bank
    for end in (bank.win, bank.lose, bank.close_inquiry):
        dispute = bank.dispute(_bought(shop), inquiry=end == bank.close_inquiry)
        shop.simulator.clock.advance(1)
        if end != bank.close_inquiry:
            bank.submit_evidence(dispute)
            shop.simulator.clock.advance(1)
        end(dispute)


def _made_known() -> dict[str, set[str]]:
    """By event type, the domain events it makes where it is the first to tell of its moment."""
    made: dict[str, set[str]] = {}
    told: dict[str, list[Heard]] = {}
    for delivery in _told(Shop()):
        told.setdefault(delivery.ordering_key, []).append(delivery)
    for of_one in told.values():
        for delivery in of_one:
            intent = _payment()
            for earlier in of_one:
                if earlier.occurred_at < delivery.occurred_at and earlier.facts is not None:
                    intent = apply(intent, earlier.facts).intent
            known = made.setdefault(delivery.type, set())
            if delivery.facts is not None:
                events = apply(intent, delivery.facts).events
                known.update(type(event).__name__ for event in events)
    return made


def _payment() -> PaymentIntent:
    return PaymentIntent(
        id="pay_1",
        reference="order_1",
        scope="shop",
        environment=Environment.TEST,
        provider="stripe",
        account="acct_1",
        amount=PRICE,
        has_payment_method=True,
        created_at=_NOW,
    )


def events_table() -> str:
    """By event type: its object, the facts in it, whether it is fetched, and what it made known."""
    made = _made_known()
    rows = []
    for event_type in event_types():
        delivery = told_by(event_type)
        rows.append(
            (
                code(event_type),
                code(kind_of(event_type)),
                listed(_facts_in(delivery)),
                "yes" if delivery.needs_fetch else "no",
                listed(sorted(made.get(event_type, ()))),
            )
        )
    headers = ("event", "object", "facts", "fetched", "domain events")
    return table(headers, rows)


def trust_table() -> str:
    """What is believed, what is fetched, and what is kept without a meaning."""
    payment = documents()["payment_intent"][0]
    thin = {
        "id": "evt_1",
        "object": "v2.core.event",
        "type": "v1.payment_intent.succeeded",
        "created": "2026-01-01T00:00:00Z",
        "livemode": False,
        "related_object": {"id": payment["id"], "type": "payment_intent", "url": "/v1/x"},
    }
    other = {**thin, "related_object": {"id": "meter_1", "type": "billing.meter", "url": "/v1/x"}}
    kind = "payment_intent.succeeded"
    cases = [
        ("an event of the pinned API version", _event(kind, payment)),
        ("an event of an older API version", _event(kind, payment, api_version="2020-08-27")),
        ("an event without an API version", _event(kind, payment, api_version=None)),
        ("an object that cannot be read", _event(kind, {**payment, "amount_received": "much"})),
        ("a thin event about a payment", json.dumps(thin).encode()),
        ("a thin event about anything else", json.dumps(other).encode()),
        (
            "an event that payport has no meaning for",
            _event("customer.created", {"object": "customer"}),
        ),
    ]
    rows = []
    for what, body in cases:
        delivery = _delivered(signed(body))
        fetched = "yes" if delivery.needs_fetch else "no"
        rows.append((what, listed(_facts_in(delivery)), fetched, code(delivery.ordering_key)))
    return table(("what arrives", "facts believed", "fetched", "processed in turn with"), rows)


# -- verification ---------------------------------------------------------------------------------


def verification_table() -> str:
    """What is accepted and what is rejected, and in which words."""
    body = _event("payment_intent.succeeded", documents()["payment_intent"][0])
    right = signed(body).header(SIGNATURE_HEADER) or ""
    value = right.partition(",")[2]

    def headed(header: str | None, text: bytes = body) -> WebhookRequest:
        return WebhookRequest(
            body=text, headers={} if header is None else {SIGNATURE_HEADER: header}
        )

    cases = [
        ("signed now", signed(body)),
        (f"signed {TOLERANCE} s ago", signed(body, at=_AT - TOLERANCE)),
        (f"signed {TOLERANCE + 1} s ago", signed(body, at=_AT - TOLERANCE - 1)),
        (f"signed {TOLERANCE} s ahead", signed(body, at=_AT + TOLERANCE)),
        (f"signed {TOLERANCE + 1} s ahead", signed(body, at=_AT + TOLERANCE + 1)),
        ("a wrong signature beside the right one", headed(f"{right},v1={'0' * 64}")),
        (
            f"{MOST_SIGNATURES} signatures, one right",
            headed(f"{right}{',v1=00' * (MOST_SIGNATURES - 1)}"),
        ),
        ("more signatures than that", headed(f"{right}{',v1=00' * MOST_SIGNATURES}")),
        ("signed by another secret", signed(body, secret="whsec_other")),  # noqa: S106
        ("a changed byte", headed(right, body + b" ")),
        ("another scheme only (`v0`)", headed(f"t={_AT},{value.replace('v1', 'v0')}")),
        ("no header", headed(None)),
        ("a header without a time", headed(value)),
        ("two times", headed(f"t={_AT},{right}")),
        ("a body that is not JSON", signed(b"payment=1")),
        ("JSON that is no event", signed(b'{"object": "charge"}')),
        ("an event without an id", signed(_event("charge.updated", {}, id=None))),
        (
            "an event that does not say its mode",
            signed(_event("charge.updated", {}, livemode=None)),
        ),
    ]
    rows = [(what, _verdict(request)) for what, request in cases]
    rows.append((f"a body of more than {MAX_BODY // 1024} KiB", "rejected before it is verified"))
    return table(("what arrives", "what becomes of it"), rows)


def _verdict(request: WebhookRequest) -> str:
    try:
        _delivered(request)
    except PayportError as rejected:
        return f"{code(type(rejected).__name__)}: {rejected.message}"
    return "accepted"


def objects_table() -> str:
    """Which objects say something about money."""
    rows = [
        (code(kind), code(f"{prefix}*" if prefix else "any"), code(reading.__name__))
        for kind, (prefix, reading) in TRANSLATED.items()
    ]
    rows.append((code(PAYOUT), code(f"{PAYOUT}.*"), code(payout_fact.__name__)))
    return table(("object", "in events", "read by"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "webhook-events": events_table,
    "webhook-objects": objects_table,
    "webhook-trust": trust_table,
    "webhook-verification": verification_table,
}
