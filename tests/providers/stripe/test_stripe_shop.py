"""A shop on Stripe, from end to end in front of the simulator, in both colours."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import inspect
import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from payport import (
    AsyncPayport,
    DeclineReason,
    Handlers,
    InvalidRequest,
    Money,
    Payport,
    ProviderPermissionDenied,
    Redirect,
    UnsupportedOperation,
)
from payport.providers.stripe import AsyncStripeProvider, StripeProvider
from payport.storage.base import InboxState
from payport.storage.memory import AsyncMemoryStore, MemoryStore
from payport.testing import LostResponse, StripeSimulator, Tokens
from payport.testing.stripe_simulator import HttpRequest

KEY = "rk_test_obviously_fake"
SECRET = "whsec_simulated_0001"
PRICE = Money(4_999, "USD")
VISA = "pm_card_visa"


def usd(minor: int) -> Money:
    return Money(minor, "USD")


class Shop:
    """A client of one colour in front of a simulator; what is awaited is awaited in `do`."""

    def __init__(self, colour: str, *, multicapture: bool = False) -> None:
        self.simulator = StripeSimulator()
        self.bank = self.simulator.bank
        self.heard: list[HttpRequest] = []
        self.simulator.listen(self.heard.append)
        self._runner = asyncio.Runner() if colour == "async" else None
        self.store = MemoryStore()
        self.handlers = Handlers()
        self.provider = self._provider(multicapture=multicapture)
        self.pay = self.client(self.provider)

    def _provider(self, *, multicapture: bool) -> Any:
        given: dict[str, Any] = {
            "api_key": KEY,
            "webhook_secrets": [SECRET],
            "multicapture": multicapture,
        }
        if self._runner is None:
            transport = self.simulator.transport()
            return StripeProvider(http_client=httpx.Client(transport=transport), **given)
        awaited = self.simulator.async_transport()
        return AsyncStripeProvider(http_client=httpx.AsyncClient(transport=awaited), **given)

    def client(self, provider: Any, scope: str = "shop") -> Any:
        shared = {"clock": self.simulator.clock, "handlers": self.handlers}
        if self._runner is None:
            return Payport(provider, scope=scope, store=self.store, **shared)
        return AsyncPayport(provider, scope=scope, store=AsyncMemoryStore(self.store), **shared)

    def do(self, what: Any) -> Any:
        """The result of a call; of a listing, all of it."""
        if hasattr(what, "__aiter__"):
            return self.do(_drained(what))
        if inspect.isawaitable(what):
            assert self._runner is not None
            return self._runner.run(_done(what))
        return list(what) if hasattr(what, "page") else what

    def buy(self, reference: str = "order_1", method: str = VISA, **more: Any) -> Any:
        asked = {"amount": PRICE, "payment_method": method, "confirm": True, **more}
        return self.do(self.pay.payments.create(reference=reference, **asked))

    def deliver(self) -> None:
        for request in self.simulator.webhooks():
            self.do(self.pay.webhooks.receive(body=request.body, headers=request.headers))
        self.do(self.pay.webhooks.process_due())

    def at_stripe(self, ref: str | None) -> Any:
        """An object as Stripe has it."""
        found = self.simulator.server.desks.find(ref or "")
        assert found is not None
        return found

    def asked(self, path: str) -> list[HttpRequest]:
        return [one for one in self.heard if one.target.partition("?")[0] == path]

    def close(self) -> None:
        if self._runner is None:
            self.pay.close()
            return
        self._runner.run(self.pay.aclose())
        self._runner.close()


async def _done(what: Any) -> Any:
    return await what


async def _drained(listing: Any) -> list[Any]:
    return [one async for one in listing]


@pytest.fixture
def shop(colour: str, request: pytest.FixtureRequest) -> Iterator[Shop]:
    made = Shop(colour, **getattr(request, "param", {}))
    yield made
    made.close()


may_capture_often = pytest.mark.parametrize("shop", [{"multicapture": True}], indirect=True)


# -- payments -------------------------------------------------------------------------------------


def test_what_was_asked_for_arrives(shop: Shop) -> None:
    customer = shop.bank.add_customer()
    intent = shop.buy(
        customer=customer,
        return_url="https://shop.example/back",
        description="Two apples",
        statement_descriptor="APPLES",
        receipt_email="ann@shop.example",
        metadata={"colour": "grün"},
    )
    told = shop.at_stripe(intent.provider_ref)
    assert (told["amount"], told["currency"], told["status"]) == (4_999, "usd", "succeeded")
    assert told["customer"] == customer
    assert told["description"] == "Two apples"
    assert told["statement_descriptor_suffix"] == "APPLES"
    assert told["receipt_email"] == "ann@shop.example"
    assert told["metadata"]["colour"] == "grün"
    assert told["metadata"]["payport_reference"] == "order_1"
    assert told["metadata"]["payport_key"].startswith("pp1_")
    assert told["automatic_payment_methods"]["allow_redirects"] == "always"


def test_what_is_created_now_is_confirmed_later(shop: Shop) -> None:
    made = shop.do(shop.pay.payments.create(reference="order_1", amount=PRICE))
    assert made.status == "requires_payment_method"
    paid = shop.do(shop.pay.payments.confirm(made.id, payment_method=VISA))
    assert (paid.status, paid.captured) == ("succeeded", PRICE)
    assert paid.provider_ref == made.provider_ref


def test_a_customer_who_is_sent_away_comes_back_paid(shop: Shop) -> None:
    intent = shop.buy(method=Tokens.AUTHENTICATE, return_url="https://shop.example/back")
    assert intent.status == "requires_action"
    assert isinstance(intent.next_action, Redirect)
    assert intent.next_action.url
    shop.bank.authenticate(intent.provider_ref)
    shop.deliver()
    assert shop.do(shop.pay.payments.get(intent.id)).status == "succeeded"


def test_a_saved_method_pays_while_the_customer_is_absent(shop: Shop) -> None:
    customer = shop.bank.add_customer()
    shop.buy("first", customer=customer, save_payment_method=True)
    (saved,) = shop.bank.methods(customer)
    paid = shop.buy("second", saved, customer=customer, off_session=True)
    assert (paid.status, paid.captured) == ("succeeded", PRICE)
    assert "off_session=true" in shop.asked("/v1/payment_intents")[-1].body.decode()


def test_a_declined_payment_is_tried_again_on_the_same_object(shop: Shop) -> None:
    declined = shop.buy(method=Tokens.INSUFFICIENT_FUNDS)
    assert declined.decline.reason is DeclineReason.INSUFFICIENT_FUNDS
    paid = shop.buy(attempt=2)
    assert (paid.status, paid.provider_ref) == ("succeeded", declined.provider_ref)
    assert len(shop.bank.payments) == 1


def test_a_lost_answer_is_found_out(shop: Shop) -> None:
    shop.simulator.next("create_payment", LostResponse())
    paid = shop.buy()
    assert (paid.status, shop.bank.charged(paid.provider_ref)) == ("succeeded", PRICE)
    assert len(shop.bank.payments) == 1


# -- held money -----------------------------------------------------------------------------------


def test_held_money_is_taken_whole_or_in_part(shop: Shop) -> None:
    whole, part = (shop.buy(name, capture_method="manual") for name in ("whole", "part"))
    assert (whole.status, whole.capturable) == ("requires_capture", PRICE)
    taken = shop.do(shop.pay.payments.capture(whole.id))
    assert (taken.status, taken.captured) == ("succeeded", PRICE)
    taken = shop.do(shop.pay.payments.capture(part.id, amount=usd(1_000)))
    assert (taken.status, taken.captured, taken.capturable) == ("succeeded", usd(1_000), usd(0))
    assert shop.bank.charged(part.provider_ref) == usd(1_000)


@may_capture_often
def test_held_money_is_taken_several_times_where_the_account_may(shop: Shop) -> None:
    held = shop.buy(capture_method="manual")
    for parcel in ("first", "second"):
        held = shop.do(shop.pay.payments.capture(held.id, amount=usd(1_000), reference=parcel))
    assert (held.status, held.captured) == ("requires_capture", usd(2_000))
    last = shop.do(
        shop.pay.payments.capture(held.id, amount=usd(500), reference="last", final=True)
    )
    assert (last.status, last.captured) == ("succeeded", usd(2_500))
    assert shop.bank.charged(held.provider_ref) == usd(2_500)


def test_held_money_is_not_taken_several_times_where_the_account_may_not(shop: Shop) -> None:
    held = shop.buy(capture_method="manual")
    before = len(shop.heard)
    with pytest.raises(UnsupportedOperation):
        shop.do(shop.pay.payments.capture(held.id, amount=usd(1_000), reference="first"))
    assert len(shop.heard) == before


def test_held_and_open_payments_are_canceled(shop: Shop) -> None:
    held = shop.buy("held", capture_method="manual")
    opened = shop.do(shop.pay.payments.create(reference="open", amount=PRICE))
    for payment in (held, opened):
        canceled = shop.do(shop.pay.payments.cancel(payment.id))
        assert canceled.status == "canceled"
        assert shop.at_stripe(payment.provider_ref)["status"] == "canceled"


# -- refunds --------------------------------------------------------------------------------------


def test_equal_refunds_are_several_and_each_is_known(shop: Shop) -> None:
    paid = shop.buy()
    refunds = [
        shop.do(
            shop.pay.refunds.create(
                payment=paid.id,
                reference=f"return_{number}",
                amount=usd(700),
                reason="requested_by_customer",
                metadata={"box": str(number)},
            )
        )
        for number in range(3)
    ]
    assert {refund.status for refund in refunds} == {"succeeded"}
    assert len({refund.provider_ref for refund in refunds}) == 3
    assert shop.bank.refunded(paid.provider_ref) == usd(2_100)
    told = shop.at_stripe(refunds[1].provider_ref)
    assert (told["reason"], told["metadata"]["box"]) == ("requested_by_customer", "1")
    listed = shop.do(shop.pay.refunds.list_from_provider(payment=paid.id))
    assert [one.refund_id for one in listed] == [refund.id for refund in reversed(refunds)]
    assert shop.do(shop.pay.refunds.refresh(refunds[0].id)).status == "succeeded"


def test_what_happened_at_the_dashboard_is_learned_by_reading(shop: Shop) -> None:
    paid = shop.buy()
    shop.bank.refund(paid.provider_ref, usd(300))
    assert shop.do(shop.pay.payments.get(paid.id)).refunded == usd(0)
    assert shop.do(shop.pay.payments.refresh(paid.id)).refunded == usd(300)
    (by_hand,) = shop.do(shop.pay.refunds.list_from_provider(payment=paid.id))
    assert (by_hand.amount, by_hand.status) == (usd(300), "succeeded")


# -- listings -------------------------------------------------------------------------------------


def test_all_that_stripe_holds_is_listed_page_by_page(shop: Shop) -> None:
    ours = shop.buy()
    for _ in range(149):
        shop.bank.charge(usd(100))
    listed = shop.do(shop.pay.payments.list_from_provider())
    assert len(listed) == len({one.ref for one in listed}) == 150
    assert [one.payment_id for one in listed[-2:]] == [None, ours.id]
    pages = shop.asked("/v1/payment_intents")[1:]
    assert [("starting_after" in one.target) for one in pages] == [False, True]
    first = shop.do(shop.pay.payments.list_from_provider().page(limit=1_000))
    assert len(first.items) == 100, "Stripe gives no more at once"
    assert first.next_cursor == first.items[-1].ref


def test_a_listing_is_read_no_further_than_it_is_needed(shop: Shop) -> None:
    for _ in range(150):
        shop.bank.charge(usd(100))
    listing = shop.pay.payments.list_from_provider()
    assert not shop.heard, "a listing that nobody reads asks for nothing"

    async def taken() -> list[Any]:
        found: list[Any] = []
        async for one in listing:
            found.append(one)
            if len(found) == 100:
                break
        return found

    found = shop.do(taken()) if shop._runner else list(itertools.islice(listing, 100))
    assert len(found) == 100
    assert len(shop.asked("/v1/payment_intents")) == 1


def test_a_listing_keeps_to_whole_seconds_of_stripes(shop: Shop) -> None:
    """Stripe counts seconds: a payment of this second is not of a moment later in it."""
    first = shop.buy("first")
    at = shop.simulator.clock.now()
    shop.simulator.clock.advance(0.5)
    half = shop.simulator.clock.now()
    shop.simulator.clock.advance(0.5)
    second = shop.buy("second")
    list_them = shop.pay.payments.list_from_provider

    def told(**window: Any) -> list[Any]:
        return [one.payment_id for one in shop.do(list_them(**window))]

    assert told(created_from=at) == [second.id, first.id]
    assert told(created_from=half) == [second.id]
    assert told(created_before=half) == [first.id]
    assert told(created_before=at) == []


@pytest.mark.parametrize("cursor", ["../x", "pi 1", "ä"])
def test_a_cursor_that_could_lead_elsewhere_is_refused(shop: Shop, cursor: str) -> None:
    shop.buy()
    before = len(shop.heard)
    with pytest.raises(InvalidRequest, match="cursor"):
        shop.do(shop.pay.payments.list_from_provider().page(cursor=cursor))
    assert len(shop.heard) == before


def test_a_key_that_may_not_list_is_told_so(shop: Shop) -> None:
    shop.buy()
    shop.simulator.restrict(KEY, {"payment_intent_write"})
    with pytest.raises(ProviderPermissionDenied, match="rak_charge_read"):
        shop.do(shop.pay.payments.list_from_provider())


# -- accounts and modes ---------------------------------------------------------------------------


def test_a_connected_account_has_payments_of_its_own(shop: Shop) -> None:
    connected = shop.simulator.connected("acct_connected")
    shop.buy()
    pay = shop.client(shop.provider.for_account("acct_connected"), scope="connected")
    theirs = shop.do(
        pay.payments.create(reference="order_1", amount=usd(100), payment_method=VISA, confirm=True)
    )
    assert connected.bank.charged(theirs.provider_ref) == usd(100)
    listed = shop.do(pay.payments.list_from_provider())
    assert [one.payment_id for one in listed] == [theirs.id]
    assert len(shop.do(shop.pay.payments.list_from_provider())) == 1


def test_a_webhook_of_the_other_mode_moves_nothing(shop: Shop) -> None:
    """A signing secret that was mixed up: what is live is never a test key's."""
    opened = shop.do(shop.pay.payments.create(reference="order_1", amount=PRICE))
    shop.bank.charge(PRICE)
    told = [json.loads(request.body) for request in shop.simulator.webhooks()]
    event = next(one for one in told if one["type"] == "payment_intent.succeeded")
    event["data"]["object"]["id"] = opened.provider_ref
    event["livemode"] = True
    body = json.dumps(event).encode()
    at = int(shop.simulator.clock.now().timestamp())
    mac = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    receipt = shop.do(
        shop.pay.webhooks.receive(body=body, headers={"Stripe-Signature": f"t={at},v1={mac}"})
    )
    shop.do(shop.pay.webhooks.process_due())
    states = [
        shop.store.transact(lambda tx, one=one: tx.delivery(one).state) for one in receipt.ids
    ]
    assert states == [InboxState.QUARANTINED]
    assert shop.do(shop.pay.payments.get(opened.id)).captured == usd(0)
