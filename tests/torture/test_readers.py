"""DuckDB and Polars read in a loop while a hundred batches are loaded by runs that are killed."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack

import polars as pl
from support.fork_server import Warm
from support.trials.pool import SEED, drawn

ENGINES = ("polars", "duckdb")
BATCHES, SIZE = 100, 5
LANDED = {"many.txt": [f"+4179828{index:04}" for index in range(4000, 4000 + BATCHES * SIZE)]}
_MOST_POINTS = 700  # of a run before it is killed: a batch takes some fifty
_PLAN_ONLY = {"BUDGET_RUN": "0", "PRICE_PER_10K": "4.50"}


def test_readers_see_whole_batches_at_any_moment(crew, figures):
    lots = drawn("readers")
    settings = {"BATCH_SIZE": str(SIZE), "MAX_WAIT": "60s"}

    with (
        ExitStack() as stack,
        crew.trial(landed=LANDED, settings=settings, missing_rate=0.0, repeated_rate=0.0) as trial,
        figures.part("reads while loads are killed", seeds=str(SEED)) as part,
    ):
        readers = [stack.enter_context(Warm()) for _ in ENGINES]
        tree, stop = trial.data / "warehouse" / "tg_avatar", trial.root / "stop"
        for reader, engine in zip(readers, ENGINES, strict=True):
            options = {"engine": engine, "tree": str(tree), "stop": str(stop)}
            reader.start("read", trial.root, {}, options=options, seconds=600)
        trial.settings |= _PLAN_ONLY  # so many batches are never planned within so few points
        assert trial.run().exit_code == 4
        del trial.settings["BUDGET_RUN"]
        kills = 0
        while trial.run(kill_at=lots.randint(1, _MOST_POINTS)).signal:
            kills += 1
            trial.decide()
        trial.run_to_the_end()  # the last one may have found a held batch, or run out of time
        if trial.decide():
            trial.run_to_the_end()
        stop.touch()
        told = [reader.wait() for reader in readers]

        part.trials, part.points = sum(each.result["reads"] for each in told), kills
        part.charges = len(trial.sandbox.charges)
        final = Counter(
            pl.read_parquet(tree / "**" / "*.parquet", columns=["batch_id"])["batch_id"].to_list()
        )
        for each in told:
            part.violations += each.result["violations"]
            if each.result["seen"] != final:
                part.violations.append("a reader saw something else than what is there")
        part.violations += trial.violations
    assert len(final) == BATCHES
    assert set(final.values()) == {SIZE}
    assert kills >= 10
