"""Open the one ledger, or say in a sentence what was found where, from which setting, and what to do.

Whatever does not fit together ends here, before anything is made, deleted, planned or sent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from ekyc_tasks.errors import ConfigurationError, PersonNeeded
from ekyc_tasks.installation.folder_marks import Mark, new_ledger_id, read_mark, write_mark
from ekyc_tasks.installation.outside_folders import bind_folders, require_bound
from ekyc_tasks.installation.places import place_of
from ekyc_tasks.installation.questions import is_another_folder, where_it_was
from ekyc_tasks.ledger import Glance, Ledger, connect_ledger, glance_at, open_ledger
from ekyc_tasks.ledger.metadata import wrong_host
from ekyc_tasks.storage.paths import DataFolder, Site
from ekyc_tasks.support.atomic_files import hold_lock

log = logging.getLogger(__name__)
_BATCHES_LOOKED_AT = 10  # batches whose files show that a folder of the version before is the ledger's
PLANNER_SECONDS = 60.0  # that somebody who plans is waited for


def open_one(site: Site, *, writes: bool = True) -> Ledger:
    """The ledger that the settings name, with the folder that belongs to it; brought up to date.

    ConfigurationError where there is none or where it is not this folder's; with ``writes`` also where it is
    another provider's, or where a landing folder or warehouse of its own place is another's. PersonNeeded
    where the folder is a copy of the one that this very ledger is used with.

    A ledger of the version before gets its id here, without a question, from the first command that
    ``writes``.
    """
    refuse_half_made(site)
    glance = glance_at(site.ledger_url)
    mark = read_mark(site.folder.mark)
    if (problem := mismatch(site, glance, mark)) is not None:
        raise ConfigurationError(problem)
    ledger = open_ledger(site.ledger_url)
    try:
        if writes:
            if glance.ledger_id is None or mark is None or not mark.is_ready:
                _adopt(ledger, site)
            require_mine(ledger, site)
    except BaseException:
        ledger.close()
        raise
    return ledger


def require_mine(ledger: Ledger, site: Site) -> None:
    """That these settings may write to it: their provider, and the folders that it is used with."""
    if (bound := ledger.facts.bound_host()) not in {None, site.host}:
        raise ConfigurationError(wrong_host(bound or "", site.host))
    if is_another_folder(ledger, site):
        raise PersonNeeded(where_it_was(ledger, site) or "")
    require_bound(ledger, site.folder)


def look_at(site: Site) -> tuple[Ledger, str | None]:
    """For those who only look: the ledger, and what does not fit. ConfigurationError where there is none."""
    refuse_half_made(site)
    glance = glance_at(site.ledger_url)
    mark = read_mark(site.folder.mark)
    problem = mismatch(site, glance, mark)
    if problem is not None and not glance.is_there:
        raise ConfigurationError(problem)
    return open_ledger(site.ledger_url), problem


def refuse_half_made(site: Site) -> None:
    if site.folder.restoring.exists():
        raise ConfigurationError(
            f"A restore into {site.folder.root} was interrupted. Run `ekyc restore DIR` again."
        )


def mismatch(site: Site, glance: Glance, mark: Mark | None) -> str | None:
    """Why this ledger and this folder do not belong together, with a remedy; None where they do."""
    if not glance.is_there or (glance.ledger_id is None and glance.is_empty):
        return no_ledger(site, mark)
    if glance.ledger_id is None:
        return _before_ids(site, mark)
    if mark is None:
        return _without_folder(site, glance.ledger_id)
    if not mark.is_ready and mark.was == glance.ledger_id:
        return f"`ekyc init --copy` was interrupted in {site.folder.root}. Run it again."
    if mark.ledger_id != glance.ledger_id:
        return (
            f"{_folder(site)} belongs to ledger {_short(mark.ledger_id)}, but {_ledger(site)} is ledger "
            f"{_short(glance.ledger_id)}. Correct {_settings(site)}. Nothing was changed."
        )
    return None


def holds_work(folder: DataFolder) -> bool:
    """Landed, sent or received files: some ledger knows them."""
    places = (folder.inputs, folder.batches, folder.raw, folder.spool)
    return any(
        not file.name.startswith(".") for place in places if place.is_dir() for file in place.iterdir()
    )


def mask_url(ledger_url: str) -> str:
    """The address without its password."""
    if ledger_url.startswith("sqlite"):
        return ledger_url.partition(":///")[2]
    parts = urlsplit(ledger_url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def no_ledger(site: Site, mark: Mark | None = None) -> str:
    """What to say and do where no ledger is."""
    if mark is not None and not mark.is_ready:
        return f"`ekyc init` was interrupted in {site.folder.root}. Run it again."
    if mark is not None or holds_work(site.folder):
        whose = f"ledger {_short(mark.ledger_id)}" if mark else "a ledger"
        return (
            f"{_folder(site)} belongs to {whose}, but there is no ledger at {mask_url(site.ledger_url)} "
            f"({site.ledger_setting}). Correct {site.ledger_setting}; or move the folder away and run "
            "`ekyc restore DIR`. Nothing was changed."
        )
    where = f"{mask_url(site.ledger_url)} (EKYC_LEDGER_URL)" if site.has_named_ledger else _where(site)
    return (
        f"There is no ledger at {where}. If yours is elsewhere, correct {site.ledger_setting}. If this is a "
        "new start, create a ledger with `ekyc init`. Nothing was changed."
    )


def _before_ids(site: Site, mark: Mark | None) -> str | None:
    """A ledger of the version before may be adopted by the folder that holds its batches, and by no other."""
    if mark is not None and mark.is_ready:
        return (
            f"{_folder(site)} belongs to ledger {_short(mark.ledger_id)}, but {_ledger(site)} has no id, so "
            "it is older. If it is a backup of that ledger, run `ekyc init --restored`; otherwise correct "
            f"{site.ledger_setting}. Nothing was changed."
        )
    with connect_ledger(site.ledger_url) as ledger:
        newest = ledger.history.newest_ids(_BATCHES_LOOKED_AT)
    if newest and not any(site.folder.batch_file(batch_id).exists() for batch_id in newest):
        return _without_folder(site, None)
    return None


def _without_folder(site: Site, ledger_id: str | None) -> str:
    with connect_ledger(site.ledger_url) as ledger:
        place = ledger.identity.place() if ledger_id else None
    known = f" ({place['paths'][-1]} on {place['host']})" if place else ""
    what = "does not exist" if not site.folder.root.exists() else "is not that folder"
    return (
        f"The ledger {mask_url(site.ledger_url)} ({site.ledger_setting}) belongs to a data folder{known}, "
        f"but {_where(site)} {what}. Mount the folder, or correct {site.folder_setting}. If the folder is "
        "lost, move its remaining files away and run `ekyc restore DIR`. Nothing was changed."
    )


def _adopt(ledger: Ledger, site: Site) -> None:
    """Give a ledger of the version before its id, or finish what was interrupted in that.

    The folder's mark comes first, and is ready last: killed anywhere, this begins again.
    """
    folder = site.folder
    with alone_in(folder):
        mark = read_mark(folder.mark)
        wanted = mark.ledger_id if mark is not None else new_ledger_id()
        if mark is None:
            write_mark(folder.mark, wanted, is_ready=False)
        ledger_id = ledger.identity.adopt(wanted, place_of(ledger, site))
        bind_folders(ledger, folder, ledger_id)
        write_mark(folder.mark, ledger_id)
    log.warning("The ledger now has the id %s, so that it can be told from its copies.", _short(ledger_id))


@contextmanager
def alone_in(folder: DataFolder) -> Iterator[None]:
    """No other process plans, or decides whose folder it is. ConfigurationError if that takes too long."""
    with ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(folder.planning_lock, patience=PLANNER_SECONDS))
        except TimeoutError:
            raise ConfigurationError(
                f"A run is planning in {folder.root} right now. Try again when it has ended."
            ) from None
        yield


def _folder(site: Site) -> str:
    return f"The data folder {_where(site)}"


def _where(site: Site) -> str:
    return f"{site.folder.root} ({site.folder_setting})"


def _settings(site: Site) -> str:
    named = site.has_named_ledger
    return f"{site.folder_setting} or EKYC_LEDGER_URL" if named else site.folder_setting


def _ledger(site: Site) -> str:
    return f"the ledger {mask_url(site.ledger_url)} ({site.ledger_setting})"


def _short(ledger_id: str) -> str:
    return ledger_id[:8]


def ledger_file(site: Site) -> Path | None:
    return None if not site.ledger_url.startswith("sqlite") else Path(mask_url(site.ledger_url))
