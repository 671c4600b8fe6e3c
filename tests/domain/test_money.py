"""Money is whole minor units with a currency, and no operation loses or invents one."""

import copy
import dataclasses
import operator
import pickle
import timeit
from decimal import Decimal, localcontext
from enum import Enum, StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from payport.domain._currencies import EXPONENTS, WITHOUT_MINOR_UNIT
from payport.domain.errors import InvalidRequest
from payport.domain.money import Money, total

INT64 = 2**63

currencies = st.sampled_from(sorted(EXPONENTS))
minors = st.integers(-INT64, INT64 - 1)
moneys = st.builds(Money, minors, currencies)


class OwnCode(StrEnum):
    USD = "USD"


class OlderCode(str, Enum):  # noqa: UP042 - what applications have
    USD = "USD"


class TestConstruction:
    def test_it_is_minor_units_and_a_currency(self):
        money = Money(4999, "USD")

        assert (money.minor, money.currency, money.exponent) == (4999, "USD", 2)
        assert money == Money(minor=4999, currency="USD")

    @pytest.mark.parametrize("minor", [0, -1, INT64 - 1, -INT64])
    def test_zero_negative_and_extreme_amounts_are_values(self, minor):
        assert Money(minor, "USD").minor == minor

    @pytest.mark.parametrize(
        "minor", [49.99, 4999.0, True, False, "4999", Decimal(4999), None, 1j, b"1", [1]]
    )
    def test_anything_but_an_int_is_refused_with_the_way_out(self, minor):
        with pytest.raises(InvalidRequest) as caught:
            Money(minor, "USD")

        assert caught.value.field == "amount"
        assert type(minor).__name__ in str(caught.value)
        assert "Money.from_major('49.99', 'USD')" in str(caught.value)

    @pytest.mark.parametrize("minor", [INT64, -INT64 - 1, 10**400])
    def test_more_than_64_bits_are_refused(self, minor):
        with pytest.raises(InvalidRequest, match="64 bits") as caught:
            Money(minor, "USD")

        assert caught.value.field == "amount"

    @pytest.mark.parametrize(
        "currency", ["", "XYZ", "US", "USDT", "U5D", "DEM", "USD ", "\uff35SD"]
    )
    def test_an_unknown_currency_is_refused_and_not_repeated(self, currency):
        with pytest.raises(InvalidRequest, match="ISO 4217") as caught:
            Money(1, currency)

        assert caught.value.field == "currency"

    def test_text_that_is_no_currency_is_not_repeated(self):
        with pytest.raises(InvalidRequest) as caught:
            Money(1, "sk_test_obviously_fake")

        assert "sk_test" not in str(caught.value)

    @pytest.mark.parametrize("currency", ["usd", "Usd", "eUR"])
    def test_small_letters_are_refused_with_the_right_code(self, currency):
        with pytest.raises(InvalidRequest, match=f"'{currency.upper()}'"):
            Money(1, currency)

    @pytest.mark.parametrize("currency", sorted(WITHOUT_MINOR_UNIT))
    def test_codes_without_a_minor_unit_are_refused_with_the_reason(self, currency):
        with pytest.raises(InvalidRequest, match=f"{currency} has no minor unit"):
            Money(1, currency)

    @pytest.mark.parametrize("currency", [None, 840, b"USD", ["USD"], 1.0])
    def test_a_currency_that_is_no_text_is_refused(self, currency):
        with pytest.raises(InvalidRequest) as caught:
            Money(1, currency)

        assert caught.value.field == "currency"

    @pytest.mark.parametrize("member", [OwnCode.USD, OlderCode.USD], ids=["StrEnum", "str, Enum"])
    def test_a_member_of_an_own_enum_becomes_plain_text(self, member):
        assert type(Money(1, member).currency) is str
        assert Money.from_major("0.01", member) == Money(1, "USD")
        assert repr(Money(1, member)) == "Money(1, 'USD')"

    def test_it_cannot_be_changed(self):
        money = Money(1, "USD")

        with pytest.raises(dataclasses.FrozenInstanceError):
            money.minor = 2
        assert not hasattr(money, "__dict__")

    def test_it_is_cheap_to_make(self):
        """A few hundred nanoseconds; the bound leaves room for a busy machine."""
        once = min(timeit.repeat(lambda: Money(4999, "USD"), number=10_000, repeat=5)) / 10_000

        assert once < 5e-6


class TestMajor:
    @pytest.mark.parametrize(
        ("major", "currency", "minor"),
        [
            ("49.99", "USD", 4999), ("49.9", "USD", 4990), ("49", "USD", 4900), ("0", "USD", 0),
            ("-49.99", "USD", -4999), ("-0", "USD", 0), ("007.50", "USD", 750), ("0.01", "USD", 1),
            ("500", "JPY", 500), ("1.234", "KWD", 1234), ("1.2345", "CLF", 12345), (5, "USD", 500),
            (-5, "JPY", -5), (Decimal("49.99"), "USD", 4999), (Decimal("49.9900"), "USD", 4999),
            (Decimal("1E+2"), "USD", 10000), (Decimal("-0"), "USD", 0),
            (Decimal("100.00"), "JPY", 100),
            (Decimal("0E+1000000"), "USD", 0), (Decimal("0E-1000000"), "USD", 0),
            ("92233720368547758.07", "USD", INT64 - 1), ("-92233720368547758.08", "USD", -INT64),
        ],
    )  # fmt: skip
    def test_it_converts_exactly(self, major, currency, minor):
        assert Money.from_major(major, currency) == Money(minor, currency)

    @pytest.mark.parametrize("amount", [49.99, 1.0, True, None, b"1.00", 1j, float("nan")])
    def test_floats_bools_and_others_are_refused(self, amount):
        with pytest.raises(InvalidRequest, match="str or Decimal") as caught:
            Money.from_major(amount, "USD")

        assert caught.value.field == "amount"

    @pytest.mark.parametrize(
        ("amount", "currency"),
        [
            ("49.999", "USD"), ("49.990", "USD"), ("0.001", "USD"), ("1.0", "JPY"),
            ("1.000", "USD"),
            ("1.2345", "KWD"), (Decimal("49.999"), "USD"), (Decimal("1E-3"), "USD"),
            (Decimal("0.5"), "JPY"), (Decimal("1E-1000000"), "USD"),
            (Decimal("100.0000001"), "USD"),
        ],
    )  # fmt: skip
    def test_it_never_rounds(self, amount, currency):
        with pytest.raises(InvalidRequest, match=f"more decimal places than {currency}"):
            Money.from_major(amount, currency)

    @pytest.mark.parametrize(
        "amount",
        [
            "", " ", " 1", "1 ", "1\n", "+1", "--1", "1e2", "1E2", "1_000", "1,50", "1,000.00",
            ".5",
            "5.", "0x10", "NaN", "Infinity", "-inf", "\uff14\uff19", "\u0664\u0669", "²", "$1",
            "1 USD",
            "1.2.3", "9" * 41,
            "1" * 1_000_000,
        ],
    )  # fmt: skip
    def test_text_that_is_not_a_plain_number_is_refused(self, amount):
        with pytest.raises(InvalidRequest, match="Not an amount") as caught:
            Money.from_major(amount, "USD")

        assert caught.value.field == "amount"

    @pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "-Infinity"])
    def test_a_decimal_that_is_no_number_is_refused(self, amount):
        with pytest.raises(InvalidRequest, match="NaN and Infinity"):
            Money.from_major(Decimal(amount), "USD")

    @pytest.mark.parametrize(
        "amount",
        [
            Decimal("1E+1000000"), Decimal("1E+30"), Decimal(10) ** 25, 10**30, "9" * 19,
            "92233720368547758.08", Decimal("-92233720368547758.09"),
        ],
    )  # fmt: skip
    def test_amounts_beyond_64_bits_are_refused_at_once(self, amount):
        with pytest.raises(InvalidRequest, match="64 bits"):
            Money.from_major(amount, "USD")

    def test_the_currency_is_checked_like_in_the_constructor(self):
        with pytest.raises(InvalidRequest, match="'USD'"):
            Money.from_major("1", "usd")
        with pytest.raises(InvalidRequest):
            Money.from_major("1", None)

    @given(moneys)
    def test_major_and_back_changes_nothing(self, money):
        assert Money.from_major(money.major, money.currency) == money
        assert Money.from_major(str(money).split()[0], money.currency) == money

    @given(moneys)
    def test_major_has_the_currencys_decimal_places(self, money):
        assert -money.major.as_tuple().exponent == money.exponent

    def test_the_callers_decimal_context_changes_nothing(self):
        with localcontext() as context:
            context.prec = 3
            assert Money(123456789, "USD").major == Decimal("1234567.89")
            assert Money.from_major(Decimal("1234567.89"), "USD").minor == 123456789


class TestArithmetic:
    def test_sums_and_differences(self):
        assert Money(1, "USD") + Money(2, "USD") == Money(3, "USD")
        assert Money(1, "USD") - Money(2, "USD") == Money(-1, "USD")
        assert -Money(1, "USD") == Money(-1, "USD")
        assert abs(Money(-1, "USD")) == Money(1, "USD")

    def test_multiplication_by_a_whole_number_from_either_side(self):
        assert Money(5, "USD") * 3 == 3 * Money(5, "USD") == Money(15, "USD")

    @pytest.mark.parametrize("factor", [1.5, Decimal("1.5"), True, "2", None])
    def test_multiplication_by_anything_else_is_refused(self, factor):
        with pytest.raises(InvalidRequest, match="allocate"):
            Money(5, "USD") * factor
        with pytest.raises(InvalidRequest, match="allocate"):
            factor * Money(5, "USD")

    @pytest.mark.parametrize(
        "operation",
        [operator.add, operator.sub, operator.lt, operator.le, operator.gt, operator.ge],
    )
    def test_different_currencies_do_not_mix(self, operation):
        with pytest.raises(InvalidRequest, match="USD and EUR") as caught:
            operation(Money(1, "USD"), Money(1, "EUR"))

        assert caught.value.field == "currency"

    @pytest.mark.parametrize(
        "operation",
        [
            operator.add, operator.sub, operator.lt, operator.le, operator.gt, operator.ge,
            operator.truediv, operator.floordiv, operator.mod, operator.pow,
        ],
    )  # fmt: skip
    def test_money_and_plain_numbers_do_not_mix(self, operation):
        with pytest.raises(TypeError):
            operation(Money(100, "USD"), 2)
        with pytest.raises(TypeError):
            operation(2, Money(100, "USD"))

    def test_comparisons(self):
        one, two = Money(1, "USD"), Money(2, "USD")

        assert one < two
        assert one <= two
        assert one <= Money(1, "USD")
        assert two > one
        assert two >= one
        assert not one > two
        assert sorted([two, one]) == [one, two]
        assert max(one, two) is two

    def test_equality_needs_the_same_currency_and_is_never_a_number(self):
        assert Money(0, "USD") != Money(0, "EUR")
        assert Money(1, "USD") != 1
        assert len({Money(1, "USD"), Money(1, "USD"), Money(1, "EUR")}) == 2

    def test_results_beyond_64_bits_are_refused(self):
        with pytest.raises(InvalidRequest, match="64 bits"):
            Money(INT64 - 1, "USD") + Money(1, "USD")
        with pytest.raises(InvalidRequest, match="64 bits"):
            -Money(-INT64, "USD")

    def test_truth_is_refused_because_it_reads_two_ways(self):
        with pytest.raises(TypeError, match="is_zero"):
            bool(Money(0, "USD"))

    def test_questions_about_the_sign(self):
        assert Money(0, "USD").is_zero
        assert not Money(1, "USD").is_zero
        assert Money(1, "USD").is_positive
        assert not Money(0, "USD").is_positive
        assert not Money(-1, "USD").is_positive

    def test_adding_up(self):
        amounts = [Money(1, "USD"), Money(2, "USD")]

        assert sum(amounts, Money.zero("USD")) == total(amounts, "USD") == Money(3, "USD")
        assert total(iter([]), "JPY") == Money.zero("JPY") == Money(0, "JPY")
        with pytest.raises(InvalidRequest, match="EUR and USD"):
            total(amounts, "EUR")


class TestAllocation:
    def test_thirds_of_a_dollar(self):
        assert [share.minor for share in Money(100, "USD").allocate([1, 1, 1])] == [34, 33, 33]

    def test_the_largest_remainder_gets_the_unit(self):
        assert [share.minor for share in Money(10, "USD").allocate([5, 3, 2, 9])] == [3, 1, 1, 5]

    def test_a_weight_of_zero_gets_nothing(self):
        assert [share.minor for share in Money(1, "USD").allocate([0, 1, 0])] == [0, 1, 0]

    def test_a_negative_amount_is_the_mirror_of_the_positive(self):
        weights = [3, 7, 11]

        assert Money(-100, "USD").allocate(weights) == tuple(
            -share for share in Money(100, "USD").allocate(weights)
        )

    def test_split_is_even_with_the_larger_parts_first(self):
        assert [part.minor for part in Money(11, "USD").split(4)] == [3, 3, 3, 2]
        assert Money(11, "USD").split(1) == (Money(11, "USD"),)

    @pytest.mark.parametrize("weights", [[], [0], [0, 0], [1, -1], [1.0], [True], ["1"], [1, None]])
    def test_senseless_weights_are_refused(self, weights):
        with pytest.raises(InvalidRequest) as caught:
            Money(1, "USD").allocate(weights)

        assert caught.value.field == "weights"

    @pytest.mark.parametrize("parts", [0, -1, True, 2.0, "2", None])
    def test_senseless_parts_are_refused(self, parts):
        with pytest.raises(InvalidRequest) as caught:
            Money(1, "USD").split(parts)

        assert caught.value.field == "parts"

    @given(moneys, st.lists(st.integers(0, 10**12), min_size=1, max_size=30).filter(any))
    def test_nothing_is_lost_and_every_share_is_fair(self, money, weights):
        shares = money.allocate(weights)

        assert sum(share.minor for share in shares) == money.minor
        for share, weight in zip(shares, weights, strict=True):
            # Less than one unit away from the exact share, compared without dividing.
            assert abs(share.minor * sum(weights) - money.minor * weight) < sum(weights)
            assert weight or share.is_zero

    @given(moneys, st.integers(1, 50))
    def test_parts_differ_by_one_unit_at_most(self, money, parts):
        amounts = [part.minor for part in money.split(parts)]

        assert sum(amounts) == money.minor
        assert max(amounts) - min(amounts) <= 1


class TestText:
    @pytest.mark.parametrize(
        ("money", "text"),
        [
            (Money(4999, "USD"), "49.99 USD"), (Money(-5, "USD"), "-0.05 USD"),
            (Money(0, "USD"), "0.00 USD"), (Money(500, "JPY"), "500 JPY"),
            (Money(1, "KWD"), "0.001 KWD"), (Money(-1, "CLF"), "-0.0001 CLF"),
            (Money(INT64 - 1, "USD"), "92233720368547758.07 USD"),
        ],
    )  # fmt: skip
    def test_it_reads_like_an_amount(self, money, text):
        assert str(money) == f"{money}" == text

    def test_it_can_be_aligned(self):
        assert f"{Money(1, 'USD'):>10}" == "  0.01 USD"

    @given(moneys)
    def test_the_repr_is_the_constructor(self, money):
        assert eval(repr(money)) == money  # noqa: S307


class TestLeavingTheProcess:
    @given(moneys)
    def test_pickles_and_copies_are_equal(self, money):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.loads(pickle.dumps(money, protocol)) == money  # noqa: S301
        assert copy.copy(money) is copy.deepcopy(money) is money
        assert dataclasses.replace(money, minor=0) == Money.zero(money.currency)

    def test_a_doctored_pickle_is_validated(self):
        doctored = pickle.dumps(Money(1, "USD"), 0).replace(b"USD", b"usd")

        with pytest.raises(InvalidRequest):
            pickle.loads(doctored)  # noqa: S301


class Order(BaseModel):
    price: Money


class TestPydantic:
    @given(moneys)
    def test_there_and_back(self, money):
        order = Order(price=money)

        assert order.model_dump() == {"price": {"minor": money.minor, "currency": money.currency}}
        assert Order.model_validate(order.model_dump()) == order
        assert Order.model_validate_json(order.model_dump_json()) == order

    @pytest.mark.parametrize(
        "price",
        [
            {"minor": 1.0, "currency": "USD"}, {"minor": True, "currency": "USD"},
            {"minor": "1", "currency": "USD"}, {"minor": INT64, "currency": "USD"},
            {"minor": 1, "currency": "usd"}, {"minor": 1, "currency": "XAU"},
            {"minor": 1, "currency": "XYZ"}, {"minor": 1}, {"currency": "USD"}, {}, 1, "1 USD",
            None,
            {"minor": 1, "currency": "USD", "extra": 1}, (1, "USD"),
        ],
    )  # fmt: skip
    def test_what_the_constructor_refuses_is_a_validation_error(self, price):
        with pytest.raises(ValidationError):
            Order(price=price)

    def test_json_numbers_with_a_point_are_refused(self):
        with pytest.raises(ValidationError):
            Order.model_validate_json('{"price": {"minor": 1.0, "currency": "USD"}}')

    def test_our_reason_is_in_the_error(self):
        with pytest.raises(ValidationError, match="XAU has no minor unit"):
            Order(price={"minor": 1, "currency": "XAU"})

    @pytest.mark.parametrize("mode", ["validation", "serialization"])
    def test_the_json_schema_says_all(self, mode):
        schema = TypeAdapter(Money).json_schema(mode=mode)

        assert schema["required"] == ["minor", "currency"]
        assert schema["properties"]["minor"]["type"] == "integer"
        assert schema["properties"]["currency"]["pattern"] == "^[A-Z]{3}$"
        assert schema["additionalProperties"] is False
