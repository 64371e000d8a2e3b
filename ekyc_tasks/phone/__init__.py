"""Phone numbers: what people write, made E.164, and what an E.164 number says about itself.

Begin with `cells` and `parse`, the rules for a single text; `read` follows the same rules for whole files, as
MSISDNs: the digits as an int64, explained in `msisdns`. May import `errors` alone.

The law: **a number is sent only if the text says it.** The digits of each number are a contiguous run of
the text's own digits, behind a calling code that the text, its row or the default region gives. Every other
digit is an international or trunk prefix, a marked extension, a ``.0`` or an exponent of a spreadsheet, the
device of a JID or the ``1`` that Mexico gave up. Otherwise the text is rejected with a reason.

* ``+`` or ``00`` in front: international, and accepted when `phonenumbers` calls it possible (its
  length fits the country) and it has no more than the 15 digits of E.164.
* Bare digits, without either, are a number only where that is *valid*: a range that has been given out. With
  a default region they may be a national number, with its trunk prefix or without. Without punctuation that
  is national they may be E.164 that lost its plus, if most of the column can be read so (`BareDigits`).
* A row that names its country takes the place of the default region (`by_country`). What a text says by
  itself counts all the same; bare digits of another country than that of the row are rejected.
* Words beside a number that is complete without them are cut off. Letters are never dialled.
* Several numbers in a cell are read one by one where each is a number on its own.
* What a spreadsheet damaged is repaired where every digit survived (``41798284651.0``,
  ``4.1798284651E+10``) and rejected where not: a guess would be paid for.
"""

from ekyc_tasks.phone.by_country import read_by_country
from ekyc_tasks.phone.byte_strings import Texts
from ekyc_tasks.phone.calling_codes import calling_code, calling_codes, digit_counts
from ekyc_tasks.phone.cells import read_cell
from ekyc_tasks.phone.clean import clean
from ekyc_tasks.phone.msisdns import NO_MSISDN
from ekyc_tasks.phone.parse import Reading
from ekyc_tasks.phone.read import BareDigits, Readings, read_msisdns
from ekyc_tasks.phone.reasons import NATIONAL

__all__ = [
    "NATIONAL",
    "NO_MSISDN",
    "BareDigits",
    "Reading",
    "Readings",
    "Texts",
    "calling_code",
    "calling_codes",
    "clean",
    "digit_counts",
    "read_by_country",
    "read_cell",
    "read_msisdns",
]
