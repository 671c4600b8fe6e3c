"""Idempotency, keys and faults: who may ask, what is asked twice, and what goes wrong."""

import base64
import json
import threading
from datetime import timedelta

import httpx
import pytest
from simulated_adyen import CARD, KEY, RETURN_URL, Shop, card, euros

from payport import Money
from payport.testing import (
    Conflict,
    ConnectionRefused,
    Crash,
    CrashAfter,
    Forbidden,
    Garbled,
    LostRequest,
    LostResponse,
    RateLimited,
    ServerError,
    Slow,
    TimedOut,
    Truncated,
    Unauthorized,
    Unavailable,
)
from payport.testing.adyen_simulator import HMAC_KEY, MERCHANT_ACCOUNT, HttpRequest

LIVE = "live_obviously_fake"


def test_the_same_request_under_the_same_key_is_answered_again_and_not_executed(shop):
    first = shop.try_to_pay(key="k1")
    again = shop.try_to_pay(key="k1")
    assert first.content == again.content
    assert again.headers["Idempotency-Key"] == "k1"
    assert shop.bank.effects("k1") == 1
    assert shop.bank.requests("k1") == 2
    assert shop.bank.charged("k1") == Money(1_000, "EUR")
    assert "Idempotency-Key" not in shop.try_to_pay().headers


@pytest.mark.parametrize("what", ["captures", "refunds", "cancels", "reversals"])
def test_modifications_are_executed_once_under_a_key(shop, what):
    paid = shop.hold() if what in {"captures", "cancels"} else shop.pay()
    fields = {"amount": euros(400)} if what in {"captures", "refunds"} else {}
    first = shop.modify(what, paid["pspReference"], key="k2", **fields)
    assert shop.modify(what, paid["pspReference"], key="k2", **fields) == first
    assert shop.bank.effects("k2") == 1
    assert len([event for event, _ in shop.told() if event != "AUTHORISATION"]) == 1


def test_declines_are_remembered_and_what_failed_validation_is_not(shop):
    declined = shop.try_to_pay(card(holderName="DECLINED"), key="k1")
    assert shop.try_to_pay(card(holderName="DECLINED"), key="k1").content == declined.content
    shop.refuses(shop.try_to_pay(key="k2", amount=euros(0)), 422, "137")
    assert shop.try_to_pay(key="k2").json()["resultCode"] == "Authorised"


def test_another_request_under_a_used_key_is_refused_for_good(shop):
    shop.pay(key="k1")
    changed = shop.try_to_pay(key="k1", amount=euros(2_000))
    elsewhere = shop.send("/cancels", key="k1", paymentReference="order_1")
    for answer in (changed, elsewhere):
        shop.refuses(answer, 422, "704")
        assert "transient-error" not in answer.headers
    assert shop.bank.moved("order_1") == Money(1_000, "EUR")


def test_the_same_words_about_another_payment_are_another_request(shop):
    first, second = shop.hold(), shop.hold(reference="order_2")
    shop.modify("cancels", first["pspReference"], key="k1")
    answer = shop.send(f"/payments/{second['pspReference']}/cancels", key="k1")
    shop.refuses(answer, 422, "704")
    assert shop.bank.payment("order_2").state == "held"


def test_it_may_be_asked_to_give_the_first_answer_to_another_request():
    shop = Shop(refuses_other_requests=False)
    first = shop.pay(key="k1")
    assert shop.pay(key="k1", amount=euros(2_000)) == first
    assert shop.bank.moved("order_1") == Money(1_000, "EUR")


def test_a_key_lives_for_seven_days_by_the_banks_clock(shop):
    shop.pay(key="k1")
    shop.simulator.clock.advance(timedelta(days=7) - timedelta(seconds=1))
    shop.pay(key="k1")
    assert shop.bank.effects("k1") == 1
    shop.simulator.clock.advance(1)
    shop.pay(key="k1")
    assert shop.bank.effects("k1") == 2


def test_keys_may_be_pruned_before_their_time(shop):
    shop.pay(key="k1")
    shop.pay(key="k2", reference="order_2")
    shop.simulator.forget_keys("k1")
    shop.pay(key="k1")
    shop.pay(key="k2", reference="order_2")
    assert (shop.bank.effects("k1"), shop.bank.effects("k2")) == (2, 1)
    shop.simulator.forget_keys()
    shop.pay(key="k2", reference="order_2")
    assert shop.bank.effects("k2") == 2


def test_a_key_is_the_companys_whichever_account_uses_it():
    shop = Shop(more_accounts=["OtherECOM"])
    shop.pay(key="k1")
    shop.account = "OtherECOM"
    shop.refuses(shop.try_to_pay(key="k1"), 422, "704")
    assert shop.bank.effects("k1") == 1


def test_regions_do_not_share_keys(shop):
    headers = {"host": "1797a841fbb37ca7-AdyenDemo-checkout-live-au.adyenpayments.com"}
    shop.pay(key="k1")
    shop.headers = {**shop.headers, **headers}
    shop.pay(key="k1")
    shop.pay(key="k1")
    assert shop.bank.effects("k1") == 2


def test_longer_keys_than_sixty_four_characters_are_refused(shop):
    assert shop.try_to_pay(key="k" * 64).status_code == 200
    shop.refuses(shop.try_to_pay(key="k" * 65), 422, "000")
    assert shop.bank.effects("k" * 65) == 0


def test_a_key_on_a_read_says_nothing(shop):
    path, params = "/storedPaymentMethods", {"merchantAccount": MERCHANT_ACCOUNT}
    for shopper in ("shopper_1", "shopper_2"):
        asked = {**params, "shopperReference": shopper}
        headers = {**shop.headers, "Idempotency-Key": "k1"}
        answer = shop.http.get(path, params=asked, headers=headers)
        assert answer.json()["shopperReference"] == shopper


def test_a_key_in_use_is_in_progress(shop):
    seen = []

    def meanwhile(asked):
        if not seen:
            seen.append(shop.try_to_pay(key="k1"))

    shop.simulator.decide(meanwhile)
    assert shop.pay(key="k1")["resultCode"] == "Authorised"
    shop.refuses(seen[0], 422, "704")
    assert seen[0].headers["transient-error"] == "true"
    assert shop.bank.effects("k1") == 1


def test_many_threads_with_one_key_charge_once(shop):
    statuses = []

    def pay():
        statuses.append(shop.try_to_pay(key="k1").status_code)

    threads = [threading.Thread(target=pay) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 422}
    assert 200 in statuses
    assert shop.bank.effects("k1") == 1


@pytest.mark.parametrize(
    ("fault", "status", "code", "transient"),
    [
        (Conflict(), 409, "704", True),
        (RateLimited(retry_after=3), 429, "000", False),
        (Unavailable(), 503, "703", True),
        (Unauthorized(), 401, "000", False),
        (Forbidden(), 403, "010", False),
    ],
)
def test_refusals_leave_the_key_unused(shop, fault, status, code, transient):
    shop.simulator.next("create_payment", fault)
    answer = shop.try_to_pay(key="k1")
    shop.refuses(answer, status, code)
    assert answer.headers.get("retry-after") == ("3" if status == 429 else None)
    assert (answer.headers.get("transient-error") == "true") == transient
    assert answer.headers["Idempotency-Key"] == "k1"
    assert shop.bank.effects("k1") == 0
    assert shop.pay(key="k1")["resultCode"] == "Authorised"


@pytest.mark.parametrize("status", [500, 502, 504])
@pytest.mark.parametrize("effect", [True, False])
def test_a_server_error_is_not_remembered_and_what_was_executed_is(shop, status, effect):
    shop.simulator.next("create_payment", ServerError(effect=effect, status=status))
    answer = shop.try_to_pay(key="k1")
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith(
        "application/json" if status == 500 else "text/html"
    )
    assert shop.bank.effects("k1") == effect
    assert shop.pay(key="k1")["resultCode"] == "Authorised"
    assert shop.bank.effects("k1") == 1


@pytest.mark.parametrize(
    ("fault", "error", "effects"),
    [
        (ConnectionRefused(), httpx.ConnectError, 0),
        (LostRequest(), httpx.ReadError, 0),
        (LostResponse(), httpx.ReadError, 1),
        (TimedOut(), httpx.ReadTimeout, 1),
        (TimedOut(effect=False), httpx.ReadTimeout, 0),
        (Slow(30), httpx.ReadTimeout, 1),
        (CrashAfter(), Crash, 1),
    ],
)
def test_broken_connections_are_httpxs_errors(shop, fault, error, effects):
    shop.simulator.next("create_payment", fault)
    with pytest.raises(error):
        shop.pay(key="k1")
    assert shop.bank.effects("k1") == effects
    assert shop.pay(key="k1")["resultCode"] == "Authorised"
    assert shop.bank.effects("k1") == 1


@pytest.mark.parametrize("fault", [Truncated(), Garbled()])
def test_half_an_answer_is_no_json(shop, fault):
    shop.simulator.next("create_payment", fault)
    answer = shop.try_to_pay(key="k1")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting|delimiter"):
        answer.json()
    assert shop.bank.effects("k1") == 1


@pytest.mark.parametrize(
    ("operation", "ask"),
    [
        ("capture_payment", lambda s, p: s.send(f"/payments/{p}/captures", amount=euros(1))),
        ("cancel_payment", lambda s, p: s.send(f"/payments/{p}/cancels")),
        ("cancel_payment", lambda s, p: s.send(f"/payments/{p}/reversals")),
        ("cancel_payment", lambda s, p: s.send("/cancels", paymentReference="order_1")),
        ("create_refund", lambda s, p: s.send(f"/payments/{p}/refunds", amount=euros(1))),
        ("confirm_payment", lambda s, p: s.details("x")),
        ("account", lambda s, p: s.send("/paymentMethods")),
        ("list_stored_methods", lambda s, p: s.get("/storedPaymentMethods")),
    ],
    ids=["capture", "cancel", "reversal", "by reference", "refund", "details", "methods", "stored"],
)
def test_faults_strike_the_operation_that_they_are_for(shop, operation, ask):
    held = shop.hold()
    shop.simulator.next(operation, RateLimited())
    assert ask(shop, held["pspReference"]).status_code == 429
    assert not shop.simulator.script.pending


# -- who asks ------------------------------------------------------------------------------------


def asking(shop, **headers):
    body = {"merchantAccount": MERCHANT_ACCOUNT}
    return shop.http.post("/paymentMethods", json=body, headers=headers).status_code


def test_an_api_key_and_a_users_password_are_taken(shop):
    user = base64.b64encode(b"ws@Company.Shop:secret").decode()
    for headers in (
        {"X-API-Key": KEY},
        {"X-API-Key": "AQEyhmfxK4uOuNuNuNeither"},
        {"Authorization": f"Basic {user}"},
    ):
        assert asking(shop, **headers) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": ""},
        {"X-API-Key": "short"},
        {"X-API-Key": LIVE},
        {"Authorization": "Basic ?"},
        {"Authorization": "Bearer AQEyhmfxK4uOuNuNuNeither"},
    ],
)
def test_nobody_else_is(shop, headers):
    body = {"merchantAccount": MERCHANT_ACCOUNT}
    answer = shop.http.post("/paymentMethods", json=body, headers=headers)
    error = shop.refuses(answer, 401, "000")
    assert error["errorType"] == "security"
    assert "pspReference" not in error
    assert LIVE not in answer.text


def test_a_revoked_key_is_refused_and_another_is_not(shop):
    shop.simulator.revoke(KEY)
    assert asking(shop, **{"X-API-Key": KEY}) == 401
    assert asking(shop, **{"X-API-Key": "test_another_one"}) == 200


def test_a_restricted_key_does_what_it_is_allowed(shop):
    shop.simulator.restrict(KEY, ["create_payment"])
    paid = shop.pay()
    answer = shop.send(f"/payments/{paid['pspReference']}/refunds", amount=euros(1))
    shop.refuses(answer, 403, "010")


def test_too_many_requests_a_second_are_refused():
    shop = Shop(rate_limit=2)
    assert [shop.try_to_pay().status_code for _ in range(3)] == [200, 200, 429]
    shop.simulator.clock.advance(1)
    assert shop.try_to_pay().status_code == 200


# -- what arrives --------------------------------------------------------------------------------

PAYMENT = {
    "merchantAccount": MERCHANT_ACCOUNT,
    "amount": euros(1_000),
    "reference": "order_1",
    "paymentMethod": CARD,
    "returnUrl": RETURN_URL,
}


def raw(shop, body, target="/v72/payments", method="POST", **headers):
    told = {"x-api-key": KEY, **{name.replace("_", "-"): text for name, text in headers.items()}}
    request = HttpRequest(method=method, target=target, headers=told, body=body)
    return shop.simulator.handle(request)


def test_a_short_body_is_refused_and_nothing_is_executed(shop):
    whole = json.dumps(PAYMENT).encode()
    assert raw(shop, whole[:20], content_length=str(len(whole))).status == 400
    assert not shop.bank.payments
    assert raw(shop, whole, content_length=str(len(whole))).status == 200


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"x" * ((1 << 20) + 2), {}, 413),
        (b"amount=1", {"content_type": "application/x-www-form-urlencoded"}, 415),
        (b"", {}, 400),
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b"\xff", {}, 400),
        (b"[" * 5_000, {}, 400),
        (b'{"lineItems":' + b"[" * 99 + b"]" * 99 + b"}", {}, 400),
        (json.dumps(PAYMENT).encode(), {"idempotency_key": ""}, 422),
    ],
)
def test_what_is_no_request_is_refused(shop, body, headers, status):
    answer = raw(shop, body, **headers)
    assert answer.status == status
    assert json.loads(answer.body)["status"] == status
    assert not shop.bank.payments


def test_live_addresses_have_a_folder_more(shop):
    body = json.dumps(PAYMENT).encode()
    assert raw(shop, body, "/checkout/v72/payments").status == 200
    assert raw(shop, body, "/v71/payments").status == 404
    assert raw(shop, body, "/v72/payments", method="PUT").status == 404
    assert raw(shop, body, "/v72").status == 404


def test_null_is_nothing(shop):
    assert raw(shop, json.dumps({**PAYMENT, "splits": None}).encode()).status == 200


def test_answers_tell_the_time_of_the_banks_clock(shop):
    assert shop.try_to_pay().headers["Date"] == "Thu, 01 Jan 2026 00:00:00 GMT"


def test_no_key_is_in_what_prints(shop):
    request = HttpRequest(method="GET", target="/v72/payments", headers={"x-api-key": KEY})
    for thing in (request, shop.simulator, shop.simulator.server, shop.simulator.transport()):
        assert KEY not in repr(thing)
        assert HMAC_KEY not in repr(thing)
