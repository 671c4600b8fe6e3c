"""docs/cli.md says what the commands' own help says."""

import importlib
import sys

import pytest
from clis import ROOT

from payport.cli.exits import MEANINGS, ExitCode, code_of
from payport.domain import errors


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        yield importlib.import_module("cli_docs")
    finally:
        sys.path.remove(str(ROOT / "scripts"))


@pytest.fixture
def text(script):
    return script.TARGET.read_text(encoding="utf-8")


def test_the_page_is_what_the_script_writes(script, text):
    assert script.page(text) == text, "run `make docs`"


def test_a_changed_page_is_noticed(script, text):
    changed = text.replace("Look after all scopes of the store.", "Look after nothing.")
    assert changed != text
    assert script.page(changed) == text


def test_every_command_is_on_the_page(text):
    for words in (
        *("operations list", "operations show", "operations recover", "operations resolve"),
        *("webhooks list", "webhooks show", "webhooks replay", "webhooks dead", "webhooks stats"),
        *("webhooks worker", "webhooks prune", "db upgrade", "db check", "db restored"),
        *("db acknowledge", "listen", "trigger", "providers", "doctor"),
    ):
        assert f"\n### payport {words}\n" in text


def test_every_exit_code_has_a_meaning():
    assert list(MEANINGS) == list(ExitCode)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.ConfigurationError, 2),
        (errors.InvalidTransition, 2),
        (errors.NotFound, 1),
        (errors.AuthenticationFailed, 1),
        (errors.StoreUnavailable, 4),
        (errors.StoreConflict, 4),
        (errors.ProviderUnavailable, 5),
        (errors.OutcomeUnknown, 5),
        (errors.CircuitOpen, 5),
    ],
)
def test_errors_have_the_codes_of_what_they_mean(kind, code):
    assert code_of(kind("why")) == code
