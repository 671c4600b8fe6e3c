"""The page about webhooks: its code runs, and its table of states names each of them."""

import re
from pathlib import Path

from payport import InboxState

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_code_on_the_page_runs(capsys):
    names = {"__name__": "webhooks_page"}
    for block in BLOCK.findall(PAGE):
        exec(compile(block, "docs/webhooks.md", "exec"), names)  # noqa: S102 - the page's own code
    assert "InboxState.DONE" in capsys.readouterr().out
    names["pay"].close()


def test_every_state_is_on_the_page():
    _, _, table = PAGE.rpartition("| State | |")
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == [state.value for state in InboxState]
