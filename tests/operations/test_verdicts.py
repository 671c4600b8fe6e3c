"""
A person concludes what nothing automatic could: with a reason and a name that are kept for ever,
shown by the provider's own object where it can be read, and reopened by later evidence.
"""

from datetime import timedelta

import pytest
from shops import (
    BEHAVIOURS,
    PRICE,
    Doing,
    behaving,
    blocking,
    each_behaviour,
    each_colour,
    each_operation,
    usd,
)

from payport import (
    DuplicatePayment,
    InvalidRequest,
    InvalidTransition,
    NotFound,
    SensitiveData,
    Verdict,
)
from payport.operations.records import OperationState
from payport.operations.settling import given_up
from payport.testing import Crash, CrashAfter, CrashBefore, LostRequest

WHO = {"reason": "Looked at the dashboard.", "author": "zoe@shop.example"}


def waiting(shop, doing, crash):
    """An operation that recovery left to a person."""
    there = doing.begin(shop)
    shop.fake.webhooks()
    doomed = shop.provider()
    doomed.next(doing.operation, crash)
    with pytest.raises(Crash):
        doing.call(shop, there, shop.client(doomed))
    shop.clock.advance(timedelta(days=3))
    sent = doing.row(shop)
    why = "nothing shows it: a search that lags, a tag that was lost"
    shop.transact(lambda tx: given_up(tx, sent, OperationState.NEEDS_REVIEW, shop.clock.now(), why))
    return there, doing.row(shop)


def ref_of(shop, doing):
    """The provider's id of what the operation made."""
    if doing.operation == "create_refund":
        return shop.bank.refunds[-1].ref
    return shop.bank.payment("order_1").ref


@each_behaviour
def test_what_was_executed_is_concluded_as_the_provider_shows_it(shop):
    doing = Doing("create_payment")
    _, row = waiting(shop, doing, CrashAfter())
    after = shop.pay.operations.resolve(
        row.id, Verdict.EXECUTED, provider_ref=ref_of(shop, doing), **WHO
    )
    assert after.state == "confirmed"
    payment = shop.pay.payments.get(reference="order_1")
    assert (payment.captured, payment.status) == (PRICE, "succeeded")
    assert (payment.in_flight, payment.unresolved) == ((), ())
    assert "PaymentSucceeded" in shop.events(payment)
    (word,) = shop.pay.operations.resolutions(row.id)
    assert (word.author, word.reason) == (WHO["author"], WHO["reason"])
    assert (word.from_state, word.to_state) == ("needs_review", "confirmed")


@each_operation
def test_every_operation_can_be_shown(shop, doing):
    _there, row = waiting(shop, doing, CrashAfter())
    shop.pay.operations.resolve(row.id, "executed", provider_ref=ref_of(shop, doing), **WHO)
    doing.check_done(shop)


@blocking("adyen_like")
@each_operation
def test_where_the_provider_cannot_be_read_the_word_alone_concludes(shop, doing):
    _there, row = waiting(shop, doing, CrashAfter())
    after = shop.pay.operations.resolve(row.id, "executed", provider_ref=ref_of(shop, doing), **WHO)
    assert after.state == "confirmed"
    payment = shop.pay.payments.get(reference="order_1")
    assert (payment.captured, payment.refunded) == (
        shop.bank.charged("order_1"),
        shop.bank.refunded("order_1"),
    )


@each_operation
def test_what_was_not_executed_releases_what_it_spoke_for_and_may_begin_again(shop, doing):
    there, row = waiting(shop, doing, CrashBefore())
    after = shop.pay.operations.resolve(row.id, Verdict.NOT_EXECUTED, **WHO)
    assert (after.state, after.doubtful, after.next_look_at) == ("no_effect", False, None)
    payment = shop.pay.payments.get(reference="order_1")
    assert (payment.in_flight, payment.unresolved) == ((), ())
    assert (payment.refund_pending, payment.capture_pending) == (usd(0), usd(0))
    if doing.operation in {"create_payment", "confirm_payment"}:
        doing.call(shop, there, shop.another())
        assert doing.effects(shop) == 1
        assert shop.bank.charged("order_1") == PRICE


@each_behaviour
def test_who_said_what_and_why_is_kept(shop):
    _, row = waiting(shop, Doing("create_payment"), CrashBefore())
    assert shop.pay.operations.resolutions(row.id) == ()
    shop.pay.operations.resolve(row.id, Verdict.NOT_EXECUTED, **WHO)
    (word,) = shop.pay.operations.resolutions(row.id)
    assert (word.author, word.reason) == (WHO["author"], WHO["reason"])
    assert (word.from_state, word.to_state) == ("needs_review", "no_effect")
    assert word.at == shop.clock.now()


@each_behaviour
def test_evidence_reopens_what_a_person_said(shop):
    """The person was wrong: the webhook with our tag comes ten days late."""
    doing = Doing("create_payment")
    _, row = waiting(shop, doing, CrashAfter())
    shop.pay.operations.resolve(row.id, Verdict.NOT_EXECUTED, **WHO)
    assert shop.pay.payments.get(reference="order_1").captured == usd(0)

    shop.deliver()
    assert doing.row(shop).state == "confirmed"
    assert shop.pay.payments.get(reference="order_1").captured == PRICE
    said, evidence = shop.pay.operations.resolutions(row.id)
    assert (evidence.author, evidence.from_state, evidence.to_state) == (
        "payport",
        "no_effect",
        "confirmed",
    )
    assert said.author == WHO["author"]


@each_behaviour
def test_a_word_that_was_wrong_and_acted_upon_raises_the_alarm(shop):
    alarms = []

    @shop.handlers.on(DuplicatePayment)
    def alarm(event, tx):
        alarms.append(event)

    _, row = waiting(shop, Doing("create_payment"), CrashAfter())
    shop.pay.operations.resolve(row.id, Verdict.NOT_EXECUTED, **WHO)
    shop.buy(attempt=2)
    shop.deliver()
    assert shop.bank.charged("order_1") == PRICE + PRICE
    assert len(alarms) == 1


@behaving("stripe_like", "keyless")
def test_what_the_provider_does_not_show_is_not_executed(shop):
    doing = Doing("capture_payment")
    _, row = waiting(shop, doing, CrashBefore())
    with pytest.raises(InvalidRequest, match="does not show"):
        shop.pay.operations.resolve(row.id, "executed", **WHO)
    assert doing.row(shop).state == "needs_review"
    assert shop.pay.operations.resolutions(row.id) == ()


@behaving("stripe_like", "keyless")
def test_another_payments_object_is_refused(shop):
    shop.buy("order_2")
    doing = Doing("create_payment")
    _, row = waiting(shop, doing, CrashBefore())
    with pytest.raises(InvalidRequest, match="order_2"):
        shop.pay.operations.resolve(
            row.id, "executed", provider_ref=shop.bank.payment("order_2").ref, **WHO
        )
    assert shop.pay.payments.get(reference="order_1").captured == usd(0)


@each_colour
def test_only_what_needs_review_is_for_a_person(shop):
    shop.buy()
    (row,) = shop.rows()
    with pytest.raises(InvalidTransition, match="confirmed"):
        shop.pay.operations.resolve(row.id, "not_executed", **WHO)


@each_colour
@pytest.mark.parametrize("crash", [CrashBefore(), CrashAfter()], ids=repr)
@pytest.mark.parametrize("verdict", ["executed", "not_executed"])
def test_what_is_being_sent_or_looked_for_is_not_for_a_person(shop, crash, verdict):
    doomed = shop.provider()
    doomed.next("create_payment", crash)
    with pytest.raises(Crash):
        shop.buy(pay=shop.client(doomed))
    away = shop.provider()
    away.decide(lambda asked: LostRequest() if asked.operation != "account" else None)
    for state in ("sent", "unknown"):
        (row,) = shop.rows()
        assert row.state == state
        with pytest.raises(InvalidTransition, match=state):
            shop.pay.operations.resolve(row.id, verdict, **WHO)
        assert shop.rows() == [row]
        shop.clock.advance(12)
        shop.client(away).operations.recover()


@each_colour
@pytest.mark.parametrize(
    ("named", "match"),
    [
        ({"reason": ""}, "reason"),
        ({"reason": "  "}, "reason"),
        ({"reason": None}, "reason"),
        ({"author": ""}, "author"),
        ({"author": None}, "author"),
        ({"verdict": "perhaps"}, "verdict"),
        ({"provider_ref": "../refunds"}, "provider_ref"),
    ],
)
def test_a_word_without_reason_or_author_is_refused(shop, named, match):
    shop.buy()
    asked = {"verdict": "not_executed", **WHO, **named}
    with pytest.raises(InvalidRequest, match=match):
        shop.pay.operations.resolve(shop.rows()[0].id, asked.pop("verdict"), **asked)


@each_colour
def test_a_card_number_is_not_kept_as_a_reason(shop):
    shop.buy()
    with pytest.raises(SensitiveData):
        shop.pay.operations.resolve(
            shop.rows()[0].id, "not_executed", reason="card 4242 4242 4242 4242", author="zoe"
        )


@each_colour
def test_another_scopes_operation_is_not_there(shop):
    shop.buy()
    (row,) = shop.rows()
    tenant = shop.pay.scoped("tenant_9")
    with pytest.raises(NotFound):
        tenant.operations.resolve(row.id, "not_executed", **WHO)
    with pytest.raises(NotFound):
        tenant.operations.resolutions(row.id)


@blocking(*BEHAVIOURS)
def test_a_refund_that_was_not_executed_frees_its_amount(shop):
    doing = Doing("create_refund")
    there, row = waiting(shop, doing, CrashBefore())
    assert shop.pay.payments.get(there.id).refund_pending == usd(1000)
    shop.pay.operations.resolve(row.id, "not_executed", **WHO)
    assert shop.refund(there, "return_2").amount == PRICE
