"""
Run the property tests with many more, always new, examples, for so many minutes and no longer.

They would take hours in all, so each run begins with others: in an order of its own, which its seed
repeats. What fails ends the run, and Hypothesis says how to see it again.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTEST = (sys.executable, "-m", "pytest", "-m", "hypothesis")
#: What pytest returns when it is interrupted, as it is here when the time is over: by itself, and
#: where it did not begin yet.
INTERRUPTED = (2, -signal.SIGINT)
#: Seconds that an interrupted example may take to end.
PATIENCE = 60


def tests() -> list[str]:
    """Every property test, each once, whatever it is parametrized with."""
    command = [*PYTEST, "--collect-only", "-q"]
    told = subprocess.run(  # noqa: S603 - this project's own tests
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    ids = [line.partition("[")[0] for line in told.stdout.splitlines() if "::" in line]
    if not ids:
        sys.exit(told.stdout + told.stderr)
    return list(dict.fromkeys(ids))


def run(ids: list[str], seconds: float) -> int:
    """Run them in this order until the time is over; the exit status."""
    command = [*PYTEST, "-q", "-x", "--hypothesis-profile=long", "-o", "faulthandler_timeout=0"]
    running = subprocess.Popen([*command, *ids], cwd=ROOT)  # noqa: S603 - as above
    try:
        return running.wait(seconds)
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGINT)
    try:
        status = running.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        running.kill()
        status = INTERRUPTED[0]
    print(f"the time was over after {seconds / 60:g} minutes, and nothing failed until then")
    return 0 if status in INTERRUPTED else status


def main() -> int:
    """Run as many as fit into the time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.0, help="default: %(default)s")
    parser.add_argument("--seed", type=int, help="of the order; any if left out")
    options = parser.parse_args()
    ids = tests()
    seed = options.seed if options.seed is not None else time.time_ns() % 1_000_000
    random.Random(seed).shuffle(ids)  # noqa: S311 - the order of tests
    print(f"{len(ids)} property tests in the order of seed {seed}", flush=True)
    return run(ids, 60 * options.minutes)


if __name__ == "__main__":
    sys.exit(main())
