"""The core speaks no provider's language: their names stand in their own folders alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import payport

PACKAGE = Path(payport.__file__).parent
#: Where a provider may be named: its own folder, its simulator, what the command line does with
#: that, and the fake that imitates it.
ALLOWED = {("providers", "stripe"), ("providers", "adyen"), ("testing",), ("cli", "simulated")}
NAMES = re.compile(r"\b(?:stripe|adyen|paypal)|\bpi_|\bch_|\bpspReference", re.IGNORECASE)


def core_files() -> list[Path]:
    return [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if not any(
            path.relative_to(PACKAGE).parts[: len(allowed)] == allowed for allowed in ALLOWED
        )
    ]


@pytest.mark.parametrize("path", core_files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_provider_is_named(path: Path) -> None:
    found = NAMES.findall(path.read_text(encoding="utf-8"))

    assert found == []
