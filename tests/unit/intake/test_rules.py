"""What `landing.toml` may say, which file a rule is for, and who is asked first how a file is read."""

from __future__ import annotations

import json
import string
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekyc_tasks.errors import ConfigurationError, InputError
from ekyc_tasks.intake.files import Arrival
from ekyc_tasks.intake.rules import (
    NO_COUNTRY_COLUMN,
    NO_RULES,
    LandingRule,
    ReadingPolicy,
    ReadingRules,
    as_text,
    read_landing_rules,
    rules_from,
)

WHOLE = ReadingRules(("Phone 1 - Value", "Mobile"), "CH", "Sheet1", ";", "cp1252", "Land")
COLUMNS = st.lists(st.text(min_size=1).filter(str.strip), max_size=3).map(tuple)
ANY = st.builds(
    ReadingRules,
    COLUMNS,
    st.none() | st.sampled_from(["CH", "US"]),
    st.none() | st.text(min_size=1),
    st.none() | st.sampled_from([";", "\t"]),
    st.none() | st.sampled_from(["gbk", "utf-8"]),
    st.none() | st.sampled_from(["Country", NO_COUNTRY_COLUMN]),
    st.lists(st.tuples(st.integers(0, 99), st.text()), max_size=3).map(tuple),
    st.none() | st.booleans(),
)


@pytest.fixture
def landing_toml(tmp_path):
    return tmp_path / "landing.toml"


def readings(path: Path, text: str) -> list[tuple[str, ReadingRules]]:
    path.write_text(text, encoding="utf-8")
    return [(rule.match, rule.reading) for rule in read_landing_rules(path) or ()]


def arrival(name: str, *, has_landed: bool = True) -> Arrival:
    return Arrival(Path("/landing") / name, name, 1, 1, 1, has_landed=has_landed)


# --- the file ---------------------------------------------------------------------------------------------


def test_where_there_is_no_file_there_are_no_rules(landing_toml):
    assert read_landing_rules(landing_toml) is None


def test_all_keys_of_a_rule_are_read(landing_toml):
    text = """
    [[files]]
    match = "crm/*.csv"
    columns = ["Phone 1 - Value", "Mobile"]
    region = "ch"
    sheet = "Sheet1"
    delimiter = ";"
    encoding = "windows-1252"
    country_column = " Land "
    [[files]]
    match = "*"
    """
    assert readings(landing_toml, text) == [("crm/*.csv", WHOLE), ("*", NO_RULES)]


def test_the_mark_that_editors_of_windows_write_is_no_part_of_the_file(landing_toml):
    assert readings(landing_toml, '\ufeff[[files]]\r\nmatch = "*"\r\n') == [("*", NO_RULES)]


WRONG_VALUES = [
    ('region = "XX"', "region"),
    ('region = "Switzerland"', "region"),
    ("region = 41", "region"),
    ("region = []", "region"),
    ('columns = "Mobile"', "columns"),
    ("columns = []", "columns"),
    ('columns = [""]', "columns"),
    ('columns = ["  "]', "columns"),
    ('columns = ["Mobile", 2]', "columns"),
    ('columns = ["Mobile", "*"]', "columns"),
    ('columns = ["Mobile", " MOBILE"]', "columns"),
    ("columns = true", "columns"),
    ("sheet = 1", "sheet"),
    ('sheet = ""', "sheet"),
    ('delimiter = ""', "delimiter"),
    ('delimiter = ";;"', "delimiter"),
    ('delimiter = "7"', "delimiter"),
    ('delimiter = "a"', "delimiter"),
    ('delimiter = "+"', "delimiter"),
    ('delimiter = "-"', "delimiter"),
    ('delimiter = "\\n"', "delimiter"),
    ("delimiter = '\"'", "delimiter"),
    ("delimiter = 1", "delimiter"),
    ('encoding = "klingon"', "encoding"),
    ('encoding = "hex"', "encoding"),
    ('encoding = "rot13"', "encoding"),
    ('encoding = "undefined"', "encoding"),
    ('encoding = "unicode_escape"', "encoding"),
    ('encoding = ""', "encoding"),
    ('encoding = "a\\u0000b"', "encoding"),
    ("encoding = 8", "encoding"),
    ('country_column = " "', "country_column"),
    ('country_column = ["Country"]', "country_column"),
    ('column = "Mobile"', "column"),
    ('Columns = ["Mobile"]', "Columns"),
    ('match = ""', "match"),
    ('match = "/crm/*.csv"', "match"),
    ('match = "../*.csv"', "match"),
    ('match = "crm//a.csv"', "match"),
    ('match = "crm/"', "match"),
    ("match = 'crm\\*.csv'", "match"),
    ('match = ["*.csv"]', "match"),
    ("match = 1", "match"),
]


@pytest.mark.parametrize(("line", "key"), WRONG_VALUES)
def test_an_error_names_the_file_the_rule_and_the_key(landing_toml, line, key):
    second = line if line.startswith("match") else f'match = "second.*"\n{line}'
    landing_toml.write_text(f'[[files]]\nmatch = "first.*"\n[[files]]\n{second}\n')

    with pytest.raises(ConfigurationError) as refusal:
        read_landing_rules(landing_toml)

    assert str(refusal.value).startswith(f"{landing_toml}, rule 2, {key}: ")
    assert str(refusal.value).endswith("until then nothing is planned or bought.")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ", files: there is no rule"),
        ("files = []", ", files: there is no rule"),
        ('files = "*.csv"', ", files: there is no rule"),
        ("files = [1]", ", rule 1, files: "),
        ('[files]\nmatch = "*"', ", files: there is no rule"),
        ('region = "CH"\n[[files]]\nmatch = "*"', ", region: there is no such key"),
        ('[[file]]\nmatch = "*"', ", file: there is no such key"),
        ('[[files]]\nregion = "CH"', ", rule 1, match: it is missing"),
        ("[[files]]\nmatch = *", " cannot be read as TOML (at line 2, column 9)"),
        ('[[files]]\nmatch = "*"\nmatch = "*"', " cannot be read as TOML (at "),
        (f"a = {'1' * 5000}", " cannot be read as TOML"),
        ("a = " + "[" * 20_000, " cannot be read as TOML"),
    ],
)
def test_a_file_that_is_no_list_of_rules_is_an_error(landing_toml, text, words):
    landing_toml.write_text(text)

    with pytest.raises(ConfigurationError) as refusal:
        read_landing_rules(landing_toml)

    assert str(refusal.value).startswith(f"{landing_toml}{words}")


def test_what_cannot_be_read_is_an_error_and_not_an_absent_file(landing_toml):
    landing_toml.write_bytes('[[files]]\nmatch = "Zürich"'.encode("latin-1"))
    with pytest.raises(ConfigurationError, match="UTF-8"):
        read_landing_rules(landing_toml)

    landing_toml.unlink()
    landing_toml.symlink_to(landing_toml.with_name("gone.toml"))
    with pytest.raises(ConfigurationError, match="link to a file that does not exist"):
        read_landing_rules(landing_toml)

    landing_toml.unlink()
    landing_toml.mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_landing_rules(landing_toml)


@pytest.mark.parametrize(
    "text",
    [
        '[[files]]\nmatch = "*"\n"+41 79 828 46 51" = 1',
        '[[files]]\nmatch = "*"\nregion = "41798284651"',
        '[[files]]\nmatch = "41798284651.csv"\ncolumns = 41798284651',
        '"41798284651" = 1',
        "a = 41798284651x",
        'a = "41798284651',
    ],
)
def test_no_error_shows_a_number(landing_toml, text):
    landing_toml.write_text(text)
    with pytest.raises(ConfigurationError) as refusal:
        read_landing_rules(landing_toml)
    assert "828" not in str(refusal.value).removeprefix(str(landing_toml))


@pytest.mark.parametrize(
    ("first", "second"), [("*", "*.csv"), ("**", "a.txt"), ("**/*", "x"), ("A.csv", "a.csv"), ("*", "*")]
)
def test_a_rule_that_is_never_reached_is_an_error(landing_toml, first, second):
    landing_toml.write_text(f'[[files]]\nmatch = "{first}"\n[[files]]\nmatch = "{second}"\n')
    with pytest.raises(ConfigurationError, match="rule 2, match: rule 1 matches the same files first"):
        read_landing_rules(landing_toml)


# --- which file a rule is for -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "fitting", "others"),
    [
        ("*", ["a.csv", "crm/a.csv", "crm/old/a.csv"], []),
        ("*.csv", ["a.csv", "A.CSV", "crm/a.csv"], ["a.csv.gz", "a.txt", "a.csv/b.txt"]),
        ("crm/*.csv", ["crm/a.csv", "CRM/b.csv"], ["a.csv", "crm/old/a.csv", "old/crm/a.csv", "xcrm/a.csv"]),
        ("crm/**", ["crm/a.csv", "crm/old/a.csv"], ["a.csv", "old/crm/a.csv"]),
        ("**/a.csv", ["a.csv", "crm/a.csv", "crm/old/a.csv"], ["b.csv", "crm/ba.csv"]),
        ("crm/**/a.csv", ["crm/a.csv", "crm/old/older/a.csv"], ["a.csv", "old/a.csv"]),
        ("2026-1?.csv", ["2026-11.csv", "x/2026-12.csv"], ["2026-1.csv", "2026-110.csv"]),
        ("[ab].csv", ["a.csv", "B.csv"], ["c.csv", "ab.csv"]),
        ("Zu\u0308rich.csv", ["Z\u00fcrich.csv", "z\u00dcrich.csv"], ["Zurich.csv"]),
    ],
)
def test_a_pattern_fits_names_as_a_shell_and_git_read_it(match, fitting, others):
    rule = LandingRule(match, NO_RULES)
    assert [name for name in (*fitting, *others) if rule.fits(name)] == fitting


@given(st.lists(st.text(string.ascii_letters + string.digits + ". -", min_size=1), min_size=1, max_size=4))
def test_a_name_without_a_sign_of_a_pattern_fits_itself_and_no_longer_name(parts):
    name = "/".join(parts)
    rule = LandingRule(name, NO_RULES)
    assert rule.fits(name)
    assert not rule.fits(f"{name}x")
    assert rule.fits(f"more/{name}") == (len(parts) == 1)


# --- who is asked first -----------------------------------------------------------------------------------


@given(ANY, ANY, ANY)
def test_each_key_is_what_the_first_says_who_says_anything(asked, said, settings):
    policy = ReadingPolicy(settings, (LandingRule("*", said),), asked)
    found = policy.rules_for(arrival("a.csv"))
    for key in ("columns", "region", "sheet", "delimiter", "encoding"):
        values = [getattr(layer, key) for layer in (asked, said, settings)]
        assert getattr(found, key) == next((value for value in values if value), values[-1])


def test_the_first_rule_that_fits_is_used():
    rules = [("crm/*", "CH"), ("*.csv", "US"), ("*", "DE")]
    landing = tuple(LandingRule(match, ReadingRules(region=region)) for match, region in rules)
    policy = ReadingPolicy(ReadingRules(region="FR"), landing)
    assert [policy.rules_for(arrival(name)).region for name in ("crm/a.csv", "a.csv", "a.txt")] == [
        "CH",
        "US",
        "DE",
    ]


def test_a_landed_file_without_a_rule_is_refused_where_there_are_rules():
    policy = ReadingPolicy(WHOLE, (LandingRule("crm/*", NO_RULES),))
    with pytest.raises(InputError, match=r"^a\.csv matches no rule in landing\.toml"):
        policy.rules_for(arrival("a.csv"))
    assert policy.rules_for(arrival("crm/a.csv")) == WHOLE


def test_a_file_from_elsewhere_needs_no_rule_nor_does_one_that_the_command_line_describes():
    policy = ReadingPolicy(WHOLE, (LandingRule("crm/*", NO_RULES),))
    assert policy.rules_for(arrival("a.csv", has_landed=False)) == WHOLE
    asked = replace(policy, asked=ReadingRules(region="US"))
    assert asked.rules_for(arrival("a.csv")) == replace(WHOLE, region="US")


@pytest.mark.parametrize("name", ["landing.toml", "crm/Landing.TOML"])
def test_rules_in_the_landing_folder_are_told_and_never_obeyed(name):
    for landing in (None, (LandingRule("*", NO_RULES),)):
        with pytest.raises(InputError, match="Move it to the data folder"):
            ReadingPolicy(NO_RULES, landing).rules_for(arrival(name))


# --- what the ledger keeps --------------------------------------------------------------------------------


@given(ANY)
def test_what_is_stored_is_read_back_and_has_the_readers_version(reading):
    stored = as_text(reading)
    assert rules_from(stored) == reading
    assert json.loads(stored)["reader"] >= 1
    assert stored.isascii()


def test_what_an_older_version_stored_is_read():
    unsaid = {"sheet": None, "delimiter": None, "encoding": None}
    stored = {"columns": ["Mobile"], "region": "CH", **unsaid, "reader": 1}
    assert rules_from(json.dumps(stored)) == ReadingRules(("Mobile",), "CH", country_column=NO_COUNTRY_COLUMN)


def test_who_says_how_a_file_is_read():
    rules = (LandingRule("b*", ReadingRules()), LandingRule("a*", ReadingRules(region="DE")))
    policy = ReadingPolicy(ReadingRules(("Tel",), "US"), rules, ReadingRules(sheet="S"))
    arrival = Arrival(Path("a.csv"), "a.csv", 1, mtime_ns=0, inode=0)
    assert {key: policy.who_says(key, arrival) for key in ("sheet", "region", "columns", "encoding")} == {
        "sheet": "on the command line",
        "region": "rule 2 in landing.toml",
        "columns": "EKYC_NUMBER_COLUMN",
        "encoding": None,
    }


def test_a_file_is_read_again_as_it_was_then_and_one_of_before_by_the_settings():
    policy = ReadingPolicy(ReadingRules(region="US"), (LandingRule("*", ReadingRules(region="DE")),), WHOLE)
    assert policy.rules_again(as_text(NO_RULES)) == NO_RULES
    assert policy.rules_again(None) == ReadingRules(region="US", country_column=NO_COUNTRY_COLUMN)


def test_what_the_first_reader_stored_has_no_column_of_countries():
    stored = json.loads(as_text(NO_RULES))
    del stored["country_column"]
    again = rules_from(json.dumps({**stored, "reader": 1}))
    assert again == ReadingRules(country_column=NO_COUNTRY_COLUMN)
    assert rules_from(as_text(again)) == again
