"""Fixtures that the torture and its small versions in the ordinary suite share."""

from __future__ import annotations

import pytest
from support.trials.figures import Figures
from support.trials.pool import Crew

FIGURES = Figures()


@pytest.fixture
def figures() -> Figures:
    return FIGURES


@pytest.fixture(scope="session")
def crew(tmp_path_factory):
    with Crew(tmp_path_factory.mktemp("trials")) as crew:
        yield crew


@pytest.fixture(scope="session")
def undisturbed(crew):
    """Dataset and quarantine of a run that nothing disturbs, and the points on its way."""
    return crew.undisturbed()
