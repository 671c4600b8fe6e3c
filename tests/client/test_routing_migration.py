"""A second processor beside the first: webhooks, recovery, and the day the first one goes."""

from datetime import timedelta

import pytest
from routed import ALL, FIRST, POOR, SECOND, each_place
from shops import PRICE, usd

from payport import (
    ConfigurationError,
    InvalidRequest,
    OutcomeUnknown,
    PaymentSucceeded,
    RefundSucceeded,
)
from payport.domain.errors import (
    AuthenticationFailed,
    ProviderUnavailable,
    UnsupportedOperation,
    WebhookRejected,
)
from payport.providers.breaker import BreakerPolicy, BreakerState
from payport.providers.routing import Rule
from payport.storage.base import InboxState
from payport.testing import ConnectionRefused, LostResponse, TimedOut, Unauthorized

#: New payments go to the second one; the first finishes its own.
MIGRATED = [Rule("second")]


def unknown(routed, pay, name="first", reference="order_1"):
    """A payment of which nobody knows whether it was carried out."""
    provider = pay.router.providers[name]
    provider.next("create_payment", *[LostResponse()] * 4)
    for operation in ("retrieve_payment", "find"):
        provider.next(operation, *[TimedOut(effect=False)] * 4)
    with pytest.raises(OutcomeUnknown):
        routed.buy(pay, reference)


# -- migration ------------------------------------------------------------------------------------


@each_place(*ALL)
def test_new_payments_go_to_the_second_while_the_first_finishes_its_own(routed):
    before = routed.client(routed.provider("first"))
    held = before.payments.create(
        reference="order_1",
        amount=PRICE,
        payment_method="pm_card_visa",
        confirm=True,
        capture_method="manual",
    )
    pay = routed.process(MIGRATED)
    assert pay.router.finish_only == ("first",)
    assert routed.buy(pay, "order_2").provider == "second"
    captured = pay.payments.capture(held.id)
    assert (captured.provider, captured.status) == ("first", "succeeded")
    refund = pay.refunds.create(payment=held.id, reference="return_1", amount=usd(500))
    assert refund.status == "succeeded"
    assert routed.charged() == {"first": PRICE.minor}
    assert routed.charged("order_2") == {"second": PRICE.minor}
    assert pay.payments.refresh(held.id).refunded == usd(500)


def test_a_client_with_one_provider_may_become_a_router_and_back(routed):
    first = routed.client(routed.provider("first"))
    paid = first.payments.create(
        reference="order_1", amount=PRICE, payment_method="pm_card_visa", confirm=True
    )
    again = routed.buy(routed.process(SECOND))
    assert (again.id, again.provider) == (paid.id, "first")
    (row,) = first.operations.list()
    assert row.route == "the only provider"


def test_an_unknown_payment_of_the_first_is_recovered_there(routed):
    pay = routed.process(FIRST)
    unknown(routed, pay)
    routed.clock.advance(timedelta(minutes=1))
    recovered = routed.process(MIGRATED).operations.recover()
    assert (recovered.concluded, recovered.waiting) == (1, {})
    assert routed.charged() == {"first": PRICE.minor}
    assert routed.buy(routed.process(MIGRATED)).provider == "first"


@each_place(*ALL)
def test_webhooks_and_handlers_that_wait_for_a_provider_that_is_gone_are_told(routed):
    told = []
    routed.handlers.on(PaymentSucceeded, name="told")(lambda event, tx: told.append(event))
    pay = routed.process(FIRST)
    routed.buy(pay)
    (request,) = pay.router.providers["first"].webhooks()
    pay.webhooks.receive(
        body=request.body, headers=request.headers, url=request.url, provider="first"
    )
    gone = routed.process(MIGRATED, names=("second",))
    assert gone.webhooks.stats().elsewhere == {}, "another process may be about to work it off"
    routed.clock.advance(timedelta(minutes=11))
    gone.webhooks.process_due()
    assert gone.webhooks.stats().elsewhere == {"first": 2}, "a webhook, and a handler's run"
    assert told == []
    back = routed.process(MIGRATED)
    assert back.webhooks.stats().elsewhere == {}
    back.webhooks.process_due()
    assert (len(told), gone.webhooks.stats().elsewhere) == (1, {})


@each_place(*ALL)
def test_what_waits_for_a_provider_that_is_gone_is_told(routed, caplog):
    unknown(routed, routed.process(FIRST))
    routed.clock.advance(timedelta(minutes=1))
    pay = routed.process(MIGRATED, names=("second",))
    recovered = pay.operations.recover()
    assert recovered.waiting == {"first": 1}
    assert recovered.looked_at == 0
    assert "1 operations wait for first, which this client has not" in caplog.text
    assert pay.operations.recover(every_scope=True).waiting == {"first": 1}
    with pytest.raises(ConfigurationError, match="this client has no such provider"):
        routed.buy(pay)
    assert routed.requests("second") == 0


def test_what_a_gone_provider_was_never_sent_may_be_paid_elsewhere(routed):
    pay = routed.process([Rule("first")])
    pay.router.providers["first"].next("create_payment", *[ConnectionRefused()] * 4)
    with pytest.raises(ProviderUnavailable):
        routed.buy(pay)
    paid = routed.buy(routed.process(MIGRATED, names=("second",)))
    assert (paid.provider, routed.charged()) == ("second", {"second": PRICE.minor})
    row = routed.row(routed.process(MIGRATED))
    assert "first, where it was, is not here any more and can charge nothing of it" in row.route


def test_what_a_gone_provider_concluded_can_still_be_asked_again(routed):
    paid = routed.buy(routed.process(FIRST))
    pay = routed.process(MIGRATED, names=("second",))
    assert routed.buy(pay).id == paid.id
    assert pay.payments.get(paid.id).captured == PRICE
    with pytest.raises(ConfigurationError, match="without a rule it only finishes what it began"):
        pay.refunds.create(payment=paid.id, reference="return_1")


# -- recovery -------------------------------------------------------------------------------------


@each_place(*ALL)
def test_recovery_goes_to_each_rows_own_provider(routed):
    pay = routed.process(FIRST)
    unknown(routed, pay)
    other = routed.process(SECOND)
    unknown(routed, other, "second", "order_2")
    routed.clock.advance(timedelta(minutes=1))
    recovered = routed.process(FIRST).operations.recover()
    assert recovered.concluded == 2
    assert (routed.charged(), routed.charged("order_2")) == (
        {"first": PRICE.minor},
        {"second": PRICE.minor},
    )


def test_a_provider_that_cannot_be_asked_does_not_hold_up_the_others(routed):
    pay = routed.process(FIRST)
    unknown(routed, pay)
    other = routed.process(SECOND)
    unknown(routed, other, "second", "order_2")
    routed.clock.advance(timedelta(minutes=1))
    down = routed.process(FIRST)
    down.router.providers["first"].next("account", ConnectionRefused())
    recovered = down.operations.recover()
    assert recovered.concluded == 1
    assert recovered.stopped is not None
    assert recovered.stopped.startswith("first: ")
    assert routed.process(FIRST).operations.recover().concluded == 1


def test_a_provider_that_was_down_for_days_is_still_the_one_to_be_asked(routed):
    pay = routed.process(FIRST)
    unknown(routed, pay)
    routed.clock.advance(timedelta(days=2))
    down = routed.process(SECOND)
    down.router.providers["first"].next("account", *[ConnectionRefused()] * 4)
    assert down.operations.recover().needs_review == 0
    assert routed.process(FIRST).operations.recover().concluded == 1


def test_recovery_is_limited_over_all_providers_together(routed):
    for n in range(2):
        unknown(routed, routed.process(FIRST), "first", f"order_{n}")
        unknown(routed, routed.process(SECOND), "second", f"other_{n}")
    routed.clock.advance(timedelta(minutes=1))
    pay = routed.process(FIRST)
    told = []
    assert pay.operations.recover(limit=3, progress=told.append).concluded == 3
    assert max(one.looked_at for one in told) == 2
    assert pay.operations.recover().concluded == 1


def test_a_person_resolves_what_is_at_any_of_them(routed):
    pay = routed.process(FIRST)
    unknown(routed, pay)
    for _ in range(8):
        routed.clock.advance(timedelta(days=1))
        recovering = routed.process(SECOND)
        for operation in ("retrieve_payment", "find"):
            recovering.router.providers["first"].next(operation, *[TimedOut(effect=False)] * 9)
        recovering.operations.recover()
    waiting = routed.row(pay)
    assert waiting.state == "needs_review"
    (paid,) = routed.banks["first"].payments
    told = routed.process(SECOND).operations.resolve(
        waiting.id, "executed", reason="It is there.", author="ada", provider_ref=paid.ref
    )
    assert (told.state, told.provider) == ("confirmed", "first")


# -- webhooks -------------------------------------------------------------------------------------


@each_place(*ALL)
def test_webhooks_of_all_providers_are_worked_off_by_one_worker(routed):
    heard = []
    routed.handlers.on(PaymentSucceeded, name="paid")(
        lambda event, tx: heard.append(event.provider)
    )
    routed.handlers.on(RefundSucceeded, name="back")(
        lambda event, tx: heard.append(f"{event.provider} back")
    )
    pay = routed.process(FIRST)
    one = routed.buy(pay)
    other = routed.buy(routed.process(SECOND), "order_2")
    for paid in (one, other):
        routed.deliver(pay, paid.provider)
        pay.refunds.create(payment=paid.id, reference=f"return_{paid.provider}", amount=usd(100))
        routed.deliver(pay, paid.provider)
    assert sorted(heard) == ["first", "first back", "second", "second back"]
    stats = pay.webhooks.stats()
    assert stats.deliveries[InboxState.DUE] == stats.runs[InboxState.DUE] == 0
    assert stats.deliveries[InboxState.DONE] == len(list(pay.webhooks.list()))
    assert {row.provider for row in pay.webhooks.list()} == {"first", "second"}
    assert {run.provider for run in pay.webhooks.runs()} == {"first", "second"}


def test_a_listing_over_all_providers_is_one_listing(routed):
    pay = routed.process(FIRST)
    for n in range(3):
        routed.buy(pay, f"order_{n}")
        routed.buy(routed.process(SECOND), f"other_{n}")
        routed.deliver(pay, "first")
        routed.clock.advance(1)
        routed.deliver(pay, "second")
    whole = [row.id for row in pay.webhooks.list()]
    moments = [row.received_at for row in pay.webhooks.list()]
    assert moments == sorted(moments, reverse=True)
    paged, cursor = [], None
    while True:
        page = pay.webhooks.list().page(cursor=cursor, limit=2)
        paged += [row.id for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert paged == whole
    assert len(whole) == len(set(whole))


def test_a_webhook_is_read_by_the_provider_that_is_named(routed):
    pay = routed.process(FIRST)
    routed.buy(pay)
    request = pay.router.providers["first"].webhooks()[0]
    told = {"body": request.body, "headers": request.headers, "url": request.url}
    with pytest.raises(InvalidRequest, match="name the provider: this client has first, second"):
        pay.webhooks.receive(**told)
    with pytest.raises(InvalidRequest, match="there is no provider 'third'"):
        pay.webhooks.receive(**told, provider="third")
    receipt = pay.webhooks.receive(**told, provider="first")
    (row_id,) = receipt.ids
    assert pay.webhooks.process_one(row_id) is InboxState.DONE
    assert pay.webhooks.get(row_id).provider == "first"
    assert pay.webhooks.replay(row_id) == 1
    assert pay.webhooks.process_due() >= 1


def test_a_webhook_signed_for_another_provider_is_rejected(routed):
    routed.banks["second"].sign_with("whsec_another_one")
    pay = routed.process(FIRST)
    routed.buy(pay)
    request = pay.router.providers["first"].webhooks()[0]
    with pytest.raises(WebhookRejected):
        pay.webhooks.receive(
            body=request.body, headers=request.headers, url=request.url, provider="second"
        )


def test_bodies_of_all_providers_are_pruned(routed):
    pay = routed.process(FIRST)
    routed.buy(pay)
    routed.buy(routed.process(SECOND), "order_2")
    for name in routed.banks:
        routed.deliver(pay, name)
    routed.clock.advance(timedelta(days=2))
    deliveries = len(list(pay.webhooks.list()))
    assert pay.webhooks.prune(older_than=timedelta(days=1)) == deliveries


def test_a_webhook_concludes_what_the_first_provider_was_sent_whoever_is_first_now(routed):
    pay = routed.process(FIRST)
    unknown(routed, pay)
    other = routed.process(SECOND)
    routed.deliver(other, "first")
    assert other.payments.get(reference="order_1").status == "succeeded"
    assert routed.row(other).state == "confirmed"


def test_a_late_webhook_of_where_a_payment_was_is_applied(routed):
    pay = routed.process([Rule("second", from_attempt=2), Rule("first")])
    routed.buy(pay, payment_method=POOR)
    moved = routed.buy(pay, attempt=2)
    late = pay.router.providers["first"].webhooks()
    assert late
    for request in late:
        pay.webhooks.receive(
            body=request.body, headers=request.headers, url=request.url, provider="first"
        )
    pay.webhooks.process_due()
    assert {row.state for row in pay.webhooks.list()} == {InboxState.DONE}
    assert pay.payments.get(moved.id).provider == "second"


# -- breakers, limits, and the rest of a client ---------------------------------------------------


def test_each_provider_has_a_breaker_of_its_own(routed):
    pay = routed.process(FIRST, breaker=BreakerPolicy(failures=2, rest=30))
    routed.buy(pay, "order_0")
    for n in (1, 2):
        pay.router.providers["first"].next("create_payment", ConnectionRefused())
        assert routed.buy(pay, f"order_{n}").provider == "second"
    assert {name: one.state for name, one in pay.breakers.items()} == {
        "first": BreakerState.OPEN,
        "second": BreakerState.CLOSED,
    }
    assert routed.buy(pay, "order_7").provider == "second"
    routed.clock.advance(31)
    assert routed.buy(pay, "order_8").provider == "first"
    assert pay.breakers["first"].state is BreakerState.CLOSED
    with pytest.raises(ConfigurationError, match="each provider has its own; there are first"):
        _ = pay.breaker.state


def test_refused_credentials_lock_one_provider_and_the_other_goes_on(routed):
    pay = routed.process(FIRST)
    pay.router.providers["first"].next("account", Unauthorized())
    with pytest.raises(AuthenticationFailed):
        routed.buy(pay)
    assert routed.requests("second") == 0
    assert pay.breakers["first"].state is BreakerState.LOCKED
    assert routed.buy(pay).provider == "second"


def test_scopes_share_breakers_and_connections(routed):
    pay = routed.process(FIRST)
    other = pay.scoped("elsewhere")
    pay.breakers["first"].open()
    paid = routed.buy(other)
    assert (paid.scope, paid.provider) == ("elsewhere", "second")
    assert dict(other.breakers) == dict(pay.breakers)


def test_the_rate_limit_is_each_providers_own(routed):
    pay = routed.process(FIRST, rate_limit=1)
    routed.buy(pay)  # the account, and the payment
    assert routed.clock.monotonic() == pytest.approx(1, abs=0.1)
    pay.breakers["first"].open()
    routed.buy(pay, "order_2")  # the account, and the payment: the second one's first turns
    assert routed.clock.monotonic() == pytest.approx(2, abs=0.1)


def test_the_client_says_who_its_providers_are(routed):
    pay = routed.process(FIRST)
    assert list(pay.providers) == ["first", "second"]
    assert "first+second test scope='shop'" in repr(pay)
    only = routed.client(routed.provider("first"))
    assert list(only.providers) == ["first"]
    assert list(only.breakers) == ["first"]


def test_what_a_provider_holds_is_listed_by_its_name(routed):
    pay = routed.process(FIRST)
    paid = routed.buy(pay)
    with pytest.raises(InvalidRequest, match="name the provider"):
        pay.payments.list_from_provider()
    (there,) = pay.payments.list_from_provider(provider="first")
    assert there.payment_id == paid.id
    with pytest.raises(UnsupportedOperation, match="second cannot do this"):
        pay.payments.list_from_provider(provider="second")
    refund = pay.refunds.create(payment=paid.id, reference="return_1")
    (back,) = pay.refunds.list_from_provider(payment=paid.id)
    assert back.refund_id == refund.id
    assert pay.refunds.refresh(refund.id).status == "succeeded"


def test_a_foreign_payment_is_adopted_by_its_providers_name(routed):
    made = routed.run_elsewhere()
    pay = routed.process(FIRST)
    with pytest.raises(InvalidRequest, match="name the provider"):
        pay.payments.adopt(provider_ref=made)
    adopted = pay.payments.adopt(provider_ref=made, provider="first")
    assert (adopted.provider, adopted.provider_ref) == ("first", made)
    assert pay.payments.adopt(provider_ref=made, provider="first").id == adopted.id


def test_settings_are_the_same_for_every_provider(routed):
    pay = routed.process(FIRST, deadline=5.0, timeout=2.0)
    pay.router.providers["first"].next("create_payment", ConnectionRefused())
    pay.router.providers["second"].next("create_payment", *[ConnectionRefused()] * 9)
    before = routed.clock.monotonic()
    with pytest.raises(ProviderUnavailable):
        routed.buy(pay)
    assert routed.clock.monotonic() - before <= 5.0
    assert routed.row(pay).sends == 0
