"""What a backup consists of: files of a data folder, a ledger, and the manifest that names them all.

The manifest is written last, and whole or not at all, so a backup is what the manifest says, whatever else
lies beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from shutil import copyfile
from typing import Any, Self

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.storage.paths import Site
from ekyc_tasks.support.atomic_files import open_private, sha256_of, write_file

MANIFEST = "ekyc-backup.json"
STAGING = ".staging"
LEDGER = "ledger.db"
_FORMAT = 1
# What a data folder has that a backup holds; nothing else is written by a restore, whatever a manifest says.
_NAME = re.compile(
    r"batches/[^/]+\.txt|raw/[^/]+\.archive|inputs/[0-9a-f]{64}|quarantine/landing/[0-9a-f]{64}\.parquet"
    r"|\.spool/[^/]+\.json|\.uploads\.jsonl|do-not-send\.txt|landing\.toml"
)


@dataclass(frozen=True, slots=True)
class Kept:
    """One file: its ``name`` below the data folder, its ``place`` below the backup's, ``size`` in bytes."""

    name: str
    place: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A backup as of ``made_at``, by the ledger's clock: what was uploaded later is not in it.

    ``rows`` count the ledger's, by table. ``missing`` are files that the ledger knows, and that were not
    there to be kept.
    """

    ledger_id: str
    made_at: datetime
    program: str
    ledger: Kept
    rows: Mapping[str, int]
    files: tuple[Kept, ...]
    missing: tuple[str, ...]

    @property
    def size(self) -> int:
        """In bytes, with the ledger."""
        return self.ledger.size + sum(kept.size for kept in self.files)

    @property
    def places(self) -> set[str]:
        return {kept.place for kept in (self.ledger, *self.files)}

    def content(self) -> bytes:
        document = {"format": _FORMAT, **asdict(self), "made_at": self.made_at.isoformat()}
        return json.dumps(document, indent=1).encode()

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        """Raises what a document of another shape leads to."""
        return cls(
            ledger_id=str(document["ledger_id"]),
            made_at=datetime.fromisoformat(document["made_at"]),
            program=str(document["program"]),
            ledger=Kept(**document["ledger"]),
            rows=dict(document["rows"]),
            files=tuple(Kept(**entry) for entry in document["files"]),
            missing=tuple(document["missing"]),
        )


def read_manifest(folder: Path) -> Manifest | None:
    """None where there is none; ConfigurationError for one that cannot be read, or is a newer version's."""
    file = folder / MANIFEST
    try:
        document = json.loads(file.read_bytes())
        if document["format"] != _FORMAT:
            raise ConfigurationError(
                f"{file} was written by a newer version of this program. Upgrade the program. "
                "Nothing was changed."
            )
        manifest = Manifest.of(document)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read ({error.strerror}). Nothing was changed.") from None
    except (ValueError, LookupError, TypeError, AttributeError):
        raise find_damage(file) from None
    if not all(_is_ours(kept) for kept in manifest.files) or not _is_ledger(manifest.ledger):
        raise find_damage(file)
    return manifest


def _is_ours(kept: Kept) -> bool:
    is_named = _NAME.fullmatch(kept.name) is not None
    return is_named and kept.place in {kept.name, version_name(kept.name, kept.sha256)}


def _is_ledger(kept: Kept) -> bool:
    return kept.name == LEDGER and kept.place == version_name(LEDGER, kept.sha256)


def find_damage(file: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{file} is damaged. To restore, use another backup. To back up, remove only this file first; the "
        "other files are still useful. Nothing was changed."
    )


def write_manifest(folder: Path, manifest: Manifest) -> None:
    with write_file(folder / MANIFEST, staging=folder / STAGING) as file:
        file.write(manifest.content())


def version_name(name: str, sha256: str) -> str:
    """The place of a file that may have other content tomorrow: two backups of it do not get in each other's
    way."""
    path = PurePosixPath(name)
    return str(path.with_name(f"{path.stem}-{sha256}{path.suffix}"))


def require_apart(backup: Path, site: Site) -> None:
    """ConfigurationError where a backup is inside one of the folders that it copies, or contains one."""
    folder, its_own = site.folder, backup.resolve()
    named = (
        ("data folder", folder.root),
        ("landing folder", folder.landing),
        ("warehouse", folder.warehouse),
    )
    for what, path in named:
        other = path.resolve()
        if its_own.is_relative_to(other) or other.is_relative_to(its_own):
            raise ConfigurationError(
                f"The backup {backup} and the {what} {path} must not be inside one another. Use a separate "
                "folder, best on another disk. Nothing was changed."
            )


def copy_privately(source: Path, copy: Path) -> str:
    """SHA-256 of the copy, as it reads back."""
    open_private(copy).close()
    copyfile(source, copy)
    return sha256_of(copy)


def copy_exactly(source: Path, copy: Path, *, sha256: str) -> None:
    """ConfigurationError where the copy is not what was meant."""
    if copy_privately(source, copy) != sha256:
        raise ConfigurationError(
            f"The copy of {source} in {copy.parent} differs from the original: the file was changed "
            "meanwhile, or a disk is damaged. Try again."
        )


def digest_of(file: Path) -> str | None:
    """SHA-256 of what can be read there."""
    try:
        return sha256_of(file)
    except OSError:
        return None
