"""When to ask next: seldom, soon enough, and never before one was asked to."""

from __future__ import annotations

import itertools

import pytest

from ekyc_tasks.exchange.poll_schedule import PollSchedule

TOTAL = 2049


def cadence(random=0.5, shortest=2.0, longest=120.0):
    return PollSchedule(shortest=shortest, longest=longest, random=lambda: random)


# How far a task says that it is, ``done`` of its time having passed (0 to 1).
PROGRESS = {
    "none is known": lambda done: (None, None),
    "zero of zero": lambda done: (0, 0),
    "none until the end": lambda done: (0, TOTAL),
    "steady": lambda done: (int(TOTAL * done), TOTAL),
    "in two halves": lambda done: (0 if done < 0.5 else 1024, TOTAL),
    "quick, then slow": lambda done: (int(TOTAL * done**0.3), TOTAL),
    "slow, then quick": lambda done: (int(TOTAL * done**3), TOTAL),
    "all but one": lambda done: (min(int(TOTAL * done * 4), TOTAL - 1), TOTAL),
    "some fail": lambda done: (int(2000 * done), TOTAL),
    "all, and not exported": lambda done: (min(int(TOTAL * done * 2), TOTAL), TOTAL),
    "more than all": lambda done: (int(3000 * done), TOTAL),
}


def asked(cadence, seconds, progress):
    """When a task of so many seconds is asked, the last time after its end."""
    now = 0.0
    while now < seconds:
        now += cadence.after_answer(
            now, **dict(zip(("success", "total"), progress(now / seconds), strict=True))
        )
        yield now


@pytest.mark.parametrize("random", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("shape", PROGRESS)
def test_half_an_hour_is_asked_about_fewer_than_forty_times(shape, random):
    times = list(asked(cadence(random), 1800, PROGRESS[shape]))
    assert len(times) < 40
    assert times[-1] - 1800 <= 120 * 1.1


@pytest.mark.parametrize(("seconds", "most"), [(5, 5), (60, 10), (600, 20), (7200, 90), (86_400, 800)])
def test_steady_progress_is_met_close_to_its_end(seconds, most):
    times = list(asked(cadence(), seconds, PROGRESS["steady"]))
    assert len(times) <= most
    assert times[-1] - seconds <= min(max(2, seconds / 16), 120)


def test_one_asks_half_way_through_what_is_left():
    assert cadence().after_answer(100, success=500, total=1000) == pytest.approx(50)
    assert cadence().after_answer(100, success=250, total=1000) == pytest.approx(120)


@pytest.mark.parametrize("shape", PROGRESS)
@pytest.mark.parametrize("elapsed", [0, 0.001, 1, 100, 1e6])
@pytest.mark.parametrize("random", [0.0, 0.999])
def test_every_delay_is_within_bounds_but_for_its_jitter(shape, elapsed, random):
    success, total = PROGRESS[shape](0.5)
    delay = cadence(random).after_answer(elapsed, success=success, total=total)
    assert 2 * 0.9 <= delay <= 120 * 1.1


def test_jitter_spreads_a_tenth_either_way():
    delays = [cadence(random).after_answer(90, success=None, total=None) for random in (0.0, 0.5, 1.0)]
    assert delays == pytest.approx([27, 30, 33])


def test_trouble_doubles_the_delay_up_to_the_longest():
    delays = [cadence().after_trouble(times) for times in (*range(1, 9), 10_000)]
    assert delays == pytest.approx([2, 4, 8, 16, 32, 64, 120, 120, 120])
    assert all(first <= second for first, second in itertools.pairwise(delays))


@pytest.mark.parametrize(
    ("retry_after", "expected"), [(None, 4), (0, 4), (1, 4), (4, 4), (30, 30), (3600, 3600), (-5, 4)]
)
@pytest.mark.parametrize("random", [0.0, 0.5, 0.999])
def test_nobody_asks_before_retry_after(retry_after, expected, random):
    delay = cadence(random).after_trouble(2, retry_after=retry_after)
    assert delay >= (retry_after or 0)
    assert delay == pytest.approx(expected, rel=0.1)
