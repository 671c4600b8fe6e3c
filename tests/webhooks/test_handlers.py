"""Handlers of domain events: each change once, in a transaction of its own, outside of payport."""

import asyncio
import functools
import itertools
import logging

import pytest
from shops import PRICE, SQLITE, VISA, Kind, each_behaviour, each_colour, kinds, usd

from payport import (
    ConfigurationError,
    DomainEvent,
    Handlers,
    InvalidRequest,
    PaymentCanceled,
    PaymentFailed,
    PaymentSucceeded,
    RefundSucceeded,
)
from payport.storage.base import InboxState
from payport.testing import Crash, Tokens
from payport.webhooks.delivering import deliver
from payport.webhooks.turns import HANDLER_LEASE

ASYNC = kinds(Kind("async", "memory"), Kind("async", "sqlite"))


def listen(shop, kind, **more):
    """Collect the events of a kind."""
    heard = []
    shop.handlers.on(kind, name="heard", **more)(lambda event, tx: heard.append(event))
    return heard


def run_of(shop, payment, name="heard"):
    """The delivery row of the payment's last event."""
    event = shop.transact(lambda tx: tx.events(payment.id))[-1]
    return shop.transact(lambda tx: tx.handler_run(event.id, name))


def work(shop, pay=None):
    return (pay or shop.pay).webhooks.process_due()


# -- once -----------------------------------------------------------------------------------------


@each_behaviour
def test_a_handler_hears_of_each_change_once(shop):
    heard = listen(shop, PaymentSucceeded)
    paid = shop.buy()
    shop.deliver(duplicate=2)
    shop.buy()
    work(shop)
    shop.deliver(shop.another(), duplicate=1)

    assert [(e.payment_id, e.reference, e.captured) for e in heard] == [(paid.id, "order_1", PRICE)]


def test_an_outcome_that_was_answered_is_told_like_one_that_came_by_webhook(shop):
    heard = listen(shop, DomainEvent)
    paid = shop.buy()
    assert heard == []
    work(shop)
    told = {type(event).__name__ for event in heard}
    assert told == {"CaptureSucceeded", "PaymentSucceeded"}
    shop.refund(paid, amount=usd(5))
    work(shop)
    assert type(heard[-1]).__name__ == "RefundSucceeded"
    assert heard[-1].refund_reference == "return_1"


@each_colour
def test_a_handler_hears_only_what_it_asked_for(shop):
    failed, all_of_it = listen(shop, PaymentFailed), []
    shop.handlers.on(DomainEvent, name="all")(lambda event, tx: all_of_it.append(event))
    shop.buy()
    shop.buy("order_2", payment_method=Tokens.EXPIRED)
    work(shop)
    assert [e.reference for e in failed] == ["order_2"]
    assert len(all_of_it) == 3


@each_behaviour
def test_what_is_canceled_before_the_provider_knew_of_it_is_told_too(shop):
    heard = listen(shop, PaymentCanceled)
    made = shop.pay.payments.create(reference="order_1", amount=PRICE, payment_method=VISA)
    shop.pay.payments.cancel(made.id)
    shop.deliver()
    work(shop)
    assert [event.payment_id for event in heard] == [made.id]


@each_colour
def test_each_handler_has_a_delivery_of_its_own(shop):
    heard = []

    def fails(event, tx):
        raise ZeroDivisionError

    shop.handlers.on(PaymentSucceeded, name="fails")(fails)
    shop.handlers.on(PaymentSucceeded, name="hears")(lambda event, tx: heard.append(event))
    paid = shop.buy()
    work(shop)
    assert len(heard) == 1
    assert run_of(shop, paid, "hears").state is InboxState.DONE
    assert run_of(shop, paid, "fails").state is InboxState.DUE
    shop.clock.advance(2)
    work(shop)
    assert len(heard) == 1


# -- failures -------------------------------------------------------------------------------------


def test_a_handler_that_fails_keeps_the_facts_and_is_tried_later_and_later(shop, caplog):
    tries = []

    def fails(event, tx):
        tries.append(shop.clock.monotonic())
        raise ZeroDivisionError("the customer's address")

    shop.handlers.on(PaymentSucceeded, name="heard")(fails)
    paid = shop.buy()
    with caplog.at_level(logging.WARNING, "payport.webhooks"):
        work(shop)
    assert shop.pay.payments.get(paid.id).is_paid
    assert caplog.records

    while (run := run_of(shop, paid)).state is InboxState.DUE:
        assert run.error == "ZeroDivisionError", "what an application says is its own"
        assert work(shop) == 0
        shop.clock.advance((run.due_at - shop.clock.now()).total_seconds())
        assert work(shop) == 1
    assert (run.state, run.tries, len(tries)) == (InboxState.DEAD, 12, 12)
    waits = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert all(2.0**n <= wait <= 2.0 * 2**n for n, wait in enumerate(waits))
    assert len({wait / 2**n for n, wait in enumerate(waits)}) == len(waits), "jitter"
    assert "the customer's address" not in (run.trace or "")
    assert f"in {fails.__name__}" in run.trace
    assert work(shop) == 0


@each_colour
def test_a_handler_that_recovers_is_done(shop):
    heard = []

    def fails_once(event, tx):
        heard.append(event)
        if len(heard) == 1:
            raise ZeroDivisionError

    shop.handlers.on(PaymentSucceeded, name="heard")(fails_once)
    paid = shop.buy()
    work(shop)
    shop.clock.advance(2)
    work(shop)
    assert len(heard) == 2
    assert heard[0] == heard[1]
    run = run_of(shop, paid)
    assert (run.state, run.error) == (InboxState.DONE, None)


@each_colour
def test_a_handler_that_is_gone_keeps_its_delivery(shop):
    listen(shop, PaymentSucceeded)
    paid = shop.buy()
    newer = shop.client(handlers=Handlers())
    assert work(shop, newer) == 1
    run = run_of(shop, paid)
    assert (run.state, run.tries) == (InboxState.DUE, 1)
    assert "name" in run.error
    shop.clock.advance(2)
    work(shop)
    assert run_of(shop, paid).state is InboxState.DONE


@each_colour
def test_a_crash_in_a_handler_leaves_it_due(shop):
    heard = []

    def dies_once(event, tx):
        heard.append(event)
        if len(heard) == 1:
            raise Crash

    shop.handlers.on(PaymentSucceeded, name="heard")(dies_once)
    paid = shop.buy()
    with pytest.raises(Crash):
        work(shop)
    assert run_of(shop, paid).state is InboxState.DUE
    work(shop, shop.another())
    assert len(heard) == 1, "it may be at work still"
    shop.clock.advance(HANDLER_LEASE.total_seconds())
    work(shop, shop.another())
    assert len(heard) == 2
    assert run_of(shop, paid).state is InboxState.DONE


@each_colour
def test_two_workers_run_a_handler_once(shop):
    """The second one found it due before the first one was done."""
    other = shop.another()
    heard = []

    def slow(event, tx):
        heard.append(event)

    shop.handlers.on(PaymentSucceeded, name="heard")(slow)
    paid = shop.buy()
    run = run_of(shop, paid)
    event = shop.transact(lambda tx: tx.event(run.event_id))
    work(shop)
    stale = other._target._session
    state = other._target._runner(deliver(stale, run, event, {}))
    assert (shop.run(state) if shop.is_async else state) is InboxState.DONE
    assert len(heard) == 1


# -- the delivery's transaction -------------------------------------------------------------------


@kinds(*SQLITE)
def test_what_a_handler_writes_commits_with_the_mark_that_it_ran(shop):
    fails = [True]

    def write(event, tx):
        tx.connection.exec_driver_sql(
            "INSERT INTO shipped (reference) VALUES (?)", (event.reference,)
        )
        if fails:
            fails.clear()
            raise ZeroDivisionError

    shop.transact(lambda tx: tx.connection.exec_driver_sql("CREATE TABLE shipped (reference)"))
    shop.handlers.on(PaymentSucceeded, name="heard")(write)
    paid = shop.buy()

    def shipped():
        return shop.transact(
            lambda tx: tx.connection.exec_driver_sql("SELECT reference FROM shipped").fetchall()
        )

    work(shop)
    assert shipped() == []
    assert run_of(shop, paid).state is InboxState.DUE
    shop.clock.advance(2)
    work(shop)
    work(shop)
    assert [row[0] for row in shipped()] == ["order_1"]


@kinds(Kind("sync"), Kind("async"))
def test_without_a_database_there_is_no_connection(shop):
    refused = []

    def ask(event, tx):
        with pytest.raises(ConfigurationError, match=r"tx\.connection") as raised:
            tx.connection  # noqa: B018 - asking is the test
        refused.append(raised.value)

    shop.handlers.on(PaymentSucceeded)(ask)
    shop.buy()
    work(shop)
    assert len(refused) == 1


# -- afterwards -----------------------------------------------------------------------------------


@kinds(Kind("sync", "memory"), Kind("sync", "sqlite"))
def test_what_must_not_be_in_the_transaction_is_called_after_it(shop):
    order = []

    def handler(event, tx):
        tx.after_commit(lambda: order.append(str(run_of(shop, paid).state)))
        order.append("handled")

    shop.handlers.on(PaymentSucceeded, name="heard")(handler)
    paid = shop.buy()
    work(shop)
    assert order == ["handled", "done"]


def test_payport_may_be_called_after_the_commit(shop):
    def handler(event, tx):
        tx.after_commit(
            functools.partial(
                shop.pay._target.refunds.create,
                payment=event.payment_id,
                reference="goodwill",
                amount=usd(100),
            )
        )

    shop.handlers.on(PaymentSucceeded, name="heard")(handler)
    heard = []
    shop.handlers.on(RefundSucceeded, name="refunded")(lambda event, tx: heard.append(event))
    paid = shop.buy()
    work(shop)
    assert shop.pay.payments.get(paid.id).refunded == usd(100)
    assert len(heard) == 1


@each_colour
def test_what_fails_after_the_commit_is_logged_and_stops_nobody(shop, caplog):
    def handler(event, tx):
        tx.after_commit(lambda: 1 / 0)

    shop.handlers.on(PaymentSucceeded, name="heard")(handler)
    shop.buy("order_1")
    paid = shop.buy("order_2")
    assert work(shop) == 2
    assert run_of(shop, paid).state is InboxState.DONE
    assert [r.levelname for r in caplog.records if "after the commit" in r.message] == ["ERROR"] * 2


def test_what_follows_a_handler_that_failed_is_not_called(shop):
    called = []

    def handler(event, tx):
        tx.after_commit(lambda: called.append(event))
        raise ZeroDivisionError

    shop.handlers.on(PaymentSucceeded, name="heard")(handler)
    shop.buy()
    work(shop)
    assert called == []


# -- payport inside of a handler ------------------------------------------------------------------


@kinds(Kind("sync", "memory"), Kind("sync", "sqlite"))
@pytest.mark.parametrize(
    "call",
    [
        lambda shop, paid: shop.refund(paid),
        lambda shop, paid: shop.buy("order_9"),
        lambda shop, paid: shop.pay.payments.get(paid.id),
        lambda shop, paid: shop.pay.webhooks.process_due(),
        lambda shop, paid: shop.pay.scoped("tenant_9").payments.list().page(),
    ],
    ids=["refund", "buy", "get", "process_due", "list"],
)
def test_payport_is_not_called_inside_of_a_handler(shop, call):
    refused = []

    def handler(event, tx):
        with pytest.raises(InvalidRequest, match=r"tx\.after_commit") as raised:
            call(shop, paid)
        refused.append(raised.value)

    shop.handlers.on(PaymentSucceeded)(handler)
    paid = shop.buy()
    sent = shop.requests()
    work(shop)
    assert len(refused) == 1
    assert shop.requests() == sent
    assert shop.refund(paid).amount == PRICE, "and outside of it again"


@ASYNC
def test_payport_is_not_called_inside_of_an_awaited_handler(shop):
    refused = []

    async def handler(event, tx):
        pay = shop.pay._target
        with pytest.raises(InvalidRequest, match=r"tx\.after_commit") as raised:
            await pay.refunds.create(payment=event.payment_id, reference="return_1")
        refused.append(raised.value)

    shop.handlers.on(PaymentSucceeded)(handler)
    paid = shop.buy()
    work(shop)
    assert len(refused) == 1
    assert shop.refund(paid).amount == PRICE


# -- awaited handlers -----------------------------------------------------------------------------


class Asker:
    """An object that is called, and awaited."""

    def __init__(self):
        self.heard = []

    async def __call__(self, event, tx):
        await asyncio.sleep(0)
        self.heard.append(event)
        tx.after_commit(lambda: self.heard.append("after"))
        tx.after_commit(self.later)

    async def later(self):
        self.heard.append("later")


@ASYNC
@pytest.mark.parametrize("how", ["function", "object", "partial"])
def test_an_awaited_client_awaits_its_handlers(shop, how):
    asker = Asker()
    handler = {
        "function": asker.__call__,
        "object": asker,
        "partial": functools.partial(asker.__call__),
    }[how]
    shop.handlers.on(PaymentSucceeded, name="heard")(handler)
    paid = shop.buy()
    work(shop)
    work(shop)
    assert [getattr(e, "reference", e) for e in asker.heard] == ["order_1", "after", "later"]
    assert run_of(shop, paid).state is InboxState.DONE


@ASYNC
def test_an_awaited_handler_that_fails_is_tried_again(shop):
    heard = []

    async def handler(event, tx):
        heard.append(event)
        with pytest.raises(ConfigurationError):
            tx.connection  # noqa: B018 - no transaction is open while it is awaited
        if len(heard) == 1:
            raise ZeroDivisionError

    shop.handlers.on(PaymentSucceeded, name="heard")(handler)
    paid = shop.buy()
    work(shop)
    assert run_of(shop, paid).state is InboxState.DUE
    shop.clock.advance(2)
    work(shop)
    assert run_of(shop, paid).state is InboxState.DONE
    assert len(heard) == 2


@ASYNC
def test_a_stale_run_of_an_awaited_handler_does_nothing(shop):
    asker = Asker()
    shop.handlers.on(PaymentSucceeded, name="heard")(asker)
    paid = shop.buy()
    run = run_of(shop, paid)
    event = shop.transact(lambda tx: tx.event(run.event_id))
    work(shop)
    target = shop.pay._target
    late = deliver(target._session, run, event, {})
    assert shop.run(target._runner(late)) is InboxState.DONE
    assert len(asker.heard) == 3


@kinds(Kind("sync"))
def test_a_blocking_client_does_not_drop_a_handler_that_must_be_awaited(shop):
    asker = Asker()
    shop.handlers.on(PaymentSucceeded, name="heard")(asker)
    paid = shop.buy()
    work(shop)
    run = run_of(shop, paid)
    assert run.state is InboxState.DUE
    assert run.error.startswith("ConfigurationError")
    assert "await" in run.error
    assert asker.heard == []


@each_colour
def test_a_plain_function_that_returns_something_to_await_is_not_done(shop):
    asker = Asker()

    def plain(event, tx):
        return asker(event, tx)

    shop.handlers.on(PaymentSucceeded, name="heard")(plain)
    paid = shop.buy()
    work(shop)
    run = run_of(shop, paid)
    assert run.state is InboxState.DUE
    assert run.error.startswith("ConfigurationError")
    assert "await" in run.error
    assert asker.heard == []


# -- registering ----------------------------------------------------------------------------------


def test_registering_leaves_the_function_as_it_is():
    handlers = Handlers()

    @handlers.on(PaymentSucceeded)
    @handlers.on(PaymentFailed, name="failed too")
    def handler(event, tx):
        return "untouched"

    assert handler(None, None) == "untouched"
    assert handlers.named(f"{__name__}.{handler.__qualname__}") is handler
    assert handlers.named("failed too") is handler
    assert handlers.named("nobody") is None


@pytest.mark.parametrize("kind", [None, "payment_succeeded", int, object()])
def test_only_kinds_of_event_are_handled(kind):
    with pytest.raises(ConfigurationError, match=r"Handlers\.on: kind"):
        Handlers().on(kind)


def test_a_name_belongs_to_one_handler():
    handlers = Handlers()
    handlers.on(PaymentSucceeded, name="same")(print)
    with pytest.raises(ConfigurationError, match=r"Handlers\.on: name.*same"):
        handlers.on(PaymentFailed, name="same")(print)
