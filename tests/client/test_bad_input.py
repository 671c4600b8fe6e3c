"""
Bad input is refused before anything is stored or sent, with an error that names the operation, the
field and what to do.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
from shops import PRICE, Kind, each_colour, kinds, usd

from payport import (
    AsyncPayport,
    ConfigurationError,
    Environment,
    InvalidRequest,
    Money,
    Payport,
    RefundReason,
    SensitiveData,
)
from payport.storage.memory import AsyncMemoryStore, MemoryStore
from payport.testing import AsyncFakeProvider, FakeProvider

CARD = "4242424242424242"
CARDS = [
    CARD,
    "4242 4242 4242 4242",
    "4242-4242-4242-4242",
    "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢",
    "4242\uff14\uff12\uff14\uff1242424242",  # full-width digits
    "378282246310005",
    "my card is 5555 5555 5555 4444, thanks",
]


def check_refused(shop, call, field, *, operation, error=InvalidRequest, said=None):
    """The call is refused by name, and nothing was stored or sent."""
    requests = []
    shop.fake.decide(lambda asked: requests.append(asked.operation))
    with pytest.raises(error) as raised:
        call()
    shop.fake.script.clear()
    assert raised.value.operation == operation
    # Inside of metadata the place is told too.
    assert raised.value.field == field or raised.value.field.startswith(("metadata.", "metadata ("))
    assert operation in str(raised.value)
    assert field in str(raised.value)
    assert not raised.value.retryable
    assert not raised.value.money_may_have_moved
    assert (said or "") in str(raised.value)
    assert requests == []
    assert shop.due() == []
    assert list(shop.pay.payments.list()) == list(shop.pay.operations.list()) == []
    return raised.value


# -- references -----------------------------------------------------------------------------------

REFERENCES = {
    "blank": "  ",
    "empty": "",
    "over-long": "x" * 81,
    "a path": "../v1/refunds",
    "a slash": "a/b",
    "a back slash": "a\\b",
    "a query": "a?b=1",
    "a fragment": "a#b",
    "escaped": "a%2fb",
    "spaces around": " order_1",
    "a line": "order_1\n",
    "NUL": "order\0",
    "not ASCII": "bestellung_ä",
    "a number": 12345,
    "bytes": b"order_1",
    "nothing": None,
    "an object": object(),
}


@each_colour
@pytest.mark.parametrize("name", REFERENCES)
def test_a_reference_is_a_short_stable_text(shop, name):
    reference = REFERENCES[name]
    check_refused(
        shop, lambda: shop.buy(reference), "reference", operation="payments.create", said="order_1"
    )


@each_colour
@pytest.mark.parametrize("name", sorted(set(REFERENCES) - {"nothing"}))
def test_references_of_refunds_and_captures_are_looked_at_too(shop, name):
    reference, payment = REFERENCES[name], "pay_" + "a" * 26
    check_refused(
        shop,
        lambda: shop.pay.refunds.create(payment=payment, reference=reference),
        "reference",
        operation="refunds.create",
    )
    check_refused(
        shop,
        lambda: shop.pay.payments.capture(payment, reference=reference),
        "reference",
        operation="payments.capture",
    )


@each_colour
@pytest.mark.parametrize("scope", ["", " ", "x" * 65, "../other", "a/b", 7, None])
def test_a_scope_is_a_short_stable_text(shop, scope):
    with pytest.raises(InvalidRequest, match="scope"):
        shop.pay.scoped(scope)


# -- amounts --------------------------------------------------------------------------------------


@each_colour
@pytest.mark.parametrize(
    "amount",
    [0, 50, 49.99, True, "49.99", None, Decimal("49.99"), usd(0), usd(-1), usd(10**12)],
    ids=repr,
)
def test_an_amount_is_positive_money_and_not_too_much(shop, amount):
    check_refused(shop, lambda: shop.buy(amount=amount), "amount", operation="payments.create")


@each_colour
@pytest.mark.parametrize("amount", [10, 1.5, False, usd(0), usd(-5)], ids=repr)
def test_amounts_of_refunds_and_captures_are_looked_at_too(shop, amount):
    payment = "pay_" + "a" * 26
    check_refused(
        shop,
        lambda: shop.pay.refunds.create(payment=payment, reference="return_1", amount=amount),
        "amount",
        operation="refunds.create",
    )
    check_refused(
        shop,
        lambda: shop.pay.payments.capture(payment, amount=amount),
        "amount",
        operation="payments.capture",
    )


@pytest.mark.parametrize("minor", [1.0, True, "1", None, Decimal(1)], ids=repr)
def test_money_is_whole_minor_units(minor):
    with pytest.raises(InvalidRequest):
        Money(minor, "USD")


@pytest.mark.parametrize("currency", ["usd", "XXQ", "", "US", None, 840])
def test_money_has_a_currency_that_exists(currency):
    with pytest.raises(InvalidRequest):
        Money(100, currency)


@pytest.mark.parametrize("amount", ["1.001", "1e-3", Decimal("0.001"), 1.5, "1,5"], ids=repr)
def test_money_from_decimals_has_no_digits_too_many(amount):
    with pytest.raises(InvalidRequest):
        Money.from_major(amount, "USD")


@each_colour
def test_a_currency_does_not_change(shop):
    held = shop.hold()
    with pytest.raises(InvalidRequest, match=r"payments\.capture.*amount.*USD, not EUR"):
        shop.pay.payments.capture(held.id, amount=Money(100, "EUR"))
    assert shop.requests() == 1


# -- card data ------------------------------------------------------------------------------------

#: Where a card number may turn up.
PLACES = {
    "payment_method": lambda card: {"payment_method": card},
    "customer": lambda card: {"customer": card},
    "description": lambda card: {"description": f"paid with {card}"},
    "statement_descriptor": lambda card: {"statement_descriptor": card},
    "receipt_email": lambda card: {"receipt_email": f"{card}@example.com"},
    "return_url": lambda card: {"return_url": f"https://shop.example/?card={card}"},
    "metadata": lambda card: {"metadata": {"note": card}},
}


@each_colour
@pytest.mark.parametrize("place", PLACES)
def test_a_card_number_goes_nowhere(shop, place):
    error = check_refused(
        shop,
        lambda: shop.buy(**PLACES[place](CARD)),
        place,
        operation="payments.create",
        error=SensitiveData,
        said="token",
    )
    assert CARD not in repr(error) + str(error.args)


@kinds(Kind())
@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("place", ["payment_method", "description", "metadata"])
def test_a_card_number_is_known_however_it_is_written(shop, place, card):
    check_refused(
        shop,
        lambda: shop.buy(**PLACES[place](card)),
        place,
        operation="payments.create",
        error=SensitiveData,
    )


@each_colour
def test_a_card_number_is_no_key_and_no_reference(shop):
    refused = {"operation": "payments.create", "error": SensitiveData}
    check_refused(shop, lambda: shop.buy(metadata={CARD: "x"}), "metadata", **refused)
    check_refused(shop, lambda: shop.buy(CARD), "reference", **refused)
    payment = "pay_" + "a" * 26
    for call, operation in (
        (lambda: shop.pay.refunds.create(payment=payment, reference=CARD), "refunds.create"),
        (lambda: shop.pay.payments.capture(payment, reference=CARD), "payments.capture"),
    ):
        check_refused(shop, call, "reference", operation=operation, error=SensitiveData)


@each_colour
@pytest.mark.parametrize("name", ["cvc", "CVV2", "card_cvc", "cardNumber", "track2", "iban"])
def test_a_security_code_goes_nowhere(shop, name):
    check_refused(
        shop,
        lambda: shop.buy(metadata={name: "123"}),
        "metadata",
        operation="payments.create",
        error=SensitiveData,
    )
    check_refused(
        shop,
        lambda: shop.buy(description="cvc: 123"),
        "description",
        operation="payments.create",
        error=SensitiveData,
    )


@each_colour
def test_a_card_number_is_no_method_of_a_confirmation_either(shop):
    check_refused(
        shop,
        lambda: shop.pay.payments.confirm("pay_" + "a" * 26, payment_method=CARD),
        "payment_method",
        operation="payments.confirm",
        error=SensitiveData,
    )


def test_an_order_number_that_is_no_card_passes(shop):
    assert shop.buy("4242424242424243").is_paid
    assert shop.buy("1234567890123456").is_paid


# -- metadata -------------------------------------------------------------------------------------

METADATA = {
    "too many": {str(number): "x" for number in range(51)},
    "long name": {"x" * 41: "x"},
    "no name": {"": "x"},
    "long value": {"a": "x" * 501},
    "brackets": {"a[b]": "x"},
    "ours": {"payport_key": "x"},
    "a number": {"a": 1},
    "a numbered name": {1: "a"},
    "nested": {"a": {"b": "c"}},
    "a list": ["a"],
    "a text": "a=b",
}


@each_colour
@pytest.mark.parametrize("name", METADATA)
def test_metadata_is_a_little_text_for_text(shop, name):
    check_refused(
        shop,
        lambda: shop.buy(metadata=METADATA[name]),
        "metadata",
        operation="payments.create",
    )
    check_refused(
        shop,
        lambda: shop.pay.refunds.create(
            payment="pay_" + "a" * 26, reference="return_1", metadata=METADATA[name]
        ),
        "metadata",
        operation="refunds.create",
    )


def test_metadata_within_the_limits_passes(shop):
    most = {f"name_{number}": "x" * 500 for number in range(50)}
    assert shop.buy(metadata=most).metadata == most


# -- everything else ------------------------------------------------------------------------------

TERMS = {
    "payment_method": [
        "",
        "  ",
        "pm_../../v1",
        "pm/1",
        "pm?x",
        "x" * 1001,
        7,
        ["pm"],
        {"id": "pm"},
    ],
    "customer": ["", "cus_1/../2", 7],
    "capture_method": ["later", "", None, 7],
    "confirm": [1, "yes", None],
    "off_session": [1, "no", None],
    "save_payment_method": [0, None],
    "description": ["", " ", "x" * 501, 7],
    "statement_descriptor": ["", "x" * 23, 7],
    "receipt_email": ["nobody", "a@b@c", "a b@c", "x" * 330, 7],
    "return_url": [
        "",
        "shop.example/back",
        "//shop.example",
        "ftp://shop.example",
        "javascript:alert(1)",
        "https://",
        "https://user:password@shop.example/",
        "https://shop.example/a b",
        "https://shop.example/\nx",
        "https://shop.example/" + "x" * 2048,
        7,
    ],
    "attempt": [0, -1, 1.0, "2", True, None],
}


@each_colour
@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in TERMS.items() for value in values]
)
def test_each_term_is_looked_at(shop, field, value):
    error = check_refused(
        shop, lambda: shop.buy(**{field: value}), field, operation="payments.create"
    )
    assert error.reference == "order_1"


@each_colour
def test_a_payment_that_is_confirmed_needs_a_method(shop):
    check_refused(
        shop,
        lambda: shop.pay.payments.create(reference="order_1", amount=PRICE, confirm=True),
        "payment_method",
        operation="payments.create",
    )


@each_colour
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("payment_method", "pm/1"),
        ("return_url", "nowhere"),
        ("off_session", 1),
        ("attempt", 0),
        ("attempt", True),
    ],
)
def test_each_term_of_a_confirmation_is_looked_at(shop, field, value):
    check_refused(
        shop,
        lambda: shop.pay.payments.confirm("pay_" + "a" * 26, **{field: value}),
        field,
        operation="payments.confirm",
    )


@each_colour
@pytest.mark.parametrize("reason", ["because", "", None, 7])
def test_a_refunds_reason_is_a_known_one(shop, reason):
    check_refused(
        shop,
        lambda: shop.pay.refunds.create(
            payment="pay_" + "a" * 26, reference="return_1", reason=reason
        ),
        "reason",
        operation="refunds.create",
        said=f"'{RefundReason.DUPLICATE}'",
    )


@each_colour
def test_whether_a_capture_is_the_last_is_yes_or_no(shop):
    check_refused(
        shop,
        lambda: shop.pay.payments.capture("pay_" + "a" * 26, final=1),
        "final",
        operation="payments.capture",
    )


# -- ids ------------------------------------------------------------------------------------------

IDS = [
    "",
    "bp_000001",
    "pi_3OabcDEF",
    "pay_../../v1/refunds",
    "pay_%2f%2e%2e",
    "pay_" + "A" * 26,
    "pay_" + "a" * 25,
    "pay_" + "a" * 27,
    "pay_" + "a" * 26 + "\n",
    "rfd_" + "a" * 25,
    "order_1",
    7,
    None,
]


@each_colour
@pytest.mark.parametrize("wrong", IDS, ids=repr)
def test_an_id_is_payports_own(shop, wrong):
    payments, refunds = shop.pay.payments, shop.pay.refunds
    calls = {
        "payments.confirm": lambda: payments.confirm(wrong),
        "payments.capture": lambda: payments.capture(wrong),
        "payments.cancel": lambda: payments.cancel(wrong),
        "payments.get": lambda: payments.get(wrong),
        "payments.refresh": lambda: payments.refresh(wrong),
        "refunds.create": lambda: refunds.create(payment=wrong, reference="return_1"),
    }
    for operation, call in calls.items():
        check_refused(shop, call, "payment", operation=operation)
    check_refused(shop, lambda: refunds.get(wrong), "refund", operation="refunds.get")
    check_refused(shop, lambda: refunds.refresh(wrong), "refund", operation="refunds.refresh")
    check_refused(
        shop, lambda: shop.pay.operations.get(wrong), "operation", operation="operations.get"
    )


@each_colour
def test_one_of_id_and_reference_is_passed(shop):
    for resource, field in ((shop.pay.payments, "payment"), (shop.pay.refunds, "refund")):
        own = {"payment": "pay_", "refund": "rfd_"}[field] + "a" * 26
        for name in ("get", "refresh"):
            read, operation = getattr(resource, name), f"{field}s.{name}"
            neither, both = partial(read), partial(read, own, reference="order_1")
            for call in (neither, both):
                check_refused(shop, call, field, operation=operation, said="either")
            wrong = partial(read, reference="a/b")
            check_refused(shop, wrong, "reference", operation=operation)


# -- listings -------------------------------------------------------------------------------------

NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - naive on purpose


@each_colour
@pytest.mark.parametrize("moment", [NAIVE, "2026-01-01", 0], ids=repr)
@pytest.mark.parametrize("field", ["created_from", "created_before"])
@pytest.mark.parametrize("resource", ["payments", "refunds", "operations"])
def test_a_moment_has_a_time_zone(shop, resource, field, moment):
    check_refused(
        shop,
        lambda: getattr(shop.pay, resource).list(**{field: moment}),
        field,
        operation=f"{resource}.list",
        said="aware",
    )


@each_colour
@pytest.mark.parametrize("resource", ["payments", "refunds", "operations"])
def test_what_is_listed_is_asked_for_properly(shop, resource):
    listed, operation = getattr(shop.pay, resource), f"{resource}.list"
    status = "state" if resource == "operations" else "status"
    check_refused(
        shop, lambda: listed.list(**{status: "paid"}), "status", operation=operation, said="unknown"
    )
    for limit in (0, -1, 1001, 1.5, "10", True, None):
        call = partial(listed.list().page, limit=limit)
        check_refused(shop, call, "limit", operation=operation)
    for cursor in ("", "nonsense", "!!!", "cGxhaW4", "MjAyNi0wMS0wMXxhYmM", 7):
        call = partial(listed.list().page, cursor=cursor)
        check_refused(shop, call, "cursor", operation=operation)
    if resource != "payments":
        check_refused(shop, lambda: listed.list(payment="bp_1"), "payment", operation=operation)


# -- clients --------------------------------------------------------------------------------------

CLIENTS = {"sync": (Payport, FakeProvider), "async": (AsyncPayport, AsyncFakeProvider)}
each_client = pytest.mark.parametrize(("client", "fake"), CLIENTS.values(), ids=CLIENTS)


class Real:
    """A fake that is not taken for one."""

    def __init__(self, fake):
        self.fake = fake
        self.spec = replace(fake.spec, fake=False, name="real")

    def __getattr__(self, name):
        return getattr(self.fake, name)


def refused(call, field):
    with pytest.raises(ConfigurationError) as raised:
        call()
    assert raised.value.field == field
    assert raised.value.operation
    return str(raised.value)


@pytest.mark.parametrize("other", ["async", "sync"])
def test_a_provider_of_the_other_colour_is_refused(other):
    client = CLIENTS["sync" if other == "async" else "async"][0]
    said = refused(lambda: client(CLIENTS[other][1]()), "provider")
    assert CLIENTS[other][0].__name__ in said


@each_client
@pytest.mark.parametrize("thing", [None, "nobody", object(), FakeProvider])
def test_what_is_no_provider_is_refused(client, fake, thing):
    refused(lambda: client(thing), "provider")


@each_client
def test_a_store_of_the_other_colour_is_refused(client, fake):
    store = AsyncMemoryStore() if client is Payport else MemoryStore()
    if client is Payport:
        refused(lambda: client(fake(), store=store), "store")
    else:
        assert repr(client(fake(), store=store)), "a memory store is shared by both"


@each_client
@pytest.mark.parametrize(
    "store",
    ["", "mysql://somewhere/db", "payments.db", "sqlite:///", "sqlite:///x.db?mode=memory", 7],
    ids=repr,
)
def test_what_is_no_store_is_refused(client, fake, store):
    refused(lambda: client(fake(), store=store), "store")


@each_client
@pytest.mark.parametrize("field", ["deadline", "timeout"])
@pytest.mark.parametrize("seconds", [0, -1, 601, float("nan"), float("inf"), "5", None, True])
def test_times_are_positive_and_not_endless(client, fake, field, seconds):
    refused(lambda: client(fake(), **{field: seconds}), field)


@each_client
def test_a_real_provider_needs_a_scope_and_a_store(client, fake):
    real = Real(fake())
    refused(lambda: client(real, store="memory"), "scope")
    assert "sqlite:////" in refused(lambda: client(real, scope="shop"), "store")
    assert client(real, scope="shop", store="memory").scope == "shop"


@each_client
def test_a_fake_needs_neither(client, fake):
    pay = client(fake())
    assert (pay.scope, pay.environment) == ("test", Environment.TEST)


@each_client
@pytest.mark.parametrize(
    ("store", "why"),
    [
        ("memory", "memory forgets"),
        (None, "memory forgets"),
        ("sqlite:///payments.db", "absolute path"),
    ],
)
def test_real_money_needs_a_journal_that_lasts(client, fake, store, why):
    live = fake(environment=Environment.LIVE)
    assert why in refused(lambda: client(live, scope="shop", store=store), "store")


@each_client
def test_real_money_is_taken_with_a_journal_that_lasts(client, fake):
    pay = client(fake(environment=Environment.LIVE), scope="shop", store="sqlite:////srv/pay.db")
    assert pay.environment is Environment.LIVE


@each_client
@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({"rate_limit": -1}, "rate_limit"),
        ({"rate_limit": True}, "rate_limit"),
        ({"send_within": timedelta()}, "send_within"),
    ],
)
def test_what_cannot_work_is_refused_when_a_client_is_made(client, fake, named, field):
    refused(lambda: client(fake(), **named), field)


@each_client
def test_a_scope_is_looked_at_when_a_client_is_made(client, fake):
    for scope in ("", "a/b", "x" * 65, 7):
        with pytest.raises(InvalidRequest, match="scope"):
            client(fake(), scope=scope)


def test_a_moment_with_a_time_zone_passes(shop):
    shop.buy()
    early = datetime(2020, 1, 1, tzinfo=UTC)
    assert len(list(shop.pay.payments.list(created_from=early))) == 1
    assert list(shop.pay.payments.list(created_before=early)) == []
