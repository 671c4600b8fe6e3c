"""
`StripeProvider` and `AsyncStripeProvider`: what an application constructs.

Constructing opens no connection and reads no environment; `from_env` does when it is called.
Charges are direct: made for the key's own account, or for a connected one by `for_account`.
"""

from __future__ import annotations

import os
from typing import Any, Final, Self, Unpack

import httpx

from payport.domain.errors import ConfigurationError
from payport.providers.events import AsyncEventsProvider, SyncEventsProvider
from payport.providers.listings import AsyncListingProvider, SyncListingProvider
from payport.providers.stripe.adapter import StripeAdapter
from payport.providers.stripe.flight import silence_telemetry
from payport.providers.stripe.settings import Options, Settings, settings_for, settings_from
from payport.providers.stripe.transport import AsyncStripeSend, StripeSend

__all__ = ["AsyncStripeProvider", "StripeProvider"]

API_KEY_VARIABLE: Final = "STRIPE_API_KEY"
WEBHOOK_SECRETS_VARIABLE: Final = "STRIPE_WEBHOOK_SECRETS"


class StripeProvider(SyncListingProvider[StripeAdapter], SyncEventsProvider[StripeAdapter]):
    """
    Stripe, blocking. A `PaymentProvider` that `ListsPayments`, safe to share between threads.

    Constructing one turns the SDK's telemetry off in this process: it would write an id to the home
    directory, and the SDK has no switch for a single client.

    Args:
        api_key: The secret or restricted key of the account; a test key takes play money.
        webhook_secrets: The endpoint's signing secrets; while one is replaced, both. Needed to
            receive webhooks, and for nothing else.
        account: A connected account that every request is made for.
        base_url: Another address than Stripe's: https, or http on this machine for a simulator.
        timeout: Seconds that a request may take at most.
        http_client: Used instead of a client of its own, and never closed.
        multicapture: Whether held payments are to be captured several times. Stripe refuses them on
            accounts that may not: https://docs.stripe.com/payments/multicapture

    Raises:
        ConfigurationError: Something of this cannot work, or is not safe. Repeats no key.
    """

    def __init__(
        self, *, http_client: httpx.Client | None = None, **given: Unpack[Options]
    ) -> None:
        settings = _raised(settings_from(given), http_client, httpx.Client)
        silence_telemetry()
        super().__init__(StripeAdapter(settings), StripeSend(settings, http_client))
        self._owns = True

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """
        A provider from STRIPE_API_KEY and STRIPE_WEBHOOK_SECRETS, several of which are separated by
        commas. Both are read now, and never again.

        Args:
            options: Everything else that the constructor takes.

        Raises:
            ConfigurationError: STRIPE_API_KEY is not set, or something cannot work.
        """
        return cls(**_environment(options))

    def for_account(self, account: str) -> Self:
        """
        The same provider for a connected account, by the same connections: closing it leaves them
        open, closing this one closes them.

        Raises:
            ConfigurationError: It is no account's id.
        """
        other = object.__new__(type(self))
        adapter = StripeAdapter(settings_for(self.adapter.settings, account))
        super(StripeProvider, other).__init__(adapter, self._send)
        other._owns = False
        return other

    def close(self) -> None:
        """Close the connections that this provider opened itself. Calling it again does nothing."""
        if self._owns:
            super().close()


class AsyncStripeProvider(AsyncListingProvider[StripeAdapter], AsyncEventsProvider[StripeAdapter]):
    """
    Stripe, awaited. An `AsyncPaymentProvider`. See `StripeProvider`.

    Where `payport[aiohttp]` is installed, its own client is httpx's on aiohttp's connections, which
    costs a quarter where many requests wait at once. It is no less an `httpx.AsyncClient`: a test
    replaces it with `respx.mock(using="httpx")`, not with respx's default, which looks for httpx's
    own connections. Pass `http_client=httpx.AsyncClient()` to go by those.
    """

    def __init__(
        self, *, http_client: httpx.AsyncClient | None = None, **given: Unpack[Options]
    ) -> None:
        settings = _raised(settings_from(given), http_client, httpx.AsyncClient)
        silence_telemetry()
        super().__init__(StripeAdapter(settings), AsyncStripeSend(settings, http_client))
        self._owns = True

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """See `StripeProvider.from_env`."""
        return cls(**_environment(options))

    def for_account(self, account: str) -> Self:
        """See `StripeProvider.for_account`."""
        other = object.__new__(type(self))
        adapter = StripeAdapter(settings_for(self.adapter.settings, account))
        super(AsyncStripeProvider, other).__init__(adapter, self._send)
        other._owns = False
        return other

    async def aclose(self) -> None:
        """See `StripeProvider.close`."""
        if self._owns:
            await super().aclose()


def _environment(options: dict[str, Any]) -> dict[str, Any]:
    """What the constructor is called with; nothing of it stays in a frame that may raise."""
    secrets = os.environ.get(WEBHOOK_SECRETS_VARIABLE, "").split(",")
    read: dict[str, Any] = {"webhook_secrets": [one.strip() for one in secrets if one.strip()]}
    if API_KEY_VARIABLE not in os.environ and "api_key" not in options:
        del secrets, read
        message = f"set {API_KEY_VARIABLE} to the secret or restricted key of your Stripe account"
        raise ConfigurationError(message, operation="from_env", field="api_key")
    read["api_key"] = os.environ.get(API_KEY_VARIABLE)
    return {**read, **options}


def _raised(settings: Settings | Exception, given: object, wanted: type) -> Settings:
    """The settings. Raises ConfigurationError, also for a client of another kind."""
    if isinstance(settings, Exception):
        raise settings
    if given is not None and not isinstance(given, wanted):
        message = f"must be an httpx.{wanted.__name__}, not {type(given).__name__}"
        raise ConfigurationError(message, operation="StripeProvider", field="http_client")
    return settings
