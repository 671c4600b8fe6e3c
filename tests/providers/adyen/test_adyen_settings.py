"""What an Adyen provider is constructed with: mistakes are told, and no key is repeated."""

from __future__ import annotations

import pickle
from typing import Any

import httpx
import pytest
from adyen_help import ACCOUNT, API_KEY, COLOURS

from payport import ConfigurationError, Payport
from payport.domain.secrets import Secret
from payport.providers.adyen import AdyenProvider, AsyncAdyenProvider
from payport.providers.adyen.plugin import PLUGIN
from payport.providers.adyen.settings import Region
from payport.providers.plugins import plugin_named
from payport.providers.spec import Capability
from payport.storage.memory import MemoryStore

HMAC = "5a" * 32
LIVE = {"environment": "live", "live_url_prefix": "1797a841fbb37ca7-YourCompany"}


@pytest.fixture(params=list(COLOURS))
def make(request: pytest.FixtureRequest) -> Any:
    def new(**options: Any) -> Any:
        given = {"api_key": API_KEY, "merchant_account": ACCOUNT, "environment": "test"}
        return COLOURS[str(request.param)](**{**given, **options})

    return new


WRONG: list[tuple[str, Any, dict[str, Any]]] = [
    ("api_key", "", {}),
    ("api_key", " ", {}),
    ("api_key", None, {}),
    ("api_key", 7, {}),
    ("api_key", "AQE_obviously_fake key", {}),
    ("api_key", "AQE_obviously_fake\n", {}),
    ("api_key", "short", {}),
    ("api_key", "test_" + "A1" * 16, {}),
    ("api_key", HMAC, {}),
    ("api_key", "live_something_that_is_long", {}),
    ("api_key", "test_something_that_is_long", LIVE),
    ("merchant_account", "", {}),
    ("merchant_account", None, {}),
    ("merchant_account", "Your Company", {}),
    ("merchant_account", "a/../b", {}),
    ("merchant_account", "x" * 81, {}),
    ("environment", "production", {}),
    ("environment", "", {}),
    ("region", "mars", {}),
    ("live_url_prefix", None, {"environment": "live"}),
    ("live_url_prefix", "", {"environment": "live"}),
    ("live_url_prefix", "evil.example/", {"environment": "live"}),
    ("live_url_prefix", "https://x", {"environment": "live"}),
    ("live_url_prefix", "0-Company", {}),
    ("webhook_secrets", "5a" * 32, {}),
    ("webhook_secrets", ["5a" * 31], {}),
    ("webhook_secrets", ["5a" * 33], {}),
    ("webhook_secrets", ["zz" * 32], {}),
    ("webhook_secrets", ["whsec_of_another_provider"], {}),
    ("webhook_secrets", [""], {}),
    ("webhook_secrets", [None], {}),
    ("webhook_secrets", None, {}),
    ("base_url", "http://adyen.example", {}),
    ("base_url", "https://adyen.example/path", {}),
    ("base_url", "ftp://127.0.0.1", {}),
    ("base_url", "http://127.0.0.1:8421", LIVE),
    ("base_url", "https://checkout-test.adyen.com", LIVE),
    ("base_url", "https://0-Company-checkout-live.adyenpayments.com", {}),
    ("timeout", 0, {}),
    ("timeout", "10", {}),
    ("multicapture", "yes", {}),
    ("cancel_lost", 1, {}),
    ("recurring_model", "Sometimes", {}),
    ("return_url", "shop.example/back", {}),
    ("return_url", 7, {}),
]


@pytest.mark.parametrize(
    ("field", "value", "besides"), WRONG, ids=[f"{n}-{one[0]}" for n, one in enumerate(WRONG)]
)
def test_a_mistake_is_told_by_its_field_and_repeats_nothing(
    make: Any, field: str, value: Any, besides: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make(**besides, **{field: value})
    assert caught.value.field == field
    assert API_KEY not in str(caught.value)
    if isinstance(value, str) and len(value) > 20:
        assert value not in str(caught.value)


def test_each_region_has_an_address_of_its_own(make: Any) -> None:
    addresses = {make(**LIVE, region=region).adapter.settings.base_url for region in Region}
    assert len(addresses) == len(Region)
    prefix = LIVE["live_url_prefix"]
    assert f"https://{prefix}-checkout-live.adyenpayments.com" in addresses
    assert f"https://{prefix}-checkout-live-au.adyenpayments.com" in addresses


def test_live_and_test_have_their_paths(make: Any) -> None:
    live, test = (make(**more).adapter.account() for more in (LIVE, {}))
    assert next(live).target == "/checkout/v72/paymentMethods"
    assert next(test).target == "/v72/paymentMethods"


def test_the_environment_is_what_was_said(make: Any) -> None:
    assert make().environment == "test"
    assert make(**LIVE).environment == "live"


def test_secrets_may_come_wrapped(make: Any) -> None:
    made = make(api_key=Secret(API_KEY), webhook_secrets=[Secret(HMAC), HMAC.upper()])
    assert len(made.adapter.settings.webhook_secrets) == 2


def test_a_provider_shows_no_key_and_is_never_pickled(make: Any) -> None:
    made = make(webhook_secrets=[HMAC])
    for shown in (repr(made), str(made.adapter.settings), repr(vars(made))):
        assert API_KEY not in shown
        assert HMAC not in shown
    with pytest.raises(ConfigurationError):
        pickle.dumps(made)


def test_a_client_of_the_other_colour_is_refused() -> None:
    given: Any = {"api_key": API_KEY, "merchant_account": ACCOUNT, "environment": "test"}
    with pytest.raises(ConfigurationError, match="http_client"):
        AdyenProvider(http_client=httpx.AsyncClient(), **given)
    with pytest.raises(ConfigurationError, match="http_client"):
        AsyncAdyenProvider(http_client=httpx.Client(), **given)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        Payport(AsyncAdyenProvider(**given), scope="shop", store=MemoryStore())  # type: ignore[arg-type]


def test_what_is_declared_depends_on_the_account(make: Any) -> None:
    one, several = make().spec, make(multicapture=True).spec
    assert one.has(Capability.PARTIAL_CAPTURE)
    assert not one.has(Capability.MULTIPLE_CAPTURES)
    assert several.has(Capability.MULTIPLE_CAPTURES)
    assert not several.has(Capability.PARTIAL_CAPTURE)
    assert not one.cancels_lost
    assert make(cancel_lost=True).spec.cancels_lost
    assert one.idempotency.life is not None
    assert one.idempotency.life.days == 7
    assert one.idempotency.max_length == 64


# -- the environment and the plugin -----------------------------------------------------------

ENVIRON = {
    "ADYEN_API_KEY": API_KEY,
    "ADYEN_MERCHANT_ACCOUNT": ACCOUNT,
    "ADYEN_ENVIRONMENT": "live",
    "ADYEN_LIVE_URL_PREFIX": "0-Company",
    "ADYEN_REGION": "us",
    "ADYEN_HMAC_KEYS": f"{HMAC}, {'a5' * 32}",
}


def test_a_provider_is_made_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    settings = AdyenProvider.from_env(timeout=3).adapter.settings
    assert settings.account_id == f"{ACCOUNT}@us"
    assert len(settings.webhook_secrets) == 2
    assert settings.timeout == 3
    for name in ("ADYEN_API_KEY", "ADYEN_MERCHANT_ACCOUNT", "ADYEN_ENVIRONMENT"):
        with monkeypatch.context() as patch:
            patch.delenv(name)
            with pytest.raises(ConfigurationError, match=name):
                AsyncAdyenProvider.from_env()


def test_the_plugin_is_found_by_its_name() -> None:
    assert plugin_named("adyen") is PLUGIN
    assert PLUGIN.spec.name == "adyen"


def test_the_plugin_says_what_is_wrong_with_credentials_and_repeats_none() -> None:
    told = {one.name: one for one in PLUGIN.credentials(ENVIRON)}
    assert [one.problem for one in told.values()] == [None] * len(told)
    assert told.keys() >= ENVIRON.keys() - {"ADYEN_REGION", "ADYEN_HMAC_KEYS"}
    assert {"ADYEN_HMAC_KEYS #1", "ADYEN_HMAC_KEYS #2"} <= told.keys()
    nothing = PLUGIN.credentials({})
    assert all(one.problem and one.kind is None for one in nothing)
    wrong = {**ENVIRON, "ADYEN_API_KEY": HMAC, "ADYEN_HMAC_KEYS": "0", "ADYEN_ENVIRONMENT": "prod"}
    problems = {one.name for one in PLUGIN.credentials(wrong) if one.problem}
    assert problems == {"ADYEN_API_KEY", "ADYEN_HMAC_KEYS", "ADYEN_ENVIRONMENT"}
    bare = {**ENVIRON, "ADYEN_LIVE_URL_PREFIX": ""}
    assert any("live payments" in (one.problem or "") for one in PLUGIN.credentials(bare))
    shown = repr([PLUGIN.credentials(one) for one in (ENVIRON, wrong, bare)])
    assert API_KEY not in shown
    assert HMAC not in shown
