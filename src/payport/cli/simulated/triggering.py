"""`payport trigger`: play what makes a provider send an event, and send what it would send."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from payport.cli.exits import ExitCode
from payport.cli.line import Line
from payport.cli.simulated.finding import ProviderOption, simulated
from payport.cli.simulated.forwarding import Forwarder, ForwardTo, SecretOption, local, simulator
from payport.domain.errors import ConfigurationError

__all__ = ["trigger"]


def trigger(
    line: Line,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="The provider's word for it.")],
    *,
    forward_to: ForwardTo = None,
    duplicate: Annotated[
        int, typer.Option(min=0, max=100, help="Send each event so many times more.")
    ] = 0,
    shuffle: Annotated[bool, typer.Option("--shuffle", help="Send them in any order.")] = False,
    seed: Annotated[
        int | None, typer.Option(help="Of the order, to have the same one again.")
    ] = None,
    secret: SecretOption = None,
    provider: ProviderOption = None,
) -> ExitCode:
    """
    Play a scenario on a simulator and send its signed events to a local application.

    The event comes with those that the same scenario brings before and after it, about the same
    objects. Without --forward-to they are printed. Each run makes new objects and events.
    """
    kit = simulated(provider)
    play = kit.scenarios.get(event)
    if play is None:
        message = f"has no scenario. There are: {', '.join(kit.scenarios)}"
        raise ConfigurationError(message, operation=f"payport trigger {event}")
    target = None if forward_to is None else local(kit, forward_to)
    bank, _ = simulator(kit, secret)
    play(bank)
    order = (random.randrange(1 << 32) if seed is None else seed) if shuffle else None  # noqa: S311
    requests = bank.webhooks(duplicate=duplicate, shuffle=order)
    if order is not None:
        line.out.say(f"In the order of --seed {order}.")
    if target is None:
        _printed(line, requests)
        return ExitCode.OK
    forwarder = Forwarder(line, kit)
    forwarder.send_all(target, requests)
    line.out.say(f"{forwarder.taken} taken, {forwarder.refused} not.")
    return ExitCode.FAILED if forwarder.refused else ExitCode.OK


def _printed(line: Line, requests: Sequence[Any]) -> None:
    for request in requests:
        event: Any = json.loads(request.body)
        line.out.line(event, f"{event['type']:<40} {event['id']}")
