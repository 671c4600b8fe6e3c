"""Workers: any number of them, each thing once, and what is in hand is finished."""

import asyncio
import contextlib
import os
import threading
import time
import warnings
from datetime import timedelta

import pytest
from shops import FOUR, POSTGRES, PRICE, SQLITE, Kind, each_colour, kinds, usd

from payport import (
    InboxState,
    InvalidRequest,
    InvalidTransition,
    NotFound,
    PaymentSucceeded,
    RefundSucceeded,
    StoreUnavailable,
    WebhookRejected,
)
from payport.storage.grouping import AsyncGrouped, Grouped
from payport.webhooks.inbox import MAX_BODY
from payport.webhooks.turns import HANDLER_LEASE, LONGEST_WAIT, delivery_lease, next_try

BLOCKING = kinds(Kind("sync"), SQLITE[0], POSTGRES[0])


def refunded(shop, count, reference="order_{}"):
    """Webhooks about refunds of so many payments."""
    for number in range(count):
        shop.buy(reference.format(number))
    shop.deliver()
    for number in range(count):
        shop.bank.refund(reference.format(number), usd(100))
    return [shop.receive(request).ids[0] for request in shop.fake.webhooks()]


class Stop:
    """Stops a worker after so many looks, and advances the shop's clock while it waits."""

    def __init__(self, looks, clock=None):
        self.looks, self.clock, self.waits = looks, clock, []

    def is_set(self):
        self.looks -= 1
        return self.looks < 0

    def wait(self, timeout):
        self.waits.append(timeout)
        if self.clock is not None:
            self.clock.advance(timeout)


@each_colour
def test_a_worker_works_until_it_is_told_to_stop(shop):
    ids = refunded(shop, 3)
    stop = asyncio.Event() if shop.is_async else threading.Event()
    heard = []

    def handler(event, tx):
        heard.append(event)
        if len(heard) == 2:
            shop.run(_set(stop)) if not shop.is_async else loop.call_soon_threadsafe(stop.set)

    async def _set(stop):
        stop.set()

    async def main():
        nonlocal loop
        loop = asyncio.get_running_loop()
        await shop.pay._target.webhooks.run_worker(stop=stop, poll=0.01)

    loop = None
    if shop.is_async:
        shop.handlers.on(RefundSucceeded)(handler)
        shop.run(main())
    else:
        shop.handlers.on(RefundSucceeded)(
            lambda event, tx: heard.append(event) or (len(heard) == 2 and stop.set()) or None
        )
        shop.pay.webhooks.run_worker(stop=stop, poll=0.01)
    assert 2 <= len(heard) <= 3, "what is in hand is finished, and the rest is given back"
    assert {shop.pay.webhooks.get(each).state for each in ids} == {InboxState.DONE}
    shop.pay.webhooks.process_due()
    assert len(heard) == 3, "and is anybody's at once"


@kinds(Kind("sync"))
def test_a_worker_with_nothing_to_do_waits_and_a_store_that_fails_does_not_end_it(shop):
    store = shop.faulty()
    pay = shop.client(store=store)

    def fail(number):
        if number == 1:
            raise StoreUnavailable("the disk is full", operation="store")

    store.before = fail
    stop = Stop(9)
    pay.webhooks.run_worker(stop=stop, poll=0.5)
    assert stop.waits
    assert set(stop.waits) == {0.5}
    for wrong in (0, -1, True, "1", 4000):
        with pytest.raises(InvalidRequest, match="poll"):
            pay.webhooks.run_worker(poll=wrong)


@BLOCKING
def test_many_workers_do_each_thing_once(shop):
    refunded(shop, 12)
    heard = []
    shop.handlers.on(RefundSucceeded)(lambda event, tx: heard.append(event.reference))
    clients = [shop.another()._target for _ in range(4)]

    def work(client):
        while client.webhooks.process_due():
            pass

    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shop.pay.webhooks.process_due()
    assert sorted(heard) == sorted(f"order_{n}" for n in range(12))


@kinds(*FOUR)
def test_what_a_dead_worker_had_is_taken_over_after_its_lease(shop):
    (row,) = refunded(shop, 1)
    dead = shop.another()
    session = dead._target._session
    claim = lambda tx: tx.claim_deliveries(  # noqa: E731
        [row], until=shop.clock.now() + delivery_lease(session.settings)
    )
    shop.transact(claim)
    assert shop.pay.webhooks.process_due() == 0
    assert shop.pay.webhooks.process_one(row) is InboxState.DUE
    shop.clock.advance(delivery_lease(session.settings).total_seconds())
    assert shop.pay.webhooks.process_due() >= 1
    assert shop.pay.webhooks.get(row).state is InboxState.DONE


@each_colour
def test_a_worker_that_was_too_slow_writes_nothing(shop):
    (row,) = refunded(shop, 1)
    session = shop.another()._target._session
    from payport.webhooks.claiming import claim_one  # noqa: PLC0415
    from payport.webhooks.processing import process  # noqa: PLC0415

    runner = shop.pay._target._runner

    def carried(steps):
        result = runner(steps)
        return shop.run(result) if shop.is_async else result

    slow, _ = carried(claim_one(session, row))
    shop.clock.advance(delivery_lease(session.settings).total_seconds())
    fast, _ = carried(claim_one(session, row))
    assert fast.fencing == slow.fencing + 1
    session._accounts.update(shop.pay._target._session._accounts)
    assert carried(process(session, slow)).state is InboxState.DUE
    assert shop.pay.payments.get(reference="order_0").refunded == usd(0)
    assert carried(process(session, fast)).state is InboxState.DONE
    assert shop.pay.payments.get(reference="order_0").refunded == usd(100)


def test_waits_grow_to_an_hour_and_are_jittered():
    waits = [next_try(tries, "inb_1").total_seconds() for tries in range(1, 40)]
    assert all(2**n <= wait <= 2 * 2**n for n, wait in enumerate(waits[:11]))
    assert max(waits) <= LONGEST_WAIT.total_seconds()
    assert min(waits[11:]) >= LONGEST_WAIT.total_seconds() / 2
    assert len({next_try(5, f"inb_{n}") for n in range(100)}) == 100
    assert next_try(5, "inb_1") == next_try(5, "inb_1")
    assert timedelta(minutes=1) < HANDLER_LEASE


# -- one by one -----------------------------------------------------------------------------------


@each_colour
def test_processing_one_has_its_events_handled_too(shop):
    (row,) = refunded(shop, 1)
    heard = []
    shop.handlers.on(RefundSucceeded)(lambda event, tx: heard.append(event.reference))
    assert shop.pay.webhooks.process_one(row) is InboxState.DONE
    assert heard == ["order_0"]
    assert shop.pay.webhooks.process_one(row) is InboxState.DONE
    assert heard == ["order_0"]


@each_colour
def test_one_of_a_line_is_not_begun_while_another_is_at_work(shop):
    paid = shop.buy()
    shop.deliver()
    rows = []
    for _ in range(2):
        shop.bank.refund("order_1", usd(100))
        rows += [shop.receive(request).ids[0] for request in shop.fake.webhooks()]
    until = shop.clock.now() + timedelta(minutes=1)
    shop.transact(lambda tx: tx.claim_deliveries(rows[:1], until=until))
    assert shop.pay.webhooks.process_one(rows[1]) is InboxState.DUE
    assert shop.pay.payments.get(paid.id).refunded == usd(0)
    shop.clock.advance(60)
    assert shop.pay.webhooks.process_one(rows[1]) is InboxState.DONE
    assert shop.pay.payments.get(paid.id).refunded == usd(100)


# -- not there yet --------------------------------------------------------------------------------


@each_colour
def test_what_is_about_a_payment_that_is_not_there_yet_comes_back(shop):
    """The webhook overtakes the answer, and carries no tag to know it by."""
    paid = shop.buy()
    shop.deliver()
    shop.bank.refund("order_1", usd(100))
    (request,) = shop.fake.webhooks()
    (row,) = shop.receive(request).ids
    lost = {}

    def forget(tx):
        lost["payment"] = tx._data.payments.pop(paid.id)
        lost["refs"] = dict(tx._data.refs)
        lost["keys"] = dict(tx._data.keys)
        tx._data.refs.clear()
        tx._data.keys.clear()

    def remember(tx):
        tx._data.payments[paid.id] = lost["payment"]
        tx._data.refs.update(lost["refs"])
        tx._data.keys.update(lost["keys"])

    shop.transact(forget)
    shop.pay.webhooks.process_due()
    waiting = shop.pay.webhooks.get(row)
    assert (waiting.state, waiting.tries) == (InboxState.DUE, 1)
    assert timedelta() < waiting.due_at - shop.clock.now() <= timedelta(seconds=5)
    shop.transact(remember)
    shop.clock.advance(5)
    shop.pay.webhooks.process_due()
    assert shop.pay.webhooks.get(row).state is InboxState.DONE


# -- foreign and adopted --------------------------------------------------------------------------


def foreign(shop):
    ref = shop.bank.charge(PRICE, reference="walk_in")
    rows = [shop.receive(request).ids[0] for request in shop.fake.webhooks()]
    for _ in range(6):
        shop.pay.webhooks.process_due()
        shop.clock.advance(150)
    assert {shop.pay.webhooks.get(row).state for row in rows} == {InboxState.FOREIGN}
    (kept, *_) = list(shop.pay.webhooks.list(state="foreign"))
    return kept.attempt_ref, rows, ref


@kinds(*FOUR)
def test_what_was_made_elsewhere_can_be_adopted(shop):
    heard = []
    shop.handlers.on(PaymentSucceeded)(lambda event, tx: heard.append(event.payment_id))
    ref, rows, _ = foreign(shop)
    adopted = shop.pay.payments.adopt(provider_ref=ref)
    assert (adopted.status, adopted.captured, adopted.amount) == ("succeeded", PRICE, PRICE)
    assert adopted.provider_ref == adopted.reference == ref
    assert shop.pay.payments.adopt(provider_ref=ref).id == adopted.id
    assert shop.another().payments.adopt(provider_ref=ref).id == adopted.id
    shop.pay.webhooks.process_due()
    assert heard == [adopted.id]
    assert {shop.pay.webhooks.get(row).state for row in rows} == {InboxState.DONE}
    shop.bank.refund("walk_in", usd(300))
    shop.deliver()
    assert shop.pay.payments.get(adopted.id).refunded == usd(300)
    assert shop.refund(adopted, amount=usd(100)).status == "succeeded"


@each_colour
def test_an_adopted_payments_id_is_random_and_its_ref_is_never_twice(shop):
    ref, _, _ = foreign(shop)
    one = shop.pay.payments.adopt(provider_ref=ref)
    with pytest.raises(NotFound, match="tenant_9"):
        shop.pay.scoped("tenant_9").payments.adopt(provider_ref=ref)
    ids = [p.id for p in shop.pay.payments.list()]
    assert ids == [one.id]


@each_colour
def test_what_is_ours_or_nothing_is_not_adopted(shop):
    paid = shop.buy()
    assert shop.pay.payments.adopt(provider_ref=paid.provider_ref).id == paid.id
    with pytest.raises(NotFound):
        shop.pay.payments.adopt(provider_ref="bp_999999")
    for wrong in ("", None, 7, "a\nb", "x" * 300):
        with pytest.raises(InvalidRequest, match="provider_ref"):
            shop.pay.payments.adopt(provider_ref=wrong)


@each_colour
def test_foreign_deliveries_are_looked_at_again_when_their_payment_turns_up(shop):
    ref, rows, _ = foreign(shop)
    shop.pay.payments.adopt(provider_ref=ref)
    assert {shop.pay.webhooks.get(row).state for row in rows} == {InboxState.DUE}


# -- keeping --------------------------------------------------------------------------------------


@kinds(*FOUR)
def test_bodies_of_what_is_done_are_deleted_by_age_and_repetitions_are_still_known(shop):
    paid = shop.buy()
    requests = shop.fake.webhooks()
    shop.bank.refund("order_1", usd(100))
    requests += shop.fake.webhooks()
    rows = [shop.receive(request).ids[0] for request in requests]
    shop.pay.webhooks.process_due()
    assert shop.pay.webhooks.prune(older_than=timedelta(days=30)) == 0
    shop.clock.advance(200)
    late = [shop.receive(request) for request in requests]
    assert {receipt.status for receipt in late} == {"duplicate"}
    assert shop.pay.webhooks.prune(older_than=timedelta(seconds=100)) == len(rows)
    assert shop.pay.webhooks.prune(older_than=timedelta()) == 0
    assert {shop.pay.webhooks.get(row).body for row in rows} == {None}
    assert {shop.receive(request).status for request in requests} == {"duplicate"}
    for row in rows:
        shop.pay.webhooks.replay(row)
    shop.pay.webhooks.process_due()
    assert shop.pay.payments.get(paid.id).refunded == usd(100), "read from the provider"
    for wrong in (timedelta(days=-1), 30, None):
        with pytest.raises(InvalidRequest, match="older_than"):
            shop.pay.webhooks.prune(older_than=wrong)


@each_colour
def test_deliveries_are_listed_and_found(shop):
    ids = refunded(shop, 3)
    listed = [row.id for row in shop.pay.webhooks.list()]
    assert set(ids) <= set(listed)
    page = shop.pay.webhooks.list().page(limit=2)
    rest = shop.pay.webhooks.list().page(cursor=page.next_cursor, limit=100)
    assert [row.id for row in (*page.items, *rest.items)] == listed
    assert {row.id for row in shop.pay.webhooks.list(state="due")} == set(ids)
    assert shop.pay.webhooks.get(ids[0]).type == "refund.given"
    with pytest.raises(InvalidRequest, match=r"state|status"):
        shop.pay.webhooks.list(state="lost")
    with pytest.raises(NotFound):
        shop.pay.webhooks.get("inb_" + "a" * 26)
    stats = shop.pay.webhooks.stats()
    assert stats.deliveries[InboxState.DUE] == 3
    assert stats.oldest_due is not None


@each_colour
def test_what_is_replayed_has_to_be_something(shop):
    for wrong in ("x", None, "be_1", "inb_1"):
        with pytest.raises(InvalidRequest, match="name"):
            shop.pay.webhooks.replay(wrong)
    for name in ("inb_" + "a" * 26, "evt_" + "a" * 26, "msg_" + "a" * 26):
        with pytest.raises(NotFound):
            shop.pay.webhooks.replay(name)
    assert InvalidTransition is not NotFound


@each_colour
def test_another_providers_webhook_is_refused_before_it_is_looked_at(shop):
    with pytest.raises(InvalidRequest, match="client is at fake"):
        shop.pay.webhooks.receive(body=bytes(MAX_BODY + 1), headers={}, provider="stripe")
    with pytest.raises(WebhookRejected):
        shop.pay.webhooks.receive(body=b"", headers={}, provider="fake")


# -- group commit ---------------------------------------------------------------------------------


class Slow:
    """A store that is slow to commit, so that others arrive meanwhile."""

    def __init__(self):
        self.commits, self.go = [], threading.Event()

    def transact(self, work):
        self.go.wait(5)
        result = work([])
        self.commits.append(len(result))
        return result


def at_once(store, works):
    grouped, told = Grouped(store), {}

    def call(number, work):
        try:
            told[number] = grouped.transact_shared(work)
        except Exception as error:  # noqa: BLE001 - looked at by the test
            told[number] = error

    threads = [threading.Thread(target=call, args=each) for each in enumerate(works)]
    for thread in threads:
        thread.start()
    store.go.set()
    for thread in threads:
        thread.join()
    return [told[number] for number in range(len(works))]


def test_units_that_wait_for_a_commit_share_the_next_one():
    store = Slow()
    told = at_once(store, [lambda tx, n=n: n for n in range(40)])
    assert told == list(range(40))
    assert sum(store.commits) == 40
    assert len(store.commits) < 20


def test_a_unit_that_fails_takes_no_other_back():
    def fails(tx):
        raise ZeroDivisionError

    told = at_once(Slow(), [fails if n == 7 else (lambda tx, n=n: n) for n in range(20)])
    assert isinstance(told[7], ZeroDivisionError)
    assert [each for each in told if each is not told[7]] == [n for n in range(20) if n != 7]


def test_a_store_that_fails_fails_everybody():
    class Full(Slow):
        def transact(self, work):
            self.go.wait(5)
            raise StoreUnavailable("the disk is full", operation="store")

    told = at_once(Full(), [lambda tx: 1] * 9)
    assert all(isinstance(each, StoreUnavailable) for each in told)


class Ended(BaseException):
    """A thread is ended, or a task is cancelled."""


def test_a_thread_that_is_ended_while_it_works_leaves_the_rest_to_the_next():
    class Ending(Slow):
        def transact(self, work):
            self.go.wait(5)
            if not self.commits:
                self.commits.append(0)
                raise Ended
            return super().transact(work)

    store = Ending()
    grouped, told = Grouped(store), []

    def call(number):
        with contextlib.suppress(Ended):
            told.append(grouped.transact_shared(lambda tx: number))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    store.go.set()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert len(told) == len(set(told)) == 19


def test_a_task_that_is_cancelled_leaves_the_rest_to_the_next():
    class Store:
        def __init__(self):
            self.done, self.go = [], asyncio.Event()

        async def transact(self, work):
            await self.go.wait()
            result = work([])
            self.done += result
            return result

    async def main():
        store = Store()
        grouped = AsyncGrouped(store)
        tasks = [asyncio.create_task(grouped.transact_shared(lambda tx, n=n: n)) for n in range(10)]
        await asyncio.sleep(0)
        # The one that works for all, and one that waits.
        for cancelled in (tasks[0], tasks[5]):
            cancelled.cancel()
        await asyncio.sleep(0)
        store.go.set()
        told = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
        return told, store.done

    told, done = asyncio.run(main())
    assert [n for n, one in enumerate(told) if isinstance(one, asyncio.CancelledError)] == [0, 5]
    assert sorted(set(done)) == [1, 2, 3, 4, 6, 7, 8, 9]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked here")
def test_a_fork_while_another_thread_works_leaves_the_child_its_own_line():
    store = Slow()
    grouped = Grouped(store)
    working = threading.Thread(target=grouped.transact_shared, args=(lambda tx: 1,))
    working.start()
    while not grouped._line._line._is_led:
        time.sleep(0.001)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of 3.12: there is a thread
        child = os.fork()
    if child == 0:
        store.go.set()
        os._exit(0 if grouped.transact_shared(lambda tx: 2) == 2 else 1)
    store.go.set()
    working.join()
    assert os.waitpid(child, 0)[1] == 0


@kinds(SQLITE[1], POSTGRES[1])
def test_many_that_come_at_once_to_an_event_loop_are_all_stored(shop):
    for number in range(30):
        shop.buy(f"order_{number}")
    requests = shop.fake.webhooks()
    client = shop.pay._target

    async def main():
        return await asyncio.gather(
            *[client.webhooks.receive(body=r.body, headers=r.headers) for r in requests]
        )

    receipts = shop.run(main())
    assert {receipt.status for receipt in receipts} == {"accepted"}
    assert len(list(shop.pay.webhooks.list())) == len(requests)
