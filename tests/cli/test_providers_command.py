"""`payport providers`: which adapters are installed, and what each can do."""

from importlib.metadata import EntryPoint

import pytest

from payport.providers import plugins
from payport.providers.plugins import GROUP, plugin_named
from payport.providers.stripe import StripeProvider
from payport.testing import FakeProvider


@pytest.fixture
def installed(monkeypatch):
    """Adds entry points to those that are installed."""

    def add(**values):
        more = [EntryPoint(name, value, GROUP) for name, value in values.items()]
        real = plugins.entry_points(group=GROUP)
        monkeypatch.setattr(plugins, "entry_points", lambda group: [*real, *more])

    return add


def test_every_adapter_tells_what_it_declares(cli):
    document = cli("providers", "--json").document

    assert document["broken"] == []
    told = {one["name"]: one for one in document["providers"]}
    assert set(told) == {"adyen", "fake", "stripe"}
    adyen, fake, stripe = told["adyen"], told["fake"], told["stripe"]
    assert adyen["idempotency"]["life_seconds"] == 7 * 86_400
    assert (fake["fake"], stripe["fake"]) == (True, False)
    spec = StripeProvider(api_key="sk_test_1").spec
    assert stripe["capabilities"] == sorted(spec.capabilities)
    assert stripe["requests_per_second"] == {"live": 100, "test": 25}
    assert stripe["idempotency"]["life_seconds"] == 86_400
    assert fake["capabilities"] == sorted(FakeProvider().spec.capabilities)


def test_people_read_a_table_of_capabilities(cli):
    said = cli("providers").out

    row = next(line for line in said.splitlines() if "multiple_captures" in line)
    heads = said.splitlines()[0].split()
    assert dict(zip(heads, row.split()[1:], strict=True))["stripe"] == "no"


def test_a_broken_adapter_is_told_of_and_hides_no_other(cli, installed):
    installed(
        missing="no_such_package.adapter:PLUGIN",
        wrong="payport.domain.money:Money",
        without="payport.domain.money:NoSuchName",
    )

    ended = cli("providers", "--json", code=3)

    assert {"fake", "stripe"} <= {one["name"] for one in ended.document["providers"]}
    broken = {one["name"]: one["why"] for one in ended.document["broken"]}
    assert set(broken) == {"missing", "wrong", "without"}
    assert "no_such_package" in broken["missing"]
    assert "Plugin" in broken["wrong"]
    assert "missing is broken" in cli("providers", code=3).out


def test_a_broken_adapter_is_refused_where_it_is_asked_for(cli, installed, tmp_path):
    installed(wrong="payport.domain.money:Money")

    store = ("--store", f"sqlite:///{tmp_path}/a.db", "--scope", "s", "--provider", "wrong")

    assert "cannot be used" in cli("operations", "list", *store, code=2).err


def test_what_is_said_of_credentials_repeats_none_of_them():
    environ = {
        "STRIPE_API_KEY": "rk_live_canary1",
        "STRIPE_PUBLISHABLE_KEY": "sk_test_canary2",
        "STRIPE_WEBHOOK_SECRETS": "whsec_canary3, canary4",
    }

    said = plugin_named("stripe").credentials(environ)

    assert "canary" not in repr(said)
    assert [(one.kind, one.environment, one.problem is None) for one in said] == [
        ("restricted key", "live", True),
        ("secret key", "test", False),
        ("signing secret", None, True),
        ("something else", None, False),
    ]


def test_the_doctor_tells_of_a_broken_adapter_and_why(cli, installed, tmp_path):
    store = ("--store", f"sqlite:///{tmp_path}/a.db", "--scope", "s", "--provider", "fake")
    cli("db", "upgrade", *store[:2])
    found = cli("doctor", *store, "--json", code=None).document["checks"]
    assert [one["ok"] for one in found if one["name"] == "adapters"] == [True]

    installed(missing="no_such_package.adapter:PLUGIN")

    checks = cli("doctor", *store, "--json", code=3).document["checks"]
    (adapters,) = [one for one in checks if one["name"] == "adapters"]
    assert adapters["ok"] is False
    assert "fake" in adapters["said"]
    assert "no_such_package" in adapters["problem"]


def test_the_table_and_the_document_tell_keys_webhooks_and_exceptions(cli):
    said = cli("providers").out
    told = cli("providers", "--json").document["providers"]
    (document,) = [one for one in told if one["name"] == "stripe"]

    for row in ("idempotency keys", "webhooks are", "decimals unlike ISO 4217", "unknown outcomes"):
        assert row in said
    assert document["webhooks"] == "signed"
    assert document["exponents"] == {"ISK": 2, "MGA": 0, "UGX": 2}
    assert document["idempotency"]["replays_errors"] is True
    assert document["limits"]["metadata_keys"] == 47
