"""
A section of docs/benchmarks.md, written by a command of its own: in the place of the one with the
same heading, else at the end. Everything else on the page stays as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["PAGE", "keep"]

PAGE: Final = Path(__file__).parent.parent / "docs" / "benchmarks.md"

_HEADING: Final = "\n## "


def keep(name: str, text: str, path: Path = PAGE) -> None:
    """Write the section `## name`, which ends where the next one begins."""
    top, *sections = path.read_text().split(_HEADING)
    section = f"{name}\n\n{text.strip()}\n"
    named = [section if one.partition("\n")[0] == name else one for one in sections]
    if section not in named:
        named.append(section)
    path.write_text(_HEADING.join([top.rstrip() + "\n", *(one.rstrip() + "\n" for one in named)]))
