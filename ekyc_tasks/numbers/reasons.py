"""Why a text is no number: short fixed sentences that never hold the value."""

from __future__ import annotations

COMMENT = "commented out"
FRACTION = "a fraction, not a phone number"
INCOMPLETE = "area code is missing"
NATIONAL = "national number and no default region"
NO_CODE = "no such calling code"
NO_DIGITS = "no digits"
NO_LENGTH = "no number of this country has this length"
NOT_A_NUMBER = "not a phone number"
ROUNDED = "spreadsheet rounding lost digits"
SEVERAL = "more than one number"
TOO_LONG = "too long"
TOO_SHORT = "too short"
