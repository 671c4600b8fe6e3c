"""What was rendered is gone on with when it is sent, once, and by nothing that could differ."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from payport.domain.identifiers import Environment
from payport.domain.money import Money
from payport.domain.outcomes import FailureKind
from payport.providers.base import Adapter, AsyncProvider, SyncProvider
from payport.providers.commands import CreatePayment, Terms
from payport.providers.exchange import Call, Request, Response, TransportError
from payport.providers.outcomes import Failure
from payport.providers.spec import ALL_CAPABILITIES, IdempotencyProfile, ProviderSpec, Resolution

KEY = "pp1_key"
TERMS = Terms(amount=Money(4999, "USD"), payment_method="pm_1")
CREATE = CreatePayment(
    payment_id="pay_1", reference="order_1", attempt=1, terms=TERMS, confirm=True
)


class Counting(Adapter):
    """Counts how often it is asked to begin, and answers with what it was begun with."""

    spec = ProviderSpec(
        name="counting",
        capabilities=ALL_CAPABILITIES,
        idempotency=IdempotencyProfile(
            placement="header", max_length=64, life=timedelta(days=1), scope="account"
        ),
        resolution=(Resolution.REVIEW,),
    )

    environment = Environment.TEST

    def __init__(self, *, storable=True):
        self.begun = []
        self._storable = storable

    def create_payment(self, command, key):
        self.begun.append((command, key))
        return self._made(command, key)

    def account(self):
        self._lacks("account")

    def confirm_payment(self, command, key):
        self._lacks("confirm_payment")

    def parse_webhook(self, request, *, now):
        self._lacks("parse_webhook")

    def _made(self, command, key):
        response = yield Request(
            operation="create_payment",
            method="POST",
            target=f"/{command.reference}",
            key=key,
            storable=self._storable,
        )
        return Failure(kind=FailureKind.UNAVAILABLE, message=f"{command.reference} {response.body}")


class Colour:
    """One colour of a provider, for tests that await nothing."""

    def __init__(self, adapter, *, awaited):
        self.seen, self.adapter, self._awaited = [], adapter, awaited
        self.provider = (AsyncProvider if awaited else SyncProvider)(adapter, self._sender(awaited))
        self.fails = 0

    def _sender(self, awaited):
        def send(request, *, timeout):
            self.seen.append(request)
            if len(self.seen) <= self.fails:
                raise TransportError("lost", sent=True)
            return Response(status=200, body=b"ok")

        async def asend(request, **options):
            return send(request, **options)

        return asend if awaited else send

    def create(self, command=CREATE, **call):
        outcome = self.provider.create_payment(command, Call(key=KEY, **call))
        return asyncio.run(outcome) if self._awaited else outcome


@pytest.fixture(params=["sync", "async"])
def colour(request):
    return Colour(Counting(), awaited=request.param == "async")


def test_what_was_rendered_is_not_rendered_once_more_to_be_sent(colour):
    rendered = colour.provider.render(CREATE, KEY)
    outcome = colour.create(exact=rendered)
    assert outcome.message == "order_1 b'ok'"
    assert colour.adapter.begun == [(CREATE, KEY)]
    assert colour.seen == [rendered]


def test_a_second_send_begins_anew_and_writes_the_same_request(colour):
    rendered = colour.provider.render(CREATE, KEY)
    colour.fails = 1
    colour.create(exact=rendered)
    assert colour.create(exact=rendered).message == "order_1 b'ok'"
    assert colour.seen == [rendered, rendered]
    assert len(colour.adapter.begun) == 2


def test_another_command_under_the_same_key_is_carried_out_as_it_is(colour):
    colour.provider.render(CREATE, KEY)
    other = replace(CREATE, reference="order_2")
    assert colour.create(other).message == "order_2 b'ok'"
    assert colour.seen[0].target == "/order_2"


def test_what_was_stored_goes_on_the_wire_in_place_of_what_was_rendered(colour):
    stored = replace(colour.provider.render(CREATE, KEY), target="/as_stored")
    colour.create(exact=stored)
    assert colour.seen == [stored]


def test_a_request_that_must_not_be_stored_is_not_kept_either():
    colour = Colour(Counting(storable=False), awaited=False)
    colour.provider.render(CREATE, KEY)
    assert not colour.provider._begun._kept
    assert colour.create().message == "order_1 b'ok'"


def test_what_is_never_sent_does_not_stay_in_memory():
    colour = Colour(Counting(), awaited=False)
    for number in range(1000):
        colour.provider.render(CREATE, f"pp1_{number}")
    assert len(colour.provider._begun._kept) <= 64
