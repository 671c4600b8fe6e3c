"""
What every provider promises, as tests: subclass `ProviderContract`, give it a harness, run pytest.

    class TestMyProvider(ProviderContract):
        lacks = {Capability.FIND: "it has no search"}

        @pytest.fixture
        def harness(self):
            with MyHarness() as harness:
                yield harness

A harness puts the provider in front of a `payport.testing.Bank`, whose books are the judge; see
`Harness`, and `FakeHarness` for one that is complete. What is listed in `lacks` must not be
declared and has to be refused before anything is sent; everything else has to work. An async
provider is tested through `payport.testing.blocking.Blocking`. Nothing here asks which provider it
is. A red check says beneath its failure what to do.
"""

from __future__ import annotations

from payport.testing._provider_contract.advice import advised
from payport.testing._provider_contract.captures import CaptureChecks
from payport.testing._provider_contract.declarations import DeclarationChecks
from payport.testing._provider_contract.doubts import DoubtChecks
from payport.testing._provider_contract.events import EventChecks
from payport.testing._provider_contract.fake_harness import FakeHarness
from payport.testing._provider_contract.forgeries import ForgeryChecks
from payport.testing._provider_contract.harness import Harness, Rig, Sent
from payport.testing._provider_contract.hints import HintChecks
from payport.testing._provider_contract.idempotency import IdempotencyChecks
from payport.testing._provider_contract.listings import ListingChecks
from payport.testing._provider_contract.merchant import Merchant
from payport.testing._provider_contract.money import MoneyChecks
from payport.testing._provider_contract.payments import PaymentChecks
from payport.testing._provider_contract.refunds import RefundChecks
from payport.testing._provider_contract.secrecy import SecrecyChecks
from payport.testing._provider_contract.sending import SendingChecks
from payport.testing._provider_contract.webhooks import WebhookChecks

__all__ = ["FakeHarness", "Harness", "Merchant", "ProviderContract", "Rig", "Sent"]


@advised
class ProviderContract(
    DeclarationChecks,
    PaymentChecks,
    CaptureChecks,
    RefundChecks,
    ListingChecks,
    IdempotencyChecks,
    DoubtChecks,
    SendingChecks,
    WebhookChecks,
    EventChecks,
    ForgeryChecks,
    HintChecks,
    MoneyChecks,
    SecrecyChecks,
):
    """The promises of a provider, one check each, every one at a bank of its own."""
