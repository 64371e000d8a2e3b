"""Which columns of a table are countries of its numbers, and what a file is made of with them."""

from __future__ import annotations

import io
import json

import phonenumbers
import polars as pl
import pytest
import xlsxwriter
from phonenumbers import PhoneNumberFormat
from support.examples import some_of
from support.landed_files import workbook

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake.column_names import CountryKind, country_kind_of
from ekyc_tasks.intake.country_columns import NO_COUNTRIES, CountryColumns, find_country_columns
from ekyc_tasks.intake.read_numbers import keep_decisions, origins_of_numbers, read_named_list
from ekyc_tasks.intake.rules import NO_COUNTRY_COLUMN, NO_RULES, ReadingRules, as_text, rules_from
from ekyc_tasks.phone.countries import _rows
from ekyc_tasks.phone.reasons import NATIONAL, NOT_THERE, UNKNOWN_COUNTRY

SWISS, GERMAN = 41798284651, 4915123456789
NATIONAL_SWISS, NATIONAL_GERMAN = "079 828 46 51", "0151 23456789"


@pytest.fixture
def read(tmp_path):
    def read(content, name="a.csv", **rules):
        path = tmp_path / "private copy"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        found = read_named_list(path, name=name, reading=ReadingRules(**rules))
        as_before = rules_from(as_text(keep_decisions(ReadingRules(**rules), found)))
        again = origins_of_numbers(path, name=name, reading=as_before)
        assert again.keys.tolist() == found.keys.tolist()
        return found

    return read


def table(header, *rows):
    return "".join(f"{row}\n" for row in (header, *rows))


# --- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "titles"),
    [
        (
            CountryKind.PLACE,
            "Country|country_code|CountryISO2|Billing Country|Country/Region|Land|Ländercode|Pays|code pays"
            "|País|código de país|Paese|Nazione|Страна|код страны|国家|国家代码|國家|国コード|국가|국가 코드"
            "|الدولة|رمز الدولة|देश|Negara|kode negara|Quốc gia|mã quốc gia|Ülke|ülke kodu|Kraj|Країна",
        ),
        (
            CountryKind.NUMBER,
            "Phone Country|phone_country_code|Dial code|dialing_code|Calling code|ISD Code|Landesvorwahl"
            "|Ländervorwahl|indicatif pays|prefijo internacional|prefisso internazionale|DDI|国番号|国际区号"
            "|국가번호|Telefon Ülke Kodu",
        ),
        (CountryKind.PREFIX, "Prefix|Vorwahl|Indicatif|Prefijo|Prefisso|区号|Phone code|phone_prefix|DDD"),
        (
            CountryKind.NONE,
            "Country of birth|Geburtsland|Birth country|country_id|Passport country|Bundesland|Nationality"
            "|Emergency contact country|Fax country code|IP country|Name|Phone|County|प्रदेश||pais " + "x" * 80,
        ),
    ],
)
def test_names_of_columns(kind, titles):
    assert [title for title in titles.split("|") if country_kind_of(title) is not kind] == []


# --- columns ----------------------------------------------------------------------------------------------


def columns_of(titles, *rows, rules=NO_RULES):
    return find_country_columns(titles.split(","), [row.split(",") for row in rows], [0], rules, "a.csv")


def test_a_column_is_one_where_most_cells_are_countries():
    assert columns_of("phone,country", "1,CH", "1,CH", "1,x") == CountryColumns((), (1,), ("country",))
    assert columns_of("phone,country", "1,CH", "1,x") == NO_COUNTRIES
    assert columns_of("phone,country", "1,", "1,CH").of_rows == (1,)
    assert columns_of("phone,nationality", "1,CH") == NO_COUNTRIES


def test_an_area_code_is_no_country():
    assert columns_of("phone,Vorwahl", "1,+41", "1,0049").of_numbers == (1,)
    for cell in ("030", "212", "91", "", "+41,x"):
        assert columns_of("phone,Vorwahl", f"+1,{cell}", "+1,030") == NO_COUNTRIES


def test_a_list_has_no_columns():
    assert columns_of("country", "CH") == NO_COUNTRIES
    assert columns_of("phone", "1", rules=ReadingRules(country_column="country")) == NO_COUNTRIES


def test_a_person_names_the_column_or_none():
    assert columns_of("phone,country,Wo", "1,CH,x", rules=ReadingRules(country_column="wo")).of_rows == ()
    assert list(columns_of("phone,country,Wo", "1,CH,x", rules=ReadingRules(country_column="wo"))) == [2]
    assert (
        columns_of("phone,country", "1,CH", rules=ReadingRules(country_column=NO_COUNTRY_COLUMN))
        == NO_COUNTRIES
    )
    with pytest.raises(InputError, match=r"no column “where” of countries.*country_column in landing\.toml"):
        columns_of("phone,country", "1,CH", rules=ReadingRules(country_column="where"))


# --- files ------------------------------------------------------------------------------------------------


def parquet(**columns):
    file = io.BytesIO()
    pl.DataFrame(columns).write_parquet(file)
    return file.getvalue()


PHONES = [NATIONAL_SWISS, NATIONAL_GERMAN]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", table("x,phone,country", f"Ann,{NATIONAL_SWISS},CH", f'Bob,{NATIONAL_GERMAN},"Germany"')),
        ("a.csv", table("Land;Handy", f"Schweiz;{NATIONAL_SWISS}", f"Deutschland;{NATIONAL_GERMAN}")),
        ("a.tsv", table("国家代码\t手机号", f"41\t{NATIONAL_SWISS}", f"49\t{NATIONAL_GERMAN}")),
        ("a.csv", table("dial code,national number,x", "+41,798284651,", "+49,15123456789,")),
        ("a.csv", table("Phone 1,Phone 2,country", f",{NATIONAL_SWISS},CH", f"{NATIONAL_GERMAN},,DE")),
        ("a.jsonl", "".join(
            json.dumps({"phone": phone, "address": {"country": country}}) + "\n"
            for phone, country in zip(PHONES, ["CHE", "DEU"], strict=True)
        )),
        ("a.json", json.dumps([{"phone": PHONES[0], "Land": 41}, {"phone": PHONES[1], "Land": 49}])),
        ("a.parquet", parquet(phone=PHONES, country=pl.Series(["CH", "DE"], dtype=pl.Categorical))),
        ("a.parquet", parquet(phone=PHONES, country_code=[41.0, 49.0])),
        ("a.parquet", parquet(phone=PHONES, country=[["CH"], ["DE", "DE"]])),
        ("a.xlsx", workbook({"A1": "Phone", "B1": "Country", "A2": NATIONAL_SWISS, "B2": "CH",
                             "A3": NATIONAL_GERMAN, "B3": 49})),
    ],
)  # fmt: skip
def test_files_of_all_formats(read, name, content):
    for region in (None, "US"):
        found = read(content, name, region=region)
        assert (found.keys.tolist(), found.rejected) == ([SWISS, GERMAN], 0)


def written_in_all_ways():
    names = {region: (three, known[0]) for region, three, known in _rows()}
    for region in some_of(sorted(phonenumbers.SUPPORTED_REGIONS)):
        number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        if number is not None:
            code = number.country_code
            e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
            national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
            yield from ((national, each, e164) for each in (region, *names[region], f"{code}", f"+{code}"))


def test_a_file_of_the_whole_world(read):
    rows = [(national, country, e164) for national, country, e164 in written_in_all_ways()]
    found = read(table("phone\tcountry", *(f"{phone}\t{country}" for phone, country, _ in rows)), "a.tsv")
    assert set(found.keys.tolist()) <= {int(e164) for _, _, e164 in rows}
    assert len(found.keys) > 0.9 * len({e164 for _, _, e164 in rows})
    assert found.rejected < 0.1 * len(rows)


def test_a_complete_number_an_empty_and_an_unknown_country(read):
    content = table(
        "phone,country", "+41 79 828 46 51,DE", "079 828 46 52,", "079 828 46 53,Atlantis",
        "079 828 46 55,DK", *["079 828 46 54,CH"] * 10,
    )  # fmt: skip
    assert read(content).keys.tolist() == [SWISS, SWISS + 3]
    assert read(content).reasons == {NATIONAL: 1, UNKNOWN_COUNTRY: 1, NOT_THERE: 1}
    assert read(content, region="CH").keys.tolist() == [SWISS, SWISS + 1, SWISS + 3]
    assert read(content, region="CH", country_column=NO_COUNTRY_COLUMN).keys.tolist() == [
        *range(SWISS, SWISS + 5)
    ]


def test_a_cell_with_an_error_is_no_empty_country(read):
    cells = {f"A{row}": NATIONAL_SWISS for row in range(2, 15)} | {f"B{row}": "CH" for row in range(2, 14)}
    cells = {"A1": "Phone", "B1": "Country", **cells}
    assert read(workbook(cells), "a.xlsx", region="CH").rejected == 0
    broken = io.BytesIO()
    book = xlsxwriter.Workbook(broken)
    sheet = book.add_worksheet()
    for place, text in cells.items():
        sheet.write_string(place, text)
    sheet.write_formula("B14", "=NA()", None, "#N/A")
    book.close()
    assert read(broken.getvalue(), "a.xlsx", region="CH").reasons == {UNKNOWN_COUNTRY: 1}


def test_columns_that_differ_are_a_question_where_it_matters(read):
    header = "phone,Billing country,Shipping country"
    agreed = table(header, f"{NATIONAL_SWISS},CH,Switzerland", f"{NATIONAL_GERMAN},DE,", "+41798284652,DE,CH")
    assert read(agreed).keys.tolist() == [SWISS, SWISS + 1, GERMAN]
    differing = table(header, f"{NATIONAL_SWISS},CH,DE", f"{NATIONAL_GERMAN},DE,DE")
    with pytest.raises(
        InputError, match="1 national number on lines that name two countries, in “Billing country”, "
    ):
        read(differing)
    assert read(differing, country_column="Billing country").keys.tolist() == [SWISS, GERMAN]


def test_the_calling_code_of_a_number_goes_before_the_country_of_a_person(read):
    content = table("phone,country,Dial code", f"{NATIONAL_SWISS},DE,+41", f"{NATIONAL_GERMAN},DE,")
    assert read(content).keys.tolist() == [SWISS, GERMAN]


def test_what_the_column_is_says_how_bare_digits_are_meant(read):
    """Somebody with a Swiss number lives in Germany; it would be a German number as well."""
    own = [f"{SWISS + number},CH" for number in range(20)]
    assert read(table("phone,country", f"{SWISS + 99},DE", *own)).keys[-1] == SWISS + 99
    with pytest.raises(InputError, match="meant for the country beside them or as international"):
        read(table("phone,country", f"{SWISS},DE"))
    assert read(table("phone,country code", "15123456789,49")).keys.tolist() == [GERMAN]
    mixed = [f"{SWISS + number},41" for number in range(5)]
    with pytest.raises(InputError, match="meant for the country beside them or as international"):
        read(table("phone,country code", *["15123456789,49"] * 3, *mixed))


def test_a_key_that_the_first_rows_do_not_have(read):
    rows = [{"phone": f"+4179828{number:04}"} for number in range(600)]
    rows += [{"phone": NATIONAL_GERMAN, "country": "DE"}]
    content = "".join(f"{json.dumps(row)}\n" for row in rows)
    assert GERMAN in read(content, "a.jsonl").keys.tolist()


def test_two_countries_in_one_row_of_json_are_a_question(read):
    phones = [{"phone": NATIONAL_SWISS, "country": "CH"}, {"phone": NATIONAL_GERMAN, "country": "DE"}]
    with pytest.raises(InputError, match="2 national numbers on lines that name two countries, in “phones"):
        read(json.dumps([{"phones": phones}, {"phones": phones[:1]}]), "a.json")
