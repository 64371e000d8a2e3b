"""Which members are read, so that each row is read once."""

from __future__ import annotations

import zlib

import pytest
from support.archive_files import DOCUMENTED, HEADER, NUMBERS, workbook_bytes, write_zip, zip_bytes
from support.hostile_archives import archive, entry

from ekyc_tasks.errors import ArchiveError
from ekyc_tasks.models import ArchiveLimits
from ekyc_tasks.normalize import layout_of_table, offer
from ekyc_tasks.tabular import choose, open_members
from ekyc_tasks.tabular.member_names import verdict_of
from ekyc_tasks.task_types import task_type

LIMITS = ArchiveLimits()
TG_AVATAR = task_type("tg_avatar")
LIST = "\n".join(NUMBERS)
SHEET = [line.split(",") for line in DOCUMENTED.splitlines()]
BOOK = workbook_bytes(SHEET)
PART_2 = f"{HEADER}\n+41798284654,no,,,,,,\n"
MORE = "+41798284654\n"
README = "Thank you, dear customer, for your order."
HEADERLESS = "+41798284654,no,,,,,,\n"
PROFILE_BODY = "41798284655,true,5,ann,Ann,Lee,2026-01-01,3,false,,,,\n"
PROFILE = (
    "Phone,activated,uid,username,first_name,last_name,Last Online Time,Active Days,Is Member,Avatar,Gender,"
    f"Age,Ethnicity\n{PROFILE_BODY.replace('5,true', '6,true')}"
)
UNANSWERED = "number,name\n+41798284651,Ann\n"
SHORT = "Number,telegram\n+41798284651,yes\n"


def judge(table):
    return offer(layout_of_table(table, TG_AVATAR), TG_AVATAR)


def chosen(path, members):
    write_zip(path / "a.zip", members)
    with open_members(path / "a.zip", LIMITS) as found:
        choice = choose(found, judge, LIMITS)
        tiers = [[table.name for table in tier] for tier in choice.tiers]
        return [*tiers, *([book.name] for book in choice.workbooks)], dict(choice.left_aside)


@pytest.mark.parametrize(
    ("members", "tiers", "left_aside"),
    [
        ({"t/all.csv": DOCUMENTED}, [["t/all.csv"]], {}),
        (
            {
                "t/all.csv": DOCUMENTED,
                "t/activated.txt": LIST,
                "t/unregistered.txt": MORE,
                "t/result.xlsx": BOOK,
            },
            [["t/all.csv"], ["t/activated.txt", "t/unregistered.txt"], ["t/result.xlsx"]],
            {},
        ),
        (
            {"activated.csv": DOCUMENTED, "all.csv": DOCUMENTED + "+41798284659,no,,,,,,\n"},
            [["all.csv"], ["activated.csv"]],
            {},
        ),
        ({"d4g.csv": DOCUMENTED, "activated.csv": PART_2}, [["d4g.csv"], ["activated.csv"]], {}),
        ({"all.csv": DOCUMENTED, "d4g.csv": PART_2}, [["all.csv"], ["d4g.csv"]], {}),
        ({"part10.csv": PART_2, "part2.csv": DOCUMENTED}, [["part2.csv", "part10.csv"]], {}),
        (
            {"activated.csv": DOCUMENTED, "unregistered.csv": PART_2},
            [["activated.csv", "unregistered.csv"]],
            {},
        ),
        ({"full.csv": DOCUMENTED, "short.csv": SHORT}, [["full.csv"], ["short.csv"]], {}),
        ({"part1.csv": DOCUMENTED, "part2.csv": HEADERLESS}, [["part1.csv", "part2.csv"]], {}),
        (
            {"info.csv": UNANSWERED, "part1.csv": SHORT, "part2.csv": "+41798284652,no\n"},
            [["part1.csv", "part2.csv"]],
            {"info.csv": "no answers in it"},
        ),
        ({"part1.csv": PROFILE, "part2.csv": PROFILE_BODY}, [["part1.csv", "part2.csv"]], {}),
        (
            {"a.csv": DOCUMENTED, "b.csv": DOCUMENTED},
            [["a.csv"]],
            {"b.csv": "the same bytes as member 1 of a.zip"},
        ),
        (
            {
                "__MACOSX/._all.csv": DOCUMENTED,
                ".DS_Store": b"\0\0\0\1Bud1",
                "x/Thumbs.db": "x",
                "all.csv": DOCUMENTED,
            },
            [["all.csv"]],
            dict.fromkeys(
                ["__MACOSX/._all.csv", ".DS_Store", "x/Thumbs.db"], "a file of an operating system"
            ),
        ),
        (
            {"./all.csv": DOCUMENTED, "./.all.csv": PART_2},
            [["./all.csv"]],
            {"./.all.csv": "a file of an operating system"},
        ),
        (
            {"all.csv": DOCUMENTED, "raw.json": str(list(range(300)))},
            [["all.csv"]],
            {"raw.json": "more than 256 columns, too many for a table of results"},
        ),
        (
            {"readme.txt": README, "logo.png": b"\x89PNG\r\n", "e.csv": "", "all.csv": DOCUMENTED},
            [["all.csv"]],
            {"readme.txt": "no known column of numbers", "logo.png": "a picture", "e.csv": "empty"},
        ),
        (
            {"all.csv": DOCUMENTED, "inner.zip": zip_bytes({"all.csv": PART_2})},
            [["all.csv"]],
            {"inner.zip": "an archive inside the archive"},
        ),
        ({"activated.txt": LIST, "unregistered.txt": MORE}, [["activated.txt", "unregistered.txt"]], {}),
        (
            {"activated.txt": LIST, "numbers.txt": MORE},
            [["activated.txt"]],
            {"numbers.txt": "only numbers, and its name does not say yes or no"},
        ),
        (
            {"activated.txt": LIST, "unregistered.txt": MORE, "result.xlsx": BOOK},
            [["result.xlsx"], ["activated.txt", "unregistered.txt"]],
            {},
        ),
        (
            {"activated.txt": LIST, "unregistered.txt": MORE, "result.xlsx": BOOK[: len(BOOK) // 2]},
            [["activated.txt", "unregistered.txt"]],
            {"result.xlsx": "workbooks that cannot be read"},
        ),
        (
            {"result.xlsx": BOOK, "activated.txt": "x y"},
            [["result.xlsx"]],
            {"activated.txt": "no known column of numbers"},
        ),
        (
            {"numbers.csv": UNANSWERED, "result.xlsx": BOOK},
            [["result.xlsx"]],
            {"numbers.csv": "no answers in it"},
        ),
        (
            {"all_failed.csv": UNANSWERED, "activated.txt": LIST, "result.csv": DOCUMENTED},
            [["result.csv"], ["activated.txt"]],
            {"all_failed.csv": "no answers in it"},
        ),
        (
            {
                "result.xlsx": workbook_bytes(
                    [["a note"]], SHEET, [SHEET[0], ["+41798284655", "no", *[None] * 6]]
                )
            },
            [["result.xlsx: sheet2", "result.xlsx: sheet3"]],
            {"result.xlsx: sheet1": "no known column of numbers"},
        ),
        (
            {"result.xlsx": workbook_bytes(SHEET, [["+41798284655", "no", *"xxxxxx"]])},
            [["result.xlsx: sheet1", "result.xlsx: sheet2"]],
            {},
        ),
    ],
)
def test_tables_of_one_tier_complete_each_other(tmp_path, members, tiers, left_aside):
    assert chosen(tmp_path, members) == (tiers, left_aside)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({}, "it is empty"),
        ({"readme.txt": "hello"}, "member 1 of a.zip: no known column of numbers"),
        (
            {"b.txt": "", "a.txt": "hello", "c.txt": "you"},
            r"member 2 of a.zip and 1 more: no known column of numbers; member 1 of a.zip: empty\)\. Ask",
        ),
        ({"all.xlsx": workbook_bytes([["a"]], [["b"]])}, "a sheet and 1 more: no known column of numbers"),
        ({"inner.zip": zip_bytes({"all.csv": DOCUMENTED})}, "an archive inside the archive"),
        ({"Ann.csv": "hello", "b.csv": "hello"}, r"member 2 of a.zip: the same bytes as member 1 of a.zip"),
        ({"numbers.txt": LIST}, "does not say yes or no"),
        ({"result.xlsx": BOOK[: len(BOOK) // 2]}, "truncated or damaged"),
        ({"result.xlsx": zip_bytes({"[Content_Types].xml": "", "xl/workbook.xml": "no xml"})}, "damaged"),
    ],
)
def test_refuses_archives_without_rows(tmp_path, members, words):
    with pytest.raises(ArchiveError, match=words):
        chosen(tmp_path, members)


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("t/activated.txt", True),
        ("t/registered_2.txt", True),
        ("unregistered.txt", False),
        ("UNACTIVATED.TXT", False),
        ("not-activated.csv", False),
        ("all.csv", None),
        ("tg_active_result.csv", None),
        ("activated/all.csv", None),
        ("activated\\all.csv", None),
        ("d4g24no2jvh04o9uoh0_activated.txt", True),
        ("Activated No 1.txt", True),
        ("activated_no_avatar2.txt", True),
        ("notRegistered.txt", False),
        ("non activated.txt", False),
        ("registered_and_unregistered.txt", None),
    ],
)
def test_a_member_s_name_may_tell_its_verdict(name, verdict):
    assert verdict_of(name) is verdict


def test_a_sheet_is_read_by_rows_with_their_numbers(tmp_path):
    rows = [
        [None, None],
        ["Number", "telegram"],
        [41798284651.0, True],
        [None, None],
        [4.1798284652e10, "no"],
    ]
    (tmp_path / "a.xlsx").write_bytes(workbook_bytes(rows))
    with open_members(tmp_path / "a.xlsx", LIMITS) as members:
        ((table,),) = choose(members, judge, LIMITS).tiers
        (block,) = table.blocks(True, ())
    assert table.head == ("Number", "telegram")
    assert block.frame.rows() == [("41798284651", "true"), ("41798284652", "no")]
    assert block.lines.tolist() == [3, 5]


def test_bytes_that_only_claim_to_be_the_same_are_looked_at(tmp_path):
    rows = DOCUMENTED.encode()
    first, _ = made = entry(b"a.csv", rows)
    other = entry(b"b.csv", rows.replace(b"yes", b"no "), crc=zlib.crc32(rows), offset=len(first))
    (tmp_path / "a.zip").write_bytes(archive(made, other))
    with open_members(tmp_path / "a.zip", LIMITS) as members, pytest.raises(ArchiveError, match="checksum"):
        choose(members, judge, LIMITS)


def test_refuses_a_workbook_beyond_a_limit(tmp_path):
    book = workbook_bytes([["Number", "telegram"], *[[41798284651 + n, "yes"] for n in range(5_000)]])
    (tmp_path / "a.xlsx").write_bytes(book)
    limits = ArchiveLimits(max_total_bytes=100_000)
    with open_members(tmp_path / "a.xlsx", limits) as members, pytest.raises(ArchiveError, match="limit"):
        choose(members, judge, limits)
