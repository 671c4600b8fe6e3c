"""
The command `payport`. Commands import what they need when they run, so that `--help` starts fast;
nothing else in payport imports this package.
"""

from __future__ import annotations

import sys

__all__ = ["main"]

_NEEDED = frozenset({"typer", "rich", "shellingham"})


def main() -> None:
    """Run the command line of this process, and exit with its code."""
    try:
        from payport.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        sys.stderr.write(
            f"The command payport needs {error.name}. Install it with: pip install 'payport[cli]'\n"
        )
        sys.exit(2)
    app()
