"""What was unlike the contract is said, and no value with it."""

from __future__ import annotations

import pytest
from support.provider_rows import DOCUMENTED, STAMP, TG_AVATAR, normalized

from ekyc_tasks.normalize import Normalizer, layout_drift, layout_of, value_drift


@pytest.mark.parametrize(
    ("head", "sentences"),
    [
        (DOCUMENTED, []),
        (
            (*DOCUMENTED[:-1], "mood"),
            ["Column skin_color is missing.", "Column mood is unknown. It is kept in extra."],
        ),
        (
            ("number", *DOCUMENTED),
            ["Column number_2 has the same meaning as another. Where it differs, it is kept in extra."],
        ),
        (
            ("+41798284651", "yes", *[""] * 6),
            ["There is no header. The columns were read in the documented order."],
        ),
        (("Number",), ["Only lists of numbers were read, so only the verdict is known."]),
    ],
)  # fmt: skip
def test_absent_and_unknown_columns_are_reported(head, sentences):
    assert list(layout_drift([layout_of(head, TG_AVATAR)], TG_AVATAR)) == sentences


def test_what_only_some_tables_lack_is_said_of_so_many():
    layouts = [layout_of(head, TG_AVATAR) for head in (DOCUMENTED, DOCUMENTED[:-1], ("Number",))]
    assert list(layout_drift(layouts, TG_AVATAR)) == ["Column skin_color is missing from 1 of 2 tables."]


def test_new_words_are_named_and_anything_else_is_only_counted():
    normalizer = Normalizer(TG_AVATAR, STAMP)
    words = ["pet avatar", "landscape", "Anna 41798284651", "x" * 41, "a@example.com", "unknown"]
    rows = [(f"+4179828465{at}", "yes", word, "old") for at, word in enumerate(words)]
    normalized(("number", "telegram", "category", "age"), *rows, normalizer=normalizer)
    assert list(value_drift(normalizer)) == [
        "Column category has new values: landscape and 3 more.",
        "Column age has 6 cells that are not an age.",
    ]
