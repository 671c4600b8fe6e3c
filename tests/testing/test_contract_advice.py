"""A red check of the contract says what its author has to do."""

import inspect

import pytest

from payport.providers.commands import Operation
from payport.providers.spec import Capability
from payport.testing import FakeProvider, stripe_like
from payport.testing._provider_contract.advice import ADVICE, GROUPS, advice_on
from payport.testing.fake.adapter import FakeAdapter
from payport.testing.provider_contract import FakeHarness, Merchant, ProviderContract

CHECKS = {
    name.removeprefix("test_"): check.__module__
    for name, check in inspect.getmembers(ProviderContract, inspect.isfunction)
    if name.startswith("test_")
}


def test_every_check_has_advice():
    assert [name for name, module in CHECKS.items() if not advice_on(name, module)] == []


def test_no_advice_is_about_a_check_that_is_not_there():
    assert set(ADVICE) - set(CHECKS) == set()
    assert set(GROUPS) - {module.rpartition(".")[2] for module in CHECKS.values()} == set()


def test_advice_on_a_check_says_more_than_its_group():
    for name, module in CHECKS.items():
        assert ADVICE.get(name) != GROUPS[module.rpartition(".")[2]]


class Untagged(FakeAdapter):
    def _changes(self, operation, target, fields, key):
        return super()._changes(operation, target, {**fields, "tag": None}, key)


def test_a_failure_carries_its_advice_and_is_otherwise_as_it_was():
    def fake(**options):
        made = FakeProvider(**options)
        honest = made.adapter
        made.adapter = Untagged(honest.spec, honest.environment, honest._webhook_secrets)
        return made

    with FakeHarness(stripe_like(), fake) as harness, pytest.raises(AssertionError) as failed:
        ProviderContract().test_everything_that_is_made_carries_our_tag(Merchant(harness))

    assert failed.value.__notes__ == [
        f"What to do: {ADVICE['everything_that_is_made_carries_our_tag']}"
    ]


def test_a_skipped_check_is_no_failure():
    class Lacking(ProviderContract):
        lacks = dict.fromkeys(Capability, "for once")

    with FakeHarness() as harness:
        merchant = Merchant(harness)
        with pytest.raises(pytest.skip.Exception) as skipped:
            Lacking().test_absence_proves_nothing(merchant, Operation.CREATE_PAYMENT)
    assert not getattr(skipped.value, "__notes__", [])
