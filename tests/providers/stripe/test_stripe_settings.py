"""Construction: keys decide the mode, what is not safe is refused, and no key is repeated."""

from __future__ import annotations

import traceback
from typing import Any

import httpx
import pytest
from stripe_help import COLOURS, KEY, SECRET

from payport.domain.errors import ConfigurationError
from payport.domain.identifiers import Environment
from payport.domain.secrets import Secret
from payport.providers.base import AsyncPaymentProvider, PaymentProvider
from payport.providers.spec import ALL_CAPABILITIES, Capability
from payport.providers.stripe import AsyncStripeProvider, StripeProvider

BOTH = pytest.mark.parametrize("provider", [StripeProvider, AsyncStripeProvider])
LIVE = "sk_live_obviously0fake0key"


@BOTH
@pytest.mark.parametrize(
    ("key", "environment"),
    [
        ("sk_test_abc", Environment.TEST),
        ("rk_test_abc", Environment.TEST),
        ("sk_live_abc", Environment.LIVE),
        ("rk_live_abc", Environment.LIVE),
    ],
)
def test_the_key_decides_the_environment(provider: Any, key: str, environment: Environment) -> None:
    assert provider(api_key=key).environment is environment
    assert provider(api_key=Secret(key)).environment is environment


@BOTH
@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("", "blank"),
        ("   ", "blank"),
        (None, "blank"),
        (7, "blank"),
        ("sk_test_abc\n", "whitespace"),
        (" sk_test_abc", "whitespace"),
        ("sk_test_a bc", "whitespace"),
        ("sk_test_a\u00a0bc", "whitespace"),
        ("pk_test_abc", "publishable"),
        ("whsec_abc", "webhook_secrets"),
        ("sk_org_test_abc", "organization"),
        ("sk_abc", "no key of Stripe's"),
        ("sk_prod_abc", "no key of Stripe's"),
        ("sk_test_", "no key of Stripe's"),
        ("SK_TEST_abc", "no key of Stripe's"),
        ("Bearer_sk_test_abc", "no key of Stripe's"),
        ("sk_test_ä", "no key of Stripe's"),
    ],
)
def test_what_is_no_secret_key_is_refused(provider: Any, key: Any, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=hint) as raised:
        provider(api_key=key)
    assert raised.value.field == "api_key"
    if isinstance(key, str) and key.strip():
        check_not_shown(raised.value, key.strip())


@BOTH
@pytest.mark.parametrize(
    "secrets",
    ["whsec_abc", Secret("whsec_abc"), [""], ["sk_test_abc"], ["whsec_"], [" whsec_a"], [None], 7],
)
def test_what_is_no_signing_secret_is_refused(provider: Any, secrets: Any) -> None:
    with pytest.raises(ConfigurationError) as raised:
        provider(api_key=KEY, webhook_secrets=secrets)
    assert raised.value.field == "webhook_secrets"
    check_not_shown(raised.value, KEY)


@BOTH
@pytest.mark.parametrize(
    "url",
    [
        "https://api.stripe.com",
        "https://api.stripe.com/",
        "https://eu.proxy.example:8443",
        "http://127.0.0.1:8420",
        "http://127.9.9.9",
        "http://localhost:1",
        "http://[::1]:8420",
    ],
)
def test_an_address_is_https_or_on_this_machine(provider: Any, url: str) -> None:
    assert provider(api_key=KEY, base_url=url).adapter.settings.base_url == url.rstrip("/")


@BOTH
@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.stripe.com",
        "ftp://api.stripe.com",
        "http://api.stripe.com",
        "http://169.254.169.254",
        "http://10.0.0.1",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "https://user:password@api.stripe.com",
        "https://user@api.stripe.com",
        "https://api.stripe.com/v1",
        "https://api.stripe.com?a=b",
        "https://api.stripe.com#a",
        "https://api.stripe.com:port",
        "https://api.stripe.com:99999",
        "https://api .stripe.com",
        "https://api.stripe.com\n",
        "https://",
        "https://[::1",
        7,
    ],
)
def test_an_address_that_is_not_safe_is_refused(provider: Any, url: Any) -> None:
    with pytest.raises(ConfigurationError) as raised:
        provider(api_key=KEY, base_url=url)
    assert raised.value.field == "base_url"
    assert "password" not in str(raised.value)


@BOTH
def test_a_live_key_is_not_sent_to_a_simulator(provider: Any) -> None:
    with pytest.raises(ConfigurationError, match="live"):
        provider(api_key=LIVE, base_url="http://127.0.0.1:8420")


@BOTH
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account", ""),
        ("account", "cus_1"),
        ("account", "acct_1/../x"),
        ("account", 7),
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", 601),
        ("timeout", float("nan")),
        ("timeout", True),
        ("timeout", "10"),
        ("multicapture", 1),
    ],
)
def test_other_arguments_are_checked_too(provider: Any, field: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as raised:
        provider(api_key=KEY, **{field: value})
    assert raised.value.field == field


def test_a_client_of_the_other_colour_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"httpx\.Client"):
        StripeProvider(api_key=KEY, http_client=httpx.AsyncClient())  # type: ignore[arg-type]
    with httpx.Client() as client, pytest.raises(ConfigurationError, match=r"httpx\.AsyncClient"):
        AsyncStripeProvider(api_key=KEY, http_client=client)  # type: ignore[arg-type]


@BOTH
def test_only_what_the_account_may_is_declared(provider: Any) -> None:
    spec = provider(api_key=KEY).spec
    assert ALL_CAPABILITIES - spec.capabilities == {Capability.MULTIPLE_CAPTURES}
    assert provider(api_key=KEY, multicapture=True).spec.capabilities == ALL_CAPABILITIES
    assert spec.name == "stripe"
    assert spec.idempotency.replays_errors


def test_both_are_providers_of_their_colour() -> None:
    assert isinstance(StripeProvider(api_key=KEY), PaymentProvider)
    assert isinstance(AsyncStripeProvider(api_key=KEY), AsyncPaymentProvider)


# -- the environment ------------------------------------------------------------------------------


@BOTH
def test_the_environment_is_read_when_asked(provider: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", KEY)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS", f" {SECRET} , whsec_new,,")
    one = provider.from_env(account="acct_1", timeout=3)
    assert one.adapter.settings.api_key == Secret(KEY)
    assert [s.reveal() for s in one.adapter.settings.webhook_secrets] == [SECRET, "whsec_new"]
    assert (one.adapter.settings.account, one.adapter.settings.timeout) == ("acct_1", 3.0)
    monkeypatch.delenv("STRIPE_WEBHOOK_SECRETS")
    assert provider.from_env().adapter.settings.webhook_secrets == ()


@BOTH
def test_without_a_key_in_the_environment_it_says_what_to_set(
    provider: Any, monkeypatch: Any
) -> None:
    monkeypatch.delenv("STRIPE_API_KEY", raising=False)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS", SECRET)
    with pytest.raises(ConfigurationError, match="STRIPE_API_KEY") as raised:
        provider.from_env()
    check_not_shown(raised.value, SECRET)
    assert provider.from_env(api_key=KEY).environment is Environment.TEST


@BOTH
def test_the_environment_is_never_read_unasked(provider: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", LIVE)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS", SECRET)
    one = provider(api_key=KEY)
    assert one.environment is Environment.TEST
    assert not one.adapter.settings.webhook_secrets


# -- connected accounts ---------------------------------------------------------------------------


@pytest.mark.parametrize("colour", list(COLOURS))
def test_a_connected_account_is_named_and_nothing_else_changes(colour: str) -> None:
    kind = {"sync": StripeProvider, "async": AsyncStripeProvider}[colour]
    whole: Any = kind(api_key=KEY, webhook_secrets=[SECRET])
    one = whole.for_account("acct_1")
    assert type(one) is kind
    assert one.adapter.settings.account == "acct_1"
    assert one.adapter.settings.api_key == Secret(KEY)
    assert [s.reveal() for s in one.adapter.settings.webhook_secrets] == [SECRET]
    assert one._send is whole._send
    assert whole.adapter.settings.account is None
    assert one.for_account("acct_2").adapter.settings.account == "acct_2"
    with pytest.raises(ConfigurationError):
        whole.for_account("cus_1")


def check_not_shown(error: BaseException, secret: str) -> None:
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    # The frame that a test calls from holds the key, as an application's would: leave it out.
    ours = [frame for frame in shown.stack if "payport/providers" in frame.filename]
    assert ours
    for frame in ours:
        assert secret not in str(frame.locals)
    assert secret not in str(error)
    assert secret not in repr(error)
