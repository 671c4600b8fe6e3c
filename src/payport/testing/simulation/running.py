"""Runs a simulator on a loopback port until it is told to stop, or nobody asks any more."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from payport.testing.clock import FakeClock

if TYPE_CHECKING:
    import uvicorn

    from payport.testing.simulation.asgi import AsgiApp

__all__ = ["RunningClock", "Served", "run"]

_IDLE: Final = 600.0
_LOOK_EVERY: Final = 0.2


class RunningClock(FakeClock):
    """The machine's clock, which can be advanced besides."""

    def __init__(self) -> None:
        super().__init__(datetime.now(UTC))
        self._began = time.monotonic()

    def now(self) -> datetime:
        """The machine's moment, and what it was advanced by."""
        return super().now() + timedelta(seconds=time.monotonic() - self._began)

    def monotonic(self) -> float:
        """Seconds since it was made, and what it was advanced by."""
        return super().monotonic() + time.monotonic() - self._began


class Served(Protocol):
    """As much of a simulator as is needed to run it."""

    def asgi(self) -> AsgiApp:
        """The application."""
        ...

    def send_due(self) -> int:
        """Send the webhooks that are due."""
        ...

    @property
    def addresses(self) -> Sequence[object]:
        """Whom webhooks are sent to."""
        ...


def run(
    make: Callable[[RunningClock], Served], *, module: str, arguments: Sequence[str] | None
) -> int:
    """
    Run until told to stop; return the exit code.

    Args:
        make: Makes the simulator, with this clock.
        module: What the command is called by.
        arguments: The command's; those of the process if None.
    """
    options = _options(module, arguments)
    simulator = make(RunningClock())
    app = simulator.asgi()
    try:
        import uvicorn  # noqa: PLC0415 - the only part that needs it
    except ImportError:
        sys.stderr.write("The simulator needs uvicorn to listen: pip install uvicorn\n")
        return 1
    # By its protocol's number: asyncio sends at once (TCP_NODELAY) only where the socket says it.
    # Otherwise the second part of each answer waits 40 ms for the client to confirm the first.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", options.port))
        # Whoever reads the address may connect at once.
        listener.listen()
        port: int = listener.getsockname()[1]
        sys.stdout.write(f"http://127.0.0.1:{port}\n")
        sys.stdout.flush()
        config = uvicorn.Config(
            app,
            log_level="critical",
            access_log=False,
            lifespan="off",
            # Answers tell the time of the bank's clock, not of the machine's.
            date_header=False,
        )
        server = uvicorn.Server(config)
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_run(server, app, simulator, listener, options.idle))
    return 0


def _options(module: str, arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("--port", type=int, default=0, help="0 for any that is free")
    parser.add_argument(
        "--idle", type=float, default=_IDLE, help="stop after so many seconds without a request"
    )
    return parser.parse_args(arguments)


async def _run(
    server: uvicorn.Server,
    app: AsgiApp,
    simulator: Served,
    listener: socket.socket,
    idle: float,
) -> None:
    watcher = asyncio.create_task(_watch(server, app, simulator, idle))
    try:
        await server.serve(sockets=[listener])
    finally:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher


async def _watch(server: uvicorn.Server, app: AsgiApp, simulator: Served, idle: float) -> None:
    """Send webhooks that are due; stop the server when it has been idle for long enough."""
    seen, since = app.requests, time.monotonic()
    try:
        while not server.should_exit:
            await asyncio.sleep(_LOOK_EVERY)
            if simulator.addresses:
                await asyncio.to_thread(simulator.send_due)
            if app.requests != seen:
                seen, since = app.requests, time.monotonic()
            elif time.monotonic() - since > idle:
                break
    finally:
        # Also if something went wrong here: nobody else would ever stop it.
        server.should_exit = True
