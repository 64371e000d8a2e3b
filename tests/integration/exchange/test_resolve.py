"""A person's decisions over a real ledger and a real (stand-in) provider."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta
from uuid import uuid4

import pytest
from support.batch_fixture import BATCH, FAILED, HELD, NUMBERS, PLANNED, REFUSED, SUBMITTED, beside, submitted
from support.installed import made
from support.raw_server import RawServer, as_json, http
from typer.testing import CliRunner

from ekyc_tasks.cli import app
from ekyc_tasks.errors import AccessDenied, ConfigurationError, ProviderTrouble
from ekyc_tasks.exchange.resolve import Resolution, resolve
from ekyc_tasks.ledger import NewBatch, open_ledger
from ekyc_tasks.models import BatchState, Decision, Outcome, UploadResult
from ekyc_tasks.money import NO_BUDGET

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("no_certificates")]

ADOPT, RESUBMIT, ABANDON = Decision.ADOPT, Decision.RESUBMIT, Decision.ABANDON
ABANDONED, FETCHED, LOADED = BatchState.ABANDONED, BatchState.FETCHED, BatchState.LOADED
FOREIGN = "d4g24nep2jvh04o9uoh0"  # made on 2025-11-21


def decide(bench, decision, task_id=None, **more):
    async def deciding():
        verdict = Resolution(decision, "somebody", task_id=task_id, **more)
        async with bench.provider() as provider:
            return await resolve(BATCH, verdict, ledger=bench.ledger, provider=provider)

    return asyncio.run(deciding())


def held(bench):
    assert bench.submit() is HELD


def refused(bench, decision, words, task_id=None, **more):
    """One clear sentence, exit code 2, and nothing changed."""
    before = (bench.batch, bench.way)
    with pytest.raises(ConfigurationError, match=words) as caught:
        decide(bench, decision, task_id, **more)
    assert (bench.batch, bench.way) == before
    assert str(caught.value).count("\n") == 0


# ---------------------------------------------------------------- adopt


def test_what_was_charged_is_adopted_and_goes_on(bench):
    with beside(bench, "create:1=reset_after", charges=1):
        held(bench)
        task_id = bench.sandbox.tasks[0].task_id
        assert decide(bench, ADOPT, task_id, reason="seen on the provider's page") is SUBMITTED
        assert (bench.batch.task_id, bench.batch.owner) == (task_id, None)
        assert bench.why == "somebody: adopt (seen on the provider's page)"
        assert bench.ledger.runs.claimed(bench.run_id) == [BATCH]
        assert bench.poll() is True


def test_a_doubtful_task_says_nothing_about_the_account(bench):
    with beside(bench, "create:1=reset_after", charges=1):
        held(bench)
        bench.set(numbers=9)
        refused(bench, ADOPT, "has 150 numbers", bench.sandbox.tasks[0].task_id)
        bench.ledger.facts.belongs_to_user("somebody else")


def test_a_task_of_another_account_is_not_adopted_whatever_is_forced(bench):
    bench.ledger.facts.belongs_to_user("somebody")
    with beside(bench, "create:1=reset_after", charges=1):
        held(bench)
        task_id = bench.sandbox.tasks[0].task_id
        refused(bench, ADOPT, "another account", task_id, is_forced=True, reason="it must be")


def test_adopting_twice_is_adopting_once(bench):
    with beside(bench, "create:1=reset_after"):
        held(bench)
        task_id = bench.sandbox.tasks[0].task_id
        decide(bench, ADOPT, task_id)
        before = bench.way
        assert decide(bench, ADOPT, task_id) is SUBMITTED
        assert bench.way == before


def test_a_task_that_failed_and_came_back_is_adopted_and_asked_about_afresh(bench):
    with submitted(bench, "poll:1-4=404"):
        task_id = bench.batch.task_id
        assert bench.poll(shortest=200, longest=200) is False
        assert bench.state is FAILED
        refused(bench, ADOPT, "knows no task", task_id)
        assert decide(bench, ADOPT, task_id) is SUBMITTED
        assert (bench.batch.unknowns, bench.batch.unknown_since) == (0, None)
        assert bench.ledger.runs.claimed(bench.run_id) == [BATCH]
        assert bench.poll() is True


@pytest.mark.parametrize("task_id", ["", "no task", "../etc", "d4g24nep2jvh04o9uoh0; DROP"])
def test_a_malformed_task_id_is_refused_before_anybody_is_asked(bench, task_id):
    with beside(bench, "create:1=reset_before"):
        held(bench)
        calls = len(bench.sandbox.calls)
        refused(bench, ADOPT, "20 letters and digits", task_id)
        assert len(bench.sandbox.calls) == calls


def test_a_task_that_the_provider_does_not_know_is_refused(bench):
    with beside(bench, "create:1=reset_before"):
        held(bench)
        refused(bench, ADOPT, "knows no task", FOREIGN)
        refused(bench, ADOPT, "knows no task", FOREIGN, is_forced=True, reason="I am sure")


@pytest.mark.parametrize("total", [1, len(NUMBERS) - 1, len(NUMBERS) + 1])
def test_a_task_of_another_size_is_refused_unless_forced(bench, total):
    task_id = with_creation_second(bench.clock)
    answer = http(200, as_json({"task_id": task_id, "status": "processing", "total": total}))
    with RawServer(http(404), http(502), http(404), answer) as server:
        bench.url = server.url
        held(bench)
        refused(bench, ADOPT, f"has {total:,} numbers", task_id)
        assert decide(bench, ADOPT, task_id, is_forced=True, reason="repeats were left out") is SUBMITTED
    assert "safety checks skipped (repeats were left out)" in bench.why


def test_an_old_style_total_of_nothing_says_nothing(bench):
    task_id = with_creation_second(bench.clock)
    answer = http(200, as_json({"task_id": task_id, "status": "pending", "total": 0}))
    with RawServer(http(404), http(502), http(404), answer) as server:
        bench.url = server.url
        held(bench)
        assert decide(bench, ADOPT, task_id) is SUBMITTED


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_a_task_made_at_another_time_is_refused_unless_forced(bench, seconds):
    task_id = with_creation_second(bench.clock, seconds)
    answer = http(200, as_json({"task_id": task_id, "status": "processing", "total": len(NUMBERS)}))
    with RawServer(http(404), http(502), http(404), answer) as server:
        bench.url = server.url
        held(bench)
        refused(bench, ADOPT, "when nothing was uploaded", task_id)
        assert decide(bench, ADOPT, task_id, is_forced=True, reason="their clock is off") is SUBMITTED


def test_a_task_of_another_batch_is_refused(bench):
    with beside(bench, "create:1=reset_after"):
        held(bench)
        task_id = bench.sandbox.tasks[0].task_id
        with bench.ledger._store.writing() as connection:
            connection.exec_driver_sql(
                "INSERT INTO batches (batch_id, task_type, state, numbers, sha256, planned_at, run_id, "
                "server_errors, polls, repacked, dropped, unknowns, task_id) SELECT 'other', task_type, "
                "'submitted', 1, '', planned_at, run_id, 0, 0, 0, 0, 0, ? FROM batches",
                (task_id,),
            )
        refused(bench, ADOPT, "belongs to another batch", task_id, is_forced=True, reason="x")


def test_trouble_while_asking_changes_nothing(bench):
    with beside(bench, "create:1=reset_after", "poll:1=503", "poll:2=401"):
        held(bench)
        task_id = bench.sandbox.tasks[0].task_id
        with pytest.raises(ProviderTrouble):
            decide(bench, ADOPT, task_id)
        with pytest.raises(AccessDenied):
            decide(bench, ADOPT, task_id)
        assert bench.state is HELD
        assert decide(bench, ADOPT, task_id) is SUBMITTED


# ---------------------------------------------------------------- resubmit, abandon


def test_resubmitting_sends_again_and_only_then(bench):
    with beside(bench, "create:1=reset_before", charges=1):
        held(bench)
        assert decide(bench, RESUBMIT, reason="not on their page") is PLANNED
        assert bench.uploads == 1
        assert bench.ledger.runs.claimed(bench.run_id) == [BATCH]
        assert bench.submit() is SUBMITTED


def test_resubmitting_forgets_what_was_counted_against_the_batch(bench):
    with beside(bench, "create:1-3=500", charges=1):
        for _ in range(2):
            with pytest.raises(ProviderTrouble):
                bench.submit()
        assert bench.submit() is HELD
        decide(bench, RESUBMIT)
        assert bench.ledger.runs.claimed(bench.run_id) == [BATCH]
        assert bench.batch.server_errors == 0
        assert bench.submit() is SUBMITTED


@pytest.mark.parametrize(
    ("decision", "allowed"),
    [
        (ADOPT, {HELD, FAILED}),
        (RESUBMIT, {HELD, FAILED, REFUSED}),
        (ABANDON, {HELD, FAILED, REFUSED, SUBMITTED}),
    ],
)
@pytest.mark.parametrize("state", list(BatchState))
def test_a_decision_applies_where_the_arrows_say(bench, decision, allowed, state):
    target = {ADOPT: SUBMITTED, RESUBMIT: PLANNED, ABANDON: ABANDONED}[decision]
    task_id = with_creation_second(bench.clock) if decision is ADOPT else None
    answer = http(200, as_json({"task_id": task_id, "status": "processing"}))
    with RawServer(http(404), http(502), http(404), answer) as server:
        bench.url = server.url
        held(bench)
        bench.set(state=state)
        if state in allowed:
            assert decide(bench, decision, task_id) is target
            assert decide(bench, decision, task_id) is target  # deciding the same again changes nothing
            assert bench.ledger.history.events(BATCH)[-1].why.startswith(f"somebody: {decision}")
        else:
            with pytest.raises(ConfigurationError, match=rf"is {state}, but {decision} is only possible"):
                decide(bench, decision, task_id)
            assert bench.state is state


@pytest.mark.parametrize("decision", [RESUBMIT, ABANDON])
def test_an_answer_that_may_still_come_is_waited_for_unless_forced(bench, decision):
    with beside(bench):
        attempt_of_a_dead_run(bench, deadline=timedelta(minutes=10))
        refused(bench, decision, "may still answer the upload")
        bench.clock.advance(601)
        assert decide(bench, decision) in {PLANNED, ABANDONED}


def test_force_does_not_wait(bench):
    with beside(bench):
        attempt_of_a_dead_run(bench, deadline=timedelta(minutes=10))
        assert decide(bench, ABANDON, is_forced=True, reason="the machine is gone") is ABANDONED


def test_a_batch_that_moves_while_somebody_decides_is_left_where_it_went(bench, monkeypatch):
    with beside(bench, "create:1=reset_before"):
        held(bench)
        resubmitted = bench.ledger.decisions.resubmitted

        def late(*arguments, **options):
            bench.set(state=LOADED)
            return resubmitted(*arguments, **options)

        monkeypatch.setattr(bench.ledger.decisions, "resubmitted", late)
        with pytest.raises(ConfigurationError, match="has become loaded meanwhile"):
            decide(bench, RESUBMIT)
        assert bench.state is LOADED


def test_an_unknown_batch_is_said_so(bench):
    async def deciding():
        verdict = Resolution(ABANDON, "somebody")
        await resolve("nothing", verdict, ledger=bench.ledger, provider=None)

    with pytest.raises(ConfigurationError, match="There is no batch nothing"):
        asyncio.run(deciding())


def attempt_of_a_dead_run(bench, *, deadline):
    bench.ledger.uploads.intended(
        uuid4().hex,
        BATCH,
        run_id=bench.run_id,
        deadline=deadline,
        price=None,
        budget=NO_BUDGET,
        balance=None,
    )
    bench.ledger.runs.ended(bench.run_id)
    assert bench.ledger.runs.left_behind("run-2") == [BATCH]


def with_creation_second(clock, seconds=0):
    """A task id made then: rs/xid, whose first four bytes are the creation second."""
    raw = int(clock.now().timestamp() + seconds).to_bytes(4, "big") + b"\x01\x02\x03\x04\x05\x06\x07\x08"
    return base64.b32hexencode(raw).decode().rstrip("=").lower()


# ---------------------------------------------------------------- at the command line


@pytest.mark.parametrize(
    ("words", "asks"), [(["resubmit"], True), (["resubmit", "--yes"], False), (["abandon"], False)]
)
def test_what_may_cost_again_wants_a_second_word(tmp_path, monkeypatch, words, asks):
    monkeypatch.setenv("EKYC_HOME", str(tmp_path))
    data = made(tmp_path / "data", "https://api.ekycpro.com")
    with open_ledger(f"sqlite:///{data}/ledger.db") as ledger:
        ledger.runs.opened("run", host="here", lease=timedelta(hours=1))
        batch = NewBatch("batch", 1000, "0" * 64)
        ledger.plans.planned(landed=[], new_batches=[batch], links=[], task_type="tg", run_id="run")
        attempt = ledger.uploads.intended(
            uuid4().hex,
            "batch",
            run_id="run",
            deadline=timedelta(0),
            price=None,
            budget=NO_BUDGET,
            balance=None,
        )
        ledger.uploads.answered(attempt, UploadResult(Outcome.UNKNOWN, "cut"), to=HELD, why="cut")
        ended = CliRunner().invoke(app, ["resolve", "batch", *words])
        assert ("Its 1,000 numbers cost again" in str(ended.exception)) is asks
        assert (ledger.history.batch("batch").state is HELD) is asks
