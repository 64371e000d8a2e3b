"""`ekyc plan --explain`: how each file is read, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from ekyc_tasks.cli.tables import right, table
from ekyc_tasks.support.wording import count

_DELIMITERS = {"\t": "tab", " ": "space"}


def explanation_tables(explained: dict[str, Any]) -> Iterator[Table]:
    facts = table(f"How {explained['name']} is read", "what", "is")
    for fact in _facts(explained):
        facts.add_row(*fact)
    yield facts
    if explained["first_numbers"]:
        yield _list_numbers(explained)
    if explained["first_rejected"]:
        yield _list_rejected(explained)


def columns_table(columns: list[dict[str, Any]]) -> Table:
    shown = table("Columns with numbers", "file", "column", *right("numbers", "price"))
    for each in columns:
        shown.add_row(each["file"], each["column"], f"{each['numbers']:,}", each["price"] or "")
    return shown


def _facts(explained: dict[str, Any]) -> Iterator[tuple[str, str]]:
    layout = explained["layout"]
    yield "format", _describe_format(explained, layout)
    if layout is not None:
        yield "header", _describe_header(layout)
        named = ", ".join(layout["columns"]) or "none"
        yield "columns" if len(layout["columns"]) > 1 else "column", f"{named}: {layout['why']}"
        if layout["country_columns"]:
            titles = ", ".join(f"“{title}”" for title in layout["country_columns"])
            yield "country", f"{titles}: of each row; where it is empty, the region"
    region, said = explained["region"], explained["region_said"]
    yield "region", "none is set" if said is None else f"{region}, set {_where(said)}"
    if layout is not None:
        home = "the country beside them" if layout["country_columns"] else region
        yield "bare digits", _describe_bare(explained["bare_digits"], home)
        yield "found", f"{count(explained['numbers'], 'number')}, repeated ones included"
    if explained["question"]:
        yield "question", explained["question"]


def _describe_format(explained: dict[str, Any], layout: dict[str, Any] | None) -> str:
    facts = [explained["format"] or "unknown"]
    if explained["encoding"]:
        facts.append(f"encoding {explained['encoding']}")
    if layout is not None and layout["delimiter"]:
        delimiter = _DELIMITERS.get(layout["delimiter"], layout["delimiter"])
        facts.append(f"cells separated by {delimiter}")
    if layout is not None and layout["sheet"]:
        facts.append(f"sheet “{layout['sheet']}”")
    return ", ".join(facts)


def _describe_header(layout: dict[str, Any]) -> str:
    if layout["header"] is None:
        return "no header"
    skipped = layout["titles_skipped"]
    above = f"; {count(skipped, 'line')} above it skipped" if skipped else ""
    return f"line {layout['header']:,}{above}"


def _where(said: str) -> str:
    return f"by {said}" if said.startswith(("rule", "EKYC")) else said


def _describe_bare(bare: dict[str, Any], home: str | None) -> str:
    counts = {
        f"valid in {home}": bare["national"],
        "valid as international": bare["international"],
        "valid both ways": bare["both"],
        "valid in no way": bare["neither"],
    }
    told = ", ".join(f"{lines:,} {what}" for what, lines in counts.items() if lines)
    if not told:
        return "there are none: each number says its country"
    return told if bare["both"] == 0 else f"{told}; these are read as {bare['read_as'] or 'a question'}"


def _list_numbers(explained: dict[str, Any]) -> Table:
    numbers = table("First numbers", *right("line"), "column", "number")
    for each in explained["first_numbers"]:
        numbers.add_row(f"{each['line']:,}", each["column"] or "", each["number"])
    return numbers


def _list_rejected(explained: dict[str, Any]) -> Table:
    rejected = table("First rejected lines", *right("line"), "reason", "written like")
    for each in explained["first_rejected"]:
        rejected.add_row(f"{each['line']:,}", each["reason"], each["example"])
    return rejected
