"""Workers and clients that share an inbox: each account its own, and nobody all of it."""

from shops import FOUR, POSTGRES, each_colour, kinds, usd

from payport import InboxState, PaymentSucceeded, RefundSucceeded
from payport.testing import Bank
from payport.testing.faults import ConnectionRefused
from payport.webhooks.delivering import deliver
from payport.webhooks.run_claims import claim_due_runs, release_runs
from payport.webhooks.working import BATCH, work_batch

EVERYWHERE = kinds(*FOUR, *POSTGRES)


def carried(shop, client, steps):
    result = client._target._runner(steps)
    return shop.run(result) if shop.is_async else result


class Elsewhere:
    """A client on the shop's store, at an account of its own, and what it delivers to handlers."""

    def __init__(self, shop):
        # A provider's ids are of all of its accounts.
        asked = {"account": "acct_other", "first_number": 501}
        self.bank = Bank(behaviour=shop.bank.behaviour, clock=shop.clock, **asked)
        make = type(shop.fake)
        self.fake = make(bank=self.bank)
        self.pay = shop.client(self.fake, scope="elsewhere")


@EVERYWHERE
def test_clients_of_two_accounts_share_a_store_and_take_nothing_of_each_other(shop):
    other, heard = Elsewhere(shop), []
    shop.handlers.on(RefundSucceeded, name="heard")(
        lambda event, tx: heard.append((event.account, event.reference))
    )
    paid, theirs = shop.buy("order_1"), shop.buy("order_2", other.pay)
    shop.deliver()
    shop.deliver(other.pay, fake=other.fake)
    shop.bank.refund("order_1", usd(100))
    other.bank.refund("order_2", usd(200))
    mine = [shop.receive(request).ids[0] for request in shop.fake.webhooks()]
    others = [shop.receive(request, other.pay).ids[0] for request in other.fake.webhooks()]

    assert other.pay.webhooks.process_one(mine[0]) is InboxState.DUE
    other.pay.webhooks.process_due()
    assert [shop.pay.webhooks.get(name).state for name in mine] == [InboxState.DUE] * len(mine)
    assert heard == [("acct_other", "order_2")]
    shop.pay.webhooks.process_due()
    assert heard[1:] == [("acct_fake", "order_1")]
    states = {shop.pay.webhooks.get(name).state for name in (*mine, *others)}
    assert states == {InboxState.DONE}
    assert shop.pay.payments.get(paid.id).refunded == usd(100)
    assert other.pay.payments.get(theirs.id).refunded == usd(200)


@EVERYWHERE
def test_a_handler_is_run_by_a_client_of_the_events_account(shop):
    other, heard = Elsewhere(shop), []
    shop.handlers.on(PaymentSucceeded, name="heard")(lambda event, tx: heard.append(event.account))
    shop.handlers.on_message("said")(lambda message, tx: heard.append(message.body))

    def say(event, tx):
        tx.outbox.send("said", event.account)

    shop.handlers.on(PaymentSucceeded, name="say")(say)
    shop.buy("order_1")
    assert other.pay.webhooks.process_due() == 0
    assert heard == []
    assert carried(shop, shop.pay, claim_and_run(shop.pay)) == 1
    assert other.pay.webhooks.process_due() == 0
    shop.pay.webhooks.process_due()
    assert heard == ["acct_fake", "acct_fake"]


def claim_and_run(client):
    """Deliver one run, of as many as there are."""
    session = client._target._session
    claimed = yield from claim_due_runs(session, BATCH)
    run, *rest = claimed.runs
    yield from deliver(session, run, claimed.events.get(run.event_id), {})
    yield from release_runs(session, rest)
    return 1


@each_colour
def test_what_came_before_the_account_was_known_is_anybodys(shop):
    shop.buy()
    shop.deliver()
    shop.bank.refund("order_1", usd(100))
    new = shop.another()  # it was not asked yet which account it is at
    rows = [shop.receive(request, new).ids[0] for request in shop.fake.webhooks()]
    assert {shop.pay.webhooks.get(name).received_for for name in rows} == {None}
    assert new.webhooks.process_due() >= 1
    assert {shop.pay.webhooks.get(name).state for name in rows} == {InboxState.DONE}


@each_colour
def test_who_is_not_told_its_account_takes_nothing_that_is_somebodys(shop):
    shop.buy()
    shop.deliver()
    shop.bank.refund("order_1", usd(100))
    (row, *_) = [shop.receive(request).ids[0] for request in shop.fake.webhooks()]
    provider = shop.provider()
    unsure = shop.client(provider)
    provider.next("account", *[ConnectionRefused()] * 4)
    assert unsure.webhooks.process_due() == 0
    assert shop.pay.webhooks.get(row).tries == 0
    assert shop.pay.webhooks.process_one(row) is InboxState.DONE


# -- fair shares ----------------------------------------------------------------------------------


@each_colour
def test_of_few_runs_a_worker_takes_half(shop):
    shop.handlers.on(PaymentSucceeded, name="heard")(lambda event, tx: None)
    for number in range(7):
        shop.buy(f"order_{number}")
    workers = [shop.pay, *(shop.another() for _ in range(3))]
    session = [client._target._session for client in workers]
    taken = [
        len(carried(shop, client, claim_due_runs(own, BATCH)).runs)
        for client, own in zip(workers, session, strict=True)
    ]
    assert taken == [4, 2, 1, 0]


@each_colour
def test_of_many_runs_a_worker_takes_what_it_may(shop):
    shop.handlers.on(PaymentSucceeded, name="heard")(lambda event, tx: None)
    for number in range(5):
        shop.buy(f"order_{number}")
    claimed = carried(shop, shop.pay, claim_due_runs(shop.pay._target._session, 3))
    assert len(claimed.runs) == 3
    assert {run.event_id for run in claimed.runs} == set(claimed.events)


@each_colour
def test_a_worker_that_is_slow_gives_back_what_it_has_not_begun(shop):
    """Whoever has nothing to do finds it, and nobody waits for the end of a lease."""
    shop.handlers.on(PaymentSucceeded, name="heard")(lambda event, tx: shop.clock.advance(1))
    for number in range(4):
        shop.buy(f"order_{number}")
    tried = carried(shop, shop.pay, work_batch(shop.pay._target._session, {}, lambda: False))
    assert tried == 1
    assert shop.another().webhooks.process_due() == 3
