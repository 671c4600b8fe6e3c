"""The core speaks no provider's language: their names stand in their own folders alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import payport

PACKAGE = Path(payport.__file__).parent
#: Where a provider may be named, and why.
ALLOWED = {
    ("providers", "stripe"): "the adapter: all that payport knows of it",
    ("providers", "adyen"): "the adapter: all that payport knows of it",
    ("testing",): "simulators of processors, and the fake that behaves like them",
}
#: Words that only look like a provider's name, and where they are from.
WORDS = {
    "magstripe": "a track of a card, which must never be stored",
    "magneticstripe": "the same",
}
NAMES = re.compile(r"stripe|adyen|paypal|(?<![a-z])(?:pi|ch)_|pspReference", re.IGNORECASE)


def core_files() -> list[Path]:
    """Every file of the package but those in the folders above: docstrings and comments too."""
    return [
        path
        for path in sorted(PACKAGE.rglob("*"))
        if path.is_file()
        and "__pycache__" not in path.parts
        and not any(
            path.relative_to(PACKAGE).parts[: len(allowed)] == allowed for allowed in ALLOWED
        )
    ]


def named_in(text: str) -> list[str]:
    for word in WORDS:
        text = re.sub(word, "", text, flags=re.IGNORECASE)
    return NAMES.findall(text)


@pytest.mark.parametrize("path", core_files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_provider_is_named(path: Path) -> None:
    assert named_in(str(path.relative_to(PACKAGE))) == []
    assert named_in(path.read_text(encoding="utf-8")) == []


def test_no_adapter_names_another() -> None:
    for own, others in (("stripe", ["adyen"]), ("adyen", ["stripe"])):
        files = list((PACKAGE / "providers" / own).rglob("*.py"))
        text = "".join(path.read_text(encoding="utf-8") for path in files).lower()
        assert own in text
        assert [other for other in others if other in text] == []


def test_adyens_adapter_is_no_larger_than_the_operations_want() -> None:
    """At most a third larger than Stripe's, which does as much and reads and lists as well."""
    lines = {
        name: sum(
            len(path.read_text(encoding="utf-8").splitlines())
            for path in (PACKAGE / "providers" / name).rglob("*.py")
        )
        for name in ("stripe", "adyen")
    }
    assert lines["adyen"] <= 1.3 * lines["stripe"]


@pytest.mark.parametrize(
    "text", ["Stripe's", "STRIPE_API_KEY", "for_adyen", "import stripe", "pi_123", "PayPal"]
)
def test_a_name_is_found_however_it_is_written(text: str) -> None:
    assert named_in(f"a line with {text} in it") != []


def test_whatever_is_allowed_is_there_and_is_needed() -> None:
    for allowed in ALLOWED:
        files = list(PACKAGE.joinpath(*allowed).rglob("*.py"))
        assert any(named_in(path.read_text(encoding="utf-8")) for path in files), allowed
    text = "".join(path.read_text(encoding="utf-8") for path in core_files()).lower()
    assert [word for word in WORDS if word not in text] == []
