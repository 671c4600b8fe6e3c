"""Providers by name: an adapter that is installed, made from the environment, for a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from payport.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from payport.providers.base import AsyncPaymentProvider, PaymentProvider
    from payport.providers.plugins import Plugin
    from payport.providers.routing.router import AsyncRouter, Router

__all__ = ["awaited_provider", "blocking_provider"]

P = TypeVar("P")


def blocking_provider(given: PaymentProvider | Router | str) -> PaymentProvider | Router:
    """
    The provider itself, or the blocking one of the adapter with this name.

    Raises:
        ConfigurationError: There is no such adapter, it is broken, or the environment does not
            suffice.
    """
    if not isinstance(given, str):
        return given
    return _named(given, lambda plugin: plugin.from_env(), "Payport")


def awaited_provider(
    given: AsyncPaymentProvider | AsyncRouter | str,
) -> AsyncPaymentProvider | AsyncRouter:
    """`blocking_provider`, awaited. Raises for an adapter that only blocks, too."""
    if not isinstance(given, str):
        return given
    return _named(given, _awaited, "AsyncPayport")


def _named(name: str, make: Callable[[Plugin], P], client: str) -> P:
    # Entry points are for who names one: importing what reads them takes 10 ms.
    from payport.providers.plugins import plugin_named  # noqa: PLC0415

    try:
        return make(plugin_named(name))
    except ConfigurationError as error:
        error.operation = client
        raise


def _awaited(plugin: Plugin) -> AsyncPaymentProvider:
    if plugin.from_env_async is None:
        message = f"the adapter {plugin.spec.name!r} has no awaited provider: use Payport"
        raise ConfigurationError(message, field="provider")
    return plugin.from_env_async()
