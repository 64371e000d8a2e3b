"""The look of all tables, and those of money."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

_DAYS = 7  # shown; --json has all


class _PlainTable(Table):
    """Cells are what they say: a name of a file may look like markup."""

    def add_row(self, *cells: RenderableType | None, **more: Any) -> None:
        super().add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells), **more)


def table(title: str, *columns: str | tuple[str, str]) -> Table:
    """Columns are titles, or titles with "right" (see `right`)."""
    empty = _PlainTable(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    for column in columns:
        name, justify = column if isinstance(column, tuple) else (column, "left")
        # Ids are for copying: a cell is folded rather than cut.
        empty.add_column(
            name, justify="right" if justify == "right" else "left", header_style="dim", overflow="fold"
        )
    return empty


def right(*names: str) -> list[tuple[str, str]]:
    return [(name, "right") for name in names]


def money_tables(money: dict[str, Any]) -> Iterator[Table]:
    """Estimates beside the provider's own amounts, by month and for the last days."""
    for title, periods in (("Money by month", money["months"]), ("Last days", money["days"][:_DAYS])):
        columns = right(
            "uploads", "spent", "held", "charged by provider", "numbers not bought again", "money saved"
        )
        shown = table(title, "UTC", *columns)
        for period in periods:
            shown.add_row(
                period["period"],
                f"{period['batches']:,}",
                period["spent"],
                period["held"],
                _says(period),
                f"{period['saved_numbers']:,}",
                period["saved"] or "",
            )
        yield shown


def _says(period: dict[str, Any]) -> str:
    if period["actual"] is None:
        return ""
    is_whole = period["actual_batches"] == period["batches"]
    return period["actual"] if is_whole else f"{period['actual']} for {period['actual_batches']:,} uploads"
