"""
Runs the simulator on a loopback port: `python -m payport.testing.stripe_simulator --port 0`.

Prints its address, and stops by signal or when nobody has asked for anything for a while. Needs
uvicorn.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from payport.testing.simulation.running import run
from payport.testing.stripe_simulator.simulator import StripeSimulator

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop; return the exit code."""
    return run(
        lambda clock: StripeSimulator(clock=clock),
        module="payport.testing.stripe_simulator",
        arguments=arguments,
    )


if __name__ == "__main__":
    sys.exit(main())
