"""What a first row means, in every dialect."""

from __future__ import annotations

import pytest
from support.provider_rows import DOCUMENTED, PROFILE, TG_AVATAR

from ekyc_tasks.normalize import layout_of, offer
from ekyc_tasks.support import vocabulary
from ekyc_tasks.task_types import task_type, task_type_names

PLACES = {
    "telegram": 1, "avatar": 2, "age": 3, "gender": 4, "category": 5, "hair_color": 6, "skin_color": 7,
}  # fmt: skip
ACTIVATED = ("number", "activated", "age", "avatar", "category", "gender", "hair_color", "skin_color")


@pytest.mark.parametrize(
    ("head", "dialect", "fields", "extras"),
    [
        (DOCUMENTED, "documented", PLACES, []),
        (ACTIVATED, "activated", PLACES | {"avatar": 3, "age": 2, "gender": 5, "category": 4}, []),
        (
            PROFILE,
            "profile",
            {"telegram": 1, "avatar": 9, "age": 11, "gender": 10},
            ["uid", "username", "first_name", "last_name", "last_online_time", "active_days", "is_member",
             "ethnicity"],
        ),
        (
            ("\ufeffNUMBER ", " Telegram", "HAIR-COLOR", "skin color"),
            "documented",
            {"telegram": 1, "hair_color": 2, "skin_color": 3},
            [],
        ),
        (("telegram", "number"), "documented", {"telegram": 0}, []),
        (("number", "number", "activated"), "activated", {"telegram": 2}, ["number_2"]),
        (
            ("number", "foo", "foo", "foo_2", "activated"),
            "activated",
            {"telegram": 4},
            ["foo", "foo_2", "foo_2_2"],
        ),
        (("activated", "telegram", "number"), "documented", {"telegram": 1}, ["activated"]),
        (("telegram", "telegram", "number"), "documented", {"telegram": 0}, ["telegram_2"]),
        (("number", "telegram", "", "", "é"), "documented", {"telegram": 1}, ["unnamed", "unnamed_2", "é"]),
        (("+41798284651", "yes"), "no header", {"telegram": 1}, []),
        (("41798284651", "yes", "", "25"), "no header", {"telegram": 1, "avatar": 2, "age": 3}, []),
        (("+41798284651", *[""] * 8), "no header", PLACES, ["column_9"]),
        (("+41798284651",), "number list", {}, []),
        (("Number",), "number list", {}, []),
    ],
)  # fmt: skip
def test_knows_what_a_first_row_means(head, dialect, fields, extras):
    layout = layout_of(head, TG_AVATAR)
    assert (layout.dialect, dict(layout.fields), [extra.key for extra in layout.extras]) == (
        dialect,
        fields,
        extras,
    )
    assert layout.has_header == (not head[0].strip("+").isdigit())


@pytest.mark.parametrize("head", [(), ("",), ("telegram", "age"), ("hello, world",), ("yes", "+41798284651")])
def test_a_first_row_without_number_is_no_table(head):
    assert layout_of(head, TG_AVATAR) is None


@pytest.mark.parametrize(
    ("head", "verdict", "answers"),
    [
        (DOCUMENTED, None, True),
        (("number", "age"), None, False),
        (("number", "age"), True, True),
        (("+41798284651",), False, True),
    ],
)
def test_a_table_answers_by_a_column_or_by_its_name(head, verdict, answers):
    assert layout_of(head, TG_AVATAR, verdict).answers(TG_AVATAR) is answers
    assert not layout_of(("number",), task_type("tg_active"), verdict).answers(task_type("tg_active"))


WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})
STYLES = {
    "as it is": str,
    "capitals": str.upper,
    "full width": lambda name: name.translate(WIDE),
    "with marks": "\ufeff {} ".format,
    "snake": lambda name: name.replace(" ", "_"),
}


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("kind", task_type_names())
def test_each_name_of_each_language_is_of_its_column(kind, style):
    check = task_type(kind)
    fields = [(each.name, name) for each in check.fields for name in each.translations]
    assert fields
    for number, (field, name) in zip(vocabulary.NUMBERS * 5, fields, strict=False):
        layout = layout_of([style(name), style(number)], check)
        assert (layout.numbers, dict(layout.fields), layout.has_header) == ((1,), {field: 0}, True), name
    for number in vocabulary.NUMBERS:
        layout = layout_of([style(number), check.verdict.name], check)
        assert (layout.numbers, layout.answers(check)) == ((0,), True), number


@pytest.mark.parametrize(
    ("head", "numbers", "fields", "extras"),
    [
        (("号码", "手机号", "是否注册"), (1, 0), {"telegram": 2}, ["号码"]),
        (("number", "手机号", "telegram", "是否注册"), (0,), {"telegram": 2}, ["手机号", "是否注册"]),
        (("number", "是否注册", "头像"), (0,), {"telegram": 1, "avatar": 2}, []),
        (("手机号", "telegram", "valid"), (0,), {"telegram": 1}, ["valid"]),
        (("Telefon", "Geschlecht", "registriert"), (0,), {"gender": 1, "telegram": 2}, []),
    ],
)
def test_other_languages_name_only_what_has_no_column(head, numbers, fields, extras):
    layout = layout_of(head, TG_AVATAR)
    assert (layout.numbers, dict(layout.fields)) == (numbers, fields)
    assert [extra.key for extra in layout.extras] == extras


@pytest.mark.parametrize("word", ["celular", "手机", "cell", "registered", "是"])
def test_a_row_with_a_number_is_no_header_whatever_its_words(word):
    layout = layout_of(("+41798284651", "yes", word), TG_AVATAR)
    assert (layout.has_header, layout.numbers) == (False, (0,))


@pytest.mark.parametrize("verdict", ["registered", "是否注册", "valid"])
def test_a_header_whose_number_is_not_known_is_no_row(verdict):
    assert layout_of(("whom", verdict), TG_AVATAR, sample=[("+41798284651", "yes")]) is None


def test_the_verdict_of_another_check_is_known_in_other_languages_too():
    check = task_type("tg_active")
    assert offer(layout_of(("手机号", "是否注册"), check), check).is_of_another
