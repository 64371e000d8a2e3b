"""What tests of the ledger do to a batch: plan it, send it, answer it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from uuid import uuid4

from ekyc_tasks.ledger import LandedFile, NewBatch
from ekyc_tasks.models import BatchState, Outcome, Reconciliation, UploadResult
from ekyc_tasks.money import NO_BUDGET, Balance

START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
LEASE = timedelta(seconds=60)
UPLOAD = timedelta(minutes=10)
ACCEPTED = UploadResult(Outcome.ACCEPTED, "created", 200, task_id="first")
COUNTS = Reconciliation(
    submitted=100, returned=99, accepted=97, unreadable=1, unexpected=0, duplicate=1, missing=3
)


class Time:
    """A clock that moves when it is told to."""

    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now

    def advance(self, **by):
        self.now += timedelta(**by)


def planned(ledger, *batch_ids, run_id="one", numbers=100, task_type="tg_avatar", landed=(), links=()):
    ledger.plans.planned(
        landed=landed,
        new_batches=[NewBatch(batch_id, numbers, "0" * 64) for batch_id in batch_ids],
        links=links,
        task_type=task_type,
        run_id=run_id,
    )


def landed_file(file_id="file", **values):
    given = {
        "name": "numbers.txt",
        "sha256": "1" * 64,
        "size": 1300,
        "path": "/landing/numbers.txt",
        "identity": "1:2:3",
        "task_type": "tg_avatar",
        "planned_at": START,
        "run_id": "one",
        "replan": 0,
    }
    return LandedFile(file_id, **{**given, **values})


def intended(ledger, batch_id="batch", *, run_id="one", price=None, budget=NO_BUDGET):
    return ledger.uploads.intended(
        uuid4().hex,
        batch_id,
        run_id=run_id,
        deadline=UPLOAD,
        price=price,
        budget=budget,
        balance=Balance(Decimal(100)),
    )


def second_run(ledger, time):
    """The first run's lease ends, another run begins and takes what it may."""
    time.advance(seconds=61)
    ledger.runs.opened("two", host="here", lease=LEASE)
    ledger.runs.left_behind("two")
    ledger.runs.claimed("two")


def told(ledger, batch_id="batch"):
    return [(event.from_state, event.to_state) for event in ledger.history.events(batch_id)]


PLANNED, SUBMITTING, SUBMITTED, FETCHED, LOADED, REFUSED, FAILED, HELD, ABANDONED = (
    BatchState.PLANNED,
    BatchState.SUBMITTING,
    BatchState.SUBMITTED,
    BatchState.FETCHED,
    BatchState.LOADED,
    BatchState.REFUSED,
    BatchState.FAILED,
    BatchState.HELD,
    BatchState.ABANDONED,
)


# How a batch of the run "one" gets where it is, told once: each step makes one transition.
STEPS = {
    (PLANNED, SUBMITTING): lambda ledger, to: intended(ledger),
    (SUBMITTING, PLANNED): lambda ledger, to: answered(ledger, Outcome.THROTTLED, to),
    (SUBMITTING, REFUSED): lambda ledger, to: answered(ledger, Outcome.REFUSED, to),
    (SUBMITTING, HELD): lambda ledger, to: answered(ledger, Outcome.UNKNOWN, to),
    (SUBMITTING, SUBMITTED): lambda ledger, to: accepted(ledger),
    (PLANNED, SUBMITTED): lambda ledger, to: accepted(ledger),
    (HELD, SUBMITTED): lambda ledger, to: accepted(ledger),
    (SUBMITTED, FAILED): lambda ledger, to: ledger.progress.failed("batch", why="it says so", run_id="one"),
    (SUBMITTED, FETCHED): lambda ledger, to: fetched(ledger),
    (FETCHED, LOADED): lambda ledger, to: ledger.progress.loaded("batch", COUNTS, run_id="one"),
    (PLANNED, ABANDONED): lambda ledger, to: ledger.plans.released(["batch"], why="again", run_id="one"),
}
WAYS = {
    PLANNED: (),
    SUBMITTING: (PLANNED, SUBMITTING),
    SUBMITTED: (PLANNED, SUBMITTING, SUBMITTED),
    FETCHED: (PLANNED, SUBMITTING, SUBMITTED, FETCHED),
    LOADED: (PLANNED, SUBMITTING, SUBMITTED, FETCHED, LOADED),
    REFUSED: (PLANNED, SUBMITTING, REFUSED),
    FAILED: (PLANNED, SUBMITTING, SUBMITTED, FAILED),
    HELD: (PLANNED, SUBMITTING, HELD),
    # With an attempt: a person let go of it after its upload was free, so a late answer is possible.
    ABANDONED: (PLANNED, SUBMITTING, PLANNED, ABANDONED),
}


def walk(ledger, way):
    planned(ledger, "batch")
    for source, to in pairwise(way):
        STEPS[source, to](ledger, to)


def first_attempt(ledger):
    return ledger.uploads.of_batch("batch")[0]


def answered(ledger, outcome, to, **more):
    ledger.uploads.answered(
        first_attempt(ledger), UploadResult(outcome, "said the provider", 400), to=to, why="words", **more
    )


def accepted(ledger, result=ACCEPTED, run_id="one"):
    return ledger.uploads.accepted(first_attempt(ledger).attempt_id, result, run_id=run_id)


def fetched(ledger):
    ledger.progress.fetched("batch", sha256="2" * 64, size=4096, checked_at=START, run_id="one")


# What each transition may start from; from everywhere else it must change neither state nor history.
STARTS = {
    "intended": ({PLANNED}, intended),
    "answered": ({SUBMITTING}, lambda ledger: ledger.uploads.of_batch("batch") and answered_held(ledger)),
    "failed": ({SUBMITTED}, lambda ledger: ledger.progress.failed("batch", why="gone", run_id="one")),
    "fetched": ({SUBMITTED}, fetched),
    "loaded": ({FETCHED}, lambda ledger: ledger.progress.loaded("batch", COUNTS, run_id="one")),
    "replayed": ({LOADED}, lambda ledger: ledger.progress.replayed("batch", COUNTS, run_id="one")),
    "load_failed": (
        {FETCHED, LOADED},
        lambda ledger: ledger.progress.load_failed("batch", why="x", run_id="one"),
    ),
    "released": ({PLANNED}, lambda ledger: ledger.plans.released(["batch"], why="again", run_id="one")),
    "left_behind": (set(), lambda ledger: ledger.runs.left_behind("one")),
    "adopted": ({HELD, FAILED}, lambda ledger: decided(ledger, "adopted", "task")),
    "resubmitted": ({HELD, FAILED, REFUSED}, lambda ledger: decided(ledger, "resubmitted")),
    "abandoned": ({HELD, FAILED, REFUSED, SUBMITTED}, lambda ledger: decided(ledger, "abandoned")),
}


def answered_held(ledger):
    answered(ledger, Outcome.UNKNOWN, HELD)


def decided(ledger, what, *arguments):
    sources = STARTS[what][0]
    more = {"plan_again": True} if what == "abandoned" else {}
    return getattr(ledger.decisions, what)("batch", *arguments, sources=sources, why="a person", **more)


def at_once(count, work):
    """``work(index)`` in so many threads, begun together; what each brought."""
    gate, results = threading.Barrier(count), [None] * count

    def wait_and_work(index):
        gate.wait(60)
        results[index] = work(index)

    threads = [threading.Thread(target=wait_and_work, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return results
