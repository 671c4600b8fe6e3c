"""Providers with one mistake each in listing what they hold."""

from dataclasses import replace
from typing import Any

from mistakes import passed, turns_red

from payport.providers.listings import FactsPage
from payport.testing import FakeProvider
from payport.testing.fake.adapter import FakeAdapter


def page_changed(page: Any, items: Any) -> Any:
    return replace(page, items=items(page.items)) if isinstance(page, FactsPage) else page


@turns_red("test_a_listing_tells_every_payment_once_the_newest_first")
class ListsTheOldestFirst(FakeAdapter):
    def list_payments(self, query):
        return passed(
            super().list_payments(query), outcome=lambda page: page_changed(page, lambda i: i[::-1])
        )


@turns_red("test_a_listing_tells_every_payment_once_the_newest_first")
class ForgetsTheNextPage(FakeAdapter):
    def list_payments(self, query):
        def last(page):
            return replace(page, next_cursor=None) if isinstance(page, FactsPage) else page

        return passed(super().list_payments(query), outcome=last)


@turns_red("test_a_page_goes_on_where_the_last_one_ended_whatever_came_meanwhile")
class CountsWhereThePageBegins(FakeAdapter):
    """Pages by number: what came meanwhile moves them."""

    def list_payments(self, query):
        skipped = int(query.after or 0)
        page = yield from super().list_payments(replace(query, after=None, limit=100))
        if not isinstance(page, FactsPage):
            return page
        end = skipped + query.limit
        more = end < len(page.items)
        return replace(page, items=page.items[skipped:end], next_cursor=str(end) if more else None)


@turns_red("test_a_listing_tells_payments_as_they_stand")
class ListsNothingButIds(FakeAdapter):
    def list_payments(self, query):
        def bare(items):
            return tuple(replace(facts, captures=(), tag=None) for facts in items)

        return passed(super().list_payments(query), outcome=lambda page: page_changed(page, bare))


@turns_red("test_a_listing_keeps_to_its_time")
class ListsWheneverItWas(FakeAdapter):
    def list_payments(self, query):
        return super().list_payments(replace(query, created_from=None, created_before=None))


@turns_red("test_a_listing_keeps_to_its_customer")
class ListsWhoeverPaid(FakeAdapter):
    def list_payments(self, query):
        return super().list_payments(replace(query, customer=None))


@turns_red("test_the_refunds_of_a_payment_are_told_and_no_others")
class ListsAPaymentForItsRefunds(FakeProvider):
    """All of them in one fact sheet."""

    def list_refunds(self, query, call):
        outcome = self.retrieve_payment(query.payment_ref, call)
        return FactsPage(items=(outcome.facts,))


@turns_red("test_a_listing_that_fails_is_no_empty_one")
class ListsNothingWhereItFails(FakeProvider):
    def list_payments(self, query, call):
        page = super().list_payments(query, call)
        return page if isinstance(page, FactsPage) else FactsPage(items=())


@turns_red("test_a_cursor_of_nobodys_is_refused_before_anything_is_sent")
class SendsAnyCursor(FakeAdapter):
    def list_payments(self, query):
        def carried(request):
            return replace(request, target=f"{request.target}&after={query.after}")

        return passed(super().list_payments(replace(query, after=None)), request=carried)
