"""
What a call read or wrote itself it does not read again, as long as nobody changed it meanwhile:
whoever did is seen, and everything is then read anew.
"""

from dataclasses import replace
from datetime import timedelta

import pytest
from shops import PRICE, Kind, kinds

from payport import IdempotencyConflict, OperationInProgress
from payport.operations.records import OperationState
from payport.testing import Unavailable

pytestmark = kinds(*[Kind("sync", store) for store in ("memory", "sqlite", "postgres")])

#: Transactions of a call that knows its account, and whose request goes out at once.
SENT, CONCLUDED = 1, 2
#: The same where the request has to wait for its turn.
PREPARED, CLAIMED = 1, 2


class Reading:
    """A transaction that counts how often rows are read."""

    def __init__(self, tx, reads):
        self.tx = tx
        self.reads = reads

    def __getattr__(self, name):
        if name in {"operation", "payment"}:
            self.reads.append(name)
        return getattr(self.tx, name)


@pytest.fixture
def faulty(shop):
    """A store between whose transactions others do something, and a client that used it before."""
    store = used(shop, shop.client)
    shop.clock.advance(1)
    return store


@pytest.fixture
def hurried(shop):
    """The same, and the client's next request has to wait for its turn."""
    return used(shop, shop.hurried)


def used(shop, client):
    store = shop.faulty()
    store.pay = client(store=store)
    shop.buy("order_0", pay=store.pay)
    store.count = 0
    return store


def change(shop, **changes):
    """Another process changes the operation's row."""
    row = shop.rows()[-1]
    shop.transact(lambda tx: tx.save_operation(replace(tx.operation(row.id), **changes)))


def touch(shop):
    """Another process changes the payment."""
    payment = shop.rows()[-1].payment_id

    def work(tx):
        intent = tx.payment(payment, lock=True)
        tx.save_payment(intent.evolve(description="touched"))

    shop.transact(work)


def reads_of(store, call):
    """What was read, and the numbers of the transactions."""
    reads = []
    inner, transact = store.inner, store.inner.transact
    inner.transact = lambda work: transact(lambda tx: work(Reading(tx, reads)))
    store.after = reads.append
    call()
    inner.transact = transact
    return reads


def test_a_new_payment_is_written_and_concluded_without_a_look(shop, faulty):
    assert reads_of(faulty, lambda: shop.buy(pay=faulty.pay)) == [SENT, CONCLUDED]


def test_an_operation_on_a_payment_is_concluded_without_another_look(shop, faulty):
    held = shop.hold()
    look = ["payment", 1]
    reads = reads_of(faulty, lambda: faulty.pay.payments.capture(held.id))
    assert reads == [*look, "payment", "operation", 1 + SENT, 1 + CONCLUDED]


def test_nothing_is_read_between_preparing_and_concluding(shop, hurried):
    reads = reads_of(hurried, lambda: shop.buy(pay=hurried.pay))
    assert reads == [PREPARED, CLAIMED, 1 + CLAIMED]


def test_a_payment_that_was_begun_before_is_found_though_it_was_not_looked_for(shop, faulty):
    paid = shop.buy()
    sent = shop.requests()
    assert shop.buy(pay=faulty.pay) == paid
    assert shop.requests() == sent
    with pytest.raises(IdempotencyConflict):
        shop.buy(pay=faulty.pay, payment_method="pm_card_ok")
    assert shop.bank.charged("order_1") == PRICE


def test_a_payment_that_was_changed_while_its_request_was_sent_keeps_the_change(shop, faulty):
    faulty.after = lambda number: touch(shop) if number == SENT else None
    paid = shop.buy(pay=faulty.pay)
    assert (paid.status, paid.description) == ("succeeded", "touched")
    assert shop.pay.payments.get(paid.id) == paid
    assert shop.events(paid).count("PaymentSucceeded") == 1
    assert shop.bank.charged("order_1") == PRICE


def test_a_payment_that_was_changed_before_its_request_was_sent_keeps_the_change(shop, hurried):
    hurried.after = lambda number: touch(shop) if number == PREPARED else None
    paid = shop.buy(pay=hurried.pay)
    assert (paid.status, paid.description) == ("succeeded", "touched")
    assert shop.bank.charged("order_1") == PRICE


def test_an_operation_that_others_took_before_it_was_sent_is_not_sent(shop, hurried):
    until = shop.clock.now() + timedelta(minutes=1)
    taken = {"state": OperationState.SENT, "lease_owner": "another", "lease_until": until}
    hurried.after = lambda number: change(shop, **taken) if number == PREPARED else None
    with pytest.raises(OperationInProgress):
        shop.buy(pay=hurried.pay)
    assert shop.rows()[-1].lease_owner == "another"
    assert shop.bank.charged("order_1").minor == 0


def test_an_operation_that_was_given_up_before_it_was_sent_begins_again(shop, hurried):
    def give_up(number):
        if number == PREPARED:
            shop.clock.advance(12)
            assert shop.another().operations.recover().abandoned == 1

    hurried.after = give_up
    assert shop.buy(pay=hurried.pay).status == "succeeded"
    row = shop.rows()[-1]
    assert (row.state, row.sends, row.fencing) == (OperationState.CONFIRMED, 1, 1)
    assert shop.bank.charged("order_1") == PRICE


def test_a_failure_concludes_nothing_that_others_took_meanwhile(shop, faulty):
    shop.fake.next("create_payment", *[Unavailable()] * 9)
    taken = {"lease_owner": "another", "fencing": 2}
    faulty.after = lambda number: change(shop, **taken) if number == SENT else None
    with pytest.raises(Exception, match="order_1"):
        shop.buy(pay=faulty.pay)
    row = shop.rows()[-1]
    assert (row.state, row.lease_owner) == (OperationState.SENT, "another")


def test_an_answer_concludes_also_what_others_took_meanwhile(shop, faulty):
    taken = {"lease_owner": "another", "fencing": 2}
    faulty.after = lambda number: change(shop, **taken) if number == SENT else None
    assert shop.buy(pay=faulty.pay).status == "succeeded"
    row = shop.rows()[-1]
    assert (row.state, row.fencing) == (OperationState.CONFIRMED, 2)
