"""pandas: all in memory, every step over whole columns.

pyarrow's parser makes dictionaries of the columns with few values, which are then read once per distinct
value; numbers are compared as integers; pyarrow writes.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import phonenumbers
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from benchmarks.results.candidate import (
    BATCH_ID,
    CHECKED_AT,
    COLUMNS,
    NOT_DETERMINED,
    TASK_ID,
    Job,
    measured,
    unpacked,
)

FIRST_LINE = 2
FEW = ("telegram", "age", "gender", "category", "hair_color", "skin_color")
TYPES = {name: pa.dictionary(pa.int32(), pa.string()) if name in FEW else pa.string() for name in COLUMNS}
VERDICTS = {"yes": True, "true": True, "no": False, "false": False}


def load(job: Job) -> int:
    answers, sent = _read(job)
    key = pd.to_numeric(answers["number"], errors="coerce").fillna(0).astype("int64")
    is_sent = key.isin(sent)
    reason = np.select(
        [key == 0, ~is_sent, key.duplicated()],
        ["number cannot be read", "number was not sent", "number was answered before"],
        default="",
    )
    is_accepted = reason == ""
    rows, bad = _rows(answers[is_accepted], key[is_accepted])
    _write_quarantine(answers, reason, bad, job)
    _write_rows(rows, job)
    return int((~sent.isin(key)).sum())


def _read(job: Job) -> tuple[pd.DataFrame, pd.Series[int]]:
    table = unpacked(job)
    answers = pyarrow.csv.read_csv(
        table,
        read_options=pyarrow.csv.ReadOptions(column_names=list(COLUMNS), skip_rows=1),
        convert_options=pyarrow.csv.ConvertOptions(column_types=TYPES),
    ).to_pandas()
    table.unlink()
    sent = pd.read_csv(job.numbers, header=None, names=["key"], dtype="int64")["key"]
    return answers, sent


def _rows(answers: pd.DataFrame, key: pd.Series[int]) -> tuple[pd.DataFrame, dict[str, pd.Index]]:
    number = "+" + key.astype(str)
    avatar = answers["avatar"].where(~answers["avatar"].str.lower().isin(NOT_DETERMINED))
    is_link = avatar.str.match(r"(?i)^https?://[^\s/?#]\S*$").fillna(False).astype(bool)
    ages = _once(answers["age"], _age)
    is_bad_age = _once(answers["age"], _is_bad_age).astype(bool)
    rows = pd.DataFrame(
        {
            "number": number,
            "calling_code": number.str[1:4].astype("int32").map(_codes()).astype("Int32"),
            "telegram": _once(answers["telegram"], lambda text: VERDICTS.get(text.lower())).astype("boolean"),
            "avatar": avatar.where(is_link),
            "age_min": ages.str[0].astype("Int32"),
            "age_max": ages.str[1].astype("Int32"),
            **{
                name: _once(answers[name], _word)
                for name in ("gender", "category", "hair_color", "skin_color")
            },
        }
    )
    return rows, {"age": rows.index[is_bad_age], "avatar": rows.index[avatar.notna() & ~is_link]}


def _once(texts: pd.Series[str], read: object) -> pd.Series[object]:
    """Each distinct text read once."""
    values = np.array([*map(read, texts.cat.categories), None], dtype=object)  # type: ignore[arg-type, call-overload]
    return pd.Series(
        list(values[texts.cat.codes]) if values.ndim > 1 else values[texts.cat.codes], texts.index
    )


def _age(text: str) -> tuple[int, int] | None:
    ends = text.replace("~", "-").split("-")
    if len(ends) > 2 or not all(end.isdigit() and len(end) <= 3 for end in ends):
        return None
    return int(ends[0]), int(ends[-1])


def _is_bad_age(text: str) -> bool:
    return text.lower() not in NOT_DETERMINED and _age(text) is None


def _word(text: str) -> str | None:
    return None if text.lower() in NOT_DETERMINED else text.lower().replace("_", " ")


def _codes() -> dict[int, int]:
    return {
        start: code
        for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE
        for start in range(code * 10 ** (3 - len(str(code))), (code + 1) * 10 ** (3 - len(str(code))))
    }


def _write_rows(rows: pd.DataFrame, job: Job) -> None:
    table = pa.Table.from_pandas(rows, preserve_index=False)
    constant = {
        "extra": pa.nulls(len(rows), pa.string()),
        "checked_at": pa.repeat(pa.scalar(CHECKED_AT, pa.timestamp("us", "UTC")), len(rows)),
        "batch_id": pa.repeat(BATCH_ID, len(rows)),
        "task_id": pa.repeat(TASK_ID, len(rows)),
    }
    for name, values in constant.items():
        table = table.append_column(name, values)
    pyarrow.parquet.write_table(
        table, job.rows, compression="zstd", compression_level=1, row_group_size=250_000, store_schema=False
    )


def _write_quarantine(answers: pd.DataFrame, reason: np.ndarray, bad: dict[str, pd.Index], job: Job) -> None:
    is_rejected = reason != ""
    rejected = answers[is_rejected]
    parts = [_set_apart(rejected, "row", reason[is_rejected], None)]
    for column, why in (("age", "not an age"), ("avatar", "not an http or https URL")):
        parts.append(_set_apart(answers.loc[bad[column]], "cell", why, column))
    pd.concat(parts).sort_values("line").to_parquet(job.quarantine, compression="zstd", index=False)


def _set_apart(answers: pd.DataFrame, kind: str, reason: object, column: str | None) -> pd.DataFrame:
    cells = answers.astype(object).where(answers.notna(), "").to_dict("records")
    return pd.DataFrame(
        {
            "batch_id": BATCH_ID,
            "line": answers.index + FIRST_LINE,
            "kind": kind,
            "reason": reason,
            "column": column,
            "raw": [json.dumps(row, separators=(",", ":")) for row in cells],
        }
    )


if __name__ == "__main__":
    measured(load)
