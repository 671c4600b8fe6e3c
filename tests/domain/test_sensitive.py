"""Card data is refused wherever it hides, ordinary ids are not, and logs show neither."""

import copy
import enum
import random
import re
import string
import time
import uuid
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from payport.domain.card_numbers import _NETWORKS, card_numbers
from payport.domain.errors import InvalidRequest, SensitiveData
from payport.domain.money import Money
from payport.domain.secrets import Sealed
from payport.domain.sensitive import redact, refuse_sensitive

#: Numbers published for testing, or mostly zeros where none is: nobody's cards.
PUBLISHED = {
    "Visa": "4242424242424242",
    "Visa debit": "4000056655665556",
    "Visa, 13 digits": "4222222222222",
    "Visa, 19 digits": "4000000000000000006",
    "Mastercard": "5555555555554444",
    "Mastercard, 2 series": "2223003122003222",
    "American Express": "378282246310005",
    "Discover": "6011111111111117",
    "Diners Club": "30569309025904",
    "Diners Club, 16 digits": "3056930009020004",
    "JCB": "3566002020360505",
    "UnionPay": "6200000000000005",
    "UnionPay, 19 digits": "6205500000000000004",
    "Maestro": "6771798021000008",
    "Maestro, 12 digits": "501800000009",
    "Mir": "2200000000000004",
    "RuPay": "6071990000000003",
    "Troy": "9792000000000003",
    "Elo": "6362970000457013",
    "Hipercard": "6062826786276634",
}
VISA = PUBLISHED["Visa"]


def refuse(value):
    refuse_sensitive(value, operation="payments.create", field="metadata")


def check_digit(digits):
    """Luhn's, written as ISO/IEC 7812-1 annex B tells it: an independent second version."""
    weighted = 0
    for place, digit in enumerate(reversed([int(char) for char in digits])):
        value = digit * 2 if place % 2 == 0 else digit
        weighted += value - 9 if value > 9 else value
    return str(-weighted % 10)


def is_barcode(digits):
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + 3 * sum(values[1::2])) % 10 == 0


@st.composite
def pans(draw):
    """Any number that the table of networks allows."""
    prefixes, lengths = draw(st.sampled_from(sorted(_NETWORKS.values())))
    low, _, high = draw(st.sampled_from(prefixes.split())).partition("-")
    prefix = str(draw(st.integers(int(low), int(high or low))))
    length = draw(st.sampled_from(lengths))
    body = prefix + "".join(
        draw(st.lists(st.sampled_from(string.digits), min_size=length, max_size=length))
    )
    body = body[: length - 1]
    return body + check_digit(body)


BLANKS = [" ", "\t", "\u00a0", "\u2009", "\u202f", "\u3000", "  ", " \u200b "]
DASHES = ["-", "\u2010", "\u2013", "\u2014", "\u2212", " - ", "\uff0d"]
OTHERS = ["_", ".", "\u00b7", "\u200b", "\u00ad", "\ufeff"]
separators = st.sampled_from(BLANKS + DASHES + OTHERS)
scripts = st.sampled_from(["0", "\uff10", "\u0660", "\u06f0", "\u0966", "\U0001d7ce"])
befores = st.sampled_from(["", "card ", "No.", "x", "order_", "Karte: ", "(", '{"a":"', "7 ", "é"])
afters = st.sampled_from(["", " paid", "x", ".", ", thanks", '"}', "=2512", " 12/29", "\n1", "²"])


def in_script(digits, zero):
    return "".join(chr(ord(zero) + int(digit)) for digit in digits)


class TestCardNumbersAreFound:
    @pytest.mark.parametrize("number", PUBLISHED.values(), ids=PUBLISHED)
    def test_of_every_network(self, number):
        with pytest.raises(SensitiveData):
            refuse(number)

    @given(pans(), befores, afters)
    def test_in_one_group_anywhere_in_a_text(self, number, before, after):
        # Cards of these lengths are no longer issued, so a right barcode check digit decides.
        assume(not (len(number) in (12, 13) and is_barcode(number)))

        with pytest.raises(SensitiveData):
            refuse(f"{before}{number}{after}")

    @given(pans(), st.data(), befores, afters)
    def test_with_any_separators_between_any_digits(self, number, data, before, after):
        cuts = data.draw(st.lists(st.integers(1, len(number) - 1), min_size=1, unique=True))
        written = "".join(
            (data.draw(separators) if place in cuts else "") + digit
            for place, digit in enumerate(number)
        )
        assume(not re.fullmatch(r"\d{1,6}\.\d+", written))  # reads as a decimal fraction

        with pytest.raises(SensitiveData):
            refuse(f"{before}{written}{after}")

    @given(pans(), scripts)
    def test_in_digits_of_any_script(self, number, zero):
        grouped = "-".join(re.findall(".{1,4}", in_script(number, zero)))

        with pytest.raises(SensitiveData):
            refuse(grouped)

    @pytest.mark.parametrize(
        "text",
        [
            "4242.4242.4242.4242", "4242 4242 4242 4242", "4242  4242  4242  4242",
            "42424242 42424242", "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2", "3782 822463 10005",
            "2 x 49.99 4242 4242 4242 4242", "2026-11-20 4242424242424242 12/29",
            "1. 4242424242424242",
            "%B4242424242424242^DOE/JANE^2912101?", ";4242424242424242=29121010000?",
            "order_4242424242424242", "pay4242424242424242pay", "4242424242424242\n",
            "12,4242424242424242",
            "v1.1.4242424242424242",
        ],
    )  # fmt: skip
    def test_as_people_write_them(self, text):
        with pytest.raises(SensitiveData):
            refuse(text)

    @pytest.mark.parametrize(
        "value",
        [
            int(VISA), float(VISA), Decimal(VISA), Decimal(f"{VISA}.00"), VISA.encode(),
            bytearray(VISA.encode()), "４２４２ ４２４２ ４２４２ ４２４２".encode(),  # noqa: RUF001
        ],
        ids=["int", "float", "Decimal", "Decimal with cents", "bytes", "bytearray", "UTF-8"],
    )  # fmt: skip
    def test_in_numbers_and_bytes(self, value):
        with pytest.raises(SensitiveData):
            refuse(value)


class OwnText(enum.StrEnum):
    CARD = VISA


@dataclass
class Note:
    text: str


class TestNowhereToHide:
    @pytest.mark.parametrize(
        ("value", "place"),
        [
            (VISA, "metadata"),
            ({"note": VISA}, "metadata.note"),
            ({"a": [{"b": (1, VISA)}]}, "metadata.a[0].b[1]"),
            ({VISA: "x"}, "metadata (a key)"),
            ({int(VISA): "x"}, "metadata (a key)"),
            ({"a": {(1, VISA): "x"}}, "metadata.a (a key)[1]"),
            ({"a": {"b": frozenset({VISA})}}, "metadata.a.b[0]"),
            (MappingProxyType({"a": VISA}), "metadata.a"),
            (deque([VISA]), "metadata[0]"),
            ([[[[[VISA]]]]], "metadata[0][0][0][0][0]"),
            ({"a": Note(VISA)}, "metadata.a.text"),
            ({"a": OwnText.CARD}, "metadata.a"),
            ({"x": 1, "a": VISA, "y": 2}, "metadata.a"),
            ({"k" * 81: VISA}, "metadata.?"),
        ],
    )
    def test_the_error_names_the_place(self, value, place):
        with pytest.raises(SensitiveData) as caught:
            refuse(value)

        assert caught.value.field == place
        assert caught.value.operation == "payments.create"
        assert str(caught.value).startswith(f"payments.create: {place}: ")

    @pytest.mark.parametrize(
        "value",
        [
            VISA, {VISA: VISA}, {f"note {VISA}": {"cvc": "x"}}, {int(VISA): {"pin": "1234"}},
            {"4242-4242-4242-4242": ["cvc: 123"]}, {"a\nb": VISA}, {"sk_test_fake1": VISA},
            {-int(VISA): VISA}, {(42424,): [VISA]},
        ],
    )  # fmt: skip
    def test_the_error_repeats_nothing(self, value):
        with pytest.raises(SensitiveData) as caught:
            refuse(value)

        assert "4242" not in str(caught.value)
        assert "123" not in str(caught.value)
        assert "sk_test" not in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_the_error_says_what_to_do(self):
        with pytest.raises(SensitiveData, match="pass the token"):
            refuse(VISA)
        with pytest.raises(SensitiveData, match="put a letter among its digits"):
            refuse(VISA)
        with pytest.raises(SensitiveData, match="use another name"):
            refuse({"cvc": None})

    def test_the_input_is_not_changed(self):
        value = {"a": [1, {"b": {2, 3}}], "c": ("x",)}
        before = copy.deepcopy(value)
        refuse(value)

        assert value == before


class TestNames:
    @pytest.mark.parametrize(
        "name",
        [
            "cvc", "CVC", "Cvc", "cvv", "CVV2", "cvc2", "card_cvc", "cardCvc", "card[cvc]",
            "card.cvc",
            "cvc-code", "cvvNumber", "card_number", "cardNumber", "CARD NUMBER", "card-number",
            "cardnumber", "creditCardNumber", "ccNumber", "card[number]", "customer.card_number",
            "track1", "track_2", "Track2Data", "trackData", "magstripe", "pinBlock", "iban", "IBAN",
            "\uff43\uff56\uff43", "primary_account_number", "card_security_code",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("value", ["123", "tok_visa", None, {}], ids=repr)
    def test_that_mean_card_data_are_refused_whatever_they_hold(self, name, value):
        with pytest.raises(SensitiveData, match="named like"):
            refuse({"outer": [{name: value}]})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("pin", "1234"), ("PIN", 1234), ("card_pin", "123456"), ("cid", "123"), ("CID",
            " 1234 "),
            ("csc", 123), ("security_code", "123"), ("pan", "4242424242424241"),
            ("pan", "4242 4242 4242 4241"), ("pan", 42424242),
        ],
    )  # fmt: skip
    def test_that_may_mean_it_are_refused_with_such_a_value(self, name, value):
        with pytest.raises(SensitiveData):
            refuse({name: value})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("pin", "map-7"), ("pinned", "1234"), ("shopping", "1234"), ("cid", "GA1.2.1234.5678"),
            ("cid", "customer_9"), ("pan", "ABCDE1234F"), ("japan", "4242424242424241"),
            ("company", "12345678"), ("pin", True), ("span", "12345678"), ("security_code",
            "door B"),
            ("cvc_check", "pass"), ("cvv_result", "M"), ("iban_last4", "1234"), ("last4", "4242"),
            ("card", "visa"), ("number", "12"), ("soundtrack1", "Overture"), ("discard_number",
            "1"),
        ],
    )  # fmt: skip
    def test_that_mean_something_else_are_not(self, name, value):
        refuse({name: value})

    @pytest.mark.parametrize(
        "number",
        ["4242424242424241", 4242424242424241, "4242 4242 4242 4241"],
        ids=["text", "int", "grouped"],
    )
    @pytest.mark.parametrize("expiry", ["exp_month", "expiry", "expirationDate", "validThru"])
    def test_a_long_number_beside_an_expiry_is_a_card_even_if_mistyped(self, number, expiry):
        with pytest.raises(SensitiveData):
            refuse({"number": number, expiry: "12/29"})

    @pytest.mark.parametrize(
        "value",
        [
            {"number": "INV-12", "expiry": "2029-12"}, {"number": "4242424242424241"},
            {"expiry": "2029-12"}, {"a": {"number": "4242424242424241"}, "expiry": "2029-12"},
        ],
    )  # fmt: skip
    def test_a_number_or_an_expiry_alone_is_not(self, value):
        refuse(value)

    @pytest.mark.parametrize("text", ["CVC 123", "cvv: 1234", "the cvc=123", '{"cvv2": "123"}'])
    def test_a_code_spelled_out_in_a_text_is_refused(self, text):
        with pytest.raises(SensitiveData, match="security code"):
            refuse({"note": text})

    @pytest.mark.parametrize("text", ["cvc is required", "CVC 12345", "cvc_check", "no cvv"])
    def test_talking_about_codes_is_not(self, text):
        refuse(text)


ORDINARY = [
    None, True, False, 0, -1, 1.5, float("nan"), float("inf"), Decimal("NaN"), Decimal("sNaN"),
    Decimal("Infinity"), 10**5000, -(10**5000), Decimal("1E+1000000"), Decimal("1E-1000000"),
    object(), b"\xff\xfe", "", [], {}, Money(int(VISA), "VND"), Sealed(VISA), Money, int,
    "order_12345", "49.99 USD", "2026-11-20T10:15:00.123456+00:00", "1700000000000",
    "+4915123456001", "+49 1512 3456019", "4006381333825", "4006381334013", "500000000173",
    "0.4242424242424242", "4.242424242424242", "52.42424242424242424", "-12.5155555555555",
    "00000000000000000000000000000000", "4" * 100, "4242", "4242-4242", "4242\n4242\n4242\n4242",
    "42424242-4242-4242-4242-424242424242", "4242424242424242abcdef0123456789",
    "DE89370400440532013000", "356938035643809", "8944500102198304826",
    "127.0.0.1 192.168.100.200", "4242424242424242a4242424242424"[3:], "4242x4242x4242x4242",
]  # fmt: skip


class TestOrdinaryInput:
    @given(pans(), befores.filter(lambda before: "7" not in before), st.integers(1, 9))
    def test_numbers_with_a_wrong_check_digit_pass(self, number, before, error):
        wrong = number[:-1] + str((int(number[-1]) + error) % 10)

        refuse(f"{before}{wrong}")

    @given(st.text(st.characters(exclude_categories=["Nd"])))
    def test_text_without_digits_passes(self, text):
        assume(not re.search("cv[cv]", text, re.IGNORECASE))

        refuse({"note": text})
        assert redact(text) == text or re.search("secret|password|auth|token|key|://", text.lower())

    @pytest.mark.parametrize("value", ORDINARY, ids=map(str, range(len(ORDINARY))))
    def test_what_applications_pass_passes(self, value):
        refuse({"value": value})

    def test_uuids_floats_and_digests_are_never_taken_for_cards(self):
        dice = random.Random(20261120)
        for _ in range(20_000):
            refuse(str(uuid.UUID(int=dice.getrandbits(128), version=4)))
            refuse(f"{dice.uniform(-1e4, 1e4)!r}")
            refuse(f"{dice.getrandbits(256):064x}")

    @pytest.mark.parametrize(
        ("digits", "most"),
        [(12, 0.01), (13, 0.025), (14, 0.02), (15, 0.02), (16, 0.05), (17, 0.02), (18, 0.02), (19,
        0.04)],
    )  # fmt: skip
    def test_random_ids_of_digits_are_rarely_taken_for_cards(self, digits, most):
        """The module says how rarely; this keeps a wider table from making it a nuisance."""
        dice = random.Random(digits)
        ids = [f"{dice.randrange(10 ** (digits - 1), 10**digits)}" for _ in range(5_000)]
        found = sum(any(card_numbers(number)) for number in ids)

        assert 0 < found / len(ids) < most


class TestHostileInput:
    def nested(self, depth):
        value = "x"
        for level in range(depth):
            value = [value] if level % 2 else {"a": value}
        return value

    def test_sixty_four_levels_are_looked_through(self):
        refuse(self.nested(64))

    @pytest.mark.parametrize("depth", [65, 1_000, 100_000])
    def test_deeper_nesting_is_refused_without_recursion(self, depth):
        with pytest.raises(InvalidRequest, match="64 deep") as caught:
            refuse(self.nested(depth))

        assert type(caught.value) is InvalidRequest
        assert caught.value.field == "metadata"

    def test_data_that_contains_itself_is_refused(self):
        circle = {"a": []}
        circle["a"].append(circle)
        with pytest.raises(InvalidRequest, match="contains itself"):
            refuse(circle)

    def test_few_bytes_that_expand_to_billions_of_values_are_refused(self):
        laughs = ["ha"]
        for _ in range(30):
            laughs = [laughs] * 10
        with pytest.raises(InvalidRequest, match="20000 values"):
            refuse(laughs)

    def test_twenty_thousand_values_are_looked_through_and_no_more(self):
        refuse(["x"] * 20_000)
        with pytest.raises(InvalidRequest, match="20000 values"):
            refuse(["x"] * 20_001)

    def test_thousands_of_candidates_are_refused_as_too_much(self):
        with pytest.raises(InvalidRequest, match="long numbers") as caught:
            refuse("4242 4242 4242 4241, " * 10_000)

        assert type(caught.value) is InvalidRequest

    @pytest.mark.parametrize(
        "unit",
        [
            "a", "4", "1a", "4a", "1 ", "4 ", "4 4 4 4 4 4 4 4 4 4 4 a", "4241 ", "42424242424a",
            "4---",
            " ", "-", "4.", "4242424242424241 ", "\uff14\uff12", "\uff14 ", "6 7 ", "cvc",
            "cvc 12 ", "é1",
            "+4", "4.11111111111111111 ", "0123456789abcdef",
            "Order 12 of 2026-11-20 for 49.99 USD. ",
            "漢字", "_secret", "://", "secret:", "bearer ", "basic ", "a-", "_",
        ],
    )  # fmt: skip
    def test_a_megabyte_takes_milliseconds(self, unit):
        """Measured: 50 ms at most, refusal included; 300 ms to redact. The bounds allow for CI."""
        text = unit * (1_000_000 // len(unit.encode()))
        began = time.perf_counter()
        with suppress(InvalidRequest):
            refuse(text)
        looked = time.perf_counter()
        redact(text)
        cleaned = time.perf_counter()

        assert looked - began < 0.5
        assert cleaned - looked < 1.5


class TestRedact:
    @given(pans(), befores, afters)
    def test_card_numbers_are_replaced(self, number, before, after):
        assume(not (len(number) in (12, 13) and is_barcode(number)))
        clean = redact(f"{before}{number}{after}")

        assert number not in clean
        assert "[card number]" in clean

    def test_what_stands_around_stays(self):
        text = f"paid with {VISA}, then 5555-5555-5555-4444 and 12.50 EUR"

        assert redact(text) == "paid with [card number], then [card number] and 12.50 EUR"

    def test_the_longest_number_is_replaced_whole_and_no_digit_twice(self):
        assert redact("4242 4242 4242 4242 006") == "[card number]"
        assert redact("4242 4242 4242 4242 4242") == "[card number] 4242"

    @pytest.mark.parametrize(
        ("text", "clean"),
        [
            ("key sk_test_fake123 used", "key [secret] used"),
            ("rk_live_fake123", "[secret]"),
            ("SK_LIVE_FAKE", "[secret]"),
            ("whsec_fa+ke/12=", "[secret]"),
            ("pi_1Fake_secret_fAkE9 sent", "[secret] sent"),
            ("Authorization: Bearer fake.token-1", "[secret]"),
            ("{'Authorization': 'Basic ZmFrZTpmYWtl'}", "{'[secret]'}"),
            ("proxy-authorization: Basic ZmFrZQ==", "proxy-[secret]"),
            ("Bearer fake.token-1, next", "[secret], next"),
            ("Basic ZmFrZTpmYWtl0A==", "[secret]"),
            ('{"client_secret": "fake", "id": 1}', '{"[secret]", "id": 1}'),
            ("x-api-key: fake", "x-[secret]"),
            ("api_key=fake&a=1", "[secret]&a=1"),
            ("password=fake;", "[secret];"),
            ("MY_WEBHOOK_SECRET=fake", "MY_[secret]"),
            ("access_token: fake", "[secret]"),
            ("postgresql://user:fake@db/pay", "postgresql://[secret]@db/pay"),
            ("cvc: 123 given", "[security code] given"),
            ("sk_test_4242424242424242", "[secret]"),
        ],
    )
    def test_keys_and_passwords_are_replaced(self, text, clean):
        assert redact(text) == clean

    @pytest.mark.parametrize(
        "text",
        [
            "", "the basic functionality is here", "a bearer of news", "no secret here",
            "secretary: Ann",
            "order_12345 paid 49.99 USD", "pi_1Fake succeeded", "https://example.com/a?b=c",
            "task_live",
            "risk_test_1", "authorized: 4999", "passwordless",
        ],
    )  # fmt: skip
    def test_ordinary_words_stay(self, text):
        assert redact(text) == text

    @given(st.text(), pans().filter(lambda number: len(number) > 13))
    def test_redacting_twice_changes_nothing(self, text, number):
        once = redact(f"{text} {number} whsec_fake")

        assert redact(once) == once

    def test_after_thousands_of_numbers_the_rest_is_left_out(self):
        clean = redact("4242424242424241 " * 6_000 + VISA)

        assert VISA not in clean
        assert clean.endswith("[rest left out]")
