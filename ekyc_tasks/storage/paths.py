"""The data folder: every path that this project writes, spelled in one place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MARK = ".ekyc.json"


@dataclass(frozen=True, slots=True)
class DataFolder:
    """``landing`` and ``warehouse`` may be elsewhere; everything else is below ``root``."""

    root: Path
    landing: Path
    warehouse: Path

    @property
    def inputs(self) -> Path:
        """What landed, by SHA-256, read-only."""
        return self.root / "inputs"

    @property
    def batches(self) -> Path:
        return self.root / "batches"

    @property
    def raw(self) -> Path:
        """Archives as received."""
        return self.root / "raw"

    @property
    def quarantine(self) -> Path:
        return self.root / "quarantine"

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    @property
    def staging(self) -> Path:
        """Half-written files of everything but the warehouse."""
        return self.root / ".staging"

    @property
    def warehouse_staging(self) -> Path:
        """Beside the warehouse: outside the tree that readers scan, on its file system."""
        return self.warehouse.parent / ".staging"

    @property
    def spool(self) -> Path:
        """Answers to uploads that are not in the ledger yet."""
        return self.root / ".spool"

    @property
    def runs(self) -> Path:
        """One locked file for each living run of this machine."""
        return self.root / ".runs"

    @property
    def keys(self) -> Path:
        """The numbers of batches once more, sorted and binary; made again where they are gone."""
        return self.root / ".keys"

    @property
    def mark(self) -> Path:
        """Whose folder this is: the id of its ledger."""
        return self.root / MARK

    @property
    def landing_mark(self) -> Path | None:
        """The same in a landing folder of its own place; hidden files are never taken for landed ones."""
        return None if self.landing.is_relative_to(self.root) else self.landing / MARK

    @property
    def warehouse_mark(self) -> Path | None:
        """The same beside a warehouse outside the data folder, because that tree contains only data."""
        if self.warehouse.is_relative_to(self.root):
            return None
        return self.warehouse.with_name(f".{self.warehouse.name}{MARK}")

    @property
    def restoring(self) -> Path:
        """There while `ekyc restore` fills the folder: nothing else may use it."""
        return self.root / ".restoring"

    @property
    def plans(self) -> Path:
        """What plans are about to write, one list each, until they are committed."""
        return self.root / ".plans"

    @property
    def upload_journal(self) -> Path:
        """Uploads as they began, a line each: what tells that a ledger is older than its folder."""
        return self.root / ".uploads.jsonl"

    @property
    def set_aside(self) -> Path:
        """Files that the ledger does not know, or that a person abandoned."""
        return self.root / "set-aside"

    @property
    def planning_lock(self) -> Path:
        return self.root / ".planning.lock"

    @property
    def do_not_send(self) -> Path:
        return self.root / "do-not-send.txt"

    @property
    def landing_rules(self) -> Path:
        """How landed files are read; not in the landing folder, where others may drop files."""
        return self.root / "landing.toml"

    def input_file(self, sha256: str) -> Path:
        return self.inputs / sha256

    def batch_file(self, batch_id: str) -> Path:
        """Exactly what is sent: one number a line."""
        return self.batches / f"{batch_id}.txt"

    def keys_file(self, batch_id: str) -> Path:
        return self.keys / f"{batch_id}.i64"

    def files_of(self, batch_id: str) -> tuple[Path, Path]:
        """What planning writes for a batch."""
        return self.batch_file(batch_id), self.keys_file(batch_id)

    def rejects_file(self, sha256: str) -> Path:
        """The lines of a landed file that are no numbers."""
        return self.quarantine / "landing" / f"{sha256}.parquet"

    def raw_file(self, batch_id: str) -> Path:
        return self.raw / f"{batch_id}.archive"

    def spool_file(self, attempt_id: str) -> Path:
        return self.spool / f"{attempt_id}.json"


@dataclass(frozen=True, slots=True)
class Site:
    """Where the settings say that a ledger and its folders are, and of which provider."""

    folder: DataFolder
    ledger_url: str
    host: str
    has_named_ledger: bool = False  # by EKYC_LEDGER_URL; else it is a file in the data folder
    folder_setting: str = "EKYC_DATA_DIR"  # or EKYC_HOME, which contains it by default

    @property
    def ledger_setting(self) -> str:
        return "EKYC_LEDGER_URL" if self.has_named_ledger else self.folder_setting
