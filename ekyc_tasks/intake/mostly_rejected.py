"""A file whose lines are rejected more often than by accident is a question: perhaps it was read wrongly."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake.read_numbers import ReadFile
from ekyc_tasks.phone.reasons import COMMENT, NATIONAL, NOT_THERE, ROUNDED, SEVERAL, UNKNOWN_COUNTRY

_COUNTRY = "Correct the countries beside these numbers, or name another country_column in landing.toml"
_REMEDIES = {
    NATIONAL: "Set EKYC_DEFAULT_REGION to the country of these numbers, such as CH",
    NOT_THERE: _COUNTRY,
    UNKNOWN_COUNTRY: _COUNTRY,
    ROUNDED: "Export the column as text, with all digits",
    SEVERAL: "Write each number on a line of its own",
}
_OTHER_REMEDY = "Correct these lines, or check that this is the right file"


def require_mostly_numbers(read: ReadFile, *, most_rejected: Decimal | None) -> None:
    """InputError when all lines are rejected, or more than ``most_rejected`` of them; None: any file passes.

    Blank lines, headers and comments are no lines in this sense: nobody expected numbers in them.
    """
    if most_rejected is None:
        return
    counts = read.file.counts
    comments = read.reasons.get(COMMENT, 0)
    rejected = counts.rejected - comments
    lines = counts.lines - counts.blank - counts.header - comments
    if rejected and (rejected == lines or rejected > most_rejected * lines):
        raise InputError(_ask(read, rejected, lines))


def _ask(read: ReadFile, rejected: int, lines: int) -> str:
    reasons = sorted(_count_reasons(read.reasons).items(), key=lambda each: (-each[1], each[0]))
    named = ", ".join(f"{lines:,} {reason}" for reason, lines in reasons)
    remedy = _REMEDIES.get(reasons[0][0], _OTHER_REMEDY) if reasons else _OTHER_REMEDY
    return (
        f"{read.file.name} was not planned, because {rejected:,} of its {lines:,} lines were rejected: "
        f"{named} (first: {_name_lines(read)}). {remedy}. To send only the other lines, use "
        "`ekyc run --accept-rejected`."
    )


def _count_reasons(reasons: Mapping[str, int]) -> dict[str, int]:
    return {reason: lines for reason, lines in reasons.items() if reason != COMMENT}


def _name_lines(read: ReadFile) -> str:
    first = [str(line) for line in read.first_rejected]
    return f"line {first[0]}" if len(first) == 1 else f"lines {', '.join(first)}"
