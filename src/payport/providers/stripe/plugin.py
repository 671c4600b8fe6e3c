"""Stripe by its name: the entry point `stripe`, and what is said of its credentials."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from payport.domain.identifiers import Environment
from payport.providers.plugins import Credential, Plugin
from payport.providers.stripe.provider import (
    API_KEY_VARIABLE,
    WEBHOOK_SECRETS_VARIABLE,
    AsyncStripeProvider,
    StripeProvider,
)
from payport.providers.stripe.spec import spec_with

__all__ = ["PLUGIN"]

#: Not payport's to use: it is where many applications keep the browser's half of the pair.
_PUBLISHABLE_KEY: Final = "STRIPE_PUBLISHABLE_KEY"

_PREFIX: Final = re.compile(r"(?P<kind>sk|rk|pk)_(?P<mode>test|live)_\S+")
#: https://docs.stripe.com/keys#obtain-api-keys
_KINDS: Final = {"sk": "secret key", "rk": "restricted key", "pk": "publishable key"}
_SECRET: Final = re.compile(r"whsec_[A-Za-z0-9+/=_-]{1,255}")


def _credentials(environ: Mapping[str, str]) -> Sequence[Credential]:
    said = [_key(API_KEY_VARIABLE, environ.get(API_KEY_VARIABLE, ""), needed=True)]
    if _PUBLISHABLE_KEY in environ:
        said.append(_key(_PUBLISHABLE_KEY, environ[_PUBLISHABLE_KEY], needed=False))
    return (*said, *_webhook_secrets(environ.get(WEBHOOK_SECRETS_VARIABLE, "")))


def _key(name: str, given: str, *, needed: bool) -> Credential:
    found = _PREFIX.fullmatch(given)
    if not given.strip():
        missing = "is not set: the secret or restricted key of the Stripe dashboard belongs there"
        return Credential(name=name, kind=None, problem=missing)
    if found is None:
        wrong = "is no key of Stripe's: copy it from the Stripe dashboard again"
        return Credential(name=name, kind="something else", problem=wrong)
    problem: str | None = None
    if needed and found["kind"] == "pk":
        problem = "is a publishable key, which belongs in a browser: set the secret key"
    if not needed and found["kind"] != "pk":
        problem = "holds a key that may do everything and is not for browsers: roll it"
    mode = Environment(found["mode"])
    return Credential(name=name, kind=_KINDS[found["kind"]], environment=mode, problem=problem)


def _webhook_secrets(given: str) -> Iterator[Credential]:
    secrets = [one.strip() for one in given.split(",") if one.strip()]
    if not secrets:
        problem = "is not set: no webhook can be believed. Set the endpoint's whsec_... secret"
        yield Credential(name=WEBHOOK_SECRETS_VARIABLE, kind=None, problem=problem)
    for number, secret in enumerate(secrets, 1):
        name = WEBHOOK_SECRETS_VARIABLE + (f" #{number}" if len(secrets) > 1 else "")
        if _SECRET.fullmatch(secret):
            yield Credential(name=name, kind="signing secret")
        else:
            problem = "is no signing secret, which begins with whsec_: copy the endpoint's again"
            yield Credential(name=name, kind="something else", problem=problem)


#: What `payport.providers` offers as `stripe`.
PLUGIN: Final = Plugin(
    spec=spec_with(multicapture=False),
    from_env=StripeProvider.from_env,
    from_env_async=AsyncStripeProvider.from_env,
    credentials=_credentials,
    api=1,
)
