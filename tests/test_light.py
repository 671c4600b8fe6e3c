"""`import payport` is light, and its names are where it says."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import payport

#: An SDK, SQL toolkits, HTTP clients, and what only tests need.
HEAVY = {
    *("stripe", "sqlalchemy", "alembic", "aiosqlite", "sqlite3", "psycopg"),
    *("httpx", "aiohttp", "requests", "urllib3", "pytest", "hypothesis", "payport.testing"),
}

EVERYTHING = "; ".join(f"payport.{name}" for name in payport.__all__)
ON_MEMORY = (
    "from payport.testing import FakeProvider; "
    "from payport import Money, Payport; "
    "pay = Payport(FakeProvider()); "
    "pay.payments.create(reference='o', amount=Money(1, 'USD'), payment_method='pm_card_visa', "
    "confirm=True)"
)


@pytest.mark.parametrize("code", ["pass", EVERYTHING, ON_MEMORY])
def test_nothing_heavy_is_imported(code: str) -> None:
    heavy = HEAVY - {"payport.testing"} if code == ON_MEMORY else HEAVY
    script = f"import sys, payport; {code}; print(*sorted({heavy!r} & set(sys.modules)))"

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )

    assert done.stdout.split() == []


def test_every_public_name_is_there_and_documented() -> None:
    for name in payport.__all__:
        value = getattr(payport, name)
        if name != "NextAction":  # a union of two documented classes
            assert value.__doc__, name


def test_the_lazy_table_says_what_the_type_checkers_read() -> None:
    source = Path(payport.__file__).read_text(encoding="utf-8")
    typed = {
        alias.name: node.module
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("payport.")
        for alias in node.names
    }

    assert typed == payport._HOME_OF
    assert sorted(typed) == sorted(payport.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Stripe'"):
        payport.Stripe  # noqa: B018 - the access is the test


def test_dir_lists_the_names() -> None:
    assert set(payport.__all__) <= set(dir(payport))
