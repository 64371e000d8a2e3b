"""A Parquet file → the cells of its columns of numbers, as texts, whatever type they are stored in."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import Any, BinaryIO, cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ekyc_tasks.errors import InputError
from ekyc_tasks.intake.column_names import Kind, comparable, kind_of
from ekyc_tasks.intake.columns import EVERY_COLUMN, choose_titled, raise_watched
from ekyc_tasks.intake.file_layout import FileLayout, columns_at
from ekyc_tasks.intake.line_block import Blocks, is_blank, make_block_of_cells
from ekyc_tasks.intake.number_shapes import holds_number
from ekyc_tasks.intake.rules import ReadingRules

PARQUET_ROWS = 500_000
_SAMPLE_ROWS = 500

_Batches = Iterator[pa.RecordBatch]


def read_parquet_blocks(file: BinaryIO, name: str, rules: ReadingRules) -> Blocks:
    """Raises InputError for a file that is damaged, or whose numbers have a type that holds none."""
    try:
        table = _open(file)
        yield from _blocks(table, name, rules)
    except (pa.ArrowException, pl.exceptions.PolarsError, UnicodeError):  # their texts may hold values
        raise InputError(f"{name} cannot be read as a Parquet file. Write it again.") from None


class _ArrowTable:
    """Read by Arrow, which knows all types but integers of 128 bits."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = pq.ParquetFile(file)
        self.schema = self._file.schema_arrow

    def batches(self, rows: int, columns: list[str]) -> _Batches:
        for batch in self._file.iter_batches(rows, columns=columns):
            batch.validate(full=True)  # polars panics over texts that are none, and over such metadata
            yield batch


class _PolarsTable:
    """Read by polars, its integers of 128 bits as texts."""

    def __init__(self, file: BinaryIO) -> None:
        self._frame = pl.scan_parquet(file).with_columns(
            pl.selectors.by_dtype(pl.Int128, pl.UInt128).cast(pl.String)
        )
        self.schema = self._frame.head(0).collect().to_arrow().schema

    def batches(self, rows: int, columns: list[str]) -> _Batches:
        chosen = self._frame.select(columns)
        start = 0
        while not (frame := chosen.slice(start, rows).collect()).is_empty():
            yield from frame.to_arrow().combine_chunks().to_batches()
            start += rows


def _open(file: BinaryIO) -> _ArrowTable | _PolarsTable:
    try:
        return _ArrowTable(file)
    except pa.ArrowNotImplementedError:
        file.seek(0)
        return _PolarsTable(file)


def _blocks(table: _ArrowTable | _PolarsTable, name: str, rules: ReadingRules) -> Blocks:
    wanted = {comparable(each) for each in rules.columns if rules.columns != EVERY_COLUMN}
    for field in table.schema:
        is_wanted = comparable(field.name) in wanted if wanted else kind_of(field.name) is Kind.SURE
        if is_wanted and not _may_hold_numbers(field.type):
            raise _refusal(name, field.name, field.type)
    columns = [field.name for field in table.schema if _may_hold_numbers(field.type)]
    if not columns:
        raise InputError(f"{name} has no column with texts or whole numbers. Save it with such a column.")
    if len(set(columns)) < len(columns):
        raise InputError(f"{name} has two columns of one name. Write it again with different names.")
    first = next(table.batches(_SAMPLE_ROWS, columns), None)
    sample = [_sample_cells(array) for array in first.columns] if first is not None else []
    choice = choose_titled(columns, [list(row) for row in zip(*sample, strict=True)], rules, name)
    read = [columns[index] for index in (*choice.indexes, *choice.watched)]
    layout = FileLayout(columns_at(columns, choice.indexes), choice.why)
    beside = [columns[index] for index in choice.countries]
    line = 1
    for batch in table.batches(PARQUET_ROWS, list(dict.fromkeys([*read, *beside]))):
        texts = [_as_texts(batch.column(column), column, name) for column in read]
        _refuse_watched(texts[len(choice.indexes) :], read[len(choice.indexes) :], name)
        lines = np.arange(line, line + batch.num_rows)
        flat = [_flatten([each]) for each in texts[: len(choice.indexes)]]
        sources = [at for at, each in enumerate(flat) for _ in each]
        block = make_block_of_cells(lines, list(chain(*flat)), sources=sources, layout=layout)
        yield choice.countries.tell(block, lines, partial(_read_countries, batch, columns, name))
        line += batch.num_rows


def _read_countries(batch: pa.RecordBatch, columns: list[str], name: str, index: int) -> pl.Series:
    """Entries of a list have to agree."""
    texts = _as_texts(batch.column(columns[index]), columns[index], name)
    return texts.list.drop_nulls().list.join(";") if isinstance(texts.dtype, pl.List) else texts


def _refuse_watched(columns: list[pl.Series], titles: list[str], name: str) -> None:
    for texts, title in zip(columns, titles, strict=True):
        cells = _flatten([texts])
        if any(holds_number(cell) for column in cells for cell in column.filter(~is_blank(column))):
            raise_watched(title, name)


# --- types ----------------------------------------------------------------------------------------------


def _may_hold_numbers(kind: pa.DataType) -> bool:
    """A float of 32 bits is none: it cannot hold eleven digits, and shows others in their place."""
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return _may_hold_numbers(kind.storage_type)
    if types.is_dictionary(kind) or _is_list(kind):
        return not types.is_nested(kind.value_type) and _may_hold_numbers(kind.value_type)
    if types.is_decimal(kind):
        return bool(kind.scale == 0)
    return (
        _is_text(kind)
        or _is_binary(kind)
        or any(test(kind) for test in (types.is_integer, types.is_float64, types.is_null))
    )


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    return any(test(kind) for test in (types.is_string, types.is_large_string, types.is_string_view))


def _is_binary(kind: pa.DataType) -> bool:
    types = pa.types
    return any(
        test(kind)
        for test in (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    )


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return any(test(kind) for test in (types.is_list, types.is_large_list, types.is_fixed_size_list))


def _as_texts(array: pa.Array, column: str, name: str) -> pl.Series:
    """Strings, or lists of strings. Raises InputError for bytes that are no text."""
    try:
        return _texts_of(array)
    except pa.ArrowInvalid:
        raise _refusal(name, column, array.type) from None


def _texts_of(array: pa.Array) -> pl.Series:
    texts = cast(pl.Series, pl.from_arrow(_without_wrapping(array)))
    if texts.dtype.is_float():
        texts = texts.fill_nan(None)
    return texts.cast(pl.List(pl.String) if isinstance(texts.dtype, pl.List) else pl.String)


def _without_wrapping(array: pa.Array) -> pa.Array:
    """The values themselves: of a dictionary, of bytes or decimals as texts, of a list of these."""
    kind: Any = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _without_wrapping(array.storage)
    if pa.types.is_dictionary(kind):
        return _without_wrapping(array.dictionary_decode())
    if _is_list(kind):
        whole = array.cast(pa.large_list(kind.value_type))
        return pa.LargeListArray.from_arrays(whole.offsets, _without_wrapping(whole.values))
    if pa.types.is_fixed_size_binary(kind):
        array = array.cast(pa.binary())
    if _is_binary(kind):
        return array.cast(pa.large_binary()).cast(pa.large_string())
    if pa.types.is_decimal(kind) or pa.types.is_string_view(kind):
        return array.cast(pa.large_string())
    return array


def _sample_cells(array: pa.Array) -> list[str]:
    """For the choice of a column; what is no text shows as nothing."""
    try:
        texts = _texts_of(array)
    except pa.ArrowInvalid:
        return [""] * len(array)
    if isinstance(texts.dtype, pl.List):
        texts = texts.list.drop_nulls().list.join(";")
    return texts.fill_null("").to_list()


def _flatten(columns: list[pl.Series]) -> list[pl.Series]:
    """A list becomes as many columns as its longest row has entries."""
    flat: list[pl.Series] = []
    for texts in columns:
        if isinstance(texts.dtype, pl.List):
            longest = cast(int, texts.list.len().max() or 1)
            flat += [texts.list.get(index, null_on_oob=True) for index in range(longest)]
        else:
            flat.append(texts)
    return flat


def _refusal(name: str, column: str, kind: pa.DataType) -> InputError:
    return InputError(
        f"{name} has phone numbers in “{column}” as {kind}, which cannot be read as text. Write the "
        "column as strings, or name another one."
    )
