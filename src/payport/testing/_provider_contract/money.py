# ruff: noqa: S101 - contract tests live on assert
"""Money: every amount arrives to the last minor unit, in its currency, whatever its exponent."""

from __future__ import annotations

import pytest

from payport.domain.errors import InvalidRequest
from payport.domain.facts import AttemptFact, Facts
from payport.domain.money import Money
from payport.providers.spec import Capability
from payport.testing._provider_contract.checks import Checks
from payport.testing._provider_contract.harness import Harness
from payport.testing._provider_contract.merchant import Merchant
from payport.testing._provider_contract.sale import Sale

__all__ = ["MoneyChecks"]

#: Whole in every currency's minor and major units, and in those of providers that count otherwise.
_ROUND = 123_000
#: Not divisible by anything that a provider could round to.
_ODD = 123_457

_each_currency = pytest.mark.parametrize("currency", Harness.currencies)


class MoneyChecks(Checks):
    """Amounts and currencies."""

    def sale(self, merchant: Merchant, currency: str, minor: int = _ROUND) -> Sale:
        """A sale in a currency that the provider takes."""
        if currency not in merchant.harness.currencies:
            pytest.skip(f"the provider does not take {currency}")
        return merchant.sale(Money(minor, currency))

    @_each_currency
    def test_an_amount_arrives_in_its_currency(self, merchant: Merchant, currency: str) -> None:
        sale = self.sale(merchant, currency)
        facts = sale.done(sale.creation())
        assert _currencies(facts) == {currency}
        assert merchant.bank.charged(sale.reference) == sale.amount
        assert sale.intent.captured == sale.intent.authorized == sale.amount

    @_each_currency
    def test_parts_arrive_in_its_currency(self, merchant: Merchant, currency: str) -> None:
        self.needs(Capability.MANUAL_CAPTURE, Capability.PARTIAL_CAPTURE)
        self.needs(Capability.REFUND, Capability.PARTIAL_REFUND)
        sale = self.sale(merchant, currency).held()
        taken = sale.done(sale.taking(82_000))
        returned = sale.done(sale.refunding(41_000))
        assert _currencies(taken) | _currencies(returned) == {currency}
        assert merchant.bank.charged(sale.reference) == Money(82_000, currency)
        assert merchant.bank.refunded(sale.reference) == Money(41_000, currency)
        sale.check_books()

    @_each_currency
    def test_amounts_that_the_provider_cannot_count_are_refused_before_anything_is_sent(
        self, merchant: Merchant, currency: str
    ) -> None:
        sale = self.sale(merchant, currency, _ODD)
        exponent = merchant.spec.exponents.get(currency, sale.amount.exponent)
        if exponent < sale.amount.exponent or _ODD % merchant.spec.steps.get(currency, 1):
            with pytest.raises(InvalidRequest):
                merchant.send(sale.creation())
            assert not merchant.sent, "an amount that would have to be rounded was sent"
        else:
            sale.paid()
            sale.check_books(_ODD)

    @pytest.mark.parametrize("minor", [100, 101, 4_999, 99_999_999, 1_234_567_891])
    def test_no_minor_unit_is_lost(self, merchant: Merchant, minor: int) -> None:
        if minor > merchant.spec.limits.max_amount:
            pytest.skip("the provider does not take that much at once")
        sale = merchant.sale(Money(minor, "USD")).paid()
        assert merchant.bank.charged(sale.reference) == Money(minor, "USD")
        sale.check_books(minor)

    def test_the_most_that_it_takes_is_taken_whole(self, merchant: Merchant) -> None:
        most = merchant.spec.limits.max_amount
        merchant.sale(Money(most, "USD")).paid().check_books(most)

    def test_payments_of_two_currencies_do_not_mix(self, merchant: Merchant) -> None:
        dollars = self.sale(merchant, "USD").paid()
        yen = self.sale(merchant, "JPY").paid()
        assert dollars.intent.captured == Money(_ROUND, "USD")
        assert yen.intent.captured == Money(_ROUND, "JPY")

    def test_disputes_are_in_the_payments_currency(self, merchant: Merchant) -> None:
        sale = self.sale(merchant, "JPY").paid()
        merchant.bank.dispute(sale.reference, sale.money(41_000))
        sale.catch_up()
        assert sale.intent.disputed == Money(41_000, "JPY")


def _currencies(facts: Facts) -> set[str]:
    return {
        (fact.authorized if isinstance(fact, AttemptFact) else fact.amount).currency
        for fact in facts
    }
