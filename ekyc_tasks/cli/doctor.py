"""`ekyc doctor`: every problem that would stop a run, and how to fix it. Sends no number, costs nothing."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from rich.console import Console

from ekyc_tasks.cli.prefect_env import prepare_prefect
from ekyc_tasks.cli.up import address_of_another
from ekyc_tasks.errors import ConfigurationError, EkycError, ExitCode, PersonNeeded
from ekyc_tasks.installation import look_at, open_questions
from ekyc_tasks.installation.access import require_mine
from ekyc_tasks.intake.do_not_send import (
    describe_misnamed,
    find_misnamed,
    keys_of_do_not_send,
    require_no_misnamed,
)
from ekyc_tasks.intake.rules import read_landing_rules
from ekyc_tasks.ledger.account_memory import tells
from ekyc_tasks.provider import Provider, Timeouts
from ekyc_tasks.runs.session import check_folder
from ekyc_tasks.settings import Settings, load_settings
from ekyc_tasks.support.safe_errors import reportable
from ekyc_tasks.support.wording import count
from ekyc_tasks.task_types import task_type

_QUESTION = Timeouts(connect=5, read=10, write=5)


class Severity(StrEnum):
    OK = "ok"
    WARN = "WARN"  # nothing stops a run for certain
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    text: str
    severity: Severity = Severity.OK


def examine(out: Console) -> ExitCode:
    """The exit code: 2 when there is something to fix."""
    findings = list(_findings())
    for finding in findings:
        out.print(f"{finding.severity:<4} {finding.what:<9} {finding.text}", markup=False, highlight=False)
    is_well = all(finding.severity is not Severity.FAIL for finding in findings)
    return ExitCode.DONE if is_well else ExitCode.CONFIGURATION


def _findings() -> Iterator[Finding]:
    settings: Settings | None = None
    try:
        settings = load_settings()
        yield Finding("settings", _dotenv(settings))
    except EkycError as error:
        yield Finding("settings", str(error), severity=Severity.FAIL)
    if settings is not None:
        yield _check("task type", lambda: task_type(settings.task_type).name)
        yield _check("key", lambda: _key(settings))
        yield _check("folders", lambda: _folders(settings))
        yield _check("rules", lambda: _landing_rules(settings))
        yield _check("not sent", lambda: _do_not_send(settings))
        yield _check("ledger", lambda: _ledger(settings))
        if settings.api_key is not None:
            yield _check("provider", lambda: asyncio.run(_provider(settings)))
    try:
        yield from _prefect()
    except (OSError, EkycError) as error:  # Prefect reads the `.env` of the current folder by itself
        yield Finding("Prefect", str(reportable(error)), severity=Severity.FAIL)


def _check(what: str, look: Callable[[], str | Finding]) -> Finding:
    try:
        found = look()
        return found if isinstance(found, Finding) else Finding(what, found)
    except EkycError as error:
        return Finding(what, str(error), severity=Severity.FAIL)


def _dotenv(settings: Settings) -> str:
    dotenv = settings.home / ".env"
    return f"read from {dotenv}" if dotenv.is_file() else f"from the environment; there is no {dotenv}"


def _key(settings: Settings) -> str:
    settings.require_key()
    return f"set; it is sent to {settings.host} only"


def _folders(settings: Settings) -> str:
    folder = settings.folder
    if not folder.root.exists():
        raise ConfigurationError(f"The data folder {folder.root} (EKYC_DATA_DIR) does not exist.")
    check_folder(folder)
    if not folder.landing.is_dir():
        raise ConfigurationError(
            f"The landing folder {settings.folder.landing} does not exist: mount it or create it, "
            "or set EKYC_LANDING_DIR."
        )
    return f"{settings.folder.root} is writable"


def _landing_rules(settings: Settings) -> str:
    path = settings.folder.landing_rules
    rules = read_landing_rules(path)
    return (
        f"there is no {path}; files need none" if rules is None else f"{count(len(rules), 'rule')} in {path}"
    )


def _do_not_send(settings: Settings) -> str | Finding:
    """Each line is read as a plan reads it, and a name that is not quite the list's is no list."""
    path = settings.folder.do_not_send
    require_no_misnamed(path)
    numbers = len(keys_of_do_not_send(path, region=settings.default_region))
    if misnamed := find_misnamed(path):
        return Finding("not sent", describe_misnamed(misnamed[0], path), Severity.WARN)
    return (
        f"{numbers:,} numbers that are never bought, from {path}"
        if path.exists()
        else f"there is no {path.name}"
    )


def _ledger(settings: Settings) -> str:
    ledger, problem = look_at(settings.site)
    with ledger:
        if problem is not None:
            raise ConfigurationError(problem)
        require_mine(ledger, settings.site)
        for question in open_questions(ledger, settings.site):
            raise PersonNeeded(question.text)
        batches = sum(count for count, _ in ledger.history.states().values())
    return f"readable and writable; {batches:,} batches"


async def _provider(settings: Settings) -> Finding:
    parts = urlsplit(settings.base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=_QUESTION.connect).close()
    except OSError as error:
        raise ConfigurationError(
            f"{settings.host} cannot be reached ({error.strerror or error}): "
            "check the network and EKYC_BASE_URL."
        ) from None
    async with Provider(settings.base_url, settings.require_key(), timeouts=_QUESTION) as provider:
        balance = await provider.balance()
    known = f"balance {balance.balance}" if balance else "but no balance returned. The key may be wrong"
    return Finding(
        "provider",
        f"reachable, {known}. The provider {tells(balance, _user_id(settings))}",
        Severity.OK if balance else Severity.WARN,
    )


def _user_id(settings: Settings) -> str | None:
    """The account, as the ledger has seen it."""
    try:
        with look_at(settings.site)[0] as ledger:
            return ledger.identity.fact("user_id")
    except EkycError:
        return None


def _prefect() -> Iterator[Finding]:
    prepare_prefect(debug=False)
    if "PREFECT_API_URL" not in os.environ and (address := address_of_another()):
        os.environ["PREFECT_API_URL"] = address
    from ekyc_tasks.flows.health import check_server, missing_parts

    try:
        version = check_server()
    except EkycError as error:
        yield Finding("Prefect", str(error), severity=Severity.FAIL)
        return
    if version is None:
        yield Finding(
            "Prefect",
            "no server is set: `ekyc run` starts a temporary one, `ekyc up` one that keeps running",
        )
        return
    missing = list(missing_parts())
    for sentence in missing:
        yield Finding("Prefect", sentence, severity=Severity.FAIL)
    if not missing:
        yield Finding("Prefect", f"server {version}, work pool, worker and deployments found")
