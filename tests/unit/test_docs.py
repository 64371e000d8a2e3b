"""The pages say what is: their tables are compared with the code, their blocks read, their links followed."""

from __future__ import annotations

import ast
import configparser
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from datetime import timedelta

import duckdb
import pytest
import typer
from support.doc_pages import (
    MARKS,
    PAGES,
    ROOT,
    RUN_IN_FLOW,
    RUN_IN_INTEGRATION,
    Block,
    blocks,
    prose,
    rows,
    section,
)

from ekyc_tasks import errors
from ekyc_tasks.cli import app
from ekyc_tasks.intake.containers import FORMATS, PACKINGS
from ekyc_tasks.models import BatchState
from ekyc_tasks.sandbox import ENDPOINTS, LAYOUTS, SCENARIOS
from ekyc_tasks.settings import Settings, parse_duration
from ekyc_tasks.task_types import task_type, task_type_names

REFERENCE = "docs/reference"
COMMANDS = typer.main.get_command(app).commands
CI = (ROOT / ".ci/run").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][\w-]*):", MAKEFILE, re.MULTILINE))
TIERS = ("make test", "make test-flow", "make smoke", "make torture")
every_page = pytest.mark.parametrize("page", PAGES)


def options_of(command: str) -> set[str]:
    return {
        option for each in COMMANDS[command].params for option in each.opts if option.startswith("--")
    } - {"--help"}


# --- the reference is the code ----------------------------------------------------------------------------


def shown(value: object) -> str:
    """A default as the table spells it."""
    match value:
        case None:
            return "none"
        case tuple():
            return f"`{','.join(value)}`"
        case timedelta():
            seconds = int(value.total_seconds())
            unit, size = next(
                (unit, size)
                for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
                if not seconds % size
            )
            return f"`{seconds // size}{unit}`"
        case _:
            return f"`{value}`"


def settings_rows() -> Iterator[list[str]]:
    for name, field in Settings.model_fields.items():
        default = (
            "the checkout, or `ekyc` in the user's data folder" if name == "home" else shown(field.default)
        )
        yield [f"`EKYC_{name.upper()}`", default, field.description or ""]


def test_the_settings_table_is_complete_and_true():
    expected = list(settings_rows())

    assert rows(section(f"{REFERENCE}/settings.md", "Settings")) == expected, "\n".join(
        ["The table has to be:", *(f"| {' | '.join(row)} |" for row in expected)]
    )


def test_defaults_that_are_durations_read_back():
    for _, default, _ in settings_rows():
        if re.fullmatch(r"`\d+[smhd]`", default):
            assert parse_duration(default.strip("`"))


def test_the_commands_table_has_every_command_with_every_option():
    table = {
        re.match(r"`ekyc ([a-z]+)", cells[0])[1]: cells[-1]
        for cells in rows(prose(f"{REFERENCE}/commands.md"))
        if cells[0].startswith("`ekyc ")
    }

    assert set(table) == set(COMMANDS)
    for command, options in table.items():
        assert set(re.findall(r"`(--[a-z0-9-]+)", options)) == options_of(command), command


def test_what_makes_or_migrates_a_ledger_is_said_of_every_command():
    said = rows(section(f"{REFERENCE}/commands.md", "Which commands make or migrate what"))

    named = {name for cells in said for name in re.findall(r"`([a-z]+)(?: --\w+)?`", cells[0])}
    assert named == set(COMMANDS)


def test_every_state_of_a_batch_is_there_and_those_that_block_are_named():
    table = rows(section(f"{REFERENCE}/states.md", "Of a batch"))

    assert [state.strip("`") for state, _ in table] == [state.value for state in BatchState]
    [sentence] = re.findall(r"The numbers of (.*?) batches block", prose(f"{REFERENCE}/states.md"), re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentence)) == {state.value for state in BatchState if state.blocks}
    [drawing] = blocks(f"{REFERENCE}/states.md")
    assert {word.lower() for word in re.findall(r"[A-Z]{4,}", drawing.text)} == {
        state.value for state in BatchState
    }


def test_the_exit_codes_are_those_of_the_errors():
    codes = [cells[0] for cells in rows(prose(f"{REFERENCE}/exit-codes.md"))]
    table = {int(code) for code in codes if code.isdigit()}
    used = {
        each.exit_code
        for each in vars(errors).values()
        if isinstance(each, type) and hasattr(each, "exit_code")
    }

    assert used <= table
    assert table == {0, 1, 2, 3, 4, 5, 6}
    assert "130, 143" in codes


def test_the_dataset_table_has_the_columns_of_the_schema():
    page = prose(f"{REFERENCE}/dataset.md")
    table = rows(section(f"{REFERENCE}/dataset.md", "Columns"))

    assert [name for cells in table for name in re.findall(r"`(\w+)`", cells[0])] == task_type(
        "tg_avatar"
    ).schema.column_names()
    assert [name for name in task_type_names() if f"`{name}`" not in page and f"/{name}/" not in page] == []


def test_landed_files_name_every_format_and_packing():
    read = section(f"{REFERENCE}/landed-files.md", "What is read")

    assert [ending for ending in (*FORMATS, *PACKINGS) if f"`{ending}`" not in read] == []


def test_the_sandbox_page_names_what_there_is():
    text = prose(f"{REFERENCE}/sandbox.md")

    assert {cells[0].strip("`"): cells[1] for cells in rows(text)} == {
        name: description for name, (description, _) in SCENARIOS.items()
    }
    assert [name for name in (*LAYOUTS, *ENDPOINTS) if f"`{name}`" not in text] == []
    assert [
        option for option in options_of("sandbox") - {"--port", "--storage-port"} if option not in text
    ] == []


# --- the explanation names what is there ------------------------------------------------------------------


def test_the_guarantees_name_files_that_exist():
    guarantees = rows(section("docs/explanation/guarantees.md", "What is promised"))

    assert guarantees
    for _, where, tests in guarantees:
        for name in re.findall(r"`([\w/]+\.py)`", where):
            assert (ROOT / "ekyc_tasks" / name).is_file(), name
        assert re.findall(r"`test_\w+\.py`", tests)
        for name in re.findall(r"`(test_\w+\.py)`", tests):
            assert list((ROOT / "tests").rglob(name)), name


def test_the_house_is_drawn_with_the_layers_of_the_import_contract():
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [layers] = [contract["layers"] for contract in linter["contracts"] if contract["type"] == "layers"]
    [house] = [block.text for block in blocks("docs/explanation/architecture.md") if "│ cli " in block.text]

    drawn = [re.match(r"│ (.+?)  ", line)[1] for line in house.splitlines() if line.startswith("│ ")]
    assert drawn == layers
    assert len({len(line) for line in house.splitlines()}) == 1, "the walls are not straight"


def is_defined(symbol: str, text: str) -> bool:
    """A function, a class, a name that is assigned, or an argument that is given."""
    return bool(re.search(rf"\b(?:def|class) {symbol}\b|^ *(?:- )?{symbol} ?[:=]", text, re.MULTILINE))


def test_the_walks_go_through_files_that_exist():
    page = "docs/explanation/architecture.md"
    of_number, of_setting = (rows(section(page, f"The walk of one {what}")) for what in ("number", "setting"))

    assert len(of_number) > 10
    for _, _, where in [*of_number, *of_setting]:
        files = re.findall(r"`([\w/]+\.py)`", where)
        assert files
        for file in files:
            path = ROOT / "ekyc_tasks" / file
            assert path.is_file(), file
            for symbol in re.findall(r"`(\w+)` in", where):
                assert is_defined(symbol, path.read_text()), (file, symbol)


def test_each_row_of_where_do_i_change_names_a_file_and_symbols_in_it():
    table = rows(section("CONTRIBUTING.md", "Where do I change"))

    assert len(table) > 15
    for what, file, symbols in table:
        text = (ROOT / file.strip("`")).read_text()
        names = re.findall(r"`(\w+)`", symbols)
        assert names, what
        assert [name for name in names if not is_defined(name, text)] == [], what


@every_page
def test_folders_and_files_that_a_page_names_exist(page):
    named = re.findall(r"`((?:ekyc_tasks|flows|tests|benchmarks)/[\w/.*-]*)`", prose(page))

    assert [name for name in named if not list(ROOT.glob(name.rstrip("/")))] == []


def test_a_word_stands_in_the_glossary_once_and_in_its_order():
    words = [word for cells in rows(prose("docs/glossary.md")) for word in cells[0].split(", ")]

    assert len(words) == len(set(words))
    firsts = [cells[0] for cells in rows(prose("docs/glossary.md"))]
    assert firsts == sorted(firsts, key=str.lower)
    assert {state.value for state in BatchState} - {"submitting", "loaded"} <= set(words)


def test_each_version_says_what_to_do_and_how_to_go_back():
    versions = re.split(r"^## ", PAGES["CHANGELOG.md"], flags=re.MULTILINE)[1:]

    assert versions
    for version in versions:
        assert re.findall(r"^### (.*)", version, re.MULTILINE) == ["You must act", "Going back"]


# --- the pages hang together ------------------------------------------------------------------------------


def test_the_readme_is_short():
    assert len(PAGES["README.md"].encode()) <= 6 * 1024


def anchors(page: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@every_page
def test_links_lead_to_files_and_headings(page):
    here = (ROOT / page).parent
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", PAGES[page]):
        path = (here / target).resolve() if target else ROOT / page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(str(path.relative_to(ROOT))), (target, anchor)


def test_every_page_can_be_reached_from_the_readme():
    reached, following = set(), ["README.md"]
    while following:
        page = following.pop()
        reached.add(page)
        for target in re.findall(r"\]\((?!https?:)([^)#]+\.md)", PAGES[page]):
            name = str(((ROOT / page).parent / target).resolve().relative_to(ROOT))
            following += [name] if name not in reached else []

    assert reached == set(PAGES)


@every_page
def test_settings_that_a_page_names_exist(page):
    known = {f"EKYC_{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(r"\bEKYC_[A-Z0-9_]+\b(?!…)", PAGES[page]))

    # `EKYC_BUDGET_…`: all of a kind
    assert {name for name in named - known if not any(each.startswith(name) for each in known)} == set()


# --- the blocks -------------------------------------------------------------------------------------------


@every_page
def test_every_block_of_commands_or_code_has_a_mark(page):
    unmarked = [block for block in blocks(page) if block.mark not in MARKS and block.language != "text"]

    assert unmarked == []
    assert [block for block in blocks(page, marks=MARKS) if block.language not in READERS] == []
    assert PAGES[page].count("```") == 2 * len(blocks(page)), "a fence that is not closed, or not at its line"


def test_every_block_that_is_marked_run_is_on_a_page_that_a_test_runs():
    assert {block.page for block in blocks(marks=["run"])} == {*RUN_IN_FLOW, *RUN_IN_INTEGRATION}


def test_a_block_that_is_not_run_says_so_to_the_reader():
    for page, text in PAGES.items():
        assert text.count(" not-run\n") <= len(re.findall(r"Not\s+run\s+here", text)), page


def read_commands(text: str) -> None:
    subprocess.run(["bash", "-n"], input=text, text=True, check=True, capture_output=True)
    for line in text.splitlines():
        words = re.split(r"(?:^|[\s(/])ekyc (?=[a-z]|--debug)", line.split("  #")[0])[1:]
        for rest in words:
            check_command(shlex.split(re.split(r"[|;)>&]", rest)[0]))


def check_command(words: list[str]) -> None:
    words = [word for word in words if word != "--debug"]
    assert words[0] in COMMANDS, words
    unknown = {word for word in words if word.startswith("--")} - options_of(words[0]) - {"--help"}
    assert unknown == set(), (words[0], unknown)


def read_ini(text: str) -> None:
    configparser.ConfigParser(interpolation=None).read_string(text)


READERS = {
    "sh": read_commands,
    "python": ast.parse,
    "json": json.loads,
    "ini": read_ini,
    "toml": tomllib.loads,
    "sql": duckdb.extract_statements,
}


@pytest.mark.parametrize(
    "block", blocks(marks=["run", "parsed"]), ids=lambda block: f"{block.page}-{block.text[:20]!r}"
)
def test_blocks_can_be_read(block: Block):
    READERS[block.language](block.text)


@every_page
def test_commands_in_the_text_and_their_options_exist(page):
    for command in re.findall(r"`(?:\.venv/bin/)?ekyc ((?:--debug )?[a-z][^`]*)`", prose(page)):
        check_command(command.replace("'", "").split())


@every_page
def test_make_is_asked_for_targets_that_exist(page):
    assert set(re.findall(r"\bmake ([a-z]+(?:-[a-z]+)*)\b(?=[`\s]|$)", commands_of(page))) <= TARGETS


def commands_of(page: str) -> str:
    inline = re.findall(r"`((?:[A-Z]+=\S+ )*make [^`]*)`", prose(page))
    return "\n".join([*inline, *(block.text for block in blocks(page) if block.language == "sh")])


@pytest.mark.parametrize("command", ["make lint", *TIERS, "make demo"])
def test_ci_runs_the_commands_that_the_pages_show(command):
    assert command in PAGES["CONTRIBUTING.md"]
    assert command in CI
