"""The form for one run: right by default, bounded, and no place for a secret or a phone number."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import jsonschema
import pytest
from pydantic import ValidationError

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.flows.parameters import AS_SET, EVERYTHING, CheckRequest, check_request
from ekyc_tasks.intake.rules import NO_RULES, ReadingRules
from ekyc_tasks.task_types import task_type_names

SCHEMA = CheckRequest.model_json_schema()
RIGHT = [
    {},
    {
        "files": [
            "*.csv",
            "crm/november.TXT",
            "a b.parquet",
            "20251121155808.csv.gz",
            "2025-11-21.xlsx",
            "a.ZIP",
            "b.txt.zst",
        ]
    },
    {"files": ["/folder-123456789/numbers.txt"]},
    {"task_type": "tg", "limit": 100, "budget": 1.5, "max_wait": "4m"},
    {"dry_run": True, "recheck": True, "accept_rejected": True, "approve": 20_000_000},
    {"files": ["*.csv"], "columns": ["Phone 1 - Value", "Телефон"], "region": "CH", "sheet": "Kunden 2026"},
    {"files": ["a.csv"], "columns": ["*"]},
]
WRONG = [
    {"files": ["+41798284000.txt"]},
    {"files": ["41798284000.csv"]},
    {"files": ["41798284000"]},
    {"files": ["numbers"]},
    {"files": ["sk-live-0123456789abcdef"]},
    {"task_type": "tarot"},
    {"limit": -1},
    {"limit": 41798284000},
    {"approve": -1},
    {"approve": 798284000},
    {"budget": -0.01},
    {"budget": 41798284000},
    {"max_wait": "soon"},
    {"max_wait": "41798284000"},
    {"api_key": "x"},
    {"files": ["a.csv"], "columns": ["+41 79 828 40 00"]},
    {"files": ["a.csv"], "columns": ["41798284000"]},
    {"files": ["a.csv"], "columns": [""]},
    {"files": ["a.csv"], "region": "41798284000"},
    {"files": ["a.csv"], "region": "C"},
    {"files": ["a.csv"], "sheet": "41798284000"},
]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EKYC_HOME", str(tmp_path))


def test_every_field_has_a_title_a_description_and_a_default():
    for name, field in CheckRequest.model_fields.items():
        assert field.title, name
        assert field.description, name
        assert not field.is_required(), name
    assert SCHEMA["properties"]["task_type"]["enum"] == [AS_SET, *task_type_names()]


@pytest.mark.parametrize("chosen", RIGHT)
def test_what_is_right_is_taken_by_the_form_and_by_the_flow(chosen):
    jsonschema.validate(chosen, SCHEMA)
    assert CheckRequest(**chosen).model_dump(include=set(chosen)) == chosen


@pytest.mark.parametrize("chosen", WRONG)
def test_what_is_wrong_is_refused_by_the_form_and_by_the_flow(chosen):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(chosen, SCHEMA)
    with pytest.raises((ValidationError, ConfigurationError)) as refusal:
        CheckRequest(**chosen)
    assert "41798284000" not in str(refusal.value)


def test_by_default_the_settings_decide(monkeypatch):
    monkeypatch.setenv("EKYC_TASK_TYPE", "tg")
    monkeypatch.setenv("EKYC_MAX_WAIT", "7m")
    monkeypatch.setenv("EKYC_PRICE_PER_10K", "4.5")
    monkeypatch.setenv("EKYC_BUDGET_RUN", "3")

    assert _chosen(EVERYTHING) == ("tg", timedelta(minutes=7), Decimal(3))
    chosen = CheckRequest(task_type="tg_avatar", max_wait="30s", budget=0.5)
    assert _chosen(chosen) == ("tg_avatar", timedelta(seconds=30), Decimal("0.5"))


def _chosen(request: CheckRequest) -> tuple[str, timedelta, Decimal | None]:
    settings = request.settings()
    return settings.task_type, settings.max_wait, settings.budget_run


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"files": ["/landing/41798284000.csv"]}, "Rename the file"),
        ({"max_wait": "soon"}, "--max-wait"),
        ({"limit": 10**9}, "--limit"),
        ({"budget": 10**9}, "--budget"),
        ({"task_type": "tarot"}, "tarot"),
        ({"files": ["a.csv"], "columns": ["41798284000"]}, "--column"),
        ({"files": ["a.csv"], "sheet": "41798284000"}, "--sheet"),
        ({"files": ["a.csv"], "region": "XX"}, "region"),
        ({"columns": ["Mobile"]}, "name them"),
    ],
)
def test_a_wrong_option_is_one_sentence_with_a_remedy(chosen, words):
    with pytest.raises(ConfigurationError) as refusal:
        check_request(**chosen)

    assert words in str(refusal.value)
    assert "41798284000" not in str(refusal.value)


def test_options_that_were_not_given_are_as_set():
    assert check_request(files=None, task_type=None, limit=None, budget=None, max_wait=None) == EVERYTHING


@pytest.mark.parametrize("chosen", [{"columns": ["Mobile"]}, {"region": "CH"}, {"sheet": "Sheet1"}])
def test_how_to_read_is_said_of_named_files_only(chosen):
    with pytest.raises(ValidationError, match="name them"):
        CheckRequest(**chosen)
    CheckRequest(files=["a.csv"], **chosen)


def test_what_the_form_leaves_empty_is_not_asked_for():
    assert EVERYTHING.wishes.asked == NO_RULES
    chosen = CheckRequest(files=["a.csv"], columns=["Mobile", "Office"], region="ch")
    assert chosen.wishes.asked == ReadingRules(columns=("Mobile", "Office"), region="CH")
