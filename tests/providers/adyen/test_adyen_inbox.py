"""A request of several items in the inbox: all of them are kept before it is answered, or none."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from adyen_help import ACCOUNT, items_in, with_signature
from adyen_shop import Shop, on_every_store

from payport import Handlers, StoreUnavailable, UnmappedEvent, WebhookRejected
from payport.providers.deliveries import WebhookRequest
from payport.storage.base import InboxState
from payport.storage.memory_inbox import MemoryInbox
from payport.storage.running import ThroughDriver
from payport.storage.sql_inbox import SqlInbox
from payport.testing.adyen_simulator import HMAC_KEY, signature
from payport.webhooks.inbox import ReceiptStatus

pytestmark = on_every_store


def signed(batch: Any) -> WebhookRequest:
    request = WebhookRequest(body=json.dumps(batch).encode(), headers={})
    return with_signature(request, lambda item: signature(HMAC_KEY, item))


def changed(request: WebhookRequest, **said: Any) -> WebhookRequest:
    """The webhook with other values in its first item, signed again."""
    batch, items = items_in(request.body)
    items[0].update(said)
    return signed(batch)


def rows(shop: Shop) -> list[Any]:
    return list(shop.do(shop.pay.webhooks.list()))


def states(shop: Shop) -> list[InboxState]:
    return [row.state for row in rows(shop)]


@pytest.fixture
def batch(shop: Shop) -> WebhookRequest:
    """Three items in one request."""
    for number in range(3):
        shop.buy(f"order_{number}")
    (request,) = shop.simulator.webhooks()
    assert len(items_in(request.body)[1]) == 3
    return request


def test_each_item_has_a_row_and_is_worked_off_by_itself(shop: Shop, batch: WebhookRequest) -> None:
    receipt = shop.receive(batch)
    assert receipt.status is ReceiptStatus.ACCEPTED
    assert len(set(receipt.ids)) == 3
    assert {row.position for row in rows(shop)} == {0, 1, 2}
    shop.do(shop.pay.webhooks.process_one(receipt.ids[1]))
    assert sorted(states(shop)) == [InboxState.DONE, InboxState.DUE, InboxState.DUE]
    shop.do(shop.pay.webhooks.process_due())
    assert set(states(shop)) == {InboxState.DONE}


def test_items_that_came_before_are_not_stored_again(shop: Shop, batch: WebhookRequest) -> None:
    told, _ = items_in(batch.body)
    two = {**told, "notificationItems": told["notificationItems"][:2]}
    assert shop.receive(signed(two)).status is ReceiptStatus.ACCEPTED
    assert shop.receive(batch).status is ReceiptStatus.ACCEPTED
    assert shop.receive(batch).status is ReceiptStatus.DUPLICATE
    assert len(rows(shop)) == 3


def test_items_in_another_order_are_the_same_items(shop: Shop, batch: WebhookRequest) -> None:
    shop.receive(batch)
    told, _ = items_in(batch.body)
    turned = {**told, "notificationItems": told["notificationItems"][::-1]}
    assert shop.receive(signed(turned)).status is ReceiptStatus.DUPLICATE
    shop.do(shop.pay.webhooks.process_due())
    assert set(states(shop)) == {InboxState.DONE}


def test_one_bad_item_keeps_all_of_them_out(shop: Shop, batch: WebhookRequest) -> None:
    told, items = items_in(batch.body)
    items[2]["additionalData"]["hmacSignature"] = items[1]["additionalData"]["hmacSignature"]
    with pytest.raises(WebhookRejected):
        shop.receive(WebhookRequest(body=json.dumps(told).encode(), headers={}))
    assert not rows(shop)


def test_all_are_stored_in_one_transaction_or_none(
    shop: Shop, batch: WebhookRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that fails at the third row has kept none: the answer is 503, and all come again."""
    calls: list[object] = []
    refuse_the_last(shop.place, calls, monkeypatch)
    with pytest.raises(StoreUnavailable):
        shop.receive(batch)
    assert calls
    monkeypatch.undo()
    assert not rows(shop)
    assert len(shop.receive(batch).ids) == 3


def refuse_the_last(place: str, calls: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the store write two of three rows, and fail."""
    full = StoreUnavailable("the disk is full", operation="store")
    if place.startswith("sqlite"):  # two rows in one statement, and one more
        run = ThroughDriver.run

        def refusing(self: ThroughDriver, said: str, values: Any = ()) -> Any:
            if said.startswith("INSERT INTO payport_inbox"):
                calls.append(said)
                if len(calls) == 2:
                    raise full
            return run(self, said, values)

        monkeypatch.setattr(ThroughDriver, "run", refusing)
        return
    kind = MemoryInbox if place == "memory" else SqlInbox
    add = kind.add_delivery

    def failing(self: Any, row: Any) -> Any:
        calls.append(row)
        if len(calls) == 3:
            raise full
        return add(self, row)

    monkeypatch.setattr(kind, "add_delivery", failing)


def test_an_item_of_another_merchant_account_is_put_aside(shop: Shop) -> None:
    shop.buy()
    (request,) = shop.simulator.webhooks()
    shop.receive(changed(request, merchantAccountCode="AnotherECOM"))
    (row,) = rows(shop)
    assert row.state is InboxState.QUARANTINED
    assert "account mismatch" in row.error
    # It does not pass for the one that comes to the right account.
    shop.receive(request)
    shop.do(shop.pay.webhooks.process_due())
    assert sorted(states(shop)) == [InboxState.DONE, InboxState.QUARANTINED]


def test_a_live_item_at_a_test_endpoint_is_put_aside(shop: Shop) -> None:
    shop.buy()
    (request,) = shop.simulator.webhooks()
    batch, _ = items_in(request.body)
    shop.receive(signed({**batch, "live": "true"}))
    (row,) = rows(shop)
    assert row.state is InboxState.QUARANTINED
    assert "environment mismatch" in row.error


def test_an_event_that_payport_has_no_word_for_is_told_to_handlers(shop: Shop) -> None:
    told: list[UnmappedEvent] = []
    handlers = Handlers()

    @handlers.on(UnmappedEvent)
    def noted(event: UnmappedEvent, _tx: Any) -> None:
        told.append(event)

    shop.pay = shop.client(shop.provider, handlers=handlers)
    shop.buy()
    (request,) = shop.simulator.webhooks()
    shop.receive(request)
    shop.receive(
        changed(request, eventCode="MANUAL_REVIEW_ACCEPT", pspReference="REVIEW0000000001")
    )
    shop.do(shop.pay.webhooks.process_due())
    assert [event.type for event in told] == ["MANUAL_REVIEW_ACCEPT"]
    assert set(states(shop)) == {InboxState.DONE}


def test_an_item_that_cannot_be_read_dies_alone(shop: Shop, batch: WebhookRequest) -> None:
    told, items = items_in(batch.body)
    items[1]["amount"] = {"currency": "EUR"}
    receipt = shop.receive(signed(told))
    for _ in range(30):
        shop.do(shop.pay.webhooks.process_due())
        shop.simulator.clock.advance(timedelta(hours=12))
    by_id = {row.id: row.state for row in rows(shop)}
    assert [by_id[one] for one in receipt.ids] == [
        InboxState.DONE,
        InboxState.DEAD,
        InboxState.DONE,
    ]


def test_an_amount_that_changed_is_a_contradiction(shop: Shop) -> None:
    shop.buy()
    (request,) = shop.simulator.webhooks()
    shop.receive(request)
    other = changed(request, amount={"currency": "USD", "value": 1})
    assert shop.receive(other).status is ReceiptStatus.CONFLICT


def test_the_account_in_webhooks_is_ours(shop: Shop) -> None:
    shop.buy()
    shop.deliver()
    assert {row.account for row in rows(shop)} == {ACCOUNT}
