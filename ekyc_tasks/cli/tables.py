"""The look of all tables."""

from __future__ import annotations

from rich.table import Table


def table(title: str, *columns: str | tuple[str, str]) -> Table:
    """Columns are titles, or titles with "right" (see `right`)."""
    empty = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
    for column in columns:
        name, justify = column if isinstance(column, tuple) else (column, "left")
        # Ids are for copying: a cell is folded rather than cut.
        empty.add_column(
            name, justify="right" if justify == "right" else "left", header_style="dim", overflow="fold"
        )
    return empty


def right(*names: str) -> list[tuple[str, str]]:
    return [(name, "right") for name in names]
