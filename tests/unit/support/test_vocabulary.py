"""Words of several languages: none says two things."""

from __future__ import annotations

from itertools import combinations

import pytest

from ekyc_tasks.support import vocabulary
from ekyc_tasks.support.vocabulary import fold

COLUMNS = {
    name: getattr(vocabulary, name)
    for name in (
        "NUMBERS", "VERDICTS", "AVATARS", "AGES", "GENDERS", "CATEGORIES", "HAIR_COLORS", "SKIN_COLORS",
        "STATUSES", "DAYS",
    )
}  # fmt: skip


@pytest.mark.parametrize(("one", "other"), [*combinations(COLUMNS, 2)])
def test_no_name_is_of_two_columns(one, other):
    assert set(map(fold, COLUMNS[one])) & set(map(fold, COLUMNS[other])) == set()


@pytest.mark.parametrize(
    ("one", "other"), [("YES", "NO"), ("YES", "UNKNOWN"), ("NO", "UNKNOWN"), ("MALE", "FEMALE")]
)
def test_no_word_says_two_things(one, other):
    words = [set(map(fold, getattr(vocabulary, name))) for name in (one, other)]
    assert words[0] & words[1] == set()


def test_active_is_not_inactive():
    assert set(vocabulary.ACTIVE) & set(vocabulary.INACTIVE) == set()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ｒegistered", "REGISTERED"),
        ("ﾃ", "テ"),
        ("Téléphone", "TE\u0301LE\u0301PHONE"),
        ("STRASSE", "straße"),
        ("DEĞİL", "değil"),
    ],
)
def test_what_looks_alike_is_alike(one, other):
    assert fold(one) == fold(other)


def test_accents_are_often_left_out_and_other_marks_never():
    assert {"número", "numero", "số điện thoại", "so dien thoai", "kayıtlı", "kayitli"} <= {
        *vocabulary.NUMBERS,
        *vocabulary.VERDICTS,
    }
    assert "हाँ" in vocabulary.YES
    assert "ह" not in vocabulary.YES
