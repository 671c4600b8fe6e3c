"""
What payport does for a processor without idempotency keys: nothing is sent twice, whatever dies.

The explorer kills the shop at each commit and each send of each operation, and has storms rage; one
crash is looked at by hand, so that one can see what the journal says.
"""

import pytest
from payport_tollgate.testing.harness import TollgateHarness

from payport import Money, PaymentStatus, Payport
from payport.domain.errors import OutcomeUnknown
from payport.testing import Crash, CrashAfter, CrashBefore, CrashExplorer, LostRequest
from payport.testing.provider_contract import Rig

STORMS = range(25)


@pytest.mark.parametrize("case", ["create", "refund", "second-attempt", "declined", "challenge"])
def test_a_crash_anywhere_moves_no_money_twice(case):
    report = CrashExplorer(TollgateHarness).crashes(case=case)

    assert report.ok, report
    assert report.worlds > 30


def test_storms_move_no_money_twice():
    report = CrashExplorer(TollgateHarness).storms(STORMS)

    assert report.ok, report


# -- one crash, by hand ----------------------------------------------------------------------------


@pytest.fixture
def harness():
    with TollgateHarness() as made:
        yield made


@pytest.fixture
def shop(harness, tmp_path):
    """Starts the shop anew, as often as it is called, on one journal."""
    store = f"sqlite:///{tmp_path}/shop.db"
    opened: list[Payport] = []

    def started() -> tuple[Payport, Rig]:
        rig = harness.make()
        opened.append(Payport(rig.provider, scope="shop", store=store, clock=harness.clock))
        return opened[-1], rig

    yield started
    for pay in opened:
        pay.close()


def ordered(pay):
    return pay.payments.create(
        reference="order_1",
        amount=Money.from_major("49.99", "EUR"),
        confirm=True,
        payment_method="pm_card_ok",
    )


def posts(harness):
    """How many requests that make an order were put on the wire."""
    return sum((wire.method, wire.target) == ("POST", "/orders") for wire in harness.simulator.seen)


def test_an_order_whose_shop_died_after_the_send_is_found_by_our_reference(harness, shop):
    pay, rig = shop()
    rig.script.next("create_payment", CrashAfter())
    with pytest.raises(Crash):
        ordered(pay)
    (row,) = shop()[0].operations.list()
    assert row.state == "sent", "it was written down before it was sent"

    harness.clock.advance(60)
    again, _ = shop()
    intent = ordered(again)

    assert posts(harness) == 1, "it was sent once more"
    assert intent.status is PaymentStatus.REQUIRES_ACTION
    assert intent.next_action.url.startswith("https://pay.tollgate.example/tg_000001?")
    assert len(harness.bank.payments) == 1
    harness.bank.visit()
    assert again.payments.refresh(intent.id).captured == Money(4_999, "EUR")


def test_what_is_not_found_may_have_been_done_and_is_left_to_a_person(harness, shop):
    pay, rig = shop()
    rig.script.next("create_payment", CrashBefore())
    with pytest.raises(Crash):
        ordered(pay)

    harness.clock.advance(60)
    again, _ = shop()
    with pytest.raises(OutcomeUnknown):
        ordered(again)
    assert posts(harness) == 1, "absence was taken for a proof"

    for _ in range(40):
        harness.clock.advance(3_600)
        again.operations.recover()
    (row,) = again.operations.list()
    assert row.state == "needs_review"
    assert posts(harness) == 1
    assert again.payments.get(reference="order_1").status is PaymentStatus.UNKNOWN

    again.operations.resolve(
        row.id, "not_executed", reason="no such order in Tollgate's pages", author="ada"
    )
    assert ordered(again).status is PaymentStatus.REQUIRES_ACTION
    assert len(harness.bank.payments) == 1


def test_a_refund_whose_answer_was_lost_is_found_on_its_order(harness, shop):
    pay, rig = shop()
    intent = ordered(pay)
    harness.bank.visit()
    pay.payments.refresh(intent.id)
    give_back = {"payment": intent.id, "reference": "return_1", "amount": Money(1_000, "EUR")}
    rig.script.next("create_refund", CrashAfter())
    with pytest.raises(Crash):
        pay.refunds.create(**give_back)

    harness.clock.advance(60)
    again, _ = shop()
    assert again.refunds.create(**give_back).status == "succeeded"
    assert harness.bank.refunded("order_1", "EUR") == Money(1_000, "EUR")
    assert again.payments.get(intent.id).refunded == Money(1_000, "EUR")


def test_an_equal_order_made_by_somebody_else_is_no_evidence(harness, shop):
    pay, rig = shop()
    rig.script.next("create_payment", LostRequest())
    harness.bank.charge(Money(4_999, "EUR"), reference="order_1")

    with pytest.raises(OutcomeUnknown):
        ordered(pay)
    harness.clock.advance(60)
    with pytest.raises(OutcomeUnknown):
        ordered(pay)
    assert posts(harness) == 1


# -- webhooks --------------------------------------------------------------------------------------


def test_a_webhook_only_has_the_order_read(harness, shop):
    pay, _ = shop()
    intent = ordered(pay)
    for request in harness.webhooks():
        pay.webhooks.receive(body=request.body, headers=request.headers)
    pay.webhooks.process_due()
    assert pay.payments.get(intent.id).status is PaymentStatus.REQUIRES_ACTION

    harness.bank.visit()
    harness.clock.advance(10)
    for request in harness.webhooks():
        pay.webhooks.receive(body=request.body, headers=request.headers)
    pay.webhooks.process_due()
    assert pay.payments.get(intent.id).is_paid
