"""Lists, searches and expansion."""

from datetime import timedelta

import pytest
from simulated import Shop

from payport.testing.stripe_simulator.listing import matcher


def refs(page):
    return [one["id"] for one in page["data"]]


def test_pages_follow_one_another_in_both_directions(shop):
    made = [shop.pay()["id"] for _ in range(5)][::-1]
    first = shop.get("payment_intents", limit=2)
    assert (refs(first), first["has_more"]) == (made[:2], True)
    assert first["url"] == "/v1/payment_intents"
    second = shop.get("payment_intents", limit=2, starting_after=made[1])
    assert (refs(second), second["has_more"]) == (made[2:4], True)
    last = shop.get("payment_intents", limit=2, starting_after=made[3])
    assert (refs(last), last["has_more"]) == (made[4:], False)
    back = shop.get("payment_intents", limit=2, ending_before=made[4])
    assert (refs(back), back["has_more"]) == (made[2:4], True)
    assert refs(shop.get("payment_intents", limit=5, ending_before=made[2])) == made[:2]


@pytest.mark.parametrize("limit", [0, 101, "many"])
def test_a_page_has_from_1_to_100(shop, limit):
    answer = shop.send("GET", "payment_intents", limit=limit)
    shop.refuses(answer, 400, "parameter_invalid_integer")
    wrong = shop.send("GET", "payment_intents", starting_after="pi_x")
    shop.refuses(wrong, 400, "resource_missing")


def test_lists_are_filtered_by_customer_and_moment(shop):
    customer = shop.bank.add_customer()
    ours = shop.pay(customer=customer)
    shop.simulator.clock.advance(60)
    later = shop.pay()
    assert refs(shop.get("payment_intents", customer=customer)) == [ours["id"]]
    assert refs(shop.get("charges", customer=customer)) == [ours["latest_charge"]]
    after = {"created[gt]": ours["created"]}
    assert refs(shop.get("payment_intents", **after)) == [later["id"]]
    assert refs(shop.get("payment_intents", created=ours["created"])) == [ours["id"]]
    wrong = shop.send("GET", "payment_intents", **{"created[about]": 1})
    shop.refuses(wrong, 400, "parameter_unknown")


def test_events_are_kept_newest_first_and_filtered(shop):
    paid = shop.pay(key="k1")
    listed = shop.get("events")["data"]
    assert [one["type"] for one in listed] == [
        "payment_intent.succeeded",
        "charge.succeeded",
        "payment_intent.created",
    ]
    assert listed[0]["request"]["idempotency_key"] == "k1"
    assert listed[0]["data"]["object"]["id"] == paid["id"]
    assert shop.get(f"events/{listed[1]['id']}") == listed[1]
    for fields in ({"type": "charge.*"}, {"types[]": "charge.succeeded"}):
        assert refs(shop.get("events", **fields)) == [listed[1]["id"]]


def test_a_search_finds_what_is_old_enough():
    shop = Shop(search_lag=timedelta(seconds=30))
    paid = shop.pay(**{"metadata[order]": "o'1"})
    query = r"metadata['order']:'o\'1' AND status:'succeeded'"
    assert shop.get("payment_intents/search", query=query)["data"] == []
    shop.simulator.clock.advance(30)
    found = shop.get("payment_intents/search", query=query)
    assert refs(found) == [paid["id"]]
    assert (found["object"], found["next_page"]) == ("search_result", None)


def test_searches_have_pages(shop):
    made = [shop.pay()["id"] for _ in range(3)][::-1]
    shop.simulator.clock.advance(60)
    first = shop.get("payment_intents/search", query="amount>=1", limit=2)
    assert (refs(first), first["has_more"]) == (made[:2], True)
    page = first["next_page"]
    assert refs(shop.get("payment_intents/search", query="amount>=1", page=page)) == made[2:]
    wrong = shop.send("GET", "payment_intents/search", query="amount>=1", page="?")
    shop.refuses(wrong, 400)


DOCUMENT = {
    "amount": 500,
    "created": 7,
    "currency": "usd",
    "customer": None,
    "status": "succeeded",
    "metadata": {"order": "A1"},
}


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ('metadata["order"]:"A1"', True),
        ("metadata['order']~'a'", True),
        ("-metadata['order']:'A1'", False),
        ("metadata['other']:null", True),
        ("status:'canceled' OR amount>499", True),
        ("status:'canceled' AND amount>499", False),
        ("amount:500 currency:'USD'", True),
        ("customer:null", True),
        ("created<7", False),
        ("created<=7", True),
    ],
)
def test_queries_mean_what_they_say(query, matches):
    assert matcher(query)(DOCUMENT) is matches


@pytest.mark.parametrize(
    "query",
    [
        *("hello", "colour:'red'", "status>'x'", "amount>x", "amount>1 AND"),
        *("amount>1 ! amount<2", "amount>1 AND amount<3 OR amount:2"),
    ],
)
def test_queries_that_mean_nothing_are_refused(shop, query):
    shop.refuses(shop.send("GET", "payment_intents/search", query=query), 400)


def test_objects_are_put_in_the_place_of_their_ids(shop):
    paid = shop.pay(
        capture_method="automatic",
        **{
            "expand[0]": "latest_charge.balance_transaction",
            "expand[1]": "latest_charge.payment_intent",
            "expand[2]": "payment_method",
            "expand[3]": "latest_charge.refunds.data.balance_transaction",
        },
    )
    charge = paid["latest_charge"]
    assert charge["balance_transaction"]["source"] == charge["id"]
    assert charge["payment_intent"]["latest_charge"] == charge["id"]
    assert paid["payment_method"]["card"]["last4"] == "4242"
    assert charge["refunds"]["total_count"] == 0
    shop.post("refunds", payment_intent=paid["id"], amount=100)
    path = f"charges/{charge['id']}"
    (refund,) = shop.get(path, **{"expand[]": "refunds.data.payment_intent"})["refunds"]["data"]
    assert refund["payment_intent"]["id"] == paid["id"]
    listed = shop.get("payment_intents", **{"expand[]": "data.latest_charge"})["data"]
    assert listed[0]["latest_charge"]["id"] == charge["id"]
    shop.bank.dispute(paid["id"])
    (dispute,) = shop.get("disputes", **{"expand[]": "data.charge"})["data"]
    assert dispute["charge"]["id"] == charge["id"]
    for named in ("re_x", "dp_x", "txn_x"):
        assert shop.simulator.server.desks.find(named) is None
    sources = {"expand[]": "data.source"}
    listed = shop.get("balance_transactions", **sources)["data"]
    assert {one["source"]["object"] for one in listed} == {"charge", "refund", "dispute"}
    deep = {"expand[]": "latest_charge.payment_intent.latest_charge.refunds.data"}
    shop.refuses(shop.send("GET", f"payment_intents/{paid['id']}", **deep), 400)
    wrong = {"expand[]": "latest_charge.refunds.total"}
    shop.refuses(shop.send("GET", f"payment_intents/{paid['id']}", **wrong), 400)


def test_stripes_default_has_no_balance_transaction_at_first(shop):
    paid = shop.pay(**{"expand[]": "latest_charge"})
    assert paid["latest_charge"]["balance_transaction"] is None
    charge = shop.get(f"charges/{paid['latest_charge']['id']}")
    assert charge["balance_transaction"].startswith("txn_")


# -- events that were delivered or not -------------------------------------------------------------


def test_events_that_nobody_took_are_told_from_those_that_were_delivered(shop):
    shop.pay()
    taken = [event["id"] for event in shop.events()]
    shop.pay()
    waiting = refs(shop.get("events", delivery_success="false", limit=100))
    assert waiting
    assert refs(shop.get("events", delivery_success="true", limit=100)) == taken[::-1]
    assert refs(shop.get("events", limit=100)) == [*waiting, *taken[::-1]]


def test_an_event_is_delivered_when_every_address_took_it(shop):
    fine = shop.simulator.add_endpoint("http://127.0.0.1:1/fine")
    shop.simulator.add_endpoint("http://127.0.0.1:1/down", types=["charge.succeeded"])
    shop.pay()
    shop.simulator.send_due(lambda url, headers, body: 200 if url.endswith("fine") else 500)
    assert len(fine.delivered) > 1
    failed = shop.get("events", delivery_success="false", limit=100)["data"]
    assert [event["type"] for event in failed] == ["charge.succeeded"]
    assert len(shop.get("events", delivery_success="true", limit=100)["data"]) > 1


def test_events_are_listed_for_thirty_days(shop):
    shop.pay()
    shop.simulator.clock.advance(30 * 86_400)
    assert shop.get("events")["data"]
    shop.simulator.clock.advance(1)
    assert shop.get("events")["data"] == []


# -- payouts --------------------------------------------------------------------------------------


def test_payouts_are_listed_and_read_as_they_stand(shop):
    shop.pay(amount=9_000)
    shop.bank.pay_out()
    shop.pay(amount=9_000)
    made = shop.post("payouts", amount=100, currency="usd")
    assert (made["status"], made["automatic"]) == ("pending", False)
    assert made["reconciliation_status"] == "not_applicable"
    first = shop.bank.payouts[0].ref
    assert refs(shop.get("payouts")) == [made["id"], first]
    assert refs(shop.get("payouts", status="paid")) == [first]
    shop.bank.move_payout(first, "bounced")
    failed = shop.get(f"payouts/{first}", **{"expand[]": "failure_balance_transaction"})
    assert (failed["status"], failed["failure_code"]) == ("failed", "account_closed")
    assert failed["failure_balance_transaction"]["amount"] == failed["amount"]
    shop.refuses(shop.send("GET", "payouts/po_nowhere"), 404, "resource_missing")


def test_more_than_the_balance_is_not_paid_out(shop):
    shop.pay(amount=1_000)
    answer = shop.send("POST", "payouts", amount=5_000, currency="usd")
    shop.refuses(answer, 400, "balance_insufficient")
    assert shop.bank.payouts == ()


def test_payouts_are_told_as_they_move(shop):
    shop.pay()
    shop.events()
    shop.bank.pay_out(arrives=False)
    ref = shop.bank.payouts[-1].ref
    for state in ("sent", "paid", "bounced"):
        shop.bank.move_payout(ref, state)
    shop.bank.itemize_payout(ref)
    told = [(event["type"], event["data"]["object"]["status"]) for event in shop.events()]
    assert told == [
        ("payout.created", "pending"),
        ("payout.updated", "in_transit"),
        ("payout.paid", "paid"),
        ("payout.failed", "failed"),
        ("payout.reconciliation_completed", "failed"),
    ]
