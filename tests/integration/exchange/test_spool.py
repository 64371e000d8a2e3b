"""Answers that are on disk before the ledger hears of them: no paid task id is lost in between."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from support.installed import made

from ekyc_tasks.errors import LedgerError
from ekyc_tasks.exchange import spool
from ekyc_tasks.installation import open_questions
from ekyc_tasks.ledger import NewBatch, make_ledger
from ekyc_tasks.models import BatchState, Outcome, UploadResult
from ekyc_tasks.money import NO_BUDGET
from ekyc_tasks.runs.session import start_run
from ekyc_tasks.settings import load_settings
from ekyc_tasks.storage.paths import DataFolder, Site

pytestmark = pytest.mark.integration

LEASE = timedelta(minutes=1)
ACCEPTED = UploadResult(Outcome.ACCEPTED, "created", 202, task_id="d4g8o46p2jvh04o9uolg")


@pytest.fixture
def folder(tmp_path):
    return DataFolder(tmp_path, tmp_path / "landing", tmp_path / "warehouse")


@pytest.fixture
def ledger(tmp_path):
    with make_ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        for run_id in ("first", "second"):
            ledger.runs.opened(run_id, host="here", lease=LEASE)
        yield ledger


def uploading(ledger, batch_id="batch"):
    """An attempt of the first run, whose upload is on its way."""
    ledger.plans.planned(
        landed=[],
        new_batches=[NewBatch(batch_id, 100, "0" * 64)],
        links=[],
        task_type="tg_avatar",
        run_id="first",
    )
    return ledger.uploads.intended(
        uuid4().hex,
        batch_id,
        run_id="first",
        deadline=LEASE,
        price=None,
        budget=NO_BUDGET,
        balance=None,
    )


def test_an_answer_is_kept_privately_and_whole(folder, ledger):
    attempt = uploading(ledger)
    path = spool.keep(folder, attempt.attempt_id, ACCEPTED)
    assert json.loads(path.read_bytes()) == {
        "attempt_id": attempt.attempt_id,
        "task_id": ACCEPTED.task_id,
        "http_status": 202,
    }
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert list(folder.staging.iterdir()) == []


@pytest.mark.parametrize("is_held", [False, True])
def test_the_next_run_brings_it_home_before_or_after_it_was_held(folder, ledger, is_held):
    attempt = uploading(ledger)
    path = spool.keep(folder, attempt.attempt_id, ACCEPTED)
    ledger.runs.ended("first")
    if is_held:
        assert ledger.runs.left_behind("second") == ["batch"]
    assert spool.bring_home(folder, ledger, run_id="second") == 1
    assert ledger.runs.left_behind("second") == []
    batch = ledger.history.batch("batch")
    assert (batch.state, batch.task_id) == (BatchState.SUBMITTED, ACCEPTED.task_id)
    assert ledger.uploads.of_batch("batch")[0].http_status == 202
    assert not path.exists()


def test_bringing_home_twice_is_bringing_home_once(folder, ledger):
    attempt = uploading(ledger)
    for _ in range(2):  # killed between the commit and the end of the file
        spool.keep(folder, attempt.attempt_id, ACCEPTED)
        spool.bring_home(folder, ledger, run_id="second")
    assert [event.to_state for event in ledger.history.events("batch")] == [
        BatchState.PLANNED,
        BatchState.SUBMITTING,
        BatchState.SUBMITTED,
    ]
    assert spool.bring_home(folder, ledger, run_id="second") == 0


def test_answers_stay_on_disk_until_the_ledger_has_them(folder, ledger, monkeypatch):
    for name in ("one", "two"):
        spool.keep(folder, uploading(ledger, name).attempt_id, ACCEPTED)

    def accepted(*_, **__):
        raise LedgerError("The ledger cannot be used (database or disk is full).")

    with monkeypatch.context() as patch:
        patch.setattr(ledger.uploads, "accepted", accepted)
        with pytest.raises(LedgerError, match="full"):
            spool.bring_home(folder, ledger, run_id="second")
    assert len(list(folder.spool.iterdir())) == 2
    assert spool.bring_home(folder, ledger, run_id="second") == 2


def test_an_answer_of_another_ledger_is_not_thrown_away(folder, ledger):
    path = spool.keep(folder, "nowhere", ACCEPTED)
    content = path.read_bytes()
    spool.keep(folder, uploading(ledger).attempt_id, ACCEPTED)
    assert spool.bring_home(folder, ledger, run_id="second") == 1
    assert ledger.history.batch("batch").state is BatchState.SUBMITTED
    assert ({each: each.read_bytes() for each in folder.spool.iterdir()}) == {path: content}
    [question] = open_questions(
        ledger, Site(folder, f"sqlite:///{folder.root / 'ledger.db'}", "api.ekycpro.com")
    )
    assert question.name == "strays"
    assert "does not know 1 answer in .spool/" in question.text
    assert "`ekyc recover`" in question.text


def test_a_run_asks_about_an_answer_of_another_ledger_and_buys_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("EKYC_HOME", str(tmp_path))
    made(tmp_path / "data", "https://api.ekycpro.com")
    settings = load_settings()
    path = spool.keep(settings.folder, "nowhere", ACCEPTED)
    for _ in range(2):
        with start_run(settings) as run:
            assert [question.name for question in run.questions] == ["strays"]
            assert ([problem.exit_code for problem in run.problems], run.may_buy) == ([3], False)
        assert path.exists()
    path.unlink()
    with start_run(settings) as run:
        assert (run.questions, run.problems, run.may_buy) == ([], [], True)


def test_an_answer_that_something_damaged_is_named_and_kept(folder, ledger):
    path = spool.keep(folder, uploading(ledger).attempt_id, ACCEPTED)
    path.write_bytes(b'{"attempt_id": ')
    with pytest.raises(LedgerError, match=path.name):
        spool.bring_home(folder, ledger, run_id="second")
    assert path.exists()


def test_an_answer_that_another_run_has_committed_meanwhile_is_passed_over(folder, ledger):
    """It was listed, and is gone when it is read: a link that leads nowhere."""
    spool.keep(folder, uploading(ledger).attempt_id, ACCEPTED)
    (folder.spool / "gone.json").symlink_to(folder.spool / "committed-and-removed")
    assert spool.bring_home(folder, ledger, run_id="second") == 1


def test_half_a_spool_file_is_no_spool_file(folder, ledger, monkeypatch):
    attempt = uploading(ledger)
    monkeypatch.setattr("ekyc_tasks.support.atomic_files.os.fsync", disk_full)
    with pytest.raises(OSError, match="No space"):
        spool.keep(folder, attempt.attempt_id, ACCEPTED)
    assert list(folder.spool.glob("*")) == []
    assert list(folder.staging.glob("*")) == []


def disk_full(_):
    raise OSError(28, "No space left on device")
