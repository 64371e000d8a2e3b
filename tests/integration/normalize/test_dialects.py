"""Golden files: what each header dialect becomes; ``GOLDEN=write`` writes them anew, to be read by eye."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from ekyc_tasks.normalize import Provenance
from ekyc_tasks.results.load_archive import load_archive
from ekyc_tasks.storage.paths import DataFolder

pytestmark = pytest.mark.integration

DIALECTS = sorted((Path(__file__).parents[2] / "fixtures" / "dialects").glob("*.csv"))
ALIKE = ("checked_at", "batch_id", "task_id")  # in every row of every dialect


@pytest.mark.parametrize("table", DIALECTS, ids=lambda path: path.stem)
def test_each_dialect_becomes_what_it_always_became(table, tmp_path):
    found = loaded(table, tmp_path)
    golden = table.with_suffix(".json")
    if os.environ.get("GOLDEN") == "write":
        golden.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    assert found == json.loads(golden.read_text())


def loaded(table, folder):
    report = load_archive(
        table,
        Provenance(datetime(2026, 1, 1, tzinfo=UTC), "batch-1", ""),
        numbers=None,
        task_type=table.stem.partition("-")[0],
        folder=DataFolder(folder, folder / "landing", folder / "warehouse"),
    )
    apart = (
        pl.read_parquet(report.quarantine_path).drop("batch_id") if report.quarantine_path else pl.DataFrame()
    )
    return {
        "dialect": report.dialect,
        "drift": list(report.drift),
        "rows": pl.read_parquet(report.dataset_path, hive_partitioning=False).drop(ALIKE).to_dicts(),
        "quarantine": apart.to_dicts(),
    }
