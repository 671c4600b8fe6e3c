"""The fake is a provider like any other: both colours keep the contract in every behaviour."""

from collections.abc import Iterator

import pytest

from payport.providers.spec import Capability
from payport.testing import (
    AsyncFakeProvider,
    FakeProvider,
    adyen_like,
    keyless,
    redirecting,
    stripe_like,
)
from payport.testing.provider_contract import FakeHarness, Harness, ProviderContract

ACKNOWLEDGING = {
    Capability.CREATE_UNCONFIRMED: "nothing exists before the confirmation",
    Capability.RECONFIRM: "a declined payment is over",
    Capability.RETRIEVE_PAYMENT: "payments cannot be read",
    Capability.RETRIEVE_REFUND: "refunds cannot be read",
    Capability.FIND: "there is no search",
    Capability.LIST_PAYMENTS: "payments cannot be listed",
    Capability.LIST_REFUNDS: "refunds cannot be listed",
    Capability.LIST_EVENTS: "what was told is not kept",
    Capability.RETRIEVE_SUBJECT: "nothing can be read",
}


REDIRECTING = {
    Capability.CREATE_UNCONFIRMED: "what is made has a page at once",
    Capability.RECONFIRM: "a declined page is closed",
    Capability.MANUAL_CAPTURE: "what is paid is taken",
    Capability.PARTIAL_CAPTURE: "what is paid is taken",
    Capability.MULTIPLE_CAPTURES: "what is paid is taken",
    Capability.CANCEL: "a page closes by itself",
    Capability.OFF_SESSION: "nobody pays on a page who is absent",
    Capability.PAYOUTS: "hints are about payments",
    Capability.LIST_EVENTS: "what was told is gone",
    Capability.RETRIEVE_SUBJECT: "nothing but payments can be read",
    Capability.SAVE_PAYMENT_METHOD: "nothing is saved",
}


class TestFakeLikeStripe(ProviderContract):
    @pytest.fixture
    def harness(self) -> Iterator[Harness]:
        with FakeHarness(stripe_like(), FakeProvider) as harness:
            yield harness


class TestFakeLikeAdyen(ProviderContract):
    lacks = ACKNOWLEDGING

    @pytest.fixture
    def harness(self) -> Iterator[Harness]:
        with FakeHarness(adyen_like(), FakeProvider) as harness:
            yield harness


class TestFakeWithoutKeys(ProviderContract):
    @pytest.fixture
    def harness(self) -> Iterator[Harness]:
        with FakeHarness(keyless(), FakeProvider) as harness:
            yield harness


class TestAsyncFakeLikeStripe(ProviderContract):
    @pytest.fixture
    def harness(self) -> Iterator[Harness]:
        with FakeHarness(stripe_like(), AsyncFakeProvider) as harness:
            yield harness


class TestAsyncFakeLikeAdyen(ProviderContract):
    lacks = ACKNOWLEDGING

    @pytest.fixture
    def harness(self) -> Iterator[Harness]:
        with FakeHarness(adyen_like(), AsyncFakeProvider) as harness:
            yield harness


class TestAsyncFakeWithoutKeys(ProviderContract):
    @pytest.fixture
    def harness(self) -> Iterator[Harness]:
        with FakeHarness(keyless(), AsyncFakeProvider) as harness:
            yield harness


class TestRedirectingFake(ProviderContract):
    lacks = REDIRECTING

    @pytest.fixture
    def harness(self) -> Iterator[Harness]:
        with FakeHarness(redirecting(), FakeProvider) as harness:
            yield harness


class TestAsyncRedirectingFake(ProviderContract):
    lacks = REDIRECTING

    @pytest.fixture
    def harness(self) -> Iterator[Harness]:
        with FakeHarness(redirecting(), AsyncFakeProvider) as harness:
            yield harness
