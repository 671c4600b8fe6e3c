"""The guide for authors shows the example as it is and runs; the table of adapters is theirs."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from payport.providers import plugins
from payport.providers.spec import Capability

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "adapter"
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SHOWN = re.compile(r"<!-- file: .*?<!-- end -->", re.DOTALL)


@pytest.fixture(scope="module")
def script() -> Iterator[Any]:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        yield importlib.import_module("adapter_docs")
    finally:
        sys.path.remove(str(ROOT / "scripts"))


@pytest.fixture
def guide(script: Any) -> str:
    text: str = script.GUIDE.read_text(encoding="utf-8")
    return text


@pytest.fixture
def matrix(script: Any) -> str:
    text: str = script.MATRIX.read_text(encoding="utf-8")
    return text


@pytest.mark.parametrize("target", ["GUIDE", "MATRIX"])
def test_the_pages_are_what_the_script_writes(script: Any, target: str) -> None:
    text = getattr(script, target).read_text(encoding="utf-8")

    assert script.page(text) == text, "run `make docs`"


def test_a_changed_page_is_noticed(script: Any, guide: str, matrix: str) -> None:
    for text, old, new in (
        (guide, "life=None, scope", "life=timedelta(days=1), scope"),
        (matrix, "| `refund` | yes |", "| `refund` | no |"),
    ):
        changed = text.replace(old, new)
        assert changed != text
        assert script.page(changed) == text


def test_the_guide_shows_the_whole_adapter_and_its_contract(script: Any, guide: str) -> None:
    written = {f"payport_tollgate/{one.name}" for one in EXAMPLE.glob("payport_tollgate/*.py")}

    shown = set(script.places(guide))
    assert written - {"payport_tollgate/__init__.py"} <= shown
    assert {"tests/test_contract.py", "pyproject.toml"} <= shown


def test_the_code_between_the_files_runs(guide: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    blocks = _BLOCK.findall(_SHOWN.sub("", guide))
    assert len(blocks) >= 5

    exec(compile("\n".join(blocks), str(EXAMPLE), "exec"), {"__name__": "guide"})  # noqa: S102


def test_every_step_of_the_list_is_a_section_in_its_order(guide: str) -> None:
    listed = re.findall(r"^(\d+)\. .*\]\(#\1-([\w-]+)\)", guide, re.MULTILINE)
    heads = re.findall(r"^## (\d+)\. (.*)$", guide, re.MULTILINE)

    anchors = [(n, re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-")) for n, head in heads]
    assert listed == anchors
    assert [number for number, _ in listed] == [str(n) for n in range(1, 11)]


def test_links_of_the_guide_and_the_table_lead_somewhere(script: Any) -> None:
    for page in (script.GUIDE, script.MATRIX):
        for link in re.findall(r"\]\(([^)#]+?)(?:#[\w-]+)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), link


# -- the table of adapters -------------------------------------------------------------------------


def test_the_table_tells_every_capability_of_every_installed_adapter(matrix: str) -> None:
    rows = [line.strip("| ").split(" | ") for line in matrix.splitlines() if line[:2] == "| "]
    head, told = rows[0], {row[0].strip("`"): row[1:] for row in rows[2:]}

    for name, plugin in plugins.plugins()[0].items():
        if plugin.spec.fake:
            continue
        (column,) = [n for n, cell in enumerate(head) if re.search(rf"\b{name}\b", cell)]
        for capability in Capability:
            expected = "yes" if plugin.spec.has(capability) else "no"
            assert told[capability][column] == expected, (name, capability)


def test_an_adapter_that_is_installed_later_appears_by_itself(
    script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = plugins.plugins()
    spec = replace(found["stripe"].spec, name="newcomer", capabilities=frozenset())
    more = {**found, "newcomer": replace(found["stripe"], spec=spec)}
    monkeypatch.setattr(plugins, "plugins", lambda: (more, ()))

    head, _, first, *_ = script.matrix().splitlines()
    assert "| newcomer |" in head
    column = head.split(" | ").index("newcomer")
    assert first.split(" | ")[column] == "no"


def test_keys_and_signatures_are_told_of_each_kind(matrix: str) -> None:
    for words in (
        "header Idempotency-Key, 1 d",
        "none: what was sent is never sent again",
        "unsigned: only a hint to read the object",
        "replay, webhook, review",
        "ISK UGX: 2",
    ):
        assert words in matrix
