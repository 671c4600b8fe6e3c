"""What all groups of the contract have in common: the merchant, what is lacked, and operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from payport.providers.commands import Operation
from payport.providers.spec import Capability
from payport.testing._provider_contract.asking import Ask
from payport.testing._provider_contract.harness import Harness
from payport.testing._provider_contract.merchant import Merchant
from payport.testing._provider_contract.sale import Sale

__all__ = ["Checks", "each_of", "each_operation"]

#: Runs a check once for each operation that changes something.
each_operation = pytest.mark.parametrize("operation", list(Operation))


class Checks:
    """
    A group of the contract's checks.

    Attributes:
        lacks: What the provider cannot do, and why. Everything else is checked.
    """

    lacks: ClassVar[Mapping[Capability, str]] = {}

    @pytest.fixture
    def harness(self) -> Iterator[Harness]:
        """A new harness for each check; a fixture that yields it closes it as well."""
        raise NotImplementedError("Give the contract a harness: override the fixture `harness`.")

    @pytest.fixture
    def merchant(self, harness: Harness) -> Merchant:
        """A merchant with one provider at the harness's bank."""
        return Merchant(harness)

    def needs(self, *capabilities: Capability) -> None:
        """Skip the check where the provider lacks something that it is about."""
        for capability in capabilities:
            if capability in self.lacks:
                pytest.skip(f"lacks {capability}: {self.lacks[capability]}")

    def needs_signatures(self, merchant: Merchant) -> None:
        """Skip the check where webhooks prove nothing of their sender; see `HintChecks`."""
        self.needs(Capability.WEBHOOKS)
        if not merchant.spec.signs_webhooks:
            pytest.skip("the provider declares that its webhooks are not signed")

    def ready(self, operation: Operation, merchant: Merchant) -> tuple[Sale, Ask]:
        """A sale at the point where an operation can be carried out, and what asks for it."""
        sale = merchant.sale()
        match operation:
            case Operation.CREATE_PAYMENT:
                return sale, sale.creation()
            case Operation.CONFIRM_PAYMENT:
                if Capability.CREATE_UNCONFIRMED in self.lacks:
                    return sale, sale.confirmation(anew=True)
                sale.told(sale.creation(confirm=False))
                sale.catch_up()
                return sale, sale.confirmation()
            case Operation.CAPTURE_PAYMENT:
                self.needs(Capability.MANUAL_CAPTURE)
                return sale.held(), sale.taking()
            case Operation.CANCEL_PAYMENT:
                self.needs(Capability.MANUAL_CAPTURE, Capability.CANCEL)
                return sale.held(), sale.cancellation()
            case Operation.CREATE_REFUND:
                self.needs(Capability.REFUND)
                return sale.paid(), sale.refunding()


def each_of(name: str, table: Mapping[str, Any]) -> pytest.MarkDecorator:
    """Runs a check once for each value of a table, named by its key."""
    return pytest.mark.parametrize(name, list(table.values()), ids=list(table))
