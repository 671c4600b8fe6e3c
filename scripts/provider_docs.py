"""
Writes the tables of docs/providers/stripe.md: `make docs`. With --check it only says what differs.

The page is prose with places for tables, each between `<!-- table: name -->` and `<!-- end -->`.
What a table tells is taken from the adapter's own tables, or found by running it; nothing here is
a second list of what the adapter does.
"""

import logging
import re
import sys
from pathlib import Path

from stripe_tables import TABLES

TARGET = Path(__file__).resolve().parents[1] / "docs/providers/stripe.md"

_PLACE = re.compile(r"(?<=<!-- table: )(?P<name>[\w-]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)


def page(text: str) -> str:
    """The page with every table made anew."""
    return _PLACE.sub(lambda place: f"{place['name']} -->\n\n{TABLES[place['name']]()}\n\n", text)


def places(text: str) -> list[str]:
    """The names of the tables that a page has places for."""
    return [place["name"] for place in _PLACE.finditer(text)]


def main() -> int:
    """Write the page, or check it."""
    logging.disable()  # failures are provoked here by the dozen
    old = TARGET.read_text(encoding="utf-8")
    new = page(old)
    if "--check" in sys.argv[1:]:
        if new != old:
            print(f"{TARGET.name} does not tell what the code does: run `make docs`")
        return int(new != old)
    TARGET.write_text(new, encoding="utf-8")
    print(f"{TARGET.name}: {len(places(new))} tables")
    return 0


if __name__ == "__main__":
    sys.exit(main())
