"""
A key, a webhook secret and a customer's token are walked through everything that people print, log,
pickle or store; they turn up nowhere.
"""

import contextlib
import copy
import dataclasses
import json
import logging
import pickle
import traceback

import pytest
from pydantic import TypeAdapter
from shops import SQLITE, VISA, kinds, usd

from payport import (
    AuthenticationFailed,
    BreakerPolicy,
    CircuitOpen,
    ConfigurationError,
    DomainEvent,
    InvalidRequest,
    OutcomeUnknown,
    PaymentDeclined,
    PaymentIntent,
    ProviderUnavailable,
    SensitiveData,
    WebhookRejected,
)
from payport.testing import (
    Crash,
    CrashAfter,
    Garbled,
    LostRequest,
    LostResponse,
    TimedOut,
    Tokens,
    Truncated,
    Unauthorized,
    Unavailable,
)

KEY = "sk_test_CANARYKEY0123456789"
SECRET = "whsec_CANARYSECRET0123456789"


def shown(thing):
    """A thing in all the ways in which people show things."""
    yield repr(thing)
    yield str(thing)
    yield f"{thing}"
    yield f"{thing!r:>10}"
    yield "%s %r" % (thing, thing)  # noqa: UP031 - how logging does it
    if hasattr(thing, "__dict__"):
        yield repr(vars(thing))
    if dataclasses.is_dataclass(thing):
        yield repr(dataclasses.asdict(thing))
        yield repr(pickle.dumps(thing))
        yield repr(copy.deepcopy(thing)) + repr(copy.copy(thing))


def shown_error(error):
    """An error, its causes, their frames with all local variables, and what pickle makes of it."""
    seen = error
    while seen is not None:
        yield from shown(seen)
        yield repr(seen.args)
        seen = seen.__cause__ or seen.__context__
    yield "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    yield repr(pickle.dumps(error))
    yield repr(vars(pickle.loads(pickle.dumps(error))))  # noqa: S301 - our own bytes


class Walk:
    """What was shown, and what must not be in it."""

    def __init__(self, shop):
        self.shop = shop
        self.shown = []
        self.errors = 0

    def see(self, *things):
        for thing in things:
            self.shown.extend(shown(thing))

    def fails(self, kind, call):
        with pytest.raises(kind) as raised:
            call()
        self.errors += 1
        self.shown.extend(shown_error(raised.value))
        return raised.value

    def check(self, *more):
        secrets = [KEY, SECRET, *(p.secret for p in self.shop.bank.payments if p.secret)]
        secrets += list(self.tokens)
        assert all(secrets)
        for text in (*self.shown, *more):
            for secret in secrets:
                assert secret not in text, text[:2000]

    tokens = ()


@contextlib.contextmanager
def everything_logged():
    """Every logger there is says everything it has to say."""
    loggers = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


@pytest.fixture
def walk(shop):
    shop.bank.sign_with(SECRET)
    shop.fake = shop.provider(api_key=KEY, webhook_secrets=[SECRET])
    return Walk(shop)


def take_everything(shop, walk):
    """Everything that a shop does, shown on the way."""
    pay = shop.client(shop.fake, breaker=BreakerPolicy(failures=10_000))
    paid = shop.buy("paid", pay=pay)
    declined = shop.buy("declined", pay=pay, payment_method=Tokens.EXPIRED)
    redirected = shop.buy("redirected", pay=pay, payment_method=Tokens.AUTHENTICATE)
    handed = shop.buy("handed", pay=pay, payment_method=Tokens.AUTHENTICATE_TOKEN)
    walk.tokens = (redirected.next_action.url, handed.next_action.token)
    assert all(walk.tokens)
    again = shop.buy("handed", pay=pay, payment_method=Tokens.AUTHENTICATE_TOKEN)
    assert again.next_action.token == walk.tokens[1]
    fresh = pay.payments.refresh(redirected.id)
    assert fresh.next_action.url == walk.tokens[0]
    refund = pay.refunds.create(payment=paid.id, reference="return_1", amount=usd(5))
    walk.see(pay._target, shop.fake, shop.bank, shop.store(), pay._target.payments)
    walk.see(paid, declined, redirected, handed, again, fresh, refund, redirected.next_action)
    walk.see(handed.next_action, handed.attempts[0], handed.attempts[0].raw)
    walk.see(*pay.operations.list(), *pay.payments.list(), *pay.refunds.list())
    walk.see(pay.payments.list().page(), pay._target._session.journal)
    return pay, paid, handed


def fail_everywhere(shop, walk, pay, paid):
    """Every error that a shop meets, shown with its frames."""
    for number, fault in enumerate((LostRequest(), LostResponse(), TimedOut(), Truncated())):
        shop.fake.decide(lambda asked, fault=fault: fault)
        walk.fails(OutcomeUnknown, lambda n=number: shop.buy(f"lost_{n}", pay=pay))
        walk.fails(
            OutcomeUnknown,
            lambda n=number: pay.refunds.create(
                payment=paid.id, reference=f"lost_{n}", amount=usd(1)
            ),
        )
    secret_told = Garbled(
        body=json.dumps({"error": {"code": "x", "message": f"bad key {KEY}"}}).encode(), status=400
    )
    shop.fake.decide(lambda asked: secret_told)
    walk.fails(InvalidRequest, lambda: shop.buy("told", pay=pay))
    shop.fake.decide(lambda asked: Unavailable())
    walk.fails(ProviderUnavailable, lambda: shop.buy("away", pay=pay))
    shop.fake.decide(lambda asked: Unauthorized())
    walk.fails(AuthenticationFailed, lambda: shop.buy("locked", pay=pay))
    walk.fails(CircuitOpen, lambda: pay.payments.refresh(paid.id))
    pay.breaker.close()
    walk.fails(AuthenticationFailed, lambda: pay.payments.refresh(paid.id))
    pay.breaker.close()

    def broken(asked):
        raise ZeroDivisionError

    shop.fake.decide(broken)
    walk.fails(OutcomeUnknown, lambda: shop.buy("broken", pay=pay))
    shop.fake.script.clear()
    walk.see(pay.breaker, pay.operations.recover())
    walk.fails(SensitiveData, lambda: shop.buy("4242424242424242", pay=pay))
    walk.fails(InvalidRequest, lambda: shop.buy("wrong", pay=pay, payment_method="pm_of_nobody"))
    walk.fails(
        WebhookRejected, lambda: pay.webhooks.receive(body=b"{}", headers={"bank-signature": "x"})
    )
    walk.fails(PaymentDeclined, pay.payments.get(reference="declined").raise_for_decline)
    shop.fake.next("create_payment", CrashAfter())
    with pytest.raises(Crash):
        shop.buy("dead", pay=pay, payment_method=Tokens.AUTHENTICATE_TOKEN)


@kinds(*SQLITE)
def test_secrets_turn_up_nowhere(shop, walk, caplog):
    heard = []
    shop.handlers.on(DomainEvent, name="heard")(lambda event, tx: heard.append(event))
    with caplog.at_level(logging.DEBUG), everything_logged():
        pay, paid, handed = take_everything(shop, walk)
        shop.deliver(pay)
        fail_everywhere(shop, walk, pay, paid)
        shop.deliver(pay)
    walk.see(*heard)
    assert heard
    assert walk.errors > 15

    logged = [
        text
        for record in caplog.records
        for text in (record.getMessage(), repr(record.__dict__), repr(record.args))
    ]
    assert logged
    logged.append(caplog.text)
    written = [repr(file.read_bytes()) for file in sorted(shop.path.parent.iterdir())]
    assert any(VISA in text for text in written), "it is the right file"
    walk.check(*logged, *written)

    for value in (handed, paid):
        kept = TypeAdapter(PaymentIntent).dump_json(value).decode()
        walk.check(kept)
        assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - our own bytes


@kinds(*SQLITE)
def test_the_file_is_its_owners_alone(shop):
    shop.buy()
    assert {file.stat().st_mode & 0o077 for file in shop.path.parent.glob("payments.db-*")} <= {0}


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_what_holds_a_key_is_not_pickled_and_not_copied(shop, walk, copied):
    pay = shop.client(shop.fake)
    for thing in (pay._target, pay.scoped("tenant_9")._target, shop.fake, shop.store()):
        with pytest.raises(ConfigurationError, match=r"(Construct|Open) one") as raised:
            copied(thing)
        walk.shown.extend(shown_error(raised.value))
    walk.check()


@pytest.mark.parametrize("copied", [pickle.dumps, copy.deepcopy])
def test_what_leads_to_a_key_is_not_pickled_either(shop, walk, copied):
    pay = shop.client(shop.fake)
    for name in ("payments", "refunds", "operations", "webhooks"):
        with pytest.raises((ConfigurationError, TypeError)):
            copied(getattr(pay._target, name))


def test_a_client_is_described_without_its_key(shop, walk):
    pay = shop.client(shop.fake, scope="shop_7")
    assert repr(pay) == f"<{'Async' if shop.is_async else ''}Payport fake test scope='shop_7'>"
