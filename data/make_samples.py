"""Make `data/samples/`: four files of numbers, from very many countries, with the dirt that lists have.

    python data/make_samples.py

The numbers are the example numbers of `phonenumbers`, of every region and kind. That is not enough for a
batch worth looking at, so the rest has the shape of an example too: one with its last two digits changed.
They are made up, and nobody is known to have one; but some may be in use, as with any number of the right
shape. Nothing here is about a person. The same version of `phonenumbers` always gives the same bytes.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain, cycle, zip_longest
from pathlib import Path

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

SAMPLES = Path(__file__).parent / "samples"
NUMBERS = 4_000

Write = Callable[[PhoneNumber], str]

_FULL_WIDTH = str.maketrans("0123456789+", "０１２３４５６７８９＋")
_ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
_JUNK = ("n/a", "unknown", "none", "-", "?", "see notes", "call reception", "no phone", "#REF!", "+")


def main() -> None:
    SAMPLES.mkdir(exist_ok=True)
    for name, content in samples().items():
        (SAMPLES / name).write_bytes(content)


def samples() -> dict[str, bytes]:
    """The content of each file by its name."""
    chance = random.Random("samples")  # noqa: S311  # has to repeat, not to be secret
    numbers = list(numbers_of_the_world())
    chance.shuffle(numbers)
    crm, campaign, signups, partners = (
        numbers[:1_500],
        numbers[1_500:2_700],
        numbers[2_700:3_400],
        numbers[3_400:],
    )
    campaign += chance.sample(crm, 150)  # customers, asked again
    signups += chance.sample(crm + campaign, 90)
    partners += chance.sample(signups, 60)
    return {
        "campaign.txt": campaign_txt(campaign, chance),
        "crm-export.csv": crm_export_csv(crm, chance),
        "partners.csv.gz": partners_csv_gz(partners, chance),
        "signups.tsv": signups_tsv(signups, chance),
    }


# --- numbers --------------------------------------------------------------------------------------------


@cache
def numbers_of_the_world() -> tuple[PhoneNumber, ...]:
    """Every example number, then numbers of their shape, region by region in turn; each once."""
    by_text: dict[str, PhoneNumber] = {}
    for number in chain(_examples(), _shaped_like_examples()):
        by_text.setdefault(e164(number), number)
        if len(by_text) == NUMBERS:
            break
    return tuple(by_text.values())


def _examples() -> Iterator[PhoneNumber]:
    regions = sorted(phonenumbers.SUPPORTED_REGIONS)
    for kind in PhoneNumberType.values():
        yield from filter(None, (phonenumbers.example_number_for_type(region, kind) for region in regions))
    codes = sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS)
    yield from filter(None, map(phonenumbers.example_number_for_non_geo_entity, codes))


def _shaped_like_examples() -> Iterator[PhoneNumber]:
    kinds = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE)
    regions = sorted(phonenumbers.SUPPORTED_REGIONS)
    examples = (phonenumbers.example_number_for_type(region, kind) for region in regions for kind in kinds)
    siblings = [_siblings(example) for example in examples if example is not None]
    return filter(None, chain.from_iterable(zip_longest(*siblings)))


def _siblings(example: PhoneNumber) -> list[PhoneNumber]:
    endings = (37 * turn % 100 for turn in range(1, 10))
    numbers = [phonenumbers.parse(f"{e164(example)[:-2]}{ending:02}", None) for ending in endings]
    return [number for number in numbers if phonenumbers.is_valid_number(number)]


# --- notations ------------------------------------------------------------------------------------------


def e164(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def bare(number: PhoneNumber) -> str:
    return e164(number)[1:]


def double_zero(number: PhoneNumber) -> str:
    return f"00{bare(number)}"


def spaced(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)


def dashed(number: PhoneNumber) -> str:
    return spaced(number).replace(" ", "-")


def in_parentheses(number: PhoneNumber) -> str:
    code, *rest = spaced(number).split(" ")
    return f"({code}) {'.'.join(rest)}"


def linked(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.RFC3966)


def whatsapp(number: PhoneNumber) -> str:
    return f"whatsapp:{e164(number)}"


def full_width(number: PhoneNumber) -> str:
    return e164(number).translate(_FULL_WIDTH)


def arabic(number: PhoneNumber) -> str:
    return e164(number).translate(_ARABIC)


def as_float(number: PhoneNumber) -> str:
    return f"{bare(number)}.0"


def rounded(number: PhoneNumber) -> str:
    """What a spreadsheet makes of a long number in a narrow column: rejected."""
    return f"{int(bare(number)):.5E}"


def national(numbers: list[PhoneNumber], count: int, chance: random.Random) -> list[str]:
    """Numbers with their trunk zero, which mean nothing without a default region: rejected."""
    texts = [phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL) for number in numbers]
    return chance.sample([text for text in texts if text.startswith("0")], count)


def cut_off(number: PhoneNumber) -> str:
    """Too short for any country: rejected."""
    return e164(number)[:5]


def notation(chance: random.Random, usual: Write, others: tuple[Write, ...], share: float) -> Write:
    return chance.choice(others) if chance.random() < share else usual


# --- files ----------------------------------------------------------------------------------------------


def campaign_txt(numbers: list[PhoneNumber], chance: random.Random) -> bytes:
    """One a line in any notation, CRLF, with comments, blanks and repeats."""
    others = (bare, double_zero, spaced, dashed, in_parentheses, linked, whatsapp, full_width, arabic)
    lines = [notation(chance, e164, others, 0.5)(number) for number in numbers]
    lines += [notation(chance, e164, others, 0.9)(number) for number in chance.sample(numbers, 70)]
    lines += [cut_off(number) for number in chance.sample(numbers, 12)]
    lines += ["", "", "", "   ", "\t", *_JUNK, *_JUNK]
    chance.shuffle(lines)
    lines[200:200] = ["", "# second wave", f"# {e164(numbers[0])} was in here twice"]
    return "".join(f"{line}\r\n" for line in ["# spring campaign", *lines]).encode()


def crm_export_csv(numbers: list[PhoneNumber], chance: random.Random) -> bytes:
    """Semicolons, a header, quotes, and a mark in front as spreadsheets write it."""
    others = (spaced, double_zero, in_parentheses, as_float, linked)
    phones = [notation(chance, e164, others, 0.35)(number) for number in numbers]
    phones += [spaced(number) for number in chance.sample(numbers, 45)]
    phones += [write(number) for write in (rounded, cut_off) for number in chance.sample(numbers, 15)]
    phones += national(numbers, 15, chance)
    phones += [""] * 25 + list(_JUNK)
    chance.shuffle(phones)
    segments = cycle(("retail", "wholesale", '"retail; online"', '"say ""new"""'))
    rows = [
        f"C{100_000 + row};{next(segments)};{phone};{chance.randrange(2015, 2026)}"
        for row, phone in enumerate(phones)
    ]
    return "\n".join(["customer_id;segment;Phone number;since", *rows, ""]).encode("utf-8-sig")


def signups_tsv(numbers: list[PhoneNumber], chance: random.Random) -> bytes:
    """Tabs in UTF-16, which spreadsheets call Unicode text."""
    phones = [
        notation(chance, e164, (bare, spaced, as_float, double_zero), 0.6)(number) for number in numbers
    ]
    phones += [rounded(number) for number in chance.sample(numbers, 10)] + national(numbers, 10, chance)
    chance.shuffle(phones)
    rows = [
        f"{row}\t{phone}\t{chance.choice(('web', 'app', 'Börse'))}"
        for row, phone in enumerate(phones, start=1)
    ]
    return "\r\n".join(["id\tMobile\tsource", *rows, ""]).encode("utf-16")


def partners_csv_gz(numbers: list[PhoneNumber], chance: random.Random) -> bytes:
    """Two columns without a header, packed."""
    phones = [notation(chance, bare, (e164,), 0.2)(number) for number in numbers]
    phones += [bare(number) for number in chance.sample(numbers, 20)]
    chance.shuffle(phones)
    rows = [f'{chance.choice(("north", "south"))},"{phone}"\n' for phone in phones]
    return gzip.compress("".join(rows).encode(), mtime=0)


if __name__ == "__main__":
    main()
