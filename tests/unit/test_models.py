"""What the state of a batch means, and how lines add up."""

from __future__ import annotations

import pytest

from ekyc_tasks.models import NO_LINES, BatchState, LineCounts, states_where

QUESTIONS = (
    "is_final", "blocks", "needs_decision", "goes_on", "is_claimable", "is_underway", "has_archive",
    "may_be_paid",
)  # fmt: skip


@pytest.mark.parametrize(
    ("state", "what_holds"),
    [
        ("planned", {"blocks", "goes_on", "is_claimable"}),
        ("submitting", {"blocks", "goes_on"}),
        ("submitted", {"blocks", "goes_on", "is_claimable", "is_underway"}),
        ("fetched", {"blocks", "goes_on", "is_claimable", "is_underway", "has_archive"}),
        ("loaded", {"is_final", "has_archive"}),
        ("refused", {"blocks", "needs_decision"}),
        ("failed", {"blocks", "needs_decision", "may_be_paid"}),
        ("held", {"blocks", "needs_decision", "may_be_paid"}),
        ("abandoned", {"is_final"}),
    ],
)
def test_what_a_state_means(state, what_holds):
    assert {name for name in QUESTIONS if getattr(BatchState(state), name)} == what_holds


def test_states_are_found_by_what_they_mean_in_the_order_of_a_batch():
    assert states_where(lambda state: state.has_archive) == (BatchState.FETCHED, BatchState.LOADED)
    assert states_where(lambda state: False) == ()


def test_lines_of_files_add_up():
    one = LineCounts(lines=9, blank=1, header=1, rejected=2, known=1, batched=4)
    two = LineCounts(lines=3, header=1, rejected=2)

    both = sum((one, two), NO_LINES)

    assert both == LineCounts(lines=12, blank=1, header=2, rejected=4, known=1, batched=4)
    assert (both.not_bought, one.holds_no_number, two.holds_no_number) == (5, False, True)
