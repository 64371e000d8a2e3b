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
from ekyc_tasks.folders import DataFolder
from ekyc_tasks.models import ArchiveLimits

PREFIX = "EKYC_"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_RELATIVE_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)((?!file:)[^/:].*)")
_LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")


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


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("~ stands for no home folder here; write the whole path") from None


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Folder = Annotated[Path, AfterValidator(_expanded)]
Money = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
_Chosen = tuple[tuple[str, Any], ...]


def is_loopback(host: str | None) -> bool:
    return bool(host and _LOOPBACK.fullmatch(host))


class Settings(BaseSettings):
    """Names and defaults; `EKYC_` goes before each name in the environment."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="ignore",  # unknown EKYC_ names are refused by `load_settings`, with a better sentence
        env_ignore_empty=True,
        hide_input_in_errors=True,
        frozen=True,
    )

    home: Path = Field(description="where `.env` lies and relative paths begin")
    api_key: SecretStr | None = Field(None, description="the provider's key; sent to the base URL only")
    base_url: str = Field("https://api.ekycpro.com", description="the provider's API")
    data_dir: Folder = Field(Path("data"), description="everything this project writes")
    landing_dir: Folder | None = Field(
        None, description="drop files here; default `landing` in the data folder"
    )
    warehouse_dir: Folder | None = Field(
        None, description="the dataset; default `warehouse` in the data folder"
    )
    ledger_url: SecretStr | None = Field(
        None, description="`postgresql://user:password@host/database`; default SQLite in the data folder"
    )
    task_type: str = Field("tg_avatar", description="the provider's check")
    batch_size: int = Field(10_000, ge=1, le=10_000_000, description="most numbers in one upload")
    min_batch: int = Field(1, ge=1, description="fewest numbers in one upload; fewer wait for company")
    max_hold_back: Duration = Field(timedelta(hours=1), description="how long numbers wait for company")
    small_rest: Literal["send", "keep"] = Field(
        "send", description="what becomes of them then: sent all the same, or kept and reported"
    )
    settle: Duration = Field(timedelta(seconds=2), description="how long a landed file must stand still")
    fresh_for: Duration = Field(
        timedelta(days=30), description="numbers bought since then are known; 0: always ask"
    )
    fresh_for_undetermined: Duration | None = Field(
        None, description="the same for numbers that got neither yes nor no; default: `EKYC_FRESH_FOR`"
    )
    default_region: Annotated[str, AfterValidator(_region)] | None = Field(
        None, description="country of numbers written without their calling code, such as `CH`"
    )
    number_column: str | None = Field(
        None, description="header of the column with the numbers; default: found"
    )
    result_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = Field(
        ("*.amazonaws.com",), description="hosts a result may lie on, with commas between"
    )
    max_wait: Duration = Field(timedelta(minutes=30), description="how long one run waits for the provider")
    poll_min: PositiveDuration = Field(
        timedelta(seconds=2), description="shortest time between two questions"
    )
    poll_max: PositiveDuration = Field(timedelta(minutes=2), description="longest time between two questions")
    unknown_grace: Duration = Field(
        timedelta(minutes=2), description="how long the provider may not know a task before it has failed"
    )
    upload_deadline: PositiveDuration = Field(
        timedelta(minutes=10), description="longest time for one upload"
    )
    http_timeout: PositiveDuration = Field(
        timedelta(seconds=60), description="longest silence on a connection"
    )
    lease: PositiveDuration = Field(
        timedelta(seconds=60), description="a run silent for this long has lost its batches"
    )
    on_500: Literal["retry", "hold"] = Field(
        "retry", description="what a 500 to an upload means: free, or held"
    )
    price_per_10k: Money | None = Field(
        None, description="price of 10,000 numbers, for estimates and budgets"
    )
    budget_run: Money | None = Field(None, description="most to spend in one run")
    budget_day: Money | None = Field(None, description="most to spend in one day (UTC)")
    budget_month: Money | None = Field(None, description="most to spend in one month (UTC)")
    archive_max_members: int = Field(10_000, ge=1, description="most files in one result archive")
    archive_max_member_bytes: int = Field(8 << 30, ge=1, description="largest file in one result archive")
    archive_max_total_bytes: int = Field(16 << 30, ge=1, description="largest result archive, unpacked")
    archive_max_ratio: int = Field(200, ge=1, description="most bytes unpacked from one packed byte")

    @model_validator(mode="after")
    def _fit_together(self) -> Settings:
        if self.min_batch > self.batch_size:
            raise ValueError("EKYC_MIN_BATCH is larger than EKYC_BATCH_SIZE; make it the smaller one")
        budgets = (self.budget_run, self.budget_day, self.budget_month)
        if any(budget is not None for budget in budgets) and self.price_per_10k is None:
            raise ValueError("a budget needs a price: set EKYC_PRICE_PER_10K")
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
    """Anew where anything that they depend on has changed."""
    dotenv = home / ".env"
    _refuse_unknown(dotenv)
    try:
        return Settings(_env_file=dotenv, home=home, **dict(chosen))
    except ValidationError as error:
        raise ConfigurationError(_first_sentence(error)) from None
    except OSError as error:
        raise ConfigurationError(
            f"{dotenv} cannot be read ({error.strerror}); mend its permissions."
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
    home = _home()
    try:
        named = dotenv_values(home / ".env").get("EKYC_DATA_DIR")
    except (OSError, UnicodeDecodeError):
        named = None
    return home / _named_folder("EKYC_DATA_DIR", os.environ.get("EKYC_DATA_DIR") or named or "data")


def _home() -> Path:
    return _named_folder("EKYC_HOME", os.environ.get("EKYC_HOME") or default_home()).absolute()


def _named_folder(name: str, path: str | Path) -> Path:
    try:
        return _expanded(Path(path))
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}.") from None


def _refuse_unknown(dotenv: Path) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    if dotenv.is_dir():
        raise ConfigurationError(f"{dotenv} is a folder, not a file of settings; move it away.")
    try:
        named = {*os.environ, *(dotenv_values(dotenv) if dotenv.is_file() else ())}
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(
            f"{dotenv} cannot be read as text; mend its permissions or content."
        ) from None
    unknown = sorted(name for name in named if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise ConfigurationError(
            f"{', '.join(unknown)}: no such setting; the README lists them all. Correct or remove the name."
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
