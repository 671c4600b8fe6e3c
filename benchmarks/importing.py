"""
How long imports take.

`import payport` imports names when they are first asked for; the rows below it say what asking for
them costs. Whatever is asked, no SDK, no SQL toolkit and no HTTP client is imported before a store
or a provider is opened.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from figures import Figure, best


def import_seconds(statement: str) -> float:
    """CPU seconds of an import in a fresh process, without the interpreter's own start."""
    code = f"import time; t = time.process_time(); {statement}; print(time.process_time() - t)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return float(done.stdout)


def figures() -> Iterator[Figure]:
    """How long imports take, against `import stripe`."""
    stripe = best(lambda: import_seconds("import stripe"))
    for statement, bar in (
        ("import payport", 0.5),
        ("from payport import Money", None),
        ("from payport import Money, Payport", None),
    ):
        ratio = best(lambda statement=statement: import_seconds(statement)) / stripe
        yield Figure(
            what=f"`{statement}`, CPU against `import stripe`",
            measured=f"{ratio:.2f}x",
            bar=f"at most {bar}x" if bar else "for information",
            held=bar is None or ratio <= bar,
        )
