"""Servers on loopback for tests: ASGI applications behind uvicorn, and the simulator's process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import uvicorn

ASGI = Callable[..., Any]


def wait_for(ready: Callable[[], object], seconds: float = 15) -> None:
    """Return once it is so."""
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.01)


@contextmanager
def serving(app: ASGI, *, ports: int = 1) -> Iterator[list[str]]:
    """The addresses of an ASGI application behind uvicorn, in a thread."""
    with ExitStack() as open_ones:
        listening = [open_ones.enter_context(_listening()) for _ in range(ports)]
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", date_header=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": listening})
        thread.start()
        try:
            wait_for(lambda: server.started or not thread.is_alive())
            yield [f"http://127.0.0.1:{one.getsockname()[1]}" for one in listening]
        finally:
            server.should_exit = True
            thread.join(timeout=15)
    assert not thread.is_alive()


def _listening() -> socket.socket:
    # TCP by name: asyncio sends small answers at once only where a socket says that it is that.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    return listening


class SimulatorProcess:
    """
    A simulator in a process of its own.

    Args:
        module: Which one, by its name in `payport.testing`.
    """

    def __init__(self, *options: str, module: str = "stripe_simulator") -> None:
        command = [sys.executable, "-m", f"payport.testing.{module}", "--port", "0"]
        paths = os.pathsep.join(path for path in sys.path if path)
        env = {**os.environ, "PYTHONPATH": paths}
        self.process = subprocess.Popen(
            [*command, *(options or ("--idle", "60"))], stdout=subprocess.PIPE, env=env, text=True
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def control(self, path: str, **fields: Any) -> Any:
        """Ask the control surface; what is told is posted, and so is `send_due`."""
        url = f"{self.url}/_control/{path}"
        with httpx.Client(trust_env=False, timeout=15) as http:
            posts = fields or path == "send_due"
            answer = http.post(url, json=fields) if posts else http.get(url)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def kill(self) -> None:
        """End it where it stands."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        """End it as a terminal does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
