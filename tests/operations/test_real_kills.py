"""
Real processes, killed for real: `make kills`, for some seconds.

What the harness can see is shown by the plain SDK beside payport: the same kills charge its orders
twice.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
KILLS = 40

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked")


def command(*options):
    return [sys.executable, str(ROOT / "benchmarks" / "kills"), *options]


def running(group):
    """The processes of a group that are alive, where the system tells."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
            if of == str(group) and state != "Z":
                found.append(stat.parent.name)
    return found


def ended(group, seconds=10.0):
    until = time.monotonic() + seconds
    while running(group) and time.monotonic() < until:
        time.sleep(0.05)
    return not running(group)


@pytest.fixture(scope="module")
def days():
    with subprocess.Popen(
        command("--kills", str(KILLS), "--json", "--seed", "7"),
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            told, _ = process.communicate(timeout=60)
            assert process.returncode == 0
            assert ended(process.pid)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return {day["name"]: day for day in json.loads(told)}


def test_killed_workers_charge_nobody_twice_and_lose_no_order(days):
    day = days["payport"]
    assert day["kills"] == KILLS
    assert day["orders"] > 0
    assert (day["twice"], day["extra"], day["lost"]) == (0, 0, 0)


def test_the_journal_knows_in_the_end_what_came_of_everything(days):
    assert (days["payport"]["unfinished"], days["payport"]["errors"]) == (0, 0)


def test_the_plain_sdk_charges_twice_under_the_same_kills(days):
    day = days["plain stripe package"]
    assert day["kills"] == KILLS
    assert day["extra"] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="it is looked for in /proc")
@pytest.mark.parametrize("by", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_no_process_outlives_a_run_that_is_ended(by, tmp_path):
    with subprocess.Popen(
        command("--kills", "1000", "--clients", "payport"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        until = time.monotonic() + 30
        while len(running(process.pid)) < 5 and time.monotonic() < until:
            time.sleep(0.05)
        assert len(running(process.pid)) >= 5
        try:
            process.send_signal(signal.Signals[by])
            process.wait(20)
            assert process.returncode != 0
            assert ended(process.pid)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if by != "SIGKILL":
        assert not list(tmp_path.iterdir())
