"""Two real adapters behind one router, each in front of its simulator."""

import httpx
import pytest

from payport import InvalidRequest, Money, Payport
from payport.providers.adyen import AdyenProvider, payment_method_from
from payport.providers.routing import Router, Rule
from payport.providers.stripe import StripeProvider
from payport.storage.memory import MemoryStore
from payport.testing import AdyenSimulator, ConnectionRefused, FakeClock, StripeSimulator
from payport.testing.adyen_simulator import HMAC_KEY

ACCOUNT = "ShopECOM"
PRICE = Money(4_999, "EUR")
BACK = "https://shop.example/back"
ENCRYPTED = {
    "paymentMethod": {
        "type": "scheme",
        "encryptedCardNumber": "test_4111111111111111",
        "encryptedExpiryMonth": "test_03",
        "encryptedExpiryYear": "test_2030",
        "encryptedSecurityCode": "test_737",
    },
}


class Shop:
    def __init__(self):
        self.clock = FakeClock()
        self.stripe = StripeSimulator(clock=self.clock)
        self.adyen = AdyenSimulator(clock=self.clock, account=ACCOUNT)
        self.store = MemoryStore()

    def client(self, rules):
        stripe = StripeProvider(
            api_key="sk_test_obviouslyfake",
            webhook_secrets=self.stripe.bank.signing_secrets,
            http_client=httpx.Client(transport=self.stripe.transport()),
        )
        adyen = AdyenProvider(
            api_key="AQEobviouslyfake",
            merchant_account=ACCOUNT,
            environment="test",
            webhook_secrets=[HMAC_KEY],
            http_client=httpx.Client(transport=self.adyen.transport()),
        )
        router = Router([stripe, adyen], rules)
        return Payport(router, scope="shop", store=self.store, clock=self.clock)

    def buy(self, pay, method, reference="order_1", **more):
        return pay.payments.create(
            reference=reference,
            amount=more.pop("amount", PRICE),
            payment_method=method,
            return_url=BACK,
            confirm=True,
            **more,
        )


@pytest.fixture
def shop():
    return Shop()


RULES = [Rule("adyen", methods={"ideal"}), Rule(["stripe", "adyen"])]


def test_each_token_pays_where_it_is_known(shop):
    pay = shop.client(RULES)
    assert shop.buy(pay, "pm_card_visa").provider == "stripe"
    ideal = shop.buy(pay, "PMCARDOK", "order_2", payment_method_type="ideal")
    assert (ideal.provider, ideal.status) == ("adyen", "succeeded")
    assert shop.stripe.bank.charged("order_1") == PRICE
    assert shop.adyen.bank.charged("order_2") == PRICE


def test_a_saved_method_of_the_first_never_goes_to_the_second(shop):
    pay = shop.client([Rule("adyen", currencies={"EUR"}), Rule(["stripe", "adyen"])])
    paid = shop.buy(pay, "pm_card_visa")
    assert paid.provider == "stripe"
    (row,) = pay.operations.list()
    assert row.route == "stripe: rule 2 (every payment)"
    only = shop.client([Rule("adyen")])
    with pytest.raises(InvalidRequest, match="stripe, which takes no new payments"):
        shop.buy(only, "pm_card_visa", "order_2")


@pytest.mark.parametrize("is_open", [True, False], ids=["away", "there"])
def test_a_token_of_the_second_never_goes_to_the_first(shop, is_open):
    """Stored at Adyen its id begins with nothing; what a browser encrypted is nobody else's."""
    pay = shop.client(RULES)
    if is_open:
        pay.breakers["stripe"].open()
    encrypted = payment_method_from(ENCRYPTED)
    stored, collected = shop.buy(pay, "PMCARDOK"), shop.buy(pay, encrypted, "order_2")
    assert (stored.provider, collected.provider) == ("adyen", "adyen")
    routes = {row.payment_id: row.route for row in pay.operations.list()}
    assert routes[stored.id].startswith("adyen: not stripe, which cannot: stripe has no payment")
    assert encrypted not in repr([(row.command, row.request) for row in pay.operations.list()])
    assert shop.stripe.bank.payments == ()
    only = shop.client([Rule("stripe")])
    with pytest.raises(InvalidRequest, match="payment_method") as refused:
        shop.buy(only, "PMCARDOK", "order_9")
    assert "PMCARDOK" not in str(refused.value)
    with pytest.raises(InvalidRequest, match="adyen, which takes no new payments"):
        shop.buy(only, encrypted, "order_9")
    assert shop.stripe.bank.payments == ()


def test_a_currency_that_one_does_not_take_goes_to_the_other_one(shop):
    pay = shop.client([Rule(["adyen", "stripe"])])
    paid = shop.buy(pay, "pm_card_visa", amount=Money(5_000, "USD"))
    assert paid.provider == "stripe", "the token is its own"
    with pytest.raises(InvalidRequest, match="adyen takes no MGA"):
        shop.client([Rule("adyen")]).payments.create(
            reference="order_9",
            amount=Money(50_000, "MGA"),
            payment_method="PMCARDOK",
            confirm=True,
        )


def test_webhooks_and_refunds_of_both_find_their_way(shop):
    pay = shop.client(RULES)
    one = shop.buy(pay, "pm_card_visa")
    other = shop.buy(pay, "PMCARDOK", "order_2", payment_method_type="ideal")
    for paid in (one, other):
        pay.refunds.create(payment=paid.id, reference=f"return_{paid.provider}")
    for name, simulator in (("stripe", shop.stripe), ("adyen", shop.adyen)):
        for request in simulator.webhooks():
            pay.webhooks.receive(body=request.body, headers=request.headers, provider=name)
    pay.webhooks.process_due()
    for paid in (one, other):
        assert pay.payments.get(paid.id).refunded == PRICE
    assert pay.webhooks.stats().deliveries["dead"] == 0


def test_a_connection_that_is_refused_on_the_wire_moves_the_payment(shop, monkeypatch):
    """Paid by the token of a vault that both know, which is neither's own."""
    monkeypatch.setattr("payport.providers.stripe.spec._METHODS", ())
    stripe_script = shop.stripe.new_script()
    stripe = StripeProvider(
        api_key="sk_test_obviouslyfake",
        webhook_secrets=shop.stripe.bank.signing_secrets,
        http_client=httpx.Client(transport=shop.stripe.transport(stripe_script)),
    )
    pay = shop.client(RULES)
    router = Router([stripe, pay.providers["adyen"]], RULES)
    pay = Payport(router, scope="shop", store=shop.store, clock=shop.clock)
    stripe_script.next("create_payment", ConnectionRefused())
    paid = shop.buy(pay, "PMCARDOK")
    assert paid.provider == "adyen"
    (row,) = pay.operations.list()
    assert row.route.startswith("stripe: rule 2 (every payment); then adyen: nothing was sent to")
