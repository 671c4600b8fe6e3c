"""What an application constructs, and what the entry point `tollgate` brings."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx

from payport.domain.errors import ConfigurationError
from payport.domain.identifiers import Environment
from payport.domain.secrets import Secret
from payport.providers.addresses import checked_address
from payport.providers.base import AsyncProvider, SyncProvider
from payport.providers.exchange import Request
from payport.providers.http_sending import AsyncHttpSend, HttpSend
from payport.providers.plugins import Credential, Plugin
from payport_tollgate.adapter import TollgateAdapter
from payport_tollgate.spec import SPEC

_VARIABLE: Final = "TOLLGATE_API_KEY"
_BASE_URL: Final = "https://api.tollgate.example"
_KEY: Final = re.compile("tg_(?P<mode>test|live)_[A-Za-z0-9_]{4,64}")


class _Setup:
    """What both colours are made of, checked; the key is where nothing shows it."""

    def __init__(self, api_key: str, base_url: str) -> None:
        mode, self.base_url = _mode_of(api_key), base_url
        self._key = Secret(api_key) if mode else None
        del api_key  # a traceback that shows local variables shows it otherwise
        if mode is None:
            message = "is no key of Tollgate's: copy it from Tollgate's pages again"
            raise ConfigurationError(message, operation="TollgateProvider", field="api_key")
        self.base_url = checked_address(base_url, mode, example=_BASE_URL)
        self.adapter = TollgateAdapter(mode, self.base_url)

    def headers(self, request: Request) -> Mapping[str, str]:
        """The headers that no stored request holds."""
        kind = {"Content-Type": "application/json"} if request.body else {}
        return {**kind, "Authorization": f"Bearer {self._key.reveal() if self._key else ''}"}


class TollgateProvider(SyncProvider[TollgateAdapter]):
    """Tollgate, blocking. Constructing it sends nothing; a `base_url` is for a simulator."""

    def __init__(
        self, *, api_key: str, base_url: str = _BASE_URL, http_client: httpx.Client | None = None
    ) -> None:
        setup = _Setup(api_key, base_url)
        super().__init__(setup.adapter, HttpSend(setup.base_url, setup.headers, http_client))


class AsyncTollgateProvider(AsyncProvider[TollgateAdapter]):
    """Tollgate, awaited. See `TollgateProvider`."""

    def __init__(self, *, api_key: str, base_url: str = _BASE_URL, http_client: Any = None) -> None:
        setup = _Setup(api_key, base_url)
        super().__init__(setup.adapter, AsyncHttpSend(setup.base_url, setup.headers, http_client))


def _mode_of(api_key: str) -> Environment | None:
    found = _KEY.fullmatch(api_key)
    return Environment(found["mode"]) if found else None


def _credentials(environ: Mapping[str, str]) -> Sequence[Credential]:
    mode = _mode_of(environ.get(_VARIABLE, ""))
    problem = None if mode else "is not set, or is no key of Tollgate's"
    kind = "key" if mode else None
    return (Credential(name=_VARIABLE, kind=kind, environment=mode, problem=problem),)


PLUGIN: Final = Plugin(
    spec=SPEC,
    from_env=lambda: TollgateProvider(api_key=os.environ.get(_VARIABLE, "")),
    from_env_async=lambda: AsyncTollgateProvider(api_key=os.environ.get(_VARIABLE, "")),
    credentials=_credentials,
    api=1,
)
