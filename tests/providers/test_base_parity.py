"""Both colours of a provider are one: the same names, the same signatures, the same behaviour."""

import asyncio
import inspect
import pickle
from datetime import UTC, datetime, timedelta

import pytest

from payport.domain.errors import ConfigurationError, UnsupportedOperation, WebhookRejected
from payport.domain.facts import Facts
from payport.domain.identifiers import Environment
from payport.domain.money import Money
from payport.domain.outcomes import Certainty, FailureKind
from payport.providers.base import (
    Adapter,
    AsyncPaymentProvider,
    AsyncProvider,
    PaymentProvider,
    SyncProvider,
)
from payport.providers.commands import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    CreatePayment,
    CreateRefund,
    Lookup,
    Terms,
)
from payport.providers.deliveries import ReceivesWebhooks, WebhookRequest
from payport.providers.events import (
    AsyncEventsProvider,
    AsyncListsEvents,
    AsyncReadsSubjects,
    EventsAdapter,
    ListsEvents,
    ReadsSubjects,
    SyncEventsProvider,
)
from payport.providers.exchange import (
    Call,
    Request,
    Response,
    SendRefused,
    TransportError,
    step_key,
)
from payport.providers.listings import (
    AsyncListingProvider,
    AsyncListsPayments,
    ListingAdapter,
    ListsPayments,
    SyncListingProvider,
)
from payport.providers.outcomes import Account, Answer, Failure
from payport.providers.spec import ALL_CAPABILITIES, IdempotencyProfile, ProviderSpec, Resolution

WEBHOOKS = {"parse_webhook", "read_webhook"}
PURE = {"render", *WEBHOOKS}
PROTOCOLS = (PaymentProvider, AsyncPaymentProvider)
RUNNERS = (SyncProvider, AsyncProvider)
LISTINGS = (ListsPayments, AsyncListsPayments)
LISTING_RUNNERS = (SyncListingProvider, AsyncListingProvider)


def methods(kind):
    """Public methods by name, inherited ones too; the one that closes under one name."""
    found = {
        name: value
        for name, value in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }
    found["close"] = found.pop("aclose", found.get("close"))
    return found


def properties(kind):
    return {n for n, v in inspect.getmembers(kind) if isinstance(v, property) and n[0] != "_"}


@pytest.mark.parametrize(("sync", "asynchronous"), [PROTOCOLS, RUNNERS], ids=["protocol", "runner"])
def test_both_colours_have_the_same_methods_with_the_same_signatures(sync, asynchronous):
    assert set(methods(sync)) == set(methods(asynchronous))
    for name, method in methods(sync).items():
        assert inspect.signature(method) == inspect.signature(methods(asynchronous)[name]), name
    assert properties(sync) == properties(asynchronous) == {"spec", "environment"}


@pytest.mark.parametrize("kind", [*PROTOCOLS, *RUNNERS], ids=lambda kind: kind.__name__)
def test_a_protocol_has_at_most_twelve_methods_and_says_what_each_promises(kind):
    assert len(set(methods(kind)) - WEBHOOKS) == 11
    assert all(method.__doc__ for method in methods(kind).values())


@pytest.mark.parametrize("kind", [AsyncPaymentProvider, AsyncProvider], ids=lambda k: k.__name__)
def test_whatever_may_talk_to_the_provider_is_awaited_and_nothing_else(kind):
    awaited = {n for n, m in methods(kind).items() if inspect.iscoroutinefunction(m)}
    assert awaited == set(methods(kind)) - PURE


@pytest.mark.parametrize("kind", [PaymentProvider, SyncProvider], ids=lambda k: k.__name__)
def test_nothing_of_the_blocking_colour_is_awaited(kind):
    assert not any(inspect.iscoroutinefunction(m) for m in methods(kind).values())


def test_the_name_that_closes_is_the_only_one_that_differs():
    assert hasattr(SyncProvider, "close")
    assert not hasattr(SyncProvider, "aclose")
    assert hasattr(AsyncProvider, "aclose")
    assert not hasattr(AsyncProvider, "close")


def test_runners_have_the_signatures_of_their_protocols():
    for protocol, runner in zip(PROTOCOLS, RUNNERS, strict=True):
        for name, method in methods(protocol).items():
            assert inspect.signature(method) == inspect.signature(methods(runner)[name]), name


def test_the_optional_protocol_is_one_in_both_colours():
    wanted = {"list_payments", "list_refunds"}
    for protocol, runner in zip(LISTINGS, LISTING_RUNNERS, strict=True):
        told = {name: method for name, method in methods(protocol).items() if method is not None}
        assert set(told) == wanted
        assert set(methods(runner)) == wanted | WEBHOOKS | set(methods(PaymentProvider))
        for name, method in told.items():
            assert inspect.signature(method) == inspect.signature(methods(runner)[name])
            assert inspect.iscoroutinefunction(method) is (protocol is AsyncListsPayments)
            assert inspect.signature(method) == inspect.signature(methods(ListsPayments)[name])
            assert method.__doc__
    assert {*methods(ListingAdapter)} >= wanted


@pytest.mark.parametrize(
    ("name", "plain", "awaited"),
    [
        ("list_events", ListsEvents, AsyncListsEvents),
        ("retrieve_subject", ReadsSubjects, AsyncReadsSubjects),
    ],
)
def test_what_can_be_asked_about_webhooks_is_one_in_both_colours(name, plain, awaited):
    own = [{one for one in vars(kind) if not one.startswith("_")} for kind in (plain, awaited)]
    assert own == [{name}, {name}]
    runners = (SyncEventsProvider, AsyncEventsProvider)
    signatures = {inspect.signature(methods(one)[name]) for one in (plain, awaited, *runners)}
    assert len(signatures) == 1
    assert [inspect.iscoroutinefunction(methods(one)[name]) for one in runners] == [False, True]
    assert name in methods(EventsAdapter)


def test_reading_webhooks_is_a_protocol_of_its_own_and_pure_in_both_colours():
    assert {n for n, m in methods(ReceivesWebhooks).items() if m is not None} == WEBHOOKS
    for kind in (SyncProvider, AsyncProvider, Adapter):
        for name in WEBHOOKS:
            method = methods(ReceivesWebhooks)[name]
            assert method.__doc__
            assert inspect.signature(method) == inspect.signature(methods(kind)[name])
            assert not inspect.iscoroutinefunction(methods(kind)[name])


def test_an_adapter_of_a_provider_without_webhooks_needs_not_read_any():
    class Silent(Minimal):
        parse_webhook = Adapter.parse_webhook

    request = WebhookRequest(body=b"{}", headers={})
    for provider in (SyncProvider(Silent(), Sender()), AsyncProvider(Silent(), AsyncSender())):
        with pytest.raises(UnsupportedOperation, match="parse_webhook"):
            provider.parse_webhook(request, now=datetime(2026, 1, 1, tzinfo=UTC))
        with pytest.raises(UnsupportedOperation, match="read_webhook"):
            provider.read_webhook(b"{}")


def test_an_adapter_has_every_operation_of_the_protocol():
    assert set(methods(Adapter)) >= set(methods(PaymentProvider)) - {"close"}


# -- behaviour ----------------------------------------------------------------------------------

KEY = "pp1_key"
MONEY = Money(500, "USD")
TERMS = Terms(amount=MONEY)
CREATE = CreatePayment(
    payment_id="pay_1", reference="order_1", attempt=1, terms=TERMS, confirm=True
)
CONFIRM = ConfirmPayment(
    payment_id="pay_1", reference="order_1", attempt=1, payment_ref="obj_1", terms=TERMS
)
CAPTURE = CapturePayment(payment_id="pay_1", payment_ref="obj_1", amount=MONEY, final=True)
CANCEL = CancelPayment(payment_id="pay_1", payment_ref="obj_1", amount=MONEY)
REFUND = CreateRefund(
    payment_id="pay_1",
    payment_ref="obj_1",
    refund_id="rfd_1",
    reference="return_1",
    amount=MONEY,
)
SPEC = ProviderSpec(
    name="plain",
    capabilities=ALL_CAPABILITIES,
    idempotency=IdempotencyProfile(
        placement="header", max_length=64, life=timedelta(days=1), scope="account"
    ),
    resolution=(Resolution.REVIEW,),
)


class Minimal(Adapter):
    """Lacks whatever may be lacking."""

    spec = SPEC
    environment = Environment.TEST

    def account(self):
        response = yield Request(operation="account", method="GET", target="/me", mutates=False)
        return Account(id=response.body.decode(), endpoint="https://api.example")

    def create_payment(self, command, key):
        return self._asked("create_payment", command, key)

    def confirm_payment(self, command, key):
        # Two requests that change something, and a read between them.
        yield self._made("confirm_payment", command, key)
        yield self._made("confirm_payment", command, key, mutates=False)
        again = step_key(key, "second")
        return (yield from self._asked("confirm_payment", command, again, step="second"))

    def parse_webhook(self, request, *, now):
        raise WebhookRejected(f"not signed at {now:%H:%M}")

    def _made(self, operation, command, key, **more):
        body = repr(command).encode()
        return Request(operation=operation, method="POST", target="/v1", body=body, key=key, **more)

    def _asked(self, operation, command, key, **more):
        response = yield self._made(operation, command, key, **more)
        if response.status == 400:
            return Failure(kind=FailureKind.INVALID_REQUEST, message="no")
        return Answer(facts=Facts(attempt_ref=operation))


class Whole(Minimal):
    """Has everything."""

    def capture_payment(self, command, key):
        return self._asked("capture_payment", command, key)

    def cancel_payment(self, command, key):
        return self._asked("cancel_payment", command, key)

    def retrieve_payment(self, payment_ref):
        return self._asked("retrieve_payment", payment_ref, None, mutates=False)

    def create_refund(self, command, key):
        return self._asked("create_refund", command, key)

    def retrieve_refund(self, refund_ref):
        return self._asked("retrieve_refund", refund_ref, None, mutates=False)

    def find(self, lookup):
        return self._asked("find", lookup, None, mutates=False)


class Sender:
    """Sends in either colour; answers in turn, and fine once the answers are used up."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.seen = []
        self.closed = 0

    def __call__(self, request, *, timeout):
        self.seen.append((request, timeout))
        answer = self.answers.pop(0) if self.answers else Response(status=200, body=b"acct_1")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        self.closed += 1


class AsyncSender(Sender):
    close = None

    async def __call__(self, request, *, timeout):  # noqa: ASYNC109 - the protocol's
        await asyncio.sleep(0)
        return super().__call__(request, timeout=timeout)

    async def aclose(self):
        self.closed += 1


def asked(method, *args, answers=(), adapter=Whole):
    """What both colours return or raise, and what they sent; checks that it is the same."""
    senders = Sender(*answers), AsyncSender(*answers)
    providers = SyncProvider(adapter(), senders[0]), AsyncProvider(adapter(), senders[1])

    def blocking():
        return getattr(providers[0], method)(*args)

    def awaited():
        return asyncio.run(getattr(providers[1], method)(*args))

    results = [outcome_of(blocking), outcome_of(awaited)]
    assert results[0] == results[1]
    assert senders[0].seen == senders[1].seen
    return results[0], [request for request, _ in senders[0].seen]


def outcome_of(call):
    try:
        return call()
    except (SendRefused, UnsupportedOperation) as raised:
        return type(raised)


CALLS = {
    "create_payment": CREATE,
    "confirm_payment": CONFIRM,
    "capture_payment": CAPTURE,
    "cancel_payment": CANCEL,
    "create_refund": REFUND,
    "retrieve_payment": "obj_1",
    "retrieve_refund": "ref_1",
    "find": Lookup(key=KEY, command=CREATE),
}


@pytest.mark.parametrize(("method", "argument"), CALLS.items(), ids=CALLS)
def test_every_operation_runs_its_own_exchange_in_both_colours(method, argument):
    outcome, seen = asked(method, argument, Call(key=KEY))
    assert outcome == Answer(facts=Facts(attempt_ref=method))
    assert {request.operation for request in seen} == {method}
    assert all(request.key in {KEY, step_key(KEY, "second"), None} for request in seen)


def test_the_account_is_asked_for_in_both_colours():
    account = Account(id="acct_1", endpoint="https://api.example")
    assert asked("account", Call())[0] == account


@pytest.mark.parametrize(
    "method", [m for m in CALLS if m not in {"create_payment", "confirm_payment"}]
)
def test_what_an_adapter_lacks_is_refused_before_anything_is_sent(method):
    outcome, seen = asked(method, CALLS[method], Call(key=KEY), adapter=Minimal)
    assert outcome is UnsupportedOperation
    assert seen == []


def test_a_refusal_names_the_operation_and_the_provider():
    with pytest.raises(UnsupportedOperation, match="plain cannot do this") as caught:
        Minimal().find(CALLS["find"])
    assert (caught.value.operation, caught.value.provider) == ("find", "plain")


@pytest.mark.parametrize(
    ("sent", "kind"), [(False, FailureKind.UNAVAILABLE), (True, FailureKind.UNKNOWN)]
)
def test_a_transport_error_is_a_failure_and_no_exception(sent, kind):
    answers = [TransportError("reset", sent=sent)]
    outcome, _ = asked("create_payment", CREATE, Call(key=KEY), answers=answers)
    assert (outcome.kind, outcome.demoted) == (kind, False)


FINE = Response(status=200)
NO = Response(status=400)
UNSENT = TransportError("refused", sent=False)


@pytest.mark.parametrize(
    ("answers", "kind", "certainty"),
    [
        ([UNSENT], FailureKind.UNAVAILABLE, Certainty.NO_EFFECT),
        ([FINE, UNSENT], FailureKind.UNAVAILABLE, Certainty.UNKNOWN),
        ([FINE, FINE, UNSENT], FailureKind.UNAVAILABLE, Certainty.UNKNOWN),
        ([FINE, FINE, NO], FailureKind.INVALID_REQUEST, Certainty.UNKNOWN),
    ],
    ids=["the first request", "a read after it", "the second", "the second is refused"],
)
def test_a_failure_after_an_answered_mutation_proves_nothing(answers, kind, certainty):
    outcome, _ = asked("confirm_payment", CONFIRM, Call(key=KEY), answers=answers)
    assert (outcome.kind, outcome.certainty) == (kind, certainty)


def refusing(at):
    """A guard that forbids every other call's n-th send, once in each colour."""
    sends = []

    def guard():
        sends.append(None)
        if len(sends) % at == 0:
            raise SendRefused

    return guard


def test_a_lease_that_ends_before_the_first_send_sends_nothing():
    outcome, seen = asked("confirm_payment", CONFIRM, Call(key=KEY, guard=refusing(1)))
    assert outcome is SendRefused
    assert seen == []


@pytest.mark.parametrize("at", [2, 3])
def test_a_lease_that_ends_between_two_sends_leaves_the_outcome_unknown(at):
    outcome, seen = asked("confirm_payment", CONFIRM, Call(key=KEY, guard=refusing(at)))
    assert outcome.certainty is Certainty.UNKNOWN
    assert len(seen) == at - 1


def test_the_stored_request_goes_on_the_wire_in_both_colours():
    stored = Request(operation="create_payment", method="POST", target="/old", body=b"old")
    assert asked("create_payment", CREATE, Call(key=KEY, exact=stored))[1] == [stored]


def test_each_request_is_given_the_time_of_the_call():
    sender = Sender()
    SyncProvider(Whole(), sender).confirm_payment(CONFIRM, Call(key=KEY, timeout=1.25))
    assert [timeout for _, timeout in sender.seen] == [1.25] * 3


@pytest.mark.parametrize("command", [CREATE, CONFIRM, CAPTURE, CANCEL, REFUND])
def test_rendering_is_the_exchanges_first_request_and_sends_nothing(command):
    sender = Sender()
    provider = SyncProvider(Whole(), sender)
    rendered = provider.render(command, KEY)
    assert sender.seen == []
    assert (
        rendered
        == provider.render(command, KEY)
        == AsyncProvider(Whole(), sender).render(command, KEY)
    )
    getattr(provider, command.operation)(command, Call(key=KEY))
    assert sender.seen[0][0] == rendered


def test_an_operation_that_begins_with_a_read_cannot_be_stored_and_is_refused():
    class ReadsFirst(Whole):
        def cancel_payment(self, command, key):
            yield self._made("cancel_payment", command, key, mutates=False)

    with pytest.raises(ConfigurationError, match="begins cancel_payment with a read") as caught:
        SyncProvider(ReadsFirst(), Sender()).render(CANCEL, KEY)
    assert caught.value.operation == "cancel_payment"


def test_webhooks_are_read_by_the_adapter_in_both_colours():
    request = WebhookRequest(body=b"{}", headers={})
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for provider in (SyncProvider(Whole(), Sender()), AsyncProvider(Whole(), AsyncSender())):
        with pytest.raises(WebhookRejected, match="not signed at 12:00"):
            provider.parse_webhook(request, now=noon)


def test_a_canceled_call_stays_canceled():
    async def never(request, *, timeout):  # noqa: ASYNC109 - the protocol's
        await asyncio.Event().wait()

    async def main():
        provider = AsyncProvider(Whole(), never)
        task = asyncio.create_task(provider.create_payment(CREATE, Call(key=KEY)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_closing_closes_the_sender_where_it_can_be_closed():
    sender, async_sender = Sender(), AsyncSender()
    SyncProvider(Whole(), sender).close()
    asyncio.run(AsyncProvider(Whole(), async_sender).aclose())
    assert (sender.closed, async_sender.closed) == (1, 1)
    SyncProvider(Whole(), lambda request, *, timeout: FINE).close()
    asyncio.run(AsyncProvider(Whole(), lambda request, *, timeout: None).aclose())


# -- colours and secrets --------------------------------------------------------------------------


def test_each_colour_is_known_by_its_protocol():
    sync, asynchronous = SyncProvider(Whole(), Sender()), AsyncProvider(Whole(), AsyncSender())
    assert isinstance(sync, PaymentProvider)
    assert not isinstance(sync, AsyncPaymentProvider)
    assert isinstance(asynchronous, AsyncPaymentProvider)
    assert not isinstance(asynchronous, PaymentProvider)


@pytest.mark.parametrize("runner", RUNNERS, ids=lambda kind: kind.__name__)
def test_a_provider_shows_no_key_and_cannot_be_pickled(runner):
    adapter = Whole()
    adapter.api_key = "canary_key"
    provider = runner(adapter, Sender())
    assert repr(provider) == f"<{runner.__name__} plain test>"
    assert (provider.spec, provider.environment) == (SPEC, Environment.TEST)
    with pytest.raises(ConfigurationError, match="Construct one in each process"):
        pickle.dumps(provider)


def test_an_adapter_without_the_operations_that_everybody_has_is_refused():
    class Half(Adapter):
        spec = SPEC

    with pytest.raises(TypeError, match="abstract"):
        Half()
