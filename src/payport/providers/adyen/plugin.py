"""Adyen by its name: the entry point `adyen`, and what is said of its credentials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

from payport.domain.errors import ConfigurationError
from payport.domain.identifiers import Environment
from payport.providers.adyen.provider import VARIABLES, AdyenProvider, AsyncAdyenProvider
from payport.providers.adyen.settings import Options, settings_from
from payport.providers.adyen.spec import spec_with
from payport.providers.plugins import Credential, Plugin

__all__ = ["PLUGIN"]

#: Something valid for everything that is needed and not looked at at the moment.
_OTHERWISE: Final = {
    "api_key": "an_api_key_that_is_none",
    "merchant_account": "NobodysECOM",
    "environment": "test",
}


def _credentials(environ: Mapping[str, str]) -> Sequence[Credential]:
    mode = environ.get(VARIABLES["environment"], "")
    live = {"environment": "live", "live_url_prefix": "0-Nobody"} if mode == "live" else {}
    key = _said(environ, "api_key", "API key", live)
    account = _said(environ, "merchant_account", "merchant account", {})
    place = _said(environ, "environment", "environment", live)
    prefix = [_prefix(environ)] if mode == "live" else []
    return (key, account, place, *prefix, *_hmac_keys(environ))


def _said(
    environ: Mapping[str, str], field: str, kind: str, besides: Mapping[str, object]
) -> Credential:
    name = VARIABLES[field]
    if not environ.get(name, "").strip():
        return Credential(name=name, kind=None, problem="is not set: see Adyen's Customer Area")
    problem = _problem({**besides, field: environ[name]}, field)
    return Credential(
        name=name,
        kind=kind if problem is None else "something else",
        environment=_mode(environ) if field == "environment" else None,
        problem=problem,
    )


def _prefix(environ: Mapping[str, str]) -> Credential:
    name, given = VARIABLES["live_url_prefix"], environ.get(VARIABLES["live_url_prefix"])
    problem = _problem({"environment": "live", "live_url_prefix": given}, "live_url_prefix")
    return Credential(name=name, kind="live URL prefix" if given else None, problem=problem)


def _hmac_keys(environ: Mapping[str, str]) -> Iterator[Credential]:
    name = VARIABLES["webhook_secrets"]
    keys = [one.strip() for one in environ.get(name, "").split(",") if one.strip()]
    if not keys:
        missing = "is not set: no webhook can be believed. Set the webhook's HMAC key"
        yield Credential(name=name, kind=None, problem=missing)
    for number, key in enumerate(keys, 1):
        numbered = name + (f" #{number}" if len(keys) > 1 else "")
        problem = _problem({"webhook_secrets": [key]}, "webhook_secrets")
        kind = "HMAC key" if problem is None else "something else"
        yield Credential(name=numbered, kind=kind, problem=problem)


def _problem(given: Mapping[str, object], field: str) -> str | None:
    """What the constructor would say of a field; None where that is nothing."""
    settings = settings_from(cast("Options", {**_OTHERWISE, **given}))
    wrong = isinstance(settings, ConfigurationError) and settings.field == field
    return settings.message if isinstance(settings, ConfigurationError) and wrong else None


def _mode(environ: Mapping[str, str]) -> Environment | None:
    told = environ.get(VARIABLES["environment"])
    return Environment(told) if told in set(Environment) else None


#: What `payport.providers` offers as `adyen`.
PLUGIN: Final = Plugin(
    spec=spec_with(multicapture=False, cancel_lost=False),
    from_env=AdyenProvider.from_env,
    from_env_async=AsyncAdyenProvider.from_env,
    credentials=_credentials,
    api=1,
)
