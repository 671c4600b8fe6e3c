"""The mutants of `make mutants` fit the source as it is, and the script notices one that lives."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = str(ROOT / "scripts")

#: Tried here for real: one of the journal, one of a store and one of outcomes.
TRIED = (
    "recovery sends what was never sent",
    "SQLite does not wait for the disk",
    "doubts of earlier tries forgotten",
)


@pytest.fixture(scope="module")
def script() -> Iterator[Any]:
    sys.path.insert(0, SCRIPTS)
    try:
        yield importlib.import_module("mutants")
    finally:
        sys.path.remove(SCRIPTS)


@pytest.fixture(scope="module")
def mutants(script: Any) -> Any:
    return script.load()


def test_every_mutant_fits_the_source_exactly_once_and_is_python(mutants: Any) -> None:
    for mutant in mutants:
        texts: dict[str, str] = {}
        for change in mutant.changes:
            text = texts.get(change.file) or (ROOT / change.file).read_text(encoding="utf-8")
            texts[change.file] = change.applied(text)
            assert texts[change.file] != text, mutant.name
        for text in texts.values():
            ast.parse(text)


def test_mutants_are_told_apart_and_each_guards_a_promise(mutants: Any) -> None:
    names = Counter(mutant.name for mutant in mutants)
    assert set(names.values()) == {1}
    assert all(mutant.promise and mutant.tests and mutant.changes for mutant in mutants)


def test_every_test_that_is_to_kill_a_mutant_is_there(mutants: Any) -> None:
    tests = dict.fromkeys(test for mutant in mutants for test in mutant.tests)
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    found = subprocess.run(
        [*command, *tests], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100
    )
    assert found.returncode == 0, found.stdout[-2_000:]


def test_the_page_is_what_the_script_writes(script: Any, mutants: Any) -> None:
    assert script.PAGE.read_text(encoding="utf-8") == script.page(mutants), "run `make mutants`"


def test_these_are_killed(script: Any, mutants: Any) -> None:
    chosen = [mutant for mutant in mutants if mutant.name in TRIED]
    assert len(chosen) == len(TRIED)
    fates = list(script.run(chosen, checked=False))
    assert all(fate.is_killed for fate in fates), fates


# -- the script itself ----------------------------------------------------------------------------

_TEST = "tests/domain/test_identifiers.py::test_the_vocabularies_of_identities_are_frozen"
_FILE = "src/payport/domain/identifiers.py"


def mutant(script: Any, before: str, after: str, test: str = _TEST) -> Any:
    return script.Mutant("made up", "nothing", (test,), (script.Change(_FILE, before, after),))


@pytest.fixture(scope="module")
def tree(script: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return script.Tree(tmp_path_factory.mktemp("tree"))


def test_a_mutant_that_breaks_nothing_survives(script: Any, tree: Any) -> None:
    fate = tree.tried(mutant(script, "MAX_REFERENCE = 80\n", "MAX_REFERENCE = 81\n"))
    assert (fate.is_killed, fate.trouble, fate.killers) == (False, "", {_TEST: None})


def test_a_mutant_is_applied_to_the_copy_alone_and_taken_back(script: Any, tree: Any) -> None:
    source = (ROOT / _FILE).read_bytes()
    bitten = mutant(script, '    PAYMENT = "pay"\n', '    PAYMENT = "pmt"\n')
    assert tree.tried(bitten).killers == {_TEST: _TEST}
    assert (ROOT / _FILE).read_bytes() == source
    assert tree.tested([_TEST]) == ([], "")


@pytest.mark.parametrize("before", ["    pass  # gone\n", "\n"], ids=["gone", "many times"])
def test_a_mutant_that_does_not_fit_is_told(script: Any, tree: Any, before: str) -> None:
    fate = tree.tried(mutant(script, before, ""))
    assert not fate.is_killed
    assert "times" in fate.trouble


@pytest.mark.parametrize(
    ("before", "after", "test"),
    [
        ("MAX_SCOPE = 64\n", "MAX_SCOPE = (\n", _TEST),
        ("MAX_SCOPE = 64\n", "MAX_SCOPE = 65\n", f"{_TEST}_no_more"),
    ],
    ids=["the mutant is no Python", "the test is gone"],
)
def test_what_cannot_be_tried_is_not_taken_for_killed(
    script: Any, tree: Any, before: str, after: str, test: str
) -> None:
    fate = tree.tried(mutant(script, before, after, test))
    assert not fate.is_killed
    assert "pytest exited with" in fate.trouble


def test_tests_that_do_not_end_are_not_waited_for(script: Any, tree: Any) -> None:
    assert tree.tested([_TEST], 0.05) == ([], "its tests did not end within 0.05 s")


def test_what_is_red_without_a_mutant_ends_the_run(script: Any) -> None:
    gone = mutant(script, "MAX_SCOPE = 64\n", "MAX_SCOPE = 65\n", f"{_TEST}_no_more")
    with pytest.raises(ValueError, match="without any mutant"):
        list(script.run([gone]))


def test_a_name_that_no_mutant_has_is_said(script: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main(["no such thing"]) == 1
    assert "no such mutant" in capsys.readouterr().out
