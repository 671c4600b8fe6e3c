"""
Which client a command works with: the application's own, by `--app`, or one made from a database
and the environment, by `--store`. Either colour is driven by plain code.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from payport.cli.signals import hearing, stop_event
from payport.client.payport import AsyncPayport, Payport
from payport.domain.errors import ConfigurationError, PayportError
from payport.providers.plugins import plugin_named

__all__ = ["APP_VARIABLE", "Client", "Target", "opened"]

APP_VARIABLE: Final = "PAYPORT_APP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """
    What the command line says of the client.

    Attributes:
        app: `module:attribute` of a client, or of a function without arguments that makes one.
        store: A database's URL, where there is no such client.
        provider: The adapter's name, with a store.
        scope: The order space; with an application's client, another one than its own.
    """

    app: str | None = None
    store: str | None = None
    provider: str | None = None
    scope: str | None = None

    @property
    def named_app(self) -> str | None:
        """The application's client: named here, or in the environment where no store is."""
        if self.app is not None or self.store is not None:
            return self.app
        return os.environ.get(APP_VARIABLE) or None


class Client:
    """
    A client of either colour.

    Attributes:
        pay: The client itself.
    """

    def __init__(self, pay: Payport | AsyncPayport) -> None:
        self.pay = pay
        self._runner = asyncio.Runner() if isinstance(pay, AsyncPayport) else None

    def do(self, ask: Callable[[Any], Any]) -> Any:
        """What `ask(pay)` returns, awaited where the client is."""
        if self._runner is None:
            return ask(self.pay)
        return self._runner.run(_awaited(lambda: ask(self.pay)))

    def until_stopped(self, ask: Callable[[Any, Any], Any]) -> Any:
        """What `ask(pay, stop)` returns; the first signal sets the event `stop`."""
        if self._runner is not None:
            return self._runner.run(self._stopped(ask))
        with stop_event() as stop:
            return ask(self.pay, stop)

    async def _stopped(self, ask: Callable[[Any, Any], Any]) -> Any:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        with hearing(lambda: loop.call_soon_threadsafe(stop.set)):
            return await _awaited(lambda: ask(self.pay, stop))

    def transact(self, work: Callable[[Any], Any]) -> Any:
        """Run a unit of work on the client's store."""
        return self.do(lambda pay: pay.store.transact(work))

    def close(self) -> None:
        """Close the client."""
        try:
            self.do(lambda pay: pay.close() if isinstance(pay, Payport) else pay.aclose())
        finally:
            if self._runner is not None:
                self._runner.close()


async def _awaited(ask: Callable[[], Any]) -> Any:
    result = ask()
    return await result if inspect.isawaitable(result) else result


@contextmanager
def opened(target: Target, *, tells: bool = False) -> Generator[Client]:
    """
    The client, closed afterwards.

    Args:
        tells: Whether it has to have the application's handlers: a client without them would mark
            events as known that nobody was told of.

    Raises:
        ConfigurationError: Nothing says which one, or it cannot be made.
    """
    app = target.named_app
    if tells and app is None:
        raise ConfigurationError(
            "brings about events for the application's handlers, which a client by --store has not."
            f" Name the application's client by --app module:attribute or {APP_VARIABLE}",
            field="--app",
        )
    client = Client(_of_app(app, target) if app is not None else _of_store(target))
    try:
        yield client
    finally:
        client.close()


def _of_store(target: Target) -> Payport:
    if target.store is None:
        raise ConfigurationError(
            f"name the application's client by --app module:attribute or {APP_VARIABLE}, or a "
            "database by --store URL --provider NAME --scope SCOPE",
        )
    if target.provider is None:
        message = "name the adapter too; `payport providers` lists those that there are"
        raise ConfigurationError(message, field="--provider")
    provider = plugin_named(target.provider).from_env()
    return Payport(provider, scope=target.scope, store=target.store)


def _of_app(app: str, target: Target) -> Payport | AsyncPayport:
    if target.store is not None or target.provider is not None:
        message = "the application's client has its own store and provider: leave those out"
        raise ConfigurationError(message, field="--app")
    pay = _made(_found(app), app)
    return pay if target.scope is None else pay.scoped(target.scope)


def _found(app: str) -> Any:
    module, _, path = app.partition(":")
    if not module or not path:
        message = f"is written module:attribute, such as shop.payments:pay, not {app!r}"
        raise ConfigurationError(message, field="--app")
    if os.getcwd() not in sys.path:  # noqa: PTH109 - sys.path holds text
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    with _told(f"{module!r} cannot be imported"):
        found: Any = importlib.import_module(module)
    for name in path.split("."):
        if not hasattr(found, name):
            message = f"{module!r} has no {path!r}"
            raise ConfigurationError(message, field="--app")
        found = getattr(found, name)
    return found


def _made(found: Any, app: str) -> Payport | AsyncPayport:
    made = found
    if callable(found):
        with _told(f"{app} did not make a client"):
            made = found()
    if isinstance(made, Payport | AsyncPayport):
        return made
    message = f"{app} is a {type(made).__name__}, and no Payport or AsyncPayport"
    raise ConfigurationError(message, field="--app")


@contextmanager
def _told(what: str) -> Generator[None]:
    """Say that the application's code failed, and not with what words: they may quote anything."""
    try:
        yield
    except PayportError:
        raise
    except Exception as error:
        missing = f" ({error.name})" if isinstance(error, ModuleNotFoundError) else ""
        message = f"{what}: {type(error).__name__}{missing}. Use --debug to see where."
        raise ConfigurationError(message, field="--app") from error
