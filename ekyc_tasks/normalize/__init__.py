"""Blocks of raw text → typed rows, and what could not be read as data with reasons.

Headers and values vary (some are documented by the provider, some seen in the field). `column_mapping` says
what a first row means, `received` and `values` read cells, `rows` puts them together block by block,
`quarantine` and `drift` say what was wrong and what was new. No I/O; no sentence holds the value of a cell.
Begin with `rows`. May import `tabular` for its tables, and `task_types` for the contract.
"""

from ekyc_tasks.normalize.column_mapping import Layout, layout_of, layout_of_table, offer, row_keys
from ekyc_tasks.normalize.drift import layout_drift, value_drift
from ekyc_tasks.normalize.quarantine import ISSUES, set_apart, set_ragged_apart
from ekyc_tasks.normalize.received import is_in_range, number_keys
from ekyc_tasks.normalize.rows import Normalized, Normalizer, Provenance

__all__ = [
    "ISSUES",
    "Layout",
    "Normalized",
    "Normalizer",
    "Provenance",
    "is_in_range",
    "layout_drift",
    "layout_of",
    "layout_of_table",
    "number_keys",
    "offer",
    "row_keys",
    "set_apart",
    "set_ragged_apart",
    "value_drift",
]
