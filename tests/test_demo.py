"""`make demo` moves the right money, says so when it did not, and leaves nothing behind."""

from __future__ import annotations

import logging
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from examples_help import ROOT, loaded, run


def test_the_demo_moves_the_right_money_although_it_is_killed() -> None:
    done = run("examples/demo.py")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 kills, 0 orders moved the wrong money; payport's totals are the bank's" in done.stdout
    assert "its journal says: create_payment sent" in done.stdout
    assert "its journal says: create_refund sent" in done.stdout
    replays = re.findall(r"\n  (\S+) +asked again by another process, same key", done.stdout)
    assert replays == ["order_3", "order_5/return_1"]
    assert re.search(r"\norder_5 .* 80\.00 -10\.00 -10\.00\n", done.stdout)
    assert "Stripe simulator: 288 recorded calls" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The demo as a module that kills nobody, which takes less time."""
    module = loaded("demo")
    monkeypatch.setattr(module, "DEATHS", ())
    monkeypatch.setattr(module.signal, "signal", lambda *_: None)
    monkeypatch.setattr(logging.getLogger("payport"), "setLevel", lambda _: None)
    return module


@pytest.mark.parametrize("expected", [[], [4_999, 4_999]])
def test_the_demo_fails_when_money_moved_twice_or_not_at_all(
    demo: Any, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is expected is changed here; the bank is honest, and moved it once."""
    monkeypatch.setitem(demo.ORDERS, "order_3", ("pay 49.99", expected))

    assert demo.main() == 1


@pytest.mark.parametrize("code", [0, 3])
def test_the_demo_shows_the_summary_of_fidelity_and_fails_with_it(
    demo: Any, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    report = tmp_path / "report.py"
    report.write_text(f"import sys; print('as told:', sys.argv[1:]); sys.exit({code})")
    monkeypatch.setattr(demo, "FIDELITY", report)

    assert demo.main() == code
    assert capsys.readouterr().out.endswith("as told: ['--summary']\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["its address", "the first payment"])
def test_a_demo_that_is_interrupted_leaves_no_process_behind(number: int, moment: str) -> None:
    started = subprocess.Popen(
        [sys.executable, "-u", "examples/demo.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert started.stdout is not None
    seen = started.stdout.readline()
    while moment == "the first payment" and "order_1" not in seen:
        seen += started.stdout.readline()

    started.send_signal(number)
    # All that it started writes to the same place: it ends when the last of them did.
    _, said = started.communicate(timeout=15)

    assert started.returncode == 128 + number
    assert said == ""
    address = re.search(r"http://127\.0\.0\.1:\d+", seen)
    assert address is not None
    with pytest.raises(httpx.ConnectError):
        httpx.get(address[0], trust_env=False)
