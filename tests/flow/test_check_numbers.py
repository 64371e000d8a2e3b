"""The whole job through a real Prefect server, as a person would run it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import duckdb
import polars as pl
import pytest
from support.workstation import BIN, NUMBERS, chaotic, descendants, wait_until

from ekyc_tasks.sandbox import SandboxOptions

pytestmark = pytest.mark.flow


def dataset(desk) -> pl.DataFrame:
    return pl.scan_parquet(f"{desk.data}/warehouse/tg_avatar/**/*.parquet", hive_partitioning=True).collect()


def ending(run) -> tuple[int, str]:
    """The exit code, and the state's name as the person saw it."""
    [name] = re.findall(
        r"^(Completed|Nothing to do|Waiting on provider \(.*\)|Held: .* decision|Failed: .*)$",
        run.stdout + run.stderr,
        re.MULTILINE,
    )
    return run.returncode, name


def test_landed_files_become_a_dataset_that_equals_the_providers_answers(desk):
    desk.settings["EKYC_BATCH_SIZE"] = "250"
    desk.drop("first.txt", *NUMBERS[:400], "junk", "", NUMBERS[0])
    desk.drop("sub/second.csv", "phone", *NUMBERS[300:])

    assert ending(desk.ekyc("run")) == (0, "Completed")

    rows = dataset(desk)
    expected = {number: desk.sandbox.answers(number) for number in NUMBERS}
    assert set(rows["number"]) == {number for number, answer in expected.items() if not answer.is_missing}
    assert dict(rows.select("number", "telegram").iter_rows()) == {
        number: expected[number].has_account for number in rows["number"]
    }
    assert sum(charge.numbers for charge in desk.sandbox.charges) == len(NUMBERS)
    assert len(desk.sandbox.charges) == 3
    assert desk.sandbox.leaks == []
    assert list((desk.data / "landing").rglob("*.txt")) == []
    seen_by_duckdb = duckdb.read_parquet(f"{desk.data}/warehouse/tg_avatar/**/*.parquet")
    assert set(seen_by_duckdb.columns) - {"checked_date"} == set(rows.columns) - {"checked_date"}
    assert len(seen_by_duckdb) == rows.height


@pytest.mark.parametrize("options", [chaotic("create:1=413")])
def test_what_is_too_large_is_halved_in_the_same_run(desk):
    desk.drop("numbers.txt", *NUMBERS)

    run = desk.ekyc("run")

    assert ending(run) == (0, "Completed")
    assert "planned again" in run.stdout + run.stderr
    assert sorted(desk.states()) == ["abandoned", "loaded", "loaded"]
    assert [charge.numbers for charge in desk.sandbox.charges] == [300, 300]


@pytest.mark.parametrize("options", [chaotic(minimum=500)])
def test_what_is_too_small_for_the_provider_waits_for_company(desk):
    desk.drop("early.txt", *NUMBERS[:300])
    first = desk.ekyc("run")
    assert (ending(first), desk.sandbox.charges) == ((0, "Completed"), [])
    desk.drop("late.txt", *NUMBERS[300:])

    assert ending(desk.ekyc("run")) == (0, "Completed")
    assert [charge.numbers for charge in desk.sandbox.charges] == [600]
    assert sorted(desk.states()) == ["abandoned", "loaded"]


def test_a_second_run_uploads_nothing_and_changes_no_byte(desk):
    path = desk.drop("numbers.txt", *NUMBERS, "junk")
    assert desk.ekyc("run").returncode == 0
    before = desk.kept_bytes()

    again = desk.ekyc("run")
    desk.drop(path.name, *NUMBERS, "junk")
    dropped_again = desk.ekyc("run")

    assert (ending(again), ending(dropped_again)) == ((0, "Nothing to do"), (0, "Completed"))
    assert len(desk.sandbox.charges) == 1
    assert desk.kept_bytes() == before


def test_a_run_that_does_not_wait_ends_well_and_the_next_one_goes_on(desk):
    desk.drop("numbers.txt", *NUMBERS)

    waiting = desk.ekyc("run", "--max-wait", "0")
    done = wait_until(lambda: (run := desk.ekyc("run")).returncode == 0 and run, what="the result")

    assert (ending(waiting), ending(done)) == ((6, "Waiting on provider (1 batch)"), (0, "Completed"))
    assert len(desk.sandbox.charges) == 1


@pytest.mark.parametrize("options", [chaotic(processing_seconds=8.0)])
def test_a_second_run_waits_for_what_the_first_has_in_hand(desk):
    desk.drop("numbers.txt", *NUMBERS)
    with desk.start("run") as first:
        wait_until(lambda: desk.sandbox.charges, what="the upload")
        second = desk.ekyc("run")
        first.communicate(timeout=120)

    assert (first.returncode, ending(second)) == (0, (0, "Nothing to do"))
    assert desk.states() == ["loaded"]
    assert len(desk.sandbox.charges) == 1


@pytest.mark.parametrize("options", [chaotic("create:2=429", "poll:1-3=503", "fetch:1=truncate")])
def test_a_batch_that_is_ready_early_is_loaded_early_and_trouble_is_waited_out(desk):
    desk.settings["EKYC_BATCH_SIZE"] = "300"
    desk.drop("numbers.txt", *NUMBERS)

    done = desk.ekyc("run")

    assert done.returncode == 0, done.stderr
    batches = desk.status()["batches"]
    assert [batch["state"] for batch in batches] == ["loaded", "loaded"]
    # The second upload was turned down at first; the first batch did not wait for it.
    assert len(desk.sandbox.charges) == 2


@pytest.mark.parametrize("options", [chaotic("create:1=stall")])
def test_a_run_killed_during_the_upload_leaves_a_held_batch_that_is_never_sent_again(desk):
    desk.drop("numbers.txt", *NUMBERS)
    with desk.start("run") as process:
        wait_until(lambda: desk.sandbox.charges, what="the upload")
        process.send_signal(signal.SIGKILL)

    after = desk.ekyc("run")
    once_more = desk.ekyc("run")

    assert [ending(run) for run in (after, once_more)] == [(3, "Held: 1 batch needs a decision")] * 2
    assert desk.states() == ["held"]
    assert len(desk.sandbox.charges) == 1

    task_id = desk.sandbox.charges[0].task_id
    assert desk.ekyc("resolve", desk.status()["batches"][0]["batch_id"], "adopt", task_id).returncode == 0
    assert desk.ekyc("run").returncode == 0
    assert desk.states() == ["loaded"]
    assert len(desk.sandbox.charges) == 1


@pytest.mark.parametrize("options", [chaotic("create:1=slow", slow_seconds=5.0)])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_told_to_end_says_that_nothing_is_lost(desk, number, code):
    desk.drop("numbers.txt", *NUMBERS)
    with desk.start("run") as process:
        wait_until(lambda: any(call.path == "/v1/tasks" for call in desk.sandbox.calls))
        process.send_signal(number)
        _, said = process.communicate(timeout=60)

    assert (process.returncode, "Traceback" in said) == (code, False)
    assert "Progress is saved" in said
    assert desk.states() == ["held"]


@pytest.mark.parametrize("options", [SandboxOptions(processing_seconds=600.0)])
@pytest.mark.parametrize("moment", ["while Prefect starts", "while it waits"])
def test_ctrl_c_at_a_terminal_ends_the_run_with_the_temporary_server(desk, tmp_path, moment):
    """It reaches all processes of the command; the server must not be gone before the run is."""
    desk.drop("numbers.txt", *NUMBERS)
    environment = {name: value for name, value in desk.environment.items() if name != "PREFECT_API_URL"}
    with subprocess.Popen(
        [str(BIN / "ekyc"), "run"],
        cwd=desk.data,
        env={**environment, "PREFECT_HOME": str(tmp_path / "cold")},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        server = wait_until(lambda: next(filter(_is_server, descendants(process.pid)), None))
        if moment == "while it waits":
            wait_until(lambda: any(call.path == "/v1/gettasks" for call in desk.sandbox.calls))
        os.killpg(process.pid, signal.SIGINT)
        try:
            _, said = process.communicate(timeout=90)  # Prefect would wait for 180 s
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    assert (process.returncode, "Traceback" in said) == (130, False)
    assert "ekyc: Stopped. Progress is saved" in said
    wait_until(lambda: not _is_server(server), what="the server is gone")
    assert len(desk.sandbox.charges) == (moment == "while it waits")


def _is_server(pid: int) -> bool:
    try:
        return b"uvicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_prefect_shows_readable_names_and_keeps_no_number_key_or_link(desk):
    desk.settings["EKYC_API_KEY"] = desk.sandbox.api_key
    desk.drop("numbers.txt", *NUMBERS)
    assert desk.ekyc("run").returncode == 0

    [batch] = desk.status()["batches"]
    names = wait_until(
        lambda: _task_run_names(desk.server, batch["batch_id"]), what="the task runs at the server"
    )
    stored = desk.server.stored_bytes()

    assert names == {f"{step} {batch['batch_id']}" for step in ("submit", "poll", "fetch", "load")}
    assert batch["batch_id"].encode() in stored
    for secret in (NUMBERS[17].lstrip("+"), desk.sandbox.api_key, "X-Amz-Signature"):
        assert secret.encode() not in stored


def _task_run_names(server, batch_id: str) -> set[str]:
    """Names of this batch's task runs, once all four have arrived."""
    found = server.ask("/task_runs/filter", {"limit": 200, "sort": "EXPECTED_START_TIME_DESC"})
    names = {run["name"] for run in found if batch_id in run["name"]}
    return names if len(names) == 4 else set()
