"""What a decision takes, before anybody looks at the batch it is about; and what it puts at risk."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.exchange.resolve import Resolution
from ekyc_tasks.models import BatchState, Decision

ADOPT, RESUBMIT, ABANDON = Decision.ADOPT, Decision.RESUBMIT, Decision.ABANDON


@pytest.mark.parametrize(
    ("decision", "more", "words"),
    [
        (ADOPT, {}, "task id"),
        (RESUBMIT, {"task_id": "d4g"}, "task id"),
        (ABANDON, {"task_id": "d4g"}, "task id"),
        (ABANDON, {"is_forced": True}, "a reason"),
    ],
)
def test_what_contradicts_itself_is_refused(decision, more, words):
    with pytest.raises(ConfigurationError, match=words):
        Resolution(decision, "me", **more).check()


@pytest.mark.parametrize(
    ("decision", "more"),
    [(ADOPT, {"task_id": "d4g"}), (RESUBMIT, {}), (ABANDON, {"is_forced": True, "reason": "I know"})],
)
def test_what_fits_together_is_not(decision, more):
    Resolution(decision, "me", **more).check()


def test_a_second_word_is_wanted_where_money_or_paid_work_is_lost():
    def risk(decision, state):
        batch = SimpleNamespace(batch_id="b1", numbers=1_200, state=state)
        return Resolution(decision, "me").risk(batch)

    assert "1,200 numbers cost again" in risk(RESUBMIT, BatchState.HELD)
    assert "cost again" in risk(RESUBMIT, BatchState.FAILED)
    assert "never be fetched" in risk(ABANDON, BatchState.SUBMITTED)
    assert risk(RESUBMIT, BatchState.REFUSED) is None  # for free
    assert risk(ABANDON, BatchState.HELD) is None
    assert risk(ADOPT, BatchState.HELD) is None
