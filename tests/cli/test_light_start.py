"""The command starts light, and says what is missing where an extra is."""

import subprocess
import sys

import pytest
from clis import ROOT, process

from payport.cli.app import app

HEAVY = {"sqlalchemy", "alembic", "stripe", "httpx", "uvicorn", "rich", "psycopg", "sqlite3"}


def run(script):
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=False,
        text=True,
        cwd=ROOT,
        timeout=60,
    )


@pytest.mark.parametrize("arguments", [["--help"], ["operations", "recover", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    done = run(
        f"import sys; sys.argv = ['payport', *{arguments!r}]\n"
        "from payport.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"loaded = {{name.partition('.')[0] for name in sys.modules}} & {HEAVY!r}\n"
        "print('loaded:', sorted(loaded), 'payport.testing' in sys.modules)"
    )

    assert done.stderr == ""
    assert "Usage: payport" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded: [] False"


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_a_missing_extra_is_one_clear_line(missing):
    done = run(
        "import sys\n"
        f"sys.modules[{missing!r}] = None\n"
        "sys.argv = ['payport', 'providers']\n"
        "from payport.cli import main\n"
        "main()"
    )

    assert done.returncode == 2
    assert "pip install 'payport[cli]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_version_is_told(tmp_path):
    with process("--version", cwd=tmp_path) as running:
        ended = running.wait()

    assert (ended.code, ended.out.startswith("payport 0.")) == (0, True)


def test_errors_show_no_local_variables():
    assert app.pretty_exceptions_enable is False
