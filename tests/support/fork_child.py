"""What runs in a warm process (see `support.fork_server`): fork, do one piece of work, tell how it ended."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import phonenumbers
from support import flow_without_engine, kill_points

from ekyc_tasks.cli import app
from ekyc_tasks.errors import EkycError
from ekyc_tasks.ledger import make_ledger
from ekyc_tasks.provider import wire
from ekyc_tasks.task_types import task_type, task_type_names

_LOADED_LATE = (
    "anyio._backends._asyncio",
    "ekyc_tasks.cli.replay",
    "ekyc_tasks.cli.resolve",
    "ekyc_tasks.cli.status",
    "numpy.ma",
    "pyarrow.compute",
)
_LONGEST_WORK = 120  # seconds, by the kernel's alarm


def serve() -> None:
    kill_points.use_no_certificates()
    flow_without_engine.without_engine()
    _rehearse()
    for line in sys.stdin:
        request = json.loads(line)
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            _work(request, writer)
        os.close(writer)
        _tell({"pid": pid})
        with os.fdopen(reader) as pipe:
            said = pipe.read()
        _, status = os.waitpid(pid, 0)
        _tell(_ended(Path(request["folder"]), pid, said, status))


def _rehearse() -> None:
    """What the first use would load, before any fork; nothing of polars, whose threads do not survive one."""
    for name in _LOADED_LATE:
        import_module(name)
    phonenumbers.PhoneMetadata.load_all()
    for trust_env in (True, False):
        wire.load_certificates(trust_env=trust_env)
    for kind in task_type_names():
        for each in task_type(kind).fields:
            task_type(kind).rules(each)
    with TemporaryDirectory() as folder:
        make_ledger(f"sqlite:///{folder}/ledger.db").close()


def _ended(folder: Path, pid: int, said: str, status: int) -> dict[str, Any]:
    note, output = folder / f"died-at-{pid}", folder / f"output-{pid}"
    return {
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        "result": json.loads(said) if said else None,
        "point": note.read_text() if note.exists() else "",
        "output": output.read_text(errors="replace"),
    }


def _work(request: dict[str, Any], writer: int) -> None:
    """In the child; never returns."""
    folder = Path(request["folder"])
    output = os.open(folder / f"output-{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    signal.alarm(request.get("seconds", _LONGEST_WORK))
    os.environ.update(request["environment"])
    killer = kill_points.Killer(request.get("kill_at"), folder / f"died-at-{os.getpid()}")
    kill_points.install(killer, root=folder)
    if request.get("stops_first"):
        os.kill(os.getpid(), signal.SIGSTOP)
    try:
        result = _WORKS[request["work"]](request)
    except BaseException as error:
        traceback.print_exc()
        result = {"exit_code": 1, "sentences": [f"{type(error).__name__}"]}
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(writer, json.dumps({**result, "points": killer.passed}).encode())
    os._exit(0)


def _run(_: dict[str, Any]) -> dict[str, Any]:
    return flow_without_engine.run_once()


def _ekyc(request: dict[str, Any]) -> dict[str, Any]:
    """The command line; what it wants confirmed is confirmed in ``arguments``."""
    try:
        code = app(request["arguments"], standalone_mode=False)
    except EkycError as error:
        return {"exit_code": error.exit_code, "sentences": [str(error)]}
    return {"exit_code": code or 0, "sentences": []}


def _examine(request: dict[str, Any]) -> dict[str, Any]:
    from support.trials.machine import examine  # noqa: PLC0415 - it bends the time of its process

    return {"exit_code": 0, **examine(Path(request["folder"]), **request["profile"])}


def _read(request: dict[str, Any]) -> dict[str, Any]:
    from support.trials.readers import read  # noqa: PLC0415 - only they need DuckDB

    return read(**request["options"])


_WORKS = {"examine": _examine, "read": _read, "run": _run, "ekyc": _ekyc}


def _tell(document: dict[str, Any]) -> None:
    sys.__stdout__.write(json.dumps(document) + "\n")
    sys.__stdout__.flush()


if __name__ == "__main__":
    serve()
