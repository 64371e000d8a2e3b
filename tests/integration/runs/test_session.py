"""Runs beside runs: what one has in hand is left alone and waited for; a foreign ledger is left unchanged."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from support.installed import made

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.ledger import NewBatch, connect_ledger, make_ledger
from ekyc_tasks.money import Budget
from ekyc_tasks.runs import session as run_module
from ekyc_tasks.runs.session import start_run
from ekyc_tasks.settings import load_settings

pytestmark = pytest.mark.integration

LONG = timedelta(hours=1)
HOST = "127.0.0.1:8765"


@pytest.fixture
def settings(url, tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "_LOOK_AGAIN_SECONDS", 0.01)
    for name, value in {
        "HOME": tmp_path,
        "DATA_DIR": tmp_path / "data",
        "LEDGER_URL": url,
        "BASE_URL": f"http://{HOST}",
        "API_KEY": "sandbox-key",
    }.items():
        monkeypatch.setenv(f"EKYC_{name}", str(value))
    made(tmp_path / "data", f"http://{HOST}", url)
    return load_settings()


def planned(run, *batch_ids, numbers=1):
    run.ledger.plans.planned(
        landed=[],
        new_batches=[NewBatch(batch_id, numbers, "0" * 64) for batch_id in batch_ids],
        links=[],
        task_type="tg_avatar",
        run_id=run.run_id,
    )


def test_what_another_run_has_in_hand_is_not_ours_and_is_waited_for(settings):
    async def finish(run):
        waiting = asyncio.create_task(run.wait_for_others())
        await asyncio.sleep(0.1)
        assert not waiting.done()
        other.ledger.plans.released(["theirs"], why="done", run_id=other.run_id)
        await asyncio.wait_for(waiting, 10)

    with start_run(settings) as other:
        planned(other, "theirs")
        with start_run(settings) as run:
            assert run.to_submit() == []
            asyncio.run(finish(run))
            assert run.problems == []


def test_a_run_without_work_of_its_own_takes_over_what_a_busier_one_has_before_it(settings):
    with start_run(settings) as other:
        planned(other, "b1", "b2", "b3")
        with start_run(settings) as run:
            assert next(other.one_by_one()) == "b1"
            assert list(run.one_by_one()) == ["b3", "b2"]
            assert (run.owns("b3"), other.owns("b3")) == (True, False)


def test_what_is_taken_over_fits_into_the_limit(settings):
    with start_run(settings) as other:
        planned(other, "b1", "b2", numbers=100)
        with start_run(settings) as run:
            assert list(run.one_by_one(99)) == []
            assert list(run.one_by_one(100)) == ["b2"]


def test_two_runs_do_not_take_the_same_batch_from_each_other_for_ever(settings):
    with start_run(settings) as one, start_run(settings) as two:
        planned(one, "a1", "a2")
        planned(two, "b1", "b2")

        assert len(list(one.one_by_one())) <= 4
        assert len(list(two.one_by_one())) <= 4


def test_who_waits_in_vain_says_so(settings):
    with start_run(settings) as other:
        planned(other, "theirs")
        with start_run(settings) as run:
            run.until = datetime.now(UTC)
            asyncio.run(run.wait_for_others())
            [problem] = run.problems
    assert (problem.text, problem.exit_code) == ("Another run is still working on theirs.", 6)


def test_two_runs_do_not_wait_for_each_other(settings):
    async def both():
        await asyncio.wait_for(asyncio.gather(one.wait_for_others(), two.wait_for_others()), 10)

    with start_run(settings) as one, start_run(settings) as two:
        planned(one, "of-one")
        planned(two, "of-two")
        asyncio.run(both())
        assert one.problems == two.problems == []


def test_a_run_sweeps_away_what_was_left_in_staging_long_ago(settings):
    staging = settings.folder.staging
    with start_run(settings):
        for name, hours in (("killed-yesterday", 25), ("in-work", 23)):
            path = staging / name
            path.touch()
            os.utime(path, (path.stat().st_mtime - hours * 3600,) * 2)
    with start_run(settings):
        assert [path.name for path in staging.iterdir()] == ["in-work"]


def contents(url):
    with connect_ledger(url) as ledger, ledger._store.reading() as connection:
        tables = ("facts", "runs", "batches", "events", "alembic_version")
        return [connection.execute(text(f"SELECT * FROM {table}")).all() for table in tables]  # noqa: S608


def test_a_ledger_of_another_provider_is_left_unchanged(settings, url, monkeypatch):
    with start_run(settings) as run:
        planned(run, "batch")
        run.ledger.uploads.intended(
            uuid4().hex,
            "batch",
            run_id=run.run_id,
            deadline=LONG,
            price=None,
            budget=Budget(),
            balance=None,
        )
    before = contents(url)
    monkeypatch.setenv("EKYC_BASE_URL", "https://api.ekycpro.com")
    with pytest.raises(ConfigurationError, match=f"belongs to {HOST}"), start_run(load_settings()):
        raise AssertionError("there is no run")
    assert contents(url) == before


def test_a_ledger_from_a_newer_version_is_left_unchanged(settings, url):
    with make_ledger(url) as ledger, ledger._store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = contents(url)
    with pytest.raises(ConfigurationError, match="newer version"), start_run(settings):
        raise AssertionError("there is no run")
    assert contents(url) == before


def test_with_broken_rules_a_run_may_not_buy_and_goes_on_with_what_is_paid_for(settings):
    settings.folder.landing_rules.write_text('[[files]]\nmatch = "*"\nregion = "XX"\n')
    with start_run(settings) as run:
        planned(run, "before")
        [problem] = run.problems
        assert (problem.exit_code, run.may_buy, run.questions) == (2, False, [])
        assert "landing.toml, rule 1, region: " in problem.text
    settings.folder.landing_rules.write_text('[[files]]\nmatch = "*"\nregion = "CH"\n')
    with start_run(settings) as run:
        assert (run.problems, run.may_buy, run.to_submit()) == ([], True, ["before"])
