"""
The fake: a provider like any other, in front of an in-memory bank, with no set-up at all.

    fake = FakeProvider()
    fake.next("create_payment", LostResponse())      # script what goes wrong
    fake.bank.charged("order_12345")                 # ask what really moved
    fake.deliver(pay)                                # carry the webhooks

It moves no money and opens no connection; it answers by the bank's rules and the script alone. Two
fakes in front of one bank behave as two processes would: `FakeProvider(bank=other.bank)`.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, Protocol

from payport.domain.errors import ConfigurationError, WebhookRejected
from payport.domain.identifiers import Environment
from payport.domain.secrets import Secret
from payport.operations.clock import Clock
from payport.providers.deliveries import WebhookRequest
from payport.providers.events import AsyncEventsProvider, SyncEventsProvider
from payport.providers.listings import AsyncListingProvider, SyncListingProvider
from payport.providers.webhook_secrets import WebhookSecret
from payport.testing.bank.bank import Bank
from payport.testing.bank.behaviour import Behaviour, stripe_like
from payport.testing.clock import FakeClock
from payport.testing.fake.adapter import FakeAdapter
from payport.testing.fake.outbox import API_VERSION
from payport.testing.fake.server import FakeServer
from payport.testing.fake.wire import AsyncFakeWire, FakeWire
from payport.testing.script import Asked, Script, Scripted

__all__ = ["AsyncFakeProvider", "FakeProvider"]

ACCOUNT: Final = "acct_fake"
#: What can be scripted of a fake beside the operations that every provider has.
LISTINGS: Final = ("list_payments", "list_refunds", "list_events", "retrieve_subject")
API_KEY: Final = "fake_key_0001"


class _Webhooks(Protocol):
    """What `deliver` uses of a client's webhooks, in either colour."""

    @property
    def receive(self) -> Callable[..., object]: ...
    @property
    def process_due(self) -> Callable[..., object]: ...


class Receives(Protocol):
    """A `Payport`, as far as the fake is concerned."""

    @property
    def webhooks(self) -> _Webhooks:
        """Its webhooks."""
        ...


class _AsyncWebhooks(Protocol):
    @property
    def receive(self) -> Callable[..., Awaitable[object]]: ...
    @property
    def process_due(self) -> Callable[..., Awaitable[object]]: ...


class AsyncReceives(Protocol):
    """An `AsyncPayport`, as far as the fake is concerned."""

    @property
    def webhooks(self) -> _AsyncWebhooks:
        """Its webhooks."""
        ...


class _Setup:
    """What both colours are made of, checked."""

    def __init__(
        self,
        *,
        behaviour: Behaviour | None,
        bank: Bank | None,
        clock: Clock | None,
        environment: Environment | None,
        account: str | None,
        webhook_secrets: Sequence[str | Secret | WebhookSecret] | None,
        api_key: str | Secret,
        name: str | None,
    ) -> None:
        secrets = _secrets(webhook_secrets)
        if name is not None:
            behaviour = replace(
                bank.behaviour if bank else behaviour or stripe_like(), provider=name
            )
        if bank is not None:
            _check_agrees(bank, behaviour, clock, environment, account)
        else:
            bank = Bank(
                behaviour=behaviour,
                clock=clock,
                account=account or ACCOUNT,
                environment=environment or Environment.TEST,
                first_number=_first_number(name),
            )
            if secrets is not None:
                bank.sign_with(*[Secret(one.reveal()) for one in secrets])
        self.bank = bank
        self.script = Script(more=LISTINGS)
        self.server = bank.face(FakeServer)
        self.api_key = api_key if isinstance(api_key, Secret) else Secret(api_key)
        self.adapter = FakeAdapter(
            bank.behaviour.spec,
            bank.environment,
            tuple(map(WebhookSecret, bank.signing_secrets)) if secrets is None else secrets,
        )


def _first_number(name: str | None) -> int:
    """Where a bank begins to count, so that the ids of two banks differ as those of processors."""
    return 1 if name is None else 1 + (zlib.crc32(name.encode()) % 90_000 + 10_000) * 1_000_000


def _secrets(
    given: Sequence[str | Secret | WebhookSecret] | None,
) -> tuple[WebhookSecret, ...] | None:
    if given is None:
        return None
    if isinstance(given, str | Secret | WebhookSecret):
        message = "pass a list of secrets, so that one can be replaced: ['whsec_...']"
        raise ConfigurationError(message, operation="FakeProvider", field="webhook_secrets")
    return tuple(one if isinstance(one, WebhookSecret) else WebhookSecret(one) for one in given)


def _check_agrees(
    bank: Bank,
    behaviour: Behaviour | None,
    clock: Clock | None,
    environment: Environment | None,
    account: str | None,
) -> None:
    asked = {
        "behaviour": (behaviour, bank.behaviour),
        "clock": (clock, bank.clock),
        "environment": (environment, bank.environment),
        "account": (account, bank.account),
    }
    for field, (wanted, has) in asked.items():
        if wanted is not None and wanted != has:
            message = "the bank that was passed has another one. Leave it out, or pass no bank."
            raise ConfigurationError(message, operation="FakeProvider", field=field)


class _Controls:
    """What a test does with a fake of either colour."""

    _setup: _Setup

    @property
    def bank(self) -> Bank:
        """The bank behind it: what it holds, and what happens out there."""
        return self._setup.bank

    @property
    def clock(self) -> FakeClock:
        """
        The bank's clock, for a test to advance.

        Raises:
            ConfigurationError: A clock was passed that nobody can advance.
        """
        clock = self._setup.bank.clock
        if not isinstance(clock, FakeClock):
            message = "the clock that was passed is no FakeClock. Pass one, or none, to move time."
            raise ConfigurationError(message, operation="FakeProvider", field="clock")
        return clock

    @property
    def script(self) -> Script:
        """What is scripted for this provider object's requests."""
        return self._setup.script

    def next(self, operation: str, *scripted: Scripted) -> None:
        """Script the next requests of an operation, one each; see `Script.next`."""
        self._setup.script.next(operation, *scripted)

    def decide(self, function: Callable[[Asked], Scripted]) -> None:
        """Have a function decide about every request; see `Script.decide`."""
        self._setup.script.decide(function)

    def revoke_key(self) -> None:
        """Make the bank answer 401 to this provider's API key from now on."""
        self._setup.server.revoke(self._setup.api_key)

    def webhooks(
        self, *, duplicate: int = 0, shuffle: int | None = None, api_version: str = API_VERSION
    ) -> list[WebhookRequest]:
        """
        Take the bank's pending webhooks, signed now, to deliver them yourself.

        Args:
            duplicate: How many more times each is delivered.
            shuffle: A seed: the order is then any; None for the order in which things happened.
            api_version: What they say their version is.
        """
        outbox = self._setup.server.outbox
        return outbox.take(duplicate=duplicate, shuffle=shuffle, api_version=api_version)

    @contextmanager
    def _unknown_left_out(self) -> Generator[None]:
        try:
            yield
        except WebhookRejected as rejected:
            if self.bank.behaviour.signs_webhooks or rejected.status != _UNKNOWN:
                raise


#: What a hint of something unknown is answered.
_UNKNOWN: Final = 404


class FakeProvider(_Controls, SyncListingProvider[FakeAdapter], SyncEventsProvider[FakeAdapter]):
    """
    The fake, blocking. A `PaymentProvider` that `ListsPayments`.

    Args:
        behaviour: What kind of processor it is: `stripe_like()` unless told, `adyen_like()`,
            `keyless()`, `redirecting()` or one of your own.
        bank: A bank to stand in front of; one of its own unless passed.
        clock: The bank's clock; a `FakeClock` unless passed.
        environment: `Environment.TEST` unless told.
        account: The account at the bank.
        webhook_secrets: Webhooks signed with any of these are accepted; the bank signs with all of
            them unless `bank` was passed.
        api_key: What it identifies itself with.
        name: What it is called among several, `fake` unless told. Each name has ids of its own.

    Raises:
        ConfigurationError: What was passed beside `bank` is not the bank's, or a secret is blank.
    """

    def __init__(
        self,
        *,
        behaviour: Behaviour | None = None,
        bank: Bank | None = None,
        clock: Clock | None = None,
        environment: Environment | None = None,
        account: str | None = None,
        webhook_secrets: Sequence[str | Secret | WebhookSecret] | None = None,
        api_key: str | Secret = API_KEY,
        name: str | None = None,
    ) -> None:
        self._setup = setup = _Setup(
            behaviour=behaviour,
            bank=bank,
            clock=clock,
            environment=environment,
            account=account,
            webhook_secrets=webhook_secrets,
            api_key=api_key,
            name=name,
        )
        super().__init__(setup.adapter, FakeWire(setup.server, setup.script, setup.api_key))

    def deliver(self, pay: Receives, *, duplicate: int = 0, shuffle: int | None = None) -> int:
        """
        Carry the bank's webhooks to a client and have them processed, until there are none left.

        What is not signed is refused where the client does not know the object, and is gone then.

        Args:
            duplicate: How many more times each is delivered.
            shuffle: A seed: the order is then any.

        Returns:
            How many requests were delivered.
        """
        delivered = 0
        while requests := self.webhooks(duplicate=duplicate, shuffle=shuffle):
            for request in requests:
                with self._unknown_left_out():
                    pay.webhooks.receive(
                        body=request.body,
                        headers=request.headers,
                        url=request.url,
                        provider=self.spec.name,
                    )
            pay.webhooks.process_due()
            delivered += len(requests)
        return delivered


class AsyncFakeProvider(
    _Controls, AsyncListingProvider[FakeAdapter], AsyncEventsProvider[FakeAdapter]
):
    """The fake, awaited. An `AsyncPaymentProvider`. See `FakeProvider`."""

    def __init__(
        self,
        *,
        behaviour: Behaviour | None = None,
        bank: Bank | None = None,
        clock: Clock | None = None,
        environment: Environment | None = None,
        account: str | None = None,
        webhook_secrets: Sequence[str | Secret | WebhookSecret] | None = None,
        api_key: str | Secret = API_KEY,
        name: str | None = None,
    ) -> None:
        self._setup = setup = _Setup(
            behaviour=behaviour,
            bank=bank,
            clock=clock,
            environment=environment,
            account=account,
            webhook_secrets=webhook_secrets,
            api_key=api_key,
            name=name,
        )
        super().__init__(setup.adapter, AsyncFakeWire(setup.server, setup.script, setup.api_key))

    async def deliver(
        self, pay: AsyncReceives, *, duplicate: int = 0, shuffle: int | None = None
    ) -> int:
        """See `FakeProvider.deliver`."""
        delivered = 0
        while requests := self.webhooks(duplicate=duplicate, shuffle=shuffle):
            for request in requests:
                with self._unknown_left_out():
                    await pay.webhooks.receive(
                        body=request.body,
                        headers=request.headers,
                        url=request.url,
                        provider=self.spec.name,
                    )
            await pay.webhooks.process_due()
            delivered += len(requests)
        return delivered
