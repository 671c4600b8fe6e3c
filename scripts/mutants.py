"""
`make mutants`: proves that the tests bite. Breaks the source in one small way at a time and runs
the tests that guard the broken promise; every one of them has to go red.

The mutants are data, in mutants.toml beside this file. Each is applied to a copy of the tree, never
to the tree itself, and two run at a time. First the same tests run on the unchanged copy: what is
red without a mutant proves nothing. With names it runs these mutants alone; without, it writes
docs/mutants.md once all are killed. It exits with 1 where a mutant survives, and where one cannot
be tried: its source has changed, or its tests are gone, or do not end.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Change", "Fate", "Mutant", "Tree", "load", "page", "run"]

ROOT = Path(__file__).resolve().parents[1]
MUTANTS = Path(__file__).with_suffix(".toml")
PAGE = ROOT / "docs/mutants.md"

#: What tests need of the tree.
_COPIED = ("src", "tests", "scripts", "examples", "benchmarks", "docs", "pyproject.toml")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", ".hypothesis", "*.egg-info")
_AT_ONCE = 2
#: Seconds for the tests of one mutant, which take a few, and for all of them together.
_PATIENCE = 120.0
_PATIENCE_FOR_ALL = 900.0
#: What pytest exits with.
_GREEN, _RED = 0, 1


@dataclass(frozen=True, slots=True)
class Change:
    """Lines of a file, and what stands there instead; an empty `after` takes them out."""

    file: str
    before: str
    after: str

    def applied(self, text: str) -> str:
        """
        The text with the change made.

        Raises:
            ValueError: `before` does not stand in it exactly once.
        """
        found = text.count(self.before)
        if found != 1:
            message = f"{self.file}: these lines stand there {found} times:\n{self.before}"
            raise ValueError(message)
        return text.replace(self.before, self.after)


@dataclass(frozen=True, slots=True)
class Mutant:
    """
    One way to break a promise.

    Attributes:
        promise: What is promised, and not kept by the mutant.
        tests: What has to go red: node ids of tests, or of all parametrizations of one.
    """

    name: str
    promise: str
    tests: tuple[str, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Fate:
    """
    What became of a mutant.

    Attributes:
        killers: For each of its tests the first node that went red, or None where none did.
        trouble: Why it could not be tried; empty where it was.
    """

    mutant: Mutant
    killers: dict[str, str | None]
    trouble: str = ""
    seconds: float = 0.0

    @property
    def is_killed(self) -> bool:
        """Whether each of its tests went red."""
        return not self.trouble and all(self.killers.values())


def load(path: Path = MUTANTS) -> tuple[Mutant, ...]:
    """The mutants of a file."""
    told = tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]
    return tuple(
        Mutant(
            name=each["name"],
            promise=each["promise"],
            tests=tuple(each["tests"]),
            changes=tuple(Change(**change) for change in each["changes"]),
        )
        for each in told
    )


class Tree:
    """A copy of the tree, which takes one mutant at a time."""

    def __init__(self, directory: Path) -> None:
        self._root = directory
        for name in _COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, directory / name, ignore=_LEFT_OUT)
            else:
                shutil.copy(ROOT / name, directory / name)

    def tried(self, mutant: Mutant) -> Fate:
        """Apply a mutant, run its tests, and take it back."""
        began = time.monotonic()
        try:
            with self._mutated(mutant.changes):
                red, trouble = self.tested(mutant.tests)
        except ValueError as error:
            red, trouble = [], str(error)
        killers = {test: _first(red, test) for test in mutant.tests}
        return Fate(mutant, killers, trouble, time.monotonic() - began)

    def tested(self, tests: Sequence[str], patience: float = _PATIENCE) -> tuple[list[str], str]:
        """The nodes that go red among the tests; and what else went wrong, if anything did."""
        command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider"]
        command += ["--color=no", "-rf", "--hypothesis-seed=0", *tests]
        # A session of its own, so that whatever it started ends with it.
        with subprocess.Popen(  # noqa: S603 - the tests of this project
            command,
            cwd=self._root,
            env={**os.environ, "PYTHONPATH": str(self._root / "src")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as running:
            try:
                said, _ = running.communicate(timeout=patience)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(running.pid, signal.SIGKILL)
                return [], f"its tests did not end within {patience:g} s"
        lines = [line for line in said.splitlines() if line.startswith("FAILED ")]
        red = [line.removeprefix("FAILED ").partition(" - ")[0] for line in lines]
        ran = running.returncode in {_GREEN, _RED} and bool(red) == (running.returncode == _RED)
        return red, "" if ran else f"pytest exited with {running.returncode}:\n{said[-2_000:]}"

    @contextlib.contextmanager
    def _mutated(self, changes: Sequence[Change]) -> Iterator[None]:
        whole = {change.file: (self._root / change.file).read_text("utf-8") for change in changes}
        broken = dict(whole)
        for change in changes:
            broken[change.file] = change.applied(broken[change.file])
        try:
            self._write(broken)
            yield
        finally:
            self._write(whole)

    def _write(self, texts: dict[str, str]) -> None:
        for file, text in texts.items():
            path = self._root / file
            path.write_text(text, encoding="utf-8")
            # Compiled files are told from stale ones by time and size, and both may be the same.
            Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


def _first(red: Sequence[str], test: str) -> str | None:
    return next((node for node in red if node == test or node.startswith(f"{test}[")), None)


def run(mutants: Sequence[Mutant], *, checked: bool = True) -> Iterator[Fate]:
    """
    Try each mutant, and tell its fate as soon as it is known.

    Args:
        checked: Whether to see first that all tests are green without a mutant.

    Raises:
        ValueError: They are not.
    """
    with tempfile.TemporaryDirectory(prefix="payport-mutants-") as directory:
        trees: queue.SimpleQueue[Tree] = queue.SimpleQueue()
        for number in range(min(_AT_ONCE, len(mutants))):
            place = Path(directory) / str(number)
            place.mkdir()
            trees.put(Tree(place))

        def tried(mutant: Mutant) -> Fate:
            tree = trees.get()
            try:
                return tree.tried(mutant)
            finally:
                trees.put(tree)

        if checked:
            tree = trees.get()
            tests = list(dict.fromkeys(test for mutant in mutants for test in mutant.tests))
            red, trouble = tree.tested(tests, _PATIENCE_FOR_ALL)
            trees.put(tree)
            if red or trouble:
                raise ValueError("\n".join(["red without any mutant:", *red, trouble]))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            yield from pool.map(tried, mutants)


def page(mutants: Sequence[Mutant]) -> str:
    """docs/mutants.md: what is broken, which promise that breaks, and which tests notice."""
    lines = [
        "# Mutants",
        "",
        "A test proves something if it can fail. `make mutants` breaks the source in one small way",
        "at a time, on a copy, and runs the tests that guard the promise: each of them has to go",
        f"red. All {len(mutants)} mutants were killed by all of their tests when this page was",
        "written, which the command does itself; `scripts/mutants.toml` holds their text.",
        "",
        "| Mutant | Promise | Killed by |",
        "| --- | --- | --- |",
    ]
    for mutant in mutants:
        tests = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in mutant.tests)
        lines.append(f"| {mutant.name} | {mutant.promise} | {tests} |")
    return "\n".join([*lines, ""])


def _show(fate: Fate) -> None:
    verdict = "killed" if fate.is_killed else "NOT TRIED" if fate.trouble else "SURVIVED"
    print(f"{verdict:<9} {fate.seconds:5.1f} s  {fate.mutant.name}: {fate.mutant.promise}")
    for test, killer in fate.killers.items():
        print(f"             {f'by {killer}' if killer else f'stays green: {test}'}")
    if fate.trouble:
        print(fate.trouble)
    sys.stdout.flush()


def main(names: Sequence[str]) -> int:
    """Try the mutants that are named, or all."""
    known = load()
    mutants = [mutant for mutant in known if not names or mutant.name in names]
    if unknown := sorted(set(names) - {mutant.name for mutant in known}):
        print(f"no such mutant: {', '.join(unknown)}")
        return 1
    fates: list[Fate] = []
    try:
        for fate in run(mutants):
            _show(fate)
            fates.append(fate)
    except ValueError as error:
        print(error)
        return 1
    living = [fate.mutant.name for fate in fates if not fate.is_killed]
    print(f"\n{len(fates) - len(living)} of {len(fates)} mutants were killed by all of their tests")
    if living:
        print("not: " + ", ".join(living))
        return 1
    if not names:
        PAGE.write_text(page(known), encoding="utf-8")
        print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
