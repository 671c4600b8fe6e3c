"""Idempotency, keys and limits: who may ask, and what is asked twice."""

import base64
import threading
from datetime import timedelta

import httpx
import pytest
from simulated import KEY, NO_REDIRECTS, Shop

from payport import Money
from payport.domain.identifiers import Environment
from payport.testing import (
    Conflict,
    ConnectionRefused,
    Forbidden,
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
from payport.testing.stripe_simulator import HttpRequest


def test_the_same_request_under_the_same_key_is_answered_again_and_not_executed(shop):
    first = shop.try_to_pay("pm_card_visa", key="k1")
    again = shop.try_to_pay("pm_card_visa", key="k1")
    assert first.content == again.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Idempotency-Key"] == "k1"
    assert again.headers["Original-Request"] == first.headers["Request-Id"]
    assert again.headers["Request-Id"] != first.headers["Request-Id"]
    assert shop.bank.effects("k1") == 1
    assert shop.bank.requests("k1") == 2
    assert shop.bank.charged("k1") == Money(2_000, "USD")


def test_other_parameters_or_another_path_under_the_same_key_are_refused(shop):
    paid = shop.pay(key="k1")
    changed = shop.try_to_pay("pm_card_visa", key="k1", amount=3_000)
    error = shop.refuses(changed, 400)
    assert error["type"] == "idempotency_error"
    assert "same parameters" in error["message"]
    elsewhere = shop.send("POST", "refunds", key="k1", payment_intent=paid["id"])
    assert "same endpoint" in shop.refuses(elsewhere, 400)["message"]
    assert shop.bank.moved("k1") == Money(2_000, "USD")


def test_a_key_lives_for_a_day_by_the_banks_clock(shop):
    shop.pay(key="k1")
    shop.simulator.clock.advance(timedelta(hours=24) - timedelta(seconds=1))
    shop.pay(key="k1")
    assert shop.bank.effects("k1") == 1
    shop.simulator.clock.advance(1)
    shop.pay(key="k1")
    assert shop.bank.effects("k1") == 2


def test_declines_and_refusals_that_were_executed_are_remembered(shop):
    first = shop.try_to_pay("pm_card_chargeDeclined", key="k1")
    again = shop.try_to_pay("pm_card_chargeDeclined", key="k1")
    assert first.content == again.content
    assert again.headers["Idempotent-Replayed"] == "true"
    held = shop.hold()
    path = f"payment_intents/{held['id']}/capture"
    shop.send("POST", path, key="k2", amount_to_capture=9_000)
    replayed = shop.send("POST", path, key="k2", amount_to_capture=9_000)
    assert replayed.headers["Idempotent-Replayed"] == "true"


def test_what_failed_validation_is_not_remembered(shop):
    answer = shop.try_to_pay("pm_card_visa", key="k1", amount="lots")
    shop.refuses(answer, 400, "parameter_invalid_integer")
    assert shop.pay(key="k1")["status"] == "succeeded"


@pytest.mark.parametrize("effect", [True, False])
def test_a_500_is_replayed_whether_or_not_it_was_executed(shop, effect):
    shop.simulator.next("create_payment", ServerError(effect=effect))
    first = shop.try_to_pay("pm_card_visa", key="k1")
    again = shop.try_to_pay("pm_card_visa", key="k1")
    assert first.status_code == again.status_code == 500
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["error"]["type"] == "api_error"
    assert shop.bank.effects("k1") == effect


def test_a_key_that_is_in_use_is_refused(shop):
    seen = []

    def meanwhile(asked):
        if not seen:
            seen.append(shop.try_to_pay("pm_card_visa", key="k1"))

    shop.simulator.decide(meanwhile)
    assert shop.pay(key="k1")["status"] == "succeeded"
    error = shop.refuses(seen[0], 409, "idempotency_key_in_use")
    assert error["type"] == "idempotency_error"
    assert shop.bank.effects("k1") == 1


def test_many_threads_with_one_key_charge_once(shop):
    statuses = []

    def pay():
        statuses.append(shop.try_to_pay("pm_card_visa", key="k1").status_code)

    threads = [threading.Thread(target=pay) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 409}
    assert 200 in statuses
    assert shop.bank.effects("k1") == 1


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Conflict(), 409, "idempotency_key_in_use"),
        (RateLimited(retry_after=3), 429, "rate_limit"),
        (Unavailable(), 503, None),
        (Unauthorized(), 401, None),
        (Forbidden(), 403, "more_permissions_required"),
    ],
)
def test_refusals_leave_the_key_unused(shop, fault, status, code):
    shop.simulator.next("create_payment", fault)
    answer = shop.try_to_pay("pm_card_visa", key="k1")
    shop.refuses(answer, status, code)
    assert answer.headers.get("retry-after") == ("3" if status == 429 else None)
    assert shop.bank.effects("k1") == 0
    assert shop.pay(key="k1")["status"] == "succeeded"


@pytest.mark.parametrize(
    ("fault", "error", "effects"),
    [
        (ConnectionRefused(), httpx.ConnectError, 0),
        (LostRequest(), httpx.ReadError, 0),
        (LostResponse(), httpx.ReadError, 1),
        (TimedOut(), httpx.ReadTimeout, 1),
        (Slow(30), httpx.ReadTimeout, 1),
    ],
)
def test_broken_connections_are_httpxs_errors(shop, fault, error, effects):
    shop.simulator.next("create_payment", fault)
    with pytest.raises(error):
        shop.pay(key="k1")
    assert shop.bank.effects("k1") == effects
    assert shop.pay(key="k1")["status"] == "succeeded"
    assert shop.bank.effects("k1") == 1


def test_half_an_answer_is_no_json(shop):
    shop.simulator.next("create_payment", Truncated())
    with pytest.raises(ValueError, match=r"Unterminated|Expecting|delimiter"):
        shop.pay(key="k1")


# -- who asks -----------------------------------------------------------------------------------


def asking(shop, header, **more):
    return httpx.Response.json(
        shop.http.get("/v1/balance", headers={"Authorization": header, **more})
    )


def test_bearer_and_basic_authentication_are_taken(shop):
    basic = base64.b64encode(f"{KEY}:".encode()).decode()
    for header in (f"Bearer {KEY}", f"Basic {basic}", "Bearer rk_test_restricted"):
        assert asking(shop, header)["object"] == "balance"


@pytest.mark.parametrize(
    "header",
    ["", "Basic ?", "Bearer", "Bearer sk_live_wrong_mode", "Bearer nonsense", "Digest x"],
)
def test_other_keys_are_not_and_are_never_told_again(shop, header):
    answer = shop.http.get("/v1/balance", headers={"Authorization": header})
    assert answer.status_code == 401
    assert "wrong_mode" not in answer.text
    assert "nonsense" not in answer.text


def test_a_publishable_key_is_told_from_a_secret_one(shop):
    answer = shop.http.get("/v1/balance", headers={"Authorization": "Bearer pk_test_fake"})
    shop.refuses(answer, 401, "secret_key_required")


def test_keys_belong_to_one_mode():
    live = Shop(environment=Environment.LIVE)
    assert asking(live, "Bearer sk_live_fake")["livemode"] is True
    shop_error = live.http.get("/v1/balance", headers={"Authorization": f"Bearer {KEY}"})
    assert shop_error.status_code == 401


def test_a_revoked_key_is_refused_and_another_is_not(shop):
    shop.simulator.revoke(KEY)
    shop.refuses(shop.send("GET", "balance"), 401)
    assert asking(shop, "Bearer sk_test_other")["object"] == "balance"


def test_a_restricted_key_does_what_it_is_allowed(shop):
    shop.simulator.restrict(KEY, ["payment_intent_write"])
    paid = shop.pay()
    answer = shop.send("POST", "refunds", payment_intent=paid["id"])
    error = shop.refuses(answer, 403, "more_permissions_required")
    assert "rak_charge_write" in error["message"]
    assert f"on account '{shop.simulator.bank.account}'" in error["message"]


def test_a_restricted_key_sees_nothing_within_an_object_that_it_may_not_read(shop):
    shop.simulator.restrict(KEY, ["payment_intent_write"])
    paid = shop.pay()
    asked = f"payment_intents/{paid['id']}"
    error = shop.refuses(
        shop.send("GET", asked, **{"expand[0]": "latest_charge"}), 403, "more_permissions_required"
    )
    assert "rak_charge_read" in error["message"]
    for enough in ("charge_read", "charge_write"):
        shop.simulator.restrict(KEY, ["payment_intent_write", enough])
        answer = shop.send("GET", asked, **{"expand[0]": "latest_charge.refunds"})
        assert answer.json()["latest_charge"]["refunds"]["data"] == []


def test_who_may_write_may_read(shop):
    paid = shop.pay()
    shop.simulator.restrict(KEY, ["payment_intent_write"])
    assert shop.send("GET", f"payment_intents/{paid['id']}").status_code == 200
    shop.simulator.restrict(KEY, ["payment_intent_read"])
    refused = shop.send("POST", "payment_intents", amount=1, currency="usd")
    shop.refuses(refused, 403, "more_permissions_required")


def test_accounts_are_the_keys_own_or_connected(shop):
    connected = shop.simulator.connected("acct_connected")
    shop.headers["Stripe-Account"] = "acct_connected"
    paid = shop.pay()
    assert connected.bank.charged(paid["id"]) == Money(2_000, "USD")
    assert shop.bank.balance() == Money(0, "USD")
    shop.headers["Stripe-Account"] = "acct_of_somebody_else"
    shop.refuses(shop.send("GET", "balance"), 403, "account_invalid")


def test_too_many_requests_a_second_are_refused():
    shop = Shop(rate_limit=2)
    assert [shop.send("GET", "balance").status_code for _ in range(3)] == [200, 200, 429]
    shop.simulator.clock.advance(1)
    assert shop.send("GET", "balance").status_code == 200


# -- what arrives -------------------------------------------------------------------------------


def raw(shop, body, **headers):
    request = HttpRequest(
        method="POST",
        target="/v1/payment_intents",
        headers={"authorization": f"Bearer {KEY}", "idempotency-key": "k1", **headers},
        body=body,
    )
    return shop.simulator.handle(request)


def test_a_short_body_is_refused_and_nothing_is_executed(shop):
    form = {"amount": 2_000, "currency": "usd", **NO_REDIRECTS}
    whole = httpx.Request("POST", "https://x.invalid", data=form).content
    answer = raw(shop, whole[:20], **{"content-length": str(len(whole))})
    assert answer.status == 400
    assert not shop.bank.payments
    assert raw(shop, whole, **{"content-length": str(len(whole))}).status == 200


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"x" * (1 << 20) + b"yy", {}, 413),
        (b'{"amount":1}', {"content-type": "application/json"}, 400),
        (b"amount=\xff", {}, 400),
        (b"amount=1", {"stripe-version": "yesterday"}, 400),
        (b"amount=1", {"idempotency-key": "k" * 256}, 400),
        (b"a=1&" * 2_000, {}, 400),
        (b"a]b=1", {}, 400),
        (b"metadata[x=1", {}, 400),
        (b"amount=1&amount[x]=2", {}, 400),
    ],
)
def test_what_is_no_form_is_refused(shop, body, headers, status):
    assert raw(shop, body, **headers).status == status
    assert not shop.bank.payments


def test_the_version_is_echoed(shop):
    shop.headers["Stripe-Version"] = "2026-10-28.endive"
    assert shop.send("GET", "balance").headers["Stripe-Version"] == "2026-10-28.endive"
    assert shop.send("GET", "balance").headers["Date"] == "Thu, 01 Jan 2026 00:00:00 GMT"


def test_no_key_is_in_what_prints(shop):
    request = HttpRequest(
        method="GET", target="/v1/balance", headers={"authorization": f"Bearer {KEY}"}
    )
    for thing in (request, shop.simulator, shop.simulator.server, shop.simulator.transport()):
        assert KEY not in repr(thing)
        assert "whsec" not in repr(thing)
