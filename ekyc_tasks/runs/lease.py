"""A run's lease: a row in the ledger that a thread renews, and a locked file that dies with the run.

The row is the truth for everybody; the lock lets a run of the same machine see at once, without
waiting for the lease to end, that its predecessor was killed. Nothing but that speed depends on the
lock: a run that is taken for dead has lost its batches, and whatever it writes about them is refused.
"""

from __future__ import annotations

import logging
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import getnode

from ekyc_tasks.errors import LedgerError
from ekyc_tasks.ledger import Ledger
from ekyc_tasks.support.atomic_files import discard, private_dir, try_lock

log = logging.getLogger(__name__)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@contextmanager
def run_lease(ledger: Ledger, *, runs: Path, lease: timedelta) -> Iterator[str]:
    """Hold a lease under a new run id, for as long as the block lasts."""
    end_dead_runs(ledger, runs)
    run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
    lock_file = private_dir(runs) / f"{run_id}.lock"
    lock = try_lock(lock_file)
    stop = threading.Event()
    renewer = threading.Thread(target=_renew, args=(ledger, run_id, lease, stop), name="lease", daemon=True)
    try:
        ledger.runs.opened(run_id, host=_where(runs), lease=lease)
        renewer.start()
        try:
            yield run_id
        finally:
            stop.set()
            renewer.join()
            ledger.runs.ended(run_id)
    finally:
        if lock is not None:
            lock.close()
        discard(lock_file)


def this_machine() -> str:
    """Where locks can be judged: this kernel, since its last start. Hosts that share a folder may have the
    same name, and on a network file system the locks of others may not be seen."""
    try:
        kernel = _BOOT_ID.read_text().strip()
    except OSError:  # not Linux: a network card, or else nothing that two processes agree on
        kernel = f"{getnode():x}"
    return f"{socket.gethostname()} {kernel}"


def _where(runs: Path) -> str:
    """Where a run's lock can be judged: on its machine, and in that same folder, not in a copy of it."""
    return f"{this_machine()} {runs.stat().st_ino}"


def end_dead_runs(ledger: Ledger, runs: Path) -> None:
    """Runs of this machine whose lock is not held have been killed: their leases end now."""
    here = _where(private_dir(runs))
    for run in ledger.runs.alive():
        lock_file = runs / f"{run.run_id}.lock"
        if run.host != here or not lock_file.exists():
            continue
        lock = try_lock(lock_file)
        if lock is not None:
            ledger.runs.ended(run.run_id)
            lock.close()
            discard(lock_file)


def _renew(ledger: Ledger, run_id: str, lease: timedelta, stop: threading.Event) -> None:
    while not stop.wait(lease.total_seconds() / 3):
        try:
            ledger.runs.renewed(run_id, lease=lease)
        except LedgerError as error:  # asked again in a third of the lease; then others may take over
            log.warning("%s", error)
