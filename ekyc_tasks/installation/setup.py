"""Create a ledger on purpose, and record what a person says happened to one.

Each of these may be killed anywhere and run again: the folder's mark comes first, and is ready last.
"""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.installation import upload_journal
from ekyc_tasks.installation.access import (
    alone_in,
    holds_work,
    ledger_file,
    mask_url,
    mismatch,
    refuse_half_made,
)
from ekyc_tasks.installation.folder_marks import Mark, new_ledger_id, read_mark, write_mark
from ekyc_tasks.installation.outside_folders import bind_folders, require_free
from ekyc_tasks.installation.places import is_same_folder, is_same_ledger, place_of
from ekyc_tasks.intake.files import arrivals
from ekyc_tasks.ledger import Batch, Ledger, glance_at, make_ledger, open_ledger
from ekyc_tasks.ledger.accounts import ACCOUNT
from ekyc_tasks.ledger.identity import UNSETTLED
from ekyc_tasks.models import Account, Doubt
from ekyc_tasks.storage.paths import DataFolder, Site
from ekyc_tasks.support.atomic_files import private_dir, publish


@dataclass(frozen=True, slots=True)
class LetGo:
    """What a copy leaves to its original: batches, and landed files that were put aside."""

    batches: list[Batch]
    landed: list[Path]


def is_made(site: Site) -> bool:
    """ConfigurationError where the files belong to another ledger, or it is not known to which."""
    refuse_half_made(site)
    glance = glance_at(site.ledger_url)
    mark = read_mark(site.folder.mark)
    if mark is not None and mark.is_ready and glance.ledger_id == mark.ledger_id:
        return True
    if mark is None and glance.ledger_id is None and glance.is_empty:
        if holds_work(site.folder):
            raise ConfigurationError(
                f"{site.folder.root} (EKYC_DATA_DIR) contains files of another ledger in inputs/, batches/, "
                "raw/ or .spool/. Use another folder; or move this one away and restore it from a backup "
                "with `ekyc restore DIR`. Nothing was changed."
            )
        return False
    if mark is not None and not mark.is_ready and glance.ledger_id in {None, mark.ledger_id}:
        return False  # interrupted; begun again with the id that was chosen
    raise ConfigurationError(
        mismatch(site, glance, mark)
        or f"{mask_url(site.ledger_url)} already has a ledger; `ekyc run` uses it."
    )


def make(site: Site, *, account: Account) -> str:
    """The data folder with its ledger, which belongs to ``site.host`` from now on; the ledger's id.

    Raises ConfigurationError as `is_made`, or where something cannot be written.
    """
    refuse_half_made(site)
    folder = site.folder
    with _make_folders(folder), alone_in(folder):
        mark = read_mark(folder.mark)
        ledger_id = mark.ledger_id if mark is not None else new_ledger_id()
        write_mark(folder.mark, ledger_id, is_ready=False)
        if (file := ledger_file(site)) is not None:
            private_dir(file.parent)
        with make_ledger(site.ledger_url) as ledger:
            ledger.facts.belongs_to_host(site.host)
            bind_folders(ledger, folder, ledger_id, makes=True)
            ledger.identity.settle(
                ledger_id,
                place_of(ledger, site),
                who=who(),
                question="account",
                answer=account,
                facts={ACCOUNT: account},
            )
        write_mark(folder.mark, ledger_id)
    return ledger_id


def move(site: Site) -> None:
    """This is the one, and the other place is gone.

    ConfigurationError while a run of the other place may still be at work, by its lease.
    """
    with _settle(site) as (ledger, mark):
        known, here = ledger.identity.place(), place_of(ledger, site)
        _require_rest(ledger, known, here)
        if known is not None and is_same_folder(known, here) and is_same_ledger(known, here):
            here["paths"] = [*(path for path in known["paths"] if path not in here["paths"]), *here["paths"]]
        bind_folders(ledger, site.folder, mark.ledger_id, makes=True)
        ledger.identity.settle(mark.ledger_id, here, who=who(), question="place", answer="moved")


def is_copy(site: Site) -> bool:
    """Is there a ledger that may be said to be a copy, and was not said to be one before?"""
    with _settle(site) as (ledger, mark):
        known, here = ledger.identity.place(), place_of(ledger, site)
        return mark.is_ready and known is not None and not is_same_ledger(known, here)


def copy(site: Site) -> LetGo:
    """This is a copy: it gets its own id, and what the original is about to buy is abandoned here."""
    with _settle(site) as (ledger, mark):
        known, here = ledger.identity.place(), place_of(ledger, site)
        if mark.is_ready and known is not None and is_same_ledger(known, here):
            if is_same_folder(known, here):
                return _was_copied(ledger, site)
            raise ConfigurationError(
                f"{mask_url(site.ledger_url)} is the ledger of the original itself, not a copy of it. "
                "Copy that database and set EKYC_LEDGER_URL to the copy. Nothing was changed."
            )
        new_id = new_ledger_id() if mark.is_ready else mark.ledger_id
        require_free(ledger, site.folder, new_id)
        landed = put_landed_aside(site.folder)
        if ledger.identity.ledger_id() != new_id:
            write_mark(site.folder.mark, new_id, is_ready=False, was=mark.ledger_id)
            ledger.decisions.copied(new_id, here, who=who(), facts=_facts(ledger, site))
        bind_folders(ledger, site.folder, new_id, makes=True)
        write_mark(site.folder.mark, new_id)
        return LetGo(ledger.decisions.left_to_the_original(), landed)


def _was_copied(ledger: Ledger, site: Site) -> LetGo:
    """Said again, it changes nothing; where it was not said, nothing was copied here."""
    said = [answer.answer for answer in ledger.identity.answers() if answer.question == "place"]
    if said[-1:] != ["copy"]:
        raise ConfigurationError(
            f"This ledger was last used in {site.folder.root}, so it is not a copy. Nothing was changed."
        )
    return LetGo(ledger.decisions.left_to_the_original(), [])


def begin_restore(site: Site) -> bool:
    """Nothing is sent from here on, until `restore` was said to its end. False: the ledger has no id yet."""
    with _settle(site, is_old=True) as (ledger, _):
        ledger.identity.note(**{UNSETTLED: "restored"})
        return ledger.identity.ledger_id() is not None


def restore(site: Site) -> LetGo:
    """This ledger is older than its files or its account: what it would buy waits for a person."""
    with _settle(site, is_old=True) as (ledger, mark):
        landed = put_landed_aside(site.folder)
        run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
        ledger.runs.opened(run_id, host=socket.gethostname(), lease=timedelta(0))
        upload_journal.bring_home(site.folder, ledger, run_id=run_id)
        facts = _facts(ledger, site)
        ledger.decisions.restored(mark.ledger_id, place_of(ledger, site), who=who(), facts=facts)
        bind_folders(ledger, site.folder, mark.ledger_id, makes=True)
        return LetGo(ledger.decisions.doubted(Doubt.RESTORED), landed)


def rebind(site: Site) -> None:
    """The ledger belongs to another provider from now on; ConfigurationError once something was bought."""
    with _settle(site) as (ledger, _):
        ledger.facts.belongs_to_other_host(site.host)


def put_landed_aside(folder: DataFolder) -> list[Path]:
    """Move all files of the landing folder to `set-aside`, each to its own name; where they are now.

    It may have been planned and bought elsewhere: to mean it, a person drops it again.
    """
    landed = [arrival.path for arrival in arrivals(folder.landing)] if folder.landing.is_dir() else []
    return [put_aside(path, folder, Path("landing") / path.relative_to(folder.landing)) for path in landed]


def put_aside(path: Path, folder: DataFolder, name: Path) -> Path:
    """Where it is now: under ``name`` in a folder of today, renamed or, from another disk, copied."""
    today = folder.set_aside / f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    place = today / name
    while place.exists():  # another of this name was put there in the same second
        place = place.with_name(f"{place.name}~")
    private_dir(place.parent)
    try:
        path.rename(place)
    except OSError:
        staged = place.with_name(f".{place.name}.part")
        shutil.copy2(path, staged)
        publish(staged, place)
        path.unlink()
    return place


@contextmanager
def _settle(site: Site, *, is_old: bool = False) -> Iterator[tuple[Ledger, Mark]]:
    """The ledger and its mark, where they are one, or (``is_old``) where the ledger has no id yet."""
    refuse_half_made(site)
    glance, mark = glance_at(site.ledger_url), read_mark(site.folder.mark)
    mine = {mark.ledger_id, mark.was} - {""} if mark is not None else set()
    is_older = is_old and glance.is_there and glance.ledger_id is None
    if mark is None or not (glance.ledger_id in mine or is_older):
        raise ConfigurationError(mismatch(site, glance, mark) or "There is nothing to decide.")
    with alone_in(site.folder), open_ledger(site.ledger_url) as ledger:
        yield ledger, mark


def _require_rest(ledger: Ledger, known: Mapping[str, Any] | None, here: Mapping[str, Any]) -> None:
    if known is None or (is_same_folder(known, here) and is_same_ledger(known, here)):
        return
    if living := ledger.runs.alive():
        until = max(run.lease_until for run in living)
        raise ConfigurationError(
            f"A run in the other place may still be working until {until:%H:%M:%S} UTC. Try again then. "
            "Nothing was changed."
        )


@contextmanager
def _make_folders(folder: DataFolder) -> Iterator[None]:
    try:
        private_dir(folder.root)
        if folder.landing_mark is None:
            private_dir(folder.landing)
        yield
    except OSError as error:
        raise ConfigurationError(
            f"The data folder {folder.root} cannot be created ({error.strerror}). Fix the permissions of its "
            "parent folder, or set EKYC_DATA_DIR."
        ) from None


def _facts(ledger: Ledger, site: Site) -> dict[str, str]:
    """What counts as answered from now on: uploads of the journal, and questions about the account."""
    return upload_journal.facts_of_answer(site.folder) | ledger.accounts.answered_facts()


def who() -> str:
    """Who answers, for the ledger."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a user name
        name = f"user {os.getuid()}"
    return f"{name} on {socket.gethostname()}"
