"""What becomes of each number of a landed file. Frames in, frames out; no I/O.

A number is a key here: its E.164 digits as an Int64, without the ``+``.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ekyc_tasks.models import Fate

ASKED_SCHEMA = {"key": pl.Int64, "batch_id": pl.String, "blocks": pl.Boolean}


def keys_of(numbers: pl.Series) -> pl.Series:
    """E.164 strings (nulls left out) as keys, each once, in their order."""
    return numbers.drop_nulls().str.strip_prefix("+").cast(pl.Int64).unique(maintain_order=True).alias("key")


def numbers_of(keys: pl.Series) -> pl.Series:
    return pl.select("+" + keys.cast(pl.String)).to_series().alias("number")


def sort_out(
    keys: pl.Series, asked: pl.DataFrame, *, do_not_send: pl.Series, own_batches: Sequence[str] = ()
) -> pl.DataFrame:
    """``key, fate, batch_id`` for each key: BATCHED (in one of ``own_batches``), IN_FLIGHT, KNOWN,
    DO_NOT_SEND, or a null fate for those to be packed.

    ``asked`` holds `ASKED_SCHEMA`, a row a number and batch; where several apply, the file's own
    batch comes first, then one that blocks, then one that was answered.
    """
    is_own = pl.col("batch_id").is_in(list(own_batches))
    first = (
        asked.sort(is_own.not_(), pl.col("blocks").not_(), "batch_id")
        .unique("key", keep="first")
        .with_columns(
            pl.when(is_own)
            .then(pl.lit(Fate.BATCHED.value))
            .when(pl.col("blocks"))
            .then(pl.lit(Fate.IN_FLIGHT.value))
            .otherwise(pl.lit(Fate.KNOWN.value))
            .alias("fate")
        )
    )
    refused = pl.col("fate").is_null() & pl.col("key").is_in(do_not_send.implode())
    return (
        keys.to_frame()
        .join(first, on="key", how="left", maintain_order="left")
        .with_columns(pl.when(refused).then(pl.lit(Fate.DO_NOT_SEND.value)).otherwise("fate").alias("fate"))
        .select("key", "fate", "batch_id")
    )


def to_pack(sorted_out: Sequence[pl.DataFrame]) -> pl.Series:
    """The keys that no batch has yet, each once, files in their order."""
    return pl.concat([frame.filter(pl.col("fate").is_null())["key"] for frame in sorted_out]).unique(
        maintain_order=True
    )


def settle(sorted_out: Sequence[pl.DataFrame], packed: pl.DataFrame) -> list[pl.DataFrame]:
    """Give the keys without a fate one: in a new batch (``packed``: key, batch_id) or WAITING.

    A number that two files share goes into one batch, on behalf of the first: for the second it is
    in flight.
    """
    settled = []
    carried = pl.Series("key", [], dtype=pl.Int64)
    for frame in sorted_out:
        is_open = pl.col("fate").is_null()
        is_carried = pl.col("key").is_in(carried.implode())
        joined = frame.join(packed, on="key", how="left", maintain_order="left", suffix="_new")
        fate = (
            pl.when(is_open.not_())
            .then("fate")
            .when(pl.col("batch_id_new").is_null())
            .then(pl.lit(Fate.WAITING.value))
            .when(is_carried)
            .then(pl.lit(Fate.IN_FLIGHT.value))
            .otherwise(pl.lit(Fate.BATCHED.value))
        )
        settled.append(
            joined.select(
                "key", fate.alias("fate"), pl.coalesce("batch_id", "batch_id_new").alias("batch_id")
            )
        )
        carried = pl.concat([carried, frame.filter(is_open)["key"]])
    return settled
