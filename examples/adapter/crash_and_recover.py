"""
Kill a shop in the middle of a payment at Tollgate, which knows no idempotency keys, and look.

Needs nothing but this directory: `python crash_and_recover.py`. The processor is the simulator on a
socket of this machine; the shop is a process of its own, and SIGKILL ends it at the worst moment:
once when its order was made and the answer is on its way, once when the request arrived and nothing
was made yet. Nobody can tell the two apart by what the shop knows.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from payport_tollgate import TollgateProvider
from payport_tollgate.testing.simulator import TollgateSimulator, Wire
from payport_tollgate.testing.wires import App

from payport import Money, PaymentIntent, Payport
from payport.domain.errors import OutcomeUnknown
from payport.testing import FakeClock

PATIENCE = 20.0


def main() -> None:
    """Kill the shop twice, and say what payport makes of it."""
    logging.getLogger("payport").setLevel(logging.CRITICAL)  # what is told here is told once
    simulator = TollgateSimulator()
    with served(App(simulator)) as url, tempfile.TemporaryDirectory() as place:
        journal = f"sqlite:///{Path(place).resolve()}/shop.db"
        clock = FakeClock()

        print("1. The shop dies when its order was made, before it hears so.")
        kill(simulator, simulator.answered, journal, url, "order_1")
        clock.advance(60)
        with shop(journal, url, clock) as pay:
            print(f"   the journal says: {states(pay)}")
            intent = order(pay, "order_1")
            print(f"   asked again, it is found by our ref, and not sent again: {intent.status}")
            simulator.bank.visit()
            print(f"   the customer pays on the page: {pay.payments.refresh(intent.id).status}")
            check(made(simulator, "order_1") == 1, "one order was made")

            print("2. The shop dies when its request arrived, before anything was made.")
            kill(simulator, simulator.heard, journal, url, "order_2")
            clock.advance(60)
            check(unknown(pay, "order_2"), "nothing is found, which proves nothing: it is unknown")
            for _ in range(30):
                clock.advance(3_600)
                pay.operations.recover()
            print(f"   a day later the journal says: {states(pay)}")
            check(sent(simulator, "order_2") == 1, "nobody sent it again")
            (row,) = [one for one in pay.operations.list() if one.state == "needs_review"]
            pay.operations.resolve(
                row.id, "not_executed", reason="no such order in Tollgate's pages", author="ada"
            )
            print(f"   a person looked, and then it may be sent: {order(pay, 'order_2').status}")
            check(made(simulator, "order_2") == 1, "one order was made")
    print("held: each order was made once")


# -- the shop --------------------------------------------------------------------------------------


def shop(journal: str, url: str, clock: FakeClock) -> Payport:
    """A client of the shop's."""
    provider = TollgateProvider(api_key="tg_test_of_the_example", base_url=url)
    return Payport(provider, scope="shop", store=journal, clock=clock)


def order(pay: Payport, reference: str) -> PaymentIntent:
    """What the shop asks for. In the sandbox the method says what the page does."""
    return pay.payments.create(
        reference=reference,
        amount=Money.from_major("49.99", "EUR"),
        payment_method="pm_card_ok",
        confirm=True,
        return_url="https://shop.example/thanks",
    )


def unknown(pay: Payport, reference: str) -> bool:
    """Whether the shop is told that nobody knows."""
    try:
        order(pay, reference)
    except OutcomeUnknown:
        return True
    return False


def states(pay: Payport) -> list[str]:
    """Where each operation stands, the latest first."""
    return [str(one.state) for one in pay.operations.list()]


# -- the processor ---------------------------------------------------------------------------------


def made(simulator: TollgateSimulator, reference: str) -> int:
    """How many orders there are at Tollgate."""
    return len(simulator.bank.payments_named(reference))


def sent(simulator: TollgateSimulator, reference: str) -> int:
    """How many requests for an order arrived there."""
    named = f'"order":"{reference}"'.encode()
    return sum(wire.method == "POST" and named in wire.body for wire in simulator.seen)


@contextmanager
def served(app: App) -> Iterator[str]:
    """The address of the simulator on a socket of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(PATIENCE)


def kill(
    simulator: TollgateSimulator,
    moment: list[Callable[[Wire], None]],
    journal: str,
    url: str,
    reference: str,
) -> None:
    """Have a shop of its own process ask for an order, and kill it at a moment of the request."""
    command = [sys.executable, __file__, journal, url, reference]
    child = subprocess.Popen(command)  # noqa: S603 - this script itself

    def strike(wire: Wire) -> None:
        if wire.method == "POST":
            os.kill(child.pid, signal.SIGKILL)
            child.wait(PATIENCE)
            if moment is simulator.heard:
                raise ConnectionAbortedError  # and nothing is made

    moment.append(strike)
    try:
        check(child.wait(PATIENCE) == -signal.SIGKILL, "the shop was killed")
    finally:
        child.kill()
        time.sleep(0.1)  # the server hears that nobody listens any more
        moment.remove(strike)


def check(held: bool, what: str) -> None:  # noqa: FBT001 - it reads as a sentence
    """Say that something holds, or end."""
    if not held:
        sys.exit(f"FAILED: {what}")
    print(f"   {what}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        order(shop(sys.argv[1], sys.argv[2], FakeClock()), sys.argv[3])
    else:
        main()
