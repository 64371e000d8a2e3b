"""The long versions: `make torture`, apart from `make test`."""

from __future__ import annotations

from torture.fixtures import FIGURES, crew, figures, undisturbed  # noqa: F401 - fixtures


def pytest_terminal_summary(terminalreporter):
    if FIGURES.parts:
        terminalreporter.section("figures")
        for line in FIGURES.lines():
            terminalreporter.write_line(line)
