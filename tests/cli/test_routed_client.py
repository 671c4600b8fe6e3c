"""The command line and a client with several providers."""

from datetime import timedelta

import pytest
from clis import APP

from payport import AsyncPayport, Money, Payport
from payport.providers.routing import AsyncRouter, Router, Rule
from payport.storage.memory import AsyncMemoryStore
from payport.testing import AsyncFakeProvider, Bank, ConnectionRefused, Crash, CrashAfter
from payport.testing import FakeProvider as Fake

RULES = [Rule("b", currencies={"EUR"}, name="euros"), Rule({"a": 90, "b": 10}), Rule("b")]


@pytest.fixture
def routed(shop):
    """A shop whose client has a router of `a` and `b`; `shop.names` says which are configured."""
    shop.names = ("a", "b")
    shop.rules = RULES
    banks = {}
    for number, name in enumerate(("a", "b", "c"), 1):
        behaviour = Fake(name=name).bank.behaviour
        banks[name] = Bank(behaviour=behaviour, clock=shop.bank.clock, first_number=number * 1000)
    shop.banks = banks

    def make():
        if shop.colour == "async":
            members = [AsyncFakeProvider(bank=banks[name]) for name in shop.names]
            router = AsyncRouter(members, shop.rules)
            return AsyncPayport(router, store=AsyncMemoryStore(shop.store))
        members = [Fake(bank=banks[name]) for name in shop.names]
        return Payport(Router(members, shop.rules), store=shop.store)

    shop.make = make
    import cli_shop  # noqa: PLC0415 - what the fixture `shop` made

    cli_shop.make = make
    return shop


def buy(shop, reference="order_1", fault=None, **more):
    """A payment by a blocking client of the test's own."""
    members = {name: Fake(bank=shop.banks[name]) for name in shop.names}
    pay = Payport(Router(members.values(), shop.rules), store=shop.store)
    if fault is not None:
        members["b"].next("create_payment", fault)
    asked = {"amount": Money(500, "EUR"), "payment_method": "pm_card_visa", "confirm": True}
    return pay.payments.create(reference=reference, **{**asked, **more})


def test_operations_say_their_provider_and_why(cli, routed):
    buy(routed)
    (listed,) = cli("operations", "list", *APP, "--json").document["operations"]
    assert (listed["provider"], listed["route"]) == ("b", "b: rule 1 (euros)")
    table = cli("operations", "list", *APP).out
    assert "why this provider" in table


def test_a_failover_is_seen_in_the_journal(cli, routed):
    buy(routed, fault=ConnectionRefused())
    (listed,) = cli("operations", "list", *APP, "--json").document["operations"]
    assert listed["provider"] != "b"
    assert "nothing was sent to b (the connection was refused)" in listed["route"]


def test_providers_shows_the_router(cli, routed):
    document = cli("providers", "--app", "cli_shop:make", "--json").document
    assert document["router"] == {
        "providers": [
            {"name": "a", "breaker": "closed", "new_payments": True},
            {"name": "b", "breaker": "closed", "new_payments": True},
        ],
        "rules": [
            {"number": 1, "to": ["b"], "when": "euros"},
            {"number": 2, "to": ["a", "b"], "when": "every payment; 90% a, 10% b"},
            {"number": 3, "to": ["b"], "when": "every payment"},
        ],
    }
    shown = cli("providers", "--app", "cli_shop:make").out
    assert "in the router" in shown
    assert "90% a, 10% b" in shown


def test_providers_shows_no_router_where_there_is_none(cli, shop):
    assert "router" not in cli("providers", "--app", "cli_shop:make", "--json").document


def test_the_doctor_looks_at_each_provider(cli, routed):
    checks = cli("doctor", *APP, "--json", code=None).document["checks"]
    named = {one["name"]: one for one in checks}
    for name in ("a", "b"):
        for what in ("webhook secret", "account", "clock", "breaker"):
            assert named[f"{name}: {what}"]["name"]
        assert named[f"{name}: account"]["said"] == "acct_fake at fake://bank"
    assert named["client"]["said"] == "a and b, test, 'test'"
    assert named["router"]["said"] == "3 rules"
    assert named["waiting elsewhere"] == {
        "name": "waiting elsewhere",
        "ok": True,
        "said": "none",
        "problem": None,
    }


def test_doctor_and_recovery_tell_what_waits_for_a_provider_that_is_gone(cli, routed):
    with pytest.raises(Crash):
        buy(routed, fault=CrashAfter())
    routed.bank.clock.advance(timedelta(minutes=5))
    routed.names, routed.rules = ("a", "c"), [Rule("c")]
    checks = cli("doctor", *APP, "--json", code=None).document["checks"]
    waiting = next(one for one in checks if one["name"] == "waiting elsewhere")
    assert (waiting["ok"], waiting["said"]) == (False, "1 for b")
    assert "add b to the router again, without rules" in waiting["problem"]
    router = next(one for one in checks if one["name"] == "router")
    assert router["said"] == "1 rules; only finishing: a"
    done = cli("operations", "recover", *APP, "--json", code=None)
    assert done.document["waiting"] == {"b": 1}
    assert done.code != 0
    assert "1 for b" in cli("operations", "recover", *APP, code=None).out
    routed.names = ("a", "b", "c")
    assert cli("operations", "recover", *APP, "--json").document["concluded"] == 1
    assert routed.banks["b"].charged("order_1") == Money(500, "EUR")


def test_doctor_and_stats_tell_of_webhooks_of_a_provider_that_is_gone(cli, routed):
    buy(routed)
    members = {name: Fake(bank=routed.banks[name]) for name in routed.names}
    pay = Payport(Router(members.values(), routed.rules), store=routed.store)
    (request,) = members["b"].webhooks()
    pay.webhooks.receive(body=request.body, headers=request.headers, provider="b")
    routed.bank.clock.advance(timedelta(minutes=11))
    routed.names, routed.rules = ("a", "c"), [Rule("c")]
    counts = cli("webhooks", "stats", *APP, "--json", code=3).document
    assert counts["elsewhere"] == {"b": 1}
    assert "waiting for b, which this client has not" in cli("webhooks", "stats", *APP, code=3).out
    checks = cli("doctor", *APP, "--json", code=3).document["checks"]
    waiting = next(one for one in checks if one["name"] == "webhooks elsewhere")
    assert (waiting["ok"], waiting["said"]) == (False, "1 for b")
    assert "add b to the router again" in waiting["problem"]
    routed.names = ("a", "b", "c")
    pay.webhooks.process_due()
    assert cli("webhooks", "stats", *APP, "--json").document["elsewhere"] == {}
