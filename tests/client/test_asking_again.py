"""Identity: the same call twice is one charge, another call under the same name is refused."""

import pytest
from shops import PRICE, VISA, each_behaviour, each_colour, usd

from payport import (
    AuthenticationFailed,
    ConfigurationError,
    IdempotencyConflict,
    NotFound,
    OperationState,
    ProviderUnavailable,
)
from payport.testing import Bank, Tokens, Unavailable

GIVEN = {"amount": PRICE, "payment_method": VISA, "confirm": True}


@each_behaviour
def test_the_same_call_twice_charges_once_and_answers_the_same(shop):
    once = shop.buy()
    again = shop.buy()
    elsewhere = shop.buy(pay=shop.another())

    assert once == again == elsewhere
    assert shop.bank.charged("order_1") == PRICE
    assert shop.requests() == 1


@each_behaviour
def test_each_operation_asked_twice_is_done_once(shop):
    held = shop.hold()
    for _ in range(2):
        shop.pay.payments.capture(held.id, amount=usd(1000), reference="parcel_1")
        shop.pay.payments.capture(held.id)
        shop.deliver()
        shop.refund(held, amount=usd(700))
        shop.deliver()

    assert shop.bank.charged("order_1") == PRICE
    assert shop.bank.refunded("order_1") == usd(700)
    assert shop.requests() == 4
    assert {row.state for row in shop.rows()} == {OperationState.CONFIRMED}


def test_asked_again_a_payment_comes_back_as_it_stands_now(shop):
    shop.buy()
    paid = shop.pay.payments.get(reference="order_1")
    shop.refund(paid, amount=usd(100))

    assert shop.buy().refunded == usd(100)


OTHER_TERMS = [
    {"amount": usd(4999)},
    {"amount": type(PRICE)(5000, "EUR")},
    {"payment_method": "pm_card_ok"},
    {"confirm": False},
    {"capture_method": "manual"},
    {"customer": "bu_000001"},
    {"off_session": True},
    {"save_payment_method": True},
    {"return_url": "https://shop.example/back"},
    {"description": "something else"},
    {"statement_descriptor": "SHOP"},
    {"receipt_email": "ada@example.com"},
    {"metadata": {"cart": "17"}},
]


@each_colour
@pytest.mark.parametrize("other", OTHER_TERMS, ids=repr)
def test_another_payment_under_the_same_name_is_refused_before_it_is_sent(shop, other):
    paid = shop.buy()
    sent = shop.requests()

    with pytest.raises(IdempotencyConflict, match=r"payments\.create\[order_1\]") as raised:
        shop.buy(**other)
    assert raised.value.idempotency_key == shop.rows()[0].key
    assert shop.requests() == sent
    assert shop.pay.payments.get(paid.id) == paid


def test_a_conflict_is_seen_by_another_process(shop):
    shop.buy()
    with pytest.raises(IdempotencyConflict):
        shop.buy(pay=shop.another(), amount=usd(1))
    assert shop.requests() == 1


@each_colour
def test_another_capture_under_the_same_name_is_refused(shop):
    held = shop.hold()
    shop.pay.payments.capture(held.id, amount=usd(1000), reference="parcel_1")
    sent = shop.requests()
    for other in ({"amount": usd(1001)}, {"amount": usd(1000), "final": True}, {}):
        with pytest.raises(IdempotencyConflict, match=r"payments\.capture\[parcel_1\]"):
            shop.pay.payments.capture(held.id, reference="parcel_1", **other)
    assert shop.requests() == sent


@each_colour
def test_another_refund_under_the_same_name_is_refused(shop):
    paid = shop.buy()
    shop.refund(paid, amount=usd(100))
    sent = shop.requests()
    others = ({"amount": usd(101)}, {}, {"reason": "duplicate"}, {"metadata": {"a": "b"}})
    for other in others:
        with pytest.raises(IdempotencyConflict, match=r"refunds\.create\[return_1\]"):
            shop.refund(paid, **{"amount": usd(100), **other} if other else {})
    assert shop.requests() == sent


@each_colour
def test_another_confirmation_of_the_same_attempt_is_refused(shop):
    made = shop.pay.payments.create(reference="order_1", amount=PRICE, payment_method=VISA)
    shop.pay.payments.confirm(made.id)
    sent = shop.requests()
    others = ({"payment_method": "pm_card_ok"}, {"return_url": "https://a.example/"})
    for other in (*others, {"off_session": True}):
        with pytest.raises(IdempotencyConflict, match=r"payments\.confirm"):
            shop.pay.payments.confirm(made.id, **other)
    assert shop.pay.payments.confirm(made.id, off_session=False).is_paid, "as it was made"
    assert shop.requests() == sent


@each_colour
def test_that_the_customer_is_present_now_is_not_taken_for_a_repetition(shop):
    made = shop.pay.payments.create(
        reference="order_1", amount=PRICE, payment_method=VISA, off_session=True
    )
    shop.pay.payments.confirm(made.id)
    with pytest.raises(IdempotencyConflict):
        shop.pay.payments.confirm(made.id, off_session=False)


# -- other spaces ---------------------------------------------------------------------------------


def test_one_reference_in_two_scopes_is_two_payments(shop):
    mine = shop.buy()
    theirs = shop.buy(pay=shop.pay.scoped("tenant_9"))

    assert mine.id != theirs.id
    assert (mine.scope, theirs.scope) == ("test", "tenant_9")
    assert shop.bank.charged("order_1") == PRICE + PRICE
    assert len({payment.order.tag for payment in shop.bank.payments}) == 2


def test_what_is_in_another_scope_is_not_found(shop):
    mine = shop.buy()
    other = shop.pay.scoped("tenant_9")
    (row,) = shop.rows()
    assert shop.pay.operations.get(row.id) == row

    with pytest.raises(NotFound, match="tenant_9"):
        other.payments.get(mine.id)
    with pytest.raises(NotFound):
        other.refunds.create(payment=mine.id, reference="return_1")
    with pytest.raises(NotFound):
        other.operations.get(row.id)
    assert list(other.payments.list()) == list(other.operations.list()) == []
    assert shop.requests() == 1


def test_a_scoped_client_shares_connections_and_closing_it_closes_nothing(shop):
    tenant = shop.pay.scoped("tenant_9")
    assert tenant.scope == "tenant_9"
    assert tenant.scoped("tenant_10").scope == "tenant_10"
    tenant.aclose() if shop.is_async else tenant.close()

    assert shop.buy().is_paid
    assert shop.buy(pay=tenant).is_paid


def test_scopes_of_one_client_ask_for_the_account_once(shop):
    asked = []
    shop.fake.decide(lambda request: asked.append(request.operation))
    shop.buy()
    shop.buy(pay=shop.pay.scoped("tenant_9"))
    assert asked.count("account") == 1


# -- accounts -------------------------------------------------------------------------------------


def elsewhere(shop):
    """A client on the same store, in front of another account of the same bank's."""
    bank = Bank(behaviour=shop.bank.behaviour, clock=shop.clock, account="acct_other")
    make = type(shop.fake)
    return bank, shop.client(make(bank=bank))


@each_behaviour
def test_a_payment_is_not_continued_at_another_account(shop):
    held = shop.hold()
    bank, other = elsewhere(shop)

    for call in (
        lambda: other.payments.capture(held.id),
        lambda: other.payments.cancel(held.id),
        lambda: shop.refund(held, pay=other),
        lambda: shop.buy("order_1", pay=other, attempt=2, capture_method="manual"),
    ):
        with pytest.raises(ConfigurationError, match=r"acct_fake.*acct_other"):
            call()
    assert sum(bank.vault.arrived.values()) == 0
    assert shop.pay.payments.get(held.id) == held


def test_a_payment_is_not_read_at_another_account(shop):
    paid = shop.buy()
    refund = shop.refund(paid, amount=usd(1))
    _, other = elsewhere(shop)
    shop.buy("another order there", pay=other)  # the bank there gives it the same id

    with pytest.raises(ConfigurationError, match="acct_other"):
        other.payments.refresh(paid.id)
    with pytest.raises(ConfigurationError, match="acct_other"):
        other.refunds.refresh(refund.id)
    assert shop.pay.payments.get(paid.id).refunded == usd(1)


@each_behaviour
def test_an_operation_that_began_at_one_account_is_not_sent_at_another(shop):
    shop.fake.next("create_payment", *[Unavailable()] * 4)
    with pytest.raises(ProviderUnavailable):
        shop.buy()
    bank, other = elsewhere(shop)
    with pytest.raises(ConfigurationError, match=r"acct_fake.*acct_other"):
        shop.buy(pay=other)
    assert sum(bank.vault.arrived.values()) == 0
    assert shop.buy().reference == "order_1"


# -- without asking anybody -----------------------------------------------------------------------


def test_what_is_known_is_answered_while_the_provider_is_away(shop):
    paid = shop.buy()
    declined = shop.buy("order_2", payment_method=Tokens.EXPIRED)
    away = shop.provider(api_key="fake_key_of_nobody")
    away.revoke_key()
    late = shop.client(away)

    assert shop.buy(pay=late) == paid
    assert shop.buy("order_2", pay=late, payment_method=Tokens.EXPIRED) == declined
    with pytest.raises(IdempotencyConflict):
        shop.buy(pay=late, amount=usd(1))
    with pytest.raises(AuthenticationFailed):
        shop.buy("order_3", pay=late)
