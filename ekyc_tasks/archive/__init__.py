"""A result archive, as received, becomes blocks of raw text rows.

`containers` tells by the bytes what a file is and yields checked bytes of its members; `members` decides
which of them hold the rows, each row once; `text` and `sheets` cut those into blocks. Nothing is ever
extracted under a name that the archive chose.
"""

from ekyc_tasks.archive.containers import Member, open_members
from ekyc_tasks.archive.members import Choice, Judge, Offer, choose, open_workbook
from ekyc_tasks.archive.names import verdict_of
from ekyc_tasks.archive.sheets import MAX_WORKBOOKS
from ekyc_tasks.archive.tables import Block, Int64Array, Table

__all__ = [
    "MAX_WORKBOOKS",
    "Block",
    "Choice",
    "Int64Array",
    "Judge",
    "Member",
    "Offer",
    "Table",
    "choose",
    "open_members",
    "open_workbook",
    "verdict_of",
]
