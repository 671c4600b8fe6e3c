"""
Writes the tables of docs/providers/*.md: `make docs`. With --check it only says what differs.

A page is prose with places for tables, each between `<!-- table: name -->` and `<!-- end -->`.
What a table tells is taken from the adapter's own tables, or found by running it; nothing here is
a second list of what the adapter does.
"""

import logging
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import adyen_tables
import stripe_tables

_PAGES = Path(__file__).resolve().parents[1] / "docs/providers"

Tables = Mapping[str, Callable[[], Any]]

#: Each page, and what makes its tables.
TARGETS: dict[Path, Tables] = {
    _PAGES / "adyen.md": adyen_tables.TABLES,
    _PAGES / "stripe.md": stripe_tables.TABLES,
}

_PLACE = re.compile(r"(?<=<!-- table: )(?P<name>[\w-]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)


def page(text: str, tables: Tables) -> str:
    """The page with every table made anew."""
    return _PLACE.sub(lambda place: f"{place['name']} -->\n\n{tables[place['name']]()}\n\n", text)


def places(text: str) -> list[str]:
    """The names of the tables that a page has places for."""
    return [place["name"] for place in _PLACE.finditer(text)]


def main() -> int:
    """Write the pages, or check them."""
    logging.disable()  # failures are provoked here by the dozen
    differ = False
    for target, tables in TARGETS.items():
        old = target.read_text(encoding="utf-8")
        new = page(old, tables)
        if "--check" not in sys.argv[1:]:
            target.write_text(new, encoding="utf-8")
            print(f"{target.name}: {len(places(new))} tables")
        elif new != old:
            print(f"{target.name} does not tell what the code does: run `make docs`")
            differ = True
    return int(differ)


if __name__ == "__main__":
    sys.exit(main())
