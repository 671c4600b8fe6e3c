"""`manage.py payport_worker`: processes webhooks and recovers operations until told to stop."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections, connections

from payport.client.payport import Payport
from payport.integrations._worker import run_worker
from payport.integrations.django.clients import get_payport

__all__ = ["Command"]


class Command(BaseCommand):
    """Process received webhooks and call their handlers; recover operations beside it."""

    help: str = (
        "Process received webhooks and call their handlers. SIGTERM and Ctrl-C end it once what is "
        "in hand is done."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """See `BaseCommand`."""
        parser.add_argument("--once", action="store_true", help="process what is due, and end")
        parser.add_argument(
            "--every", type=float, default=1.0, help="seconds between two looks (default: 1)"
        )
        parser.add_argument(
            "--recover-every",
            type=float,
            default=30.0,
            help="seconds between two runs of recovery (default: 30); 0 for none",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """See `BaseCommand`."""
        del args
        pay = get_payport()
        if options["once"]:
            self.stdout.write(f"processed: {pay.webhooks.process_due()}")
            return
        every, recover_every = options["every"], options["recover_every"]
        if every <= 0 or recover_every < 0:
            raise CommandError("--every takes more than 0 seconds, --recover-every 0 or more")
        stop = _Stop()
        with _told_by_signals(stop), _recovering(pay, stop, recover_every):
            self.stdout.write("working")
            self.stdout.flush()
            run_worker(pay, stop=stop, every=every)
        self.stdout.write("stopped")


class _Stop(threading.Event):
    """Between two rounds, which is where it is waited for, Django lets go of dead connections."""

    def wait(self, timeout: float | None = None) -> bool:
        """See `Event.wait`."""
        close_old_connections()
        return super().wait(timeout)


@contextmanager
def _told_by_signals(stop: threading.Event) -> Generator[None]:
    """Let SIGTERM and Ctrl-C set `stop`; a second one ends the process as it would otherwise."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def tell(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, tell)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _recovering(pay: Payport, stop: threading.Event, every: float) -> Generator[None]:
    """Recover in a thread of its own, which has connections of its own, until `stop` is set."""

    def recover() -> None:
        try:
            pay.operations.run_recovery(stop=stop, every=every)
        finally:
            connections.close_all()

    thread = threading.Thread(target=recover, name="payport-recovery")
    if every > 0:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if every > 0:
            thread.join()
