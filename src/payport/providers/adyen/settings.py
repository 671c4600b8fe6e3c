"""
What a provider is constructed with, checked: keys, account, environment, region, address.

A mistake here is a `ConfigurationError` that says what to do and repeats nothing of a key; nothing
here keeps a key as plain text, opens a connection or reads the environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NoReturn, Required, TypedDict, TypeVar, cast
from urllib.parse import urlsplit

from payport.domain.errors import ConfigurationError
from payport.domain.identifiers import Environment
from payport.domain.secrets import Secret
from payport.providers.addresses import checked_address, checked_seconds
from payport.providers.options import misnamed, taken
from payport.providers.webhook_secrets import WebhookSecret

__all__ = [
    "RECURRING_MODELS",
    "TEST_BASE_URL",
    "Options",
    "Region",
    "Settings",
    "settings_from",
]

_Word = TypeVar("_Word", bound=StrEnum)

TEST_BASE_URL: Final = "https://checkout-test.adyen.com"

#: What an absent customer is charged for, and a method saved for.
#: https://docs.adyen.com/online-payments/tokenization
RECURRING_MODELS: Final = ("UnscheduledCardOnFile", "Subscription", "CardOnFile")


class Region(StrEnum):
    """
    Where Adyen processes. Keys are not known across regions, so it is part of the account.

    https://docs.adyen.com/development-resources/live-endpoints
    """

    EU = "eu"
    US = "us"
    AU = "au"
    #: Singapore and around it.
    APSE = "apse"
    IN = "in"
    NEA = "nea"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    Everything a provider is made of.

    Attributes:
        base_url: Scheme, host and port, without a path.
        path: What stands before the version in every path.
        cancel_lost: Whether a payment may be canceled by its reference alone.
        native_3ds: Whether customers authenticate in the shop's own page, where it can show that.
        return_url: Where customers come back to, where a payment does not say it.
    """

    api_key: Secret
    merchant_account: str
    environment: Environment
    region: Region
    webhook_secrets: tuple[WebhookSecret, ...]
    base_url: str
    path: str
    timeout: float
    multicapture: bool
    cancel_lost: bool
    native_3ds: bool
    recurring_model: str
    return_url: str | None

    @property
    def account_id(self) -> str:
        """The account's id for the core: with the region, where that is not Adyen's first one."""
        first = self.region is Region.EU
        return self.merchant_account if first else f"{self.merchant_account}@{self.region}"


class Options(TypedDict, total=False):
    """What both colours are constructed with; `AdyenProvider` says what each is."""

    api_key: Required[str | Secret]
    merchant_account: Required[str]
    environment: Required[Environment | str]
    live_url_prefix: str | None
    region: Region | str
    webhook_secrets: Iterable[str | Secret | WebhookSecret]
    base_url: str | None
    timeout: float
    multicapture: bool
    cancel_lost: bool
    native_3ds: bool
    recurring_model: str
    return_url: str | None


#: Of what need not be passed.
_DEFAULTS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "live_url_prefix": None,
        "region": Region.EU,
        "webhook_secrets": (),
        "base_url": None,
        "timeout": 10.0,
        "multicapture": False,
        "cancel_lost": False,
        "native_3ds": False,
        "recurring_model": "UnscheduledCardOnFile",
        "return_url": None,
    }
)


def settings_from(given: Options) -> Settings | ConfigurationError | TypeError:
    """
    The settings, or the error to raise. Empties what was given.

    Returned and not raised: a traceback shows the local variables of every frame that it passes,
    and those here hold keys.
    """
    told = taken(given)
    wrong = misnamed(Options, told, "AdyenProvider")
    if wrong is not None:
        return wrong
    try:
        return _checked({**_DEFAULTS, **told})
    except ConfigurationError as error:
        # Neither what was raised first nor the frames it came through: both hold what was passed.
        return ConfigurationError(error.message, operation="AdyenProvider", field=error.field)


def _checked(given: Mapping[str, Any]) -> Settings:
    environment = _member(given["environment"], Environment, "environment")
    region = _member(given["region"], Region, "region")
    for name in ("multicapture", "cancel_lost", "native_3ds"):
        if not isinstance(given[name], bool):
            _refuse(name, "must be True or False")
    base_url, path = _address(given["base_url"], given["live_url_prefix"], environment, region)
    if given["recurring_model"] not in RECURRING_MODELS:
        _refuse("recurring_model", f"must be one of {', '.join(RECURRING_MODELS)}")
    return Settings(
        api_key=_key(given["api_key"], environment),
        merchant_account=_account(given["merchant_account"]),
        environment=environment,
        region=region,
        webhook_secrets=_secrets(given["webhook_secrets"]),
        base_url=base_url,
        path=path,
        timeout=checked_seconds(given["timeout"]),
        multicapture=given["multicapture"],
        cancel_lost=given["cancel_lost"],
        native_3ds=given["native_3ds"],
        recurring_model=given["recurring_model"],
        return_url=_return_url(given["return_url"]),
    )


# -- credentials ----------------------------------------------------------------------------------

_CLIENT_KEY: Final = re.compile(r"(?P<mode>test|live)_[A-Z0-9]{16,}")
_HMAC_KEY: Final = re.compile(r"[0-9A-Fa-f]{64}")
_API_KEY: Final = re.compile(r"[\x21-\x7e]{16,1024}")
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_GET_ONE: Final = "Pass an API key of the Customer Area: Developers > API credentials."


def _key(given: object, environment: Environment) -> Secret:
    text = given.reveal() if isinstance(given, Secret) else given
    if not isinstance(text, str) or not text.strip():
        _refuse("api_key", f"is blank, or no text. {_GET_ONE}")
    if any(character.isspace() for character in text):
        _refuse("api_key", "has whitespace in it, as a copied line break. Copy it again.")
    if _CLIENT_KEY.fullmatch(text):
        _refuse("api_key", f"is a client key, which belongs in a browser. {_GET_ONE}")
    if _HMAC_KEY.fullmatch(text):
        _refuse("api_key", f"is a webhook's HMAC key: pass it in webhook_secrets. {_GET_ONE}")
    other = Environment.TEST if environment is Environment.LIVE else Environment.LIVE
    if text.lower().startswith(f"{other}_"):
        _refuse("api_key", f"is a {other} key, and the environment is {environment}")
    if not _API_KEY.fullmatch(text):
        _refuse("api_key", f"is no key of Adyen's. {_GET_ONE}")
    return Secret(text)


def _secrets(given: object) -> tuple[WebhookSecret, ...]:
    if isinstance(given, str | bytes | Secret | WebhookSecret) or not isinstance(given, Iterable):
        _refuse("webhook_secrets", "must be a list, so that a key can be replaced")
    return tuple([_secret(one) for one in cast("Iterable[object]", given)])


def _secret(given: object) -> WebhookSecret:
    text = given.reveal() if isinstance(given, Secret | WebhookSecret) else given
    if not isinstance(text, str) or not _HMAC_KEY.fullmatch(text):
        _refuse(
            "webhook_secrets",
            "holds something else than an HMAC key, which is 64 hexadecimal digits. Generate one "
            "in the Customer Area: Developers > Webhooks > your webhook > Security.",
        )
    return WebhookSecret(text, until=given.until if isinstance(given, WebhookSecret) else None)


def _account(given: object) -> str:
    if not isinstance(given, str) or not _ACCOUNT.fullmatch(given):
        _refuse(
            "merchant_account",
            "must be the name of a merchant account, such as 'YourCompanyECOM': Customer Area, "
            "upper right corner. The company account takes no payments.",
        )
    return given


# -- where to -------------------------------------------------------------------------------------

_PREFIX: Final = re.compile(r"[0-9A-Za-z]{1,64}-[0-9A-Za-z]{1,64}|[0-9A-Za-z-]{1,128}")


def _address(
    base_url: object, prefix: object, environment: Environment, region: Region
) -> tuple[str, str]:
    """The address, and what stands before the version in its paths."""
    live = environment is Environment.LIVE
    if not live and prefix is not None:
        _refuse("live_url_prefix", "is for environment='live' alone, and this is test")
    if base_url is not None:
        return _other_address(base_url, environment)
    if not live:
        return TEST_BASE_URL, ""
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        _refuse(
            "live_url_prefix",
            "is needed for live payments: Customer Area, Developers > API URLs, such as "
            "'1797a841fbb37ca7-YourCompany'",
        )
    near = "" if region is Region.EU else f"-{region}"
    return f"https://{prefix}-checkout-live{near}.adyenpayments.com", "/checkout"


def _other_address(base_url: object, environment: Environment) -> tuple[str, str]:
    live = environment is Environment.LIVE
    address = checked_address(base_url, environment, example=TEST_BASE_URL)
    host = urlsplit(address).hostname or ""
    if host.endswith((".adyen.com", ".adyenpayments.com")):
        if live and "-test." in host:
            _refuse("base_url", "is Adyen's test address, and the environment is live")
        if not live and "-live" in host:
            _refuse("base_url", "is an address for live payments, and the environment is test")
    return address, "/checkout" if live else ""


def _return_url(given: object) -> str | None:
    if given is None:
        return None
    try:
        parts = urlsplit(given) if isinstance(given, str) else None
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        _refuse("return_url", "must be an absolute http or https address")
    return str(given)


def _member(given: object, kind: type[_Word], name: str) -> _Word:
    try:
        return kind(str(given))
    except ValueError:
        known = ", ".join([word.value for word in kind])
        _refuse(name, f"must be one of {known}")


def _refuse(field: str, why: str) -> NoReturn:
    raise ConfigurationError(why, field=field)
