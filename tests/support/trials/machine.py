"""Whatever order things happen in: a state machine of everything that may befall a ledger."""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from support.trials.world import NUMBERS, World, jump, prepare

_CALLS = st.sampled_from(["create", "create", "poll", "balance", "fetch"])

_FIRST, _COUNT = st.integers(0, len(NUMBERS) - 1), st.integers(1, 20)


class Whatever(RuleBasedStateMachine):
    """`root`, `hand` and the counts belong to one `examine`, and are set by it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = self.root / f"example-{next(self.serials)}"
        self.world = World(self.folder, self.hand)
        self.tally["examples"] += 1

    @rule(first=_FIRST, count=_COUNT)
    def drop_file(self, first, count):
        self.world.drop(first, count)

    @rule()
    def run(self):
        self.world.run()
        self.world.check_warehouse()

    @rule(first=_FIRST, count=_COUNT, at=st.integers(1, 90))
    def crash(self, first, count, at):
        """In the middle of something: a file has landed just before."""
        self.world.drop(first, count)
        self.tally["crashes"] += self.world.run(dies_at=at) is None
        self.world.check_warehouse()

    @rule(seconds=st.integers(1, 1000))
    def provider_advances(self, seconds):
        jump(seconds)

    @rule(call=_CALLS)
    def response_lost(self, call):
        self.world.hand.lost[call] += 1

    @rule()
    def link_expires(self):
        self.world.hand.expiring += 1

    @rule(which=st.integers(0, 9), decision=st.sampled_from(["by the record", "by the record", "abandon"]))
    def resolve(self, which, decision):
        self.world.resolve(which, decision)

    @rule()
    def resolve_wrongly(self):
        self.world.resolve_wrongly()

    @rule()
    def replay(self):
        self.world.replay()

    @rule(hours=st.sampled_from([-2, -1, 1, 5, 24, 72]))
    def clock_jumps(self, hours):
        jump(hours * 3600)

    @invariant()
    def money_is_accounted_for(self):
        self.tally["steps"] += 1
        self.world.check_money()

    def teardown(self):
        try:
            self.world.to_the_end()
            self.world.check_end()
        finally:
            self.tally["charges"] += len(self.world.sandbox.charges)
            self.world.close()
            shutil.rmtree(self.folder)


def examine(root: Path, *, examples: int, steps: int, lot: int) -> dict[str, Any]:
    """Counts of examples, steps, crashes, charges; and the falsifying example, if there is one."""
    tally = dict.fromkeys(("examples", "steps", "crashes", "charges"), 0)
    names = {"root": root, "hand": prepare(root), "serials": count(1), "tally": tally}
    machine = seed(lot)(type("Machine", (Whatever,), names))
    profile = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(machine, settings=profile)
    except Exception as error:
        notes = "\n".join(getattr(error, "__notes__", ()))
        return {**tally, "violations": [f"{type(error).__name__}: {error}\n{notes}"]}
    return {**tally, "violations": []}
