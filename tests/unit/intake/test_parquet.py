"""Parquet files: columns of every type that may hold numbers."""

from __future__ import annotations

import io
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.landed_files import A, B, C, blocks_of, numbers, read

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake import parquet

BARE = [A[1:], B[1:]]
OTHERS = {"customer_id": [41790000001, 41790000002], "name": ["x", "y"]}


def written(table):
    file = io.BytesIO()
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"id": [1, 2, 3], "msisdn": [41798284651, None, 41798284652]}, ["41798284651", "41798284652"]),
        ({"id": [1, 2], "any": [A, B]}, [A, B]),
        ({"row": [1, 2], "any": [4.1798284651e10, None]}, ["41798284651.0"]),
        ({"phone": pl.Series([], dtype=pl.String)}, []),
    ],
)
def test_parquet(tmp_path, monkeypatch, columns, expected):
    monkeypatch.setattr(parquet, "PARQUET_ROWS", 2)
    file = io.BytesIO()
    frame = pl.DataFrame(columns)
    frame.write_parquet(file)
    got = read(tmp_path, "a.parquet", file.getvalue())
    assert numbers(got) == expected
    assert got["line"].to_list() == list(range(1, frame.height + 1))


TYPES = {
    "dictionary": pa.array([A, B]).dictionary_encode(),
    "large dictionary": pa.array([A, B], pa.large_string()).dictionary_encode(),
    "dictionary of integers": pa.array([int(A), int(B)]).dictionary_encode(),
    "string view": pa.array([A, B]).cast(pa.string_view()),
    "large string": pa.array([A, B], pa.large_string()),
    "binary": pa.array([A.encode(), B.encode()]),
    "large binary": pa.array([A.encode(), B.encode()], pa.large_binary()),
    "binary view": pa.array([A.encode(), B.encode()]).cast(pa.binary_view()),
    "binary of one size": pa.array([A.encode(), B.encode()], pa.binary(12)),
    "decimal of 38 digits": pa.array([Decimal(A), Decimal(B)], pa.decimal128(38, 0)),
    "decimal of 76 digits": pa.array([Decimal(A), Decimal(B)], pa.decimal256(76, 0)),
    "decimal of 15 digits": pa.array([Decimal(A), Decimal(B)], pa.decimal128(15, 0)),
    "unsigned": pa.array([int(A), int(B)], pa.uint64()),
    "signed": pa.array([int(A), int(B)], pa.int64()),
    "float": pa.array([float(A), float(B)]),
    "lists": pa.array([[A], [B]]),
    "large lists": pa.array([[A], [B]], pa.large_list(pa.large_string())),
    "lists of one size": pa.array([[A], [B]], pa.list_(pa.string(), 1)),
    "lists of integers": pa.array([[int(A)], [int(B)]]),
}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("title", ["phone", "Телефон", "whatever"])
def test_numbers_are_read_from_columns_of_every_type(tmp_path, kind, title):
    """Beside identifiers that look like numbers, too: they are never read in place of the phones."""
    others = OTHERS if title != "whatever" else {"name": ["x", "y"]}
    got = numbers(read(tmp_path, "a.parquet", written({**others, title: TYPES[kind]})))
    assert [text.removeprefix("+").removesuffix(".0") for text in got] == BARE


@pytest.mark.parametrize("dtype", [pl.Enum([A, B]), pl.Categorical, pl.Binary])
def test_types_of_polars(tmp_path, dtype):
    file = io.BytesIO()
    pl.DataFrame({**OTHERS, "phone": pl.Series([A, B]).cast(dtype)}).write_parquet(file)
    assert numbers(read(tmp_path, "a.parquet", file.getvalue())) == [A, B]


@pytest.mark.parametrize("dtype", [pl.Int128, pl.UInt128])
def test_integers_of_128_bits(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(parquet, "PARQUET_ROWS", 2)
    file = io.BytesIO()
    phones = pl.Series([int(A), None, int(B)], dtype=dtype)
    pl.DataFrame({"id": [1, 2, 3], "phone": phones}).write_parquet(file)
    got = read(tmp_path, "a.parquet", file.getvalue())
    assert (numbers(got), got["line"].to_list()) == (BARE, [1, 2, 3])


@given(st.lists(st.one_of(st.none(), st.lists(st.one_of(st.none(), st.sampled_from([A, B, C])), max_size=4))))
def test_every_entry_of_a_list_is_read_with_its_line(tmp_path_factory, rows):
    table = {"phone": pa.array(rows, pa.list_(pa.string()))}
    frame = read(tmp_path_factory.mktemp("lists"), "a.parquet", written(table))
    filled = frame.filter(~pl.col("is_blank")).select("line", "text").rows()
    assert filled == [(at, text) for at, row in enumerate(rows, start=1) for text in row or () if text]
    assert frame["line"].n_unique() == len(rows)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pa.array([1.5, 2.5], pa.float32()), "float"),
        (pa.array([True, False]), "bool"),
        (pa.array([Decimal("4.5"), None], pa.decimal128(38, 2)), r"decimal128\(38, 2\)"),
        (pa.array([1, 2], pa.timestamp("s")), r"timestamp\[s\]|timestamp\[ms\]"),
        (pa.array([{"number": A}, None]), "struct<number: string>"),
        (pa.array([b"\xff\xfe\x00", b"\x80"]), "binary"),
    ],
)
def test_a_type_that_holds_no_numbers_is_refused_by_its_name(tmp_path, values, kind):
    """Never passed over for another column."""
    with pytest.raises(InputError, match=rf"a\.parquet has phone numbers in “Mobile” as ({kind})"):
        read(tmp_path, "a.parquet", written({**OTHERS, "Mobile": values}))
    assert numbers(read(tmp_path, "a.parquet", written({"phone": [A, B], "consent": values}))) == [A, B]


def test_an_empty_column_of_no_type_means_nothing_to_send(tmp_path):
    [block] = blocks_of(tmp_path, "a.parquet", written({**OTHERS, "phone": pa.nulls(2)}))
    assert (block.texts.sizes.tolist(), block.line_count) == ([0, 0], 2)


def test_a_named_column_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"no column “手机”\. It has: customer_id, name\."):
        read(tmp_path, "a.parquet", written(OTHERS), column="手机")


def test_parquet_with_metadata_that_is_no_text(tmp_path):
    """As damage makes it; polars would not survive reading it."""
    table = pa.table({"phone": [A]}).replace_schema_metadata({b"key": b"\xff\xfe"})
    assert numbers(read(tmp_path, "a.parquet", written(table))) == [A]


def test_parquet_without_a_column_of_numbers(tmp_path):
    with pytest.raises(InputError, match=r"a\.parquet has no column"):
        read(tmp_path, "a.parquet", written({"at": [True]}))
