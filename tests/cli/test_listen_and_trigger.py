"""`payport listen` and `payport trigger`: a provider's events at a local application."""

import json
from collections import Counter
from importlib.metadata import EntryPoint

import httpx
import pytest
from clis import KEY, SECRET, process, receiver, wait_for

from payport import Payport
from payport.cli.simulated import finding
from payport.providers.stripe import StripeProvider
from payport.testing.simulated import GROUP
from payport.testing.stripe_simulator import SIGNING_SECRET
from payport.testing.stripe_simulator.scenarios import SCENARIOS

PAID = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


def shop(tmp_path, secret=SIGNING_SECRET):
    """A local application: receives as it should."""
    provider = StripeProvider(api_key=KEY, webhook_secrets=[secret])
    return Payport(provider, scope="shop", store=f"sqlite:///{tmp_path}/shop.db")


def types(got):
    return [json.loads(body)["type"] for body, _ in got]


@pytest.mark.parametrize("event", SCENARIOS)
def test_every_scenario_brings_the_event_that_it_is_named_after(cli, event):
    told = cli("trigger", event, "--json").lines

    assert event in [one["type"] for one in told]
    assert all(one["object"] == "event" and not one["livemode"] for one in told)


def test_an_unknown_event_is_refused_with_those_that_there_are(cli):
    said = cli("trigger", "payment_intent.exploded", code=2).err

    assert "payment_intent.succeeded" in said


def test_events_come_in_the_order_of_things_once_each(cli):
    with receiver() as (url, got):
        told = cli("trigger", "payment_intent.succeeded", "--forward-to", url, "--json").lines

    assert types(got) == PAID
    assert [list(one) for one in told] == [["event", "type", "status"]] * 3
    assert {one["status"] for one in told} == {200}


def test_duplicates_and_any_order_are_asked_for_and_repeatable(cli):
    def order(*more):
        with receiver() as (url, got):
            cli(
                *("trigger", "payment_intent.succeeded", "--duplicate", 3, *more),
                *("--forward-to", url),
            )
        return types(got)

    ordered, shuffled = order(), order("--shuffle", "--seed", 7)

    assert ordered == [event for event in PAID for _ in range(4)]
    assert Counter(shuffled) == Counter(ordered)
    assert shuffled != ordered
    assert order("--shuffle", "--seed", 7) == shuffled


def test_each_run_is_about_other_objects(cli):
    first = cli("trigger", "payment_intent.succeeded", "--json").lines
    second = cli("trigger", "payment_intent.succeeded", "--json").lines

    assert not {one["id"] for one in first} & {one["id"] for one in second}
    assert first[0]["data"]["object"]["id"] != second[0]["data"]["object"]["id"]


@pytest.mark.parametrize(
    ("arguments", "env", "secret"),
    [
        ((), {}, SIGNING_SECRET),
        (("--secret", SECRET), {}, SECRET),
        ((), {"STRIPE_WEBHOOK_SECRETS": f"whsec_other,{SECRET}"}, SECRET),
    ],
    ids=["known", "told", "environment"],
)
def test_a_local_application_believes_what_is_signed_with_its_secret(
    cli, tmp_path, arguments, env, secret
):
    with shop(tmp_path, secret) as pay:

        def answer(body, headers):
            pay.webhooks.receive(body=body, headers=headers)
            return 200

        with receiver(answer) as (url, got):
            cli("trigger", "charge.refunded", "--forward-to", url, *arguments, **env)

    assert len(got) == 5


def test_what_the_application_does_not_take_is_told_by_line_and_code(cli):
    with receiver(lambda body, headers: 500) as (url, _):
        ended = cli("trigger", "payment_intent.created", "--forward-to", url, code=1)
    gone = cli("trigger", "payment_intent.created", "--forward-to", url, "--json", code=1)

    assert ended.out.startswith("500 ")
    assert "0 taken, 1 not." in ended.out
    assert gone.lines[0]["status"] is None


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:8000/hook",
        "http://example.com/hook",
        "http://127.0.0.1@example.com/hook",
        "http://127.0.0.1.example.com/",
        "http://[::ffff:8.8.8.8]/",
        "http://127.0.0.1:port/",
        "ftp://localhost/",
        "nonsense",
    ],
)
def test_other_machines_are_refused(cli, url):
    for command in (("trigger", "payment_intent.succeeded"), ("listen",)):
        assert "this machine only" in cli(*command, "--forward-to", url, code=2).err


def test_what_is_no_secret_is_refused_unrepeated(cli):
    with receiver() as (url, _):
        said = cli(
            *("trigger", "payment_intent.created", "--forward-to", url, "--secret", "canary"),
            code=2,
        ).err

    assert "whsec_" in said
    assert "canary" not in said


def test_a_payment_on_the_simulator_reaches_the_application_until_a_signal(tmp_path):
    with (
        receiver() as (url, got),
        process("listen", "--forward-to", url, "--json", cwd=tmp_path) as running,
    ):
        address = json.loads(running.line())["address"]
        answer = httpx.post(
            f"{address}/v1/payment_intents",
            auth=(KEY, ""),
            data={
                "amount": "2000",
                "currency": "usd",
                "confirm": "true",
                "payment_method": "pm_card_visa",
                "return_url": "https://shop.invalid/",
            },
            timeout=10,
        )
        assert answer.status_code == 200
        wait_for(lambda: len(got) == 3)
        ended = running.end()

    assert ended.code == 0
    assert types(got) == PAID
    assert [json.loads(line)["type"] for line in ended.out.splitlines()] == PAID
    assert "Stopping" in ended.err
    assert KEY not in ended.out + ended.err


def test_only_the_types_that_are_asked_for_are_forwarded(tmp_path):
    arguments = ("listen", "--events", "payment_intent.succeeded", "--json")
    with (
        receiver() as (url, got),
        process(*arguments, "--forward-to", url, cwd=tmp_path) as running,
    ):
        address = json.loads(running.line())["address"]
        provider = StripeProvider(api_key=KEY, base_url=address)
        with Payport(provider, scope="s", store=f"sqlite:///{tmp_path}/a.db") as pay:
            from payport import Money  # noqa: PLC0415

            pay.payments.create(
                reference="o", amount=Money(100, "USD"), payment_method="pm_card_visa", confirm=True
            )
        wait_for(lambda: got)
        ended = running.end()

    assert ended.code == 0
    assert types(got) == ["payment_intent.succeeded"]


def test_a_port_that_is_taken_is_one_line(cli):
    with receiver() as (url, _):
        port = url.split(":")[2].split("/")[0]
        ended = cli("listen", "--forward-to", url, "--port", port, code=2)

    assert "--port" in ended.err


# -- whose simulator -------------------------------------------------------------------------------


@pytest.fixture
def offered(monkeypatch):
    """Adds simulators to those that are installed."""

    def add(**values):
        more = [EntryPoint(name, value, GROUP) for name, value in values.items()]
        real = finding.entry_points(group=GROUP)
        monkeypatch.setattr(finding, "entry_points", lambda group: [*real, *more])

    return add


def test_of_several_simulators_one_is_named(cli, offered):
    offered(other="payport.testing.stripe_simulator.commands:SIMULATED")

    unnamed = cli("trigger", "payment_intent.succeeded", code=2).err
    assert "other, stripe" in unnamed
    named = cli("trigger", "payment_intent.succeeded", "--provider", "other", "--json")
    assert types([(json.dumps(one), None) for one in named.lines]) == PAID


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("no_such_package.simulator:SIMULATED", "no_such_package"),
        ("payport.domain.money:Money", "Simulated"),
    ],
)
def test_a_simulator_that_is_broken_is_one_line(cli, offered, value, why):
    offered(broken=value)

    assert why in cli("trigger", "anything", "--provider", "broken", code=2).err
    assert "stripe" in cli("trigger", "anything", "--provider", "nobody", code=2).err
