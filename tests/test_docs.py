"""The pages say what the code says: their tables, the names in them, and the tests on them."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from payport.domain.money import Money
from payport.domain.outcomes import CERTAINTY
from payport.providers.commands import CreatePayment, Terms
from payport.providers.exchange import Call
from payport.testing import (
    CARDS,
    Crash,
    FakeProvider,
    Fault,
    Slow,
    Tokens,
    faults,
    plugin,
    script,
    strategies,
    tokens,
)
from payport.testing.explorer.network import DISK_FAULTS, NETWORK_FAULTS
from payport.testing.provider_contract import Harness, ProviderContract

ROOT = Path(__file__).parent.parent
TESTING = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
ADDING = (ROOT / "docs" / "adding-a-provider.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`(\w+)[^`]*`")


def table_on(page: str, *headers: str) -> list[tuple[str, ...]]:
    """The rows of a page's table with these headers, without the marks of code."""
    head = f"| {' | '.join(headers)} |\n"
    assert page.count(head) == 1, f"there is not one table headed {head}"
    _, _, rest = page.partition(head)
    lines = [line for line in rest.split("\n\n", maxsplit=1)[0].splitlines()[1:] if line]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def plain(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [tuple(cell.replace("`", "") for cell in row) for row in rows]


def table_in(module: ModuleType, *headers: str) -> list[tuple[str, ...]]:
    """The rows of the table in a module's docstring: columns begin where their headers do."""
    lines = iter((module.__doc__ or "").splitlines())
    head = next(line for line in lines if line.split() == " ".join(headers).split())
    starts = [head.index(header) for header in headers]
    rows: list[list[str]] = []
    for line in lines:
        if not line.strip():
            break
        cells = [
            line[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)
        ]
        if cells[0]:
            rows.append(cells)
        else:
            rows[-1] = [f"{a} {b}".strip() for a, b in zip(rows[-1], cells, strict=True)]
    return plain([tuple(row) for row in rows])


TOKENS = ("token", "what happens")
FAULTS = ("fault", "executed", "the client sees")


def names(cell: str) -> list[str]:
    """The names in a cell, without their arguments."""
    return [name.strip().partition("(")[0] for name in cell.split(",")]


def told_faults() -> list[tuple[str, str]]:
    """Each fault of the table on the page, and whether it says that the request is executed."""
    told = []
    for cell, executed, _ in plain(table_on(TESTING, *FAULTS)):
        kinds = names(cell)
        answers = executed.split(", ")
        told += zip(kinds, answers * len(kinds) if len(answers) == 1 else answers, strict=False)
    return told


# -- testing.md -----------------------------------------------------------------------------------


def test_the_page_has_the_table_of_tokens() -> None:
    assert plain(table_on(TESTING, *TOKENS)) == table_in(tokens, *TOKENS)


def test_the_table_of_tokens_names_every_token_and_no_other() -> None:
    told = [name for cell, _ in plain(table_on(TESTING, *TOKENS)) for name in names(cell)]

    declined = Tokens.declined("<reason>")  # type: ignore[arg-type]  # as the table writes it
    assert declined in told
    named = {token for token in CARDS if not token.startswith(declined.partition("<")[0])}
    assert {*told} - {declined} == named
    assert len(told) == len({*told})


def test_the_page_has_the_table_of_faults() -> None:
    assert plain(table_on(TESTING, *FAULTS)) == table_in(faults, *FAULTS)


def test_the_table_of_faults_names_every_fault_and_no_other() -> None:
    exported = [getattr(faults, name) for name in faults.__all__]
    kinds = {kind.__name__ for kind in exported if issubclass(kind, Fault)} - {"Fault"}

    assert sorted(name for name, _ in told_faults()) == sorted(kinds)


def struck_by(fault: Fault) -> bool:
    """Whether a request that a fault strikes is executed."""
    fake = FakeProvider()
    fake.next("create_payment", fault)
    terms = Terms(amount=Money(100, "USD"), payment_method=Tokens.OK)
    command = CreatePayment(
        payment_id="pay_1", reference="order_1", attempt=1, terms=terms, confirm=True
    )
    with contextlib.suppress(Crash):
        fake.create_payment(command, Call(key="a_key"))
    return fake.bank.effects("a_key") == 1


@pytest.mark.parametrize(("name", "executed"), told_faults())
def test_a_fault_has_the_effect_that_the_table_tells(name: str, executed: str) -> None:
    kind = getattr(faults, name)

    if executed == "as told":
        assert [struck_by(kind(effect=effect)) for effect in (False, True)] == [False, True]
    else:
        fault = Slow(1.0) if kind is Slow else kind()
        assert struck_by(fault) == {"yes": True, "no": False}[executed]


def test_the_page_names_every_operation_that_can_be_scripted() -> None:
    _, _, rest = TESTING.partition("The operations are ")

    assert set(CODE.findall(rest.partition(";")[0])) == script.OPERATIONS


def test_the_page_names_everything_that_the_explorer_lets_go_wrong() -> None:
    rows = table_on(TESTING, "what goes wrong", "where")
    told = [name for cell, _ in rows for name in re.findall(r"`([^`]+)`", cell)]

    assert sorted(told) == sorted([*NETWORK_FAULTS, *DISK_FAULTS])


def test_the_page_names_every_fixture() -> None:
    rows = table_on(TESTING, "fixture", "what it is")
    told = [name for cell, _ in rows for name in CODE.findall(cell)]

    assert sorted(told) == sorted(plugin.__all__)


def test_the_page_names_every_strategy() -> None:
    rows = table_on(TESTING, "strategy", "what it makes")
    told = [name for cell, _ in rows for name in CODE.findall(cell)]

    assert sorted(told) == sorted({*strategies.__all__} - {"History"})


def test_the_tests_on_the_page_pass(tmp_path: Path) -> None:
    page = tmp_path / "test_page.py"
    page.write_text("\n".join(BLOCK.findall(TESTING)), encoding="utf-8")
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)  # a slow machine is not a failing page

    options = ("-v", "-c", "pyproject.toml", "-p", "no:cacheprovider", str(page))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    for name in re.findall(r"def (test_\w+)", page.read_text(encoding="utf-8")):
        assert re.search(rf"::{name}\b.* PASSED", done.stdout), f"{name} did not run"


# -- adding-a-provider.md -------------------------------------------------------------------------


def test_the_guide_tells_what_each_failure_proves() -> None:
    rows = plain(table_on(ADDING, "kind", "when", "proves"))
    told = {kind: proves for kind, _, proves in rows}

    assert told == {kind.name: proves.value for kind, proves in CERTAINTY.items()}


def test_the_guide_names_checks_that_there_are() -> None:
    rows = table_on(ADDING, "the contract says", "because otherwise")
    named = [f"test_{sentence.replace(' ', '_')}" for sentence, _ in rows]

    assert [name for name in named if not hasattr(ProviderContract, name)] == []


def test_the_guide_names_every_part_of_a_harness() -> None:
    rows = table_on(ADDING, "part of a harness", "what it is")
    told = {name for cell, _ in rows for name in CODE.findall(cell)}

    assert told == {name for name in {*vars(Harness), *Harness.__annotations__} if name[0] != "_"}
