"""A data folder with its ledger, as `ekyc init` leaves it."""

from __future__ import annotations

import threading
from pathlib import Path
from urllib.parse import urlsplit

from ekyc_tasks.installation.setup import is_made, make
from ekyc_tasks.models import Account
from ekyc_tasks.storage.paths import DataFolder, Site

_making = threading.Lock()


def site_of(data: Path, base_url: str, ledger_url: str | None = None) -> Site:
    """The place that the settings of a test name."""
    return Site(
        DataFolder(root=data, landing=data / "landing", warehouse=data / "warehouse"),
        ledger_url or f"sqlite:///{data / 'ledger.db'}",
        urlsplit(base_url).netloc,
        has_named_ledger=ledger_url is not None,
    )


def made(data: Path, base_url: str, ledger_url: str | None = None) -> Path:
    """A data folder with its ledger, as `ekyc init` leaves it.

    One at a time, whatever threads a test has: Alembic's context is one for the whole process.
    """
    site = site_of(data, base_url, ledger_url)
    with _making:
        if not is_made(site):
            make(site, account=Account.NEW)
    return data
