"""Statements that time cannot order, and text that cannot be written down."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from shops import each_colour

from payport import WebhookRejected
from payport.domain.facts import AttemptStatus, Facts
from payport.providers.deliveries import Statement
from payport.storage.base import InboxRow, InboxState
from payport.testing.fake.outbox import SIGNATURE_HEADER, signature

SECRET = "whsec_fake_0001"


def told(shop, intent, fact, *, key):
    """A stored delivery that says `fact`."""
    now = shop.clock.now()
    row = InboxRow(
        id=f"inb_{key:a<26}",
        provider="fake",
        environment=intent.environment,
        account=None,
        dedupe_key=key,
        ordering_key=fact.ref,
        type="payment.changed",
        fingerprint=key,
        attempt_ref=fact.ref,
        tag=None,
        api_version=None,
        body=key.encode(),
        digest=key,
        occurred_at=now,
        received_at=now,
        due_at=now,
    )
    shop.transact(lambda tx: tx.add_delivery(row))
    read, facts = shop.fake.read_webhook, Facts(attempt_ref=fact.ref, attempts=(fact,))
    shop.fake.read_webhook = lambda body: (
        (Statement(facts=facts),) if body == key.encode() else read(body)
    )
    return row.id


def listened(shop):
    """The operations that the bank is asked for from here on."""
    asked = []
    shop.fake.decide(lambda request: asked.append(request.operation))
    return asked


@each_colour
def test_a_tie_is_settled_by_reading_the_payment(shop):
    intent = shop.buy(payment_method="pm_card_authenticate")
    known = intent.latest_attempt
    # Told for the moment in which the customer was sent away: was it before that, or after?
    tied = replace(known, status=AttemptStatus.PROCESSING)
    shop.clock.advance(1)
    asked = listened(shop)
    shop.pay.webhooks.process_one(told(shop, intent, tied, key="tie"))

    assert asked == ["retrieve_payment"]
    assert shop.pay.payments.get(intent.id).status == "requires_action"


@each_colour
def test_what_time_orders_is_not_read(shop):
    intent = shop.buy(payment_method="pm_card_authenticate")
    known = intent.latest_attempt
    later = replace(known, status=AttemptStatus.PROCESSING, at=known.at + timedelta(seconds=1))
    asked = listened(shop)
    state = shop.pay.webhooks.process_one(told(shop, intent, later, key="later"))

    assert state is InboxState.DONE
    assert asked == []
    assert shop.pay.payments.get(intent.id).status == "processing"


@each_colour
def test_half_a_character_is_rejected_and_not_stored(shop):
    shop.buy()
    (request, *_) = shop.fake.webhooks()
    body = json.dumps({**json.loads(request.body), "id": "\ud800"}).encode()
    timestamp = str(int(shop.clock.now().timestamp()))
    signed = {SIGNATURE_HEADER: f"t={timestamp},v1={signature(SECRET, timestamp, body)}"}
    with pytest.raises(WebhookRejected, match="body"):
        shop.pay.webhooks.receive(body=body, headers=signed)


@each_colour
def test_a_payment_that_was_read_is_not_held_back_from_what_happens_in_the_same_second(shop):
    """The bank tells whole seconds, and the read came in the middle of one."""
    shop.clock.advance(0.5)
    waiting = shop.buy(payment_method="pm_card_authenticate")
    tied = replace(waiting.latest_attempt, status=AttemptStatus.PROCESSING)
    asked = listened(shop)
    shop.pay.webhooks.process_one(told(shop, waiting, tied, key="tie"))
    assert asked == ["retrieve_payment"]

    shop.bank.authenticate("order_1", ok=False)
    shop.deliver()
    assert shop.pay.payments.get(waiting.id).status == "requires_payment_method"
    assert shop.pay.payments.refresh(waiting.id).decline is not None
