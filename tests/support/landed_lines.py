"""All lines of a landed file at once, as a table that tests can read."""

from __future__ import annotations

import numpy as np
import polars as pl

from ekyc_tasks.intake import is_blank, read_blocks
from ekyc_tasks.intake.rules import ReadingRules

SCHEMA = {"line": pl.Int64, "text": pl.String, "is_header": pl.Boolean, "is_blank": pl.Boolean}


def read_lines(path, *, name, column=None):
    """``line`` and ``text`` as in `LineBlock`, ``is_header`` and ``is_blank`` (never both)."""
    rules = ReadingRules(columns=() if column is None else (column,))
    blocks = read_blocks(path, name=name, rules=rules)
    return pl.concat([pl.DataFrame(schema=SCHEMA), *map(frame_of, blocks)])


def frame_of(block):
    texts = block.texts.gather(np.arange(len(block.texts)))
    is_header = np.zeros(len(texts), dtype=np.bool_)
    is_header[block.headers] = True
    columns = {
        "line": block.lines,
        "text": texts,
        "is_header": is_header,
        "is_blank": is_blank(texts) & ~pl.Series(is_header),
    }
    return pl.DataFrame(columns, schema=SCHEMA)
