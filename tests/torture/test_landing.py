"""Whatever is dropped: a million mixed lines read as phonenumbers does, ten thousand mangled files without
a crash, and any interleaving of drops and runs without a number planned twice."""

from __future__ import annotations

import asyncio
import gzip
import io
import random
import shutil
import tempfile
import zipfile
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import phonenumbers
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support import FakeClock

from ekyc_tasks.disk import private_dir
from ekyc_tasks.errors import InputError
from ekyc_tasks.folders import DataFolder
from ekyc_tasks.landing import arrivals, read_lines
from ekyc_tasks.ledger import open_ledger
from ekyc_tasks.models import BatchState
from ekyc_tasks.numbers import NO_KEY, read_keys
from ekyc_tasks.steps.plan import Planner, PlanPolicy, preview

MANGLED = 10_000
MIXED = 1_000_000
SAMPLES = sorted((Path(__file__).parents[2] / "data" / "samples").iterdir())


# --- a million lines --------------------------------------------------------------------------------------


def test_a_million_international_numbers_are_those_that_phonenumbers_calls_possible():
    """Right and wrong ones of all countries, in the spellings of every day."""
    texts = mixed(random.Random(20261124), MIXED)  # noqa: S311

    keys, rejected = read_keys(pl.Series(texts))

    assert len(rejected) == (keys == NO_KEY).sum()
    expected = [by_phonenumbers(text) for text in texts]
    assert [int(key) for key in keys] == expected
    assert 0.2 < sum(key != NO_KEY for key in expected) / MIXED < 0.9


def mixed(chance, count):
    codes = list(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
    spellings = ("+{}", "+{}", "+{}", "+{} ", "00{}", " +{}", "tel:+{}", "whatsapp:+{}", '"+{}"')
    texts = []
    for _ in range(count):
        code = chance.choice(codes) if chance.random() < 0.95 else chance.randrange(1, 1000)
        digits = f"{code}{chance.randrange(10 ** chance.choice((5, 7, 8, 9, 9, 10, 10, 11, 13)))}"
        if chance.random() < 0.3:
            cut = chance.randrange(1, len(digits))
            digits = f"{digits[:cut]}{chance.choice(' -./')}{digits[cut:]}"
        texts.append(chance.choice(spellings).format(digits))
    return texts


def by_phonenumbers(text):
    plain = text.strip(' "').removeprefix("tel:").removeprefix("whatsapp:")
    plain = f"+{plain[2:]}" if plain.startswith("00") else plain
    try:
        number = phonenumbers.parse(plain, None)
    except phonenumbers.NumberParseException:
        return NO_KEY
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return int(e164) if phonenumbers.is_possible_number(number) and len(e164) <= 16 else NO_KEY


# --- ten thousand files -----------------------------------------------------------------------------------


def test_ten_thousand_mangled_files_are_read_or_refused_with_a_sentence(tmp_path):
    """Every byte of a file may be wrong: lines or a sentence that names the file, never anything else."""
    chance = random.Random(7)  # noqa: S311
    originals = packed_samples()
    outcomes = Counter()
    for _ in range(MANGLED):
        name, content = chance.choice(originals)
        path = tmp_path / "copy"
        path.write_bytes(mangled(content, chance))
        outcomes[outcome_of(path, name)] += 1
    assert set(outcomes) == {"read", "refused"}
    assert outcomes["read"] > MANGLED / 20
    assert outcomes["refused"] > MANGLED / 20


def outcome_of(path, name):
    try:
        frame = read_lines(path, name=name)
    except InputError as error:
        is_sentence = str(error).startswith(name) and str(error).endswith(".")
        return "refused" if is_sentence else str(error)
    cells = frame.filter(~pl.col("is_blank") & ~pl.col("is_header"))
    keys, rejected = read_keys(cells["text"])
    assert len(keys) == cells.height
    assert rejected["reason"].null_count() == 0
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


# --- drops and runs ---------------------------------------------------------------------------------------

POLICY = PlanPolicy(task_type="tg_avatar", batch_size=7, min_batch=2, max_hold_back=timedelta(hours=1))
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
        self.ledger = open_ledger(f"sqlite:///{self.root}/ledger.db", self.clock.now)
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
        asyncio.run(preview(found, ledger=self.ledger, folder=self.folder, policy=POLICY, clock=self.clock))
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
            fates = (file.blank, file.header, file.rejected, file.duplicate, file.do_not_send)
            assert file.lines == sum(fates) + file.known + file.in_flight + file.waiting + file.batched

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
        return Planner(run_id="run", ledger=self.ledger, folder=self.folder, policy=policy, clock=self.clock)

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
