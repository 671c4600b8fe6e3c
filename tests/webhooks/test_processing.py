"""What was received is applied: in any order, any number of times, to the same end."""

import json
from dataclasses import replace

import pytest
from shops import (
    BEHAVIOURS,
    FOUR,
    PRICE,
    Doing,
    behaving,
    blocking,
    each_behaviour,
    each_colour,
    kinds,
    usd,
)
from test_receiving import receive, said

from payport import (
    Environment,
    InvalidRequest,
    NotFound,
    StoreConflict,
    StoreUnavailable,
    UnmappedEvent,
)
from payport.domain.facts import Facts
from payport.storage.base import InboxState
from payport.testing import LostRequest, Tokens, Unauthorized


def story(shop):
    """A payment that much happened to; returns its webhooks."""
    held = shop.hold(payment_method=Tokens.REFUND_REVERSES)
    shop.pay.payments.capture(held.id, amount=usd(3000), reference="parcel_1")
    shop.pay.payments.capture(held.id)
    if shop.kind.behaviour == "adyen_like":
        shop.deliver()
    shop.refund(held, "return_1", amount=usd(500))
    shop.refund(held, "return_2", amount=usd(500))
    dispute = shop.bank.dispute("order_1", usd(1000))
    shop.bank.submit_evidence(dispute)
    shop.bank.win(dispute)
    shop.bank.refund("order_1", usd(100))
    shop.clock.advance(48 * 3600)
    return held


def facts_of(payment):
    """All that is known of the money, whoever told it."""
    return (
        payment.status,
        payment.captured,
        payment.refunded,
        payment.disputed,
        [(a.ref, a.status) for a in payment.attempts],
        [(c.fact.ref, c.status, c.amount) for c in payment.captures],
        sorted((r.fact.ref, str(r.status), r.amount.minor) for r in payment.refunds),
        [(d.ref, d.status) for d in payment.disputes],
    )


@blocking(*BEHAVIOURS)
@pytest.mark.parametrize("seed", range(8))
def test_any_order_with_duplicates_ends_in_the_same_facts(shop, seed):
    held = story(shop)
    shop.deliver(shop.another(), duplicate=seed % 3, shuffle=seed)
    told = shop.pay.payments.get(held.id)

    assert told.captured == shop.bank.charged("order_1") == PRICE
    assert told.refunded == shop.bank.refunded("order_1")
    assert told.disputed == usd(0)
    if shop.kind.behaviour != "adyen_like":
        assert facts_of(shop.pay.payments.refresh(held.id)) == facts_of(told)
    assert shop.due() == []


def test_webhooks_and_a_refresh_end_in_the_same_facts(shop):
    held = story(shop)
    fresh = shop.pay.payments.refresh(held.id)
    shop.deliver(duplicate=1, shuffle=7)
    assert facts_of(shop.pay.payments.get(held.id)) == facts_of(fresh)


@each_behaviour
def test_each_change_is_told_once_whoever_learned_it_first(shop):
    paid = shop.buy()
    shop.deliver(duplicate=2)
    if shop.kind.behaviour != "adyen_like":
        shop.pay.payments.refresh(paid.id)
    shop.deliver(shop.another(), duplicate=1)
    told = shop.events(paid)
    assert sorted(told) == sorted(set(told))
    assert told.count("PaymentSucceeded") == 1


@each_colour
def test_one_delivery_is_processed_by_its_id(shop):
    paid = shop.buy()
    shop.fake.webhooks()
    shop.bank.refund("order_1", usd(100))
    (request,) = shop.fake.webhooks()
    (one,) = shop.receive(request).ids

    assert shop.pay.webhooks.process_one(one) is InboxState.DONE
    assert shop.pay.webhooks.process_one(one) is InboxState.DONE
    assert shop.pay.payments.get(paid.id).refunded == usd(100)
    assert shop.pay.webhooks.process_due() == 0


@each_colour
def test_a_delivery_that_is_not_there_is_not_processed(shop):
    with pytest.raises(NotFound, match="inbox"):
        shop.pay.webhooks.process_one("inb_" + "a" * 26)
    for wrong in ("be_000001", "../inbox", "", None, 7):
        with pytest.raises(InvalidRequest, match=r"webhooks\.process_one: delivery"):
            shop.pay.webhooks.process_one(wrong)


@each_colour
def test_what_is_due_is_counted(shop):
    shop.buy("order_1")
    shop.buy("order_2")
    for request in shop.fake.webhooks():
        shop.receive(request)
    assert shop.pay.webhooks.process_due() == 2
    assert shop.pay.webhooks.process_due() == 0


# -- not ours -------------------------------------------------------------------------------------


@each_behaviour
def test_what_was_made_elsewhere_is_kept_and_changes_nothing(shop):
    shop.bank.charge(PRICE, reference="order_1")
    receipts = [shop.receive(request) for request in shop.fake.webhooks()]
    for _ in range(9):
        shop.pay.webhooks.process_due()
        shop.clock.advance(150)
    for receipt in receipts:
        for one in receipt.ids:
            assert shop.transact(lambda tx, one=one: tx.delivery(one)).state is InboxState.FOREIGN
    with pytest.raises(NotFound):
        shop.pay.payments.get(reference="order_1")


@each_behaviour
def test_a_refund_made_elsewhere_of_a_payment_of_ours_counts(shop):
    paid = shop.buy()
    shop.deliver()
    ref = shop.bank.refund("order_1", usd(4000))
    shop.deliver()

    after = shop.pay.payments.get(paid.id)
    assert (after.refunded, after.refundable) == (usd(4000), usd(1000))
    foreign = next(r for r in shop.pay.refunds.list() if r.provider_ref == ref)
    assert foreign.reference is None
    assert shop.pay.refunds.get(foreign.id) == foreign
    with pytest.raises(InvalidRequest, match=r"40\.00 USD refunded"):
        shop.refund(paid, amount=usd(1001))


@each_colour
def test_what_payport_has_no_meaning_for_is_told_and_not_dropped(shop):
    paid = shop.buy()
    (request,) = shop.fake.webhooks()
    told = []
    shop.handlers.on(UnmappedEvent, name="told")(
        lambda event, tx: told.append((event.type, event.payment_id))
    )
    receive(shop, said(request, id="be_new", type="payment.reconsidered"))
    shop.pay.webhooks.process_due()

    assert told == [("payment.reconsidered", paid.id)]
    assert shop.events(paid)[-1] == "UnmappedEvent"
    assert shop.pay.payments.get(paid.id).captured == PRICE


@each_colour
def test_what_is_about_no_payment_is_told_and_kept(shop):
    told = []
    shop.handlers.on(UnmappedEvent, name="told")(lambda event, tx: told.append(event))
    shop.bank.announce("customer.created", {"ref": "bu_000001"})
    (request,) = shop.fake.webhooks()
    (one,) = shop.receive(request).ids

    assert shop.pay.webhooks.process_one(one) is InboxState.DONE
    assert shop.receive(request).ids == (one,)
    assert shop.pay.webhooks.process_due() == 0
    assert [row.type for row in shop.pay.webhooks.list()] == ["customer.created"]
    (event,) = told
    assert (event.type, event.effect_ref) == ("customer.created", "bu_000001")
    assert (event.payment_id, event.reference, event.scope) == (None, None, "test")


# -- quarantine -----------------------------------------------------------------------------------


@each_colour
def test_another_environments_webhook_is_quarantined(shop):
    paid = shop.buy()
    (request,) = shop.fake.webhooks()
    (one,) = receive(shop, said(request, livemode=True)).ids
    shop.pay.webhooks.process_due()

    row = shop.transact(lambda tx: tx.delivery(one))
    assert (row.state, row.environment) == (InboxState.QUARANTINED, Environment.TEST)
    assert "environment mismatch: it is of live" in row.error
    assert shop.pay.webhooks.process_one(one) is InboxState.QUARANTINED
    assert shop.pay.payments.get(paid.id) == paid


@each_colour
def test_another_accounts_webhook_is_quarantined(shop):
    paid = shop.buy()
    shop.fake.webhooks()
    shop.bank.refund("order_1", usd(100))
    (request,) = shop.fake.webhooks()
    (one,) = receive(shop, said(request, account="acct_other")).ids

    assert shop.pay.webhooks.process_one(one) is InboxState.QUARANTINED
    assert "acct_other" in shop.transact(lambda tx: tx.delivery(one)).error
    assert shop.pay.payments.get(paid.id) == paid


@each_colour
def test_a_webhook_for_a_payment_at_another_account_is_quarantined(shop):
    """Signed by our account's secret, and with the tag of a payment that is not at our account."""
    paid = shop.buy()
    (request,) = shop.fake.webhooks()
    (one,) = shop.receive(request).ids

    def move(tx):
        tx.save_payment(tx.payment(paid.id).evolve(account="acct_other"))

    shop.transact(move)
    assert shop.pay.webhooks.process_one(one) is InboxState.QUARANTINED


@each_colour
def test_what_is_another_clients_to_process_is_left_to_it(shop):
    """Two providers, or test and live, may share one store."""
    shop.buy()
    (request,) = shop.fake.webhooks()
    (one,) = shop.receive(request).ids
    row = shop.transact(lambda tx: tx.delivery(one))
    theirs = replace(row, id="inb_" + "a" * 26, provider="other", dedupe_key="be_9")
    shop.transact(lambda tx: tx.add_delivery(theirs))

    assert shop.pay.webhooks.process_due() == 1
    assert shop.pay.webhooks.process_one(theirs.id) is InboxState.DUE
    assert shop.transact(lambda tx: tx.delivery(theirs.id)).tries == 0


# -- read before it is trusted --------------------------------------------------------------------


def of_another_version(shop):
    """A refund at the bank, told in another version's words."""
    paid = shop.buy()
    shop.deliver()
    shop.bank.refund("order_1", usd(100))
    (request,) = shop.fake.webhooks(api_version="2020-01-01")
    return paid, request


@behaving("stripe_like", "keyless")
def test_another_versions_words_only_tell_what_to_look_at(shop):
    paid, request = of_another_version(shop)
    asked = []
    shop.fake.decide(lambda request: asked.append(request.operation))
    (one,) = shop.receive(request).ids
    assert asked == []

    assert shop.pay.webhooks.process_one(one) is InboxState.DONE
    assert asked == ["retrieve_payment"]
    assert shop.pay.payments.get(paid.id).refunded == usd(100)


@behaving("adyen_like")
def test_what_can_neither_be_trusted_nor_read_is_told_and_makes_no_money_facts(shop):
    paid, request = of_another_version(shop)
    shop.receive(request)
    shop.pay.webhooks.process_due()
    assert shop.pay.payments.get(paid.id).refunded == usd(0)
    assert "UnmappedEvent" in shop.events(paid)


@each_colour
def test_a_look_that_fails_is_tried_later_however_long_that_takes(shop):
    paid, request = of_another_version(shop)
    (one,) = shop.receive(request).ids
    shop.fake.decide(lambda asked: LostRequest())
    for tries in range(1, 15):
        assert shop.pay.webhooks.process_due() == 1
        row = shop.transact(lambda tx: tx.delivery(one))
        assert (row.state, row.tries) == (InboxState.DUE, tries)
        assert "retrieve" in row.error or "connection" in row.error
        assert shop.pay.webhooks.process_due() == 0, "not before its time"
        shop.clock.advance(3600)
    shop.fake.script.clear()
    assert shop.pay.webhooks.process_due() == 1
    assert shop.pay.payments.get(paid.id).refunded == usd(100)


# -- poison ---------------------------------------------------------------------------------------


def poison(shop, reference):
    """A webhook that says something impossible: a capture in another currency."""
    shop.buy(reference)
    shop.deliver()
    shop.bank.refund(reference, usd(1))
    (request,) = shop.fake.webhooks()
    told = json.loads(request.body)
    told["data"]["refunds"][0]["currency"] = "EUR"
    return json.dumps(told).encode()


@each_colour
def test_a_poisonous_delivery_dies_and_keeps_nobody_waiting(shop, caplog):
    (one,) = receive(shop, poison(shop, "order_1")).ids
    other = shop.buy("order_2")
    shop.bank.refund("order_2", usd(7))
    for request in shop.fake.webhooks():
        shop.receive(request)

    shop.pay.webhooks.process_due()
    assert shop.pay.payments.get(other.id).refunded == usd(7)
    waits = []
    while (row := shop.transact(lambda tx: tx.delivery(one))).state is InboxState.DUE:
        waits.append((row.due_at - shop.clock.now()).total_seconds())
        shop.clock.advance(waits[-1])
        assert shop.pay.webhooks.process_due() == 1
    assert (row.state, row.tries) == (InboxState.DEAD, 12)
    assert "EUR" in row.error
    assert all(2.0**n <= wait <= 2.0 * 2**n for n, wait in enumerate(waits))
    assert shop.pay.webhooks.process_due() == 0
    assert shop.pay.payments.get(reference="order_1").refunded == usd(0)


@each_colour
def test_an_adapter_that_breaks_kills_one_delivery_at_most(shop):
    paid, request = of_another_version(shop)
    (one,) = shop.receive(request).ids

    def broken(asked):
        raise ZeroDivisionError("the key is sk_test_canary")

    shop.fake.decide(broken)
    shop.pay.webhooks.process_due()
    row = shop.transact(lambda tx: tx.delivery(one))
    assert (row.state, row.error) == (InboxState.DUE, "ZeroDivisionError")
    shop.fake.script.clear()
    shop.clock.advance(2)
    shop.pay.webhooks.process_due()
    assert shop.pay.payments.get(paid.id).refunded == usd(100)


@each_colour
def test_deliveries_about_one_payment_are_processed_one_after_the_other(shop):
    (first,) = receive(shop, poison(shop, "order_1")).ids
    shop.clock.advance(1)
    shop.bank.refund("order_1", usd(2))
    (request,) = shop.fake.webhooks()
    shop.receive(request)
    shop.pay.webhooks.process_due()
    assert shop.pay.payments.get(reference="order_1").refunded == usd(0), "it waits for its turn"

    for _ in range(12):
        shop.clock.advance(3600)
        shop.pay.webhooks.process_due()
    assert shop.transact(lambda tx: tx.delivery(first)).state is InboxState.DEAD
    assert shop.pay.payments.get(reference="order_1").refunded == usd(2)


# -- outages --------------------------------------------------------------------------------------


@each_colour
def test_while_the_account_is_not_known_deliveries_wait(shop):
    paid = shop.buy()
    shop.fake.webhooks()
    shop.bank.refund("order_1", usd(100))
    late = shop.provider()
    late.decide(lambda asked: Unauthorized())
    worker = shop.client(late)
    (request,) = shop.fake.webhooks()
    shop.receive(request, worker)
    worker.webhooks.process_due()
    assert shop.pay.payments.get(paid.id).refunded == usd(0)

    late.script.clear()
    worker.breaker.close()  # what a person does who mended the key
    shop.clock.advance(2)
    worker.webhooks.process_due()
    assert shop.pay.payments.get(paid.id).refunded == usd(100)


@each_colour
@pytest.mark.parametrize("number", [1, 2])
def test_a_store_that_fails_loses_no_delivery(shop, number):
    paid = shop.buy()
    shop.fake.webhooks()
    shop.bank.refund("order_1", usd(100))
    store = shop.faulty()
    pay = shop.client(store=store)
    (request,) = shop.fake.webhooks()
    (one,) = shop.receive(request, pay).ids

    def fail(count):
        if count == failing:
            raise StoreUnavailable("the disk is full", operation="store")

    failing = store.count + number
    store.before = fail
    with pytest.raises(StoreUnavailable):
        pay.webhooks.process_due()
    row = shop.transact(lambda tx: tx.delivery(one))
    assert (row.state, row.tries) == (InboxState.DUE, 0)
    pay.webhooks.process_due()
    assert shop.pay.payments.get(paid.id).refunded == usd(100)


@kinds(*FOUR)
def test_two_transactions_that_meet_are_repeated_and_count_as_no_try(shop):
    paid = shop.buy()
    shop.fake.webhooks()
    shop.bank.refund("order_1", usd(100))
    store = shop.faulty()
    pay = shop.client(store=store)
    (request,) = shop.fake.webhooks()
    (one,) = shop.receive(request, pay).ids
    seen = []

    def meet(count):
        # Each second one: whatever the worker does, it does again.
        if count % 2:
            seen.append(count)
            raise StoreConflict("two transactions met", operation="store")

    store.before = meet
    pay.webhooks.process_due()
    assert seen
    row = shop.transact(lambda tx: tx.delivery(one))
    assert (row.state, row.tries) == (InboxState.DONE, 0)
    assert shop.pay.payments.get(paid.id).refunded == usd(100)


@kinds(*FOUR)
def test_what_is_due_is_applied_in_one_commit(shop):
    for number in range(10):
        shop.buy(f"order_{number}")
    shop.fake.webhooks()
    for number in range(10):
        shop.bank.refund(f"order_{number}", usd(100))
    requests = shop.fake.webhooks()
    store = shop.faulty()
    pay = shop.client(store=store)
    for request in requests:
        shop.receive(request, pay)
    pay.payments.refresh(pay.payments.get(reference="order_0").id)  # it knows its account now
    before = store.count
    pay.webhooks.process_due()
    assert store.count - before < len(requests) == 10
    assert all(row.state is InboxState.DONE for row in shop.pay.webhooks.list())
    for number in range(10):
        assert shop.pay.payments.get(reference=f"order_{number}").refunded == usd(100)


# -- scopes ---------------------------------------------------------------------------------------


@each_behaviour
def test_one_endpoint_serves_all_scopes(shop):
    tenant = shop.pay.scoped("tenant_9")
    shop.buy("order_1", payment_method=Tokens.PROCESSING)
    shop.buy("order_1", pay=tenant, payment_method=Tokens.PROCESSING)
    shop.clock.advance(3600)
    shop.deliver()
    assert shop.pay.payments.get(reference="order_1").is_paid
    assert tenant.payments.get(reference="order_1").is_paid


# -- what nobody was there to hear ----------------------------------------------------------------


@each_colour
def test_a_webhook_by_the_providers_id_alone_finds_its_payment(shop):
    paid = shop.buy()
    shop.deliver()
    shop.bank.refund("order_1", usd(100))
    (request,) = shop.fake.webhooks()
    told = json.loads(request.body)
    told["data"]["tag"] = None
    receive(shop, json.dumps(told).encode())
    shop.pay.webhooks.process_due()
    assert shop.pay.payments.get(paid.id).refunded == usd(100)


def test_a_delivery_that_says_nothing_changes_nothing(shop):
    paid = shop.buy()
    concluded = Doing("create_payment").row(shop)
    observed = shop.pay._target._session.journal.concluding
    shop.transact(
        lambda tx: observed.observe(tx, tx.payment(paid.id, lock=True), Facts(tag=concluded.key))
    )
    after = shop.pay.payments.get(paid.id)
    assert (after.status, after.captured) == (paid.status, PRICE)
