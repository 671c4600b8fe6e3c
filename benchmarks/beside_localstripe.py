"""
The simulator on a socket, beside localstripe: a payment made and then confirmed, two requests each,
one after the other on one connection. Measured when asked for: `make bench LOCALSTRIPE=1`.

localstripe is under the GPL: it is installed into an environment of its own below `build/`, run as
a process of its own by its own command, never imported, and needed for nothing else. It listens on
all interfaces while it is measured, and writes all that it holds to disk after each request, so it
gets slower the more it holds; it is stopped and started anew for each round.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from figures import Figure, at_least, in_turn, known

VERSION: Final = "1.15.10"
ROOT: Final = Path(__file__).parent.parent
PLACE: Final = ROOT / "build" / "localstripe"
#: Where localstripe keeps what it holds; it takes no other place.
LEFT_BEHIND: Final = Path(tempfile.gettempdir()) / "localstripe.pickle"
PAYMENTS: Final = 150
PATIENCE: Final = 20.0
CARD: Final = {
    "type": "card",
    "card[number]": "4242424242424242",
    "card[exp_month]": "12",
    "card[exp_year]": "2040",
    "card[cvc]": "123",
}

#: Posts fields to a path with an idempotency key; returns the document of the answer.
Post = Callable[[str, str, Mapping[str, object]], Any]


def installed() -> Path:
    """Localstripe's command, in an environment of its own."""
    command = PLACE / "bin" / "localstripe"
    if not command.exists():
        subprocess.run(["/bin/sh", ROOT / "scripts" / "venv.sh", "create", PLACE], check=True)
        wanted = f"localstripe=={VERSION}"
        subprocess.run([PLACE / "bin" / "python", "-m", "pip", "install", "-q", wanted], check=True)
    return command


@contextmanager
def running(command: Sequence[str | Path], port: int) -> Iterator[int]:
    """The port of a server, once it listens, until it is stopped."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen([*command, "--port", str(port)], stdout=quiet, stderr=quiet) as process:
        try:
            until = time.monotonic() + PATIENCE
            while time.monotonic() < until and process.poll() is None:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield port
        finally:
            process.kill()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def simulated() -> AbstractContextManager[int]:
    """The simulator, on a port of its own."""
    module = "payport.testing.stripe_simulator"
    return running([sys.executable, "-m", module, "--idle", "60"], free_port())


def localstripe() -> AbstractContextManager[int]:
    """localstripe, holding nothing, on a port of its own."""
    return running([installed(), "--from-scratch"], free_port())


def saved_card(post: Post) -> str:
    """A payment method that localstripe takes any number of times; it has none from the start."""
    saved: str = post("/v1/payment_methods", "method", CARD)["id"]
    return saved


@dataclass(frozen=True)
class Contender:
    """A server: how it is started, and what it has to be told."""

    start: Callable[[], AbstractContextManager[int]]
    method: Callable[[Post], str]
    confirm: dict[str, str]


CONTENDERS: Final = {
    # As Stripe, it asks for a way back, because the payment may be paid by other methods too.
    "simulator": Contender(
        simulated, lambda _: "pm_card_visa", {"return_url": "https://shop.example/"}
    ),
    "localstripe": Contender(localstripe, saved_card, {}),
}


def paid(port: int, contender: Contender) -> float:
    """Seconds that a payment takes to make and confirm."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def post(path: str, key: str, fields: Mapping[str, object]) -> Any:
        headers = {
            "Authorization": "Bearer sk_test_obviouslyfake",
            "Content-Type": "application/x-www-form-urlencoded",
            "Idempotency-Key": key,
        }
        connection.request("POST", path, urlencode(fields).encode(), headers)
        answer = connection.getresponse()
        document = json.loads(answer.read())
        if answer.status >= 400:  # noqa: PLR2004 - HTTP's
            raise RuntimeError(document)
        return document

    try:
        connection.connect()
        assert connection.sock is not None  # noqa: S101 - it is connected
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        asked = {"amount": 4999, "currency": "usd", "payment_method": contender.method(post)}
        began = time.perf_counter()
        for number in range(PAYMENTS):
            made = post("/v1/payment_intents", f"made_{number}", asked)
            path = f"/v1/payment_intents/{made['id']}/confirm"
            done = post(path, f"confirmed_{number}", contender.confirm)
            if done["status"] != "succeeded":
                raise RuntimeError(done)
        return (time.perf_counter() - began) / PAYMENTS
    finally:
        connection.close()


def measured(contender: Contender) -> float:
    """Seconds of a payment on a server that was just started."""
    with contender.start() as port:
        return paid(port, contender)


def figures() -> Iterator[Figure]:
    """The two beside each other."""
    servers = CONTENDERS.items()
    try:
        taken = in_turn({name: partial(measured, server) for name, server in servers}, rounds=5)
    finally:
        LEFT_BEHIND.unlink(missing_ok=True)
    ratio = taken["localstripe"] / taken["simulator"]
    yield at_least(
        f"payments a second, against localstripe {VERSION}", ratio, 5, unit="x", digits=1
    )
    for name, seconds in taken.items():
        yield known(f"{name}, payments made and confirmed per second", 1 / seconds, digits=0)
