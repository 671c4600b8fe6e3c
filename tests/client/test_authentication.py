"""3-D Secure: the customer acts, and what they need is fetched anew and never kept."""

import pytest
from shops import PRICE, VISA, behaving, each_behaviour, usd

from payport import ClientToken, InvalidTransition, PaymentStatus, Redirect
from payport.testing import LostResponse, Tokens


@each_behaviour
def test_the_customer_is_sent_to_their_bank_and_pays(shop):
    waiting = shop.buy(payment_method=Tokens.AUTHENTICATE, return_url="https://shop.example/back")
    assert waiting.status is PaymentStatus.REQUIRES_ACTION
    assert isinstance(waiting.next_action, Redirect)
    assert waiting.next_action.url.startswith("https://bank.invalid/")
    assert shop.bank.charged("order_1") == usd(0)

    assert shop.bank.authenticate("order_1") == "https://shop.example/back"
    shop.deliver()
    paid = shop.pay.payments.get(waiting.id)
    assert (paid.status, paid.next_action) == (PaymentStatus.SUCCEEDED, None)
    assert shop.bank.charged("order_1") == PRICE


@each_behaviour
def test_the_customers_browser_is_handed_a_token(shop):
    waiting = shop.buy(payment_method=Tokens.AUTHENTICATE_TOKEN)
    assert isinstance(waiting.next_action, ClientToken)
    assert waiting.next_action.token == shop.bank.payment("order_1").secret


@each_behaviour
@pytest.mark.parametrize("token", [Tokens.AUTHENTICATE, Tokens.AUTHENTICATE_TOKEN])
def test_asked_again_what_the_customer_needs_is_fetched_again(shop, token):
    once = shop.buy(payment_method=token)
    again = shop.buy(payment_method=token)
    elsewhere = shop.buy(payment_method=token, pay=shop.another())

    shown = [
        (a.url if isinstance(a, Redirect) else a.token)
        for a in (p.next_action for p in (once, again, elsewhere))
    ]
    assert len(set(shown)) == 1
    assert shown[0]
    assert again.next_action.is_complete
    assert len(shop.bank.payments) == 1


@each_behaviour
@pytest.mark.parametrize("token", [Tokens.AUTHENTICATE, Tokens.AUTHENTICATE_TOKEN])
def test_what_the_customer_needs_is_never_kept(shop, token):
    waiting = shop.buy(payment_method=token)
    read = shop.pay.payments.get(waiting.id)

    assert read.status is PaymentStatus.REQUIRES_ACTION
    assert type(read.next_action) is type(waiting.next_action)
    assert not read.next_action.is_complete
    assert getattr(read.next_action, "url", None) is None
    assert getattr(read.next_action, "token", None) is None


@behaving("stripe_like", "keyless")
def test_a_refresh_brings_what_the_customer_needs(shop):
    waiting = shop.buy(payment_method=Tokens.AUTHENTICATE)
    fresh = shop.pay.payments.refresh(waiting.id)
    assert fresh.next_action.url == waiting.next_action.url


@each_behaviour
@pytest.mark.parametrize("away", [True, False])
def test_what_cannot_be_fetched_is_left_out(shop, away):
    waiting = shop.buy(payment_method=Tokens.AUTHENTICATE)
    broken = shop.provider()
    broken.decide(lambda asked: LostResponse() if away or asked.operation != "account" else None)

    again = shop.buy(payment_method=Tokens.AUTHENTICATE, pay=shop.client(broken))
    assert again == waiting
    assert not again.next_action.is_complete


@behaving("adyen_like")
def test_past_its_keys_life_nothing_is_sent_to_fetch_it(shop):
    shop.buy(payment_method=Tokens.AUTHENTICATE)
    shop.clock.advance(7 * 24 * 3600)
    sent = shop.requests()
    again = shop.buy(payment_method=Tokens.AUTHENTICATE)
    assert shop.requests() == sent
    assert not again.next_action.is_complete


@each_behaviour
@pytest.mark.parametrize("how", ["fails", "walks away", "issuer declines"])
def test_a_customer_who_does_not_authenticate_has_not_paid_and_may_try_again(shop, how):
    token = Tokens.AUTHENTICATE_DECLINED if how == "issuer declines" else Tokens.AUTHENTICATE
    shop.buy(payment_method=token)
    if how == "walks away":
        shop.clock.advance(3600)
    else:
        shop.bank.authenticate("order_1", ok=how != "fails")
    shop.deliver()
    declined = shop.pay.payments.get(reference="order_1")
    assert declined.status is PaymentStatus.REQUIRES_PAYMENT_METHOD
    assert declined.decline is not None

    shop.buy(attempt=2)
    shop.deliver()
    assert shop.pay.payments.get(reference="order_1").is_paid
    assert shop.bank.charged("order_1") == PRICE


@each_behaviour
def test_nothing_is_confirmed_while_the_customer_has_to_act(shop):
    waiting = shop.buy(payment_method=Tokens.AUTHENTICATE)
    with pytest.raises(InvalidTransition, match="customer has to act"):
        shop.pay.payments.confirm(waiting.id, payment_method=VISA)


def test_a_payment_that_waits_for_the_customer_is_canceled(shop):
    waiting = shop.buy(payment_method=Tokens.AUTHENTICATE)
    assert shop.pay.payments.cancel(waiting.id).status is PaymentStatus.CANCELED
