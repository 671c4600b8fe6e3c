"""The page about routing: its code runs, and says what it says."""

import re
from pathlib import Path

from payport.providers.routing import Rule

PAGE = (Path(__file__).parents[2] / "docs" / "routing.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_code_on_the_page_runs():
    names = {"__name__": "routing_page"}
    blocks = BLOCK.findall(PAGE)
    assert len(blocks) == 6
    for block in blocks:
        exec(compile(block, "docs/routing.md", "exec"), names)  # noqa: S102 - the page's own code
    for client in ("pay", "shop", "after"):
        names[client].close()


def test_every_condition_of_a_rule_is_on_the_page():
    conditions = {name for name in Rule.__dataclass_fields__ if not name.startswith("_")}
    for name in conditions - {"to", "name"}:
        assert f"`{name}" in PAGE, name
