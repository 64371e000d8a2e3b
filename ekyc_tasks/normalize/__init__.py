"""Blocks of raw text → typed rows, and what could not be read as data with reasons.

Headers and values vary (some are documented by the provider, some seen in the field). `layouts` says what a
first row means, `numbers` and `values` read cells, `rows` puts them together block by block, `quarantine` and
`drift` say what was wrong and what was new. No I/O, and no sentence holds the value of a cell.
"""

from ekyc_tasks.normalize.drift import layout_drift, value_drift
from ekyc_tasks.normalize.layouts import Layout, layout_of, layout_of_table, offer, row_keys
from ekyc_tasks.normalize.numbers import UNREADABLE, is_in_range, number_keys
from ekyc_tasks.normalize.quarantine import ISSUES, ragged_apart, set_apart
from ekyc_tasks.normalize.rows import Normalized, Normalizer, Stamp

__all__ = [
    "ISSUES",
    "UNREADABLE",
    "Layout",
    "Normalized",
    "Normalizer",
    "Stamp",
    "is_in_range",
    "layout_drift",
    "layout_of",
    "layout_of_table",
    "number_keys",
    "offer",
    "ragged_apart",
    "row_keys",
    "set_apart",
    "value_drift",
]
