"""Payouts are told as events, once each and to the same end, whatever the order."""

import itertools
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shops import FOUR, POSTGRES, behaving, each_colour, kinds, usd

from payport import (
    DomainEvent,
    Environment,
    InvalidRequest,
    PayoutCanceled,
    PayoutCreated,
    PayoutEvent,
    PayoutFailed,
    PayoutInTransit,
    PayoutPaid,
    PayoutReconciled,
    PayoutStatus,
    UnmappedEvent,
)
from payport.domain.payout import PayoutFact
from payport.domain.payout_events import events_of_payout, payout_id
from payport.storage.base import InboxState
from payport.testing import strategies
from payport.testing.bank.records import PayoutState

MOVES = (PayoutState.SENT, PayoutState.PAID, PayoutState.BOUNCED)


def heard(shop):
    """A list that events are added to as a handler gets them."""
    told = []
    shop.handlers.on(PayoutEvent, name="payouts")(lambda event, tx: told.append(event))
    return told


def paid_out(shop, *moves):
    """A payout that moved so far; returns its id at the bank, and the webhooks about it."""
    shop.buy()
    shop.deliver()
    shop.bank.pay_out(arrives=False)
    ref = shop.bank.payouts[-1].ref
    for move in moves:
        shop.clock.advance(60)
        shop.bank.move_payout(ref, move)
    return ref, shop.fake.webhooks()


def process(shop, requests, pay=None):
    for request in requests:
        shop.receive(request, pay)
    (pay or shop.pay).webhooks.process_due()


@kinds(*FOUR, *POSTGRES)
def test_a_payout_that_is_paid_and_comes_back_is_told_from_end_to_end(shop):
    told = heard(shop)
    ref, requests = paid_out(shop, *MOVES)
    for request in requests:
        process(shop, [request, request])

    assert [type(event) for event in told] == [
        *(PayoutCreated, PayoutInTransit, PayoutPaid, PayoutFailed)
    ]
    last = told[-1]
    assert (last.effect_ref, last.amount, last.status) == (ref, usd(4825), PayoutStatus.FAILED)
    assert (last.failure_code, last.arrives_on) == ("account_closed", date(2026, 1, 3))
    assert (last.provider, last.account, last.environment) == ("fake", "acct_fake", "test")
    assert {event.payout_id for event in told} == {last.payout_id}
    assert [event.occurred_at for event in told] == sorted(event.occurred_at for event in told)
    kept = shop.transact(lambda tx: list(tx.events(last.payout_id)))
    assert kept == told
    assert shop.bank.balance() == usd(4825)


@each_colour
def test_a_payout_that_is_canceled_is_told_so(shop):
    told = heard(shop)
    _, requests = paid_out(shop, PayoutState.VOIDED)
    process(shop, requests)
    assert [type(event) for event in told] == [PayoutCreated, PayoutCanceled]


@each_colour
def test_a_payout_is_reconciled_once_and_stays_where_it_is(shop):
    told = heard(shop)
    ref, requests = paid_out(shop, PayoutState.PAID)
    shop.bank.itemize_payout(ref)
    for request in [*requests, *shop.fake.webhooks()] * 2:
        process(shop, [request])
    assert [type(event) for event in told] == [PayoutCreated, PayoutPaid, PayoutReconciled]
    shop.bank.move_payout(ref, PayoutState.BOUNCED)
    process(shop, shop.fake.webhooks())
    assert type(told[-1]) is PayoutFailed


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
@kinds(FOUR[0])
def test_whatever_the_order_the_last_event_says_where_the_payout_ends(shop, order):
    told = heard(shop)
    _, requests = paid_out(shop, *MOVES)
    for number in order:
        process(shop, [requests[number]])
        process(shop, [requests[number]])
    assert type(told[-1]) is PayoutFailed
    assert len({event.id for event in told}) == len(told)
    assert [event.status.rank for event in told] == sorted(event.status.rank for event in told)


@behaving("stripe_like", "keyless")
def test_another_versions_payout_is_read_before_it_is_told(shop):
    told = heard(shop)
    shop.buy()
    shop.deliver()
    shop.bank.pay_out(arrives=False)
    (request,) = shop.fake.webhooks(api_version="2020-01-01")
    shop.bank.move_payout(shop.bank.payouts[-1].ref, PayoutState.PAID)
    asked = []
    shop.fake.decide(lambda request: asked.append(request.operation))
    (one,) = shop.receive(request).ids
    assert shop.pay.webhooks.process_one(one) is InboxState.DONE
    assert asked == ["retrieve_subject"]
    assert [type(event) for event in told] == [PayoutPaid], "as it stands, and not as it was told"


@behaving("adyen_like")
def test_a_payout_that_can_neither_be_believed_nor_read_is_told_as_unmapped(shop):
    told, unmapped = heard(shop), []
    shop.handlers.on(UnmappedEvent, name="rest")(lambda event, tx: unmapped.append(event.type))
    shop.buy()
    shop.deliver()
    shop.bank.pay_out()
    process(shop, shop.fake.webhooks(api_version="2020-01-01"))
    assert told == []
    assert sorted(unmapped) == ["payout.created", "payout.paid"]


@each_colour
def test_two_clients_of_an_account_tell_a_payout_once(shop):
    """In whatever scope: a payout is the account's, and of no order space."""
    told = heard(shop)
    _, requests = paid_out(shop, *MOVES)
    other = shop.another(scope="other")
    process(shop, requests[:2])
    process(shop, requests, other)
    process(shop, requests)
    assert len(told) == len({event.id for event in told}) == 4


@each_colour
def test_a_pruned_payout_that_is_processed_again_says_nothing(shop):
    told = []
    shop.handlers.on(DomainEvent, name="all")(lambda event, tx: told.append(event))
    _, requests = paid_out(shop)
    (one,) = [shop.receive(request).ids[0] for request in requests]
    shop.pay.webhooks.process_due()
    before = len(told)
    shop.transact(
        lambda tx: tx.prune_bodies(
            provider="fake",
            environment=Environment.TEST,
            before=shop.clock.now().replace(year=2030),
            limit=10,
        )
    )
    shop.pay.webhooks.replay(one)
    shop.pay.webhooks.process_due()
    assert len(told) == before


# -- the pure part --------------------------------------------------------------------------------

COMMON = {
    "payout_id": payout_id("fake", Environment.TEST, "acct_1", "po_1"),
    "scope": "shop",
    "environment": Environment.TEST,
    "provider": "fake",
    "account": "acct_1",
    "api_version": None,
}


def told_of(facts):
    """The events that facts make, told one after the other."""
    known = []
    for fact in facts:
        known += events_of_payout(fact, known, COMMON)
    return known


@given(st.data())
def test_any_statements_in_any_order_end_at_the_same_state_and_are_told_once(data):
    facts = data.draw(st.lists(strategies.payout_facts(ref="po_1"), max_size=8))
    shuffled = data.draw(st.permutations([*facts, *facts[::2]]))
    events, others = told_of(facts), told_of(shuffled)

    assert len({event.id for event in others}) == len(others)
    moves = [[e for e in told if not isinstance(e, PayoutReconciled)] for told in (events, others)]
    ends = [told[-1].status if told else PayoutStatus.UNKNOWN for told in moves]
    assert ends == [max((f.status for f in facts), key=lambda s: s.rank, default="unknown")] * 2
    reconciled = [any(isinstance(e, PayoutReconciled) for e in told) for told in (events, others)]
    assert reconciled == [any(fact.is_reconciled for fact in facts)] * 2


@given(strategies.payouts())
def test_what_handlers_are_told_of_a_payout_only_moves_on(told):
    assert len({event.id for event in told}) == len(told)
    ranks = [event.status.rank for event in told if not isinstance(event, PayoutReconciled)]
    assert ranks == sorted(set(ranks))


def test_ids_of_payouts_and_their_events_are_frozen_because_they_are_found_by_them():
    at = datetime(2026, 1, 1, tzinfo=UTC)
    facts = [
        PayoutFact(ref="po_1", status=status, amount=usd(5), at=at)
        for status in (PayoutStatus.PAID, PayoutStatus.FAILED)
    ]
    assert COMMON["payout_id"] == "pyt_m4jwrnkvutgxxf5vtr7o7bfgfr"
    assert [event.id for event in told_of(facts)] == [
        "evt_cdnl57uhkty23jyfes2jx34rtl",
        "evt_nfpltlyt4f5c2nqilstqghlcct",
    ]


@pytest.mark.parametrize("wrong", [{"ref": ""}, {"at": datetime(2026, 1, 1)}])  # noqa: DTZ001
def test_a_statement_about_a_payout_names_it_and_a_moment(wrong):
    told = {"ref": "po_1", "at": datetime(2026, 1, 1, tzinfo=UTC), **wrong}
    with pytest.raises(InvalidRequest, match="a payout needs"):
        PayoutFact(status=PayoutStatus.PAID, amount=usd(5), **told)
