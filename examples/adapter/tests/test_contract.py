"""Tollgate keeps payport's contract for providers, in both colours."""

from collections.abc import Iterator

import pytest
from payport_tollgate.testing.harness import AsyncTollgateHarness, TollgateHarness

from payport.providers.spec import Capability
from payport.testing.provider_contract import Harness, ProviderContract

LACKS = {
    Capability.CREATE_UNCONFIRMED: "an order has its page at once",
    Capability.RECONFIRM: "a page whose customer was declined is closed",
    Capability.MANUAL_CAPTURE: "what is paid is taken",
    Capability.PARTIAL_CAPTURE: "what is paid is taken",
    Capability.MULTIPLE_CAPTURES: "what is paid is taken",
    Capability.CANCEL: "a page closes by itself after an hour",
    Capability.RETRIEVE_REFUND: "a refund stands on its order",
    Capability.LIST_PAYMENTS: "orders are found one by one",
    Capability.LIST_REFUNDS: "they stand on the order, and are read with it",
    Capability.PAYOUTS: "what is paid out is told in a file at night",
    Capability.LIST_EVENTS: "what was told cannot be asked for again",
    Capability.RETRIEVE_SUBJECT: "there is nothing to be read but orders",
    Capability.OFF_SESSION: "somebody has to be there to pay on a page",
    Capability.SAVE_PAYMENT_METHOD: "Tollgate keeps no cards",
}


class TestTollgate(ProviderContract):
    lacks = LACKS

    @pytest.fixture
    def harness(self) -> Iterator[Harness]:
        with TollgateHarness() as harness:
            yield harness


class TestAsyncTollgate(ProviderContract):
    lacks = LACKS

    @pytest.fixture
    def harness(self) -> Iterator[Harness]:
        with AsyncTollgateHarness() as harness:
            yield harness
