"""Runs and loads the scripts of examples/."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=ROOT, check=False
    )


def loaded(example: str) -> Any:
    """An example as a module of its own: nothing that another test did is in it."""
    name = f"examples_{example}"
    spec = spec_from_file_location(name, ROOT / "examples" / f"{example}.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
