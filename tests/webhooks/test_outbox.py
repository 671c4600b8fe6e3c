"""What a handler puts off commits with it, is done afterwards, and is not lost."""

import pytest
from shops import PRICE, SQLITE, Kind, each_colour, kinds, usd

from payport import (
    ConfigurationError,
    Handlers,
    InboxState,
    InvalidRequest,
    PaymentSucceeded,
    RefundSucceeded,
    SensitiveData,
)
from payport.testing import Crash, LostRequest, LostResponse


def on_paid(shop, function):
    shop.handlers.on(PaymentSucceeded, name="paid")(function)


def drained(shop, times=1, seconds=3600):
    for _ in range(times):
        shop.pay.webhooks.process_due()
        shop.clock.advance(seconds)


def refund_later(event, tx):
    tx.later("refunds.create", payment=event.payment_id, reference="goodwill", amount=usd(100))


@kinds(Kind("sync"), Kind("async"), *SQLITE)
def test_an_operation_that_was_put_off_is_carried_out_once(shop):
    on_paid(shop, refund_later)
    heard = []
    shop.handlers.on(RefundSucceeded)(lambda event, tx: heard.append(event.refund_reference))
    paid = shop.buy()
    shop.pay.webhooks.process_due()
    drained(shop, 3)
    assert shop.pay.payments.get(paid.id).refunded == usd(100) == shop.bank.refunded("order_1")
    assert heard == ["goodwill"]
    assert {run.state for run in shop.pay.webhooks.runs()} == {InboxState.DONE}


@each_colour
def test_an_operation_whose_answer_is_lost_has_one_effect(shop):
    on_paid(shop, refund_later)
    paid = shop.buy()
    shop.fake.next("create_refund", *[LostResponse()] * 9)
    shop.fake.decide(lambda asked: LostRequest() if asked.operation == "find" else None)
    drained(shop)
    shop.fake.script.clear()
    drained(shop, 3)
    assert len(shop.bank.refunds) == 1
    assert shop.pay.payments.get(paid.id).refunded == usd(100)


@each_colour
def test_what_was_put_off_is_done_in_the_scope_of_its_event(shop):
    on_paid(shop, refund_later)
    tenant = shop.pay.scoped("tenant_9")
    paid = shop.buy(pay=tenant)
    drained(shop)
    assert tenant.payments.get(paid.id).refunded == usd(100)


@each_colour
def test_a_message_reaches_the_function_of_its_topic(shop):
    sent, heard = [], []
    body = {"order": "order_1", "amount": usd(7), "lines": [1, None, True, 1.5]}

    def paid(event, tx):
        sent.append(tx.outbox.send("mail.receipt", body))

    def mail(message, tx):
        heard.append(message)
        tx.outbox.send("mail.copy", message.topic)

    on_paid(shop, paid)
    shop.handlers.on_message("mail.receipt")(mail)
    shop.handlers.on_message("mail.copy")(lambda message, tx: heard.append(message))
    shop.buy()
    drained(shop, 2)
    first, copy = heard
    assert (first.id, first.topic, first.body, first.scope) == (
        sent[0],
        "mail.receipt",
        body,
        "test",
    )
    assert (copy.topic, copy.body) == ("mail.copy", "mail.receipt")


@each_colour
def test_a_handler_that_fails_sends_nothing_and_the_id_stays(shop):
    sent, heard = [], []

    def paid(event, tx):
        sent.append(tx.outbox.send("mail.receipt"))
        if len(sent) == 1:
            raise ZeroDivisionError

    on_paid(shop, paid)
    shop.handlers.on_message("mail.receipt")(lambda message, tx: heard.append(message.id))
    shop.buy()
    shop.pay.webhooks.process_due()
    assert heard == []
    drained(shop, 3)
    assert heard == [sent[0]] == [sent[1]]


@each_colour
def test_a_crash_after_the_commit_loses_no_message(shop):
    heard = []

    def paid(event, tx):
        tx.outbox.send("mail.receipt", event.reference)
        tx.after_commit(crash)

    def crash():
        raise Crash

    on_paid(shop, paid)
    shop.handlers.on_message("mail.receipt")(lambda message, tx: heard.append(message.body))
    shop.buy()
    with pytest.raises(Crash):
        shop.pay.webhooks.process_due()
    assert heard == []
    shop.another().webhooks.process_due()
    assert heard == ["order_1"]


@each_colour
def test_a_message_that_fails_dies_and_is_replayed(shop):
    tries = []

    def mail(message, tx):
        tries.append(message.id)
        if len(tries) <= 12:
            raise ZeroDivisionError

    on_paid(shop, lambda event, tx: tx.outbox.send("mail") and None)
    shop.handlers.on_message("mail")(mail)
    shop.buy()
    drained(shop, 15)
    (dead,) = shop.pay.webhooks.runs(state="dead")
    assert (dead.handler, dead.tries, len(tries)) == ("mail", 12, 12)
    assert dead.message not in repr(dead)
    assert shop.pay.webhooks.stats().runs[InboxState.DEAD] == 1
    assert shop.pay.webhooks.replay(dead.event_id) == 1
    drained(shop)
    assert len(tries) == 13
    assert shop.pay.webhooks.replay(dead.event_id) == 0, "done is not done again unasked"
    assert shop.pay.webhooks.replay(dead.event_id, handler="mail") == 1
    drained(shop)
    assert len(tries) == 14


@each_colour
def test_nobodys_message_waits_for_somebody(shop):
    on_paid(shop, lambda event, tx: tx.outbox.send("mail") and None)
    shop.buy()
    drained(shop)
    (run,) = shop.pay.webhooks.runs(state="due")
    assert "no handler" in run.error


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda tx: tx.later("payments.delete", payment="x"), "operation: must be one of"),
        (lambda tx: tx.later("refunds.create", payment=object()), "arguments: holds"),
        (lambda tx: tx.later("refunds.create", payment={1: 2}), "arguments: holds"),
        (lambda tx: tx.outbox.send("mail", float("nan")), "body: holds"),
        (lambda tx: tx.outbox.send("mail", {"$money": 1}), "body: holds"),
        (lambda tx: tx.outbox.send("mail", "x" * 70_000), "body: has more"),
        (lambda tx: tx.outbox.send(""), "topic"),
        (lambda tx: tx.outbox.send("a\nb"), "topic"),
        (lambda tx: tx.outbox.send(7), "topic"),
        (lambda tx: tx.outbox.send("payport:refunds.create", {}), "topic"),
    ],
    ids=range(10),
)
@kinds(Kind("sync"))
def test_what_cannot_be_sent_is_refused_in_the_handler(shop, call, why):
    refused = []

    def paid(event, tx):
        with pytest.raises(InvalidRequest, match=why) as raised:
            call(tx)
        refused.append(raised.value)

    on_paid(shop, paid)
    shop.buy()
    drained(shop)
    assert len(refused) == 1
    assert len(list(shop.pay.webhooks.runs())) == 1


@kinds(Kind("sync"))
def test_card_numbers_do_not_get_into_the_outbox(shop):
    refused = []

    def paid(event, tx):
        with pytest.raises(SensitiveData):
            tx.outbox.send("mail", {"note": "4242 4242 4242 4242"})
        refused.append(event)

    on_paid(shop, paid)
    shop.buy()
    drained(shop)
    assert len(refused) == 1


def test_a_topic_belongs_to_one_function():
    handlers = Handlers()
    handlers.on_message("mail")(print)
    with pytest.raises(ConfigurationError, match="another function"):
        handlers.on_message("mail")(print)


@kinds(*SQLITE)
def test_a_message_commits_with_what_the_handler_wrote(shop):
    shop.transact(lambda tx: tx.connection.exec_driver_sql("CREATE TABLE shipped (reference)"))

    def paid(event, tx):
        tx.connection.exec_driver_sql("INSERT INTO shipped VALUES ('x')")
        tx.outbox.send("mail", event.captured)

    on_paid(shop, paid)
    heard = []
    shop.handlers.on_message("mail")(lambda message, tx: heard.append(message.body))
    shop.buy()
    drained(shop, 3)
    read = "SELECT count(*) FROM shipped"
    assert shop.transact(lambda tx: tx.connection.exec_driver_sql(read).scalar_one()) == 1
    assert heard == [PRICE]
