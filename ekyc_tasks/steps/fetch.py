"""Store one batch's result archive: whole, as received, once."""

from __future__ import annotations

import asyncio
from codecs import BOM_UTF8
from datetime import datetime
from pathlib import Path

from ekyc_tasks.archive.containers import is_damaged
from ekyc_tasks.clock import Clock
from ekyc_tasks.disk import publish, sha256_of, staged
from ekyc_tasks.errors import DownloadIncomplete, LinkExpired, ProviderTrouble
from ekyc_tasks.folders import DataFolder
from ekyc_tasks.ledger import Batch, Ledger
from ekyc_tasks.models import ArchiveLimits, BatchState, TaskStatus
from ekyc_tasks.provider import Provider, ResultHosts, Timeouts, download

_CHECKED = ArchiveLimits()  # beyond these nothing is read, not even to check it
_LINKS = 3  # a link that does not open is replaced this often, then the next run goes on


async def fetch(
    batch_id: str,
    *,
    run_id: str,
    ledger: Ledger,
    provider: Provider,
    folder: DataFolder,
    hosts: ResultHosts,
    timeouts: Timeouts,
    clock: Clock,
) -> None:
    """SUBMITTED → FETCHED. Raises ProviderTrouble (try again, free), AccessDenied, ResultHostRefused."""
    batch = ledger.history.batch(batch_id)
    if batch.state is not BatchState.SUBMITTED:
        return
    status = await _exported(batch, provider)
    archive = folder.raw_file(batch_id)
    if not archive.exists():  # one is there when a run died between the rename and the ledger
        await _store(batch, status, archive, provider=provider, folder=folder, hosts=hosts, timeouts=timeouts)
    sha256 = await asyncio.to_thread(sha256_of, archive)
    ledger.progress.fetched(
        batch_id,
        sha256=sha256,
        size=archive.stat().st_size,
        checked_at=_checked_at(batch, status, clock),
        run_id=run_id,
    )


async def _exported(batch: Batch, provider: Provider) -> TaskStatus:
    """A fresh link; links are asked for when they are needed and never kept."""
    status = await provider.task(batch.task_id or "")
    if not status.is_exported:
        raise ProviderTrouble(f"Batch {batch.batch_id} is not exported any more; it is asked for again.")
    return status


async def _store(
    batch: Batch,
    status: TaskStatus,
    archive: Path,
    *,
    provider: Provider,
    folder: DataFolder,
    hosts: ResultHosts,
    timeouts: Timeouts,
) -> None:
    with staged(folder.staging) as path:
        for links_left in reversed(range(_LINKS)):
            try:
                await download(status.result_url or "", path, hosts=hosts, timeouts=timeouts)
                break
            except LinkExpired:
                if not links_left:
                    raise
            status = await _exported(batch, provider)
        await asyncio.to_thread(_require_whole, path)
        if not archive.exists():  # another run may have taken over meanwhile, and been faster
            await asyncio.to_thread(publish, path, archive)


def _require_whole(path: Path) -> None:
    """Storage hosts announce a length, proxies may not: a ZIP must be intact, and a page is no result.

    What else is odd about it, `load` judges.
    """
    with path.open("rb") as file:
        head = file.read(64).removeprefix(BOM_UTF8).lstrip()
    if not head or head.startswith((b"<", b"{")):
        raise DownloadIncomplete("the storage host sent a page or nothing instead of an archive")
    if head.startswith(b"PK") and is_damaged(path, _CHECKED):
        raise DownloadIncomplete("the archive was cut off or damaged on the way")


def _checked_at(batch: Batch, status: TaskStatus, clock: Clock) -> datetime:
    """The provider's last update, else when the result was first seen."""
    return status.updated_at or batch.exported_at or clock.now()
