"""
An operation that takes two requests: each has a key of its own, and wherever the process dies there
is one payment, charged once.
"""

from dataclasses import replace

import pytest
from shops import PRICE, blocking, usd

from payport import ConfigurationError
from payport.providers.commands import ConfirmPayment
from payport.providers.exchange import Call, Request, Wire, step_key
from payport.providers.outcomes import Failure
from payport.testing import ConnectionRefused, Crash, CrashAfter, CrashBefore
from payport.testing.fake.adapter import FakeAdapter

FAULTS = [CrashBefore(), CrashAfter()]


class TwoRequests(FakeAdapter):
    """A processor at which a payment is made by one request and charged by another."""

    def create_payment(self, command, key):
        made = yield from super().create_payment(replace(command, confirm=False), key)
        if isinstance(made, Failure) or not command.confirm:
            return made
        confirm = ConfirmPayment(
            payment_id=command.payment_id,
            reference=command.reference,
            attempt=command.attempt,
            payment_ref=made.facts.attempts[0].ref,
            terms=command.terms,
        )
        exchange = super().confirm_payment(confirm, step_key(key, "confirm"))
        response = yield replace(next(exchange), operation="create_payment", step="confirm")
        try:
            exchange.send(response)
        except StopIteration as finished:
            return finished.value


def process(shop, *faults):
    """A process of a shop at that processor; faults of its first request, its second, and so on."""
    provider = shop.provider()
    old = provider.adapter
    provider.adapter = TwoRequests(old.spec, old.environment, old._webhook_secrets)
    if faults:
        provider.next("create_payment", *faults)
    return shop.client(provider)


def check(shop):
    shop.deliver()
    assert shop.bank.charged("order_1") == PRICE
    assert len(shop.bank.payments) == 1
    assert shop.pay.payments.get(reference="order_1").captured == PRICE
    (row,) = shop.rows()
    assert row.state == "confirmed"
    assert shop.bank.effects(row.key) == 1


@blocking("stripe_like")
def test_both_requests_are_made_once(shop):
    assert shop.buy(pay=process(shop)).reference == "order_1"
    check(shop)
    assert set(shop.bank.vault.arrived.values()) == {1}


@blocking("stripe_like")
@pytest.mark.parametrize("faults", [(fault,) for fault in FAULTS], ids=repr)
@pytest.mark.parametrize("healed_by", ["asking again", "recovery"])
def test_a_crash_around_the_first_request(shop, faults, healed_by):
    with pytest.raises(Crash):
        shop.buy(pay=process(shop, *faults))
    shop.clock.advance(12)
    heal(shop, healed_by)
    check(shop)


@blocking("stripe_like")
@pytest.mark.parametrize("fault", FAULTS, ids=repr)
@pytest.mark.parametrize("healed_by", ["asking again", "recovery"])
def test_a_crash_around_the_second_request(shop, fault, healed_by):
    with pytest.raises(Crash):
        shop.buy(pay=process(shop, None, fault))
    assert len(shop.bank.payments) == 1
    shop.clock.advance(12)
    heal(shop, healed_by)
    check(shop)


def heal(shop, how):
    if how == "recovery":
        assert process(shop).operations.recover().concluded == 1
    else:
        shop.buy(pay=process(shop))


@blocking("stripe_like")
def test_what_was_made_and_not_charged_is_told_as_that_and_can_be_confirmed(shop):
    """The object with our tag shows how far the operation came, and not that it was charged."""
    provider_is_gone = [ConnectionRefused()] * 20
    half = shop.buy(pay=process(shop, None, *provider_is_gone))
    assert half.status == "requires_confirmation"
    assert shop.bank.charged("order_1") == usd(0)
    shop.pay.payments.confirm(half.id)
    assert shop.bank.charged("order_1") == PRICE
    assert len(shop.bank.payments) == 1


def test_two_requests_under_one_key_are_the_adapters_mistake():
    wire = Wire(Call(key="pp1_first"))
    first = Request(operation="create_payment", method="POST", target="/a", key="pp1_first")
    wire.outgoing(first)
    with pytest.raises(ConfigurationError, match="step_key"):
        wire.outgoing(replace(first, target="/b", step="confirm"))
    wire.outgoing(replace(first, step="confirm", key=step_key("pp1_first", "confirm")))
