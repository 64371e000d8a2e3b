"""A result archive, as received, becomes blocks of raw text rows; and what `intake` opens landed files with.

`containers` sees by the bytes what a file is and yields checked bytes of its members; `members` decides
which of them hold the rows, each row once; `delimited` and `xlsx` cut those into blocks. Nothing is ever
extracted under a name that the archive chose. Landed files are unpacked, decoded, cut into rows and opened as
workbooks by the same code: `containers`, `encodings`, `quoting`, `xlsx`. Begin with `members`. May import
`models`, `support` and `errors`.
"""

from ekyc_tasks.tabular.containers import Member, open_members
from ekyc_tasks.tabular.member_names import verdict_of
from ekyc_tasks.tabular.members import Judge, MemberChoice, Offer, choose, open_workbook
from ekyc_tasks.tabular.table import Block, Int64Array, Table
from ekyc_tasks.tabular.xlsx import MAX_WORKBOOKS

__all__ = [
    "MAX_WORKBOOKS",
    "Block",
    "Int64Array",
    "Judge",
    "Member",
    "MemberChoice",
    "Offer",
    "Table",
    "choose",
    "open_members",
    "open_workbook",
    "verdict_of",
]
