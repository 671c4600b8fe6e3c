"""
How results are shown: tables for people, JSON for scripts, progress on standard error.

What a provider, a webhook or a database says is shown as text and nothing more: control characters
are spelled out, so that nothing that was received can move a terminal's cursor.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Printer", "plain"]

#: Columns where nobody reads along: a log or a pipe wraps nothing.
_UNSEEN_WIDTH: Final = 240


def plain(value: object) -> str:
    """A value as one line of text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    text = str(value.value if isinstance(value, Enum) else value)
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class Printer:
    """
    Prints to this process's standard output.

    Args:
        as_json: Whether for a script.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def document(self, document: Mapping[str, object]) -> None:
        """A result as JSON."""
        sys.stdout.write(json.dumps(document, indent=2, default=_encoded) + "\n")
        sys.stdout.flush()

    def line(self, document: Mapping[str, object], text: str) -> None:
        """One of many results: a line of text, or a line of JSON, at once."""
        said = json.dumps(document, default=_encoded) if self.as_json else text
        sys.stdout.write(said + "\n")
        sys.stdout.flush()

    def table(self, headers: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
        """A table for people."""
        from rich import box
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for header in headers:
            table.add_column(header, overflow="fold")
        for row in rows:
            table.add_row(*[_text(plain(cell)) for cell in row])
        self._console().print(table)

    def record(self, said: Mapping[str, object]) -> None:
        """One thing, name by name; what is not there is left out."""
        from rich.table import Table

        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in said.items():
            if value not in (None, ""):
                table.add_row(name.replace("_", " "), _text(plain(value)))
        self._console().print(table)

    def say(self, text: str) -> None:
        """A line for people; a script is not told."""
        if not self.as_json:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    @contextmanager
    def progress(self, doing: str) -> Generator[Callable[[str], None]]:
        """Show how far something is, where somebody watches; yields what to call with it."""
        if self.as_json or not sys.stderr.isatty():
            yield lambda _: None
            return
        from rich.console import Console

        console = Console(stderr=True, markup=False, emoji=False, highlight=False)
        with console.status(doing) as status:
            yield lambda how_far: status.update(_text(f"{doing}: {plain(how_far)}"))

    @staticmethod
    def _console() -> Console:
        from rich.console import Console

        width = None if sys.stdout.isatty() else _UNSEEN_WIDTH
        return Console(file=sys.stdout, width=width, markup=False, emoji=False, highlight=False)


def _text(text: str) -> Any:
    from rich.text import Text

    return Text(text)


def _encoded(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
