"""A landing folder or a warehouse outside the data folder also belongs to one ledger only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.installation.folder_marks import read_mark, write_mark
from ekyc_tasks.ledger import Ledger
from ekyc_tasks.storage.paths import DataFolder
from ekyc_tasks.support.atomic_files import private_dir

_INSIDE = "inside"  # the data folder, whose own mark covers it
_SINCE = "warehouse_since"  # the fact that says when the warehouse was bound: it holds what was loaded after
_EMPTY = (
    "The warehouse {} (EKYC_WAREHOUSE_DIR) contains nothing that this ledger has loaded. Mount it, or "
    "correct EKYC_WAREHOUSE_DIR. If it was emptied on purpose, run `ekyc init --moved`. Nothing was changed."
)


@dataclass(frozen=True, slots=True)
class Outpost:
    """A folder that may be outside the data folder, and the fact that says where the ledger has it."""

    what: str
    setting: str
    path: Path
    mark: Path | None
    fact: str

    @property
    def where(self) -> str:
        return _INSIDE if self.mark is None else str(self.path.resolve())


def outposts(folder: DataFolder) -> tuple[Outpost, Outpost]:
    return (
        Outpost("landing folder", "EKYC_LANDING_DIR", folder.landing, folder.landing_mark, "landing"),
        Outpost("warehouse", "EKYC_WAREHOUSE_DIR", folder.warehouse, folder.warehouse_mark, "warehouse"),
    )


def require_bound(ledger: Ledger, folder: DataFolder) -> None:
    """ConfigurationError if a setting names another folder than the ledger's, or its disk is not mounted."""
    ledger_id = ledger.identity.ledger_id()
    for outpost in outposts(folder):
        known = ledger.identity.fact(outpost.fact)
        if known is not None and (problem := _doubt(outpost, known, ledger_id)):
            raise ConfigurationError(
                f"{problem}. Mount the folder, or correct {outpost.setting}. If you changed it on purpose, "
                "run `ekyc init --moved`. Nothing was changed."
            )
    if folder.warehouse_mark is not None and _is_away(ledger, folder.warehouse):
        raise ConfigurationError(_EMPTY.format(folder.warehouse))


def bind_folders(ledger: Ledger, folder: DataFolder, ledger_id: str, *, makes: bool = False) -> None:
    """Mark them as this ledger's; ``makes`` those that are not there. ConfigurationError for another's.

    A warehouse that holds none of what was loaded counts as one whose disk is not mounted, until it is bound
    again; the first time is that of an upgrade.
    """
    require_free(ledger, folder, ledger_id, makes=makes)
    facts = {}
    for outpost in outposts(folder):
        if outpost.mark is not None:
            if makes:
                private_dir(outpost.path)
            private_dir(outpost.mark.parent)
            write_mark(outpost.mark, ledger_id)
        facts[outpost.fact] = outpost.where
    ledger.identity.note(**facts, **{_SINCE: ledger.now().isoformat()})


def require_free(ledger: Ledger, folder: DataFolder, ledger_id: str, *, makes: bool = True) -> None:
    """ConfigurationError where `bind_folders` could not do it."""
    if (problem := next(_obstacles(ledger, folder, ledger_id, makes=makes), None)) is not None:
        raise ConfigurationError(problem)


def _obstacles(ledger: Ledger, folder: DataFolder, ledger_id: str, *, makes: bool) -> Iterator[str]:
    for outpost in outposts(folder):
        if outpost.mark is None:
            continue
        mark = read_mark(outpost.mark)
        if mark is not None and mark.ledger_id != ledger_id:
            yield (
                f"The {outpost.what} {outpost.path} ({outpost.setting}) belongs to another ledger. Correct "
                f"{outpost.setting}. Nothing was changed."
            )
        if outpost.fact == "landing" and not makes and not outpost.path.is_dir():
            yield (
                f"The {outpost.what} {outpost.path} ({outpost.setting}) does not exist. Mount or create it, "
                f"or correct {outpost.setting}. Nothing was changed."
            )
    if folder.warehouse_mark is not None and not makes and _is_away(ledger, folder.warehouse):
        yield _EMPTY.format(folder.warehouse)


def _is_away(ledger: Ledger, warehouse: Path) -> bool:
    since = ledger.identity.fact(_SINCE)
    has_loaded = ledger.history.has_rows(since=datetime.fromisoformat(since) if since else None)
    return has_loaded and next(warehouse.rglob("*.parquet"), None) is None


def _doubt(outpost: Outpost, known: str, ledger_id: str | None) -> str | None:
    named = f"The {outpost.what} {outpost.path} ({outpost.setting})"
    if outpost.mark is None:
        return None if known == _INSIDE else f"{named} is not the folder of this ledger, which is {known}"
    mark = read_mark(outpost.mark)
    if mark is not None:
        return None if mark.ledger_id == ledger_id else f"{named} belongs to another ledger"
    if outpost.where == known:
        return (
            f"{named} does not exist"
            if not outpost.path.is_dir()
            else f"{named} has lost the file {outpost.mark}, which shows whose it is"
        )
    here = "in the data folder" if known == _INSIDE else known
    return f"{named} is not the folder of this ledger, which is {here}"
