"""Lines that say what they mean, and the law of digits: an oracle that knows nothing of the reader.

It is told how each line was made, and looks at digits alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import phonenumbers
from phonenumbers import PhoneNumberFormat
from support.phone_lines import EXAMPLES, seeded
from support.phone_readings import said_of

CODES = {str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE}
LETTERS = "AbOlЯé王_*"
WORDS = ["Ann", "Max Muster", "home", "(mobile)", "Büro", "Анна", "VIP", "CHE", "aus Bern"]


@dataclass
class Line:
    """``allowed``: what may be sent. ``demanded``: what has to be, unless the line is rejected."""

    text: str
    region: str | None = None
    allowed: set[str] = field(default_factory=set)
    demanded: set[str] = field(default_factory=set)


def digits_of(text: str) -> str:
    return re.sub("[^0-9]", "", text)


# --- the law, by digits alone -------------------------------------------------------------------------------


def is_lawful(number: str, text: str, region: str | None) -> bool:
    """Whether the digits of a number are a run of the text's own, behind a code that is given, and what is in
    front of it is a prefix, or belongs to a number before."""
    digits, whole = digits_of(text), number[1:]
    code = next(whole[:size] for size in (1, 2, 3) if whole[:size] in CODES)
    national = whole[len(code) :]
    home = None if region is None else str(phonenumbers.country_code_for_region(region))
    for found in re.finditer(f"(?={national})", digits):
        before = digits[: found.start()]
        given = re.fullmatch(rf"(.*?)(00|011)?({code})(0|1)?", before)
        if given or (home == code and re.fullmatch("(0|1|8|06|02|01)?", before)):
            return True
    return False


# --- lines --------------------------------------------------------------------------------------------------


def example(chance):
    number = chance.choice(EXAMPLES)
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return e164, phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL), number


def make_line(chance) -> Line:
    """A real-shaped number in one of twenty notations, with or without company."""
    e164, spaced, number = example(chance)
    other, *_ = example(chance)
    region = phonenumbers.region_code_for_number(number)
    national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    word = chance.choice(WORDS)
    item, day = chance.randrange(1, 200), chance.randrange(1, 29)
    sign = chance.choice((";", ",", " / ", "|", " ::: "))
    return chance.choice(
        (
            lambda: Line(e164, None, {e164}, {e164}),
            lambda: Line(spaced, None, {e164}, {e164}),
            lambda: Line(e164[1:], None, {e164}, {e164}),
            lambda: Line(f"00{e164[1:]}", None, {e164}, {e164}),
            lambda: Line(spaced.replace(" ", "-"), None, {e164}, {e164}),
            lambda: Line(f"tel:{e164}", None, {e164}, {e164}),
            lambda: Line(f"{e164[1:]}.0", None, {e164}, {e164}),
            lambda: Line(f"{e164[1:]}@s.whatsapp.net", None, {e164}, {e164}),
            lambda: Line(f"{e164[1:]}:{item % 90}@s.whatsapp.net", None, {e164}, {e164}),
            lambda: Line(f"{spaced} {word}", None, {e164}, {e164}),
            lambda: Line(f"{word}: {spaced}", None, {e164}, {e164}),
            lambda: Line(f"{spaced} ext. {item}", None, {e164}, {e164}),
            lambda: Line(f"{e164} x{item}", None, {e164}, {e164}),
            lambda: Line(f"{e164}{sign}{other}", None, {e164, other}, {e164, other}),
            lambda: Line(f"{e164} {other}", None),
            lambda: Line(f"{e164}{sign}{item % 100}", None, {e164}, {e164}),
            lambda: Line(f"{item}. {e164[1:]}", None, {e164}),
            lambda: Line(f"{item}) {e164[1:]}", region, {e164}),
            lambda: Line(national, region, {e164}, {e164}),
            lambda: Line(f"{national} {word}", region, {e164}, {e164}),
            lambda: Line(f"{national} x{item}", region, {e164}, {e164}),
            lambda: Line(
                national, None, {e164} if national.startswith("00") else {f"+{digits_of(national)}"}
            ),
            lambda: Line(
                f"{day:02}.{item % 12 + 1:02}.{1990 + item % 40}", chance.choice((None, "DE", "US"))
            ),
            lambda: Line(
                f"{1990 + item % 40}-{item % 12 + 1:02}-{day:02}", chance.choice((None, "DE", "US"))
            ),
            lambda: Line(f"192.168.{item}.{day}", chance.choice((None, "DE", "US"))),
            lambda: Line(f"{e164[:-4]}{chance.choice(LETTERS)}{e164[-4:]}", None),
            lambda: Line(f"{spaced} bis {item % 100}", None, {e164}),
        )
    )()


@dataclass(frozen=True)
class Judged:
    """A line, what was sent for it or may be, and why parts of it were rejected."""

    line: Line
    numbers: list[str]
    reasons: list[str]


def judge(seed, count: int) -> list[Judged]:
    """Each of so many lines as it is read, region by region as files are."""
    chance = seeded(seed)
    lines = [make_line(chance) for _ in range(count)]
    found = []
    for region in {line.region for line in lines}:
        mine = [line for line in lines if line.region == region]
        said = said_of([line.text for line in mine], region)
        found += [
            Judged(line, each.numbers + each.abroad, each.reasons)
            for line, each in zip(mine, said, strict=True)
        ]
    return found


def sent_wrongly(judged: list[Judged]) -> list[tuple[Line, str]]:
    """What the line does not mean, or what is not of its digits."""
    return [
        (each.line, number)
        for each in judged
        for number in each.numbers
        if not (number in each.line.allowed or is_the_other_reading(number, each.line))
        or not is_lawful(number, each.line.text, each.line.region)
    ]


def dropped(judged: list[Judged]) -> list[Line]:
    """Lines that mean a number which is neither sent nor rejected, and lines of which nothing is said."""
    return [
        each.line
        for each in judged
        if not each.reasons and (not each.numbers or not each.line.demanded <= set(each.numbers))
    ]


def is_the_other_reading(number: str, line: Line) -> bool:
    """Bare digits may be a number here and one abroad; the column decides, or the file is a question."""
    return line.region is not None and number == f"+{digits_of(line.text.partition(' x')[0])}"


def share_rejected(judged: list[Judged]) -> float:
    """Of lines that mean a number, those that are rejected whole."""
    meant = [each for each in judged if each.line.demanded]
    return sum(not each.numbers for each in meant) / len(meant)
