"""The Adyen adapter keeps the contract in both colours, in front of the simulator."""

from collections.abc import Iterator

import pytest
from adyen_help import AdyenHarness

from payport.providers.adyen import AdyenProvider, AsyncAdyenProvider
from payport.providers.spec import Capability
from payport.testing.provider_contract import Harness, ProviderContract

LACKS = {
    Capability.CREATE_UNCONFIRMED: "nothing is at Adyen before the first confirmation",
    Capability.RECONFIRM: "a refused payment is over, and another try is another payment",
    Capability.RETRIEVE_PAYMENT: "no request reads a payment",
    Capability.RETRIEVE_REFUND: "no request reads a refund",
    Capability.FIND: "there is no search",
    Capability.LIST_PAYMENTS: "no request lists payments",
    Capability.LIST_REFUNDS: "no request lists refunds",
    Capability.LIST_EVENTS: "no request lists webhooks",
    Capability.PAYOUTS: "payouts are told by reports",
    Capability.RETRIEVE_SUBJECT: "no request reads a payout",
}


IN_PARTS = LACKS | {
    Capability.PARTIAL_CAPTURE: "with several captures allowed, none releases what it leaves"
}


class TestAdyen(ProviderContract):
    lacks = IN_PARTS

    @pytest.fixture
    def harness(self) -> Iterator[Harness]:
        with AdyenHarness(AdyenProvider) as harness:
            yield harness


class TestAsyncAdyen(ProviderContract):
    lacks = IN_PARTS

    @pytest.fixture
    def harness(self) -> Iterator[Harness]:
        with AdyenHarness(AsyncAdyenProvider) as harness:
            yield harness


class TestAdyenAsItComes(ProviderContract):
    lacks = LACKS | {Capability.MULTIPLE_CAPTURES: "Adyen has to turn it on for the account"}

    @pytest.fixture
    def harness(self) -> Iterator[Harness]:
        with AdyenHarness(AdyenProvider, multicapture=False) as harness:
            yield harness
