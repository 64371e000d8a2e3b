"""Runs that are started together on one landing folder share the work: nothing is bought twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import polars as pl
import pytest
from support.installed import made
from support.workstation import plain_environment

from ekyc_tasks.ledger import connect_ledger
from ekyc_tasks.models import BatchState
from ekyc_tasks.sandbox import Sandbox, SandboxOptions

pytestmark = [pytest.mark.integration, pytest.mark.smoke]

NUMBERS = [f"+4179828{index:04}" for index in range(4000, 4140)]
# The flow as it is, but for Prefect's engine; it begins when everybody is ready.
RUN = """
import json, sys
from support import flow_without_engine, kill_points
kill_points.use_no_certificates()
flow_without_engine.without_engine()
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(flow_without_engine.run_once()), flush=True)
"""


@contextmanager
def started(environment):
    with subprocess.Popen(
        [sys.executable, "-c", RUN],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def told_together(processes):
    """What each of the runs told at its end, all of them begun at once."""
    for process in processes:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=150) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), ended
    return [json.loads(out.splitlines()[-1]) for out, _ in ended]


@pytest.mark.parametrize("runs", [3])
def test_runs_started_together_upload_each_batch_once(url, tmp_path, runs):
    data = tmp_path / "data"
    landing = data / "landing"
    landing.mkdir(parents=True)
    (landing / "first.txt").write_text("\n".join(NUMBERS[:80]))
    (landing / "second.txt").write_text("\n".join(NUMBERS[60:]))
    with Sandbox(SandboxOptions(processing_seconds=0.5)) as sandbox:
        own = {
            "HOME": data,
            "DATA_DIR": data,
            "LEDGER_URL": url,
            "BASE_URL": sandbox.base_url,
            "API_KEY": sandbox.api_key,
            "BATCH_SIZE": 50,
            "SETTLE": 0,
            "POLL_MIN": "0.05s",
            "POLL_MAX": "0.2s",
        }
        made(data, sandbox.base_url, url)
        settings = {f"EKYC_{name}": str(value) for name, value in own.items()}
        tests = {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": os.environ["PATH"]}
        with ExitStack() as ending:
            environment = {**plain_environment(), **tests, **settings}
            told = told_together([ending.enter_context(started(environment)) for _ in range(runs)])
        charges = sandbox.charges
    assert [run["exit_code"] for run in told] == [0] * runs, told
    assert (len(charges), sum(charge.numbers for charge in charges)) == (3, len(NUMBERS))
    with connect_ledger(url) as ledger:
        batches = ledger.history.batches()
        assert {batch.state for batch in batches} == {BatchState.LOADED}
        assert sorted(batch.task_id for batch in batches) == sorted(charge.task_id for charge in charges)
        assert [len(ledger.uploads.of_batch(batch.batch_id)) for batch in batches] == [1, 1, 1]
        assert len(ledger.history.files()) == 2
    rows = pl.read_parquet(data / "warehouse" / "tg_avatar", hive_partitioning=False)
    assert rows["number"].is_unique().all()
    assert rows["batch_id"].n_unique() == 3
    assert list(landing.iterdir()) == []
