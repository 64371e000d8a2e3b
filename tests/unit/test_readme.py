"""The README says what is: its tables are compared with the code, its commands with those that run."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
import typer

from ekyc_tasks import errors
from ekyc_tasks.cli import app
from ekyc_tasks.models import BatchState
from ekyc_tasks.sandbox import ENDPOINTS, LAYOUTS, SCENARIOS
from ekyc_tasks.settings import Settings, parse_duration
from ekyc_tasks.task_types import known_task_types, task_type

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PROSE = re.sub(r"^```.*?^```", "", README, flags=re.DOTALL | re.MULTILINE)


def section(title: str) -> str:
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", PROSE, re.DOTALL | re.MULTILINE)
    assert found, f"no section {title}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of a table's rows, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def shown(value: object) -> object:
    """A default as the table spells it."""
    if value is None:
        return "none"
    return f"`{','.join(value) if isinstance(value, tuple) else value}`"


def test_the_settings_table_is_complete_and_true():
    table = {cells[0].strip("`"): cells[1:] for cells in rows(section("Settings"))}
    fields = Settings.model_fields

    assert list(table) == [f"EKYC_{name.upper()}" for name in fields]
    for name, field in fields.items():
        default, description = table[f"EKYC_{name.upper()}"]
        assert description == field.description
        if isinstance(field.default, timedelta):
            assert parse_duration(default.strip("`")) == field.default, name
        elif name != "home":
            assert default == shown(field.default), name


def test_the_dataset_table_has_the_columns_of_the_schema():
    names = re.findall(r"^\| (`.*?) \|", section("Dataset"), re.MULTILINE)

    assert [name for cell in names for name in re.findall(r"`(\w+)`", cell)] == task_type(
        "tg_avatar"
    ).schema.column_names()
    assert all(f"`{name}`" in README for name in known_task_types())


def test_every_command_and_every_state_is_shown():
    commands = typer.main.get_command(app).commands
    table = section("Use it")

    assert {re.match(r"`ekyc (\w+)", cells[0])[1] for cells in rows(table) if "ekyc" in cells[0]} == set(
        commands
    )
    states = [
        cells[0].strip("`") for cells in rows(section("The way of a batch")) if cells[0].startswith("`")
    ]
    assert states == [state.value for state in BatchState]


def test_the_exit_codes_are_those_of_the_errors():
    table = {int(cells[0]) for cells in rows(section("Use it")) if cells[0].isdigit()}
    used = {
        each.exit_code
        for each in vars(errors).values()
        if isinstance(each, type) and hasattr(each, "exit_code")
    }

    assert used <= table
    assert table == {0, 1, 2, 3, 4, 5, 6}


def test_the_sandbox_section_names_what_there_is():
    text = section("Sandbox: the provider, on your machine")

    assert {cells[0].strip("`"): cells[1] for cells in rows(text)} == {
        name: description for name, (description, _) in SCENARIOS.items()
    }
    assert all(f"`{name}`" in text for name in (*LAYOUTS, *ENDPOINTS))


def test_the_guarantees_name_files_that_exist():
    guarantees = rows(section("What is promised, and what is not"))

    assert guarantees
    for _, where, tests in guarantees:
        for name in re.findall(r"`([\w/]+\.py)`", where):
            assert (ROOT / "ekyc_tasks" / name).is_file(), name
        for name in re.findall(r"`(test_\w+\.py)`", tests):
            assert list((ROOT / "tests").rglob(name)), name


@pytest.mark.parametrize("command", ["make demo", "make test", "make torture", "make lint"])
def test_ci_runs_the_commands_that_the_readme_shows(command):
    assert command.split()[1] in README
    assert command in (ROOT / ".ci" / "run").read_text()
