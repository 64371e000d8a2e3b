"""Every setting, from the environment or `.env`, prefix `EKYC_`.

Read at the edges (flows, tasks, cli) by `load_settings` and passed on as values. Relative paths and
`.env` resolve against `EKYC_HOME`, never against the current folder.
"""

from __future__ import annotations

import os
import re
import sys
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.models import ArchiveLimits
from ekyc_tasks.money import SpendingGuard
from ekyc_tasks.storage.paths import DataFolder, Site
from ekyc_tasks.support.hosts import is_loopback

PREFIX = "EKYC_"
_ARCHIVE_LIMITS = ArchiveLimits()
_CURRENCY = r"(?:[A-Za-z]{3}|[$€£¥])"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_RELATIVE_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)((?!file:)[^/:].*)")


def parse_duration(value: object) -> timedelta:
    """`0.5s`, `30s`, `10m`, `2h`, `30d` or plain seconds."""
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", str(value).strip().lower())
    if match is None:
        raise ValueError("write a duration as 0.5s, 30s, 10m, 2h, 30d or plain seconds")
    try:
        return timedelta(seconds=float(match[1]) * _UNITS[match[2] or "s"])
    except OverflowError:
        raise ValueError("this duration is too long") from None


def parse_share(value: object) -> object:
    """`0.2` or `20%`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", str(value).strip())
    return value if match is None else Decimal(match[1]) / 100


def parse_guard(value: object) -> SpendingGuard:
    """`5000`: so many numbers. `25 USD`, `$25` or `25.50 €`: so much money."""
    if isinstance(value, SpendingGuard):
        return value
    text = str(value).strip()
    if re.fullmatch(r"[0-9]+", text):
        return SpendingGuard(numbers=int(text))
    money = re.fullmatch(rf"({_CURRENCY}?)\s*([0-9]+(?:\.[0-9]+)?)\s*({_CURRENCY}?)", text)
    if money is None or bool(money[1]) is bool(money[3]):
        raise ValueError("write a count of numbers, such as 5000, or an amount, such as 25 USD")
    return SpendingGuard(amount=Decimal(money[2]), currency=(money[1] or money[3]).upper())


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _region(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", value):
        raise ValueError("write the region as two letters, such as CH or US")
    return value.upper()


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("this duration must be longer than zero")
    return value


def _expand(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("~ cannot be used, because no home folder is known; write the whole path") from None


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Guard = Annotated[SpendingGuard, NoDecode, BeforeValidator(parse_guard)]
Folder = Annotated[Path, AfterValidator(_expand)]
Share = Annotated[Decimal, BeforeValidator(parse_share), Field(ge=0, le=1, allow_inf_nan=False)]
Money = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
_Chosen = tuple[tuple[str, Any], ...]


class Settings(BaseSettings):
    """Names and defaults; `EKYC_` goes before each name in the environment."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="ignore",  # unknown EKYC_ names are refused by `load_settings`, with a better sentence
        env_ignore_empty=True,
        hide_input_in_errors=True,
        frozen=True,
    )

    home: Path = Field(description="folder of `.env`; relative paths start here")
    api_key: SecretStr | None = Field(
        None, description="the provider's API key; sent only to the host of `EKYC_BASE_URL`"
    )
    base_url: str = Field("https://api.ekycpro.com", description="address of the provider's API")
    data_dir: Folder = Field(Path("data"), description="folder for everything that this project writes")
    landing_dir: Folder | None = Field(
        None, description="folder where you drop files; default: `landing` in the data folder"
    )
    warehouse_dir: Folder | None = Field(
        None, description="folder of the dataset; default: `warehouse` in the data folder"
    )
    ledger_url: SecretStr | None = Field(
        None,
        description="database of the ledger, `postgresql://user:password@host/database`; "
        "default: SQLite in the data folder",
    )
    task_type: str = Field("tg_avatar", description="task type: the provider's check")
    batch_size: int = Field(10_000, ge=1, le=10_000_000, description="most numbers in one upload")
    min_batch: int = Field(1, ge=1, description="minimum batch size; smaller batches wait for more numbers")
    max_hold_back: Duration = Field(
        timedelta(hours=1), description="how long numbers below the minimum batch size wait for more"
    )
    small_rest: Literal["send", "keep"] = Field(
        "send",
        description="what happens to them after that: `send` sends them, `keep` keeps and reports them",
    )
    settle: Duration = Field(
        timedelta(seconds=2), description="a landed file is read when it has not changed for this long"
    )
    fresh_for: Duration = Field(
        timedelta(days=30), description="numbers bought within this time are not bought again; 0: always buy"
    )
    fresh_for_undetermined: Duration | None = Field(
        None,
        description="the same for numbers whose answer was neither yes nor no; default: `EKYC_FRESH_FOR`",
    )
    default_region: Annotated[str, AfterValidator(_region)] | None = Field(
        None, description="country of numbers that are written without a calling code, such as `CH`"
    )
    number_column: str | None = Field(
        None, description="header of the column with the numbers; default: found automatically"
    )
    max_rejected: Share = Field(
        Decimal("0.2"),
        description="largest share of rejected lines with which a landed file is sent without a question",
    )
    result_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = Field(
        ("*.amazonaws.com",), description="hosts from which results may be downloaded, separated by commas"
    )
    max_wait: Duration = Field(
        timedelta(minutes=30), description="longest time that one run waits for results"
    )
    poll_min: PositiveDuration = Field(
        timedelta(seconds=2), description="shortest time between two status requests"
    )
    poll_max: PositiveDuration = Field(
        timedelta(minutes=2), description="longest time between two status requests"
    )
    unknown_grace: Duration = Field(
        timedelta(minutes=2), description="a task that the provider does not know for this long has failed"
    )
    upload_deadline: PositiveDuration = Field(
        timedelta(minutes=10), description="longest time for one upload"
    )
    http_timeout: PositiveDuration = Field(
        timedelta(seconds=60), description="longest time without any data on a connection"
    )
    lease: PositiveDuration = Field(
        timedelta(seconds=60), description="a run that shows no activity for this long loses its batches"
    )
    on_500: Literal["retry", "hold"] = Field(
        "retry", description="after HTTP 500 to an upload: `retry` it (a 500 is free), or `hold` the batch"
    )
    price_per_10k: Money | None = Field(
        None, description="price of 10,000 numbers, for estimates and budgets"
    )
    budget_run: Money | None = Field(None, description="most to spend in one run")
    budget_day: Money | None = Field(None, description="most to spend in one day (UTC)")
    budget_month: Money | None = Field(None, description="most to spend in one month (UTC)")
    ask_above: Guard | None = Field(
        None,
        description="a plan above this waits until a person approves it: a count of numbers such as `5000`, "
        "or an amount such as `25 USD`",
    )
    archive_max_members: int = Field(
        _ARCHIVE_LIMITS.max_members, ge=1, description="most files in one result archive"
    )
    archive_max_member_bytes: int = Field(
        _ARCHIVE_LIMITS.max_member_bytes, ge=1, description="largest file in one result archive, in bytes"
    )
    archive_max_total_bytes: int = Field(
        _ARCHIVE_LIMITS.max_total_bytes, ge=1, description="largest result archive after unpacking, in bytes"
    )
    archive_max_ratio: int = Field(
        _ARCHIVE_LIMITS.max_ratio, ge=1, description="largest allowed ratio of unpacked bytes to packed bytes"
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Settings:
        if self.min_batch > self.batch_size:
            raise ValueError("EKYC_MIN_BATCH is larger than EKYC_BATCH_SIZE; make it smaller")
        budgets = (self.budget_run, self.budget_day, self.budget_month)
        if any(budget is not None for budget in budgets) and self.price_per_10k is None:
            raise ValueError("a budget needs a price: set EKYC_PRICE_PER_10K")
        if self.ask_above and self.ask_above.amount is not None and self.price_per_10k is None:
            raise ValueError("EKYC_ASK_ABOVE is an amount and needs a price: set EKYC_PRICE_PER_10K")
        _check_base_url(self.base_url)
        return self

    @property
    def host(self) -> str:
        """The provider's host (and port, where one is named): what a ledger belongs to."""
        return urlsplit(self.base_url).netloc.lower()

    @property
    def is_local(self) -> bool:
        """The provider is on this machine: plain http and loopback result hosts are then allowed."""
        return is_loopback(urlsplit(self.base_url).hostname)

    @property
    def folder(self) -> DataFolder:
        root = self._path(self.data_dir)
        return DataFolder(
            root=root,
            landing=self._path(self.landing_dir or root / "landing"),
            warehouse=self._path(self.warehouse_dir or root / "warehouse"),
        )

    @property
    def ledger_address(self) -> str:
        if self.ledger_url is None:
            return f"sqlite:///{self.folder.root / 'ledger.db'}"
        address = self.ledger_url.get_secret_value()
        if relative := _RELATIVE_SQLITE.fullmatch(address):
            return f"{relative[1]}{self.home / relative[2]}"
        return address

    @property
    def site(self) -> Site:
        """Where the one ledger and its folders are, by these settings."""
        return Site(
            self.folder,
            self.ledger_address,
            self.host,
            has_named_ledger=self.ledger_url is not None,
            folder_setting="EKYC_DATA_DIR" if "data_dir" in self.model_fields_set else "EKYC_HOME",
        )

    @property
    def archive_limits(self) -> ArchiveLimits:
        return ArchiveLimits(
            max_members=self.archive_max_members,
            max_member_bytes=self.archive_max_member_bytes,
            max_total_bytes=self.archive_max_total_bytes,
            max_ratio=self.archive_max_ratio,
        )

    def require_key(self) -> str:
        if self.api_key is None:
            raise ConfigurationError(
                f"No API key: set EKYC_API_KEY in the environment or in {self.home / '.env'}."
            )
        return self.api_key.get_secret_value()

    def _path(self, path: Path) -> Path:
        return self.home / path


def load_settings(**overrides: Any) -> Settings:
    """Settings of this moment, with those ``overrides`` that are not None.

    ConfigurationError names the variable and never shows its value.
    """
    chosen = tuple((name, value) for name, value in overrides.items() if value is not None)
    home = _home()
    return _read(home, _content(home / ".env"), tuple(os.environ.items()), chosen)


def _content(dotenv: Path) -> bytes | int | None:
    """The file's bytes, or a sign of what is there instead."""
    try:
        return dotenv.read_bytes() if dotenv.is_file() else dotenv.is_dir()
    except OSError as error:
        return error.errno


@lru_cache(maxsize=8)  # each step of a batch asks, and an answer costs 15 ms
def _read(
    home: Path, _dotenv: bytes | int | None, _environment: tuple[tuple[str, str], ...], chosen: _Chosen
) -> Settings:
    """Read again if anything that the settings depend on has changed."""
    dotenv = home / ".env"
    _refuse_unknown(dotenv)
    try:
        return Settings(_env_file=dotenv, home=home, **dict(chosen))
    except ValidationError as error:
        raise ConfigurationError(_first_sentence(error)) from None
    except OSError as error:
        raise ConfigurationError(
            f"{dotenv} cannot be read ({error.strerror}). Fix its permissions."
        ) from None


def default_home() -> Path:
    """The checkout's root when installed from one, else the user's data folder."""
    root = Path(__file__).resolve().parent.parent
    if (root / "pyproject.toml").is_file() and (root / "flows").is_dir():
        return root
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "ekyc"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "ekyc"


def data_root() -> Path:
    """The data folder alone, whatever the other settings hold (the demo ignores them)."""
    home, named = _home(), dotenv_of_home().get("EKYC_DATA_DIR")
    return home / _folder_named("EKYC_DATA_DIR", os.environ.get("EKYC_DATA_DIR") or named or "data")


def dotenv_of_home() -> dict[str, str]:
    """What `.env` sets, unchecked; nothing if it cannot be read."""
    try:
        found = dotenv_values(_home() / ".env")
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: value for name, value in found.items() if value is not None}


def _home() -> Path:
    return _folder_named("EKYC_HOME", os.environ.get("EKYC_HOME") or default_home()).absolute()


def _folder_named(name: str, path: str | Path) -> Path:
    try:
        return _expand(Path(path))
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}.") from None


def _refuse_unknown(dotenv: Path) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    if dotenv.is_dir():
        raise ConfigurationError(f"{dotenv} is a folder, not a file with settings. Move it away.")
    try:
        named = {*os.environ, *(dotenv_values(dotenv) if dotenv.is_file() else ())}
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(
            f"{dotenv} cannot be read as text. Fix its permissions or its content."
        ) from None
    unknown = sorted(name for name in named if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise ConfigurationError(
            f"{', '.join(unknown)}: no such setting. Correct or remove it. All settings are listed in "
            "docs/reference/settings.md."
        )


def _check_base_url(url: str) -> None:
    if not _is_base_url(url):
        raise ValueError("EKYC_BASE_URL must look like https://api.ekycpro.com")
    parts = urlsplit(url)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("EKYC_BASE_URL must begin with https:// (plain http would show the key to everyone)")


def _is_base_url(url: str) -> bool:
    """A host, perhaps a port and a path; no name, no password, no query."""
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    is_plain = not ({"@", "?", "#"} & set(url)) and not any(character.isspace() for character in url)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and has_port and is_plain


def _first_sentence(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    text = first["msg"].removeprefix("Value error, ")
    name = PREFIX + str(first["loc"][0]).upper() if first["loc"] else ""
    return f"{name}: {text}." if name else f"{text}."
