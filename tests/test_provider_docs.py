"""The pages about processors tell what the adapters do, and Stripe's permissions are the least."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from payport.domain.outcomes import FailureKind
from payport.providers.adyen.declines import REFUSALS
from payport.providers.base import PaymentProvider
from payport.providers.deliveries import Statement
from payport.providers.events import EventsPage, ListsEvents, ReadsSubjects
from payport.providers.listings import FactsPage, ListsPayments
from payport.providers.outcomes import Account, Answer, Failure
from payport.providers.stripe.declines import REASONS

ROOT = Path(__file__).parent.parent
SCRIPTS = str(ROOT / "scripts")


@pytest.fixture(scope="module")
def script() -> Iterator[Any]:
    sys.path.insert(0, SCRIPTS)
    try:
        yield importlib.import_module("provider_docs")
    finally:
        sys.path.remove(SCRIPTS)


def text_of(script: Any, name: str) -> tuple[str, Any]:
    """A page, and what makes its tables."""
    (target,) = [one for one in script.TARGETS if one.stem == name]
    return target.read_text(encoding="utf-8"), script.TARGETS[target]


@pytest.fixture
def text(script: Any) -> str:
    return text_of(script, "stripe")[0]


each_page = pytest.mark.parametrize("name", ["adyen", "stripe"])


@pytest.fixture
def operations(script: Any) -> Any:
    return importlib.import_module("stripe_tables.operations")


@pytest.fixture
def scenarios(script: Any) -> Any:
    return importlib.import_module("stripe_tables.scenarios").SCENARIOS


@each_page
def test_the_page_is_what_the_script_writes(script: Any, name: str) -> None:
    text, tables = text_of(script, name)
    assert script.page(text, tables) == text, "run `make docs`"


def test_a_changed_page_is_noticed(script: Any) -> None:
    text, tables = text_of(script, "stripe")
    changed = text.replace("| `fraudulent` | `suspected_fraud` |", "| `fraudulent` | `generic` |")
    assert changed != text
    assert script.page(changed, tables) == text


@each_page
def test_every_table_has_its_place(script: Any, name: str) -> None:
    text, tables = text_of(script, name)
    places = script.places(text)
    assert sorted(places) == sorted(tables)
    assert text.count("<!-- end -->") == len(places)


def test_adyens_page_tells_every_refusal_and_every_documented_event(script: Any) -> None:
    text, _ = text_of(script, "adyen")
    data = ROOT / "tests/data/adyen/webhooks-v1-examples.json"
    documented = json.loads(data.read_text(encoding="utf-8"))
    for word in {*documented["eventCodes"], *documented["webhooks"], *REFUSALS}:
        assert f"\n| `{word}` |" in text, word


def test_the_page_tells_every_decline_and_every_event(script: Any, text: str) -> None:
    types = importlib.import_module("stripe_tables.webhooks").event_types()
    assert {"payment_intent.succeeded", "refund.failed", "charge.dispute.closed"} <= {*types}
    for word in (*types, *REASONS):
        assert text.count(f"\n| `{word}` |") >= 1, word


def test_every_operation_that_talks_to_stripe_is_on_the_page(scenarios: Any) -> None:
    methods = {
        name
        for protocol in (PaymentProvider, ListsPayments, ListsEvents, ReadsSubjects)
        for name, method in inspect.getmembers(protocol, inspect.isfunction)
        if "call" in inspect.signature(method).parameters
    }
    assert {scenario.operation for scenario in scenarios} == methods


@each_page
def test_links_within_the_page_lead_somewhere(script: Any, name: str) -> None:
    text, _ = text_of(script, name)
    heads = [line.lstrip("# ").lower() for line in text.splitlines() if line.startswith("#")]
    anchors = {re.sub(r"[^\w -]", "", head).replace(" ", "-") for head in heads}
    assert {*re.findall(r"\]\(#([\w-]+)\)", text)} <= anchors


# -- permissions ----------------------------------------------------------------------------------


def asked_for(operations: Any, scenario: Any) -> set[str]:
    """What a scenario needs, without what is included in something else."""
    needed = [operations.needed_for(request) for request in operations.sent(scenario)]
    return {*operations.least(frozenset().union(*needed))}


def outcome_with(script: Any, scenario: Any, permissions: set[str]) -> Any:
    """What becomes of a scenario with a key that is allowed no more, everything being prepared."""
    shop_of_stripe = importlib.import_module("stripe_tables.shop")
    shop = shop_of_stripe.Shop(multicapture=scenario.multicapture)
    act = scenario.prepare(shop)
    shop.simulator.restrict(shop_of_stripe.KEY, permissions)
    return act()


def test_what_the_page_says_is_enough(script: Any, operations: Any, scenarios: Any) -> None:
    for scenario in scenarios:
        allowed = asked_for(operations, scenario)
        outcome = outcome_with(script, scenario, allowed)
        fine = Answer | FactsPage | Account | EventsPage | Statement
        assert isinstance(outcome, fine), (scenario, outcome)


def test_less_than_the_page_says_is_not_enough(
    script: Any, operations: Any, scenarios: Any
) -> None:
    for scenario in scenarios:
        allowed = asked_for(operations, scenario)
        for permission in allowed:
            outcome = outcome_with(script, scenario, allowed - {permission})
            if scenario.operation == "account":
                # It is told while it is refused.
                assert isinstance(outcome, Account)
                continue
            assert isinstance(outcome, Failure), (scenario, permission)
            assert outcome.kind is FailureKind.PERMISSION


def test_the_page_has_these_permissions(operations: Any, scenarios: Any, text: str) -> None:
    for scenario in scenarios:
        (row,) = re.findall(rf"\n\| `{scenario.operation}` \| (`rak_.*?) \|", text)
        granted = {name.removeprefix("rak_") for name in re.findall(r"`(\w+)`", row)}
        missing = {
            name
            for name in asked_for(operations, scenario)
            if name not in granted and f"{name.removesuffix('_read')}_write" not in granted
        }
        assert not missing, scenario
