"""The worked adapter in examples/adapter: small, whole, installable, and held to the contract."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "adapter"
ADAPTER = EXAMPLE / "payport_tollgate"
#: What somebody who adds a processor writes, without a simulator of it and tests.
MOST_LINES = 400


def run(*command: str, path: Path = EXAMPLE, code: int = 0, **environ: str) -> str:
    """What a process of its own says, with another place on its path."""
    given = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), *_source()]), **environ}
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=given,
        check=False,
        timeout=300,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def _source() -> list[str]:
    """The sources of payport, where it is not tested as a wheel."""
    return [str(ROOT / "src")] if (ROOT / "src").exists() else []


def test_the_adapter_is_no_longer_than_it_says() -> None:
    files = sorted(ADAPTER.glob("*.py"))

    assert [file.name for file in files] == [
        *("__init__.py", "adapter.py", "answers.py", "facts.py", "provider.py", "spec.py"),
    ]
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) <= MOST_LINES


def test_the_adapter_needs_no_other_provider() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in ADAPTER.rglob("*.py")).lower()

    assert re.findall("stripe|adyen", text) == []


@pytest.mark.parametrize("file", ["test_contract.py", "test_crashes.py"])
def test_its_own_tests_pass(file: str) -> None:
    options = ("-q", "-c", "pyproject.toml", "-p", "no:cacheprovider")
    said = run("-m", "pytest", *options, str(EXAMPLE / "tests" / file))

    assert re.search(r"\d+ passed", said), said


def test_the_shop_is_killed_and_its_readme_says_what_then() -> None:
    said = run(str(EXAMPLE / "crash_and_recover.py"))

    assert said in (EXAMPLE / "README.md").read_text(encoding="utf-8")


# -- installed -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example as pip installs it, built offline, in a place of its own."""
    place = tmp_path_factory.mktemp("site")
    pip = ("-m", "pip", "install", "-qq", "--no-deps", "--no-build-isolation", "--no-index")
    quiet = {"PIP_NO_CACHE_DIR": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    run(*pip, "--target", str(place), str(EXAMPLE), path=place, **quiet)
    return place


def test_an_installed_adapter_is_found_by_its_name(installed: Path) -> None:
    said = run("-m", "payport.cli", "providers", "--json", path=installed)
    told = {one["name"]: one for one in json.loads(said)["providers"]}

    assert {"fake", "stripe", "tollgate"} <= set(told)
    assert told["tollgate"]["webhooks"] == "unsigned: only a hint to read the object"
    assert told["tollgate"]["idempotency"]["life_seconds"] is None


def test_an_installed_adapter_makes_a_client_of_either_colour(installed: Path) -> None:
    code = (
        "from payport import AsyncPayport, Payport\n"
        "for client in (Payport, AsyncPayport):\n"
        "    pay = client('tollgate', scope='shop', store='memory')\n"
        "    print(type(pay.provider).__name__, pay.environment)\n"
    )
    said = run("-c", code, path=installed, TOLLGATE_API_KEY="tg_test_0001")

    assert said.split() == ["TollgateProvider", "test", "AsyncTollgateProvider", "test"]
    refused = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), *_source()])},
        check=False,
        timeout=60,
    )
    assert "is no key of Tollgate's" in refused.stderr


def test_an_installed_adapter_that_is_damaged_takes_nobody_along(installed: Path) -> None:
    module = installed / "payport_tollgate" / "adapter.py"
    whole = module.read_text(encoding="utf-8")
    module.write_text("import a_package_that_is_gone\n", encoding="utf-8")
    try:
        said = run("-m", "payport.cli", "providers", "--json", path=installed, code=3)
    finally:
        module.write_text(whole, encoding="utf-8")
    document = json.loads(said)

    assert {"fake", "stripe"} <= {one["name"] for one in document["providers"]}
    (broken,) = document["broken"]
    assert (broken["name"], broken["package"]) == ("tollgate", "payport-tollgate")
    assert "a_package_that_is_gone" in broken["why"]


def test_its_wheel_holds_the_package_and_the_entry_point(tmp_path: Path) -> None:
    command = ("-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    subprocess.run([sys.executable, *command], cwd=EXAMPLE, check=True, capture_output=True)
    (path,) = tmp_path.glob("payport_tollgate-*.whl")

    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        (points,) = [name for name in names if name.endswith("entry_points.txt")]
        assert b"tollgate = payport_tollgate.provider:PLUGIN" in wheel.read(points)
    assert "payport_tollgate/testing/simulator.py" in names
    assert "payport_tollgate/py.typed" in names
    assert not [name for name in names if name.startswith("tests/")]
