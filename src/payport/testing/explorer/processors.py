"""
Which processor a world stands in front of: four kinds of the fake, Stripe's and Adyen's wire.

A processor is whatever a `Harness` of `payport.testing.provider_contract` is: whoever has one for
the contract has one for the explorer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from payport.testing._provider_contract.fake_harness import FakeHarness
from payport.testing._provider_contract.harness import Rig
from payport.testing.bank.behaviour import (
    adyen_like,
    keyless,
    redirecting,
    stripe_like,
)

if TYPE_CHECKING:
    from payport.providers.deliveries import WebhookRequest
    from payport.testing.bank.bank import Bank
    from payport.testing.clock import FakeClock

__all__ = ["PROFILES", "MakeProcessor", "Processor"]


class Processor(Protocol):
    """As much of a `Harness` as the explorer needs."""

    bank: Bank
    clock: FakeClock

    def make(self) -> Rig:
        """A new provider in front of the bank, blocking, with a script of its own."""
        ...

    def webhooks(self) -> Sequence[WebhookRequest]:
        """Take the webhooks that the bank sent since the last call."""
        ...

    def sign(self, body: bytes) -> WebhookRequest:
        """A webhook with this body, signed now: what is delivered again is signed again."""
        ...

    def token(self, token: str) -> str | None:
        """The provider's token for one of the bank's; None where it has nothing like it."""
        ...

    def close(self) -> None:
        """Close what was made."""
        ...


#: Makes a processor, with a bank and a clock of its own, for each world.
MakeProcessor: TypeAlias = Callable[[], Processor]

#: Cards that Stripe has nothing like.
_NOT_AT_STRIPE: Final = frozenset({"pm_card_error", "pm_card_partial", "pm_card_capture_fails"})


class _Stripe:
    """`StripeProvider` in front of a `StripeSimulator`: the official SDK, over its real wire."""

    def __init__(self) -> None:
        from payport.testing.stripe_simulator.simulator import StripeSimulator  # noqa: PLC0415

        self._simulator = StripeSimulator()
        self._made: list[Any] = []
        self.bank: Bank = self._simulator.bank
        self.clock: FakeClock = self._simulator.clock

    def make(self) -> Rig:
        """See `Processor.make`."""
        import httpx  # noqa: PLC0415 - as the SDK, only where Stripe is asked for

        from payport.providers.stripe import StripeProvider  # noqa: PLC0415

        script = self._simulator.new_script()
        client = httpx.Client(transport=self._simulator.transport(script))
        provider = StripeProvider(
            api_key="sk_test_of_the_explorer",
            webhook_secrets=self.bank.signing_secrets,
            multicapture=True,
            http_client=client,
        )
        self._made += provider, client
        return Rig(provider=provider, subject=provider, script=script, sent=())

    def webhooks(self) -> Sequence[WebhookRequest]:
        """See `Processor.webhooks`."""
        return self._simulator.webhooks()

    def sign(self, body: bytes) -> WebhookRequest:
        """See `Processor.sign`."""
        from payport.providers.deliveries import WebhookRequest  # noqa: PLC0415
        from payport.testing.stripe_simulator.outbox import (  # noqa: PLC0415
            SIGNATURE_HEADER,
            WEBHOOK_URL,
            signature,
        )

        at = str(int(self.clock.now().timestamp()))
        signed = [f"v1={signature(s.reveal(), at, body)}" for s in self.bank.signing_secrets]
        headers = {SIGNATURE_HEADER: ",".join([f"t={at}", *signed])}
        return WebhookRequest(body=body, headers=headers, url=WEBHOOK_URL)

    def token(self, token: str) -> str | None:
        """See `Processor.token`."""
        return None if token in _NOT_AT_STRIPE else token

    def close(self) -> None:
        """See `Processor.close`."""
        for made in self._made:
            made.close()


class _Adyen:
    """`AdyenProvider` in front of an `AdyenSimulator`, over its real wire."""

    def __init__(self) -> None:
        from payport.testing.adyen_simulator.simulator import AdyenSimulator  # noqa: PLC0415

        self._simulator = AdyenSimulator(several_captures=True)
        self._made: list[Any] = []
        self.bank: Bank = self._simulator.bank
        self.clock: FakeClock = self._simulator.clock

    def make(self) -> Rig:
        """See `Processor.make`."""
        import httpx  # noqa: PLC0415 - only where Adyen is asked for

        from payport.providers.adyen import AdyenProvider  # noqa: PLC0415
        from payport.testing.adyen_simulator import MERCHANT_ACCOUNT  # noqa: PLC0415

        script = self._simulator.new_script()
        client = httpx.Client(transport=self._simulator.transport(script))
        provider = AdyenProvider(
            api_key="the_explorers_api_key",
            merchant_account=MERCHANT_ACCOUNT,
            environment="test",
            webhook_secrets=self.bank.signing_secrets,
            multicapture=True,
            return_url="https://shop.invalid/back",
            http_client=client,
        )
        self._made += provider, client
        return Rig(provider=provider, subject=provider, script=script, sent=())

    def webhooks(self) -> Sequence[WebhookRequest]:
        """See `Processor.webhooks`."""
        return self._simulator.webhooks()

    def sign(self, body: bytes) -> WebhookRequest:
        """See `Processor.sign`. The signatures are in the body, and are for ever."""
        from payport.providers.deliveries import WebhookRequest  # noqa: PLC0415

        return WebhookRequest(body=body, headers={})

    def token(self, token: str) -> str | None:
        """See `Processor.token`."""
        return token.replace("_", "").upper()

    def close(self) -> None:
        """See `Processor.close`."""
        for made in self._made:
            made.close()


#: Stripe's keys live a day and remember errors; Adyen's a week, and nothing can be read; the other
#: two have no keys, and the last sends webhooks that prove nothing. "stripe" and "adyen" are the
#: adapters themselves.
PROFILES: Final[dict[str, MakeProcessor]] = {
    "stripe_like": lambda: FakeHarness(stripe_like()),
    "adyen_like": lambda: FakeHarness(adyen_like()),
    "keyless": lambda: FakeHarness(keyless()),
    "redirecting": lambda: FakeHarness(redirecting()),
    "stripe": _Stripe,
    "adyen": _Adyen,
}
