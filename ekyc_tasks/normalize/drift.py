"""Differences from the contract, in sentences for the report. They show no cell's value except new words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from ekyc_tasks.normalize.column_mapping import NO_HEADER, NUMBER_LIST, Layout
from ekyc_tasks.normalize.rows import Normalizer
from ekyc_tasks.support.wording import count
from ekyc_tasks.task_types.base import TaskType

_MOST_NAMED, _LONGEST_WORD = 10, 40


def layout_drift(layouts: Sequence[Layout], task_type: TaskType) -> Iterator[str]:
    """Sentences about columns that are absent or unknown in what was read; names of columns only."""
    tables = [layout for layout in layouts if layout.dialect != NUMBER_LIST]
    if not tables:
        yield "Only lists of numbers were read, so only the verdict is known."
    if bare := [layout for layout in tables if layout.dialect == NO_HEADER]:
        where = _share("in", bare, tables)
        yield f"There is no header{where}. The columns were read in the documented order."
    for each in task_type.fields:
        if lacking := [layout for layout in tables if each.name not in layout.fields]:
            yield f"Column {each.name} is missing{_share('from', lacking, tables)}."
    for extra in chain.from_iterable(layout.extras for layout in tables):
        repeated = extra.repeats is not None
        yield (
            f"Column {extra.key} has the same meaning as another. Where it differs, it is kept in extra."
            if repeated
            else f"Column {extra.key} is unknown. It is kept in extra."
        )


def _share(preposition: str, some: Sequence[Layout], tables: Sequence[Layout]) -> str:
    return "" if len(some) == len(tables) else f" {preposition} {len(some)} of {len(tables)} tables"


def value_drift(normalizer: Normalizer) -> Iterator[str]:
    """A sentence for each column with new words or bad cells; what may be no word is not named."""
    for name, words in normalizer.new_words().items():
        named = sorted(word for word in words if _is_harmless(word))[:_MOST_NAMED]
        others = len(words) - len(named)
        if named:
            more = f" and {others:,} more" if others else ""
            yield f"Column {name} has new values: {', '.join(named)}{more}."
        else:
            yield f"Column {name} has {count(others, 'new value')}: not shown, may be personal data."
    for name, cells in normalizer.bad_cells.items():
        expects = next(each.expects for each in normalizer.task_type.fields if each.name == name)
        verb = "is" if cells == 1 else "are"
        yield f"Column {name} has {count(cells, 'cell')} that {verb} not {expects}."


def _is_harmless(word: str) -> bool:
    return len(word) <= _LONGEST_WORD and all(sign.isalpha() or sign == " " for sign in word)
