"""The fake by its name: the entry point `fake`. It needs no credentials and moves no money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from payport.providers.plugins import Credential, Plugin
from payport.testing.bank.behaviour import stripe_like

if TYPE_CHECKING:
    from payport.testing.fake_provider import AsyncFakeProvider, FakeProvider

__all__ = ["PLUGIN"]


def _from_env() -> FakeProvider:
    from payport.operations.clock import SystemClock  # noqa: PLC0415 - only where one is made
    from payport.testing.fake_provider import FakeProvider  # noqa: PLC0415 - the same

    # A store outlives the process, so its moments have to be the machine's.
    return FakeProvider(clock=SystemClock())


def _from_env_async() -> AsyncFakeProvider:
    from payport.operations.clock import SystemClock  # noqa: PLC0415 - as above
    from payport.testing.fake_provider import AsyncFakeProvider  # noqa: PLC0415 - as above

    return AsyncFakeProvider(clock=SystemClock())


def _credentials(environ: Mapping[str, str]) -> Sequence[Credential]:
    del environ
    return ()


#: What `payport.providers` offers as `fake`.
PLUGIN: Final = Plugin(
    spec=stripe_like().spec,
    from_env=_from_env,
    from_env_async=_from_env_async,
    credentials=_credentials,
    api=1,
)
