"""The dataset as its readers see it: polars, DuckDB, pyarrow, with the options that the README gives."""

from __future__ import annotations

import stat
from datetime import UTC, date, datetime, timedelta, timezone

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.archive_files import DOCUMENTED, NUMBERS, write_zip

from ekyc_tasks.normalize import Provenance
from ekyc_tasks.results.load_archive import load_archive
from ekyc_tasks.storage import dataset
from ekyc_tasks.storage.paths import DataFolder

pytestmark = pytest.mark.integration

CHECKED_AT = datetime(2026, 1, 2, 23, 59, 59, 123_456, tzinfo=UTC)
COLUMNS = {
    "number": pa.string(),
    "calling_code": pa.int32(),
    "telegram": pa.bool_(),
    "avatar": pa.string(),
    "age_min": pa.int32(),
    "age_max": pa.int32(),
    "gender": pa.string(),
    "category": pa.string(),
    "hair_color": pa.string(),
    "skin_color": pa.string(),
    "extra": pa.string(),
    "checked_at": pa.timestamp("us", tz="UTC"),
    "batch_id": pa.string(),
    "task_id": pa.string(),
}


@pytest.fixture
def load(tmp_path):
    def load(text=DOCUMENTED, batch_id="batch-1", checked_at=CHECKED_AT, numbers=NUMBERS):
        (tmp_path / "sent.txt").write_text("".join(f"{number}\n" for number in numbers))
        return load_archive(
            write_zip(tmp_path / "a.zip", {"t/all.csv": text}),
            Provenance(checked_at, batch_id, "d4g24nep2jvh04o9uoh0"),
            numbers=tmp_path / "sent.txt",
            task_type="tg_avatar",
            folder=DataFolder(tmp_path, tmp_path / "landing", tmp_path / "warehouse"),
        )

    return load


@pytest.fixture
def everything(tmp_path):
    return str(tmp_path / "warehouse" / "**" / "*.parquet")


def test_polars_reads_it(load, everything):
    load()
    frame = pl.scan_parquet(everything, hive_partitioning=True).collect()
    assert frame.drop("checked_date").to_dicts()[0] == {
        "number": "+41798284651",
        "calling_code": 41,
        "telegram": True,
        "avatar": "https://example.com/a.jpg",
        "age_min": 25,
        "age_max": 25,
        "gender": "male",
        "category": "individual portrait",
        "hair_color": "black",
        "skin_color": "white",
        "extra": None,
        "checked_at": CHECKED_AT,
        "batch_id": "batch-1",
        "task_id": "d4g24nep2jvh04o9uoh0",
    }
    assert frame["checked_date"].unique().to_list() == [date(2026, 1, 2)]
    assert frame.schema["checked_at"] == pl.Datetime("us", "UTC")


def test_duckdb_reads_it(load, everything):
    load()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.sql(f"FROM read_parquet('{everything}') ORDER BY number")
        types = dict(zip(rows.columns, map(str, rows.types), strict=True))
        found = rows.select("number, telegram, age_max, epoch_us(checked_at), checked_date").fetchall()
    assert types == {
        **dict.fromkeys(COLUMNS, "VARCHAR"),
        **dict.fromkeys(("calling_code", "age_min", "age_max"), "INTEGER"),
        "telegram": "BOOLEAN",
        "checked_at": "TIMESTAMP WITH TIME ZONE",
        "checked_date": "DATE",
    }
    instant = int(CHECKED_AT.timestamp() * 1_000_000)
    assert found == [
        ("+41798284651", True, 25, instant, date(2026, 1, 2)),
        ("+41798284652", False, None, instant, date(2026, 1, 2)),
        ("+41798284653", True, 35, instant, date(2026, 1, 2)),
    ]


def test_the_file_itself_has_the_published_types(load):
    file = pq.ParquetFile(load().dataset_path)
    assert dict(zip(file.schema_arrow.names, file.schema_arrow.types, strict=True)) == COLUMNS
    logical = file.schema.column(file.schema.names.index("checked_at")).logical_type
    assert '"isAdjustedToUTC":true,"timeUnit":"microseconds"' in logical.to_json()
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"


def test_a_batch_without_rows_disturbs_no_reader(load, everything):
    load(batch_id="empty", text=DOCUMENTED.splitlines()[0] + "\n")
    assert pl.scan_parquet(everything, hive_partitioning=True).collect().height == 0
    load()
    assert pl.scan_parquet(everything, hive_partitioning=True).collect().height == 3
    with duckdb.connect() as connection:
        rows = connection.sql(f"FROM read_parquet('{everything}')")
        counted = rows.aggregate("count(*), count(age_min)").fetchall()
    assert counted == [(3, 2)]


def test_batches_of_a_day_lie_beside_each_other(load, everything):
    load()
    load(
        batch_id="batch-2",
        text=DOCUMENTED.replace("+4179", "+4178"),
        numbers=[n.replace("79", "78", 1) for n in NUMBERS],
    )
    load(batch_id="batch-3", checked_at=datetime(2026, 1, 3, tzinfo=UTC))
    counts = pl.scan_parquet(everything, hive_partitioning=True).group_by("checked_date", "batch_id").len()
    assert sorted(counts.collect().rows()) == [
        (date(2026, 1, 2), "batch-1", 3),
        (date(2026, 1, 2), "batch-2", 3),
        (date(2026, 1, 3), "batch-3", 3),
    ]


def test_the_date_is_that_of_utc(load):
    late = datetime(2026, 1, 3, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    assert load(checked_at=late).dataset_path.parent.name == "checked_date=2026-01-02"


def test_the_quarantine_has_its_published_types(load):
    path = load(DOCUMENTED + "+41798284651,,,,,,,\n").quarantine_path
    file = pq.ParquetFile(path)
    assert dict(zip(file.schema_arrow.names, file.schema_arrow.types, strict=True)) == {
        "batch_id": pa.string(),
        "line": pa.int64(),
        "kind": pa.string(),
        "reason": pa.string(),
        "column": pa.string(),
        "raw": pa.string(),
    }


def test_what_is_created_is_private_and_what_exists_is_left_alone(load, tmp_path):
    (tmp_path / "warehouse").mkdir(mode=0o755)
    report = load(DOCUMENTED + "x,,,,,,,\n")
    modes = {
        path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in tmp_path.rglob("*")
    }
    assert modes["warehouse"] == 0o755
    assert modes["warehouse/tg_avatar"] == modes["quarantine"] == modes[".staging"] == 0o700
    assert modes[report.dataset_path.parent.relative_to(tmp_path).as_posix()] == 0o700
    assert modes[report.dataset_path.relative_to(tmp_path).as_posix()] == 0o600
    assert modes[report.quarantine_path.relative_to(tmp_path).as_posix()] == 0o600


# --- the writer -----------------------------------------------------------------------------------------


SCHEMA = pl.Schema({"n": pl.Int64, "text": pl.String})


def write(path, sizes):
    start = 0
    with dataset.ParquetFile(path, SCHEMA, few_values=("text",)) as file:
        for size in sizes:
            numbers = pl.Series("n", range(start, start + size), dtype=pl.Int64)
            file.add(pl.DataFrame({"n": numbers}).with_columns(text=pl.lit("x")))
            start += size
    assert file.rows == start
    return path.read_bytes()


def test_bytes_do_not_depend_on_how_rows_arrive(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "ROW_GROUP_ROWS", 100)
    once = write(tmp_path / "a", [250])
    assert write(tmp_path / "b", [1, 0, 98, 1, 1, 149]) == once
    metadata = pq.read_metadata(tmp_path / "b")
    assert [metadata.row_group(at).num_rows for at in range(metadata.num_row_groups)] == [100, 100, 50]
    assert pq.read_table(tmp_path / "b")["n"].to_pylist() == list(range(250))


def test_bytes_do_not_depend_on_whether_texts_were_copied(tmp_path):
    rows = pl.DataFrame({"text": [f"{row:0>20}" for row in range(dataset._MANY_ROWS)]})
    for name, pieces in {"views": [rows], "copies": rows.iter_slices(1_000)}.items():
        with dataset.ParquetFile(tmp_path / name, rows.schema, ()) as file:
            for piece in pieces:
                file.add(piece)
    assert (tmp_path / "views").read_bytes() == (tmp_path / "copies").read_bytes()


def test_a_few_rows_do_not_keep_the_texts_of_their_block_in_memory(tmp_path):
    block = pl.DataFrame({"text": [f"{row:0>100}" for row in range(50_000)]})
    with dataset.ParquetFile(tmp_path / "a.parquet", block.schema, ()) as file:
        file.add(block.gather_every(10_000))
        [waiting] = file._waiting
        assert waiting.get_total_buffer_size() < 10_000


def test_withdraw_removes_what_is_there_and_nothing_else(tmp_path):
    final = tmp_path / "tg_avatar" / "batch-1.parquet"
    dataset.withdraw(final)
    final.parent.mkdir()
    final.write_bytes(b"x")
    dataset.withdraw(final)
    assert list(final.parent.iterdir()) == []
