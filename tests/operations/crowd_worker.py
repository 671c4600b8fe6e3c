"""
One process of a crowd; see `crowd.Crowd`. It has a client of its own, and does what it is told in
as many threads as it is told calls. Each line of its standard input is a job, one JSON object, and
each is answered with one line.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import crowd

from payport import Money, Payport


class Worker:
    def __init__(self):
        self._pay = None

    def enter(self, url, store):
        self._pay = crowd.client(Payport, url, store)
        self._pay.operations.recover()  # asks for the account, before the rush
        return os.getpid()

    def leave(self):
        self._pay.close()

    def calls(self, calls, at):
        """All calls at one moment, which the processes agreed upon."""
        together = threading.Barrier(len(calls))

        def call(asked):
            together.wait()
            time.sleep(max(0.0, at - time.time()))
            try:
                return getattr(self, f"_{asked.pop('do')}")(**asked)
            except Exception as error:  # noqa: BLE001 - what each of them got is the test
                return [type(error).__name__, str(error)]

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(call, calls))

    def _buy(self, reference, amount):
        paid = self._pay.payments.create(
            reference=reference,
            amount=Money(amount, "USD"),
            payment_method="pm_card_visa",
            confirm=True,
        )
        return ["PaymentIntent", paid.id, paid.status, paid.captured.minor]

    def _refund(self, payment, reference):
        given = self._pay.refunds.create(payment=payment, reference=reference)
        return ["Refund", given.id, given.status, given.amount.minor]

    def _recover(self):
        done = self._pay.operations.recover()
        return [done.concluded, done.abandoned, done.unknown, done.needs_review]


def main():
    worker = Worker()
    for line in sys.stdin:
        job = json.loads(line)
        told = getattr(worker, job.pop("do"))(**job)
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
