# ruff: noqa: S101 - contract tests live on assert
"""Listings: what the provider holds is told once and whole, page by page, whoever made it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Final

import pytest

from payport.domain.errors import InvalidRequest
from payport.domain.facts import AttemptStatus, Facts
from payport.providers.exchange import Call
from payport.providers.listings import FactsPage, PaymentsQuery, RefundsQuery
from payport.providers.outcomes import Failure
from payport.providers.spec import Capability
from payport.testing._provider_contract.checks import Checks
from payport.testing._provider_contract.merchant import Merchant
from payport.testing._provider_contract.sale import Sale
from payport.testing.faults import ConnectionRefused, Fault, Truncated, Unauthorized
from payport.testing.script import Asked
from payport.testing.tokens import Tokens

__all__ = ["ListingChecks", "page_of"]

_SALES: Final = 5
#: More than a listing of the contract's can need.
_MOST_PAGES: Final = 20


def page_of(merchant: Merchant, query: PaymentsQuery | RefundsQuery) -> FactsPage | Failure:
    """One page. Its methods are those of an optional protocol, so the provider is Any here."""
    provider: Any = merchant.provider
    if isinstance(query, PaymentsQuery):
        page: FactsPage | Failure = provider.list_payments(query, Call())
        return page
    refunds: FactsPage | Failure = provider.list_refunds(query, Call())
    return refunds


def listed(merchant: Merchant, query: PaymentsQuery | RefundsQuery) -> list[Facts]:
    """All that a listing tells, page after page."""
    found: list[Facts] = []
    for _ in range(_MOST_PAGES):
        page = page_of(merchant, query)
        assert isinstance(page, FactsPage), f"a page was not told: {page}"
        assert len(page.items) <= query.limit, "there is more on a page than was asked for"
        found += page.items
        if page.next_cursor is None:
            return found
        query = replace(query, after=page.next_cursor)
    pytest.fail("the listing has no end")


def _always(fault: Fault, asked: Asked) -> Fault:
    del asked
    return fault


def refs(items: list[Facts]) -> list[str | None]:
    """The payments' ids."""
    return [facts.attempt_ref for facts in items]


class ListingChecks(Checks):
    """What the provider lists."""

    def sold(self, merchant: Merchant) -> list[Sale]:
        """Sales a minute apart, the oldest first."""
        self.needs(Capability.LIST_PAYMENTS)
        sales: list[Sale] = []
        for _ in range(_SALES):
            sales.append(merchant.sale().paid())
            merchant.clock.advance(60)
        return sales

    @pytest.mark.parametrize("limit", [1, 2, _SALES, 100])
    def test_a_listing_tells_every_payment_once_the_newest_first(
        self, merchant: Merchant, limit: int
    ) -> None:
        sales = self.sold(merchant)
        told = refs(listed(merchant, PaymentsQuery(limit=limit)))
        assert told == [sale.ref for sale in reversed(sales)]

    def test_a_listing_tells_payments_as_they_stand(self, merchant: Merchant) -> None:
        self.needs(Capability.LIST_PAYMENTS)
        sale = merchant.sale()
        ask = sale.creation()
        sale.done(ask)
        declined = merchant.sale().paid(Tokens.INSUFFICIENT_FUNDS)
        newer, older = listed(merchant, PaymentsQuery())
        assert [attempt.status for attempt in older.attempts] == [AttemptStatus.SUCCEEDED]
        assert [capture.amount for capture in older.captures] == [sale.amount]
        assert (older.attempt_ref, older.tag) == (sale.ref, ask.key)
        assert [attempt.status for attempt in newer.attempts] == [AttemptStatus.DECLINED]
        assert newer.attempts[0].decline == declined.intent.decline
        assert not newer.captures

    def test_a_listing_keeps_to_its_time(self, merchant: Merchant) -> None:
        sales = self.sold(merchant)
        begins = merchant.clock.now() - timedelta(seconds=60 * (_SALES - 1) + 30)
        ends = begins + timedelta(seconds=120)
        asked = PaymentsQuery(created_from=begins, created_before=ends, limit=1)
        assert refs(listed(merchant, asked)) == [sales[2].ref, sales[1].ref]

    def test_a_listing_keeps_to_its_customer(self, merchant: Merchant) -> None:
        self.needs(Capability.LIST_PAYMENTS)
        customers = [merchant.bank.add_customer() for _ in range(2)]
        sales = [merchant.sale().paid(customer=customer) for customer in customers]
        merchant.sale().paid()
        told = listed(merchant, PaymentsQuery(customer=customers[0], limit=1))
        assert refs(told) == [sales[0].ref]

    def test_a_page_goes_on_where_the_last_one_ended_whatever_came_meanwhile(
        self, merchant: Merchant
    ) -> None:
        sales = self.sold(merchant)
        first = page_of(merchant, PaymentsQuery(limit=2))
        assert isinstance(first, FactsPage)
        assert first.next_cursor is not None
        merchant.sale().paid()
        told = listed(merchant, PaymentsQuery(after=first.next_cursor, limit=2))
        assert refs(told) == [sale.ref for sale in reversed(sales[:3])]

    def test_the_refunds_of_a_payment_are_told_and_no_others(self, merchant: Merchant) -> None:
        self.needs(Capability.LIST_REFUNDS, Capability.REFUND, Capability.PARTIAL_REFUND)
        sale, other = merchant.sale().paid(), merchant.sale().paid()
        asks = [sale.refunding(700, reference=f"return_{n}") for n in range(3)]
        for ask in asks:
            sale.done(ask)
            merchant.clock.advance(1)
        other.done(other.refunding(700))
        told = listed(merchant, RefundsQuery(payment_ref=sale.ref, limit=2))
        assert {len(facts.refunds) for facts in told} == {1}, "there is one fact for each refund"
        found = [facts.refunds[0] for facts in told]
        assert [refund.tag for refund in found] == [ask.key for ask in reversed(asks)]
        assert {(refund.attempt_ref, refund.amount.minor) for refund in found} == {(sale.ref, 700)}

    def test_a_listing_that_fails_is_no_empty_one(self, merchant: Merchant) -> None:
        self.sold(merchant)
        for fault in (ConnectionRefused(), Unauthorized(), Truncated()):
            merchant.script.decide(partial(_always, fault))
            assert isinstance(page_of(merchant, PaymentsQuery()), Failure)

    @pytest.mark.parametrize("cursor", ["", "../me", "a b", "x?limit=1", "\u00e4"])
    def test_a_cursor_of_nobodys_is_refused_before_anything_is_sent(
        self, merchant: Merchant, cursor: str
    ) -> None:
        self.needs(Capability.LIST_PAYMENTS)
        before = len(merchant.sent)
        with pytest.raises(InvalidRequest):
            page_of(merchant, PaymentsQuery(after=cursor))
        assert len(merchant.sent) == before
