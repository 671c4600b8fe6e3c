"""Amounts that a processor counts otherwise are converted whole, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payport.domain.errors import InvalidRequest
from payport.domain.money import Money
from payport.providers.adyen.spec import EXPONENTS as ADYEN
from payport.providers.amounts import minor_units, money_of
from payport.providers.stripe.spec import EXPONENTS as STRIPE

OTHERWISE = [(table, currency) for table in (ADYEN, STRIPE) for currency in table]


@pytest.mark.parametrize(
    ("table", "money", "counted"),
    [
        (ADYEN, Money(5, "CLP"), 500),
        (ADYEN, Money(5, "ISK"), 500),
        (ADYEN, Money(500, "CVE"), 5),
        (ADYEN, Money(500, "IDR"), 5),
        (ADYEN, Money(501, "IDR"), None),
        (ADYEN, Money(500, "USD"), 500),
        (STRIPE, Money(5, "ISK"), 500),
        (STRIPE, Money(5, "UGX"), 500),
        (STRIPE, Money(500, "MGA"), 5),
        (STRIPE, Money(5, "CLP"), 5),
    ],
)
def test_each_exception_is_counted_as_its_processor_does(table, money, counted):
    assert minor_units(money, table) == counted


@given(st.sampled_from(OTHERWISE), st.integers(1, 10**12))
def test_what_is_told_is_what_was_asked_or_nothing_is_asked(case, minor):
    table, currency = case
    counted = minor_units(Money(minor, currency), table)
    if counted is not None:
        assert money_of(counted, currency.lower(), table) == Money(minor, currency)


def test_a_fraction_that_a_currency_has_not_is_unreadable():
    with pytest.raises(InvalidRequest):
        money_of(501, "ISK", ADYEN)
    for amount, currency in ((None, "USD"), ("5", "USD"), (True, "USD"), (5, None)):
        with pytest.raises(ValueError, match="missing"):
            money_of(amount, currency, ADYEN)
