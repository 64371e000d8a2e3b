"""Dirt by chance: lines in the spellings of every day, and files that were mangled on their way."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from pathlib import Path

import phonenumbers
import polars as pl
import pyarrow as pa
from support.landed_lines import read_lines

from ekyc_tasks.errors import InputError
from ekyc_tasks.phone import NO_MSISDN, read_msisdns

SAMPLES = sorted((Path(__file__).parents[2] / "data" / "samples").iterdir())


def mixed(chance, count):
    codes = list(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
    spellings = ("+{}", "+{}", "+{}", "+{} ", "00{}", " +{}", "tel:+{}", "whatsapp:+{}", '"+{}"')
    texts = []
    for _ in range(count):
        code = chance.choice(codes) if chance.random() < 0.95 else chance.randrange(1, 1000)
        digits = f"{code}{chance.randrange(10 ** chance.choice((5, 7, 8, 9, 9, 10, 10, 11, 13)))}"
        if chance.random() < 0.3:
            cut = chance.randrange(1, len(digits))
            digits = f"{digits[:cut]}{chance.choice(' -')}{digits[cut:]}"
        texts.append(chance.choice(spellings).format(digits))
    return texts


def by_phonenumbers(text):
    plain = text.strip(' "').removeprefix("tel:").removeprefix("whatsapp:")
    plain = f"+{plain[2:]}" if plain.startswith("00") else plain
    try:
        number = phonenumbers.parse(plain, None)
    except phonenumbers.NumberParseException:
        return NO_MSISDN
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    digits, code = re.sub("[^0-9]", "", plain), str(number.country_code)
    if re.fullmatch("521[0-9]{10}", digits):  # Mexico gave up the 1
        return int(f"52{digits[3:]}")
    keeps_all = digits in (e164[1:], f"{code}0{e164[len(code) + 1 :]}")
    is_right = keeps_all and phonenumbers.is_possible_number(number) and len(e164) <= 16
    return int(e164) if is_right else NO_MSISDN


def outcome_of(path, name):
    try:
        frame = read_lines(path, name=name)
    except InputError as error:
        is_sentence = str(error).startswith(name) and str(error).endswith(".")
        return "refused" if is_sentence else str(error)
    cells = frame.filter(~pl.col("is_blank") & ~pl.col("is_header"))
    readings = read_msisdns(cells["text"])
    assert len(readings.keys) == cells.height
    assert readings.rejected["reason"].null_count() == 0
    return "read"


def packed_samples():
    """Small samples in every format and packing."""
    found = [(path.name, path.read_bytes()[:20_000]) for path in SAMPLES if path.suffix != ".gz"]
    text = (SAMPLES[0].parent / "campaign.txt").read_bytes()[:5_000]
    table = pl.DataFrame({"id": range(200), "phone": [f"+4179828{index:04}" for index in range(200)]})
    parquet = io.BytesIO()
    table.write_parquet(parquet)
    book = io.BytesIO()
    table.write_excel(book)
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("a.csv", table.write_csv())
    return [
        *found,
        ("a.txt.gz", gzip.compress(text)),
        ("a.txt.zst", pa.compress(text, codec="zstd", asbytes=True)),
        ("a.zip", zipped.getvalue()),
        ("a.parquet", parquet.getvalue()),
        ("a.xlsx", book.getvalue()),
        ("a.parquet.gz", gzip.compress(parquet.getvalue())),
    ]


def mangled(content, chance):
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5, 50))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                del data[at:]
            case 1:
                del data[at : at + chance.randrange(1, 100)]
            case 2:
                data[at:at] = chance.randbytes(chance.randrange(1, 20))
            case 3:
                data[at : at + 1] = chance.choice((b"\0", b'"', b"\n", b"\r", b";", b"\xff", b"\x1f", b"="))
            case _:
                data[at:at] = data[: chance.randrange(200)]
    return bytes(data)
