"""Providers with one mistake each in what they tell of payouts, and in listing what they told."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from mistakes import passed, turns_red

from payport.domain.payout import PayoutStatus
from payport.providers.deliveries import Statement
from payport.providers.events import EventsPage
from payport.testing import FakeProvider
from payport.testing.fake.adapter import FakeAdapter


def page_changed(page: Any, items: Any) -> Any:
    return replace(page, items=items(page.items)) if isinstance(page, EventsPage) else page


def payouts_changed(statements: Any, change: Any) -> Any:
    return tuple(
        replace(one, payout=change(one.payout)) if one.payout is not None else one
        for one in statements
    )


@turns_red("test_a_payout_is_told_as_it_moves")
class TakesWhatCameBackForPaid(FakeAdapter):
    def read_webhook(self, body):
        def paid(payout):
            failed = payout.status is PayoutStatus.FAILED
            return replace(payout, status=PayoutStatus.PAID) if failed else payout

        return payouts_changed(super().read_webhook(body), paid)


@turns_red("test_a_payout_is_reconciled_when_it_is_said_of_what_it_is_made")
class ReconcilesWhatIsPaid(FakeAdapter):
    def read_webhook(self, body):
        return payouts_changed(
            super().read_webhook(body),
            lambda payout: replace(payout, is_reconciled=payout.status is PayoutStatus.PAID),
        )


@turns_red("test_a_payout_is_no_payments")
class TellsOfPayoutsSideBySide(FakeAdapter):
    def parse_webhook(self, request, *, now):
        told = super().parse_webhook(request, now=now)
        return tuple(replace(one, ordering_key=one.dedupe_key) for one in told)


@turns_red("test_another_version_of_a_payout_tells_what_to_look_at")
class BelievesAnyVersionOfAPayout(FakeAdapter):
    def read_webhook(self, body):
        if b'"payout.' not in body:
            return super().read_webhook(body)
        envelope = json.loads(body) | {"api_version": "2026-01-01"}
        return super().read_webhook(json.dumps(envelope).encode())


@turns_red("test_a_payout_is_read_as_it_stands", "test_a_subject_that_is_not_there_is_none")
class ReadsNoSubject(FakeAdapter):
    def retrieve_subject(self, subject):
        return passed(super().retrieve_subject(subject), outcome=lambda _: Statement())


@turns_red("test_all_that_was_told_is_listed_once_the_newest_first")
class ListsTheOldestEventsFirst(FakeAdapter):
    def list_events(self, query):
        return passed(
            super().list_events(query), outcome=lambda page: page_changed(page, lambda i: i[::-1])
        )


@turns_red("test_all_that_was_told_is_listed_once_the_newest_first")
class ForgetsTheNextEvents(FakeAdapter):
    def list_events(self, query):
        def last(page):
            return replace(page, next_cursor=None) if isinstance(page, EventsPage) else page

        return passed(super().list_events(query), outcome=last)


@turns_red("test_all_that_was_told_is_listed_once_the_newest_first")
class KnowsListedEventsByAnotherName(FakeAdapter):
    def list_events(self, query):
        def renamed(items):
            return tuple(
                replace(
                    one, delivery=replace(one.delivery, dedupe_key=f"l{one.delivery.dedupe_key}")
                )
                for one in items
            )

        return passed(super().list_events(query), outcome=lambda page: page_changed(page, renamed))


@turns_red("test_a_listed_event_says_what_its_webhook_said")
class ListsEventsOfAnotherVersion(FakeAdapter):
    def list_events(self, query):
        def older(items):
            return tuple(
                replace(one, body=one.body.replace(b"2026-01-01", b"2019-01-01")) for one in items
            )

        return passed(super().list_events(query), outcome=lambda page: page_changed(page, older))


@turns_red("test_the_list_of_events_keeps_to_its_time")
class ListsEventsOfAllTimes(FakeAdapter):
    def list_events(self, query):
        return super().list_events(replace(query, created_from=None, created_before=None))


@turns_red("test_the_list_of_events_goes_on_whatever_came_meanwhile")
class CountsWhereEventsBegin(FakeAdapter):
    """Pages by number: what came meanwhile moves them."""

    def list_events(self, query):
        skipped = int(query.after or 0)
        page = yield from super().list_events(replace(query, after=None, limit=100))
        if not isinstance(page, EventsPage):
            return page
        end = skipped + query.limit
        more = end < len(page.items)
        return replace(page, items=page.items[skipped:end], next_cursor=str(end) if more else None)


@turns_red("test_a_list_of_events_that_fails_is_no_empty_one")
class ListsNoEventsWhereItFails(FakeProvider):
    def list_events(self, query, call):
        page = super().list_events(query, call)
        return page if isinstance(page, EventsPage) else EventsPage(items=())


@turns_red("test_a_cursor_of_no_event_is_refused_before_anything_is_sent")
class TakesAnyCursorOfEvents(FakeAdapter):
    def list_events(self, query):
        return super().list_events(replace(query, after=None))


@turns_red("test_what_no_webhook_brought_is_listed_too")
class ListsWhatWasDelivered(FakeProvider):
    def list_events(self, query, call):
        waiting = {statement[0] for statement in self._setup.server.outbox._pending}

        def taken(items):
            return tuple(one for one in items if one.delivery.dedupe_key not in waiting)

        return page_changed(super().list_events(query, call), taken)


@turns_red("test_events_are_listed_for_as_long_as_it_is_declared")
class ForgetsEventsAfterADay(FakeProvider):
    def list_events(self, query, call):
        yesterday = self.clock.now() - timedelta(days=1)
        return super().list_events(replace(query, created_from=yesterday), call)
