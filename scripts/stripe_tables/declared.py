"""What the adapter declares: capabilities, keys, resolution, limits, currencies."""

from collections.abc import Callable

from payport import Money, PayportError
from payport.domain._currencies import EXPONENTS as STANDARD
from payport.providers.spec import Capability
from payport.providers.stripe import StripeProvider
from payport.providers.stripe.objects import CAPTURE_TAG, TAG
from payport.providers.stripe.settings import DEFAULT_BASE_URL
from payport.providers.stripe.spec import API_VERSION, EXPONENTS, STEPS, spec_with, wire_amount
from stripe_tables.markdown import code, table
from stripe_tables.specs import idempotency_of, limits_of, resolution_of

__all__ = ["TABLES"]

_AS_IT_COMES = spec_with(multicapture=False)
_ASKED = spec_with(multicapture=True)


def capabilities_table() -> str:
    """What is declared, as it comes and where the account may more."""
    rows = []
    for capability in Capability:
        if _AS_IT_COMES.has(capability):
            declared = "yes"
        else:
            declared = "with `multicapture=True`" if _ASKED.has(capability) else "no"
        rows.append((code(capability), declared))
    return table(("capability", "declared"), rows)


def currencies_table() -> str:
    """Currencies that Stripe counts otherwise than ISO 4217, and those that it rounds."""
    rows = [
        (
            code(currency),
            str(STANDARD[currency]),
            str(exponent),
            code(f"{Money.from_major('5', currency)} -> amount={_wire(currency)}"),
        )
        for currency, exponent in EXPONENTS.items()
    ]
    rows += [
        (
            code(currency),
            str(STANDARD[currency]),
            f"multiples of {step}",
            f"{code(_finest(currency, step))}",
        )
        for currency, step in STEPS.items()
    ]
    return table(("currency", "ISO 4217", "Stripe", "example"), rows)


def _wire(currency: str) -> int:
    return wire_amount(Money.from_major("5", currency), "docs")


def _finest(currency: str, step: int) -> str:
    return f"{Money(5 * step, currency)} -> amount={wire_amount(Money(5 * step, currency), 'docs')}"


def names_table() -> str:
    """Constants that a reader may look for."""
    rows = [
        ("API version, sent with every request", code(API_VERSION)),
        ("address", code(DEFAULT_BASE_URL)),
        ("our key on what was made", code(f"metadata[{TAG}]")),
        ("our key on a payment that was captured", code(f"metadata[{CAPTURE_TAG}]")),
        ("currencies", f"those of ISO 4217 ({len(STANDARD)})"),
    ]
    return table(("what", "value"), rows)


def refused_table() -> str:
    """Keys, secrets and addresses that are refused, by passing them."""
    cases: list[tuple[str, dict[str, object]]] = [
        ("`pk_...`", {"api_key": "pk_test_1"}),
        ("`whsec_...` as a key", {"api_key": "whsec_1"}),
        ("`sk_org_...`", {"api_key": "sk_org_test_1"}),
        ("blank", {"api_key": " "}),
        ("with a line break", {"api_key": "sk_test_1\n"}),
        ("a key as a webhook secret", {"api_key": "sk_test_1", "webhook_secrets": ["sk_test_1"]}),
        ("one secret without a list", {"api_key": "sk_test_1", "webhook_secrets": "whsec_1"}),
        ("http elsewhere", {"api_key": "sk_test_1", "base_url": "http://stripe.example"}),
        (
            "a live key for a simulator",
            {"api_key": "rk_live_1", "base_url": "http://127.0.0.1:8420"},
        ),
        ("an account that is none", {"api_key": "sk_test_1", "account": "cus_1"}),
    ]
    rows = []
    for what, given in cases:
        try:
            StripeProvider(**given)  # type: ignore[arg-type]
        except PayportError as error:
            rows.append((what, f"{code(type(error).__name__)}: {error.field}: {error.message}"))
    return table(("what is passed", "what is raised"), rows)


def modes_table() -> str:
    """Which key is of which environment."""
    keys = ("sk_test_1", "rk_test_1", "sk_live_1", "rk_live_1")
    rows = [
        (code(f"{key.removesuffix('1')}..."), code(StripeProvider(api_key=key).environment))
        for key in keys
    ]
    return table(("key", "environment"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "capabilities": capabilities_table,
    "idempotency": lambda: idempotency_of(_AS_IT_COMES, "Stripe"),
    "resolution": lambda: resolution_of(_AS_IT_COMES),
    "limits": lambda: limits_of(_AS_IT_COMES),
    "currencies": currencies_table,
    "names": names_table,
    "keys-refused": refused_table,
    "modes": modes_table,
}
