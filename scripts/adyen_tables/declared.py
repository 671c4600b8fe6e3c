"""What the adapter declares: capabilities, keys, resolution, limits, currencies, and constants."""

from collections.abc import Callable

from stripe_tables.markdown import code, listed, table
from stripe_tables.specs import idempotency_of, limits_of, resolution_of

from adyen_tables.shop import provider, settings
from payport import Money, PayportError
from payport.domain._currencies import EXPONENTS as STANDARD
from payport.providers.adyen.settings import Region
from payport.providers.adyen.spec import (
    API_VERSION,
    CURRENCIES,
    EXPONENTS,
    UNSTORABLE,
    spec_with,
    wire_amount,
)
from payport.providers.spec import Capability

__all__ = ["TABLES"]

_ONE = spec_with(multicapture=False, cancel_lost=False)
_SEVERAL = spec_with(multicapture=True, cancel_lost=True)


def capabilities_table() -> str:
    """What is declared, as it comes and where the account may more."""
    rows = []
    for capability in Capability:
        both = _ONE.has(capability), _SEVERAL.has(capability)
        declared = {
            (True, True): "yes",
            (False, False): "no",
            (True, False): "unless `multicapture=True`",
            (False, True): "with `multicapture=True`",
        }[both]
        rows.append((code(capability), declared))
    rows.append(("results of customers' actions are handed in", _yes(_ONE.takes_action_results)))
    rows.append(("lost payments can be canceled", f"with {code('cancel_lost=True')}"))
    return table(("capability", "declared"), rows)


def _yes(declared: bool) -> str:  # noqa: FBT001 - a word for it
    return "yes" if declared else "no"


def currencies_table() -> str:
    """Currencies that Adyen counts otherwise than ISO 4217."""
    rows = [
        (
            code(currency),
            str(STANDARD[currency]),
            str(exponent),
            code(f"{Money.from_major('5', currency)} -> value={_wire(currency)}"),
        )
        for currency, exponent in EXPONENTS.items()
    ]
    return table(("currency", "ISO 4217", "Adyen", "example"), rows)


def _wire(currency: str) -> object:
    return wire_amount(Money.from_major("5", currency), "docs")["value"]


def names_table() -> str:
    """Constants that a reader may look for."""
    rows = [
        ("API version, part of every path", code(API_VERSION)),
        ("address for test", code(settings().base_url)),
        *[
            (f"address for live, {code(f'region={region.value!r}')}", code(_at(region)))
            for region in Region
        ],
        ("never stored", listed(sorted(UNSTORABLE))),
        ("currencies", f"{len(CURRENCIES)} of ISO 4217's {len(STANDARD)}"),
    ]
    return table(("what", "value"), rows)


def _at(region: Region) -> str:
    made = settings(environment="live", live_url_prefix="0-PREFIX", region=region)
    return (made.base_url + made.path).replace("0-PREFIX", "{prefix}")


def refused_table() -> str:
    """What is refused when a provider is constructed, by passing it."""
    live = {"environment": "live", "live_url_prefix": "0-Company"}
    cases: list[tuple[str, dict[str, object]]] = [
        ("a blank key", {"api_key": " "}),
        ("a key with a line break", {"api_key": "AQE_obviously_fake\n"}),
        ("a client key", {"api_key": "test_" + "A" * 32}),
        ("an HMAC key as API key", {"api_key": "0" * 64}),
        ("a test key for live", {**live, "api_key": "test_something_long"}),
        ("no merchant account", {"merchant_account": ""}),
        ("an HMAC key that is not hexadecimal", {"webhook_secrets": ["x" * 64]}),
        ("an HMAC key that is too short", {"webhook_secrets": ["5a" * 16]}),
        ("one HMAC key without a list", {"webhook_secrets": "5a" * 32}),
        ("live without a prefix", {"environment": "live"}),
        ("test with a prefix", {"live_url_prefix": "0-Company"}),
        ("another environment", {"environment": "production"}),
        ("another region", {"region": "mars"}),
        ("live at the test address", {**live, "base_url": "https://checkout-test.adyen.com"}),
        (
            "test at a live address",
            {"base_url": "https://0-Company-checkout-live.adyenpayments.com"},
        ),
        ("live at a simulator", {**live, "base_url": "http://127.0.0.1:8421"}),
        ("http elsewhere", {"base_url": "http://adyen.example"}),
    ]
    rows = []
    for what, given in cases:
        try:
            provider(**given)
        except PayportError as error:
            rows.append((what, f"{code(type(error).__name__)}: {error.field}: {error.message}"))
        else:
            raise LookupError(what)
    return table(("what is passed", "what is raised"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "capabilities": capabilities_table,
    "idempotency": lambda: idempotency_of(_ONE, "Adyen"),
    "resolution": lambda: resolution_of(_ONE),
    "limits": lambda: limits_of(_ONE),
    "currencies": currencies_table,
    "names": names_table,
    "refused": refused_table,
}
