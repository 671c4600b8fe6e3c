"""Which client a command works with, and what is said where it finds none."""

import sys
import types

import pytest
from clis import APP, KEY, SECRET, process

from payport import Payport
from payport.testing import FakeProvider


@pytest.fixture
def module(monkeypatch):
    made = types.ModuleType("cli_other")
    monkeypatch.setitem(sys.modules, "cli_other", made)
    return made


def refused(ended):
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("payport: ")
    assert ended.err.count("\n") == 1
    return ended.err


def test_an_instance_a_factory_and_what_is_inside_something_are_found(cli, module):
    module.pay = Payport(FakeProvider())
    module.make = lambda: Payport(FakeProvider())
    module.shop = types.SimpleNamespace(make=module.make)

    for app in ("cli_other:pay", "cli_other:make", "cli_other:shop.make"):
        cli("operations", "list", "--app", app)


def test_the_environment_names_the_client_unless_the_line_does(cli, shop, tmp_path):
    shop.buy()
    store = ("--store", f"sqlite:///{tmp_path}/a.db", "--provider", "fake", "--scope", "s")

    named = cli("operations", "list", "--json", PAYPORT_APP="cli_shop:make").document
    other = cli("operations", "list", *store, "--json", PAYPORT_APP="cli_shop:make").document

    assert (len(named["operations"]), len(other["operations"])) == (1, 0)


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("cli_shop", "module:attribute"),
        ("cli_shop:", "module:attribute"),
        ("no_such_module:pay", "cannot be imported: ModuleNotFoundError (no_such_module)"),
        ("cli_shop:missing", "has no 'missing'"),
        ("cli_shop:__name__", "no Payport or AsyncPayport"),
    ],
)
def test_what_is_no_client_is_refused(cli, shop, app, said):
    assert said in refused(cli("operations", "list", "--app", app, code=None))


def test_what_a_factory_raised_is_not_repeated(cli, module):
    def fail():
        raise ValueError(f"{KEY} is no good")

    module.make = fail

    said = refused(cli("operations", "list", "--app", "cli_other:make", code=None))

    assert "ValueError" in said
    assert "--debug" in said


def test_nothing_named_is_refused_with_what_to_do(cli):
    said = refused(cli("operations", "list", code=None))

    assert "--app" in said
    assert "--store" in said


def test_an_application_has_its_own_store(cli, shop, tmp_path):
    store = ("--store", f"sqlite:///{tmp_path}/a.db")

    refused(cli("operations", "list", *APP, *store, code=None))
    refused(cli("operations", "list", *APP, "--provider", "stripe", code=None))


def test_a_store_needs_a_scope_a_provider_and_its_key(cli, tmp_path):
    store = ("--store", f"sqlite:///{tmp_path}/a.db")

    stripe = (*store, "--provider", "stripe")

    assert "--provider" in refused(cli("operations", "list", *store, code=None))
    assert "STRIPE_API_KEY" in refused(cli("operations", "list", *stripe, code=None))
    assert "scope" in refused(cli("operations", "list", *stripe, code=None, STRIPE_API_KEY=KEY))
    assert "no installed package offers" in refused(
        cli("operations", "list", *store, "--provider", "nobody", code=None)
    )


def test_a_store_is_enough_with_the_key_in_the_environment(cli, tmp_path):
    store = ("--store", f"sqlite:///{tmp_path}/a.db", "--scope", "shop", "--provider", "stripe")

    ended = cli("operations", "list", *store, "--json", STRIPE_API_KEY=KEY)

    assert ended.document == {"operations": [], "next_cursor": None}


@pytest.mark.parametrize(
    "command",
    [
        ("operations", "recover"),
        ("operations", "resolve", "op", "executed", "--author", "zoe", "--reason", "why"),
        ("webhooks", "worker"),
    ],
    ids=str,
)
def test_what_handlers_are_told_of_needs_the_application(cli, tmp_path, command):
    store = ("--store", f"sqlite:///{tmp_path}/a.db", "--scope", "s", "--provider", "fake")

    assert "handlers" in refused(cli(*command, *store, code=None))
    assert not (tmp_path / "a.db").exists()


def test_a_password_in_a_url_is_never_repeated(cli):
    url = "postgresql://shop:hunter2canary@127.0.0.1:1/payments"

    for arguments in (("db", "check", url), ("db", "check", url.replace("postgresql", "mysql"))):
        ended = cli(*arguments, code=None)
        assert ended.code in {2, 4}
        assert "hunter2canary" not in ended.out + ended.err


def test_the_applications_folder_is_searched(tmp_path):
    (tmp_path / "my_shop.py").write_text(
        "from payport import Payport\nfrom payport.testing import FakeProvider\n"
        "def make():\n    return Payport(FakeProvider())\n"
    )

    with process("operations", "list", "--app", "my_shop:make", "--json", cwd=tmp_path) as running:
        ended = running.wait()

    assert (ended.code, ended.err) == (0, "")
    assert ended.document == {"operations": [], "next_cursor": None}


def test_debug_shows_where_an_error_came_from_and_no_values(tmp_path):
    (tmp_path / "my_shop.py").write_text(
        "import os\nfrom payport import Payport\n"
        "from payport.providers.stripe import StripeProvider\n"
        "def make():\n"
        "    secret = os.environ['MY_KEY']\n"
        "    return Payport(StripeProvider(api_key=secret + '!'), scope='s', store='memory')\n"
    )
    arguments = ("operations", "list", "--app", "my_shop:make", "--debug")

    with process(*arguments, cwd=tmp_path, MY_KEY=KEY) as running:
        ended = running.wait()

    assert ended.code == 1
    assert "Traceback" in ended.err
    assert KEY not in ended.err
    assert SECRET not in ended.err
