"""What comes in by webhook is verified, stored once and acknowledged; nothing else happens yet."""

import json

import pytest
from shops import FOUR, behaving, each_behaviour, each_colour, kinds

from payport import ConfigurationError, InvalidRequest, ReceiptStatus, StoreUnavailable
from payport import WebhookRejected as Rejected
from payport.testing import AsyncFakeProvider, FakeProvider
from payport.testing.fake.outbox import SIGNATURE_HEADER, signature
from payport.webhooks.inbox import MAX_BODY

SECRET = "whsec_fake_0001"


def one(shop):
    """The webhook of a payment."""
    shop.buy()
    (request,) = shop.fake.webhooks()
    return request


def receive(shop, body, *, secret=SECRET, pay=None, at=None, headers=None):
    """Send a body, signed as the bank signs."""
    timestamp = str(int(at if at is not None else shop.clock.now().timestamp()))
    signed = {SIGNATURE_HEADER: f"t={timestamp},v1={signature(secret, timestamp, body)}"}
    given = signed if headers is None else headers
    return (pay or shop.pay).webhooks.receive(body=body, headers=given)


def said(request, **more):
    """The request's body, saying something else as well."""
    return json.dumps({**json.loads(request.body), **more}).encode()


def inbox(shop, receipt):
    return [shop.transact(lambda tx, one=one: tx.delivery(one)) for one in receipt.ids]


@each_behaviour
def test_what_is_new_is_accepted_and_kept_as_it_came(shop):
    request = one(shop)
    receipt = shop.receive(request)

    assert receipt.status is ReceiptStatus.ACCEPTED
    rows = inbox(shop, receipt)
    assert rows
    assert {bytes(row.body) for row in rows} == {request.body}
    assert {(row.state, row.provider, row.account) for row in rows} == {
        ("due", "fake", "acct_fake")
    }
    assert rows[0].type.startswith("payment.")


def test_nothing_is_applied_before_it_is_processed(shop):
    paid = shop.buy()
    shop.fake.webhooks()
    shop.bank.refund("order_1", paid.amount)
    for request in shop.fake.webhooks():
        shop.receive(request)
    assert shop.pay.payments.get(paid.id) == paid


def test_what_came_before_is_a_duplicate_and_no_error(shop):
    request = one(shop)
    first = shop.receive(request)
    second = shop.receive(request, shop.another())

    assert second.status is ReceiptStatus.DUPLICATE
    assert second.ids == first.ids
    assert len(shop.due()) == 1


@each_colour
def test_a_repetition_may_be_written_otherwise(shop):
    request = one(shop)
    first = shop.receive(request)
    pretty = json.dumps(json.loads(request.body), indent=2).encode()
    assert receive(shop, pretty).status is ReceiptStatus.DUPLICATE
    assert receive(shop, said(request, pending=2)).ids == first.ids


@each_colour
def test_a_repetition_that_says_otherwise_is_kept_out_and_flagged(shop):
    request = one(shop)
    first = shop.receive(request)
    told = json.loads(request.body)
    told["data"]["captures"][0]["amount"] += 1
    receipt = receive(shop, json.dumps(told).encode())

    assert receipt.status is ReceiptStatus.CONFLICT
    assert receipt.ids == first.ids
    (row,) = inbox(shop, receipt)
    assert row.conflict
    assert bytes(row.body) == request.body
    shop.pay.webhooks.process_due()
    assert shop.pay.payments.get(reference="order_1").captured.minor == 5000


@behaving("adyen_like")
def test_a_batch_is_several_deliveries(shop):
    for number in range(3):
        shop.buy(f"order_{number}")
    (request,) = shop.fake.webhooks()
    receipt = shop.receive(request)
    assert len(receipt.ids) == len(set(receipt.ids)) == 6
    assert shop.receive(request).status is ReceiptStatus.DUPLICATE

    told = json.loads(request.body)
    told["items"] = told["items"][:1]
    shop.buy("order_9")
    (more,) = shop.fake.webhooks()
    told["items"] += json.loads(more.body)["items"]
    mixed = receive(shop, json.dumps(told).encode())
    assert mixed.status is ReceiptStatus.ACCEPTED
    assert mixed.ids[0] == receipt.ids[0]


# -- refused --------------------------------------------------------------------------------------


#: Not what the bank signed, by what is wrong.
UNSIGNED = (
    *("one byte", "another rendering", "a byte order mark", "line ends", "no header"),
    *("an empty header", "no signature", "an empty signature", "half a signature", "no ASCII"),
    *("another scheme", "another secret", "no time", "two times", "time in words"),
    *("other digits", "too many"),
)


def forged(shop, request):
    """Requests that are not what the bank signed, each with what is wrong."""
    body, header = request.body, request.header(SIGNATURE_HEADER)
    now = int(shop.clock.now().timestamp())
    good = signature(SECRET, str(now), body)
    return {
        "one byte": (body.replace(b"5000", b"5001", 1), header),
        "another rendering": (json.dumps(json.loads(body)).encode(), header),
        "a byte order mark": (b"\xef\xbb\xbf" + body, header),
        "line ends": (body + b"\r\n", header),
        "no header": (body, None),
        "an empty header": (body, ""),
        "no signature": (body, f"t={now}"),
        "an empty signature": (body, f"t={now},v1="),
        "half a signature": (body, f"t={now},v1={good[:63]}"),
        "no ASCII": (body, f"t={now},v1={'ä' * 64}"),
        "another scheme": (body, f"t={now},v0={good}"),
        "another secret": (body, f"t={now},v1={signature('whsec_other', str(now), body)}"),
        "no time": (body, f"v1={good}"),
        "two times": (body, f"t={now},t={now},v1={good}"),
        "time in words": (body, f"t=now,v1={good}"),
        "other digits": (body, f"t=٣,v1={good}"),
        "too many": (body, f"t={now}," + ",".join([f"v1={good}"] * 10_000)),
        "not JSON": (b"{", None),
        "no envelope": (b"[]", None),
        "nothing": (b"", None),
        "half an envelope": (b'{"id": "be_1"}', None),
        "a long number": (b'{"id":' + b"1" * 5000 + b"}", None),
        "a deep nest": (b"[" * 100_000, None),
        "no number": (b'{"id": NaN}', None),
    }


#: Properly signed, and no webhook at all.
SIGNED = ("not JSON", "no envelope", "nothing", "half an envelope", "a long number", "a deep nest")
SIGNED = (*SIGNED, "no number")


@each_colour
@pytest.mark.parametrize("wrong", [*UNSIGNED, *SIGNED])
def test_what_the_bank_did_not_sign_is_rejected_and_not_stored(shop, wrong):
    request = one(shop)
    body, header = forged(shop, request)[wrong]
    headers = {} if header is None else {SIGNATURE_HEADER: header}
    if wrong in SIGNED:
        headers = None
    with pytest.raises(Rejected) as raised:
        receive(shop, body, headers=headers)
    assert raised.value.operation == "webhooks.receive"
    assert not raised.value.retryable
    assert shop.due() == []


@each_colour
@pytest.mark.parametrize("seconds", [-301, 301, 365 * 24 * 3600, -365 * 24 * 3600])
def test_a_signature_is_young_and_not_of_the_future(shop, seconds):
    request = one(shop)
    at = shop.clock.now().timestamp() + seconds
    with pytest.raises(Rejected, match="clock"):
        receive(shop, request.body, at=at)
    assert receive(shop, request.body, at=at - seconds + 299).status is ReceiptStatus.ACCEPTED


@each_colour
def test_a_body_that_is_too_large_is_not_read(shop):
    with pytest.raises(Rejected, match="at most") as rejected:
        shop.pay.webhooks.receive(body=b" " * (MAX_BODY + 1), headers={})
    assert rejected.value.status == 413
    with pytest.raises(Rejected, match="bank-signature"):
        shop.pay.webhooks.receive(body=b" " * MAX_BODY, headers={})


@each_colour
@pytest.mark.parametrize("body", ["{}", {"id": "be_1"}, None])
def test_a_body_that_was_parsed_already_is_refused_with_advice(shop, body):
    with pytest.raises(InvalidRequest, match=r"webhooks\.receive: body.*raw bytes"):
        shop.pay.webhooks.receive(body=body, headers={})


@each_colour
def test_a_body_may_be_a_bytearray_and_header_names_of_any_case(shop):
    request = one(shop)
    headers = {"Bank-Signature": request.header(SIGNATURE_HEADER)}
    receipt = shop.pay.webhooks.receive(body=bytearray(request.body), headers=headers)
    assert receipt.status is ReceiptStatus.ACCEPTED


@each_colour
def test_secrets_are_replaced_while_webhooks_keep_coming(shop):
    old, new = "whsec_fake_old", "whsec_fake_new"
    request = one(shop)
    both = shop.client(shop.provider(webhook_secrets=[new, old]))
    only_new = shop.client(shop.provider(webhook_secrets=[new]))

    assert receive(shop, request.body, secret=old, pay=both).status is ReceiptStatus.ACCEPTED
    assert receive(shop, request.body, secret=new, pay=both).status is ReceiptStatus.DUPLICATE
    with pytest.raises(Rejected):
        receive(shop, request.body, secret=old, pay=only_new)


@pytest.mark.parametrize("make", [FakeProvider, AsyncFakeProvider])
@pytest.mark.parametrize("secrets", [[""], [" "], "whsec_fake_0001"], ids=repr)
def test_an_endpoint_without_a_secret_is_no_endpoint(make, secrets):
    with pytest.raises(ConfigurationError):
        make(webhook_secrets=secrets)


@kinds(*FOUR)
def test_what_could_not_be_stored_is_not_acknowledged(shop):
    request = one(shop)
    store = shop.faulty()

    def full(number):
        raise StoreUnavailable("the disk is full", operation="store")

    store.before = full
    pay = shop.client(store=store)
    with pytest.raises(StoreUnavailable):
        shop.receive(request, pay)
    store.before = lambda number: None
    assert shop.receive(request, pay).status is ReceiptStatus.ACCEPTED
