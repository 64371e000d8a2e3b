"""What others do not call public, and this project uses. Each test says what to do if it fails."""

from __future__ import annotations

import io
import zipfile

import dataframely as dy
import polars as pl


def test_zipfile_finds_the_directory_of_an_archive():
    """`tabular.containers` asks how long a directory is before `zipfile` makes an object of each entry.

    If this fails, Python has changed `zipfile._EndRecData`. Read the record in `_refuse_many` by hand: the
    last `PK\\x05\\x06` of the file has the directory's length at offset 12 (four bytes, little-endian), and
    where that is 0xFFFFFFFF, the `PK\\x06\\x06` before it has it at offset 40 (eight bytes). Keep the refusal
    of too many members before `zipfile.ZipFile` is called, and run `tests/torture/test_hostile_archives.py`.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", "x")
    data = buffer.getvalue()

    end = zipfile._EndRecData(buffer)
    signature, directory_bytes, location = end[0], end[5], end[9]

    assert signature == b"PK\x05\x06"
    assert location == data.rindex(signature)
    assert directory_bytes == location - data.index(b"PK\x01\x02")
    assert zipfile._EndRecData(io.BytesIO(b"no archive, and longer than such a record is")) is None


def test_dataframely_gives_the_rules_of_each_column():
    """`task_types.base` holds a column to its rules alone, so that one bad cell costs that cell and no row.

    If this fails, dataframely has changed `Schema._validation_rules`. Cap its version in `pyproject.toml`,
    look for a public way (`Column.validation_rules`, or `Schema.filter` with its failures), and make
    `_rules_of` give the same: a polars expression for each rule, true where it is kept, by names as these.
    """

    class Row(dy.Schema):
        name = dy.String(nullable=False, regex="^[a-z]+$")

        @dy.rule()
        def short(cls) -> pl.Expr:  # noqa: N805 - as dataframely wants it
            return pl.col("name").str.len_chars() < 3

    rules = Row._validation_rules(with_cast=False)

    assert {"name|nullability", "name|regex", "short"} <= set(rules)
    kept = pl.DataFrame({"name": ["ab", "AB", "abc"]}).select(
        regex=rules["name|regex"].expr, short=rules["short"].expr
    )
    assert kept.rows() == [(True, True), (False, True), (True, False)]
