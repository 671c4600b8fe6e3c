"""Webhooks that nobody signed say what to look at, and whoever sends many brings about little."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from payport import Handlers, Money, PaymentStatus, PaymentSucceeded, Payport, RefundSucceeded
from payport.domain.errors import ProviderFault, WebhookRejected
from payport.operations.session import HINTS_PER_SECOND
from payport.providers.deliveries import Statement
from payport.providers.exchange import Call
from payport.storage.base import InboxState
from payport.testing import ConnectionRefused, FakeProvider, LostResponse, Tokens, redirecting
from payport.webhooks.inbox import ReceiptStatus


class Shop:
    """A shop at a processor that takes payments on its own page and signs nothing."""

    def __init__(self, store: str) -> None:
        self.fake = FakeProvider(behaviour=redirecting())
        self.reads: list[str] = []
        self.fake.decide(self._count)
        self.told: list[str] = []
        handlers = Handlers()
        handlers.on(PaymentSucceeded, name="paid")(lambda event, tx: self.told.append("paid"))
        handlers.on(RefundSucceeded, name="back")(lambda event, tx: self.told.append("back"))
        self.pay = Payport(self.fake, store=store, scope="shop", handlers=handlers)

    def _count(self, asked: Any) -> None:
        if asked.operation == "retrieve_payment":
            self.reads.append(asked.target)

    def order(self, reference: str = "order_1", token: str = Tokens.OK) -> str:
        """An order whose customer was sent to the page; returns the provider's id."""
        intent = self.pay.payments.create(
            reference=reference, amount=Money(4_999, "USD"), payment_method=token, confirm=True
        )
        assert intent.status is PaymentStatus.REQUIRES_ACTION
        return intent.provider_ref or ""

    def hint(self, ref: str, **claims: Any) -> Any:
        body = json.dumps({"id": ref, **claims}).encode()
        return self.pay.webhooks.receive(body=body, headers={})

    def status(self, reference: str = "order_1") -> PaymentStatus:
        return self.pay.payments.get(reference=reference).status


@pytest.fixture(params=["memory", "sqlite"])
def shop(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Shop]:
    store = "memory" if request.param == "memory" else f"sqlite:///{tmp_path}/shop.db"
    made = Shop(store)
    yield made
    made.pay.close()


def rows(shop: Shop) -> list[Any]:
    return list(shop.pay.webhooks.list())


def refused(shop: Shop, ref: str) -> int:
    with pytest.raises(WebhookRejected) as raised:
        shop.hint(ref)
    return raised.value.status


def test_a_hint_has_the_object_read_and_what_was_read_counts(shop: Shop) -> None:
    shop.order()
    shop.fake.bank.visit()

    assert shop.fake.deliver(shop.pay) == 2
    assert shop.status() is PaymentStatus.SUCCEEDED
    assert shop.told == ["paid"]


def test_a_hint_that_lies_changes_nothing(shop: Shop) -> None:
    ref = shop.order()

    assert shop.hint(ref).status is ReceiptStatus.ACCEPTED
    assert shop.pay.webhooks.process_due() == 1
    assert shop.status() is PaymentStatus.REQUIRES_ACTION
    assert shop.told == []


def test_ids_that_nobody_here_has_store_nothing_and_read_nothing(shop: Shop) -> None:
    shop.order()

    assert {refused(shop, f"bp_{number:09d}") for number in range(1000, 1500)} == {404}
    assert rows(shop) == []
    assert shop.pay.webhooks.process_due() == 0
    assert shop.reads == []


def test_what_somebody_made_by_hand_is_not_known_by_its_id(shop: Shop) -> None:
    elsewhere = shop.fake.bank.charge(Money(4_999, "USD"))

    assert refused(shop, elsewhere) == 404


def test_a_thousand_hints_of_one_object_are_one_row_and_one_read(shop: Shop) -> None:
    ref = shop.order()

    told = [shop.hint(ref).status for _ in range(1000)]

    assert told == [ReceiptStatus.ACCEPTED, *[ReceiptStatus.DUPLICATE] * 999]
    assert len(rows(shop)) == 1
    shop.pay.webhooks.process_due()
    assert len(shop.reads) == 1


def test_an_object_that_tells_nothing_new_is_read_ever_more_rarely(shop: Shop) -> None:
    ref = shop.order()
    for _ in range(900):
        shop.hint(ref)
        shop.pay.webhooks.process_due()
        shop.fake.clock.advance(4)

    assert 8 <= len(shop.reads) <= 14
    assert len(rows(shop)) == 1


def test_half_an_hour_of_flooding_does_not_lose_the_hint_that_is_true(shop: Shop) -> None:
    ref = shop.order()
    for _ in range(300):
        shop.hint(ref)
        shop.pay.webhooks.process_due()
        shop.fake.clock.advance(6)

    shop.fake.bank.authenticate(ref)
    shop.hint(ref)
    shop.fake.clock.advance(timedelta(seconds=513))
    shop.pay.webhooks.process_due()
    assert shop.status() is PaymentStatus.SUCCEEDED


def test_each_change_of_an_object_is_learned_though_its_hints_are_equal(shop: Shop) -> None:
    shop.order()
    shop.fake.bank.visit()
    shop.fake.deliver(shop.pay)
    payment = shop.pay.payments.get(reference="order_1")

    shop.fake.bank.refund("order_1", Money(1_000, "USD"))
    shop.fake.clock.advance(5)
    shop.fake.deliver(shop.pay)
    shop.fake.clock.advance(10)
    shop.pay.webhooks.process_due()

    assert shop.pay.payments.get(payment.id).refunded == Money(1_000, "USD")
    assert shop.told == ["paid", "back"]


def test_a_hint_that_comes_while_the_object_is_read_has_it_read_again(shop: Shop) -> None:
    ref = shop.order()
    shop.hint(ref)

    def paid_after_it_was_read(asked: Any) -> None:
        shop.fake.decide(shop._count)
        shop.reads.append("first")
        shop.hint(ref)

    shop.fake.decide(paid_after_it_was_read)
    shop.pay.webhooks.process_due()
    (row,) = rows(shop)
    assert row.state is InboxState.DUE

    shop.fake.bank.visit()
    shop.fake.clock.advance(10)
    shop.pay.webhooks.process_due()
    assert shop.status() is PaymentStatus.SUCCEEDED


def test_a_queue_of_ones_own_reads_no_more_often_either(shop: Shop) -> None:
    ref = shop.order()
    for _ in range(50):
        for name in shop.hint(ref).ids:
            shop.pay.webhooks.process_one(name)

    assert len(shop.reads) == 1


def test_many_known_objects_are_read_at_a_pace(shop: Shop) -> None:
    refs = [shop.order(f"order_{number}") for number in range(40)]
    for ref in refs:
        shop.hint(ref)

    shop.pay.webhooks.process_due()
    assert len(shop.reads) <= HINTS_PER_SECOND

    for _ in range(60):
        shop.fake.clock.advance(2)
        shop.pay.webhooks.process_due()
    assert len(shop.reads) == 40


def test_nothing_that_a_hint_says_is_kept(shop: Shop) -> None:
    ref = shop.order()
    shop.fake.adapter.parse_webhook = parse_all(shop)  # type: ignore[method-assign]

    shop.hint(ref, note="canary")

    (row,) = rows(shop)
    assert (row.body, row.type, row.tag, row.api_version) == (None, "hint", None, None)
    assert "canary" not in repr(row)


def parse_all(shop: Shop) -> Any:
    """An adapter that takes every word of an unsigned webhook over."""
    honest = type(shop.fake.adapter).parse_webhook

    def parse(request: Any, *, now: Any) -> Any:
        said = json.loads(request.body)
        bare = type(request)(body=json.dumps({"id": said["id"]}).encode(), headers={})
        (delivery,) = honest(shop.fake.adapter, bare, now=now)
        return (
            replace(
                delivery,
                tag=said.get("tag"),
                type=str(said),
                dedupe_key=str(said),
                account="acct_of_another",
            ),
        )

    return parse


def test_an_adapter_that_believes_a_hint_is_not_believed(shop: Shop) -> None:
    ref = shop.order()
    paid = shop.order("order_2")
    shop.fake.bank.authenticate(paid)
    answer = shop.fake.retrieve_payment(paid, Call())
    facts = answer.facts  # type: ignore[union-attr]
    said = Statement(facts=facts)
    shop.fake.adapter.read_webhook = lambda body: (said,)  # type: ignore[method-assign]

    shop.hint(ref)
    shop.pay.webhooks.process_due()

    assert shop.status("order_1") is PaymentStatus.REQUIRES_ACTION


def test_somebody_else_s_paid_object_pays_no_order(shop: Shop) -> None:
    """A thief sends the id of a payment of their friend's beside the tag of their own order."""
    shop.order("order_of_the_thief")
    own = shop.fake.bank.payment("order_of_the_thief").order.tag
    friends = shop.order("order_of_a_friend")
    shop.fake.bank.authenticate(friends)
    foreign = shop.fake.bank.charge(Money(4_999, "USD"))
    shop.fake.adapter.parse_webhook = parse_all(shop)  # type: ignore[method-assign]

    for ref in (friends, foreign):
        shop.hint(ref, tag=own)
    shop.pay.webhooks.process_due()

    assert shop.status("order_of_the_thief") is PaymentStatus.REQUIRES_ACTION
    assert shop.status("order_of_a_friend") is PaymentStatus.SUCCEEDED


def test_our_tag_makes_an_object_known_whose_answer_was_lost(shop: Shop) -> None:
    shop.fake.next("create_payment", LostResponse())
    shop.fake.next("find", *[ConnectionRefused()] * 20)
    with pytest.raises(ProviderFault):
        shop.order()
    made = shop.fake.bank.payment("order_1")
    shop.fake.bank.visit()
    assert refused(shop, made.ref) == 404

    shop.fake.adapter.parse_webhook = parse_all(shop)  # type: ignore[method-assign]
    shop.fake.clock.advance(120)
    shop.hint(made.ref, tag=made.order.tag)
    shop.pay.webhooks.process_due()
    assert shop.status() is PaymentStatus.SUCCEEDED


def test_whoever_knows_one_of_our_tags_fills_one_row_with_it(shop: Shop) -> None:
    shop.order()
    tag = shop.fake.bank.payment("order_1").order.tag
    shop.fake.adapter.parse_webhook = parse_all(shop)  # type: ignore[method-assign]

    for number in range(2000, 2200):
        shop.hint(f"bp_{number:06d}", tag=tag)
    shop.pay.webhooks.process_due()

    assert len(rows(shop)) == 1
    assert len(shop.reads) == 1


@pytest.mark.parametrize("tag", ["pp1_" + "a" * 52, "order_1", ""])
def test_what_only_looks_like_our_tag_makes_nothing_known(shop: Shop, tag: str) -> None:
    shop.order()
    shop.fake.adapter.parse_webhook = parse_all(shop)  # type: ignore[method-assign]

    with pytest.raises(WebhookRejected):
        shop.hint("bp_000099", tag=tag)
    assert rows(shop) == []


def test_a_read_that_fails_is_tried_again(shop: Shop) -> None:
    ref = shop.order()
    shop.fake.bank.visit()
    shop.fake.next("retrieve_payment", ConnectionRefused())
    shop.hint(ref)
    shop.pay.webhooks.process_due()
    assert shop.status() is PaymentStatus.REQUIRES_ACTION

    shop.fake.clock.advance(60)
    shop.pay.webhooks.process_due()
    assert shop.status() is PaymentStatus.SUCCEEDED


def test_a_request_that_names_nothing_or_too_much_is_rejected(shop: Shop) -> None:
    ref = shop.order()
    honest = shop.fake.adapter.parse_webhook
    for change in (
        lambda one: (),
        lambda one: (replace(one, attempt_ref=None),),
        lambda one: (replace(one, attempt_ref="a\nb"),),
        lambda one: (replace(one, attempt_ref="a" * 300),),
        lambda one: (one,) * 11,
    ):
        shop.fake.adapter.parse_webhook = (  # type: ignore[method-assign]
            lambda request, *, now, change=change: change(*honest(request, now=now))
        )
        assert refused(shop, ref) == 400
    assert rows(shop) == []


def test_without_an_account_a_hint_is_to_be_sent_again(tmp_path: Any) -> None:
    shop = Shop(f"sqlite:///{tmp_path}/shop.db")
    shop.fake.next("account", ConnectionRefused())

    with pytest.raises(ProviderFault) as raised:
        shop.hint("bp_000001")
    assert raised.value.retryable
    shop.pay.close()
