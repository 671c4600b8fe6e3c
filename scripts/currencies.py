"""
Writes `src/payport/domain/_currencies.py` from the `iso4217` package (public domain).

Run it after updating that package: `.venv/bin/python scripts/currencies.py`. It decides nothing:
what ISO's maintenance agency lists, with the exponent it lists, is what payport knows. Providers'
exceptions belong to their adapters.
"""

from importlib.metadata import version
from pathlib import Path
from textwrap import wrap

import iso4217

TARGET = Path(__file__).resolve().parents[1] / "src/payport/domain/_currencies.py"

#: What the standard writes for codes that are not divided into minor units.
NOT_DIVIDED = "N.A."

TEMPLATE = '''\
"""
ISO 4217: which currencies there are, and how many digits their minor units have.

Written by scripts/currencies.py from iso4217 {version} (public domain), which holds list one
of the maintenance agency as published on {published}. Do not edit: update that package and
run the script.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_BY_EXPONENT: Final = {{
{groups}
}}

#: The number of decimal places of each currency: 2 means 100 minor units to the major one.
EXPONENTS: Final[Mapping[str, int]] = MappingProxyType(
    {{code: exponent for exponent, codes in _BY_EXPONENT.items() for code in codes.split()}}
)

#: Codes of the standard that nobody pays with: metals, bond units, testing, "no currency".
WITHOUT_MINOR_UNIT: Final = frozenset(
    {{
{without}
    }}
)
'''


def source() -> str:
    """Return the module's text."""
    codes: dict[str, list[str]] = {}
    for code, entry in sorted(iso4217.raw_table.items(), key=str):
        # Antarctica and its like stand in the table without a currency.
        if code is not None and entry["CcyMnrUnts"] is not None:
            codes.setdefault(str(entry["CcyMnrUnts"]), []).append(code)
    without = codes.pop(NOT_DIVIDED)
    return TEMPLATE.format(
        version=version("iso4217"),
        published=iso4217.__published__.isoformat(),
        groups="\n".join(_group(exponent, codes[exponent]) for exponent in sorted(codes)),
        without="\n".join(f'        "{code}",' for code in without),
    )


def _group(exponent: str, codes: list[str]) -> str:
    first, *rest = wrap(" ".join(codes), width=88)
    if not rest:
        return f'    {exponent}: "{first}",'
    lines = [f'        "{first}"', *(f'        " {line}"' for line in rest)]
    return "\n".join([f"    {exponent}: (", *lines, "    ),"])


if __name__ == "__main__":
    TARGET.write_text(source(), encoding="utf-8")
    print(f"wrote {TARGET}")
