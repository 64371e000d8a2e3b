"""Store one batch's result archive: whole, as received, once."""

from __future__ import annotations

import asyncio
from codecs import BOM_UTF8
from datetime import datetime, timedelta
from pathlib import Path

from ekyc_tasks.errors import DownloadIncomplete, LinkExpired, ProviderTrouble
from ekyc_tasks.exchange.resolve import creation_time
from ekyc_tasks.installation.context import StepContext
from ekyc_tasks.ledger import Batch
from ekyc_tasks.models import ArchiveLimits, BatchState, TaskStatus
from ekyc_tasks.provider import Provider, ResultHosts, Timeouts, download
from ekyc_tasks.support.atomic_files import publish, sha256_of, stage_file
from ekyc_tasks.tabular.containers import is_damaged

_CHECKED = ArchiveLimits()  # beyond these nothing is read, not even to check it
_DAY = timedelta(days=1)  # clocks and time zones may differ; a time that is further away is an accident
_LINKS = 3  # a link that does not open is replaced this often, then the next run continues


async def fetch(
    batch_id: str,
    context: StepContext,
    provider: Provider,
    *,
    hosts: ResultHosts,
    timeouts: Timeouts,
) -> None:
    """SUBMITTED → FETCHED. Raises ProviderTrouble (try again, free), AccessDenied, ResultHostRefused."""
    ledger, folder = context.ledger, context.folder
    batch = ledger.history.batch(batch_id)
    if batch.state is not BatchState.SUBMITTED:
        return
    status = await _ask_for_link(batch, provider)
    archive = folder.raw_file(batch_id)
    if not archive.exists():  # one is there when a run died between the rename and the ledger
        with stage_file(folder.staging) as path:
            await _download(batch, status, path, provider=provider, hosts=hosts, timeouts=timeouts)
            await asyncio.to_thread(_require_whole, path)
            if not archive.exists():  # another run may have taken over meanwhile, and been faster
                await asyncio.to_thread(publish, path, archive)
    sha256 = await asyncio.to_thread(sha256_of, archive)
    ledger.progress.fetched(
        batch_id,
        sha256=sha256,
        size=archive.stat().st_size,
        checked_at=_date_of_result(batch, status, context),
        run_id=context.run_id,
    )


async def _ask_for_link(batch: Batch, provider: Provider) -> TaskStatus:
    """A fresh link; links are asked for when they are needed and never kept."""
    status = await provider.task(batch.task_id or "")
    if not status.is_exported:
        raise ProviderTrouble(
            f"The result of batch {batch.batch_id} is no longer ready. The next run asks again."
        )
    return status


async def _download(
    batch: Batch,
    status: TaskStatus,
    path: Path,
    *,
    provider: Provider,
    hosts: ResultHosts,
    timeouts: Timeouts,
) -> None:
    for links_left in reversed(range(_LINKS)):
        try:
            await download(status.result_url or "", path, hosts=hosts, timeouts=timeouts)
            break
        except LinkExpired:
            if not links_left:
                raise
        status = await _ask_for_link(batch, provider)


def _require_whole(path: Path) -> None:
    """Storage hosts announce a length, proxies may not: a ZIP must be intact, and a page is no result.

    What else is odd about it, `load` judges.
    """
    with path.open("rb") as file:
        head = file.read(64).removeprefix(BOM_UTF8).lstrip()
    if not head or head.startswith((b"<", b"{")):
        raise DownloadIncomplete("the storage host sent a web page, or nothing, instead of an archive")
    if head.startswith(b"PK") and is_damaged(path, _CHECKED):
        raise DownloadIncomplete("the archive was cut off or damaged during the download")


def _date_of_result(batch: Batch, status: TaskStatus, context: StepContext) -> datetime:
    """The provider's last update where it can be true, else when the result was first seen.

    A wrong one would put paid rows into a day of the year 1, or make them the latest for ever.
    """
    now, said = context.clock.now(), status.updated_at
    if said is not None and _moment_of_upload(batch, context) - _DAY <= said <= now + _DAY:
        return said
    if batch.exported_at is not None:
        return batch.exported_at
    context.ledger.progress.exported(batch.batch_id, now, run_id=context.run_id)
    return now


def _moment_of_upload(batch: Batch, context: StepContext) -> datetime:
    """When the task was made: by our upload, or by what the id of an adopted task says."""
    attempts = context.ledger.uploads.of_batch(batch.batch_id)
    ours = [attempt.started_at for attempt in attempts if attempt.task_id == batch.task_id]
    first = min([batch.planned_at, *(attempt.started_at for attempt in attempts)])
    return ours[-1] if ours else creation_time(batch.task_id or "") or first
