"""`payport listen`: a simulator on loopback whose events go to a local application."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from payport.cli.line import Line
from payport.cli.signals import stop_event
from payport.cli.simulated.finding import ProviderOption, simulated
from payport.cli.simulated.forwarding import Forwarder, SecretOption, local, simulator
from payport.domain.errors import ConfigurationError

if TYPE_CHECKING:
    import uvicorn

__all__ = ["listen"]

_LOOK_EVERY: Final = 0.1
_PATIENCE: Final = 10.0


def listen(
    line: Line,
    *,
    forward_to: Annotated[
        str,
        typer.Option(
            metavar="URL", help="The application's webhook address: http, on this machine only."
        ),
    ],
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the simulator; 0 for any that is free.")
    ] = 0,
    events: Annotated[
        list[str] | None, typer.Option(metavar="TYPE", help="Only these types; may be repeated.")
    ] = None,
    secret: SecretOption = None,
    provider: ProviderOption = None,
) -> None:
    """
    Run a provider's simulator and forward its signed events to a local application.

    Give the application the printed address as base_url, any test key, and the signing secret.
    Events that are not answered with a 2xx come again by the provider's schedule. SIGTERM and
    SIGINT end it with the event that it is at.
    """
    kit = simulated(provider)
    target = local(kit, forward_to)
    bank, signed = simulator(kit, secret)
    bank.add_endpoint(target, types=events or ("*",))
    forward = Forwarder(line, kit)
    with _served(bank.asgi(), port) as address, stop_event() as stop:
        said = f"Simulator on {address}; events go to {target}, signed with {signed}."
        line.out.line({"address": address, "forward_to": target}, said)
        while not stop.is_set():
            bank.send_due(forward)
            stop.wait(_LOOK_EVERY)
    line.out.say(f"{forward.taken} taken, {forward.refused} not.")


@contextmanager
def _served(app: Any, port: int) -> Generator[str]:
    """The address of an ASGI application, in a thread, where uvicorn installs no handlers."""
    try:
        import uvicorn
    except ImportError as error:
        message = "the simulator listens by uvicorn. Install it with: pip install 'payport[cli]'"
        raise ConfigurationError(message, operation="payport listen") from error
    with _listening(port) as listener:
        # Answers tell the time of the bank's clock, not of the machine's.
        config = uvicorn.Config(
            app, log_level="critical", access_log=False, lifespan="off", date_header=False
        )
        server = uvicorn.Server(config)
        serving = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="payport-simulator"
        )
        serving.start()
        try:
            _wait(server, serving)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            serving.join(_PATIENCE)


@contextmanager
def _listening(port: int) -> Generator[socket.socket]:
    # TCP by name: asyncio sends small answers at once only where a socket says that it is that.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            message = f"{port} cannot be listened on: {error.strerror}"
            raise ConfigurationError(message, field="--port") from error
        listener.listen()
        yield listener


def _wait(server: uvicorn.Server, serving: threading.Thread) -> None:
    until = time.monotonic() + _PATIENCE
    while serving.is_alive() and not server.started and time.monotonic() < until:
        time.sleep(0.01)
