"""The currency table against its source, and against a second opinion."""

import importlib.util
import re
from pathlib import Path

import iso4217
import pytest

import payport
from payport.domain._currencies import EXPONENTS, WITHOUT_MINOR_UNIT

ROOT = Path(__file__).resolve().parents[2]
#: Where payport is imported from: the checkout's, or the built wheel's.
PACKAGE = Path(payport.__file__).parent

#: CLDR says how amounts are displayed and leaves out subunits that nobody uses any more; ISO 4217
#: says how they are counted. Updating either package may change this table: look before you do.
NOT_DISPLAYED = {
    "AFN", "ALL", "IQD", "IRR", "KPW", "LAK", "LBP", "MGA", "MMK", "RSD", "SOS", "SYP", "YER",
}  # fmt: skip


def generator():
    spec = importlib.util.spec_from_file_location("currencies", ROOT / "scripts/currencies.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_checked_in_table_is_what_the_script_writes():
    script = generator()

    assert (PACKAGE / "domain/_currencies.py").read_text(encoding="utf-8") == script.source()


def test_every_currency_of_the_standard_is_known_with_its_exponent():
    divided = {
        currency.code: currency.exponent
        for currency in iso4217.Currency
        if currency.exponent is not None
    }

    assert dict(EXPONENTS) == divided


def test_codes_that_are_not_divided_are_known_as_such():
    undivided = {currency.code for currency in iso4217.Currency if currency.exponent is None}

    assert undivided == WITHOUT_MINOR_UNIT
    assert WITHOUT_MINOR_UNIT.isdisjoint(EXPONENTS)


@pytest.mark.parametrize(
    ("code", "exponent"),
    [
        ("USD", 2), ("EUR", 2), ("GBP", 2), ("CHF", 2), ("MGA", 2), ("MRU", 2), ("HUF", 2),
        ("JPY", 0), ("KRW", 0), ("ISK", 0), ("UGX", 0), ("VND", 0), ("CLP", 0), ("XOF", 0),
        ("BHD", 3), ("KWD", 3), ("TND", 3), ("JOD", 3), ("OMR", 3), ("IQD", 3), ("LYD", 3),
        ("CLF", 4), ("UYW", 4),
    ],
)  # fmt: skip
def test_well_known_exponents(code, exponent):
    assert EXPONENTS[code] == exponent


@pytest.mark.parametrize("code", ["HRK", "BGN", "DEM", "CUC", "SLL", "ZWL", "ANG"])
def test_withdrawn_currencies_are_gone(code):
    assert code not in EXPONENTS


def test_the_module_names_its_source_and_date():
    text = (PACKAGE / "domain/_currencies.py").read_text(encoding="utf-8")

    assert re.search(r"iso4217 \d+\.\d+\.\d{8} \(public domain\)", text)
    assert iso4217.__published__.isoformat() in text


def test_no_module_of_the_package_imports_the_source():
    importing = [
        path
        for path in PACKAGE.rglob("*.py")
        if re.search(r"^\s*(import|from) iso4217", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]

    assert importing == []


def test_cldr_agrees_but_for_subunits_that_nobody_uses():
    numbers = pytest.importorskip("babel.numbers")
    differing = {
        code: numbers.get_currency_precision(code)
        for code, exponent in EXPONENTS.items()
        if numbers.get_currency_precision(code) != exponent
    }

    assert differing == dict.fromkeys(NOT_DISPLAYED, 0)
