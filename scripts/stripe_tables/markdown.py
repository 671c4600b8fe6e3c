"""Tables as Markdown writes them."""

from collections.abc import Iterable, Sequence

__all__ = ["code", "listed", "table"]


def code(text: object) -> str:
    """A word of some program's."""
    return f"`{text}`"


def listed(texts: Iterable[object]) -> str:
    """Words of some program's, one after the other; a dash for none."""
    return ", ".join(code(text) for text in texts) or "-"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. What would end a cell is written otherwise."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join(_line(cells) for cells in lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"
