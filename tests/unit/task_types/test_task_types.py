"""The contracts, and that one more of them is one more file."""

from __future__ import annotations

import sys

import dataframely as dy
import polars as pl
import pytest

from ekyc_tasks import task_types
from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.task_types import task_type, task_type_names

TIMESTAMP = pl.Datetime("us", "UTC")
PROVENANCE = [
    ("extra", pl.String),
    ("checked_at", TIMESTAMP),
    ("batch_id", pl.String),
    ("task_id", pl.String),
]


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        (
            "tg_avatar",
            [
                ("number", pl.String),
                ("calling_code", pl.Int32),
                ("telegram", pl.Boolean),
                ("avatar", pl.String),
                ("age_min", pl.Int32),
                ("age_max", pl.Int32),
                ("gender", pl.String),
                ("category", pl.String),
                ("hair_color", pl.String),
                ("skin_color", pl.String),
                *PROVENANCE,
            ],
        ),
        ("tg", [("number", pl.String), ("calling_code", pl.Int32), ("telegram", pl.Boolean), *PROVENANCE]),
        (
            "tg_active",
            [("number", pl.String), ("calling_code", pl.Int32), ("telegram_days", pl.Int32), *PROVENANCE],
        ),
        ("ws", [("number", pl.String), ("calling_code", pl.Int32), ("whatsapp", pl.Boolean), *PROVENANCE]),
        (
            "ws_avatar",
            [
                ("number", pl.String),
                ("calling_code", pl.Int32),
                ("whatsapp", pl.Boolean),
                ("avatar", pl.String),
                ("age_min", pl.Int32),
                ("age_max", pl.Int32),
                ("gender", pl.String),
                ("category", pl.String),
                ("hair_color", pl.String),
                ("skin_color", pl.String),
                *PROVENANCE,
            ],
        ),
        (
            "active_check",
            [("number", pl.String), ("calling_code", pl.Int32), ("active_status", pl.String), *PROVENANCE],
        ),
    ],
)
def test_columns_are_those_of_the_published_table(name, columns):
    kind = task_type(name)
    assert list(kind.row_types.items()) == columns
    assert kind.columns == tuple(column for column, _ in columns)


@pytest.mark.parametrize("name", task_type_names())
def test_every_contract_is_whole(name):
    kind = task_type(name)
    read = [column for each in kind.fields for column in each.into]
    assert set(kind.columns) == {
        "number",
        "calling_code",
        *read,
        "extra",
        "checked_at",
        "batch_id",
        "task_id",
    }
    assert kind.required == ("number", kind.verdict.name)
    not_null = {column for column, spec in kind.schema.columns().items() if not spec.nullable}
    assert not_null == {"number", "checked_at", "batch_id", "task_id"}


def test_an_unknown_task_type_is_named_with_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"'fb'.*active_check, tg, tg_active, tg_avatar, ws"):
        task_type("fb")


def test_only_a_yes_or_no_can_be_told_by_a_list_s_name():
    yes_no = [name for name in task_type_names() if task_type(name).has_yes_no_verdict]
    assert yes_no == ["tg", "tg_avatar", "ws", "ws_avatar"]


ONE_MORE = """
import dataframely as dy

from ekyc_tasks.task_types import base


class Fb(dy.Schema):
    number = base.number_column()
    calling_code = base.calling_code_column()
    facebook = dy.Bool(nullable=True)
    extra = base.extra_column()
    checked_at = base.checked_at_column()
    batch_id = base.provenance_column()
    task_id = base.provenance_column()


TASK_TYPE = base.TaskType(
    name="fb", schema=Fb, verdict_column="facebook", fields=(base.verdict_field("facebook"),)
)
"""


@pytest.fixture
def one_more_file(tmp_path, monkeypatch):
    (tmp_path / "fb.py").write_text(ONE_MORE)
    monkeypatch.setattr(task_types, "__path__", [*task_types.__path__, str(tmp_path)])
    task_types._all.cache_clear()
    yield
    task_types._all.cache_clear()
    sys.modules.pop("ekyc_tasks.task_types.fb", None)


@pytest.mark.usefixtures("one_more_file")
def test_one_more_task_type_is_one_more_file():
    assert task_type_names() == ("active_check", "fb", "tg", "tg_active", "tg_avatar", "ws", "ws_avatar")
    assert issubclass(task_type("fb").schema, dy.Schema)
