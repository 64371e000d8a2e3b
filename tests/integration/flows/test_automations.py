"""What the pages give to paste: triggers that Prefect takes, and queries that give what they say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import duckdb
import polars as pl
import pytest
from prefect.events.schemas.automations import EventTrigger
from support.doc_pages import blocks

from ekyc_tasks.flows.automations import zombies

pytestmark = pytest.mark.integration

PAGES = ("docs/how-to/notifications.md", "docs/how-to/run-for-real.md")
TRIGGERS = [json.loads(block.text) for block in blocks(*PAGES) if block.language == "json"]


def test_prefect_takes_the_triggers_and_the_one_for_killed_runs_is_ours():
    failed, held, killed = [EventTrigger(**trigger) for trigger in TRIGGERS]

    assert failed.match["prefect.state-type"] == ["FAILED", "CRASHED"]
    assert held.expect == {"ekyc.batch.held"}
    ours = zombies().trigger
    same = {"posture", "after", "expect", "for_each", "threshold", "within", "match", "match_related"}
    assert killed.model_dump(mode="json", include=same) == ours.model_dump(mode="json", include=same)


def test_the_view_of_the_latest_row_has_each_number_once(tmp_path):
    first = datetime(2026, 11, 1, tzinfo=UTC)
    for index, numbers in enumerate([["+41791", "+41792"], ["+41792", "+41793"]]):
        day = tmp_path / f"data/warehouse/tg_avatar/checked_date=2026-11-0{index + 1}"
        day.mkdir(parents=True)
        rows = {
            "number": numbers,
            "checked_at": [first + timedelta(days=index)] * 2,
            "batch_id": [f"b{index}"] * 2,
        }
        pl.DataFrame(rows).write_parquet(day / f"b{index}.parquet")
    queries = [block.text for block in blocks("docs/how-to/load-into-a-warehouse.md", marks=["run"])]
    [views] = [query for query in queries if query.startswith("CREATE VIEW checks")]

    with duckdb.connect() as database:
        database.execute(views.replace("data/warehouse", f"{tmp_path}/data/warehouse"))
        latest = database.execute("SELECT number, batch_id FROM latest ORDER BY number").fetchall()

    assert latest == [("+41791", "b0"), ("+41792", "b1"), ("+41793", "b1")]
