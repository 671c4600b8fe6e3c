"""
What an installer sees: metadata, extras, licences and the wheel's contents.

`.ci/run` names the wheel under test in PAYPORT_WHEEL; without it one is built from the checkout.
"""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution, entry_points
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import payport

ROOT = Path(__file__).parents[1]
PACKAGE = Path(payport.__file__).parent

# The GPL and the AGPL; the LGPL leaves an importing application its own terms.
COPYLEFT = re.compile(r"(?<![A-Za-z])A?GPL|GNU (Affero )?General Public", re.IGNORECASE)


@pytest.fixture(scope="module")
def metadata():
    return distribution("payport").metadata.json


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The names of the files in the wheel."""
    path = os.environ.get("PAYPORT_WHEEL")
    if path is None:
        out = tmp_path_factory.mktemp("wheel")
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        (path,) = out.glob("payport-*.whl")

    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def requirements(name, extras=frozenset()):
    """What the installed distribution requires here, with these extras and without markers."""
    found = map(Requirement, distribution(name).requires or [])
    environments = [{"extra": extra} for extra in extras or {""}]
    return [
        requirement
        for requirement in found
        if requirement.marker is None or any(map(requirement.marker.evaluate, environments))
    ]


def required_names(extra):
    """Distributions that payport[extra] adds, payport's own extras followed."""
    names = set()
    for requirement in requirements("payport", {extra}):
        if requirement.name == "payport":
            names.update(*map(required_names, requirement.extras))
        else:
            names.add(requirement.name)
    return names


def installed_closure(name, extras, seen):
    """Every installed distribution that name[extras] reaches, by canonical name."""
    try:
        found = distribution(name)
    except PackageNotFoundError:  # an extra that this environment does not have
        return seen
    key = (canonicalize_name(name), frozenset(extras))
    if key not in seen:
        seen[key] = found
        for requirement in requirements(name, extras):
            installed_closure(requirement.name, requirement.extras, seen)
    return seen


def licence_words(found: Distribution):
    metadata = found.metadata.json
    classifiers = [line for line in metadata.get("classifier", []) if line.startswith("License")]
    parts = [metadata.get("license_expression", ""), metadata.get("license", ""), *classifiers]
    return " ".join(parts).strip()


def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_the_version_stands_in_the_package_and_nowhere_else(metadata):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert payport.__version__ == metadata["version"]
    assert "version" not in project


def test_python_3_11_is_enough(metadata):
    assert metadata["requires_python"] == ">=3.11"


def test_the_licence_is_mit_and_travels_with_the_wheel(metadata, wheel):
    assert metadata["license_expression"] == "MIT"
    assert f"payport-{payport.__version__}.dist-info/licenses/LICENSE" in wheel


def test_the_core_needs_no_sdk_no_sql_toolkit_and_no_http_client():
    assert required_names("") == {"pydantic", "tenacity", "typing-extensions"}


@pytest.mark.parametrize("extra", ["stripe", "adyen", "postgres"])
def test_an_extra_that_takes_real_money_brings_the_journal_s_database(extra):
    assert required_names("sql") == {"sqlalchemy", "aiosqlite", "alembic", *required_names("")}
    assert required_names(extra) > required_names("sql")


def test_the_extra_all_holds_every_other_extra(metadata):
    others = set(metadata["provides_extra"]) - {"all"}

    assert others >= {"sql", "stripe", "adyen", "postgres", "aiohttp", "fastapi", "django", "cli"}
    assert required_names("all") == set().union(*map(required_names, others))


def test_pytest_finds_the_plugin():
    (plugin,) = entry_points(group="pytest11", name="payport")

    assert plugin.value == "payport.testing.plugin"
    assert plugin.load().__name__ == "payport.testing.plugin"


def test_type_checkers_are_told_that_payport_is_typed(wheel):
    assert (PACKAGE / "py.typed").is_file()
    assert "payport/py.typed" in wheel


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel):
    package = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    about = f"payport-{payport.__version__}.dist-info/"

    assert {name for name in wheel if not name.startswith(about)} == package


def test_nothing_that_payport_installs_is_under_the_gpl():
    closure = installed_closure("payport", {"all"}, {})
    licences = {found.name: licence_words(found) for found in closure.values()}

    assert licences.keys() >= {"payport", "pydantic", "tenacity", "SQLAlchemy", "alembic"}
    assert [name for name, words in licences.items() if not words or COPYLEFT.search(words)] == []


@pytest.mark.parametrize(
    ("words", "copyleft"),
    [
        ("GPL-3.0-or-later", True),
        ("AGPL-3.0-only", True),
        ("License :: OSI Approved :: GNU General Public License v2 (GPLv2)", True),
        ("License :: OSI Approved :: GNU Affero General Public License v3", True),
        ("LGPL-3.0-only", False),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", False),
        ("MIT", False),
    ],
)
def test_the_gpl_is_told_from_the_lgpl(words, copyleft):
    assert bool(COPYLEFT.search(words)) == copyleft


def test_constraints_are_exact_versions_without_addresses():
    unpinned = [pin for pin in pins() if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", pin)]

    assert unpinned == []
    assert pins() == sorted(set(pins()), key=lambda pin: pin.split("=="))


def test_every_declared_range_contains_its_pinned_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pinned = {name: Version(version) for name, version in (pin.split("==") for pin in pins())}
    groups = [
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]
    declared = [Requirement(entry) for group in groups for entry in group if isinstance(entry, str)]
    ours = [requirement for requirement in declared if requirement.name != "payport"]

    assert len(ours) > len(project["project"]["dependencies"])
    assert [r for r in ours if not r.specifier.contains(pinned[r.name])] == []
