"""The bank's webhooks: signed, verified, read, and delivered to a client."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from fake_calls import (
    DOLLARS,
    canceling,
    capturing,
    creating,
    deliveries,
    new_key,
    paid,
    read,
    refunding,
    told,
)
from hypothesis import given
from hypothesis import strategies as st

from payport import Payport
from payport.domain.errors import InvalidRequest, WebhookRejected
from payport.domain.facts import AttemptStatus, CaptureStatus, DisputeStatus, RefundStatus
from payport.domain.identifiers import Environment
from payport.domain.money import Money
from payport.providers.deliveries import WebhookRequest
from payport.testing import (
    AsyncFakeProvider,
    Bank,
    FakeProvider,
    Tokens,
    adyen_like,
    keyless,
    redirecting,
    stripe_like,
)
from payport.testing._heard import heard
from payport.testing.fake.outbox import SIGNATURE_HEADER, signature

SECRET = "whsec_fake_0001"


@pytest.fixture
def fake():
    return FakeProvider()


def parse(fake, request, *, later=0.0):
    return heard(fake, request, fake.clock.now() + timedelta(seconds=later))


def signed(fake, body, *, secret=SECRET, at=None):
    timestamp = str(int(fake.clock.now().timestamp()) if at is None else at)
    value = f"t={timestamp},v1={signature(secret, timestamp, body)}"
    return WebhookRequest(body=body, headers={SIGNATURE_HEADER: value})


def with_header(request, value):
    headers = {} if value is None else {SIGNATURE_HEADER: value}
    return WebhookRequest(body=request.body, headers=headers)


# -- what is told ---------------------------------------------------------------------------------


def test_every_change_is_told_once_and_in_order(fake):
    ref = paid(fake, Tokens.REFUND_REVERSES, manual=True)
    told(fake, capturing(ref))
    told(fake, refunding(ref))
    fake.clock.advance(timedelta(days=2))
    dispute = fake.bank.dispute(ref)
    fake.bank.submit_evidence(dispute)
    fake.bank.lose(dispute)

    assert [d.type for d in deliveries(fake)] == [
        "payment.held",
        "capture.taken",
        "refund.given",
        "refund.bounced",
        "dispute.raised",
        "dispute.examined",
        "dispute.lost",
    ]
    assert fake.webhooks() == []


@pytest.mark.parametrize(
    ("token", "types"),
    [
        (Tokens.OK, ["payment.done"]),
        (Tokens.EXPIRED, ["payment.refused"]),
        (Tokens.ERROR, ["payment.errored"]),
        (Tokens.AUTHENTICATE, ["payment.challenged"]),
        (Tokens.PROCESSING, ["payment.pending"]),
    ],
)
def test_a_payment_is_told_of_in_the_state_it_came_to(fake, token, types):
    paid(fake, token)

    assert types == [d.type for d in deliveries(fake)]


def test_payments_that_end_without_money_are_told_of(fake):
    told(fake, canceling(paid(fake, manual=True)))
    told(fake, creating(confirm=False))
    paid(fake, manual=True)
    fake.clock.advance(timedelta(days=7))

    assert [d.type for d in deliveries(fake)] == [
        "payment.held",
        "payment.voided",
        "payment.created",
        "payment.held",
        "payment.lapsed",
    ]


@pytest.mark.parametrize("behaviour", [stripe_like, adyen_like, keyless])
def test_webhooks_tell_the_same_facts_as_answers(behaviour):
    fake, made, taken, back = FakeProvider(behaviour=behaviour()), new_key(), new_key(), new_key()
    payment = told(fake, creating(manual=True), made)
    capture = told(fake, capturing(payment.attempt_ref), taken)
    refund = told(fake, refunding(payment.attempt_ref), back)

    held, *_ = told_of = deliveries(fake)
    by_type = {d.type: d for d in told_of}

    assert payment == held.facts
    if fake.bank.behaviour.acknowledges:
        assert CaptureStatus.SUCCEEDED is by_type["capture.taken"].facts.captures[0].status
        assert refund == by_type["refund.asked"].facts
        assert RefundStatus.SUCCEEDED is by_type["refund.given"].facts.refunds[0].status
    else:
        assert capture == by_type["capture.taken"].facts
        assert refund == by_type["refund.given"].facts
        assert read(fake, payment.attempt_ref).captures == capture.captures
    assert (
        {payment.attempt_ref}
        == {d.ordering_key for d in told_of}
        == {d.attempt_ref for d in told_of}
    )
    assert (made, taken, back) == (
        held.tag,
        by_type["capture.taken"].tag,
        by_type["refund.given"].tag,
    )


def test_a_delivery_says_whose_it_is(fake):
    paid(fake)
    live = FakeProvider(environment=Environment.LIVE, account="acct_other")
    paid(live)

    (test_one,), (live_one,) = deliveries(fake), deliveries(live)

    assert (test_one.environment, test_one.account) == (Environment.TEST, "acct_fake")
    assert (live_one.environment, live_one.account) == (Environment.LIVE, "acct_other")
    assert fake.clock.now() == test_one.occurred_at
    assert "2026-01-01" == test_one.api_version == test_one.facts.api_version


def test_batches_hold_several_statements_without_ids_and_with_booleans_as_text():
    fake = FakeProvider(behaviour=adyen_like(), environment=Environment.LIVE)
    for _ in range(6):
        paid(fake)

    first, second = fake.webhooks()

    envelope = json.loads(first.body)
    assert envelope["live"] == "true"
    assert [len(json.loads(r.body)["items"]) for r in (first, second)] == [10, 2]
    assert not any("id" in item for item in envelope["items"])
    told_of = [*parse(fake, first), *parse(fake, second)]
    assert len({d.dedupe_key for d in told_of}) == 12
    assert {Environment.LIVE} == {d.environment for d in told_of}


@pytest.mark.parametrize("behaviour", [stripe_like, adyen_like, keyless])
def test_a_redelivery_has_the_dedupe_key_of_the_first(behaviour):
    fake = FakeProvider(behaviour=behaviour())
    ref = paid(fake)
    told(fake, refunding(ref))

    twice = deliveries(fake, duplicate=1)

    keys = [d.dedupe_key for d in twice]
    assert len(keys) == 2 * len(set(keys))


def test_two_statements_never_share_a_dedupe_key():
    fake = FakeProvider(behaviour=adyen_like())
    ref = paid(fake)
    dispute = fake.bank.dispute(ref)
    for _ in range(3):
        fake.bank.win(dispute)
        fake.bank.reopen(dispute)

    keys = [d.dedupe_key for d in deliveries(fake)]

    assert len(keys) == len(set(keys))


def test_shuffling_is_an_order_that_can_be_had_again():
    orders = []
    for seed in (1, 1, 2):
        fake = FakeProvider()
        for number in range(8):
            paid(fake, reference=f"order_{number}")
        orders.append([d.attempt_ref for d in deliveries(fake, shuffle=seed)])

    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) != orders[0]


def test_a_payload_of_another_version_only_says_what_to_look_at(fake):
    ref = paid(fake)

    (delivery,) = deliveries(fake, api_version="2020-08-27")

    assert delivery.needs_fetch
    assert ref == delivery.attempt_ref == delivery.facts.attempt_ref
    assert list(delivery.facts) == []
    assert delivery.api_version == "2020-08-27"


def test_a_current_payload_needs_no_look(fake):
    paid(fake)

    assert not deliveries(fake)[0].needs_fetch


def test_what_payport_has_no_meaning_for_is_a_delivery_without_facts(fake):
    paid(fake)
    fake.bank.announce("card.updated", {"ref": "bm_000001"})

    card = deliveries(fake)[-1]

    assert (card.type, card.facts, card.tag) == ("card.updated", None, None)
    assert card.ordering_key == "bm_000001"
    assert not card.needs_fetch


def test_something_about_nothing_in_particular_has_an_order_too(fake):
    fake.bank.announce("maintenance.planned")

    assert deliveries(fake)[0].ordering_key == "maintenance.planned"


def test_a_challenge_is_told_of_without_its_credential(fake):
    ref = paid(fake, Tokens.AUTHENTICATE_TOKEN)
    paid(fake, Tokens.AUTHENTICATE)

    requests = fake.webhooks()

    assert not any(b"secret" in request.body for request in requests)
    (challenged,) = parse(fake, requests[0])
    (redirected,) = parse(fake, requests[1])
    assert AttemptStatus.REQUIRES_ACTION is challenged.facts.attempts[0].status
    assert challenged.facts.attempts[0].next_action.token is None
    assert redirected.facts.attempts[0].next_action.url is None
    assert read(fake, ref).attempts[0].next_action.token


# -- verified -------------------------------------------------------------------------------------


@pytest.fixture
def request_of(fake):
    paid(fake)
    return fake.webhooks()[0]


def test_a_changed_body_is_refused(fake, request_of):
    for body in (
        request_of.body.replace(b"5000", b"9000"),
        request_of.body + b" ",
        b"\xef\xbb\xbf" + request_of.body,
        b"",
    ):
        changed = WebhookRequest(body=body, headers=request_of.headers)
        with pytest.raises(WebhookRejected, match="no signature matches"):
            parse(fake, changed)


@pytest.mark.parametrize("seconds", [-301, 301, 86_400 * 365, -86_400 * 365])
def test_an_old_signature_is_refused_and_so_is_one_of_the_future(fake, request_of, seconds):
    with pytest.raises(WebhookRejected, match="300 s away"):
        parse(fake, request_of, later=seconds)


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_five_minutes_either_way_are_accepted(fake, request_of, seconds):
    assert len(parse(fake, request_of, later=seconds)) == 1


GOOD = "0" * 64


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "garbage",
        "t=1767225600",
        f"v1={GOOD}",
        f"t=,v1={GOOD}",
        f"t=-1,v1={GOOD}",
        f"t=1e9,v1={GOOD}",
        f"t=\u0663,v1={GOOD}",
        f"t=1767225600,t=1767225600,v1={GOOD}",
        f"t=9999999999999,v1={GOOD}",
        "t=1767225600,v1=\u00e9\udc80",
        "t=1767225600,v1=",
        f"t=1767225600,v0={GOOD}",
        "t=1767225600" + f",v1={GOOD}" * 10_000,
        ",".join([f"v1={GOOD}"] * 17 + ["t=1767225600"]),
    ],
    ids=range(16),
)
def test_a_malformed_signature_is_refused_whatever_it_is(fake, request_of, header):
    with pytest.raises(WebhookRejected):
        parse(fake, with_header(request_of, header))


def test_a_signature_in_capitals_is_another_signature(fake, request_of):
    time, _, value = request_of.headers[SIGNATURE_HEADER].partition(",v1=")

    with pytest.raises(WebhookRejected):
        parse(fake, with_header(request_of, f"{time},v1={value.upper()}"))


def test_nobody_elses_secret_signs_for_the_bank(fake, request_of):
    with pytest.raises(WebhookRejected, match="no signature matches"):
        parse(fake, signed(fake, request_of.body, secret="whsec_fake_of_somebody"))
    assert len(parse(fake, signed(fake, request_of.body))) == 1


def test_a_secret_can_be_replaced_without_losing_a_webhook():
    bank = Bank(signing_secrets=["whsec_fake_old"])
    old = FakeProvider(bank=bank, webhook_secrets=["whsec_fake_old"])
    both = FakeProvider(bank=bank, webhook_secrets=["whsec_fake_new", "whsec_fake_old"])
    new = FakeProvider(bank=bank, webhook_secrets=["whsec_fake_new"])

    def accepted():
        paid(both)
        (request,) = both.webhooks()
        fakes = (old, both, new)
        return [_accepts(fake, request) for fake in fakes]

    assert accepted() == [True, True, False]
    bank.sign_with("whsec_fake_old", "whsec_fake_new")
    assert accepted() == [True, True, True]
    bank.sign_with("whsec_fake_new")
    assert accepted() == [False, True, True]


def _accepts(fake, request):
    try:
        return bool(parse(fake, request))
    except WebhookRejected:
        return False


def test_a_provider_without_a_secret_accepts_nothing():
    fake = FakeProvider(webhook_secrets=[SECRET])
    deaf = FakeProvider(bank=fake.bank, webhook_secrets=[])
    paid(fake)

    with pytest.raises(WebhookRejected):
        parse(deaf, fake.webhooks()[0])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"created": NaN}',
        b'{"created": ' + b"9" * 5_000 + b"}",
        b'{"livemode": false, "type": "payment.done"}',
    ],
    ids=range(10),
)
def test_what_the_bank_signed_has_to_be_an_envelope(fake, body):
    with pytest.raises(WebhookRejected):
        parse(fake, signed(fake, body))


MENDED = {
    "a list for a document": {"data": []},
    "no document": {"data": None},
    "a number for a type": {"type": 7},
    "a blank type": {"type": ""},
    "a text for a moment": {"created": "now"},
    "a moment beyond time": {"created": 10**30},
    "a list for the mode": {"livemode": []},
    "an unknown mode": {"livemode": "perhaps"},
    "a number for an account": {"account": 1},
    "no version": {"api_version": None},
    "a number for an id": {"id": 1},
    "an unknown currency": {
        "data": {
            "ref": "bp_1",
            "tag": None,
            "attempt": {
                "status": "done",
                "authorized": 1,
                "currency": "XXQ",
                "number": 1,
                "round": 1,
                "at": 1,
            },
        },
    },
    "no ref": {"data": {"tag": None}},
    "items that are none": {"items": 3, "live": "true"},
}


@pytest.mark.parametrize("mend", MENDED.values(), ids=MENDED)
def test_an_envelope_that_is_not_whole_is_refused(fake, request_of, mend):
    body = json.dumps({**json.loads(request_of.body), **mend}).encode()

    with pytest.raises((WebhookRejected, InvalidRequest, KeyError)) as raised:
        parse(fake, signed(fake, body))
    if not isinstance(raised.value, WebhookRejected):
        # Its envelope is whole, so it was stored; a worker finds that nothing can be made of it.
        assert fake.parse_webhook(signed(fake, body), now=fake.clock.now())


@given(body=st.binary(max_size=200), header=st.none() | st.text(max_size=120))
def test_any_input_is_parsed_or_rejected(body, header):
    fake = FakeProvider()
    request = WebhookRequest(
        body=body, headers={} if header is None else {SIGNATURE_HEADER: header}
    )

    with pytest.raises(WebhookRejected):
        parse(fake, request)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
FIELDS = ["id", "type", "created", "api_version", "livemode", "account", "data", "items", "live"]


@given(mend=st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_envelope_is_read_or_rejected(mend):
    fake = FakeProvider()
    paid(fake)
    whole = json.loads(fake.webhooks()[0].body)

    request = signed(fake, json.dumps({**whole, **mend}).encode())

    try:
        fake.parse_webhook(request, now=fake.clock.now())
    except WebhookRejected:
        return


def test_a_refund_or_dispute_in_a_state_of_nobody_is_unknown(fake):
    ref = paid(fake)
    told(fake, refunding(ref))
    fake.bank.dispute(ref, Money(1, "USD"))
    refunded, disputed = (json.loads(request.body) for request in fake.webhooks()[1:])
    refunded["data"]["refunds"][0]["status"] = "evaporated"
    disputed["data"]["disputes"][0]["status"] = "evaporated"

    (refund,) = parse(fake, signed(fake, json.dumps(refunded).encode()))
    (dispute,) = parse(fake, signed(fake, json.dumps(disputed).encode()))

    assert refund.facts.refunds[0].status is RefundStatus.UNKNOWN
    assert dispute.facts.disputes[0].status is DisputeStatus.UNKNOWN


def test_a_status_that_nobody_has_heard_of_is_unknown(fake, request_of):
    envelope = json.loads(request_of.body)
    envelope["data"]["attempt"]["status"] = "evaporated"
    envelope["data"]["captures"][0]["status"] = "evaporated"
    envelope["data"]["attempt"]["action"] = {"kind": "dance"}

    (delivery,) = parse(fake, signed(fake, json.dumps(envelope).encode()))

    assert AttemptStatus.UNKNOWN is delivery.facts.attempts[0].status
    assert CaptureStatus.UNKNOWN is delivery.facts.captures[0].status
    assert delivery.facts.attempts[0].next_action is None


# -- delivered ------------------------------------------------------------------------------------


class Inbox:
    """A client's webhooks, as far as `deliver` knows them; handlers may do something once."""

    def __init__(self, fake):
        self.webhooks = self
        self.fake = fake
        self.seen = []
        self.processed = 0
        self.then = lambda: None

    def receive(self, *, body, headers, url, provider):
        assert provider == "fake"
        assert url == "https://shop.invalid/webhooks/fake"
        request = WebhookRequest(body=body, headers=headers, url=url)
        self.seen += [d.type for d in parse(self.fake, request)]

    def process_due(self):
        self.processed += 1
        then, self.then = self.then, lambda: None
        then()


class AsyncInbox(Inbox):
    async def receive(self, **given):
        super().receive(**given)

    async def process_due(self):
        super().process_due()


def test_delivering_carries_everything_and_what_comes_of_it(fake):
    inbox = Inbox(fake)
    ref = paid(fake)
    inbox.then = lambda: told(fake, refunding(ref))

    assert fake.deliver(inbox) == 2

    assert inbox.seen == ["payment.done", "refund.given"]
    assert inbox.processed == 2
    assert fake.deliver(inbox) == 0


def test_delivering_is_the_same_when_it_is_awaited():
    fake = AsyncFakeProvider()
    inbox = AsyncInbox(fake)
    fake.bank.charge(DOLLARS)
    inbox.then = lambda: fake.bank.charge(DOLLARS)

    assert asyncio.run(fake.deliver(inbox)) == 2

    assert inbox.seen == ["payment.done", "payment.done"]


def test_delivering_may_be_repeated_and_out_of_order(fake):
    inbox = Inbox(fake)
    for number in range(4):
        paid(fake, Tokens.EXPIRED if number % 2 else Tokens.OK)

    assert fake.deliver(inbox, duplicate=2, shuffle=4) == 12

    assert {t: inbox.seen.count(t) for t in inbox.seen} == {"payment.done": 6, "payment.refused": 6}
    assert sorted(inbox.seen) != inbox.seen


def test_one_outbox_serves_all_who_stand_before_the_bank(fake):
    other = FakeProvider(bank=fake.bank)
    paid(fake)
    paid(other)

    assert len(other.webhooks()) == 2
    assert fake.webhooks() == []


def test_money_that_moved_by_hand_is_told_of_too(fake):
    ref = fake.bank.charge(Money(100, "USD"))
    fake.bank.refund(ref, Money(30, "USD"))

    assert [d.tag for d in deliveries(fake)] == [None, None]


def test_hints_of_what_a_client_does_not_know_are_left_out():
    fake = FakeProvider(behaviour=redirecting())
    pay = Payport(fake)
    fake.bank.charge(Money(4_999, "USD"))

    assert fake.deliver(pay) == 1
    assert list(pay.webhooks.list()) == []


def test_a_hint_holds_an_id_and_no_signature():
    fake = FakeProvider(behaviour=redirecting())
    made = fake.bank.charge(Money(4_999, "USD"))

    (request,) = fake.webhooks()
    assert request.body == b'{"id":"%s"}' % made.encode()
    assert "bank-signature" not in request.headers
