"""Landed files become numbers: which files there are, a private copy of each, its lines, and their numbers.

Begin with `files`, which says what counts as landed and who the copy of a file is; `lines` cuts it into
lines, `read_numbers` reads these as sorted MSISDNs. Encodings, quotes and workbooks are those of `tabular`.
May import `storage`, `phone`, `tabular` and the ledger; never the provider.
"""

from ekyc_tasks.intake.containers import has_known_ending
from ekyc_tasks.intake.files import Arrival, arrival, sentences_of_ignored, take_copy
from ekyc_tasks.intake.line_block import LineBlock, is_blank
from ekyc_tasks.intake.lines import read_blocks

__all__ = [
    "Arrival",
    "LineBlock",
    "arrival",
    "has_known_ending",
    "is_blank",
    "read_blocks",
    "sentences_of_ignored",
    "take_copy",
]
