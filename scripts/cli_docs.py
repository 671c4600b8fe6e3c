"""
Writes the reference in docs/cli.md from the command line itself: `make docs`. With --check it only
says what differs.

The page is prose with places, each between `<!-- table: name -->` and `<!-- end -->`.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command
from typer.testing import CliRunner

from payport.cli.app import app
from payport.cli.exits import MEANINGS

TARGET = Path(__file__).resolve().parents[1] / "docs/cli.md"

_PLACE = re.compile(r"(?<=<!-- table: )(?P<name>[\w-]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)
#: As wide as a page, whatever terminal this runs in; and without colours.
_TERMINAL = {"COLUMNS": "80", "TERMINAL_WIDTH": "80", "TERM": "dumb", "NO_COLOR": "1"}
#: They tell of the shell that they are run in.
_SHELL = re.compile(r"^  --(install|show)-completion.*?(?=^  --|\n\n)", re.MULTILINE | re.DOTALL)


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command."""
    for name, inner in getattr(command, "commands", {}).items():
        if getattr(inner, "commands", None):
            yield from commands(inner, (*path, name))
        else:
            yield (*path, name)


def told(words: tuple[str, ...]) -> str:
    """What a command's `--help` prints."""
    result = CliRunner().invoke(app, [*words, "--help"], prog_name="payport", env=_TERMINAL)
    lines = [line.rstrip() for line in _SHELL.sub("", result.stdout).strip().splitlines()]
    return "\n".join(lines)


def reference() -> str:
    """Every command and its help."""
    found = sorted(commands(get_command(app)))
    return "\n\n".join(
        f"### payport {' '.join(words)}\n\n```text\n{told(words)}\n```" for words in found
    )


def codes() -> str:
    """The table of exit codes."""
    rows = [f"| {code.value} | {said} |" for code, said in MEANINGS.items()]
    return "\n".join(["| Code | It means |", "| --- | --- |", *rows])


TABLES = {"commands": reference, "exit-codes": codes}


def page(text: str) -> str:
    """The page with every place filled anew."""
    return _PLACE.sub(lambda place: f"{place['name']} -->\n\n{TABLES[place['name']]()}\n\n", text)


def main() -> int:
    """Write the page, or check it."""
    old = TARGET.read_text(encoding="utf-8")
    new = page(old)
    if "--check" in sys.argv[1:]:
        if new != old:
            print(f"{TARGET.name} does not tell what the commands do: run `make docs`")
        return int(new != old)
    TARGET.write_text(new, encoding="utf-8")
    print(f"{TARGET.name}: {len(list(commands(get_command(app))))} commands")
    return 0


if __name__ == "__main__":
    sys.exit(main())
