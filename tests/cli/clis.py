"""The command line in this process and in one of its own, and shops that it looks after."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from payport import AsyncPayport, Handlers, Money, Payport
from payport.cli.app import app
from payport.operations.records import OperationState
from payport.operations.settling import given_up
from payport.storage.memory import AsyncMemoryStore, MemoryStore
from payport.testing import AsyncFakeProvider, Bank, Crash, CrashAfter, FakeProvider

ROOT = Path(__file__).parents[2]
#: What no command may ever print.
KEY = "sk_test_canaryKEYcanary"
SECRET = "whsec_canarySECRETcanary"


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)

    @property
    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def cli(monkeypatch):
    """Runs a command in this process, in an environment with nothing of payport's in it."""
    for name in ("PAYPORT_APP", "STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRETS"):
        monkeypatch.delenv(name, raising=False)
    runner = CliRunner()

    def run(*arguments: object, code: int | None = 0, **env: str) -> Ended:
        result = runner.invoke(app, [str(one) for one in arguments], env=env)
        ended = Ended(result.exit_code, result.stdout, result.stderr)
        assert code is None or ended.code == code, (ended, result.exception)
        for canary in (KEY, SECRET):
            assert canary not in ended.out + ended.err
        return ended

    return run


@dataclass
class Shop:
    """An application: a module `cli_shop` with `make`, which makes its client."""

    colour: str
    bank: Bank = field(default_factory=Bank)
    store: MemoryStore = field(default_factory=MemoryStore)
    handlers: Handlers = field(default_factory=Handlers)

    def make(self) -> Payport | AsyncPayport:
        if self.colour == "async":
            provider = AsyncFakeProvider(bank=self.bank)
            return AsyncPayport(
                provider, store=AsyncMemoryStore(self.store), handlers=self.handlers
            )
        return self.client()

    def client(self, provider: FakeProvider | None = None) -> Payport:
        """A blocking client for the test itself."""
        fake = provider or FakeProvider(bank=self.bank)
        return Payport(fake, store=self.store, handlers=self.handlers)

    def buy(self, reference="order_1", **more: Any):
        return self.client(more.pop("provider", None)).payments.create(
            reference=reference,
            amount=Money(5000, "USD"),
            payment_method="pm_card_visa",
            confirm=True,
        )

    def crashed(self, reference="order_1"):
        """A payment whose sender died after the money moved."""
        doomed = FakeProvider(bank=self.bank)
        doomed.next("create_payment", CrashAfter())
        with pytest.raises(Crash):
            self.buy(reference, provider=doomed)
        self.bank.clock.advance(timedelta(minutes=5))

    def to_review(self, reference="order_1"):
        """The id of an operation that waits for a person."""
        self.crashed(reference)
        record = next(iter(self.client().operations.list(state="sent")))
        now = self.bank.clock.now()
        self.store.transact(
            lambda tx: given_up(tx, record, OperationState.NEEDS_REVIEW, now, "nothing shows it")
        )
        return record.id


@pytest.fixture(params=["sync", "async"])
def shop(request, monkeypatch):
    """A shop of either colour, importable as `cli_shop:make`."""
    made = Shop(request.param)
    module = types.ModuleType("cli_shop")
    module.make = made.make
    monkeypatch.setitem(sys.modules, "cli_shop", module)
    return made


APP = ("--app", "cli_shop:make")


class Process:
    """A command in a process of its own."""

    def __init__(self, *arguments: object, cwd: Path, **env: str) -> None:
        paths = os.pathsep.join(path for path in [str(cwd), *sys.path] if path)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PAYPORT_", "STRIPE_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "payport.cli", *map(str, arguments)],
            cwd=cwd,
            env={**kept, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def end(self, number: int = signal.SIGTERM) -> Ended:
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> Ended:
        out, err = self.process.communicate(timeout=30)
        return Ended(self.process.returncode, out, err)


@contextmanager
def process(*arguments: object, cwd: Path, **env: str):
    started = Process(*arguments, cwd=cwd, **env)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
            started.process.communicate(timeout=30)


@contextmanager
def receiver(answer: Callable[[bytes, Any], int] = lambda body, headers: 200):
    """The address of a local application, and what it was sent."""
    got: list[tuple[bytes, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            got.append((body, headers))
            self.send_response(answer(body, headers))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *told: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/webhooks/stripe", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=15)


def wait_for(ready: Callable[[], object], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.02)
