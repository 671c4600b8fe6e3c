"""How long an operation takes, what is tried again and when; on a clock that a test holds."""

import logging

import pytest
from shops import BEHAVIOURS, PRICE, blocking, each_colour

from payport import (
    AuthenticationFailed,
    InvalidRequest,
    OperationInProgress,
    OutcomeUnknown,
    ProviderUnavailable,
    RateLimited,
    RetryPolicy,
    RetryRule,
)
from payport.domain.outcomes import FailureKind
from payport.testing import (
    Conflict,
    LostRequest,
    Slow,
    TimedOut,
    Unauthorized,
    Unavailable,
)
from payport.testing import RateLimited as TooMany

STEADY = RetryPolicy(
    rules={
        kind: RetryRule(waits=(1.0, 2.0, 4.0), jitter=0, honours_retry_after=True)
        for kind in (
            FailureKind.UNAVAILABLE,
            FailureKind.IN_PROGRESS,
            FailureKind.RATE_LIMITED,
            FailureKind.UNKNOWN,
        )
    }
)


@pytest.fixture
def steady(shop):
    """A client without chance in its waits, and what its clock says it took."""
    pay = shop.client(retries=STEADY)
    pay.payments.create(reference="warm up", amount=PRICE)
    return pay


def took(shop, call):
    began = shop.clock.monotonic()
    try:
        call()
    finally:
        took.seconds = shop.clock.monotonic() - began
    return took.seconds


@each_colour
@pytest.mark.parametrize("fault", [Unavailable(), Conflict(), TooMany()], ids=repr)
def test_waits_grow_from_try_to_try(shop, steady, fault):
    shop.fake.next("create_payment", fault, fault, fault)
    assert took(shop, lambda: shop.buy(pay=steady)) == 7.0
    assert shop.bank.charged("order_1") == PRICE


@each_colour
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Unavailable(), ProviderUnavailable),
        (TooMany(), RateLimited),
        (Conflict(), OperationInProgress),
    ],
    ids=repr,
)
def test_after_the_last_try_the_caller_is_told(shop, steady, fault, error):
    shop.fake.next("create_payment", *[fault] * 10)
    with pytest.raises(error) as raised:
        took(shop, lambda: shop.buy(pay=steady))
    assert took.seconds == 7.0
    assert raised.value.operation == "payments.create"
    assert raised.value.reference == "order_1"
    assert len(shop.fake.script.pending["create_payment"]) == 6


@each_colour
def test_chance_shortens_waits_and_never_lengthens_them(shop):
    shop.pay.payments.create(reference="warm up", amount=PRICE)
    shop.fake.next("create_payment", *[Unavailable()] * 3)
    assert 5.25 <= took(shop, shop.buy) <= 7.0


@each_colour
def test_the_providers_own_wait_is_waited_out(shop, steady):
    shop.fake.next("create_payment", TooMany(retry_after=9.0))
    assert took(shop, lambda: shop.buy(pay=steady)) == 9.0


@each_colour
def test_a_wait_that_does_not_fit_is_not_begun(shop, steady):
    shop.fake.next("create_payment", TooMany(retry_after=3600.0))
    with pytest.raises(RateLimited) as raised:
        took(shop, lambda: shop.buy(pay=steady))
    assert took.seconds == 0
    assert raised.value.retry_after == 3600.0


@blocking(*BEHAVIOURS)
@pytest.mark.parametrize("deadline", [20.0, 3.0, 45.0])
def test_an_operation_takes_no_longer_than_its_deadline(shop, deadline):
    shop.pay.payments.create(reference="warm up", amount=PRICE)
    hangs = shop.provider()
    hangs.decide(lambda asked: None if asked.operation == "account" else TimedOut(effect=False))
    pay = shop.client(hangs, deadline=deadline)
    with pytest.raises(OutcomeUnknown):
        took(shop, lambda: shop.buy(pay=pay))
    assert took.seconds <= deadline + 0.1
    assert took.seconds > min(deadline, 10.0) - 1


@each_colour
def test_one_request_takes_no_longer_than_its_timeout(shop):
    quick = shop.client(timeout=2.5, deadline=4.0, retries=RetryPolicy())
    quick.payments.create(reference="warm up", amount=PRICE)
    waited = []
    shop.fake.decide(lambda asked: waited.append(asked.operation) or TimedOut(effect=False))
    with pytest.raises(OutcomeUnknown):
        took(shop, lambda: shop.buy(pay=quick))
    assert waited[-2:] == ["create_payment", "find"]
    assert took.seconds == 4.0, "2.5 s for the request, and what is left for the question"


@each_colour
def test_an_answer_that_takes_its_time_is_waited_for(shop, steady):
    shop.fake.next("create_payment", Slow(9.5))
    assert took(shop, lambda: shop.buy(pay=steady)) == 9.5
    assert shop.requests() == 2


@each_colour
def test_a_wrong_request_is_never_tried_again_and_is_logged_as_an_error(shop, steady, caplog):
    sent = shop.requests()
    with caplog.at_level(logging.INFO), pytest.raises(InvalidRequest):
        took(shop, lambda: shop.buy(pay=steady, payment_method="pm_of_nobody"))
    assert took.seconds == 0
    assert shop.requests() == sent + 1
    assert [r.levelname for r in caplog.records if r.name.startswith("payport")] == ["ERROR"]


@each_colour
@pytest.mark.parametrize("known", [True, False])
def test_refused_credentials_are_never_tried_again_and_are_logged_as_critical(shop, caplog, known):
    locked = shop.provider()
    pay = shop.client(locked)
    if known:
        shop.buy("warm up", pay=pay)
    locked.revoke_key()
    sent = shop.requests()
    with caplog.at_level(logging.INFO), pytest.raises(AuthenticationFailed, match="API key"):
        took(shop, lambda: shop.buy(pay=pay))
    assert took.seconds == 0
    assert shop.requests() == sent + known
    assert "CRITICAL" in {r.levelname for r in caplog.records}
    assert shop.bank.charged("order_1").is_zero


@each_colour
@pytest.mark.parametrize("read", ["payments", "refunds"])
def test_refused_credentials_are_logged_as_critical_by_reads_too(shop, caplog, read):
    paid = shop.buy()
    refund = shop.refund(paid)
    shop.fake.next(f"retrieve_{read[:-1]}", Unauthorized())
    with pytest.raises(AuthenticationFailed, match=rf"{read}\.refresh"):
        getattr(shop.pay, read).refresh(paid.id if read == "payments" else refund.id)
    assert "CRITICAL" in {r.levelname for r in caplog.records}


@each_colour
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (LostRequest(), ProviderUnavailable),
        (Unavailable(), ProviderUnavailable),
        (TooMany(retry_after=5.0), RateLimited),
    ],
    ids=repr,
)
def test_a_read_that_fails_moves_no_money_and_says_so(shop, fault, error):
    paid = shop.buy()
    shop.fake.next("retrieve_payment", fault)
    with pytest.raises(error) as raised:
        shop.pay.payments.refresh(paid.id)
    assert not raised.value.money_may_have_moved
    assert raised.value.retryable
    assert raised.value.reference == paid.id
    assert getattr(raised.value, "retry_after", 5.0) == 5.0
    assert shop.pay.payments.get(paid.id) == paid


@each_colour
def test_the_account_is_asked_for_again_after_it_could_not_be_told(shop):
    shop.fake.next("account", Unavailable())
    with pytest.raises(ProviderUnavailable):
        shop.buy()
    assert shop.requests() == 0
    assert shop.rows() == []
    assert shop.buy().is_paid


@each_colour
def test_every_outcome_is_logged_and_nothing_else_is(shop, caplog):
    with caplog.at_level(logging.INFO, "payport.operations"):
        paid = shop.buy()
        shop.buy()
    (record,) = [r for r in caplog.records if r.name == "payport.operations"]
    assert record.getMessage() == f"create_payment {paid.id}: confirmed"
