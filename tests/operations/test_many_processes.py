"""Processes with threads, in front of one store and one bank: each effect once, for all of them."""

from datetime import UTC, datetime, timedelta

import pytest
from crowd import Crowd, client, pick, store_url
from loopback import SimulatorProcess
from shops import Faulty

from payport import Money, Payport
from payport.storage.postgres import PostgresStore
from payport.storage.sqlite import SqliteStore
from payport.testing import Crash, FakeClock

PRICE = 5000
PROCESSES, THREADS = 4, 16


@pytest.fixture(scope="module")
def bank():
    running = SimulatorProcess("--idle", "300")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def processes():
    crowd = Crowd(PROCESSES)
    yield crowd
    crowd.close()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request):
    return store_url(request.param, request)


@pytest.fixture
def crowd(processes, bank, place):
    assert len(set(processes.enter(bank.url, place))) == PROCESSES
    yield processes
    processes.leave()


@pytest.fixture
def pay(bank, place):
    with client(Payport, bank.url, place) as pay:
        yield pay


_numbers = iter(range(1, 10_000))


def order():
    """Another order; the bank is the same for all tests."""
    return f"order_{next(_numbers)}"


def flat(answers):
    return [answer for of_process in answers for answer in of_process]


def test_processes_with_many_threads_that_pay_for_one_order_charge_it_once(crowd, bank, pay):
    for _ in range(pick(1, 10)):
        name = order()
        call = {"do": "buy", "reference": name, "amount": PRICE}
        answers = flat(crowd.at_once(*[[call] * THREADS] * PROCESSES))

        row = pay.payments.get(reference=name)
        assert answers == [["PaymentIntent", row.id, "succeeded", PRICE]] * PROCESSES * THREADS
        (operation,) = pay.operations.list(payment=row.id)
        assert (operation.state, operation.sends) == ("confirmed", 1)
        assert bank.control(f"charged?name={operation.key}") == {
            "charged": PRICE,
            "refunded": 0,
            "currency": "USD",
            "payments": 1,
        }


def test_one_process_with_many_threads_charges_an_order_once(crowd, bank, pay):
    name = order()
    call = {"do": "buy", "reference": name, "amount": PRICE}
    answers = flat(crowd.at_once([call] * PROCESSES * THREADS))

    row = pay.payments.get(reference=name)
    assert answers == [["PaymentIntent", row.id, "succeeded", PRICE]] * PROCESSES * THREADS
    (operation,) = pay.operations.list(payment=row.id)
    assert bank.control(f"charged?name={operation.key}")["charged"] == PRICE


@pytest.mark.parametrize("threads", [1, 4])
def test_processes_that_give_back_the_rest_at_once_do_it_once(crowd, bank, pay, threads):
    for _ in range(pick(2, 25)):
        paid = pay.payments.create(
            reference=order(),
            amount=Money(PRICE, "USD"),
            payment_method="pm_card_visa",
            confirm=True,
        )
        calls = [
            [
                {"do": "refund", "payment": paid.id, "reference": f"{paid.reference} {process} {n}"}
                for n in range(threads)
            ]
            for process in range(2)
        ]
        answers = flat(crowd.at_once(*calls))

        given = [answer for answer in answers if answer[0] == "Refund"]
        assert [answer[2:] for answer in given] == [["succeeded", PRICE]]
        refused = [answer for answer in answers if answer[0] != "Refund"]
        assert {answer[0] for answer in refused} == {"InvalidRequest"}
        assert all("can still be refunded" in answer[1] for answer in refused)
        after = pay.payments.get(paid.id)
        assert (after.refunded.minor, after.refund_pending.minor) == (PRICE, 0)
        rows = list(pay.operations.list(payment=paid.id))
        assert [(row.operation, row.state) for row in rows] == [
            ("create_refund", "confirmed"),
            ("create_payment", "confirmed"),
        ]
        assert bank.control(f"charged?name={rows[1].key}")["refunded"] == PRICE


def died(bank, place, number):
    """Payments whose senders died, every other one before its request left; long enough ago."""
    make = PostgresStore if place.startswith("postgres") else SqliteStore
    store = Faulty(make(place.removeprefix("sqlite:///")))
    clock = FakeClock(datetime.now(UTC) - timedelta(minutes=2))
    with client(Payport, bank.url, store, clock=clock) as doomed:
        doomed.operations.recover()
        for nth in range(number):
            begun = store.count
            store.after = _die_at(begun + 1) if nth % 2 else _live_on
            store.before = _live_on if nth % 2 else _die_at(begun + 2)
            with pytest.raises(Crash):
                doomed.payments.create(
                    reference=order(),
                    amount=Money(PRICE, "USD"),
                    payment_method="pm_card_visa",
                    confirm=True,
                )


def _die_at(number):
    def die(reached):
        if reached == number:
            raise Crash

    return die


def _live_on(reached):
    pass


def test_two_recoverers_at_once_conclude_each_operation_once(crowd, bank, place, pay):
    number = pick(30, 200)
    died(bank, place, number)
    assert {row.state for row in pay.operations.list()} == {"sent"}

    first, second = flat(crowd.at_once(*[[{"do": "recover"}]] * 2))
    assert [one + other for one, other in zip(first, second, strict=True)] == [number, 0, 0, 0]
    rows = list(pay.operations.list())
    assert len(rows) == number
    assert {row.state for row in rows} == {"confirmed"}
    assert {row.fencing for row in rows} == {2}, "one more lease than the dead sender's"
    for row in rows:
        there = bank.control(f"charged?name={row.key}")
        assert (there["charged"], there["payments"]) == (PRICE, 1)
