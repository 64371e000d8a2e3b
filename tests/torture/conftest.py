"""The long versions: `make torture`, apart from `make test`."""

from __future__ import annotations

from dataclasses import asdict

from flow.conftest import desk, options, server  # noqa: F401 - fixtures
from support.trials.figures import Part
from support.trials.fixtures import FIGURES, crew, figures, undisturbed  # noqa: F401 - fixtures
from support.trials.sample import SLICE, SLICES, drawn_tests


def pytest_collection_modifyitems(config, items):
    """The longest first, beside it those that wait for a server; the others keep all cores busy."""
    drawn = drawn_tests(items)
    config.hook.pytest_deselected(items=[item for item in items if item not in drawn])
    items[:] = sorted(drawn, key=_turn)


def _turn(item):
    named = {"test_archives": 0, "test_state_machine": 2}
    return 1 if item.get_closest_marker("flow") else named.get(item.path.stem, 3)


def pytest_sessionfinish(session):
    """Tests run side by side in processes of xdist's: what they measured goes to the one that prints."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = [asdict(part) for part in FIGURES.parts]


def pytest_testnodedown(node):
    FIGURES.parts += [Part(**part) for part in getattr(node, "workeroutput", {}).get("figures", ())]


def pytest_terminal_summary(terminalreporter):
    if SLICE is not None:
        terminalreporter.section(f"a sample: slice {SLICE} of {SLICES}")
    if FIGURES.parts:
        terminalreporter.section("figures")
        for line in FIGURES.lines():
            terminalreporter.write_line(line)
