"""The simulator on the command line: the entry point `stripe` of `payport.simulators`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from payport.domain.errors import ConfigurationError
from payport.testing.simulated import Simulated
from payport.testing.simulation.posting import LOOPBACK, post_to_loopback
from payport.testing.simulation.running import RunningClock
from payport.testing.stripe_simulator.scenarios import SCENARIOS, Stage
from payport.testing.stripe_simulator.simulator import SIGNING_SECRET, StripeSimulator

__all__ = ["SIMULATED"]


def _made(secrets: Sequence[str]) -> StripeSimulator:
    if not all(one.startswith("whsec_") for one in secrets):
        message = "is no signing secret: those begin with whsec_"
        raise ConfigurationError(message, field="--secret")
    # An application keeps the ids of events: those of another run have to be others.
    first = time.time_ns() // 1_000_000
    clock = RunningClock()
    return StripeSimulator(clock=clock, signing_secrets=secrets or None, first_number=first)


def _played(play: Callable[[Stage], None], simulator: Any) -> None:
    play(Stage(simulator))


def _scenarios() -> Mapping[str, Callable[[Any], None]]:
    return {event: partial(_played, play) for event, play in SCENARIOS.items()}


#: What `payport.simulators` offers as `stripe`.
SIMULATED: Final = Simulated(
    make=_made,
    secrets_variable="STRIPE_WEBHOOK_SECRETS",
    known_secret=SIGNING_SECRET,
    scenarios=_scenarios(),
    post=post_to_loopback,
    loopback=LOOPBACK,
)
