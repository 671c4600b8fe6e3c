# ruff: noqa: S101 - contract tests live on assert
"""Events: payouts are told as they move; what was told can be asked for again, once and whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from payport.domain.errors import InvalidRequest
from payport.domain.money import Money
from payport.domain.payout import PayoutFact, PayoutStatus
from payport.providers.deliveries import Statement, Subject
from payport.providers.events import EventsPage, EventsQuery, ToldEvent
from payport.providers.exchange import Call
from payport.providers.outcomes import Failure
from payport.providers.spec import Capability
from payport.testing._heard import Heard
from payport.testing._provider_contract.checks import Checks
from payport.testing._provider_contract.merchant import Merchant
from payport.testing.bank.records import PayoutState
from payport.testing.faults import ConnectionRefused, Truncated, Unauthorized

__all__ = ["EventChecks", "events_page_of", "subject_of"]

_SALES: Final = 4
#: More than a listing of the contract's can need.
_MOST_PAGES: Final = 60
_SECOND: Final = timedelta(seconds=1)

_MOVES: Final = (PayoutState.SENT, PayoutState.PAID, PayoutState.BOUNCED)
_TOLD: Final = (
    *(PayoutStatus.PENDING, PayoutStatus.IN_TRANSIT),
    *(PayoutStatus.PAID, PayoutStatus.FAILED),
)


def events_page_of(merchant: Merchant, query: EventsQuery) -> EventsPage | Failure:
    """One page. Its method is one of an optional protocol, so the provider is Any here."""
    provider: Any = merchant.provider
    page: EventsPage | Failure = provider.list_events(query, Call())
    return page


def subject_of(merchant: Merchant, subject: Subject) -> Statement | Failure:
    """What is true of a subject; as above."""
    provider: Any = merchant.provider
    told: Statement | Failure = provider.retrieve_subject(subject, Call())
    return told


def listed(merchant: Merchant, query: EventsQuery) -> list[ToldEvent]:
    """All that a listing tells, page after page."""
    found: list[ToldEvent] = []
    for _ in range(_MOST_PAGES):
        page = events_page_of(merchant, query)
        assert isinstance(page, EventsPage), f"a page was not told: {page}"
        assert len(page.items) <= query.limit, "there is more on a page than was asked for"
        found += page.items
        if page.next_cursor is None:
            return found
        query = replace(query, after=page.next_cursor)
    pytest.fail("the listing has no end")


def _known(merchant: Merchant) -> list[tuple[str, str]]:
    """The same of all that came by webhook, the newest first."""
    return [(one.dedupe_key, one.fingerprint) for one in reversed(merchant.heard)]


def keys(events: list[ToldEvent]) -> list[tuple[str, str]]:
    """What the events are known by, and what they say."""
    return [(one.delivery.dedupe_key, one.delivery.fingerprint) for one in events]


class EventChecks(Checks):
    """What is told beside payments, and what was told."""

    # -- payouts --------------------------------------------------------------------------------

    def moved(self, merchant: Merchant) -> list[Heard]:
        """A payout that is believed to be paid and comes back: what is told of it."""
        self.needs(Capability.WEBHOOKS, Capability.PAYOUTS)
        merchant.sale().paid()
        merchant.bank.pay_out(arrives=False)
        ref = merchant.bank.payouts[-1].ref
        for state in _MOVES:
            merchant.clock.advance(_SECOND)
            merchant.bank.move_payout(ref, state)
        return [one for one in merchant.hear() if one.payout is not None]

    def test_a_payout_is_told_as_it_moves(self, merchant: Merchant) -> None:
        payouts = [one.payout for one in self.moved(merchant) if one.payout is not None]
        assert [payout.status for payout in payouts] == list(_TOLD)
        (kept,) = merchant.bank.payouts
        assert {payout.amount for payout in payouts} == {Money(kept.amount, kept.currency)}
        assert {payout.arrives_on is None for payout in payouts} == {False}
        assert [payout.failure_code is None for payout in payouts] == [True, True, True, False]
        assert len({payout.ref for payout in payouts}) == 1

    def test_a_payout_is_no_payments(self, merchant: Merchant) -> None:
        told = self.moved(merchant)
        assert {(one.attempt_ref, one.tag, one.facts) for one in told} == {(None, None, None)}
        lines = {one.ordering_key for one in told}
        assert len(lines) == 1, "what is told of one payout is processed one at a time"
        assert not any(one.needs_fetch for one in told)

    def test_a_payout_is_reconciled_when_it_is_said_of_what_it_is_made(
        self, merchant: Merchant
    ) -> None:
        self.needs(Capability.WEBHOOKS, Capability.PAYOUTS)
        merchant.sale().paid()
        merchant.bank.pay_out()
        merchant.bank.itemize_payout(merchant.bank.payouts[-1].ref)
        payouts = [one.payout for one in merchant.hear() if one.payout is not None]
        assert [payout.is_reconciled for payout in payouts] == [False, False, True]

    def test_a_payout_is_read_as_it_stands(self, merchant: Merchant) -> None:
        self.needs(Capability.RETRIEVE_SUBJECT)
        first = self.moved(merchant)[0]
        assert first.payout is not None
        assert first.subject is not None
        told = subject_of(merchant, first.subject)
        assert isinstance(told, Statement)
        payout = told.payout
        assert isinstance(payout, PayoutFact)
        assert (payout.ref, payout.amount) == (first.payout.ref, first.payout.amount)
        assert payout.status is PayoutStatus.FAILED
        assert not told.needs_fetch

    def test_another_version_of_a_payout_tells_what_to_look_at(self, merchant: Merchant) -> None:
        self.moved(merchant)
        merchant.bank.pay_out()
        for request in merchant.harness.webhooks():
            older = merchant.harness.older(request)
            for one in merchant.reads(older) if older is not None else ():
                assert one.payout is None
                assert one.needs_fetch
                assert one.subject is not None or Capability.RETRIEVE_SUBJECT in self.lacks

    def test_a_subject_that_is_not_there_is_none(self, merchant: Merchant) -> None:
        self.needs(Capability.RETRIEVE_SUBJECT)
        subject = self.moved(merchant)[0].subject
        assert subject is not None
        nobodys = replace(subject, ref=f"{subject.ref}9")
        assert isinstance(subject_of(merchant, nobodys), Failure)

    # -- the list -------------------------------------------------------------------------------

    def told(self, merchant: Merchant) -> list[tuple[str, str]]:
        """What was told by webhook, the newest first; sales a minute apart."""
        self.needs(Capability.LIST_EVENTS, Capability.WEBHOOKS)
        for _ in range(_SALES):
            merchant.clock.advance(60)
            merchant.sale().paid()
        merchant.hear()
        return _known(merchant)

    @pytest.mark.parametrize("limit", [1, 3, 100])
    def test_all_that_was_told_is_listed_once_the_newest_first(
        self, merchant: Merchant, limit: int
    ) -> None:
        told = self.told(merchant)
        assert told
        assert keys(listed(merchant, EventsQuery(limit=limit))) == told

    def test_what_no_webhook_brought_is_listed_too(self, merchant: Merchant) -> None:
        before = self.told(merchant)
        merchant.send(merchant.sale().creation())
        found = keys(listed(merchant, EventsQuery()))
        assert len(found) > len(before)
        assert found[-len(before) :] == before
        merchant.hear()
        assert found == _known(merchant)

    def test_a_listed_event_says_what_its_webhook_said(self, merchant: Merchant) -> None:
        self.told(merchant)
        said = {one.dedupe_key: (one.facts, one.payout, one.type) for one in merchant.heard}
        for one in listed(merchant, EventsQuery()):
            (statement,) = merchant.webhooks.read_webhook(one.body)
            now = (statement.facts, statement.payout, one.delivery.type)
            assert said[one.delivery.dedupe_key] == now

    def test_the_list_of_events_keeps_to_its_time(self, merchant: Merchant) -> None:
        self.told(merchant)
        begins = merchant.clock.now() - timedelta(seconds=90)
        found = listed(merchant, EventsQuery(created_from=begins, limit=2))
        told = [one for one in merchant.heard if one.occurred_at >= begins]
        assert told
        assert len(told) < len(merchant.heard)
        assert keys(found) == [(one.dedupe_key, one.fingerprint) for one in told][::-1]
        earlier = listed(merchant, EventsQuery(created_before=begins))
        assert len(earlier) == len(merchant.heard) - len(told)

    def test_the_list_of_events_goes_on_whatever_came_meanwhile(self, merchant: Merchant) -> None:
        told = self.told(merchant)
        first = events_page_of(merchant, EventsQuery(limit=2))
        assert isinstance(first, EventsPage)
        assert first.next_cursor is not None
        merchant.sale().paid()
        assert keys(listed(merchant, EventsQuery(after=first.next_cursor))) == told[2:]

    def test_events_are_listed_for_as_long_as_it_is_declared(self, merchant: Merchant) -> None:
        told = self.told(merchant)
        kept = merchant.spec.events_kept
        if kept is None:
            merchant.clock.advance(timedelta(days=400))
            assert keys(listed(merchant, EventsQuery())) == told
            return
        merchant.clock.advance(kept - timedelta(minutes=_SALES + 1))
        assert keys(listed(merchant, EventsQuery())) == told

    def test_a_list_of_events_that_fails_is_no_empty_one(self, merchant: Merchant) -> None:
        self.told(merchant)
        for fault in (ConnectionRefused(), Unauthorized(), Truncated()):
            merchant.script.next("list_events", fault)
            assert isinstance(events_page_of(merchant, EventsQuery()), Failure)

    @pytest.mark.parametrize("cursor", ["", "../me", "a b", "x?limit=1", "\u00e4"])
    def test_a_cursor_of_no_event_is_refused_before_anything_is_sent(
        self, merchant: Merchant, cursor: str
    ) -> None:
        self.needs(Capability.LIST_EVENTS)
        before = len(merchant.sent)
        with pytest.raises(InvalidRequest):
            events_page_of(merchant, EventsQuery(after=cursor))
        assert len(merchant.sent) == before
