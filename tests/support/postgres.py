"""A PostgreSQL server of the tests' own, run by an ordinary user on a free port of loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg

USER, PASSWORD = "ekyc", "sesame-opens-nothing"
TEMPLATE = "migrated"
_CONFIGURATION = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
max_connections = 200
fsync = off                      # the machine does not crash in tests; the server does
timezone = 'Asia/Kathmandu'      # nothing of ours may depend on it
"""


class Unavailable(Exception):
    """Why no server can be started here."""


class Postgres:
    """``url(database)`` reaches it; `restart` kills it in the middle of whatever it does."""

    def __init__(self, folder: Path, tools: Path, user: str | None) -> None:
        self.folder = folder
        self._tools, self._user = tools, user
        self._names = count(1)
        self._emptied: list[str] = []
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]

    def url(self, database: str) -> str:
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def create(self) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        self._call(
            "initdb", "--username", USER, "--pwfile", str(secret), "--auth", "scram-sha-256", "--encoding",
            "UTF8", "--locale", "C", "--no-sync",
        )  # fmt: skip
        configuration = self.folder / "data" / "postgresql.conf"
        with configuration.open("a") as file:
            file.write(_CONFIGURATION.format(port=self.port, folder=self.folder))

    def start(self) -> None:
        self._call("pg_ctl", "start", "--wait", "--log", str(self.folder / "log"))

    def stop(self) -> None:
        self._call("pg_ctl", "stop", "--wait", "--mode", "immediate")

    def restart(self) -> None:
        """Crash and recover: connections break, and what was not committed is gone."""
        self._call("pg_ctl", "restart", "--wait", "--mode", "immediate", "--log", str(self.folder / "log"))

    @contextmanager
    def ledger(self) -> Iterator[str]:
        """The URL of an empty ledger: that of the test before, emptied, for a new one takes longer."""
        url = self._emptied.pop() if self._emptied else self.new_database(TEMPLATE)
        yield url
        if self._was_emptied(url):
            self._emptied.append(url)
        else:
            self.drop_database(url)

    def _was_emptied(self, url: str) -> bool:
        """False for a ledger that a test has turned into one of another version."""
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            rows = connection.execute(
                "SELECT tablename FROM pg_tables "
                "WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
            )
            connection.execute(f"TRUNCATE {', '.join(name for (name,) in rows)} RESTART IDENTITY")
            versions = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        return versions != [("9999",)]

    def new_database(self, template: str = "template0") -> str:
        """Its URL."""
        name = f"ledger_{next(self._names)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        self.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def _call(self, tool: str, *arguments: str) -> None:
        command = [str(self._tools / tool), "--pgdata", str(self.folder / "data"), *arguments]
        with tempfile.TemporaryFile() as output:  # a pipe would stay open for as long as the server runs
            done = subprocess.run(
                command, stdout=output, stderr=output, user=self._user, extra_groups=self._groups, check=False
            )
            output.seek(0)
            if done.returncode:
                raise Unavailable(f"{tool} failed: {output.read().decode(errors='replace')[-500:]}")

    @property
    def _groups(self) -> list[int] | None:
        return None if self._user is None else []


@contextmanager
def running() -> Iterator[Postgres]:
    """A server with nothing in it; `Unavailable` says why there can be none."""
    tools = _tools()
    folder = Path(tempfile.mkdtemp(prefix="ekyc-pg-"))
    try:
        user = _ordinary_user(folder)
        server = Postgres(folder, tools, user)
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _tools() -> Path:
    """The newest of Debian's, else what is on the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        raise Unavailable("PostgreSQL's initdb is not installed")
    return (found[-1] if found else Path(on_path or "")).parent


def _ordinary_user(folder: Path) -> str | None:
    """PostgreSQL refuses to run as root: then somebody else owns the folder and runs it."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        return name
    raise Unavailable("PostgreSQL does not run as root, and there is no other user")
