"""
What a provider is constructed with, checked: keys, secrets, address, account, time.

A mistake here is a `ConfigurationError` that says what to do and repeats nothing of a key; nothing
here keeps a key as plain text, opens a connection or reads the environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, NoReturn, Required, TypedDict, cast

from payport.domain.errors import ConfigurationError
from payport.domain.identifiers import Environment
from payport.domain.secrets import Secret
from payport.providers.addresses import checked_address, checked_seconds
from payport.providers.options import misnamed, taken
from payport.providers.webhook_secrets import WebhookSecret

__all__ = ["DEFAULT_BASE_URL", "Options", "Settings", "settings_for", "settings_from"]

DEFAULT_BASE_URL: Final = "https://api.stripe.com"

#: https://docs.stripe.com/keys#obtain-api-keys
_KEY: Final = re.compile(r"(?:sk|rk)_(?P<mode>test|live)_[A-Za-z0-9_]{1,255}")
_SECRET: Final = re.compile(r"whsec_[A-Za-z0-9+/=_-]{1,255}")
_ACCOUNT: Final = re.compile(r"acct_[A-Za-z0-9]{1,255}")
#: What is taken for an API key by mistake, and what it is.
_NO_KEYS: Final = {
    "pk_": "a publishable key, which belongs in a browser",
    "whsec_": "a webhook secret: pass it in webhook_secrets",
    "sk_org_": "an organization's key, which is not supported: use a key of one account",
}
_GET_ONE: Final = "Pass the secret or restricted key (sk_..., rk_...) of the Stripe dashboard."


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    Everything a provider is made of.

    Attributes:
        account: The connected account that every request is made for; None for the key's own.
        base_url: Scheme, host and port, without a path.
        timeout: Seconds that a request may take at most.
        multicapture: Whether payments ask to be captured several times.
    """

    api_key: Secret
    environment: Environment
    webhook_secrets: tuple[WebhookSecret, ...]
    account: str | None
    base_url: str
    timeout: float
    multicapture: bool


class Options(TypedDict, total=False):
    """What both colours are constructed with; `StripeProvider` says what each is."""

    api_key: Required[str | Secret]
    webhook_secrets: Iterable[str | Secret | WebhookSecret]
    account: str | None
    base_url: str | None
    timeout: float
    multicapture: bool


#: Of what need not be passed.
_DEFAULTS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "webhook_secrets": (),
        "account": None,
        "base_url": None,
        "timeout": 10.0,
        "multicapture": False,
    }
)


def settings_from(given: Options) -> Settings | ConfigurationError | TypeError:
    """
    The settings, or the error to raise. Empties what was given.

    Returned and not raised: a traceback shows the local variables of every frame that it passes,
    and those here hold keys.
    """
    told = taken(given)
    wrong = misnamed(Options, told, "StripeProvider")
    if wrong is not None:
        return wrong
    try:
        return _checked(**{**_DEFAULTS, **told})
    except ConfigurationError as error:
        # Neither what was raised first nor the frames it came through: both hold what was passed.
        return ConfigurationError(error.message, operation="StripeProvider", field=error.field)


def settings_for(settings: Settings, account: object) -> Settings:
    """
    The same settings for a connected account.

    Raises:
        ConfigurationError: It is no account's id.
    """
    return replace(settings, account=_account(account))


def _checked(
    *,
    api_key: object,
    webhook_secrets: object,
    account: object,
    base_url: object,
    timeout: object,
    multicapture: object,
) -> Settings:
    key, environment = _key(api_key)
    if not isinstance(multicapture, bool):
        _refuse("multicapture", "must be True or False")
    return Settings(
        api_key=key,
        environment=environment,
        webhook_secrets=_secrets(webhook_secrets),
        account=None if account is None else _account(account),
        base_url=_address(base_url, environment),
        timeout=checked_seconds(timeout),
        multicapture=multicapture,
    )


def _key(given: object) -> tuple[Secret, Environment]:
    text = given.reveal() if isinstance(given, Secret) else given
    if not isinstance(text, str) or not text.strip():
        _refuse("api_key", f"is blank, or no text. {_GET_ONE}")
    if any(character.isspace() for character in text):
        _refuse("api_key", "has whitespace in it, as a copied line break. Copy it again.")
    for prefix, what in _NO_KEYS.items():
        if text.startswith(prefix):
            _refuse("api_key", f"is {what}. {_GET_ONE}")
    found = _KEY.fullmatch(text)
    if found is None:
        _refuse("api_key", f"is no key of Stripe's. {_GET_ONE}")
    return Secret(text), Environment(found["mode"])


def _secrets(given: object) -> tuple[WebhookSecret, ...]:
    if isinstance(given, str | bytes | Secret | WebhookSecret) or not isinstance(given, Iterable):
        _refuse("webhook_secrets", "must be a list, so that one can be replaced: ['whsec_...']")
    return tuple([_secret(one) for one in cast("Iterable[object]", given)])


def _secret(given: object) -> WebhookSecret:
    text = given.reveal() if isinstance(given, Secret | WebhookSecret) else given
    if not isinstance(text, str) or not _SECRET.fullmatch(text):
        _refuse(
            "webhook_secrets",
            "holds something else than a signing secret. Copy it from the webhook's endpoint in "
            "the Stripe dashboard; it begins with whsec_.",
        )
    return WebhookSecret(text, until=given.until if isinstance(given, WebhookSecret) else None)


def _account(given: object) -> str:
    if not isinstance(given, str) or not _ACCOUNT.fullmatch(given):
        _refuse("account", "must be the id of a connected account, 'acct_...'")
    return given


def _address(given: object, environment: Environment) -> str:
    if given is None:
        return DEFAULT_BASE_URL
    return checked_address(given, environment, example=DEFAULT_BASE_URL)


def _refuse(field: str, why: str) -> NoReturn:
    raise ConfigurationError(why, field=field)
