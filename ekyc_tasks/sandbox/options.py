"""How one sandbox behaves: values, checked where they are made."""

from __future__ import annotations

from dataclasses import dataclass

from ekyc_tasks.sandbox.chaos import parse_script

LAYOUTS = {
    "folder": "a folder named after the task: all.csv, activated.txt, unregistered.txt, result.xlsx",
    "single": "one CSV at the top, as documented",
    "parts": "three CSV parts that complete each other",
    "bare_csv": "a CSV without any archive around it",
    "bare_xlsx": "an XLSX without any archive around it",
    "verbose": "one CSV in the Phone, activated, uid, username, … dialect, with a BOM",
    "junk": "the folder, with __MACOSX, .DS_Store and a readme beside it",
}
STYLES = {
    "documented": "200, and only the documented fields",
    "older": "202, a full task object with total, success and failure 0; balance alone",
}


@dataclass(frozen=True)
class SandboxOptions:
    """What the stand-in provider answers. Durations in seconds, rates as fractions of the numbers.

    ``processing_seconds`` runs from the acceptance of an upload to *exported*; 0 is exported at the
    first poll. ``foreign_rows`` are rows per result that were not asked for. ``chaos`` is a script, see
    `ekyc_tasks.sandbox.chaos`. Raises ValueError for an unknown word.
    """

    api_key: str = "sandbox-key"
    processing_seconds: float = 4.0
    pending_seconds: float = 0.5
    layout: str = "folder"
    style: str = "documented"
    balance: float = 100.0
    offers_balance: bool = True
    minimum: int = 1
    maximum: int = 10_000_000
    link_seconds: float = 300.0
    missing_rate: float = 0.001
    repeated_rate: float = 0.005
    undetermined_rate: float = 0.01
    odd_rate: float = 0.02
    foreign_rows: int = 0
    seed: int = 0
    retry_after: int = 1
    slow_seconds: float = 2.0
    chaos: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _refuse_unless_known("layout", self.layout, LAYOUTS)
        _refuse_unless_known("style", self.style, STYLES)
        parse_script(self.chaos)


def _refuse_unless_known(what: str, word: str, known: dict[str, str]) -> None:
    if word not in known:
        raise ValueError(f'sandbox {what} "{word}" is not known; choose one of {", ".join(known)}.')
