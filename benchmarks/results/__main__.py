"""``python -m benchmarks.results --rows 5_000_000 --against duckdb,pandas``, or ``--small``

Every candidate loads the same archive in a fresh process on the same two cores, one after the other, again
and again; imports are not counted. Outputs are compared, row by row, before anything is printed. ``--small``
loads the everyday batch of 2,000 rows over and over in one process.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import duckdb
from rich.console import Console
from rich.table import Table

from benchmarks.cores import keep_to_two_cores
from benchmarks.results.candidate import Job, Measured, timed
from benchmarks.results.data import Sample, sample

out = Console(width=110)
OURS = "ekyc"
SMALL = 2_000


def main() -> None:
    keep_to_two_cores()
    options = _options()
    if options.small:
        _small(options.folder)
        return
    with TemporaryDirectory(dir=options.folder) as work:
        candidates = [OURS, *filter(None, options.against.split(","))]
        runs: dict[str, list[Measured]] = {name: [] for name in candidates}
        made = sample(options.folder / "samples", options.rows)
        seen = set()
        for _ in range(options.repeat):
            for name in candidates:
                job = Job(made.archive, made.numbers, Path(work) / name)
                runs[name].append(_run(name, job))
                seen.add((runs[name][-1].missing, *_contents(job)))
        if len(seen) > 1:
            sys.exit(f"The outputs differ: {sorted(map(str, seen))}")
    _show(runs, options.rows, made)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.results", description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--against", default="duckdb,pandas", help="duckdb, pandas, both, or nothing")
    parser.add_argument("--small", action="store_true", help="2,000 rows, this project alone")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(gettempdir()), help="for samples and outputs")
    return parser.parse_args()


def _small(folder: Path) -> None:
    from benchmarks.results.with_ekyc import load

    made = sample(folder / "samples", SMALL)
    with TemporaryDirectory(dir=folder) as work:
        job = Job(made.archive, made.numbers, Path(work))
        taken = [timed(load, job) for _ in range(21)]
    first, *others = (each.wall * 1000 for each in taken)
    out.print(
        f"{SMALL:,} rows: {statistics.median(others):.0f} ms (median of {len(others)}); "
        f"the first, which compiles the contract: {first:.0f} ms",
        highlight=False,
    )


def _run(name: str, job: Job) -> Measured:
    job.folder.mkdir(exist_ok=True)
    command = [
        sys.executable,
        "-m",
        f"benchmarks.results.with_{name}",
        *map(str, (job.archive, job.numbers, job.folder)),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    measured = Measured(**json.loads(done.stdout))
    out.print(
        f"{name}: {measured.wall:.2f} s, {measured.cpu:.2f} s CPU, {measured.peak:,.0f} MiB", highlight=False
    )
    return measured


def _contents(job: Job) -> tuple[object, ...]:
    """How many rows there are, and a sum over all their cells that does not depend on their order."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        (rows,) = connection.sql(
            "SELECT count(*), sum(hash(number, calling_code::INTEGER, telegram, avatar, age_min::INTEGER, "
            "age_max::INTEGER, gender, category, hair_color, skin_color, extra, epoch_us(checked_at), "
            f"batch_id, task_id)::HUGEINT) FROM read_parquet('{job.rows}', hive_partitioning = false)"
        ).fetchall()
        (apart,) = connection.sql(
            "SELECT count(*), "
            'sum(hash(batch_id, line::BIGINT, kind, reason, "column"::VARCHAR, raw)::HUGEINT) '
            f"FROM read_parquet('{job.quarantine}')"
        ).fetchall()
    return (*rows, *apart)


def _show(runs: dict[str, Sequence[Measured]] | dict[str, list[Measured]], rows: int, made: Sample) -> None:
    ours = runs[OURS]
    table = Table(
        title=f"{rows:,} rows, archive of {made.archive.stat().st_size >> 20} MiB; median of {len(ours)}"
    )
    for column in ("", "wall s", "CPU s", "peak MiB", "wall ×", "CPU ×", "memory ×"):
        table.add_column(column, justify="left" if not column else "right")
    for name, taken in runs.items():
        wall, cpu, peak = (_median(taken, what) for what in ("wall", "cpu", "peak"))
        table.add_row(
            name,
            f"{wall:.2f}",
            f"{cpu:.2f}",
            f"{peak:,.0f}",
            f"{wall / _median(ours, 'wall'):.2f}",
            f"{cpu / _median(ours, 'cpu'):.2f}",
            f"{peak / _median(ours, 'peak'):.2f}",
        )
    out.print(table)
    out.print(
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {platform.platform()}; "
        "outputs agree."
    )


def _median(runs: Sequence[Measured], what: str) -> float:
    return statistics.median(getattr(run, what) for run in runs)


if __name__ == "__main__":
    main()
