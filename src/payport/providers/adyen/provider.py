"""
`AdyenProvider` and `AsyncAdyenProvider`: what an application constructs.

Constructing opens no connection and reads no environment; `from_env` does when it is called.
"""

from __future__ import annotations

import os
from typing import Any, Final, Self, Unpack

import httpx

from payport.domain.errors import ConfigurationError
from payport.providers.adyen.adapter import AdyenAdapter
from payport.providers.adyen.settings import Options, Settings, settings_from
from payport.providers.adyen.transport import AdyenSend, AsyncAdyenSend
from payport.providers.base import AsyncProvider, SyncProvider

__all__ = ["VARIABLES", "AdyenProvider", "AsyncAdyenProvider"]

#: Where `from_env` finds what the constructor takes.
VARIABLES: Final = {
    "api_key": "ADYEN_API_KEY",
    "merchant_account": "ADYEN_MERCHANT_ACCOUNT",
    "environment": "ADYEN_ENVIRONMENT",
    "live_url_prefix": "ADYEN_LIVE_URL_PREFIX",
    "region": "ADYEN_REGION",
    "webhook_secrets": "ADYEN_HMAC_KEYS",
}
_NEEDED: Final = ("api_key", "merchant_account", "environment")


class AdyenProvider(SyncProvider[AdyenAdapter]):
    """
    Adyen, blocking. A `PaymentProvider`, safe to share between threads.

    Args:
        api_key: The key of an API credential that may use the merchant account.
        merchant_account: The name of the merchant account that takes the payments.
        environment: `test` or `live`: an Adyen key does not say which it is for.
        live_url_prefix: The company's own part of the live address; for live alone.
        region: Where the company's payments are processed; a part of the account's identity.
        webhook_secrets: The webhook's HMAC keys, in hexadecimal; while one is replaced, both.
            Needed to receive webhooks, and for nothing else.
        base_url: Another address than Adyen's: https, or http on this machine for a simulator.
        timeout: Seconds that a request may take at most.
        http_client: Used instead of a client of its own, and never closed.
        multicapture: Whether Adyen turned multiple partial captures on for the account.
        cancel_lost: Whether a payment whose answer was lost may be canceled by its reference,
            which is the application's policy to decide: a payment that may have succeeded is ended.
        native_3ds: Whether customers authenticate in the shop's own page, by Adyen's code there,
            and not on another one; for cards whose `browserInfo` the browser sent along.
        recurring_model: What absent customers are charged for and methods saved for:
            `UnscheduledCardOnFile`, `Subscription` or `CardOnFile`.
        return_url: Where customers come back to, where a payment does not say it.

    Raises:
        ConfigurationError: Something of this cannot work, or is not safe. Repeats no key.
    """

    def __init__(
        self, *, http_client: httpx.Client | None = None, **given: Unpack[Options]
    ) -> None:
        settings = _raised(settings_from(given), http_client, httpx.Client)
        super().__init__(AdyenAdapter(settings), AdyenSend(settings, http_client))

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """
        A provider from ADYEN_API_KEY, ADYEN_MERCHANT_ACCOUNT, ADYEN_ENVIRONMENT and, where they are
        set, ADYEN_LIVE_URL_PREFIX, ADYEN_REGION and ADYEN_HMAC_KEYS, several of which are separated
        by commas. All are read now, and never again.

        Args:
            options: Everything else that the constructor takes.

        Raises:
            ConfigurationError: One that is needed is not set, or something cannot work.
        """
        return cls(**_environment(options))


class AsyncAdyenProvider(AsyncProvider[AdyenAdapter]):
    """Adyen, awaited. An `AsyncPaymentProvider`. See `AdyenProvider`."""

    def __init__(
        self, *, http_client: httpx.AsyncClient | None = None, **given: Unpack[Options]
    ) -> None:
        settings = _raised(settings_from(given), http_client, httpx.AsyncClient)
        super().__init__(AdyenAdapter(settings), AsyncAdyenSend(settings, http_client))

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """See `AdyenProvider.from_env`."""
        return cls(**_environment(options))


def _raised(settings: Settings | Exception, given: object, wanted: type) -> Settings:
    """The settings. Raises ConfigurationError, also for a client of another kind."""
    if isinstance(settings, Exception):
        raise settings
    if given is not None and not isinstance(given, wanted):
        message = f"must be an httpx.{wanted.__name__}, not {type(given).__name__}"
        raise ConfigurationError(message, operation="AdyenProvider", field="http_client")
    return settings


def _environment(options: dict[str, Any]) -> dict[str, Any]:
    """What the constructor is called with; nothing of it stays in a frame that may raise."""
    missing = [
        name for name in _NEEDED if VARIABLES[name] not in os.environ and name not in options
    ]
    if missing:
        message = f"set {VARIABLES[missing[0]]}: it is in Adyen's Customer Area"
        raise ConfigurationError(message, operation="from_env", field=missing[0])
    read: dict[str, Any] = {
        name: os.environ[variable] for name, variable in VARIABLES.items() if variable in os.environ
    }
    keys = read.pop("webhook_secrets", "").split(",")
    read["webhook_secrets"] = [key.strip() for key in keys if key.strip()]
    return {**read, **options}
