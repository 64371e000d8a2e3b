"""Whatever is dropped: a million mixed lines read as phonenumbers does, ten thousand mangled files without
a crash, and any interleaving of drops and runs without a number planned twice."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import astuple, replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.dirty_input import by_phonenumbers, mangled, mixed, outcome_of, packed_samples
from support.fake_clock import FakeClock
from support.trials.sample import share

from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.intake.files import arrivals
from ekyc_tasks.ledger import make_ledger
from ekyc_tasks.models import BatchState
from ekyc_tasks.phone import NO_MSISDN, read_msisdns
from ekyc_tasks.planning.plan import Planner, PlanPolicy, preview
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.support.atomic_files import private_dir

MANGLED = 10_000
MIXED = 1_000_000


# --- a million lines --------------------------------------------------------------------------------------


@pytest.mark.in_parts
def test_a_million_international_numbers_are_those_that_phonenumbers_calls_possible():
    """Right and wrong ones of all countries, in the spellings of every day. No dots: a digit or two behind
    one may be what a spreadsheet has left, which is mended or rejected by rules of our own."""
    texts = share(mixed(random.Random(20261124), MIXED))  # noqa: S311

    readings = read_msisdns(pl.Series(texts))
    keys = readings.keys

    assert len(readings.rejected) == (keys == NO_MSISDN).sum()
    expected = [by_phonenumbers(text) for text in texts]
    assert [int(key) for key in keys] == expected
    assert 0.2 < sum(key != NO_MSISDN for key in expected) / len(texts) < 0.9


# --- ten thousand files -----------------------------------------------------------------------------------


@pytest.mark.in_parts
def test_ten_thousand_mangled_files_are_read_or_refused_with_a_sentence(tmp_path):
    """Every byte of a file may be wrong: lines or a sentence that names the file, never anything else."""
    originals = packed_samples()
    outcomes = Counter()
    numbers = share(range(MANGLED))
    for number in numbers:
        chance = random.Random(number)  # noqa: S311
        name, content = chance.choice(originals)
        path = tmp_path / "copy"
        path.write_bytes(mangled(content, chance))
        outcomes[outcome_of(path, name)] += 1
    assert set(outcomes) == {"read", "refused"}
    assert outcomes["read"] > len(numbers) / 20
    assert outcomes["refused"] > len(numbers) / 20


# --- drops and runs ---------------------------------------------------------------------------------------

POLICY = PlanPolicy(
    task_type="tg_avatar",
    batch_size=7,
    min_batch=2,
    max_hold_back=timedelta(hours=1),
    most_rejected=None,
)
PEOPLE = st.lists(st.integers(0, 25), min_size=1, max_size=12)


class Landing(RuleBasedStateMachine):
    """Files are dropped, runs plan, are killed in the middle, batches load: each number is asked for once,
    each line is accounted for."""

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.folder = DataFolder(self.root, self.root / "landing", self.root / "warehouse")
        private_dir(self.folder.landing)
        self.clock = FakeClock()
        self.ledger = make_ledger(f"sqlite:///{self.root}/ledger.db", self.clock.now)
        self.ledger.runs.opened("run", host="here", lease=timedelta(days=365))
        self.dropped = 0
        self.people = set()

    @rule(people=PEOPLE, junk=st.booleans())
    def drop(self, people, junk):
        self.dropped += 1
        self.people |= set(people)
        lines = [f"+4179828{person:04}" for person in people] + ["junk"] * junk
        (self.folder.landing / f"{self.dropped:03}.txt").write_text("\n".join(lines) + "\n")

    @rule(hours=st.sampled_from([0, 2]), limit=st.sampled_from([None, None, 3]))
    def plan(self, hours, limit):
        self.clock.advance(60 + 3600 * hours)
        self.planner(limit).run(arrivals(self.folder.landing))
        assert not list(self.folder.landing.iterdir())

    @rule(where=st.sampled_from(["_commit", "_remove_landed", "_remove"]))
    def plan_and_be_killed(self, where):
        self.clock.advance(60)
        planner = self.planner(None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Planner, where, killed)
            with suppress(KeyboardInterrupt):
                planner.run(arrivals(self.folder.landing))

    @rule()
    def look(self):
        before = self.ledger.history.files(), self.ledger.history.batches()
        found = arrivals(self.folder.landing)
        asyncio.run(preview(found, self.context, POLICY))
        assert (self.ledger.history.files(), self.ledger.history.batches()) == before

    @rule()
    def load(self):
        store = self.ledger.plans._store
        for batch in self.ledger.history.batches(states=[BatchState.PLANNED]):
            with store.writing() as connection:
                store.move(
                    connection,
                    batch.batch_id,
                    sources=[BatchState.PLANNED],
                    to=BatchState.LOADED,
                    why="",
                    run_id="run",
                    submitted_at=self.clock.now(),
                )

    @invariant()
    def nothing_is_asked_for_twice_and_every_line_is_accounted_for(self):
        asked = Counter(number for batch in self.living() for number in self.sent(batch.batch_id))
        assert not [number for number, times in asked.items() if times > 1]
        for batch in self.living():
            assert 1 <= batch.numbers <= POLICY.batch_size
        for file in self.ledger.history.files():
            lines, *each = astuple(file.counts)
            assert lines == sum(each)

    def teardown(self):
        for _ in range(2):  # the last numbers may be too few at first
            self.clock.advance(7200)
            self.planner(None).run(arrivals(self.folder.landing))
        asked = {number for batch in self.living() for number in self.sent(batch.batch_id)}
        assert asked == {f"+4179828{person:04}" for person in self.people}
        self.ledger.close()
        shutil.rmtree(self.root)

    def planner(self, limit):
        policy = POLICY if limit is None else replace(POLICY, first=limit)
        return Planner(self.context, policy)

    @property
    def context(self):
        return StepContext("run", self.ledger, self.folder, self.clock)

    def living(self):
        return [batch for batch in self.ledger.history.batches() if batch.state is not BatchState.ABANDONED]

    def sent(self, batch_id):
        return self.folder.batch_file(batch_id).read_text().split()


def killed(*_, **__):
    raise KeyboardInterrupt


TestAnyInterleavingOfDropsAndRuns = Landing.TestCase
TestAnyInterleavingOfDropsAndRuns.settings = settings(
    max_examples=25, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
