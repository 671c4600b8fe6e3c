"""
Crowds: processes, threads and tasks in front of one store and one bank, which is the Stripe
simulator in a process of its own.

`make test` runs small crowds, `make concurrency` those that are promised.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

from payport.providers.stripe import AsyncStripeProvider, StripeProvider

__all__ = ["KEY", "SCOPE", "Crowd", "client", "pick", "store_url", "watched"]

KEY = "sk_test_obviously_fake"
SCOPE = "crowd"
#: Seconds for one request: on a busy machine a crowd in front of one simulator takes its time.
PATIENCE = 60.0

_WORKER = Path(__file__).with_name("crowd_worker.py")
_FULL = os.environ.get("PAYPORT_CONCURRENCY") == "full"


def pick(small, full):
    """The size of a crowd: the full one where it was asked for."""
    return full if _FULL else small


def store_url(kind, request):
    """The URL of an empty store of this kind."""
    if kind == "postgres":
        return request.getfixturevalue("postgres_url")
    return f"sqlite:///{request.getfixturevalue('database')}"


def client(make, url, store, **named):
    """A client of the crowd's shop: `make` is `Payport` or `AsyncPayport`."""
    provider = AsyncStripeProvider if make.__name__.startswith("Async") else StripeProvider
    given = {"scope": SCOPE, "store": store, "rate_limit": 0, "timeout": PATIENCE, **named}
    return make(provider(api_key=KEY, base_url=url, timeout=PATIENCE), **given)


class Crowd:
    """
    Some processes, each with a client of its own.

    They are started once and given another shop for each test: starting takes longer than that.
    """

    def __init__(self, processes):
        paths = os.pathsep.join(path for path in sys.path if path)
        self._running = [
            subprocess.Popen(
                [sys.executable, str(_WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": paths},
            )
            for _ in range(processes)
        ]

    def enter(self, url, store):
        """Open a client in each process; their process ids."""
        return self._told([{"do": "enter", "url": url, "store": store}] * len(self._running))

    def leave(self):
        self._told([{"do": "leave"}] * len(self._running))

    def at_once(self, *calls_by_process):
        """
        What each process's calls came to, all of them begun at one moment in threads of their own.

        A call is a dict: `do` and its arguments. There may be fewer of them than processes.
        """
        at = time.time() + 0.1
        jobs = [{"do": "calls", "calls": calls, "at": at} for calls in calls_by_process]
        return self._told(jobs)

    def _told(self, jobs):
        chosen = self._running[: len(jobs)]
        for running, job in zip(chosen, jobs, strict=True):
            running.stdin.write(json.dumps(job) + "\n")
            running.stdin.flush()
        return [json.loads(running.stdout.readline()) for running in chosen]

    def close(self):
        for running in self._running:
            running.stdin.close()
        for running in self._running:
            try:
                running.wait(10)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait(10)
            running.stdout.close()


@asynccontextmanager
async def watched(pay):
    """How many connections to the provider a client has: looked at again and again."""
    transport = pay._session._provider._send._client()._transport
    seen = []

    def connections():
        pool = transport.client.connector  # aiohttp's, behind httpx's interface
        return len(pool._acquired) + sum(map(len, pool._conns.values()))

    async def look():
        while True:
            seen.append(connections())
            await asyncio.sleep(0.005)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()
