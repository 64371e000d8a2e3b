"""Put a backup back where the settings point, as *restored*: what it calls planned waits for a person.

Everything is checked before anything is written. Then a file says that the folder is being filled, which
stops every other command; it goes last. Killed anywhere, running it again continues: files that are right are
kept, and the ledger becomes visible at once, with all that waits in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.installation import upload_journal
from ekyc_tasks.installation.access import PLANNER_SECONDS, holds_work, ledger_file, mask_url
from ekyc_tasks.installation.folder_marks import read_mark, write_mark
from ekyc_tasks.installation.manifests import (
    LEDGER,
    MANIFEST,
    Kept,
    Manifest,
    copy_exactly,
    digest_of,
    read_manifest,
    require_apart,
)
from ekyc_tasks.installation.outside_folders import bind_folders, outposts
from ekyc_tasks.installation.places import place_of
from ekyc_tasks.installation.setup import put_aside, put_landed_aside, who
from ekyc_tasks.ledger import Batch, Ledger, glance_at, make_ledger, open_ledger
from ekyc_tasks.ledger.copies import LedgerFile, address_of, copied_in, journals, leftovers, packed
from ekyc_tasks.ledger.decisions import REPLAN_HELD
from ekyc_tasks.models import BatchState, Doubt
from ekyc_tasks.storage.paths import DataFolder, Site
from ekyc_tasks.support.atomic_files import (
    fsync,
    hold_lock,
    private_dir,
    publish,
    sha256_of,
    stage_file,
    write_file,
)

_FILES_NAMED = 3  # of the damaged ones, in one sentence


@dataclass(frozen=True, slots=True)
class Restored:
    """``states``: batches and numbers in each. ``held`` may have been uploaded since the backup; so may what
    waits in ``waiting`` landed files. ``landed`` lay in the landing folder and was put aside."""

    manifest: Manifest
    states: Mapping[BatchState, tuple[int, int]]
    held: list[Batch]
    waiting: int
    landed: list[Path]


@dataclass(frozen=True, slots=True)
class Begun:
    """Which backup a folder is being filled from: the digest of its manifest tells it from all others."""

    ledger_id: str
    manifest: str
    folder: str


def restore(source: Path, site: Site) -> Restored:
    """ConfigurationError, and nothing changed, where the backup is damaged, or the place is not free.

    The same where it is interrupted, by a full disk, say; then only saying it again is possible.
    """
    source = source.absolute()
    require_apart(source, site)
    manifest = _manifest_of(source)
    begun = Begun(manifest.ledger_id, sha256_of(source / MANIFEST), str(source))
    _require_free(site, begun)
    _require_whole(source, manifest, site)
    with _in_words(site.folder), hold_lock(site.folder.planning_lock, patience=PLANNER_SECONDS):
        _require_free(site, begun)
        return _put_back(source, manifest, begun, site)


def _put_back(source: Path, manifest: Manifest, begun: Begun, site: Site) -> Restored:
    folder = site.folder
    with write_file(folder.restoring, staging=folder.staging) as file:
        file.write(json.dumps(asdict(begun)).encode())
    for kept in manifest.files:
        _put_file_back(source, kept, folder)
    if glance_at(site.ledger_url).ledger_id != manifest.ledger_id:
        _put_ledger_back(source, manifest, site)
    with open_ledger(site.ledger_url) as ledger:
        landed = put_landed_aside(folder)
        private_dir(folder.landing)
        bind_folders(ledger, folder, manifest.ledger_id, makes=True)
        write_mark(folder.mark, manifest.ledger_id)
        restored = _say(manifest, ledger, landed)
    _remove(_ledger_in_the_making(site))
    folder.restoring.unlink()
    fsync(folder.root)
    return restored


def _put_file_back(source: Path, kept: Kept, folder: DataFolder) -> None:
    """A file there with other content belongs to somebody else, and is put aside."""
    final = folder.root / kept.name
    if digest_of(final) == kept.sha256:
        return
    if final.exists():
        put_aside(final, folder, Path(kept.name))
    with stage_file(folder.staging) as copy:
        copy_exactly(source / kept.place, copy, sha256=kept.sha256)
        if final.parent == folder.inputs:
            copy.chmod(0o400)
        publish(copy, final)


def _put_ledger_back(source: Path, manifest: Manifest, site: Site) -> None:
    """Treated as restored in a separate file first: no process ever sees it otherwise."""
    copy, file = _ledger_in_the_making(site), ledger_file(site)
    private_dir(copy.parent)
    _remove(copy)  # a restore that was killed may have treated it before
    copy_exactly(source / manifest.ledger.place, copy, sha256=manifest.ledger.sha256)
    _treat(copy, manifest, site)
    if file is None:
        copied_in(copy, site.ledger_url)
        return
    for left in (file, *journals(file)):
        if left.exists():  # a journal would be taken for the new file's
            put_aside(left, site.folder, Path(left.name))
    publish(copy, file)


def _treat(copy: Path, manifest: Manifest, site: Site) -> None:
    """The inode of the file stays its own when it is renamed, so its place is the final one already."""
    with open_ledger(address_of(copy)) as ledger:
        place = place_of(ledger, site)
        if ledger_file(site) is None:
            with make_ledger(site.ledger_url) as target:
                place = place_of(target, site)
        ledger.decisions.restored(
            manifest.ledger_id, place, who=who(), facts=upload_journal.facts_of_answer(site.folder)
        )
    packed(copy)


def _ledger_in_the_making(site: Site) -> Path:
    """Where it may be renamed from."""
    final = ledger_file(site) or site.folder.root / LEDGER
    return final.with_name(f".{final.name}.restoring")


def _remove(ledger: Path) -> None:
    for path in (ledger, *leftovers(ledger)):
        path.unlink(missing_ok=True)


def _say(manifest: Manifest, ledger: Ledger, landed: list[Path]) -> Restored:
    waiting = sum(file.replan == REPLAN_HELD for file in ledger.history.files())
    held = ledger.decisions.doubted(Doubt.RESTORED)
    return Restored(manifest, ledger.history.states(), held, waiting, landed)


# --- what must hold before anything is written ------------------------------------------------------------


def _manifest_of(source: Path) -> Manifest:
    if (manifest := read_manifest(source)) is None:
        raise ConfigurationError(
            f"{source} is not a backup, or its backup was not finished: there is no {MANIFEST}. "
            "Nothing was changed."
        )
    return manifest


def _require_free(site: Site, begun: Begun) -> None:
    """Nothing is there that belongs to a ledger, or a restore of this very backup was interrupted."""
    if (other := _find_begun(site.folder)) is not None:
        if (other.ledger_id, other.manifest) == (begun.ledger_id, begun.manifest):
            return
        raise ConfigurationError(
            f"A restore of {other.folder} into {site.folder.root} was interrupted, and this is another "
            f"backup. Run `ekyc restore {other.folder}` again, or move {site.folder.root} away. Nothing was "
            "changed."
        )
    if read_mark(site.folder.mark) is not None or holds_work(site.folder):
        raise ConfigurationError(
            f"The data folder {site.folder.root} ({site.folder_setting}) already belongs to a ledger. Move "
            "it away, or use another folder. Nothing was changed."
        )
    glance = glance_at(site.ledger_url)
    if glance.ledger_id is not None or not glance.is_empty:
        raise ConfigurationError(
            f"There is already a ledger at {mask_url(site.ledger_url)} ({site.ledger_setting}). Move it "
            "away, or use another place. Nothing was changed."
        )
    _require_free_outposts(site.folder, begun.ledger_id)


def _require_free_outposts(folder: DataFolder, ledger_id: str) -> None:
    for outpost in outposts(folder):
        mark = None if outpost.mark is None else read_mark(outpost.mark)
        if mark is not None and mark.ledger_id != ledger_id:
            raise ConfigurationError(
                f"The {outpost.what} {outpost.path} ({outpost.setting}) belongs to another ledger. Correct "
                f"{outpost.setting}. Nothing was changed."
            )


def _find_begun(folder: DataFolder) -> Begun | None:
    try:
        return Begun(**json.loads(folder.restoring.read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError):
        raise ConfigurationError(
            f"{folder.restoring}, which says which backup was being restored, cannot be read. Move "
            f"{folder.root} away, and run the restore again. Nothing was changed."
        ) from None


def _require_whole(source: Path, manifest: Manifest, site: Site) -> None:
    """Every file as the manifest says, and the ledger as it must be."""
    wrong = [kept.place for kept in (manifest.ledger, *manifest.files) if not _is_right(source, kept)]
    if wrong:
        more = f" and {len(wrong) - _FILES_NAMED:,} more" if len(wrong) > _FILES_NAMED else ""
        raise _find_damage(source, f"missing or changed: {', '.join(wrong[:_FILES_NAMED])}{more}")
    with LedgerFile(source / manifest.ledger.place) as ledger:
        if (problem := ledger.damage()) is not None:
            raise _find_damage(source, f"its ledger is broken: {problem}")
        if not ledger.is_known_version():
            raise ConfigurationError(
                f"The ledger in {source} was written by a newer version of this program. "
                "Upgrade the program. Nothing was changed."
            )
        if ledger.rows() != manifest.rows or ledger.fact("ledger_id") != manifest.ledger_id:
            raise _find_damage(source, "its ledger is not the one that the manifest describes")
        _require_files(source, manifest, ledger)
        _require_host(ledger.fact("provider_host"), source, site)


def _is_right(source: Path, kept: Kept) -> bool:
    file = source / kept.place
    return digest_of(file) == kept.sha256 and file.stat().st_size == kept.size


def _require_files(source: Path, manifest: Manifest, ledger: LedgerFile) -> None:
    """What the ledger knows is kept, or was missing when the backup was made."""
    kept = {each.name: each.sha256 for each in manifest.files} | dict.fromkeys(manifest.missing, "")
    for name, sha256 in _is_known(ledger):
        if kept.get(name) not in {sha256, ""}:
            raise _find_damage(source, f"the manifest and the ledger disagree about {name}")


def _is_known(ledger: LedgerFile) -> Iterator[tuple[str, str]]:
    here = DataFolder(Path(), Path(), Path())
    for batch_id, sha256, archive in ledger.batches():
        yield str(here.batch_file(batch_id)), sha256
        if archive is not None:
            yield str(here.raw_file(batch_id)), archive
    for digest in ledger.inputs():
        yield str(here.input_file(digest)), digest


def _require_host(bound: str | None, source: Path, site: Site) -> None:
    if bound not in {None, site.host}:
        raise ConfigurationError(
            f"The ledger in {source} belongs to {bound}, not to {site.host}. Correct EKYC_BASE_URL. Nothing "
            "was changed."
        )


def _find_damage(source: Path, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"The backup in {source} is damaged ({what}). Use another backup. Nothing was changed."
    )


@contextmanager
def _in_words(folder: DataFolder) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise ConfigurationError(
            f"Another command is working in {folder.root}. Try again when it has ended. Nothing was changed."
        ) from None
    except OSError as error:
        what = f"{error.strerror or type(error).__name__}, {error.filename or os.fspath(folder.root)}"
        raise ConfigurationError(
            f"The restore into {folder.root} was interrupted ({what}). Free some space or fix the "
            "permissions, and run it again."
        ) from None
