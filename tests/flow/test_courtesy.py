"""A Prefect server that fails at what is only shown there turns no work into a failure."""

from __future__ import annotations

import pytest
from support.failing_proxy import Gate
from support.workstation import NUMBERS, chaotic

pytestmark = pytest.mark.flow


@pytest.fixture
def options():
    return chaotic("create:2=504_after")


@pytest.mark.parametrize(
    ("turned_away", "spared", "what"),
    [
        ("POST /api/artifacts/", 0, "the report of this run"),
        ("PATCH /api/flow_runs/", 1, "the name of this run"),  # spared: the name that Prefect itself gives
    ],
)
def test_what_cannot_be_shown_is_a_warning(desk, turned_away, spared, what):
    def run():
        with Gate(desk.server.port, turned_away, spared) as gate:
            desk.settings["PREFECT_API_URL"] = gate.url
            ended = desk.ekyc("run")
        assert gate.refused
        assert f"Not shown in Prefect: {what}" in ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.returncode

    desk.drop("numbers.txt", *NUMBERS[:300])
    loaded = run()
    desk.drop("more.txt", *NUMBERS[300:])
    held = run()

    assert (loaded, held) == (0, 3)
    assert desk.states() == ["loaded", "held"]
    assert len(desk.sandbox.charges) == 2
