"""`ekyc doctor`: what would stop a run, each with its remedy. It sends no number and costs nothing."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from rich.console import Console

from ekyc_tasks.cli.prefect_env import prepare_prefect
from ekyc_tasks.cli.up import address_of_another
from ekyc_tasks.defects import told
from ekyc_tasks.errors import ConfigurationError, EkycError
from ekyc_tasks.ledger import open_ledger
from ekyc_tasks.provider import Provider, Timeouts
from ekyc_tasks.run import prepare_folder
from ekyc_tasks.settings import Settings, load_settings
from ekyc_tasks.task_types import task_type

_QUESTION = Timeouts(connect=5, read=10, write=5)


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    text: str
    is_well: bool = True


def examine(out: Console) -> int:
    """The exit code: 2 when there is something to mend."""
    findings = list(_findings())
    for finding in findings:
        mark = "ok  " if finding.is_well else "MEND"
        out.print(f"{mark} {finding.what:<9} {finding.text}", markup=False, highlight=False)
    return 0 if all(finding.is_well for finding in findings) else 2


def _findings() -> Iterator[Finding]:
    settings: Settings | None = None
    try:
        settings = load_settings()
        yield Finding("settings", _dotenv(settings))
    except EkycError as error:
        yield Finding("settings", str(error), is_well=False)
    if settings is not None:
        yield _looked("task type", lambda: task_type(settings.task_type).name)
        yield _looked("key", lambda: _key(settings))
        yield _looked("folders", lambda: _folders(settings))
        yield _looked("ledger", lambda: _ledger(settings))
        if settings.api_key is not None:
            yield _looked("provider", lambda: asyncio.run(_provider(settings)))
    try:
        yield from _prefect()
    except (OSError, EkycError) as error:  # Prefect reads the `.env` of the current folder by itself
        yield Finding("Prefect", str(told(error)), is_well=False)


def _looked(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, look())
    except EkycError as error:
        return Finding(what, str(error), is_well=False)


def _dotenv(settings: Settings) -> str:
    dotenv = settings.home / ".env"
    return f"{dotenv} is read" if dotenv.is_file() else f"from the environment; there is no {dotenv}"


def _key(settings: Settings) -> str:
    settings.require_key()
    return f"is set; it goes to {settings.host} only"


def _folders(settings: Settings) -> str:
    prepare_folder(settings.folder, with_landing=settings.landing_dir is None)
    if not settings.folder.landing.is_dir():
        raise ConfigurationError(
            f"The landing folder {settings.folder.landing} is not there: mount or make it, "
            "or set EKYC_LANDING_DIR."
        )
    return f"{settings.folder.root} can be written"


def _ledger(settings: Settings) -> str:
    with open_ledger(settings.ledger_address) as ledger:
        batches = sum(count for count, _ in ledger.history.states().values())
    return f"can be read and written; {batches:,} batches"


async def _provider(settings: Settings) -> str:
    parts = urlsplit(settings.base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=_QUESTION.connect).close()
    except OSError as error:
        raise ConfigurationError(
            f"{settings.host} cannot be reached ({error.strerror or error}): "
            "look at the network and at EKYC_BASE_URL."
        ) from None
    async with Provider(settings.base_url, settings.require_key(), timeouts=_QUESTION) as provider:
        balance = await provider.balance()
    return (
        f"answers; balance {balance.balance}"
        if balance
        else "answers, but tells no balance: the key may be wrong, or none is told"
    )


def _prefect() -> Iterator[Finding]:
    prepare_prefect(debug=False)
    if "PREFECT_API_URL" not in os.environ and (address := address_of_another()):
        os.environ["PREFECT_API_URL"] = address
    from flows.health import check_server, missing_parts

    try:
        version = check_server()
    except EkycError as error:
        yield Finding("Prefect", str(error), is_well=False)
        return
    if version is None:
        yield Finding(
            "Prefect", "no server is set: `ekyc run` brings its own, `ekyc up` starts one that stays"
        )
        return
    missing = list(missing_parts())
    for sentence in missing:
        yield Finding("Prefect", sentence, is_well=False)
    if not missing:
        yield Finding("Prefect", f"server {version}, pool, worker and deployments are there")
