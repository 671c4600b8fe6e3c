"""
Real receivers and workers, killed for real: `make kills-webhooks`, for some seconds.

The mutants of `make mutants` show what it can see: acknowledgements that come before the commit,
and handlers that are marked outside of their transaction.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
KILLS = 40

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")


@pytest.mark.parametrize("shop", ["sqlite", "postgres", "django"])
def test_what_is_acknowledged_is_kept_and_acted_on_once_whoever_is_killed(shop):
    command = [sys.executable, str(ROOT / "benchmarks" / "kills_webhooks"), "--json"]
    with subprocess.Popen(
        [*command, "--kills", str(KILLS), "--shops", shop],
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            told, _ = process.communicate(timeout=100)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    (day,) = json.loads(told)
    assert day["kills"] == KILLS
    assert day["open"] > 0
    assert day["deliveries"] > day["acknowledged"] == day["events"] > 0
    assert (day["lost"], day["acted_twice"], day["not_acted"]) == (0, 0, 0)
    assert process.returncode == 0
