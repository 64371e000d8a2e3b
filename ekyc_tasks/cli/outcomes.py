"""Commands that do the same with many things: one that fails stops no other, and says why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ekyc_tasks.errors import EkycError, ExitCode
from ekyc_tasks.support.redact import without_numbers
from ekyc_tasks.support.safe_errors import reportable
from ekyc_tasks.support.wording import printable

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Failure:
    """What could not be done, by its name, and why."""

    name: str
    why: str
    exit_code: ExitCode

    def as_data(self, named: str) -> dict[str, object]:
        """``named``: what kind of name it is, as in `batch_id`."""
        return {named: self.name, "why": self.why, "exit_code": int(self.exit_code)}


def try_each(
    things: Iterable[T], work: Callable[[T], R], *, name: Callable[[T], str], noun: str, remedy: str
) -> tuple[list[R], list[Failure]]:
    """What came of those that could be done, and the failures of the others; a defect is raised.

    ``noun``: what a thing is called before its name; ``remedy``: what to do about a full disk and the like.
    """
    done: list[R] = []
    failed: list[Failure] = []
    for thing in things:
        try:
            done.append(work(thing))
        except (EkycError, OSError) as error:
            shown = reportable(error, remedy=remedy)
            why = str(shown) if shown is error else f"{noun} {name(thing)}: {shown}"
            why = printable(without_numbers(why))
            failed.append(Failure(printable(name(thing)), why, shown.exit_code))
    return done, failed


def worst_of(failed: Sequence[Failure]) -> ExitCode:
    return min((failure.exit_code for failure in failed), default=ExitCode.DONE)
