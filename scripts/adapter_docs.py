"""
Writes what docs/adding-a-provider.md shows of examples/adapter, and the table of all adapters in
docs/providers/README.md: `make docs`. With --check it only says what differs.

Pages are prose with places, each between `<!-- file: path -->` or `<!-- table: name -->` and
`<!-- end -->`. A file is shown whole, as it is; the table is made of what adapters declare.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from stripe_tables.markdown import table

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples/adapter"
GUIDE = ROOT / "docs/adding-a-provider.md"
MATRIX = ROOT / "docs/providers/README.md"

_PLACE = re.compile(
    r"(?<=<!-- )(?P<kind>file|table): (?P<name>[\w/.-]+) -->\n.*?(?=<!-- end -->)", re.DOTALL
)
_LANGUAGES = {".py": "python", ".toml": "toml"}


def shown(name: str) -> str:
    """A file of the example, as it is."""
    path = EXAMPLE / name
    language = _LANGUAGES[path.suffix]
    return f"```{language}\n{path.read_text(encoding='utf-8').rstrip()}\n```"


def specs() -> Mapping[str, object]:
    """What each column is of: installed adapters, the fake's behaviours, and the example."""
    from payport.providers.plugins import plugins  # noqa: PLC0415 - after the path is set
    from payport.testing import adyen_like, keyless, redirecting, stripe_like  # noqa: PLC0415

    sys.path.insert(0, str(EXAMPLE))
    try:
        from payport_tollgate.spec import SPEC  # noqa: PLC0415
    finally:
        sys.path.remove(str(EXAMPLE))
    found, broken = plugins()
    if broken:
        sys.exit(f"an adapter that is installed is broken: {broken}")
    fakes = [make() for make in (stripe_like, adyen_like, keyless, redirecting)]
    own = {name: plugin.spec for name, plugin in found.items() if not plugin.spec.fake}
    imitated = {f"fake, `{fake.name.replace('-', '_')}()`": fake.spec for fake in fakes}
    return {
        **{_linked(name): spec for name, spec in own.items() if name != SPEC.name},
        "[tollgate](../../examples/adapter), an example": SPEC,
        **imitated,
    }


def _linked(name: str) -> str:
    """An adapter's name, as a link where it has a page."""
    return f"[{name}]({name}.md)" if (MATRIX.parent / f"{name}.md").exists() else name


def matrix() -> str:
    """Every capability and declaration, side by side."""
    from payport.providers.matrix import rows  # noqa: PLC0415

    columns = specs()
    told = rows(list(columns.values()))  # type: ignore[arg-type]
    return table(("", *columns), [(_name(name), *cells) for name, cells in told])


def _name(row: str) -> str:
    return f"`{row}`" if "_" in row or row in _CAPABILITIES else row


_CAPABILITIES = frozenset({"reconfirm", "cancel", "refund", "find", "webhooks"})
_TABLES = {"matrix": matrix}


def _filled(place: re.Match[str]) -> str:
    kind, name = place["kind"], place["name"]
    content = shown(name) if kind == "file" else _TABLES[name]()
    return f"{kind}: {name} -->\n\n{content}\n\n"


def page(text: str) -> str:
    """A page with every place filled anew."""
    return _PLACE.sub(_filled, text)


def places(text: str) -> list[str]:
    """The names of the places that a page has."""
    return [place["name"] for place in _PLACE.finditer(text)]


def main() -> int:
    """Write the pages, or check them."""
    stale = 0
    for target in (GUIDE, MATRIX):
        old = target.read_text(encoding="utf-8")
        new = page(old)
        if "--check" in sys.argv[1:]:
            if new != old:
                print(f"{target.name} does not tell what the code does: run `make docs`")
            stale += new != old
            continue
        target.write_text(new, encoding="utf-8")
        print(f"{target.name}: {len(places(new))} places")
    return int(stale > 0)


if __name__ == "__main__":
    sys.exit(main())
