"""Rows of the dataset keep the contract, however they were read."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta, timezone
from io import StringIO

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import at_most, share_of
from support.provider_rows import DOCUMENTED, PROFILE, STAMP, TG_AVATAR, frame_of, normalized, one

from ekyc_tasks.normalize import Normalizer, Provenance, layout_of, row_keys, values
from ekyc_tasks.task_types import task_type, task_type_names


def plain(rows):
    """As readers of the dataset see it."""
    return rows.cast({pl.Categorical: pl.String})


def test_what_the_contract_does_not_know_is_kept_as_json():
    row = (
        "41798284651",
        "true",
        "77",
        'An"na, B.',
        "Änna",
        "",
        " ",
        "7",
        "N/A",
        "https://e.com/a",
        "Male",
        "25",
        "",
    )
    found = normalized(PROFILE, row, ("41798284652", "false", *[""] * 11))
    assert json.loads(found.rows["extra"][0]) == {
        "uid": "77", "username": 'An"na, B.', "first_name": "Änna", "active_days": "7", "is_member": "N/A",
    }  # fmt: skip
    assert found.rows["extra"][1] is None


def test_rows_carry_their_calling_code_and_where_they_come_from():
    row, _ = one("age", "25")
    assert (row["calling_code"], row["batch_id"], row["task_id"]) == (41, "batch-1", "d4g24nep2jvh04o9uoh0")
    assert row["checked_at"] == STAMP.checked_at


def test_checked_at_is_made_utc():
    stamp = Provenance(datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2))), "b", "t")
    found = normalized(
        ("number", "telegram"), ("+41798284651", "yes"), normalizer=Normalizer(TG_AVATAR, stamp)
    )
    assert found.rows["checked_at"].to_list() == [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)]


def test_no_rows_give_no_rows_of_the_same_types():
    found = normalized(DOCUMENTED)
    assert (found.rows.height, plain(found.rows).schema) == (0, TG_AVATAR.row_types)


CELLS = st.sampled_from(
    ["", " ", "yes", "No", "ban", "25", "30-35", "35-30", "121", "Male", "x", "pet_avatar", "N/A",
     "https://example.com/a", "HTTP://e", "javascript:x", "Ünïcode", "null", "-", "1.0", "_", "Unknown_"]
)  # fmt: skip


@settings(max_examples=at_most(100), deadline=None)
@given(rows=st.lists(st.tuples(*[CELLS] * 7), max_size=20), cut=st.integers(0, 20))
def test_every_row_keeps_the_contract_however_it_was_read(rows, cut):
    rows = [(f"+4179828465{at}", *cells) for at, cells in enumerate(rows)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(values, "MANY_ROWS", 0)
        coded = normalized(DOCUMENTED, *rows)
    TG_AVATAR.schema.validate(plain(coded.rows))
    layout, lines = layout_of(DOCUMENTED, TG_AVATAR), np.arange(2, 2 + len(rows))
    frame, normalizer = frame_of(DOCUMENTED, *rows), Normalizer(TG_AVATAR, STAMP)
    parts = [
        normalizer.read(frame[part], lines[part], row_keys(frame[part], layout), layout)
        for part in (slice(0, cut), slice(cut, None))
    ]
    assert plain(pl.concat([part.rows for part in parts])).equals(plain(coded.rows))
    found = pl.concat([part.issues for part in parts]).sort("line", "column")
    assert found.equals(coded.issues.sort("line", "column"))


def written_back(kind, rows):
    """Typed rows as the provider would write them in a CSV."""
    file = StringIO(newline="")
    writer = csv.writer(file)
    for row in rows.iter_rows(named=True):
        cells = [[row[column] for column in each.into] for each in kind.fields]
        texts = ["" if None in values else "-".join(map(as_text, values)) for values in cells]
        writer.writerow([row["number"], *texts, json.loads(row["extra"] or '{"uid": ""}')["uid"]])
    return file.getvalue()


def as_text(value):
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("name", task_type_names())
@settings(max_examples=share_of(50), deadline=None)
@given(data=st.data())
def test_normalizing_twice_changes_nothing(name, data):
    kind = task_type(name)
    head = ("Number", *(each.name for each in kind.fields), "uid")
    cells = [st.integers(10**5, 10**15 - 1).map(str), *[CELLS | st.text(max_size=5)] * (len(head) - 1)]
    once = plain(normalized(head, *data.draw(st.lists(st.tuples(*cells), max_size=10)), kind=kind).rows)
    again = csv.reader(StringIO(written_back(kind, once), newline=""))
    twice = normalized(head, *map(tuple, again), kind=kind)
    assert plain(twice.rows).equals(once)
    assert twice.issues.is_empty()
