"""The data folder: every path that this project writes, spelled in one place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DataFolder:
    """``landing`` and ``warehouse`` may lie elsewhere; all else is below ``root``."""

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
    def reports(self) -> Path:
        return self.root / "reports"

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
    def planning_lock(self) -> Path:
        return self.root / ".planning.lock"

    @property
    def do_not_send(self) -> Path:
        return self.root / "do-not-send.txt"

    def input_file(self, sha256: str) -> Path:
        return self.inputs / sha256

    def batch_file(self, batch_id: str) -> Path:
        """Exactly what is sent: one number a line."""
        return self.batches / f"{batch_id}.txt"

    def keys_file(self, batch_id: str) -> Path:
        return self.keys / f"{batch_id}.i64"

    def rejected_file(self, sha256: str) -> Path:
        """The lines of a landed file that are no numbers."""
        return self.quarantine / "landing" / f"{sha256}.parquet"

    def raw_file(self, batch_id: str) -> Path:
        return self.raw / f"{batch_id}.archive"

    def spool_file(self, attempt_id: str) -> Path:
        return self.spool / f"{attempt_id}.json"
