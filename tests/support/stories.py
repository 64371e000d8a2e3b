"""Stories of one ledger: places that are mistyped, copied, moved, set back; real runs in them, and a judge.

Runs and commands are those of the product, each in a process forked from a warm one. What was bought tells
the sandbox's own record. As a module this is that warm process: `support.fork_child`, and what only stories
need.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import polars as pl
import pytest
from sqlalchemy import MetaData, inspect
from support import fork_child, kill_points
from support.fork_server import Ended, Warm
from support.installed import made
from support.postgres import TEMPLATE, Postgres
from support.version_before import connected
from support.workstation import HOURS, NUMBERS, ROOT, plain_environment, wait_until

from ekyc_tasks.ledger import Batch, connect_ledger
from ekyc_tasks.sandbox import Sandbox, SandboxOptions

UPLOAD = "/v1/tasks"
# Every number is answered once, and no balance is told: what the account remembers is another story.
PROVIDER = SandboxOptions(processing_seconds=0.0, missing_rate=0.0, repeated_rate=0.0, offers_balance=False)
SETTINGS = {
    "BATCH_SIZE": "50",
    "SETTLE": "0",
    "POLL_MIN": "0.01s",
    "POLL_MAX": "0.05s",
    "MAX_WAIT": "4s",
}
# What one batch can be when something happens to its ledger; and numbers that are in none yet.
STATES = ("planned", "submitting", "submitted", "fetched", "held")
MOMENTS = (*STATES, "landed", "waiting")
FIRST, SECOND, THIRD = NUMBERS[:6], NUMBERS[6:10], NUMBERS[10:13]
# SQLite keeps files beside a ledger, and the warm process writes down what it said.
_NO_MATTER = re.compile(r"(\.?ledger\.db.*|output-\d+|died-at-\d+)")
_MOST_RUNS = 6


@pytest.fixture(scope="session", name="warm")
def a_warm_process() -> Iterator[Teller]:
    with Teller() as teller:
        yield teller


@pytest.fixture(name="story")
def a_story(database: str, tmp_path: Path, warm: Teller, request: pytest.FixtureRequest) -> Iterator[Story]:
    server = request.getfixturevalue("postgres") if database == "postgresql" else None
    with Story(tmp_path, warm, server) as told:
        yield told


# --- where it happens -------------------------------------------------------------------------------------


@dataclass
class Place:
    """A home with a data folder in it; ``url`` names a ledger, else it is SQLite in the data folder."""

    story: Story
    home: Path
    url: str | None = None
    settings: dict[str, str | None] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def ledger_url(self) -> str:
        return self.url or f"sqlite:///{self.data / 'ledger.db'}"

    def environment(self, settings: dict[str, str | None]) -> dict[str, str]:
        """None takes a setting away."""
        own = {
            "HOME": str(self.home),
            "DATA_DIR": str(self.data),
            "LEDGER_URL": self.url,
            "BASE_URL": self.story.sandbox.base_url,
            "API_KEY": self.story.sandbox.api_key,
        }
        named = SETTINGS | own | self.settings | settings
        return {f"EKYC_{name}": value for name, value in named.items() if value is not None}

    # ------------------------------------------------------------------------ what is done

    @property
    def landing(self) -> Path:
        return Path(self.settings.get("LANDING_DIR") or self.data / "landing")

    @property
    def warehouse(self) -> Path:
        return Path(self.settings.get("WAREHOUSE_DIR") or self.data / "warehouse")

    def is_made(self) -> Place:
        """By the command, as in a script."""
        self.says("init", "--no-budget", "--account", "new")
        return self

    def land(self, name: str, numbers: Sequence[str]) -> Path:
        path = self.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{number}\n" for number in numbers))
        return path

    def work(self, work: str, *, settings: dict[str, str | None] | None = None, **options: Any) -> Ended:
        environment = self.environment(settings or {})
        return self.story.warm.run(work, self.story.root, environment, **options)

    def run(self, *, host: str = "", dies: str = "", kill_at: int | None = None, **settings: str) -> Ended:
        """One run of the flow, as a deployment does it."""
        ended = self.work("run", settings=settings, host=host, dies=dies, kill_at=kill_at)
        assert (ended.signal == signal.SIGKILL) >= bool(dies), f"it did not die {dies}: {ended}"
        return ended

    def ekyc(self, *words: str, kill_at: int | None = None, **settings: str | None) -> Ended:
        """One command, where nobody can be asked."""
        return self.work("ekyc", settings=settings, arguments=list(words), kill_at=kill_at)

    def says(self, *words: str, **settings: str | None) -> str:
        """What a command prints that ends well."""
        ended = self.ekyc(*words, **settings)
        assert ended.exit_code == 0, f"{words}: {told(ended)}"
        return ended.output

    def runs_to_the_end(self) -> Ended:
        """Until everything is loaded or waits for a person."""
        for _ in range(_MOST_RUNS):
            ended = self.run()
            assert ended.exit_code in {0, 3, 5}, told(ended)
            if not {"planned", "submitting", "submitted", "fetched"} & set(self.states()):
                return ended
        raise AssertionError(f"not at an end: {told(ended)}, {self.states()}")

    def is_brought_to(self, moment: str) -> None:
        """FIRST lands here, and gets as far as ``moment`` says. No lease is left behind."""
        self.land("first.txt", FIRST)
        if moment == "landed":
            return
        if moment == "waiting":
            assert self.run(MIN_BATCH="50").exit_code == 0
            assert self.numbers()["waiting"] == len(FIRST)
            return
        if moment == "submitted":
            with self.story.slow_provider():
                assert self.run(MAX_WAIT="0").exit_code == 6
        else:
            where = {"planned": "before submit", "fetched": "before load"}
            self.run(dies=where.get(moment, "after create"))
            self.lets_go()
        if moment == "held":
            assert self.run().exit_code == 3
        assert self.states() == [moment]

    def decides(self) -> Ended:
        """To the end, then what is held becomes what the sandbox's own record says, and to the end again."""
        ended = self.runs_to_the_end()
        if "held" not in self.states():
            return ended
        for batch in self.batches():
            if batch.state == "held":
                sent = self.sent(batch.batch_id)
                tasks = [task.task_id for task in self.story.sandbox.tasks if task.numbers == sent]
                decision = ["adopt", tasks[0]] if tasks else ["resubmit", "--yes"]
                why = ("--force", "--reason", "the provider's page")
                self.says("resolve", batch.batch_id, *decision, *why)
        return self.runs_to_the_end()

    def lets_go(self) -> None:
        """Any command that works under a lease ends the one of a run that was killed here."""
        assert self.ekyc("import", str(self.home / "nothing.zip")).exit_code == 5

    # ------------------------------------------------------------------------ what is there

    def status(self) -> dict[str, Any]:
        return json.loads(self.says("status", "--json"))

    def numbers(self) -> dict[str, int]:
        return self.status()["numbers"]

    def batches(self) -> list[Batch]:
        with connect_ledger(self.ledger_url) as ledger:
            return ledger.history.batches()

    def states(self) -> list[str]:
        return [batch.state.value for batch in self.batches()]

    def batch_ids(self) -> list[str]:
        return [batch.batch_id for batch in self.batches()]

    def sent(self, batch_id: str) -> frozenset[str]:
        """The numbers of a batch."""
        return frozenset((self.data / "batches" / f"{batch_id}.txt").read_text().split())

    def fates(self) -> dict[str, set[str]]:
        """By number, what `ekyc status` says of the batches that it is in."""
        found: dict[str, set[str]] = {}
        for batch in self.status()["batches"]:
            for number in self.sent(batch["batch_id"]):
                found.setdefault(number, set()).add(batch["state"])
        return found

    def dataset(self) -> Counter[str]:
        """How often each number is in it."""
        files = sorted(self.warehouse.rglob("*.parquet"))
        return Counter(pl.concat([pl.read_parquet(file)["number"] for file in files]) if files else ())

    def landed(self) -> list[str]:
        return sorted(path.name for path in self.landing.rglob("*") if path.is_file())

    def known_tasks(self) -> set[str | None]:
        with connect_ledger(self.ledger_url) as ledger:
            batches = ledger.history.batches()
            attempts = [each for batch in batches for each in ledger.uploads.of_batch(batch.batch_id)]
            return {batch.task_id for batch in batches} | {attempt.task_id for attempt in attempts}

    def held(self) -> list[frozenset[str]]:
        return [self.sent(batch.batch_id) for batch in self.batches() if batch.state == "held"]


class Story:
    """One provider, and the places of somebody who keeps a ledger."""

    def __init__(
        self, folder: Path, warm: Teller, server: Postgres | None, options: SandboxOptions = PROVIDER
    ) -> None:
        self.root = folder / "world"
        self.warm = warm
        self.server = server
        self.sandbox = Sandbox(options)
        self.databases: list[str] = []

    def __enter__(self) -> Story:
        self.root.mkdir()
        self.sandbox.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.sandbox.stop()
        for url in self.databases:
            self.server.drop_database(url)

    # ------------------------------------------------------------------------ places

    def bare(self, name: str, *, template: str = "template0", **settings: str | None) -> Place:
        """A home in which nothing was made yet; its database, where there is a server, has no table."""
        (self.root / name).mkdir()
        return Place(self, self.root / name, self.database(template) if self.server else None, settings)

    def place(self, name: str = "original", **settings: str | None) -> Place:
        """With its ledger, as `ekyc init` leaves it."""
        place = self.bare(name, template=TEMPLATE, **settings)
        made(place.data, self.sandbox.base_url, place.url)
        return place

    def copied(self, place: Place, name: str = "copy", *, database: bool = True) -> Place:
        """All of it once more, as `cp -a` does it; not ``database``: a ledger on a server is not copied."""
        copy = Place(self, self.root / name, place.url, dict(place.settings))
        shutil.copytree(place.home, copy.home, symlinks=True)
        if place.url and database:
            copy.url = self.database(place.url.rpartition("/")[2])
        return copy

    def database(self, template: str) -> str:
        self.databases.append(self.server.new_database(template))
        return self.databases[-1]

    @contextmanager
    def slow_provider(self) -> Iterator[None]:
        """Nothing is exported meanwhile."""
        backend = self.sandbox._backend
        backend.options = replace(PROVIDER, processing_seconds=HOURS)
        yield
        backend.options = PROVIDER

    def at_once(self, *places: Place, hosts: Sequence[str] = ()) -> list[Ended]:
        """Runs that begin together, each in a process of its own."""
        each = [
            {"work": "run", "environment": place.environment({}), "host": host}
            for place, host in zip(places, hosts or [""] * len(places), strict=True)
        ]
        ended = self.warm.run("at once", self.root, {}, each=each)
        assert ended.exit_code == 0, ended.output
        return [Ended(**one) for one in ended.result["each"]]

    def wait_until(self, condition: Callable[[], Any]) -> None:
        wait_until(condition, seconds=30)

    # ------------------------------------------------------------------------ the judge

    @property
    def uploads(self) -> int:
        return sum(call.path == UPLOAD for call in self.sandbox.calls)

    @property
    def charged(self) -> Counter[str]:
        """How often each number was paid for."""
        return Counter(number for task in self.sandbox.tasks for number in task.numbers)

    def judge(self, *places: Place) -> None:
        """No number is paid for twice, and each charge is known to some ledger, or held in one."""
        assert {number: times for number, times in self.charged.items() if times > 1} == {}
        known = set().union(*(place.known_tasks() for place in places))
        held = [numbers for place in places for numbers in place.held()]
        unknown = [task for task in self.sandbox.tasks if task.task_id not in known]
        assert [task.total for task in unknown if task.numbers not in held] == []

    def paid(self, *numbers: Sequence[str]) -> bool:
        """Exactly these, each once."""
        return self.charged == Counter(number for each in numbers for number in each)

    @contextmanager
    def nothing_happens(self, *places: Place) -> Iterator[None]:
        """No file is made, changed or removed anywhere, no row, and nobody is called."""
        before = self._seen(places)
        yield
        after = self._seen(places)
        for name, was in before.items():
            assert changes(was, after[name]) == {}, name

    @contextmanager
    def nothing_is_bought_or_lost(self, *places: Place) -> Iterator[None]:
        """No upload, no new batch, and no file goes or changes where a ledger's files are."""
        uploads, before = self.uploads, [kept(place.data) for place in places]
        ids = [place.batch_ids() for place in places]
        yield
        assert self.uploads == uploads
        assert [place.batch_ids() for place in places] == ids
        for place, was in zip(places, before, strict=True):
            is_now = kept(place.data)
            assert {name: is_now.get(name) for name in was} == was

    def _seen(self, places: Sequence[Place]) -> dict[str, dict[str, Any]]:
        return {
            "files": tree(self.root),
            "calls": dict(enumerate(self.sandbox.calls)),
            **{f"ledger of {place.home.name}": rows(place.ledger_url) for place in places},
        }


# --- what is compared -------------------------------------------------------------------------------------


def told(ended: Ended) -> str:
    """Code and sentences, and what was printed."""
    said = "" if ended.result is None else " ".join(ended.result["sentences"])
    return f"{ended.exit_code if ended.result else ended.signal}: {said} {ended.output[-1500:]}"


def tree(folder: Path) -> dict[str, str]:
    """Every path below: what it is, its mode, and a digest of what is in it."""
    return {
        str(path.relative_to(folder)): f"{path.lstat().st_mode:o} {_digest(path)}"
        for path in sorted(folder.rglob("*"))
        if not _NO_MATTER.fullmatch(path.name)
    }


def _digest(path: Path) -> str:
    if path.is_symlink():
        return str(path.readlink())
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def kept(data: Path) -> dict[str, str]:
    """Of a data folder, what may be the only record of something bought, and what landed."""
    places = ("inputs", "batches", "raw", ".keys", ".spool", "landing", "warehouse", "set-aside")
    return {
        f"{place}/{name}": what
        for place in places
        if (data / place).is_dir()
        for name, what in tree(data / place).items()
    }


def worth_a_kill(points: Sequence[str]) -> list[int]:
    """The points at which a killed process leaves something else than at the one before: not every fsync."""
    pairs = zip(["", *points], points, strict=False)
    return [at for at, (last, here) in enumerate(pairs, start=1) if (last, here) != ("before fsync",) * 2]


def rows(url: str) -> dict[str, Any]:
    """By table, every row; empty for a ledger that is not there."""
    if url.startswith("sqlite") and not Path(url.removeprefix("sqlite:///")).exists():
        return {}
    with connected(url) as connection:
        names = sorted(inspect(connection).get_table_names())
        return {
            name: sorted(map(str, connection.exec_driver_sql(f"SELECT * FROM {name}")))  # noqa: S608 - ours
            for name in names
        }


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    names = {*before, *after}
    return {
        name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    }


# --- a ledger of another day ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Backup:
    """A ledger as it was; `put_back` writes it over the one that is there now."""

    place: Place
    file: Path | None
    rows: dict[str, list[dict[str, Any]]]

    @classmethod
    def of(cls, place: Place) -> Backup:
        if place.url is not None:
            return cls(place, None, _dumped(place.url))
        file = place.story.root / "older.db"
        with sqlite3.connect(place.data / "ledger.db") as now, sqlite3.connect(file) as older:
            now.backup(older)
        for connection in (now, older):
            connection.close()
        return cls(place, file, {})

    def put_back(self, how: str) -> None:
        """``how``: "over it", which a file's inode survives, or "in its place", which it does not."""
        if self.file is not None:
            self._put_file_back(how)
        elif how == "over it":
            _restored(self.place.url, self.rows)
        else:
            self.place.url = self.place.story.database(TEMPLATE)
            _restored(self.place.url, self.rows)

    def _put_file_back(self, how: str) -> None:
        ledger = self.place.data / "ledger.db"
        for beside in self.place.data.glob("ledger.db-*"):
            beside.unlink()
        if how == "over it":
            ledger.write_bytes(self.file.read_bytes())
        else:
            copy = ledger.with_name("ledger.db.new")
            shutil.copy(self.file, copy)
            copy.rename(ledger)


def _dumped(url: str) -> dict[str, list[dict[str, Any]]]:
    tables = MetaData()
    with connected(url) as connection:
        tables.reflect(connection)
        return {
            table.name: [dict(row) for row in connection.execute(table.select()).mappings()]
            for table in tables.sorted_tables
        }


def _restored(url: str, dump: dict[str, list[dict[str, Any]]]) -> None:
    tables = MetaData()
    with connected(url) as connection:
        tables.reflect(connection)
        for table in reversed(tables.sorted_tables):
            connection.execute(table.delete())
        for table in tables.sorted_tables:
            if dump[table.name]:
                connection.execute(table.insert(), dump[table.name])
        for table, column in (("events", "event_id"), ("answers", "answer_id")):  # the counters, too
            newest = f"(SELECT coalesce(max({column}), 0) + 1 FROM {table})"  # noqa: S608 - ours
            connection.exec_driver_sql(
                f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), {newest})"
            )


# --- the warm process -------------------------------------------------------------------------------------


class Teller(Warm):
    """`Warm`, with this module in its process."""

    def __init__(self) -> None:
        own = {
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
            "OPENBLAS_NUM_THREADS": "1",
            "POLARS_MAX_THREADS": "2",
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.stories"],
            cwd=ROOT,
            env={**plain_environment(), **own},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


_LOADED_LATE = (
    *(f"ekyc_tasks.cli.{name}" for name in ("doctor", "export", "imports", "init", "recover", "run", "up")),
    "rich._emoji_codes",
    "rich._unicode_data.unicode17-0-0",
    "typer._adapters",
    "typer._click.decorators",
)


def serve() -> None:
    import_module("ekyc_tasks.cli.run")._run = _without_engine
    fork_child._LOADED_LATE += _LOADED_LATE
    fork_child._WORKS.update(
        {"at once": _at_once, "replay flow": _replay_flow, "resolve flow": _resolve_flow}
    )
    for name, work in [*fork_child._WORKS.items()]:
        fork_child._WORKS[name] = partial(_staged, work)
    fork_child.serve()


async def _without_engine(flow: Any, request: Any) -> Any:
    """`ekyc run` calls the flow; its engine would start a server for it."""
    return await flow.fn(request)


def _staged(work: Any, request: dict[str, Any]) -> dict[str, Any]:
    """``host``: what this machine is called meanwhile. ``dies``: where the process is killed."""
    if host := request.get("host"):
        _call_this_machine(host)
    if dies := request.get("dies"):
        _die(dies, Path(request["folder"]))
    return work(request)


def _call_this_machine(name: str) -> None:
    """For the kernel where we may; else for this process alone."""
    new_uts = 0x04000000
    if ctypes.CDLL(None, use_errno=True).unshare(new_uts) == 0:
        socket.sethostname(name)
    else:
        socket.gethostname = lambda: name


def _die(where: str, root: Path) -> None:
    from ekyc_tasks.flows import check_numbers as whole_way  # noqa: PLC0415 - the child has it by now

    step = {"before submit": "submit_batch", "before load": "load_batch"}.get(where)
    if step is not None:
        setattr(whole_way, step, _killed)
    else:
        kill_points.install(lambda point: _killed() if point == where else None, root=root)


def _killed(*_: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a process that was killed goes on")


def _at_once(request: dict[str, Any]) -> dict[str, Any]:
    """Several pieces of work side by side, each in a process of its own."""
    started = [_started({**request, **each}) for each in request["each"]]
    folder = Path(request["folder"])
    return {"exit_code": 0, "sentences": [], "each": [_ended(folder, *one) for one in started]}


def _started(request: dict[str, Any]) -> tuple[int, int]:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        fork_child._work(request, writer)
    os.close(writer)
    return pid, reader


def _ended(folder: Path, pid: int, reader: int) -> dict[str, Any]:
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    return fork_child._ended(folder, pid, said, status)


def _replay_flow(_: dict[str, Any]) -> dict[str, Any]:
    from ekyc_tasks.flows.replay import replay  # noqa: PLC0415

    return _of_flow(replay)


def _resolve_flow(_: dict[str, Any]) -> dict[str, Any]:
    from ekyc_tasks.flows.resolve import resolve  # noqa: PLC0415

    return _of_flow(resolve)


def _of_flow(flow: Any) -> dict[str, Any]:
    import asyncio  # noqa: PLC0415

    state = asyncio.run(flow.fn())
    return {"exit_code": state.data["exit_code"], "sentences": state.data["sentences"]}


if __name__ == "__main__":
    serve()
