"""
Payloads of other API versions, and thin events: received, processed, and never believed about
money. What is true is read from Stripe, at the version that payport is written for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from stripe_help import DATA
from test_stripe_shop import PRICE, Shop, usd

from payport import DomainEvent, PayoutFailed, PayoutPaid, UnmappedEvent, WebhookRejected
from payport.providers.deliveries import WebhookRequest
from payport.providers.stripe import API_VERSION
from payport.storage.base import InboxState
from payport.testing import Crash, CrashAfter

OLDEST, OLDER, NEWER = "2017-12-14", "2020-08-27", "2027-02-24.fennel"
VERSIONS = [None, OLDEST, OLDER, "2022-11-15", "2025-03-31.basil", API_VERSION, NEWER]
OTHERS = [version for version in VERSIONS if version != API_VERSION]

EVENTS = {path.stem: json.loads(path.read_text()) for path in DATA.glob("*events/*.json")}
RESOURCES = json.loads((DATA / "fixtures3.json").read_text())["resources"]


@pytest.fixture(params=["sync", "async"])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    made = Shop(request.param)
    yield made
    made.close()


@pytest.fixture
def blocking() -> Iterator[Shop]:
    made = Shop("sync")
    yield made
    made.close()


def told(shop: Shop) -> list[DomainEvent]:
    """A list that a handler of every event fills."""
    events: list[DomainEvent] = []
    shop.handlers.on(DomainEvent, name="all")(lambda event, tx: events.append(event))
    return events


def event(shop: Shop, kind: str, about: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """An event of now in its envelope, of an older version unless told."""
    number = len(list(shop.do(shop.pay.webhooks.list())))
    return {
        "id": f"evt_told{number}",
        "object": "event",
        "api_version": OLDER,
        "created": int(shop.simulator.clock.now().timestamp()),
        "data": {"object": dict(about)},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
        **more,
    }


def thin(shop: Shop, kind: str, ref: str, **more: Any) -> dict[str, Any]:
    """A thin event, which only names its object."""
    number = len(list(shop.do(shop.pay.webhooks.list())))
    related = {"id": ref, "type": kind, "url": f"/v1/{kind}s/{ref}"}
    return {
        "id": f"evt_test_thin{number}",
        "object": "v2.core.event",
        "context": None,
        "created": shop.simulator.clock.now().isoformat(),
        "livemode": False,
        "related_object": related,
        "type": f"v1.{kind}.updated",
        **more,
    }


def receive(shop: Shop, envelope: Mapping[str, Any]) -> Any:
    """Have an event arrive, signed; its row."""
    request = shop.simulator.server.outbox.signed(json.dumps(envelope).encode())
    arrive = shop.pay.webhooks.receive(body=request.body, headers=request.headers)
    return shop.do(shop.pay.webhooks.get(shop.do(arrive).ids[0]))


def processed(shop: Shop, row: Any) -> Any:
    """The row once nothing more is going to become of it."""
    for _ in range(6):
        shop.do(shop.pay.webhooks.process_due())
        shop.simulator.clock.advance(200)
    return shop.do(shop.pay.webhooks.get(row.id))


# -- anything that Stripe ever sent ---------------------------------------------------------------


@pytest.mark.parametrize("name", EVENTS)
def test_what_stripe_sent_in_any_version_is_received_and_processed(
    blocking: Shop, name: str
) -> None:
    sent = EVENTS[name]
    for version in VERSIONS:
        given = event(blocking, sent["type"], sent["data"]["object"], api_version=version)
        row = receive(blocking, {**sent, **given})
        assert (row.api_version, row.type) == (version, sent["type"])
        assert processed(blocking, row).state in {InboxState.DONE, InboxState.FOREIGN}


@pytest.mark.parametrize("kind", RESOURCES)
def test_every_kind_of_object_is_received_and_processed(blocking: Shop, kind: str) -> None:
    for version in (OLDER, API_VERSION, NEWER):
        told = event(blocking, f"{kind}.updated", RESOURCES[kind], api_version=version)
        row = processed(blocking, receive(blocking, told))
        assert row.state in {InboxState.DONE, InboxState.FOREIGN}, row.error


ELSEWHERE = [
    "customer.deleted",
    "customer.subscription.deleted",
    "invoice.paid",
    "invoice.payment_failed",
    "price.updated",
    "quote.accepted",
]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_payport_has_no_meaning_for_yet_is_told_as_unmapped(shop: Shop, name: str) -> None:
    events, sent = told(shop), EVENTS[name]
    row = receive(shop, event(shop, name, sent["data"]["object"]))
    assert processed(shop, row).state is InboxState.DONE
    (unmapped,) = events
    assert isinstance(unmapped, UnmappedEvent)
    assert (unmapped.type, unmapped.api_version, unmapped.payment_id) == (name, OLDER, None)
    about = sent["data"]["object"]
    assert unmapped.effect_ref == (about.get("payment_intent") or about["id"])
    assert [one.type for one in shop.do(shop.pay.webhooks.list())] == [name]


# -- money ----------------------------------------------------------------------------------------


def claims(shop: Shop, held: Any) -> dict[str, tuple[str, dict[str, Any]]]:
    """What an event says that is not so: money that was taken, given back and disputed."""
    payment = shop.at_stripe(held.provider_ref)
    charge = shop.at_stripe(payment["latest_charge"])
    about = {"payment_intent": payment["id"], "currency": "usd", "metadata": {}}
    paid = {**payment, "status": "succeeded", "amount_received": PRICE.minor}
    taken = {**charge, "captured": True, "amount_captured": PRICE.minor, "status": "succeeded"}
    return {
        "payment": ("payment_intent.succeeded", {**paid, "amount_capturable": 0}),
        "payment in old words": (
            "payment_intent.succeeded",
            {**paid, "charges": {"object": "list", "data": [taken]}},
        ),
        "canceled": ("payment_intent.canceled", {**payment, "status": "canceled"}),
        "charge": ("charge.captured", taken),
        "refund": (
            "charge.refund.updated",
            {**about, "id": "re_1", "object": "refund", "amount": 500, "status": "succeeded"},
        ),
        "dispute": (
            "charge.dispute.created",
            {**about, "id": "dp_1", "object": "dispute", "amount": 500, "status": "lost"},
        ),
    }


CLAIMS = ["payment", "payment in old words", "canceled", "charge", "refund", "dispute"]


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("version", OTHERS)
def test_another_versions_claim_that_stripe_does_not_confirm_changes_nothing(
    blocking: Shop, claim: str, version: str | None
) -> None:
    shop = blocking
    held = shop.buy(capture_method="manual")
    shop.deliver()
    events = told(shop)
    kind, about = claims(shop, held)[claim]
    row = processed(shop, receive(shop, event(shop, kind, about, api_version=version)))

    assert row.state is InboxState.DONE
    after = shop.do(shop.pay.payments.get(held.id))
    assert (after.captured, after.refunded, after.disputed) == (usd(0), usd(0), usd(0))
    assert after.status == "requires_capture"
    assert (after.refunds, after.disputes, after.captures) == ((), (), ())
    assert events == []


@pytest.mark.parametrize("claim", [claim for claim in CLAIMS if claim != "payment in old words"])
def test_the_same_claims_of_the_pinned_version_are_believed(shop: Shop, claim: str) -> None:
    """Or the test before would say nothing."""
    held = shop.buy(capture_method="manual")
    shop.deliver()
    kind, about = claims(shop, held)[claim]
    shop.simulator.clock.advance(5)
    row = receive(shop, event(shop, kind, about, api_version=API_VERSION))
    shop.do(shop.pay.webhooks.process_due())
    assert shop.do(shop.pay.webhooks.get(row.id)).state is InboxState.DONE
    assert shop.do(shop.pay.payments.get(held.id)) != held


@pytest.mark.parametrize("version", OTHERS)
def test_what_stripe_confirms_is_learned_from_stripe_and_not_from_the_payload(
    blocking: Shop, version: str | None
) -> None:
    shop = blocking
    paid = shop.buy()
    shop.deliver()
    shop.bank.refund(paid.provider_ref, usd(700))
    shop.simulator.webhooks()
    events = told(shop)
    (refund,) = shop.at_stripe(paid.provider_ref) and list(shop.bank.refunds)
    lie = {**shop.at_stripe(refund.ref), "amount": 9}
    told_so = event(shop, "charge.refund.updated", lie, api_version=version)
    assert processed(shop, receive(shop, told_so)).state is InboxState.DONE
    assert shop.do(shop.pay.payments.get(paid.id)).refunded == usd(700)
    assert {one.kind: one.api_version for one in events} == {"refund_succeeded": API_VERSION}


def test_what_is_not_ours_is_not_asked_about(shop: Shop) -> None:
    """Whoever sells much in other ways has an endpoint that hears of all of it."""
    ref = shop.bank.charge(usd(900))
    shop.simulator.webhooks()
    told_so = event(shop, "payment_intent.succeeded", shop.at_stripe(ref))
    row = processed(shop, receive(shop, told_so))
    assert row.state is InboxState.FOREIGN
    assert not shop.asked(f"/v1/payment_intents/{ref}")


# -- payouts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", OTHERS)
def test_another_versions_payout_is_told_as_stripe_has_it(
    blocking: Shop, version: str | None
) -> None:
    shop = blocking
    shop.buy()
    shop.deliver()
    events = told(shop)
    shop.bank.pay_out()
    payout = shop.at_stripe(shop.bank.payouts[-1].ref)
    lie = {**payout, "status": "failed", "failure_code": "account_closed", "amount": 1}
    row = receive(shop, event(shop, "payout.failed", lie, api_version=version))
    assert processed(shop, row).state is InboxState.DONE
    (paid,) = events
    assert isinstance(paid, PayoutPaid)
    assert (paid.amount.minor, paid.effect_ref) == (payout["amount"], payout["id"])


def test_a_payout_is_told_as_it_moves_at_stripe(shop: Shop) -> None:
    shop.buy()
    shop.deliver()
    events = told(shop)
    shop.bank.pay_out(arrives=False)
    ref = shop.bank.payouts[-1].ref
    shop.deliver()
    for state in ("sent", "paid"):
        shop.bank.move_payout(ref, state)
        shop.deliver()
    shop.bank.itemize_payout(ref)
    shop.deliver()
    shop.bank.move_payout(ref, "bounced", failure="no_account")
    shop.deliver()
    assert [one.kind for one in events] == [
        *("payout_created", "payout_in_transit", "payout_paid", "payout_reconciled"),
        "payout_failed",
    ]
    last = events[-1]
    assert isinstance(last, PayoutFailed)
    assert (last.failure_code, last.account) == ("no_account", "acct_simulated")
    assert last.api_version == API_VERSION


# -- thin events ----------------------------------------------------------------------------------


def test_a_thin_event_about_a_payment_is_fetched_and_applied(shop: Shop) -> None:
    paid = shop.buy()
    shop.deliver()
    shop.bank.refund(paid.provider_ref, usd(300))
    shop.simulator.webhooks()
    row = processed(shop, receive(shop, thin(shop, "payment_intent", paid.provider_ref)))
    assert (row.state, row.api_version) == (InboxState.DONE, None)
    assert shop.do(shop.pay.payments.get(paid.id)).refunded == usd(300)


def related(shop: Shop, paid: Any) -> dict[str, str]:
    """What a thin event may be about, of one payment that much happened to."""
    shop.bank.refund(paid.provider_ref, usd(300))
    shop.bank.dispute(paid.provider_ref, usd(400))
    shop.simulator.webhooks()
    return {
        "charge": shop.at_stripe(paid.provider_ref)["latest_charge"],
        "refund": shop.bank.refunds[-1].ref,
        "dispute": shop.bank.disputes[-1].ref,
    }


@pytest.mark.parametrize(
    ("kind", "learned"),
    [("charge", (300, 400)), ("refund", (300, 0)), ("dispute", (0, 400))],
)
def test_a_thin_event_about_what_belongs_to_a_payment_is_fetched_and_applied(
    shop: Shop, kind: str, learned: tuple[int, int]
) -> None:
    paid = shop.buy()
    shop.deliver()
    ref = related(shop, paid)[kind]
    row = processed(shop, receive(shop, thin(shop, kind, ref)))
    assert row.state is InboxState.DONE
    after = shop.do(shop.pay.payments.get(paid.id))
    assert (after.refunded.minor, after.disputed.minor) == learned


def test_a_thin_event_about_a_payout_is_fetched_and_told(shop: Shop) -> None:
    shop.buy()
    shop.deliver()
    shop.bank.pay_out()
    shop.simulator.webhooks()
    events = told(shop)
    row = receive(shop, thin(shop, "payout", shop.bank.payouts[-1].ref))
    assert processed(shop, row).state is InboxState.DONE
    assert [one.kind for one in events] == ["payout_paid"]


def test_a_thin_event_concludes_what_its_sender_did_not_live_to_see(shop: Shop) -> None:
    """A thin event carries no tag: it has to be read to be known as ours."""
    shop.simulator.next("create_payment", CrashAfter())
    with pytest.raises(Crash):
        shop.buy()
    (made,) = shop.bank.payments
    shop.simulator.webhooks()
    row = processed(shop, receive(shop, thin(shop, "payment_intent", made.ref)))
    assert row.state is InboxState.DONE
    found = shop.do(shop.pay.payments.get(reference="order_1"))
    assert (found.status, found.captured) == ("succeeded", PRICE)


@pytest.mark.parametrize("kind", ["payment_intent", "charge", "refund", "dispute", "payout"])
def test_a_thin_event_about_what_is_not_there_dies_of_nothing(shop: Shop, kind: str) -> None:
    row = processed(shop, receive(shop, thin(shop, kind, f"{kind[:2]}_nowhere")))
    assert row.state in {InboxState.DONE, InboxState.FOREIGN}


UNKNOWN = [
    ("v1.billing.meter.error_report_triggered", "billing.meter"),
    ("v2.core.account.updated", "v2.core.account"),
    ("v2.core.event_destination.ping", "v2.core.event_destination"),
    ("v2.money_management.transaction.created", "v2.money_management.transaction"),
]


@pytest.mark.parametrize(("name", "kind"), UNKNOWN)
def test_a_thin_event_of_an_unknown_type_is_told_as_unmapped(
    shop: Shop, name: str, kind: str
) -> None:
    events = told(shop)
    row = receive(shop, thin(shop, kind, "obj_1", type=name))
    assert processed(shop, row).state is InboxState.DONE
    assert [(one.kind, getattr(one, "type", "")) for one in events] == [("unmapped_event", name)]
    assert not [request for request in shop.heard if request.target != "/v1/account"]


def test_a_thin_event_that_is_not_signed_is_rejected(shop: Shop) -> None:
    body = json.dumps(thin(shop, "payment_intent", "pi_1")).encode()
    request = shop.simulator.server.outbox.signed(body)
    forged = WebhookRequest(body=body.replace(b"pi_1", b"pi_2"), headers=request.headers)
    with pytest.raises(WebhookRejected):
        shop.do(shop.pay.webhooks.receive(body=forged.body, headers=forged.headers))
    assert not list(shop.do(shop.pay.webhooks.list()))
