"""What was unlike the contract, in sentences for the report. No value of a cell is in them but new words."""

from __future__ import annotations

from collections.abc import Iterator

from ekyc_tasks.normalize.layouts import NO_HEADER, Layout
from ekyc_tasks.normalize.rows import Normalizer
from ekyc_tasks.task_types.base import TaskType
from ekyc_tasks.wording import count

_MOST_NAMED, _LONGEST_WORD = 10, 40


def layout_drift(layout: Layout, task_type: TaskType) -> Iterator[str]:
    """A sentence for each column that is absent or unknown; names of columns only."""
    if layout.dialect == "number list":
        yield "The archive holds lists of bare numbers only: nothing but the verdict is known."
        return
    if layout.dialect == NO_HEADER:
        yield "There is no header: the columns were taken in the documented order."
    for each in task_type.fields:
        if each.name not in layout.fields:
            yield f"Column {each.name} is absent."
    for extra in layout.extras:
        repeated = extra.repeats is not None
        yield (
            f"Column {extra.key} repeats another."
            if repeated
            else f"Column {extra.key} is not in the contract; it is kept in extra."
        )


def value_drift(normalizer: Normalizer) -> Iterator[str]:
    """A sentence for each column with new words or bad cells; what may be no word is not named."""
    for name, words in normalizer.new_words().items():
        named = sorted(word for word in words if _is_harmless(word))[:_MOST_NAMED]
        others = len(words) - len(named)
        if named:
            more = f" and {others:,} more" if others else ""
            yield f"Column {name} has new values: {', '.join(named)}{more}."
        else:
            yield f"Column {name} has {count(others, 'new value')}, not shown: they may be anybody's data."
    for name, cells in normalizer.bad_cells.items():
        expects = next(each.expects for each in normalizer.task_type.fields if each.name == name)
        verb = "is" if cells == 1 else "are"
        yield f"Column {name} has {count(cells, 'cell')} that {verb} not {expects}."


def _is_harmless(word: str) -> bool:
    return len(word) <= _LONGEST_WORD and all(sign.isalpha() or sign == " " for sign in word)
