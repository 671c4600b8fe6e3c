"""SIGTERM and SIGINT: the one in hand is finished, and a loop that was told to end is content."""

import os
import signal
import sqlite3
import threading

import pytest
from clis import process, wait_for

from payport.cli.signals import stop_event
from payport.storage import upgrade

#: Three payments whose senders died; the second one's look at the provider takes its time.
SHOP = """
import time
from datetime import timedelta
from pathlib import Path

from payport import AsyncPayport, Money, Payport
from payport.operations.clock import SystemClock
from payport.testing import AsyncFakeProvider, Bank, Crash, CrashAfter, FakeProvider, FakeClock

HERE = Path(__file__).parent
STORE = f"sqlite:///{HERE}/payments.db"
bank = Bank(clock=FakeClock(SystemClock().now() - timedelta(minutes=5)))
looked = []


def slowly(asked):
    if asked.operation != "account":
        looked.append(asked)
        (HERE / "looking").write_text(str(len(looked)))
        time.sleep(1)
    return None


def left_behind():
    for number in range(3):
        fake = FakeProvider(bank=bank)
        fake.next("create_payment", CrashAfter())
        try:
            Payport(fake, store=STORE).payments.create(
                reference=f"order_{number}", amount=Money(100, "USD"),
                payment_method="pm_card_visa", confirm=True,
            )
        except Crash:
            pass
    bank.clock.advance(timedelta(minutes=5))


def blocking():
    left_behind()
    fake = FakeProvider(bank=bank)
    fake.decide(slowly)
    return Payport(fake, store=STORE)


def awaited():
    left_behind()
    fake = AsyncFakeProvider(bank=bank)
    fake.decide(slowly)
    return AsyncPayport(fake, store=STORE)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "shop.py").write_text(SHOP)
    upgrade(f"sqlite:///{tmp_path}/payments.db")
    return tmp_path


def states(folder):
    connection = sqlite3.connect(folder / "payments.db")
    try:
        return [row[0] for row in connection.execute("SELECT state FROM payport_operations")]
    finally:
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=str)
@pytest.mark.parametrize("made", ["blocking", "awaited"])
@pytest.mark.parametrize(("more", "code"), [((), 130), (("--loop", "30"), 0)], ids=["once", "loop"])
def test_recovery_ends_with_the_operation_that_it_is_at(folder, made, number, more, code):
    arguments = ("operations", "recover", "--app", f"shop:{made}", *more)
    with process(*arguments, cwd=folder) as running:
        wait_for((folder / "looking").exists)
        ended = running.end(number)

    assert ended.code == code
    assert "Stopping" in ended.err
    assert "Traceback" not in ended.err
    # The one in hand is concluded, and none was begun after it.
    assert sorted(states(folder)) == ["confirmed", "sent", "sent"]


def test_a_loop_that_has_nothing_to_do_ends_at_once(tmp_path):
    (tmp_path / "idle.py").write_text(
        "from payport import Payport\nfrom payport.testing import FakeProvider\n"
        "pay = Payport(FakeProvider())\n"
    )
    arguments = ("operations", "recover", "--app", "idle:pay", "--loop", "600")
    with process(*arguments, cwd=tmp_path) as running:
        assert "until SIGTERM" in running.line()
        ended = running.end()

    assert ended.code == 0


def test_a_second_signal_stops_at_once(folder):
    arguments = ("operations", "recover", "--app", "shop:blocking")
    with process(*arguments, cwd=folder) as running:
        wait_for((folder / "looking").exists)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.stderr is not None
        while "Stopping" not in running.process.stderr.readline():
            pass
        ended = running.end(signal.SIGTERM)

    assert ended.code == -signal.SIGTERM
    assert sorted(states(folder)) == ["sent", "sent", "sent"]


def test_handlers_are_put_back(capfd):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    with stop_event() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)

    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert [t.name for t in threading.enumerate() if t.name == "payport-signals"] == []
