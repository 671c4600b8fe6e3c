"""The contract bites: an honest provider passes it, and each mistake turns the check for it red."""

import contextlib
import importlib
import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from mistakes import MISTAKES

from payport.testing import Behaviour, FakeProvider, stripe_like
from payport.testing.provider_contract import FakeHarness, Merchant, ProviderContract

for _module in (
    "broken_certainty",
    "broken_edges",
    "broken_effects",
    "broken_events",
    "broken_hints",
    "broken_listings",
    "broken_webhooks",
):
    importlib.import_module(_module)


class Check(NamedTuple):
    """One check of the contract with its parameters."""

    name: str
    parameters: dict[str, Any]


def checks(only: str | None = None) -> Iterator[Check]:
    for name, function in inspect.getmembers(ProviderContract, inspect.isfunction):
        if name == only or (only is None and name.startswith("test_")):
            marks = [m for m in getattr(function, "pytestmark", ()) if m.name == "parametrize"]
            for chosen in itertools.product(*map(_choices, marks)):
                yield Check(name, {key: value for one in chosen for key, value in one.items()})


def _choices(mark: pytest.Mark) -> list[dict[str, Any]]:
    names, values = mark.args
    if isinstance(names, str):
        return [{names: value} for value in values]
    return [dict(zip(names, value, strict=True)) for value in values]


def verdict(
    contract: ProviderContract, check: Check, behaviour: Behaviour, fake: Callable[..., Any]
) -> str:
    """What became of one check: passed, skipped or red."""
    method = getattr(contract, check.name)
    harness = FakeHarness(behaviour, fake)
    try:
        given = dict(check.parameters)
        if "merchant" in inspect.signature(method).parameters:
            given["merchant"] = Merchant(harness)
        method(**given)
    except pytest.skip.Exception:
        return "skipped"
    except NameError:
        raise  # a mistake in the mistake, which would turn anything red
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - whatever turns a check red
        return "red"
    finally:
        with contextlib.suppress(RuntimeError):  # one of the mistakes is to close only once
            harness.close()
    return "passed"


def test_an_honest_provider_passes_every_check_by_the_same_judge() -> None:
    told = {
        (check.name, str(check.parameters)): verdict(
            ProviderContract(), check, stripe_like(), FakeProvider
        )
        for check in checks()
    }
    assert [name for name, became in told.items() if became == "red"] == []
    assert list(told.values()).count("passed") > 500


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_turns_its_checks_red(mistake: str) -> None:
    broken = MISTAKES[mistake]
    for name in broken.red:
        became = (
            verdict(broken.contract(), check, broken.behaviour(), broken.fake)
            for check in checks(name)
        )
        assert "red" in became, f"{mistake}, and {name} does not mind"


def test_no_check_is_there_that_no_mistake_turns_red() -> None:
    listed = {name for broken in MISTAKES.values() for name in broken.red}
    assert {check.name for check in checks()} - listed == set()
