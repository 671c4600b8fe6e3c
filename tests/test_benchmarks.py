"""What `make bench` measures is there to be measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def test_every_subject_imports_what_it_measures() -> None:
    script = (
        "import importlib, run\nfor name in run.SUBJECTS.values(): importlib.import_module(name)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=BENCHMARKS,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
