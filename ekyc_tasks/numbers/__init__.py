"""Phone numbers: what people write, made E.164, and what an E.164 number says about itself.

The rules, which `read_one` spells out for a single text:

* ``+`` or ``00`` in front: international, and accepted when `phonenumbers` calls it possible (its
  length fits the country) and it has no more than the 15 digits of E.164.
* Digits without either are commonly E.164 that lost its plus. Without a default region that is how
  they are read. With one, the national reading is tried first, as `phonenumbers` does it; the
  international one takes over when the national one does not fit the country's number pattern and
  the international one is a valid number, or the only possible one. Either way they have to be
  complete: a length that works inside an area only, which `phonenumbers` lets pass, is rejected.
* What a spreadsheet damaged is mended where every digit survived (``41798284651.0``,
  ``4.1798284651E+10``) and rejected where not: a guess would be paid for.

`normalise` gives the same answers by the million. Expressions built from the metadata of
`phonenumbers` settle what is written plainly; only the rest goes through `read_one`.

A *key* is an E.164 number without its ``+``, as an integer: `read_keys` reads most texts straight from
their bytes into keys, by tables of the same metadata, and leaves the others to `normalise`.
"""

from ekyc_tasks.numbers.codes import calling_code, calling_codes, digit_counts
from ekyc_tasks.numbers.keys import NO_KEY, read_keys
from ekyc_tasks.numbers.mass import normalise
from ekyc_tasks.numbers.one import read_one
from ekyc_tasks.numbers.reasons import NATIONAL
from ekyc_tasks.numbers.texts import Texts
from ekyc_tasks.numbers.tidy import tidied

__all__ = [
    "NATIONAL",
    "NO_KEY",
    "Texts",
    "calling_code",
    "calling_codes",
    "digit_counts",
    "normalise",
    "read_keys",
    "read_one",
    "tidied",
]
