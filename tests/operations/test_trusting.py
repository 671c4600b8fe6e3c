"""
What a call read or wrote itself it does not read again, as long as nobody changed it meanwhile:
whoever did is seen, and everything is then read anew.
"""

from dataclasses import replace
from datetime import timedelta

import pytest
from shops import PRICE, Kind, kinds

from payport import OperationInProgress
from payport.operations.records import OperationState
from payport.testing import Unavailable

pytestmark = kinds(*[Kind("sync", store) for store in ("memory", "sqlite", "postgres")])

#: Transactions of a call that knows its account: prepared, claimed, concluded.
PREPARED, CLAIMED, CONCLUDED = 1, 2, 3


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
    store = shop.faulty()
    pay = shop.client(store=store)
    shop.buy("order_0", pay=pay)
    store.count = 0
    shop.clock.advance(1)
    store.pay = pay
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


def test_nothing_is_read_between_preparing_and_concluding(shop, faulty):
    reads = []
    inner, transact = faulty.inner, faulty.inner.transact
    inner.transact = lambda work: transact(lambda tx: work(Reading(tx, reads)))
    faulty.after = reads.append
    shop.buy(pay=faulty.pay)
    inner.transact = transact
    assert reads == ["payment", "operation", PREPARED, CLAIMED, CONCLUDED]


def test_a_payment_that_was_changed_while_its_request_was_sent_keeps_the_change(shop, faulty):
    faulty.after = lambda number: touch(shop) if number == CLAIMED else None
    paid = shop.buy(pay=faulty.pay)
    assert (paid.status, paid.description) == ("succeeded", "touched")
    assert shop.pay.payments.get(paid.id) == paid
    assert shop.events(paid).count("PaymentSucceeded") == 1
    assert shop.bank.charged("order_1") == PRICE


def test_a_payment_that_was_changed_before_its_request_was_sent_keeps_the_change(shop, faulty):
    faulty.after = lambda number: touch(shop) if number == PREPARED else None
    paid = shop.buy(pay=faulty.pay)
    assert (paid.status, paid.description) == ("succeeded", "touched")
    assert shop.bank.charged("order_1") == PRICE


def test_an_operation_that_others_took_before_it_was_sent_is_not_sent(shop, faulty):
    until = shop.clock.now() + timedelta(minutes=1)
    taken = {"state": OperationState.SENT, "lease_owner": "another", "lease_until": until}
    faulty.after = lambda number: change(shop, **taken) if number == PREPARED else None
    with pytest.raises(OperationInProgress):
        shop.buy(pay=faulty.pay)
    assert shop.rows()[-1].lease_owner == "another"
    assert shop.bank.charged("order_1").minor == 0


def test_an_operation_that_was_given_up_before_it_was_sent_begins_again(shop, faulty):
    def give_up(number):
        if number == PREPARED:
            shop.clock.advance(12)
            assert shop.another().operations.recover().abandoned == 1

    faulty.after = give_up
    assert shop.buy(pay=faulty.pay).status == "succeeded"
    row = shop.rows()[-1]
    assert (row.state, row.sends, row.fencing) == (OperationState.CONFIRMED, 1, 1)
    assert shop.bank.charged("order_1") == PRICE


def test_a_failure_concludes_nothing_that_others_took_meanwhile(shop, faulty):
    shop.fake.next("create_payment", *[Unavailable()] * 9)
    taken = {"lease_owner": "another", "fencing": 2}
    faulty.after = lambda number: change(shop, **taken) if number == CLAIMED else None
    with pytest.raises(Exception, match="order_1"):
        shop.buy(pay=faulty.pay)
    row = shop.rows()[-1]
    assert (row.state, row.lease_owner) == (OperationState.SENT, "another")


def test_an_answer_concludes_also_what_others_took_meanwhile(shop, faulty):
    taken = {"lease_owner": "another", "fencing": 2}
    faulty.after = lambda number: change(shop, **taken) if number == CLAIMED else None
    assert shop.buy(pay=faulty.pay).status == "succeeded"
    row = shop.rows()[-1]
    assert (row.state, row.fencing) == (OperationState.CONFIRMED, 2)
