"""`ekyc demo`: the real flow against the sandbox, on the committed samples."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console

from ekyc_tasks.cli.run import Ending, run_here, show_ending
from ekyc_tasks.cli.terminal import ProgressLine
from ekyc_tasks.errors import ConfigurationError, ExitCode
from ekyc_tasks.flows.parameters import EVERYTHING
from ekyc_tasks.installation.setup import make
from ekyc_tasks.models import Account
from ekyc_tasks.sandbox import Sandbox, SandboxOptions
from ekyc_tasks.settings import PREFIX, data_root, dotenv_of_home, load_settings
from ekyc_tasks.support.atomic_files import private_dir, try_lock
from ekyc_tasks.support.wording import count

_FIRST_ROWS = 5
_PACE = {"SETTLE": "0", "POLL_MIN": "0.5s", "POLL_MAX": "2s", "PRICE_PER_10K": "4.50"}
_SETTINGS = _PACE | {"BATCH_SIZE": "1500"}
_KEPT = {"TASK_TYPE", "BATCH_SIZE", "MIN_BATCH", "DEFAULT_REGION", "NUMBER_COLUMN"}


@dataclass(frozen=True, slots=True)
class Demonstration:
    """How the demo went, the sandbox's own account of it, and where the rows are."""

    ending: Ending
    bill: str
    dataset: Path


def run_demo(progress: ProgressLine, *, debug: bool) -> Demonstration:
    root = data_root()
    with stage(root) as sandbox:
        _use_own_prefect(root / ".demo" / "prefect")
        ending = run_here(EVERYTHING, progress, debug=debug)
        return Demonstration(ending, _bill(sandbox), root / "demo" / "warehouse" / "tg_avatar")


def run_in_sandbox(request: Any, progress: ProgressLine, *, debug: bool) -> Demonstration:
    """One run against the sandbox in `DATA_DIR/sandbox`, of whose landing folder where no file is named.

    The sandbox forgets its tasks when it ends, so the ledger is created again each time.
    """
    root = data_root()
    own = root / "sandbox"
    with _alone(root):
        _clear(own, kept="landing")
        kept = _settings_as_set()
        with Sandbox(SandboxOptions(processing_seconds=4.0)) as sandbox:
            _point_settings_at(sandbox, own, kept)
            make(load_settings().site, account=Account.NEW)
            _use_own_prefect(root / ".demo" / "prefect")
            ending = run_here(request, progress, debug=debug)
            return Demonstration(ending, _bill(sandbox), own / "warehouse" / load_settings().task_type)


@contextmanager
def stage(root: Path) -> Iterator[Sandbox]:
    """A fresh folder with the samples in it and a sandbox; the settings of this process point at both."""
    with _alone(root):
        folder = root / "demo"
        _begin_afresh(folder)
        with Sandbox(SandboxOptions(processing_seconds=4.0)) as sandbox:
            _point_settings_at(sandbox, folder, _SETTINGS)
            make(load_settings().site, account=Account.NEW)
            yield sandbox


def show_demo(demonstration: Demonstration, out: Console, err: Console) -> None:
    show_ending(demonstration.ending, out, err)
    out.print(demonstration.bill, highlight=False)
    if demonstration.ending.exit_code is ExitCode.DONE and demonstration.dataset.exists():
        _show_dataset(demonstration.dataset, out)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    lock = try_lock(private_dir(root / ".demo") / "lock")
    if lock is None:
        raise ConfigurationError(f"Another demo is running in {root}. Wait for it, or set EKYC_DATA_DIR.")
    with lock:
        yield


def _begin_afresh(folder: Path) -> None:
    _clear(folder)
    for sample in sorted(_samples().iterdir()):
        shutil.copyfile(sample, folder / "landing" / sample.name)


def _clear(folder: Path, *, kept: str = "") -> None:
    """Remove what the last one left, and nothing that is not one's; with an empty landing folder."""
    mark = folder / ".ekyc-demo"
    if folder.exists() and any(path.name != kept for path in folder.iterdir()) and not mark.exists():
        raise ConfigurationError(f"{folder} has files that no demo made. Move it, or set EKYC_DATA_DIR.")
    for path in folder.iterdir() if folder.exists() else ():
        if path.is_dir() and not path.is_symlink():
            if path.name != kept:
                shutil.rmtree(path, ignore_errors=True)
        elif path != mark:
            path.unlink()
    private_dir(folder / "landing")
    mark.touch(mode=0o600)


def _samples() -> Path:
    """In the wheel they are inside the package, in a checkout in `data/samples`."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "samples"
    return installed if installed.is_dir() else package.parent / "data" / "samples"


def _settings_as_set() -> dict[str, str]:
    """How numbers are read and packed stays as set; where things are, whose key, and what money, does not."""
    settings = {**dotenv_of_home(), **os.environ}
    real = {name.removeprefix(PREFIX): value for name, value in settings.items() if name.startswith(PREFIX)}
    return {name: value for name, value in real.items() if name in _KEPT} | _PACE


def _point_settings_at(sandbox: Sandbox, folder: Path, values: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        del os.environ[name]
    own = {
        "HOME": str(folder),
        "DATA_DIR": str(folder),
        "BASE_URL": sandbox.base_url,
        "API_KEY": sandbox.api_key,
    }
    os.environ.update({PREFIX + name: value for name, value in ({**values} | own).items()})


def _use_own_prefect(home: Path) -> None:
    """A demo leaves no trace on a server that is in use, and none in the user's own Prefect."""
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        del os.environ[name]
    os.environ["PREFECT_HOME"] = str(private_dir(home))


def _bill(sandbox: Sandbox) -> str:
    """The other side's own record, to hold against our table."""
    numbers = [number for task in sandbox.tasks for number in task.numbers]
    answered = sum(not sandbox.answers(number).is_missing for number in numbers)
    charged = sum(charge.numbers for charge in sandbox.charges)
    total, tasks = count(charged, "number"), count(len(sandbox.charges), "task")
    return f"The sandbox charged {total} in {tasks} and answered {answered:,} of them.\n"


def _show_dataset(dataset: Path, out: Console) -> None:
    files = f"{dataset}/**/*.parquet"
    rows = pl.scan_parquet(files, hive_partitioning=True)
    count = rows.select(pl.len()).collect().item()
    out.print(f"Dataset: {dataset} · {count:,} rows\n", markup=False, highlight=False)
    with pl.Config(tbl_hide_dataframe_shape=True, tbl_cols=8, fmt_str_lengths=32):
        shown = rows.head(_FIRST_ROWS).select(
            "number", "calling_code", "telegram", "age_min", "gender", "category"
        )
        out.print(str(shown.collect()), markup=False, highlight=False)
    out.print("\nPaste into Python (Polars):", style="bold")
    out.print(
        f'import polars as pl\npl.scan_parquet("{files}", hive_partitioning=True)'
        '.group_by("telegram").len().collect()',
        markup=False,
        highlight=False,
    )
    out.print("\nPaste into DuckDB:", style="bold")
    out.print(f"FROM read_parquet('{files}') SELECT telegram, count(*) GROUP BY telegram;", markup=False)
