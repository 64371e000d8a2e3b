"""The documentation as tests read it: pages, blocks with their marks, and a checkout to run them in."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
}
MARKS = ("run", "parsed", "not-run")
# Whose blocks are run, and by which tier: those of `flow` take a Prefect server.
RUN_IN_INTEGRATION = (
    "docs/how-to/add-a-task-type.md",
    "docs/how-to/load-into-a-warehouse.md",
    "docs/reference/dataset.md",
)
RUN_IN_FLOW = ("README.md", "docs/tutorial.md")

_FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_NOT_COPIED = (".git", ".venv", "build", ".hypothesis", ".env", "__pycache__", ".*_cache", ".coverage*")
_HERE_DOCUMENTS = {
    "python": "{python} - <<'END_OF_BLOCK'\n{text}END_OF_BLOCK\n",
    "sql": "{python} -c 'import duckdb, sys; print(duckdb.execute(sys.stdin.read()).fetchall())' "
    "<<'END_OF_BLOCK'\n{text}END_OF_BLOCK\n",
    "sh": "{text}",
}


@dataclass(frozen=True)
class Block:
    page: str
    language: str
    mark: str  # empty: none
    text: str


def blocks(*pages: str, marks: Iterable[str] = ("", *MARKS)) -> list[Block]:
    """The fenced blocks of these pages, of all where none is named."""
    found = []
    for page in pages or PAGES:
        for _, info, text in _FENCE.findall(PAGES[page]):
            language, _, mark = info.partition(" ")
            found.append(Block(page, language, mark.strip(), text))
    return [block for block in found if block.mark in marks]


def prose(page: str) -> str:
    return _FENCE.sub("", PAGES[page])


def section(page: str, title: str) -> str:
    """What stands below a heading, with its subsections."""
    text = prose(page)
    heading = re.search(rf"^(#+) {re.escape(title)}\n", text, re.MULTILINE)
    assert heading, f"{page} has no section {title}"
    rest = text[heading.end() :]
    following = re.search(rf"^#{{1,{len(heading[1])}}} ", rest, re.MULTILINE)
    return rest[: following.start()] if following else rest


def rows(text: str) -> list[list[str]]:
    """The cells of all tables, without their heads."""
    tables = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    lines = [line for table in tables for line in table.splitlines()[2:]]
    return [[cell.strip() for cell in re.split(r" \| |\|$", line.removeprefix("|"))[:-1]] for line in lines]


def script(page: str) -> str:
    """The blocks of a page that are run, as a reader would type them at one terminal."""
    parts = blocks(page, marks=["run"])
    return "".join(
        _HERE_DOCUMENTS[part.language].format(text=part.text, python=sys.executable)
        if part.language != "sh"
        else part.text
        for part in parts
    )


def checkout(into: Path) -> Path:
    """A copy of the working tree in which `make` finds everything set up: the environment is this one's.

    That it can be set up from nothing is seen by CI, which begins on a clean checkout.
    """
    shutil.copytree(ROOT, into, symlinks=True, ignore=_left_out)
    environment = into / ".venv"
    environment.mkdir()
    for part in ("bin", "include", "lib", "pyvenv.cfg"):
        (environment / part).symlink_to(Path(sys.prefix) / part)
    (environment / "synced").touch()
    return into


def environment_in(folder: Path) -> dict[str, str]:
    """Where the copy's code runs, and no setting of this machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EKYC_", "PREFECT_"))}
    return {
        **kept,
        "PYTHONPATH": str(folder),
        "PATH": f"{folder / '.venv/bin'}{os.pathsep}{os.environ['PATH']}",
    }


def _left_out(folder: str, names: list[str]) -> set[str]:
    left_out = set(shutil.ignore_patterns(*_NOT_COPIED)(folder, names))
    if Path(folder) == ROOT / "data":
        left_out |= set(names) - {"samples", "make_samples.py"}
    return left_out
