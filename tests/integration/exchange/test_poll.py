"""The poll step: how often the provider is asked, and what its answers lead to."""

from __future__ import annotations

import asyncio
import io
from contextlib import contextmanager
from datetime import timedelta

import pytest
from support.batch_fixture import (
    FAILED,
    FETCHED,
    HELD,
    HOUR,
    IMPATIENCE,
    NUMBERS,
    PATIENCE,
    PLANNED,
    SUBMITTED,
    beside,
    submitted,
)
from support.raw_server import RawServer, as_json, http

from ekyc_tasks.errors import AccessDenied, ConfigurationError
from ekyc_tasks.exchange.check_account import check_account
from ekyc_tasks.models import BatchState
from ekyc_tasks.reporting.summary import status_document

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("no_certificates")]


def test_poll_waits_until_the_result_is_there_with_few_questions(bench):
    with submitted(bench, processing_seconds=1740, pending_seconds=30):
        began = bench.clock.now()
        assert bench.poll() is True
        elapsed = (bench.clock.now() - began).total_seconds()
        assert 1740 <= elapsed <= 1740 + 60
        assert bench.batch.exported_at == bench.clock.now()
        assert bench.batch.polls == len(bench.clock.naps) + 1 < 60
        assert (bench.batch.provider_status, bench.batch.provider_success) == ("exported", len(NUMBERS))
        assert bench.state is SUBMITTED


TROUBLES = "400 402 404 408 409 410 413 422 429 429_bare 500 502 503 504 redirect reset html empty stall"


@pytest.mark.parametrize("trouble", TROUBLES.split())
def test_http_trouble_while_polling_is_waited_out(bench, trouble):
    with submitted(bench, f"poll:1-2={trouble}"):
        assert bench.poll(timeouts=IMPATIENCE if trouble == "stall" else PATIENCE) is True
        assert len(bench.clock.naps) == 2
        assert bench.batch.polls == 3


@pytest.mark.parametrize("twist", ["completed", "unknown_status", "no_link", "202"])
def test_what_is_not_final_is_asked_about_again(bench, twist):
    with submitted(bench, f"poll:1-3={twist}"):
        assert bench.poll() is True
        assert bench.batch.polls == (1 if twist == "202" else 4)


def test_trouble_in_a_row_is_asked_about_less_and_less(bench):
    with submitted(bench, "poll:1-7=503"):
        assert bench.poll(longest=20) is True
        assert bench.clock.naps == [1, 2, 4, 8, 16, 20, 20]


def test_answer_between_ends_the_row(bench):
    with submitted(bench, "poll:1-3=503,poll:4=completed,poll:5=503"):
        assert bench.poll() is True
        assert bench.clock.naps[:3] == [1, 2, 4]
        assert bench.clock.naps[4] == 1


def test_pause_that_the_provider_asks_for_is_kept_while_polling(bench):
    with submitted(bench, "poll:1=429", retry_after=45):
        assert bench.poll() is True
        assert bench.clock.naps == [45]


def test_pause_beyond_the_deadline_ends_the_wait_at_once(bench):
    with submitted(bench, "poll:1=429", retry_after=7200):
        assert bench.poll() is False
        assert bench.clock.naps == []
        assert bench.state is SUBMITTED


def test_pause_that_the_provider_asks_for_is_kept_by_the_next_run(bench):
    with submitted(bench, "poll:1=429", retry_after=7200):
        assert bench.poll() is False
        bench.clock.advance(4000)
        assert bench.poll(until=timedelta(minutes=5)) is False
        assert bench.batch.polls == 1
        assert bench.poll() is True
        assert bench.clock.naps == [3200]


def test_pause_of_nothing_is_no_reason_to_ask_at_once(bench):
    with submitted(bench, "poll:1-3=429", retry_after=0):
        assert bench.poll() is True
        assert bench.clock.naps == [1, 2, 4]


def test_poll_ends_at_its_deadline(bench):
    with submitted(bench, processing_seconds=7200):
        until = bench.clock.now() + HOUR
        assert bench.poll() is False
        assert bench.clock.now() == until
        assert bench.state is SUBMITTED


def test_poll_without_time_asks_once(bench):
    with submitted(bench, processing_seconds=7200):
        assert bench.poll(until=timedelta(0)) is False
        assert (bench.batch.polls, bench.clock.naps) == (1, [])
    with submitted_again(bench):
        assert bench.poll(until=timedelta(seconds=-5)) is True


@contextmanager
def submitted_again(bench):
    with RawServer(http(200, as_json({"status": "exported", "result_url": "http://127.0.0.1:1/"}))) as server:
        bench.url = server.url
        yield


def test_failed_task_is_failed(bench):
    with submitted(bench, "create:1=failed", processing_seconds=60):
        assert bench.poll() is False
        assert bench.way[-2:] == [SUBMITTED, FAILED]
        assert bench.poll() is False


@pytest.mark.parametrize("code", [404, 400])
def test_task_that_is_unknown_right_after_it_was_made_is_waited_for(bench, code):
    with submitted(bench, f"poll:1-20={code}"):
        assert bench.poll(shortest=1, longest=5) is True
        assert bench.batch.polls == 21


@pytest.mark.parametrize("code", [404, 400])
def test_task_that_stays_unknown_has_failed(bench, code):
    with submitted(bench, f"poll:*={code}"):
        assert bench.poll() is False
        assert bench.state is FAILED
        assert "no longer knows" in bench.why
        assert bench.why in status_document(bench.ledger)["open"][0]
        assert bench.clock.now() - bench.batch.submitted_at > timedelta(minutes=2)


def test_old_task_that_is_unknown_is_asked_about_a_few_times_before_it_has_failed(bench):
    with submitted(bench, "poll:*=404"):
        bench.clock.advance(86400)
        assert bench.poll(shortest=200, longest=200) is False
        assert (bench.state, bench.batch.polls) == (FAILED, 3)


def test_unknown_tasks_are_counted_from_run_to_run(bench):
    """A scheduled run may have time for one question only."""
    with submitted(bench, "poll:*=404"):
        for _ in range(2):
            assert bench.poll(until=timedelta(0)) is False
            assert bench.state is SUBMITTED
            bench.clock.advance(300)
        assert bench.poll(until=timedelta(0)) is False
        assert bench.state is FAILED


def test_an_answer_between_makes_the_unknown_ones_forgotten(bench):
    with submitted(bench, "poll:1-2=404,poll:4-5=404", processing_seconds=7200):
        for _ in range(5):
            assert bench.poll(until=timedelta(0)) is False
            bench.clock.advance(300)
        assert (bench.state, bench.batch.unknowns) == (SUBMITTED, 2)


def test_trouble_between_neither_counts_nor_makes_forgotten(bench):
    with submitted(bench, "poll:1=404,poll:2=503,poll:3=404,poll:4=503"):
        for _ in range(4):
            assert bench.poll(until=timedelta(0)) is False
            bench.clock.advance(300)
        assert (bench.state, bench.batch.unknowns) == (SUBMITTED, 2)


@pytest.mark.parametrize("code", [401, 403, 405])
def test_key_that_is_turned_down_ends_the_wait(bench, code):
    with submitted(bench, f"poll:1={code}"):
        with pytest.raises(AccessDenied):
            bench.poll()
        assert (bench.state, bench.clock.naps) == (SUBMITTED, [])
        assert bench.poll() is True


def test_task_of_another_account_is_a_wrong_key(bench):
    bench.ledger.facts.belongs_to_user("somebody")
    with submitted(bench):
        with pytest.raises(ConfigurationError, match="another account"):
            bench.poll()
        assert (bench.state, bench.batch.exported_at) == (SUBMITTED, None)


def test_key_of_another_account_buys_nothing(bench):
    """The answer about the newest task names it."""
    bench.ledger.facts.belongs_to_user("somebody")
    with beside(bench, charges=1):
        bench.bought_before(asyncio.run(bought(bench)))
        with pytest.raises(ConfigurationError, match="another account"):
            asyncio.run(checked(bench))
        assert (bench.state, bench.uploads, bench.attempts) == (PLANNED, 1, [])


async def checked(bench):
    """What a run asks before its first upload."""
    async with bench.provider() as provider:
        return await check_account(bench.ledger, provider)


async def bought(bench):
    """The id of a task, bought by hand."""
    async with bench.provider() as provider:
        result = await provider.upload(
            io.BytesIO(b"+41798284651\n"), name="one.txt", task_type="tg_avatar", deadline=5
        )
    return result.task_id


@pytest.mark.parametrize("answer", ["500", "html", "404", "401", "403", "429", "reset"])
def test_where_the_provider_does_not_name_the_account_the_upload_goes_on(bench, answer):
    with beside(bench, f"poll:1={answer}", charges=1):
        bench.bought_before("d4g24nep2jvh04o9uoh0")
        assert asyncio.run(checked(bench)).question is None
        assert bench.submit() is SUBMITTED
        assert len([call for call in bench.sandbox.calls if call.path == "/v1/gettasks"]) == 1


@pytest.mark.parametrize(
    ("state", "is_there"),
    [
        (FETCHED, True),
        (BatchState.LOADED, True),
        (FAILED, False),
        (HELD, False),
        (BatchState.ABANDONED, False),
    ],
)
def test_batch_that_is_elsewhere_is_not_asked_about(bench, state, is_there):
    bench.set(state=state)
    with beside(bench):
        assert bench.poll() is is_there
        assert bench.sandbox.calls == []


def test_batch_that_is_abandoned_meanwhile_is_asked_about_no_more(bench, monkeypatch):
    async def abandoning(seconds):
        bench.set(state=BatchState.ABANDONED)

    with submitted(bench, processing_seconds=60):
        monkeypatch.setattr(bench.clock, "sleep", abandoning)
        assert bench.poll() is False
        assert bench.batch.polls == 1


def test_first_sight_of_the_result_is_kept(bench):
    with submitted(bench):
        bench.poll()
        first = bench.batch.exported_at
        bench.clock.advance(100)
        bench.poll()
        assert bench.batch.exported_at == first
