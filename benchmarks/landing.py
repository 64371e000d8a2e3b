"""Landed file → batch files: this project's planning beside a tuned DuckDB script.

    python -m benchmarks.landing                     # 20 million lines, three rounds
    python -m benchmarks.landing --lines 50000000 --rounds 1
    python -m benchmarks.landing --known 100000000 --rounds 1
    python -m benchmarks.landing --small             # 2,000 lines, again and again in one process

Each measurement is a process of its own, one after the other, taking turns; time is that of the work after
imports, memory the peak of the process. Both read the same file with the same dirt, and have to find the
same numbers and to keep the same rejected lines, each with its line number and reason. Ours alone copies
the file, hashes it and each batch, writes a ledger, and syncs all of it to disk.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.cores import keep_to_two_cores
from benchmarks.memory import peak_mib

BATCH_SIZE = 1_000_000
KNOWN_BATCH = 1_000_000
CHUNK = 1_000_000
MIB = 1 << 20
# Calling code with the beginning of mobile numbers, and digits that follow.
COUNTRIES = (
    ("4179", 7), ("491512", 7), ("4478", 8), ("336", 8), ("1415", 7), ("5511", 9), ("9198", 8), ("628123", 7),
    ("234803", 7), ("79161", 6), ("905321", 6), ("2010", 8), ("6391", 8), ("8490", 7), ("5255", 8),
)  # fmt: skip
PEOPLE = 0.93  # of all lines are new numbers, the others repeats


# --- the file -----------------------------------------------------------------------------------------------


def write_landed(path: Path, lines: int, seed: int = 20261124) -> None:
    """E.164 for the most part; repeats, spaces, dashes, 00, lost plus signs, words, blanks."""
    import numpy as np

    random = np.random.default_rng(seed)
    with path.open("wb") as file:
        for start in range(0, lines, CHUNK):
            count = min(CHUNK, lines - start)
            file.write("\n".join(_dirty(_keys(random, count, lines), random)).encode() + b"\n")


def _keys(random: Any, count: int, lines: int) -> Any:
    """Each country has room for all people, so that repeats are those of the draw."""
    import numpy as np

    people = random.integers(0, int(lines * PEOPLE * 7), count)
    country = people % len(COUNTRIES)
    bases = np.array([int(prefix) * 10**digits for prefix, digits in COUNTRIES])
    rooms = np.array([10**digits for _, digits in COUNTRIES])
    return bases[country] + people // len(COUNTRIES) * 7919 % rooms[country]


def _dirty(keys: Any, random: Any) -> list[str]:
    texts = [f"+{key}" for key in keys.tolist()]
    some = random.permutation(len(texts))[: len(texts) // 25]
    for index, kind in zip(some.tolist(), random.integers(0, 8, len(some)).tolist(), strict=True):
        digits = texts[index].removeprefix("+")
        texts[index] = (
            f"+{digits[:2]} {digits[2:5]} {digits[5:]}",
            f"+{digits[:2]}-{digits[2:5]}-{digits[5:]}",
            f"00{digits}",
            f"+{digits[:4]} ({digits[4:7]}) {digits[7:]}",
            digits,
            "n/a",
            f"+{digits}{digits}",
            "",
        )[kind]
    return texts


def write_known(folder: Path, count: int, lines: int) -> None:
    """Batches that were answered: sorted keys as this project keeps them, and one Parquet file for DuckDB."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir()
    random = np.random.default_rng(7)
    writer = pq.ParquetWriter(folder / "known.parquet", pa.schema([("key", pa.int64())]), compression="zstd")
    with writer:
        for index in range(-(-count // KNOWN_BATCH)):
            keys = _keys(random, KNOWN_BATCH, max(lines, count))
            keys = np.unique(keys)
            keys.tofile(folder / f"{index:06}.i64")
            writer.write_table(pa.table({"key": keys}))


# --- the work -----------------------------------------------------------------------------------------------


def ours(landed: Path, known: Path | None, out: Path) -> dict[str, Any]:
    import polars as pl

    from ekyc_tasks.installation.context import StepContext
    from ekyc_tasks.intake.files import arrivals
    from ekyc_tasks.ledger import make_ledger
    from ekyc_tasks.planning.plan import Planner, PlanPolicy

    folder, ledger = _office(landed, known, out, make_ledger)
    policy = PlanPolicy(task_type="tg_avatar", batch_size=BATCH_SIZE)

    def work() -> dict[str, Any]:
        planner = Planner(StepContext("run", ledger, folder, _clock()), policy)
        [file] = planner.run(arrivals(folder.landing)).files
        return {"rejected": file.counts.rejected, "blank": file.counts.blank, "sha256": file.sha256}

    figures = _measured(work)
    rejected = pl.read_parquet(folder.rejects_file(figures.pop("sha256")), columns=["line"])
    return {**figures, "at": rejected["line"].sum()}


def _office(
    landed: Path, known: Path | None, out: Path, make_ledger: Callable[[str], Any]
) -> tuple[Any, Any]:
    """A data folder with the file in its landing folder, and the known batches in its ledger."""
    from datetime import timedelta

    from ekyc_tasks.models import BatchState
    from ekyc_tasks.storage.paths import DataFolder
    from ekyc_tasks.support.atomic_files import private_dir

    folder = DataFolder(out, out / "landing", out / "warehouse")
    private_dir(folder.landing)
    os.link(landed, folder.landing / landed.name)
    ledger = make_ledger(f"sqlite:///{out}/ledger.db")
    ledger.runs.opened("run", host="here", lease=timedelta(hours=1))
    if known is not None:
        private_dir(folder.keys)
        for keys in sorted(known.glob("*.i64")):
            _loaded(ledger, keys.stem, keys.stat().st_size // 8, BatchState.LOADED)
            os.link(keys, folder.keys_file(keys.stem))
    return folder, ledger


def _loaded(ledger: Any, batch_id: str, numbers: int, state: Any) -> None:
    from datetime import UTC, datetime

    from ekyc_tasks.ledger import NewBatch

    store = ledger.plans._store
    new = NewBatch(batch_id, numbers, "0" * 64)
    ledger.plans.planned(landed=[], new_batches=[new], links=[], task_type="tg_avatar", run_id="run")
    with store.writing() as connection:
        store.move(
            connection,
            batch_id,
            sources=["planned"],
            to=state,
            why="",
            run_id="run",
            submitted_at=datetime.now(UTC),
        )


def _clock() -> Any:
    from ekyc_tasks.support.clock import SystemClock

    return SystemClock()


def duckdb(landed: Path, known: Path | None, out: Path) -> dict[str, Any]:
    """One pass to keys, a hash set of them, an anti-join, and a file for every so many rows."""
    import duckdb as engine

    from ekyc_tasks.phone.validity import POSSIBLE, validity_table

    out.mkdir()
    (out / "batches").mkdir()
    connection = engine.connect()
    connection.execute("SET threads = 2")
    connection.execute(f"SET temp_directory = '{out}/spill'")
    verdicts = validity_table()
    places = (verdicts[len(verdicts) // 2 :] == POSSIBLE).nonzero()[0].tolist()
    connection.execute("CREATE TABLE possible AS SELECT unnest(?) AS place", [places])

    def work() -> dict[str, Any]:
        connection.execute(_READ.format(landed=landed))
        left = f"ANTI JOIN read_parquet('{known}/known.parquet') USING (key)" if known else ""
        connection.execute(
            f"CREATE TABLE fresh AS SELECT DISTINCT key FROM lines SEMI JOIN possible USING (place) {left}"
        )
        connection.execute(
            f"COPY (SELECT line, {_REASON} AS reason, text FROM lines "
            "ANTI JOIN possible USING (place) WHERE NOT is_blank) "
            f"TO '{out}/rejected.parquet' (COMPRESSION zstd)"
        )
        [(count,)] = connection.execute("SELECT count(*) FROM fresh").fetchall()
        for start in range(0, count, BATCH_SIZE):
            end = start + BATCH_SIZE
            connection.execute(
                f"COPY (SELECT '+' || key FROM fresh WHERE rowid >= {start} AND rowid < {end}) "
                f"TO '{out}/batches/{start // BATCH_SIZE:06}.txt' (FORMAT csv, HEADER false, QUOTE '')"
            )
        [(rejected, at)] = connection.execute(
            f"SELECT count(*), sum(line) FROM read_parquet('{out}/rejected.parquet')"
        ).fetchall()
        [(blank,)] = connection.execute("SELECT count(*) FROM lines WHERE is_blank").fetchall()
        return {"rejected": rejected, "at": int(at or 0), "blank": blank}

    return _measured(work)


_REASON = """CASE WHEN NOT regexp_matches(text, '[0-9]') THEN 'no digits'
WHEN length(regexp_replace(text, '[^0-9]', '', 'g')) > 15 THEN 'too long' ELSE 'not possible' END"""

# A text is kept only where it may be rejected; what is written plainly is cast without a look at it.
_READ = r"""
CREATE TABLE lines AS
WITH raw AS (
  SELECT row_number() OVER () AS line, text, TRY_CAST(text AS BIGINT) AS plain
  FROM read_csv('{landed}', columns = {{'text': 'VARCHAR'}}, header = false, auto_detect = false,
                delim = '\x1f', quote = '', escape = '', null_padding = true)
), keyed AS (
  SELECT line, text, CASE WHEN plain IS NOT NULL AND text NOT LIKE '0%' THEN plain
    ELSE TRY_CAST(regexp_replace(regexp_replace(text, '[ ()-]', '', 'g'), '^00', '') AS BIGINT) END AS key
  FROM raw
), sized AS (
  SELECT line, text, key, length(key::VARCHAR) AS digits FROM keyed
), placed AS (
  SELECT line, text, key, CASE WHEN digits BETWEEN 4 AND 15
    THEN (key // (10 ** (digits - 4))::BIGINT * 17 + digits)::INTEGER END AS place FROM sized
)
SELECT line, key, place, text IS NULL AS is_blank,
  CASE WHEN place IS NULL OR place NOT IN (SELECT place FROM possible) THEN text END AS text
FROM placed
"""


def _measured(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    counts = work()
    return {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "peak": peak_mib(),
        **counts,
    }


WORKERS = {"ours": ours, "duckdb": duckdb}


# --- the comparison -----------------------------------------------------------------------------------------


def measure(worker: str, landed: Path, known: Path | None, out: Path) -> dict[str, Any]:
    """One measurement in a fresh process, with what it found."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.landing",
        "--worker",
        worker,
        str(landed),
        str(known or ""),
        str(out),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {**json.loads(done.stdout), "found": fingerprint(out / "batches")}


def fingerprint(batches: Path) -> tuple[int, int, int]:
    """Of a set of numbers, whatever their order and files: how many, their sum, and that of their squares."""
    import numpy as np
    import polars as pl

    count = total = squares = 0
    for path in sorted(batches.glob("*.txt")):
        keys = (
            pl.read_csv(path, has_header=False, schema={"key": pl.Int64})["key"].to_numpy().astype(np.uint64)
        )
        count += len(keys)
        total += int(keys.sum())
        squares += int((keys * keys).sum())
    return count, total % 2**64, squares % 2**64


def compare(lines: int, known: int, rounds: int, only: str | None, console: Console) -> None:
    with TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        place = Path(name)
        landed = place / "landed.txt"
        write_landed(landed, lines)
        known_folder = place / "known" if known else None
        if known_folder is not None:
            write_known(known_folder, known, lines)
        figures: dict[str, list[dict[str, Any]]] = {
            worker: [] for worker in WORKERS if only in {None, worker}
        }
        for _ in range(rounds):
            for worker, found in figures.items():
                with TemporaryDirectory(dir=place) as out:
                    found.append(measure(worker, landed, known_folder, Path(out) / "data"))
        _show(figures, lines, known, landed.stat().st_size, console)


def _show(
    figures: dict[str, list[dict[str, Any]]], lines: int, known: int, size: int, console: Console
) -> None:
    title = f"{lines:,} lines ({size / MIB:,.0f} MiB), {known:,} known numbers; medians"
    table = Table(title=title, title_justify="left", box=None)
    for column in ("", "wall s", "CPU s", "peak MiB", "to send", "rejected", "blank"):
        table.add_column(column, justify="right")
    for worker, found in figures.items():
        middle = {name: statistics.median(each[name] for each in found) for name in ("wall", "cpu", "peak")}
        counts = (found[0]["found"][0], found[0]["rejected"], found[0]["blank"])
        table.add_row(
            worker,
            f"{middle['wall']:.2f}",
            f"{middle['cpu']:.2f}",
            f"{middle['peak']:,.0f}",
            *(f"{count:,}" for count in counts),
        )
    console.print(table)
    agreed = {
        (each["found"], each["rejected"], each["at"], each["blank"])
        for found in figures.values()
        for each in found
    }
    console.print("the same numbers found" if len(agreed) == 1 else f"they differ: {agreed}")
    if len(figures) > 1:
        ratios = {
            name: statistics.median(
                theirs[name] / mine[name]
                for mine, theirs in zip(figures["ours"], figures["duckdb"], strict=True)
            )
            for name in ("wall", "cpu")
        }
        console.print(f"{ratios['wall']:.2f} times less wall time, {ratios['cpu']:.2f} times less CPU")


def small(console: Console) -> None:
    """A file of 2,000 lines: planned over and over by one process, as a schedule does."""
    (first, _), *others = _small_times()
    wall, cpu = (statistics.median(times) * 1000 for times in zip(*others, strict=True))
    console.print(
        f"2,000 lines: {wall:.0f} ms, {cpu:.0f} ms of CPU (medians of {len(others)}); "
        f"the first, which reads the metadata of all countries: {first * 1000:.0f} ms"
    )


def _small_times() -> Iterator[tuple[float, float]]:
    from ekyc_tasks.installation.context import StepContext
    from ekyc_tasks.intake.files import arrivals
    from ekyc_tasks.ledger import make_ledger
    from ekyc_tasks.planning.plan import Planner, PlanPolicy

    policy = PlanPolicy(task_type="tg_avatar", batch_size=10_000)
    with TemporaryDirectory() as name:
        landed = Path(name) / "landed-0.txt"
        write_landed(landed, 2_000)
        folder, ledger = _office(landed, None, Path(name) / "data", make_ledger)
        for index in range(21):
            wall, cpu = time.perf_counter(), time.process_time()
            planner = Planner(StepContext("run", ledger, folder, _clock()), policy)
            planner.run(arrivals(folder.landing))
            yield time.perf_counter() - wall, time.process_time() - cpu
            write_landed(folder.landing / f"landed-{index + 1}.txt", 2_000, seed=index)
        ledger.close()


def main() -> None:
    keep_to_two_cores()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--lines", type=int, default=20_000_000)
    parser.add_argument("--known", type=int, default=0, help="numbers that were answered before")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=WORKERS)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    console = Console(width=120)
    if options.worker:
        worker, landed, known, out = options.worker
        figures = WORKERS[worker](Path(landed), Path(known) if known else None, Path(out))
        sys.stdout.write(json.dumps(figures))
    elif options.small:
        small(console)
    else:
        compare(options.lines, options.known, options.rounds, options.only, console)


if __name__ == "__main__":
    main()
