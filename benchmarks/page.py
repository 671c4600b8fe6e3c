"""
The parts of docs/benchmarks.md that other commands write than the one that writes the rest.

Each stands between two marks that name it. What writes the whole page puts the parts that were
there back; what writes a part leaves everything else as it is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

__all__ = ["PAGE", "keep", "parts"]

PAGE: Final = Path(__file__).parent.parent / "docs" / "benchmarks.md"

_PART: Final = re.compile(r"<!-- begin (?P<name>\w+) -->\n.*?<!-- end (?P=name) -->\n", re.DOTALL)


def parts(page: str) -> list[str]:
    """All parts of a page, marks and all, in their order."""
    return [match[0] for match in _PART.finditer(page)]


def keep(name: str, text: str, path: Path = PAGE) -> None:
    """Write a part: in the place of the one of that name, else at the end of the page."""
    page = path.read_text()
    part = f"<!-- begin {name} -->\n{text.rstrip()}\n<!-- end {name} -->\n"
    old = next((found for found in parts(page) if found.startswith(f"<!-- begin {name} -->")), None)
    path.write_text(f"{page.rstrip()}\n\n{part}" if old is None else page.replace(old, part))
