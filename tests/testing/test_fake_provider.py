"""The fake as a provider: set up, colours, answers, secrets."""

from __future__ import annotations

import asyncio
import copy
import inspect
import io
import json
import logging
import pickle
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import pytest
from fake_calls import (
    DOLLARS,
    ask,
    canceling,
    capturing,
    confirming,
    creating,
    failed,
    new_key,
    paid,
    read,
    refunding,
    told,
)

import payport.testing
from payport.domain.errors import (
    ConfigurationError,
    InvalidRequest,
    PayportError,
    UnsupportedOperation,
)
from payport.domain.facts import RefundStatus
from payport.domain.frozen import FrozenMapping
from payport.domain.identifiers import Environment
from payport.domain.money import Money
from payport.domain.outcomes import FailureKind
from payport.domain.secrets import Secret
from payport.operations.clock import SystemClock
from payport.providers.base import AsyncPaymentProvider, PaymentProvider
from payport.providers.commands import Lookup
from payport.providers.exchange import Call, Response
from payport.providers.listings import PaymentsQuery, RefundsQuery
from payport.providers.outcomes import Account, Answer, Failure
from payport.providers.spec import Capability, Resolution
from payport.testing import (
    AsyncFakeProvider,
    Bank,
    Behaviour,
    FakeClock,
    FakeProvider,
    Garbled,
    LostResponse,
    Tokens,
    adyen_like,
    keyless,
)
from payport.testing.fake.server import FakeServer

# -- set up ---------------------------------------------------------------------------------------


def test_it_needs_no_set_up():
    fake = FakeProvider()

    paid(fake, "pm_card_visa")

    assert fake.bank.charged("order_1") == DOLLARS


def test_it_is_a_provider_of_its_colour():
    assert isinstance(FakeProvider(), PaymentProvider)
    assert isinstance(AsyncFakeProvider(), AsyncPaymentProvider)
    assert inspect.iscoroutinefunction(AsyncFakeProvider().create_payment)
    assert not inspect.iscoroutinefunction(FakeProvider().create_payment)


def test_both_colours_take_the_same_arguments():
    for name in ("__init__", "next", "decide", "webhooks", "deliver", "revoke_key"):
        sync, awaited = (
            inspect.signature(getattr(kind, name)).parameters.keys()
            for kind in (FakeProvider, AsyncFakeProvider)
        )
        assert sync == awaited


def test_it_stands_in_front_of_a_bank_that_is_passed():
    bank = Bank(clock=FakeClock())
    fake, other = FakeProvider(bank=bank), AsyncFakeProvider(bank=bank)

    ref = paid(fake)

    assert bank is fake.bank is other.bank
    outcome = asyncio.run(other.retrieve_payment(ref, Call()))
    assert isinstance(outcome, Answer)


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("behaviour", keyless()),
        ("clock", FakeClock()),
        ("environment", Environment.LIVE),
        ("account", "acct_other"),
    ],
)
@pytest.mark.parametrize("make", [FakeProvider, AsyncFakeProvider])
def test_what_is_passed_beside_a_bank_has_to_be_the_banks(make, field, other):
    bank = Bank()

    make(bank=bank, **{field: getattr(bank, field)})
    with pytest.raises(ConfigurationError, match=field):
        make(bank=bank, **{field: other})


@pytest.mark.parametrize("secrets", ["whsec_fake_0001", ["  "], [""], [None]])
def test_a_wrong_secret_is_refused_when_it_is_passed(secrets):
    with pytest.raises(ConfigurationError):
        FakeProvider(webhook_secrets=secrets)


def test_a_bank_signs_with_something():
    with pytest.raises(ConfigurationError, match="signing_secrets"):
        Bank(signing_secrets=[])
    with pytest.raises(ConfigurationError, match="signing_secrets"):
        FakeProvider(webhook_secrets=[])


def test_a_clock_that_nobody_can_advance_is_not_offered_for_that():
    fake = FakeProvider(clock=SystemClock())

    told(fake, creating())
    with pytest.raises(ConfigurationError, match="FakeClock"):
        _ = fake.clock


def test_it_tells_its_account_and_environment():
    fake = FakeProvider(account="acct_7", environment=Environment.LIVE)

    assert Account(id="acct_7", endpoint="fake://bank") == fake.account(Call())
    assert Environment.LIVE is fake.environment


@pytest.mark.parametrize("garbage", [b"{}", b'{"id": 7}', b"<html>"])
def test_an_account_that_cannot_be_read_is_unknown(garbage):
    fake = FakeProvider()
    fake.next("account", Garbled(body=garbage))

    outcome = fake.account(Call())

    assert isinstance(outcome, Failure)
    assert FailureKind.UNKNOWN is outcome.kind


def test_closing_it_frees_nothing_as_nothing_was_opened():
    fake, awaited = FakeProvider(), AsyncFakeProvider()

    fake.close()
    fake.close()
    asyncio.run(awaited.aclose())

    paid(fake)


def test_the_async_one_neither_blocks_nor_starts_threads():
    before = threading.active_count()

    async def both() -> list[str]:
        fake, order = AsyncFakeProvider(), []

        async def one(name: str) -> None:
            for _ in range(3):
                await fake.create_payment(creating(), Call(key=new_key()))
                order.append(name)

        await asyncio.gather(one("a"), one("b"))
        return order

    assert asyncio.run(both()) == ["a", "b", "a", "b", "a", "b"]
    assert before == threading.active_count()


def test_a_task_that_is_canceled_before_its_answer_may_have_charged():
    fake, key = AsyncFakeProvider(), new_key()

    async def cancels() -> None:
        task = asyncio.create_task(fake.create_payment(creating(), Call(key=key)))
        while not fake.bank.requests(key):  # noqa: ASYNC110 - the bank tells nobody
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancels())

    assert fake.bank.effects(key) == 1


def test_a_task_that_is_canceled_before_its_request_left_charged_nobody():
    fake, key = AsyncFakeProvider(), new_key()

    async def cancels() -> None:
        task = asyncio.create_task(fake.create_payment(creating(), Call(key=key)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancels())

    assert fake.bank.requests(key) == 0


def test_one_event_loop_after_another_is_fine():
    fake = AsyncFakeProvider()

    for number in (1, 2):
        asyncio.run(fake.create_payment(creating(), Call(key=new_key())))
        assert number == len(fake.bank.payments)


# -- answers --------------------------------------------------------------------------------------


@pytest.fixture
def fake():
    return FakeProvider()


def test_an_answer_says_which_request_it_answers_and_when(fake):
    fake.clock.advance(90)

    answer = ask(fake, creating())

    assert answer.request_id == "rq_000001"
    assert fake.clock.now() == answer.provider_time


def test_reading_a_payment_tells_all_its_effects(fake):
    ref = paid(fake)
    told(fake, refunding(ref))
    fake.bank.dispute(ref, Money(100, "USD"))

    facts = read(fake, ref)

    assert [len(f) for f in (facts.attempts, facts.captures, facts.refunds, facts.disputes)] == [
        1,
        1,
        1,
        1,
    ]
    assert {ref} == {f.attempt_ref for f in (*facts.captures, *facts.refunds, *facts.disputes)}


def test_a_refund_can_be_read(fake):
    refund = told(fake, refunding(paid(fake))).refunds[0]

    outcome = fake.retrieve_refund(refund.ref, Call())

    assert isinstance(outcome, Answer)
    assert (refund,) == outcome.facts.refunds
    assert RefundStatus.SUCCEEDED is outcome.facts.refunds[0].status


def test_absence_is_told_as_absence(fake):
    for outcome in (
        fake.retrieve_payment("bp_000009", Call()),
        fake.retrieve_refund("br_000009", Call()),
        fake.find(Lookup(key=new_key(), command=creating()), Call()),
    ):
        assert isinstance(outcome, Failure)
        assert FailureKind.NOT_FOUND is outcome.kind


def test_the_raw_payload_is_kept_and_sealed(fake):
    facts = told(fake, creating())

    assert facts.attempts[0].raw.value["ref"] == "bp_000001"
    assert facts.captures[0].raw is facts.attempts[0].raw


def test_terms_arrive_at_the_bank(fake):
    customer = fake.bank.add_customer()
    told(
        fake,
        creating(
            customer=customer,
            description="A thing",
            return_url="https://shop.invalid/back",
            metadata={"cart": "7"},
            attempt=3,
        ),
    )

    order = fake.bank.payment("order_1").order
    assert (customer, "A thing", 3) == (order.customer, order.description, order.attempt)
    assert order.metadata == {"cart": "7"}


def test_terms_of_a_refund_arrive_at_the_bank(fake):
    command = refunding(paid(fake))
    told(fake, type(command)(**{**_fields(command), "metadata": FrozenMapping({"why": "late"})}))

    (refund,) = fake.bank.refunds
    assert (refund.reference, refund.metadata) == ("return_1", {"why": "late"})


def _fields(value):
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


@pytest.mark.parametrize(
    "ref", ["", "../account", "bp_1/refunds", "bp_1?x=1", "bp%2F1", "bp 1", "bp_é"]
)
def test_an_id_that_leads_elsewhere_is_refused_before_anything_is_sent(fake, ref):
    for asks in (
        lambda: ask(fake, confirming(ref)),
        lambda: ask(fake, capturing(ref)),
        lambda: ask(fake, canceling(ref)),
        lambda: ask(fake, refunding(ref)),
        lambda: fake.retrieve_payment(ref, Call()),
        lambda: fake.retrieve_refund(ref, Call()),
    ):
        with pytest.raises(InvalidRequest, match="payment_ref"):
            asks()
    assert fake.bank.vault.arrived.total() == 0


def test_what_a_bank_lacks_is_refused_before_anything_is_sent():
    fake = FakeProvider(behaviour=adyen_like())

    for asks in (
        lambda: ask(fake, creating(confirm=False)),
        lambda: fake.retrieve_payment("bp_000001", Call()),
        lambda: fake.retrieve_refund("br_000001", Call()),
        lambda: fake.find(Lookup(key=new_key(), command=creating()), Call()),
        lambda: fake.list_payments(PaymentsQuery(), Call()),
        lambda: fake.list_refunds(RefundsQuery(payment_ref="bp_000001"), Call()),
    ):
        with pytest.raises(UnsupportedOperation):
            asks()
    assert fake.bank.vault.arrived.total() == 0


def test_a_bank_may_lack_anything():
    poor = Behaviour(
        name="poor",
        idempotency=keyless().idempotency,
        resolution=(Resolution.REVIEW,),
        lacks=frozenset(Capability),
    )
    fake = FakeProvider(behaviour=poor)

    for command in (
        creating(manual=True),
        capturing("bp_000001"),
        canceling("bp_000001"),
        refunding("bp_000001"),
    ):
        with pytest.raises(UnsupportedOperation):
            ask(fake, command)
    paid(fake)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/nowhere"),
        ("POST", "/nowhere"),
        ("DELETE", "/payments/bp_000001"),
        ("GET", "/refunds"),
        ("POST", "/payments/bp_000001/explode"),
        ("GET", "/search?what=planets&tag=x"),
        ("GET", "/search"),
    ],
)
def test_there_is_nothing_elsewhere(fake, method, target):
    request = fake.render(creating(), new_key())
    elsewhere = type(request)(operation="find", method=method, target=target, mutates=False)

    answer = fake._setup.server.handle(
        elsewhere, api_key=Secret("k"), script=fake.script, timeout=1
    )

    assert answer.status == 404


def test_what_the_bank_does_not_offer_is_not_there_for_other_adapters_either():
    fake = FakeProvider(behaviour=adyen_like())
    ref = paid(fake)
    sample = fake.render(creating(), new_key())

    for target in (
        f"/payments/{ref}",
        f"/payments/{ref}/refunds?limit=1",
        "/payments",
        "/refunds/br_000001",
        "/search?what=payments&tag=x",
    ):
        request = type(sample)(operation="find", method="GET", target=target, mutates=False)
        answer = fake._setup.server.handle(
            request, api_key=Secret("k"), script=fake.script, timeout=1
        )
        assert answer.status == 404
        assert b"not_supported" in answer.body


UNREADABLE = {
    "nothing": b"",
    "half": b'{"ref": "bp_1", "tag"',
    "no tag": b'{"ref": "bp_1"}',
    "another type": b'{"ref": "bp_1", "tag": null, "attempt": 7}',
    "a float for money": b'{"ref": "bp_1", "tag": null, "attempt": {"status": "done", '
    b'"authorized": 1.5, "currency": "USD", "number": 1, "round": 1, "at": 1}}',
    "a currency of nobody": b'{"ref": "bp_1", "tag": null, "attempt": {"status": "done", '
    b'"authorized": 1, "currency": "XXQ", "number": 1, "round": 1, "at": 1}}',
    "depth": b"[" * 100_000,
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("status", [200, 402, 400, 401, 404, 429])
def test_an_answer_that_cannot_be_read_proves_nothing(fake, body, status):
    exchange = fake.adapter.create_payment(creating(), new_key())
    next(exchange)

    with pytest.raises(StopIteration) as finished:
        exchange.send(Response(status=status, body=body))

    assert FailureKind.UNKNOWN is finished.value.value.kind


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "no_such_method", FailureKind.INVALID_REQUEST),
        (400, "key_reused", FailureKind.KEY_REUSED),
        (404, "no_such_payment", FailureKind.INVALID_REQUEST),
        (409, "key_in_use", FailureKind.IN_PROGRESS),
        (409, "anything_else", FailureKind.UNKNOWN),
        (401, "anything_else", FailureKind.UNKNOWN),
        (500, "server_error", FailureKind.UNKNOWN),
        (503, "server_error", FailureKind.UNKNOWN),
        (503, "not_executed", FailureKind.UNAVAILABLE),
        (200, "an error in a good answer", FailureKind.UNKNOWN),
        (302, "elsewhere", FailureKind.UNKNOWN),
    ],
)
def test_failures_are_classified_by_status_and_code(fake, status, code, kind):
    exchange = fake.adapter.create_payment(creating(), new_key())
    next(exchange)
    body = json.dumps({"error": {"code": code, "message": "sk_live_1234567890 said no"}}).encode()

    with pytest.raises(StopIteration) as finished:
        exchange.send(Response(status=status, body=body))

    failure = finished.value.value
    assert (kind, code) == (failure.kind, failure.code)
    assert "sk_live" not in failure.message


# -- secrets --------------------------------------------------------------------------------------

CANARIES = ("canary_webhook_1111", "canary_webhook_2222", "canary_api_key_3333")


@pytest.mark.parametrize("make", [FakeProvider, AsyncFakeProvider])
def test_no_secret_is_ever_shown(make, caplog):
    caplog.set_level(logging.DEBUG)
    fake = make(webhook_secrets=CANARIES[:2], api_key=CANARIES[2])
    sync = FakeProvider(bank=fake.bank, webhook_secrets=CANARIES[:2], api_key=CANARIES[2])
    ref = paid(sync, Tokens.AUTHENTICATE_TOKEN)
    facts = read(sync, ref)
    token = facts.attempts[0].next_action.token
    sync.next("create_payment", LostResponse())
    lost = failed(sync, creating())
    server = fake.bank.face(FakeServer)

    shown = io.StringIO()
    for thing in (fake, fake.adapter, fake.bank, fake._send, fake._setup, server, server.outbox):
        shown.write(f"{thing!r} {thing} {thing!s:>3}")
        shown.write(repr({k: v for k, v in getattr(thing, "__dict__", {}).items() if k != "vault"}))
    shown.write(f"{facts!r} {lost!r} {lost.cause!r} {fake.render(creating(), new_key())!r}")
    for request in sync.webhooks():
        shown.write(repr(request) + request.body.decode() + repr(request.headers))
    text = shown.getvalue() + caplog.text

    for canary in (*CANARIES, token):
        assert canary not in text


def test_no_credential_is_in_the_traceback_of_a_broken_connection():
    fake = FakeProvider(webhook_secrets=[CANARIES[0]], api_key=CANARIES[2])
    key = new_key()
    paid_token = told(fake, creating(Tokens.AUTHENTICATE_TOKEN), key).attempts[0].next_action.token
    fake.next("create_payment", LostResponse())

    lost = failed(fake, creating(Tokens.AUTHENTICATE_TOKEN), key)
    report = traceback.TracebackException.from_exception(lost.cause, capture_locals=True)
    text = "".join(report.format())

    assert "strike" in text
    for canary in (*CANARIES[::2], paid_token, Tokens.AUTHENTICATE_TOKEN):
        assert canary not in text


def test_no_secret_is_in_the_traceback_of_a_rejected_webhook():
    fake = FakeProvider(webhook_secrets=[CANARIES[0]])
    paid(fake)
    request = fake.webhooks()[0]
    forged = type(request)(body=request.body + b" ", headers=request.headers)

    try:
        fake.parse_webhook(forged, now=fake.clock.now())
    except PayportError as error:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        text = "".join(report.format())

    assert "no signature matches" in text
    assert CANARIES[0] not in text


@pytest.mark.parametrize("make", [FakeProvider, AsyncFakeProvider])
@pytest.mark.parametrize("copies", [pickle.dumps, copy.deepcopy, copy.copy])
def test_it_cannot_be_pickled_or_copied(make, copies):
    with pytest.raises(ConfigurationError, match="pickled"):
        copies(make())


def test_secrets_may_be_passed_as_secrets():
    fake = FakeProvider(webhook_secrets=[Secret(CANARIES[0])], api_key=Secret(CANARIES[2]))

    assert (Secret(CANARIES[0]),) == fake.bank.signing_secrets


# -- names ----------------------------------------------------------------------------------------


def test_every_name_of_the_kit_can_be_imported_from_it():
    for name in payport.testing.__all__:
        assert getattr(payport.testing, name) is not None
    assert sorted(payport.testing.__all__) == dir(payport.testing)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = payport.testing.nonsense


def test_the_fake_needs_neither_pytest_nor_hypothesis_nor_the_network():
    program = (
        "import sys; from payport.testing import FakeProvider; FakeProvider();"
        "print([m for m in ('pytest', 'hypothesis', 'httpx', 'sqlalchemy', 'stripe', 'asyncio')"
        " if m in sys.modules])"
    )
    source = Path(payport.testing.__file__).parents[2]

    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(source)},
    )

    assert done.stdout.strip() == "[]"
