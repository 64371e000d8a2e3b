"""A file whose lines are rejected more often than by accident is a question."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_clock import START

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake.mostly_rejected import require_mostly_numbers
from ekyc_tasks.intake.read_numbers import ReadFile
from ekyc_tasks.ledger import LandedFile
from ekyc_tasks.models import LineCounts
from ekyc_tasks.phone.msisdns import NO_MSISDNS
from ekyc_tasks.phone.reasons import COMMENT, NATIONAL, NO_DIGITS, ROUNDED, SEVERAL, TOO_SHORT

FIFTH = Decimal("0.2")
LINES = st.integers(0, 60)


def file_of(reasons, *, good=0, blank=0, header=0):
    """A file that was read: lines by what became of them, the rejected ones by reason."""
    reasons = {reason: lines for reason, lines in reasons.items() if lines}
    rejected = sum(reasons.values())
    lines = good + blank + header + rejected
    counts = LineCounts(lines=lines, blank=blank, header=header, rejected=rejected)
    file = LandedFile("f", "a.csv", "", 0, "", "", "tg", START, "run", 0, counts=counts)
    return ReadFile(file, NO_MSISDNS, reasons, first_rejected=(2, 5, 9))


def question(read, most=FIFTH):
    try:
        require_mostly_numbers(read, most_rejected=most)
    except InputError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("good", "rejected", "most", "is_asked"),
    [
        (4, 1, "0.2", False),  # exactly the share
        (3, 1, "0.2", True),
        (71, 29, "0.29", False),  # 0.29 * 100 is less than 29 in binary
        (70, 30, "0.29", True),
        (0, 1, "1", True),  # all, whatever the share
        (1, 99, "1", False),
        (1000, 1, "0", True),
        (0, 0, "0", False),
    ],
)
def test_a_file_is_a_question_above_the_share_or_if_no_line_is_left(good, rejected, most, is_asked):
    assert bool(question(file_of({TOO_SHORT: rejected}, good=good), Decimal(most))) is is_asked


@given(st.tuples(*[LINES] * 6), st.integers(0, 100))
def test_only_lines_that_were_meant_as_numbers_count(lines, percent):
    good, short, empty, blank, header, comments = lines
    reasons = {TOO_SHORT: short, NO_DIGITS: empty, COMMENT: comments}
    read = file_of(reasons, good=good, blank=blank, header=header)
    rejected = short + empty

    asked = question(read, Decimal(percent) / 100)

    is_too_much = rejected and Fraction(rejected, rejected + good) > Fraction(percent, 100)
    assert bool(asked) is bool(is_too_much or (rejected and not good))
    if asked:
        assert f"because {rejected:,} of its {rejected + good:,} lines were rejected" in asked
        assert question(read, None) is None


def test_reasons_are_named_by_count_and_comments_are_not():
    asked = question(file_of({NO_DIGITS: 2, TOO_SHORT: 1200, COMMENT: 9}, good=3))

    assert f": 1,200 {TOO_SHORT}, 2 {NO_DIGITS} (first: lines 2, 5, 9). " in asked
    assert COMMENT not in asked
    assert asked.endswith("use `ekyc run --accept-rejected`.")


@pytest.mark.parametrize(
    ("most", "words"),
    [
        (NATIONAL, "EKYC_DEFAULT_REGION"),
        (ROUNDED, "as text"),
        (SEVERAL, "a line of its own"),
        (TOO_SHORT, ""),
    ],
)
def test_the_remedy_is_that_of_the_most_frequent_reason(most, words):
    asked = question(file_of({NO_DIGITS: 2, most: 5}))

    assert words in asked
    assert ("Correct these lines" in asked) is (not words)
