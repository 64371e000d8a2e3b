"""One plans at a time, and none for ever."""

from __future__ import annotations

import pytest
from support.planning_office import A

from ekyc_tasks.errors import LeaseLost
from ekyc_tasks.support.atomic_files import hold_lock

pytestmark = pytest.mark.integration


def test_a_planner_that_is_asleep_does_not_stop_the_others_for_ever(office, monkeypatch):
    monkeypatch.setattr("ekyc_tasks.planning.lock._LONGEST_TURN_SECONDS", 0.15)
    path = office.drop("a.txt", A)

    with hold_lock(office.folder.planning_lock), pytest.raises(LeaseLost, match="the next run plans"):
        office.plan()
    assert path.exists()
    assert len(office.plan().files) == 1
