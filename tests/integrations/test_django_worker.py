"""`manage.py payport_worker`, killed and stopped: what the ORM wrote is there once."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

PROJECT = Path(__file__).with_name("django_project.py")


class Project:
    def __init__(self, database):
        self.database = database

    def start(self, *command, handler=""):
        env = {
            **os.environ,
            "SHOP_DB": str(self.database),
            "SHOP_HANDLER": handler,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        return subprocess.Popen(
            [sys.executable, str(PROJECT), *command],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command, handler=""):
        """The exit code, and what it said."""
        with self.start(*command, handler=handler) as process:
            out, err = process.communicate(timeout=60)
        return process.returncode, out + err

    def orders(self):
        return self.ask("SELECT reference FROM django_shop_order")

    def runs(self):
        return self.ask("SELECT state FROM payport_handler_runs")

    def let_claims_end(self):
        """What a worker took before it was killed is waited for no longer."""
        with closing(sqlite3.connect(self.database)) as database, database:
            database.execute("UPDATE payport_handler_runs SET due_at = 1, claimed_until = 1")

    def ask(self, statement):
        with closing(sqlite3.connect(self.database)) as database:
            return [row[0] for row in database.execute(statement)]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("project") / "shop.db")
    code, said = project.run("prepare")
    assert code == 0, said
    return project.database


@pytest.fixture
def project(prepared, tmp_path):
    (tmp_path / "shop.db").write_bytes(prepared.read_bytes())
    return Project(tmp_path / "shop.db")


def test_a_handler_writes_once(project):
    assert project.orders() == []
    assert project.run("payport_worker", "--once") == (0, "written\nprocessed: 1\n")
    assert project.run("payport_worker", "--once") == (0, "processed: 0\n")
    assert (project.orders(), project.runs()) == (["order_1"], ["done"])


def test_a_worker_that_is_killed_within_a_handler_leaves_nothing_of_it(project):
    for _ in range(2):
        code, said = project.run("payport_worker", "--once", handler="die")
        assert (code, said) == (-signal.SIGKILL, "written\n")
        assert (project.orders(), project.runs()) == ([], ["due"])
        assert project.run("payport_worker", "--once") == (0, "processed: 0\n")
        project.let_claims_end()

    assert project.run("payport_worker", "--once") == (0, "written\nprocessed: 1\n")
    assert (project.orders(), project.runs()) == (["order_1"], ["done"])


def test_a_worker_that_is_killed_after_the_commit_does_not_write_again(project):
    code, said = project.run("payport_worker", "--once", handler="die after the commit")
    assert (code, said) == (-signal.SIGKILL, "written\n")
    assert (project.orders(), project.runs()) == (["order_1"], ["done"])

    assert project.run("payport_worker", "--once") == (0, "processed: 0\n")
    assert project.orders() == ["order_1"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_to_stop_ends_what_it_has_in_hand(project, number):
    worker = project.start("payport_worker", "--every", "0.05", handler="take its time")
    with worker:
        try:
            assert worker.stdout.readline() == "working\n"
            assert worker.stdout.readline() == "written\n"
            worker.send_signal(number)
            out, err = worker.communicate(timeout=30)
        finally:
            worker.kill()

    assert (worker.returncode, out, err) == (0, "stopped\n", "")
    assert (project.orders(), project.runs()) == (["order_1"], ["done"])


@pytest.mark.parametrize("wrong", [("--every", "0"), ("--recover-every", "-1")])
def test_a_worker_refuses_times_that_make_no_sense(project, wrong):
    code, said = project.run("payport_worker", *wrong)
    assert code == 1
    assert "CommandError" in said


def test_recovery_says_what_it_did(project):
    code, said = project.run("payport_recover", "--limit", "5", "--every-scope")
    assert code == 0
    assert said.splitlines() == ["concluded: 0", "abandoned: 0", "unknown: 0", "needs_review: 0"]


def test_recovery_that_cannot_work_is_an_error_of_the_command(project):
    code, said = project.run("payport_recover", "--limit", "0")
    assert code == 1
    assert said.startswith("CommandError: ")
    assert "limit" in said
