"""What concludes an operation whose answer was lost, and what does not."""

from dataclasses import replace

import pytest
from shops import PRICE, VISA, Doing, Kind, blocking, each_colour, kinds, usd

from payport import ConfigurationError, OutcomeUnknown
from payport.operations.steps import AsyncPorts, Ports
from payport.testing import Declined, FakeProvider, LostRequest, LostResponse, Tokens


def lose(shop, operation, fault):
    """The operation's request or answer is lost, and nobody answers questions."""
    shop.fake.decide(
        lambda asked: (
            fault
            if asked.operation == operation
            else None
            if asked.operation == "account"
            else LostRequest()
        )
    )


def receive(shop, requests):
    for request in requests:
        shop.receive(request)
    shop.pay.webhooks.process_due()


@each_colour
def test_a_late_webhook_of_an_earlier_try_proves_nothing_about_a_later_one(shop):
    """The same object is tried again, so its history looks like a change; it is an old one."""
    shop.buy(payment_method=Tokens.AUTHENTICATE)
    late = shop.fake.webhooks()
    shop.bank.authenticate("order_1", ok=False)
    shop.deliver()
    assert shop.pay.payments.get(reference="order_1").decline is not None

    lose(shop, "confirm_payment", LostRequest())
    with pytest.raises(OutcomeUnknown):
        shop.buy(attempt=2)
    receive(shop, late)

    row = Doing("confirm_payment").row(shop)
    assert row.state == "unknown"
    after = shop.pay.payments.get(reference="order_1")
    assert (after.status, after.unresolved) == ("unknown", (row.key,))


@blocking("adyen_like")
def test_a_late_webhook_proves_nothing_about_a_try_that_makes_an_object_of_its_own(shop):
    shop.buy(payment_method=Tokens.EXPIRED)
    late = shop.fake.webhooks()
    shop.buy(payment_method=Tokens.EXPIRED, attempt=2)

    lose(shop, "confirm_payment", LostRequest())
    with pytest.raises(OutcomeUnknown):
        shop.buy(attempt=3)
    receive(shop, late)

    (lost,) = shop.pay.operations.list(state="unknown")
    assert (lost.operation, lost.attempt) == ("confirm_payment", 3)
    assert shop.pay.payments.get(reference="order_1").status == "unknown"


@each_colour
def test_a_webhook_of_the_try_itself_concludes_it(shop):
    shop.buy(payment_method=Tokens.EXPIRED)
    shop.deliver()
    lose(shop, "confirm_payment", LostResponse())
    with pytest.raises(OutcomeUnknown):
        shop.buy(attempt=2)
    shop.deliver()

    assert Doing("confirm_payment").row(shop).state == "confirmed"
    assert shop.pay.payments.get(reference="order_1").is_paid


@blocking("stripe_like", "adyen_like", "keyless")
@pytest.mark.parametrize("token", [Tokens.EXPIRED, Tokens.INSUFFICIENT_FUNDS])
def test_a_decline_whose_answer_was_lost_is_a_decline(shop, token):
    lose(shop, "create_payment", LostResponse())
    with pytest.raises(OutcomeUnknown):
        shop.buy(payment_method=token)
    shop.deliver()

    assert Doing("create_payment").row(shop).state == "rejected"
    after = shop.pay.payments.get(reference="order_1")
    assert (after.status, after.unresolved) == ("requires_payment_method", ())
    shop.fake.script.clear()
    sent = shop.requests()
    assert shop.buy(payment_method=token).decline is not None
    assert shop.requests() == sent
    shop.buy(attempt=2)
    assert shop.requests() == sent + 1


@blocking("stripe_like", "adyen_like")
def test_a_replayed_answer_is_as_old_as_the_request_that_it_answers(shop):
    lose(shop, "create_payment", LostResponse())
    with pytest.raises(OutcomeUnknown):
        shop.buy(payment_method=Tokens.PROCESSING_FAILS)
    shop.clock.advance(3600 + 600)  # the bank decides after an hour; nobody hears of it yet
    shop.fake.script.clear()
    assert shop.buy(payment_method=Tokens.PROCESSING_FAILS).status == "processing"

    shop.deliver()
    assert shop.pay.payments.get(reference="order_1").decline is not None


@each_colour
def test_an_equal_refund_made_by_hand_is_not_ours(shop):
    paid = shop.buy()
    lose(shop, "create_refund", LostRequest())
    with pytest.raises(OutcomeUnknown):
        shop.refund(paid, amount=usd(1000))
    shop.fake.script.clear()
    shop.bank.refund("order_1", usd(1000))
    shop.deliver()

    refund = shop.pay.refunds.get(reference="return_1")
    assert refund.status == "unknown"
    assert Doing("create_refund").row(shop).state == "unknown"
    after = shop.pay.payments.get(paid.id)
    assert (after.refunded, after.refund_pending) == (usd(1000), usd(1000))

    shop.refund(paid, amount=usd(1000))
    assert shop.bank.refunded("order_1") == usd(2000)


@blocking("keyless")
def test_an_equal_capture_is_told_apart_by_its_tag(shop):
    held = shop.hold()
    lose(shop, "capture_payment", LostRequest())
    with pytest.raises(OutcomeUnknown):
        shop.pay.payments.capture(held.id, amount=usd(1000), reference="parcel_1")
    shop.fake.script.clear()
    with shop.bank.open():
        ref = shop.bank.payment("order_1").ref
        shop.bank.captures_desk.capture(ref, 1000, tag=None, final=False)
    shop.deliver()

    with pytest.raises(OutcomeUnknown):
        shop.pay.payments.capture(held.id, amount=usd(1000), reference="parcel_1")
    assert shop.pay.payments.get(held.id).captured == usd(1000)
    assert shop.pay.payments.get(held.id).capture_pending == usd(1000)


@each_colour
def test_an_object_that_is_only_there_proves_no_confirmation(shop):
    made = shop.pay.payments.create(reference="order_1", amount=PRICE, payment_method=VISA)
    lose(shop, "confirm_payment", LostRequest())
    with pytest.raises(OutcomeUnknown):
        shop.pay.payments.confirm(made.id)
    shop.fake.script.clear()
    fresh = shop.pay.payments.refresh(made.id)
    assert fresh.status == "unknown"
    assert Doing("confirm_payment").row(shop).state == "unknown"


@each_colour
def test_a_refresh_concludes_what_it_proves(shop):
    made = shop.pay.payments.create(reference="order_1", amount=PRICE, payment_method=VISA)
    lose(shop, "confirm_payment", LostResponse())
    with pytest.raises(OutcomeUnknown):
        shop.pay.payments.confirm(made.id)
    shop.fake.script.clear()
    assert shop.pay.payments.refresh(made.id).is_paid
    assert Doing("confirm_payment").row(shop).state == "confirmed"


@blocking("stripe_like", "keyless")
def test_what_is_answered_to_our_own_request_is_ours_though_it_carries_no_tag(shop):
    provider = shop.provider()
    for name in ("capture_payment", "create_refund"):
        setattr(provider, name, untagged(getattr(provider, name)))
    pay = shop.client(provider)
    held = shop.hold(pay=pay)
    captured = pay.payments.capture(held.id, amount=usd(4000), reference="parcel_1")
    refund = shop.refund(held, pay=pay, amount=usd(1000))

    assert [(c.reference, c.amount) for c in captured.captures] == [("parcel_1", usd(4000))]
    assert (refund.reference, refund.status) == ("return_1", "succeeded")
    shop.deliver()
    after = shop.pay.payments.get(held.id)
    assert (len(after.captures), len(after.refunds)) == (1, 1)
    assert (after.captured, after.refunded) == (usd(4000), usd(1000))


def untagged(method):
    """The provider's method, with answers that do not tell the tag."""

    def answered(command, call):
        answer = method(command, call)
        facts = answer.facts
        bare = replace(
            facts,
            captures=tuple(replace(c, tag=None) for c in facts.captures),
            refunds=tuple(replace(r, tag=None) for r in facts.refunds),
        )
        return replace(answer, facts=bare)

    return answered


@each_colour
def test_a_refund_that_was_declined_behind_a_lost_answer_is_rejected(shop):
    paid = shop.buy()
    shop.fake.next("create_refund", Declined())
    shop.refund(paid, amount=usd(10))
    assert Doing("create_refund").row(shop).state == "rejected"
    assert shop.pay.refunds.get(reference="return_1").status == "failed"


@each_colour
def test_money_facts_are_shown_although_another_operation_is_unknown(shop):
    held = shop.hold()
    shop.pay.payments.capture(held.id, amount=usd(4999), reference="parcel_1")
    lose(shop, "capture_payment", LostRequest())
    with pytest.raises(OutcomeUnknown) as raised:
        shop.pay.payments.capture(held.id, amount=usd(1), reference="parcel_2")
    assert raised.value.payment.captured == usd(4999)
    assert raised.value.payment.status == "unknown"


# -- the two loops --------------------------------------------------------------------------------


def test_a_plain_client_does_not_take_what_must_be_awaited():
    async def work():
        pass

    ports = Ports(None, FakeProvider(), lambda seconds: None)
    with pytest.raises(ConfigurationError, match="AsyncPayport"):
        ports.call(work)
    assert ports.call(lambda: 7) == 7


@kinds(Kind("async"))
def test_an_awaited_client_takes_both(shop):
    async def work():
        return 7

    ports = AsyncPorts(None, shop.fake, None)
    assert shop.run(ports.call(work)) == 7
    assert shop.run(ports.call(lambda: 8)) == 8
