"""What a person may choose for one run: the form in the Prefect UI and the options of `ekyc run` alike.

Prefect keeps parameters in clear, so no secret and no phone number fits into any of them. Every default
means *as set*; nothing is optional, for Prefect's form draws that badly.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.settings import Settings, load_settings, parse_duration
from ekyc_tasks.task_types import known_task_types, task_type

AS_SET = "as set"

# A name that ends like a file and holds no +number and no nine digits in a row; 20251121155808 is a time.
_FILE = (
    r"^(?!.*\+\d)(?!.*(?<!\d)(?!20\d{12}(?!\d))\d{9,}[^/]*$)"
    r".*\.(?i:zip|(txt|csv|tsv|xlsx|parquet)(\.(gz|zst))?)$"
)
_BATCH_ID = r"\d{8}-\d{6}-[0-9a-f]{6}-\d{3,6}"
_DURATION = r"^(\d{1,6}(\.\d{1,3})?\s*[smhd]?)?$"


def _known(name: str) -> str:
    return name if name == AS_SET else task_type(name).name


BatchId = Annotated[str, Field(pattern=f"^{_BATCH_ID}$", title="Batch")]
FileName = Annotated[str, Field(pattern=_FILE, max_length=1000, title="Name or pattern")]


class _Request(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        regex_engine="python-re",  # the other one cannot look ahead
    )


class CheckRequest(_Request):
    """Leave everything as it is for an ordinary run."""

    files: list[FileName] = Field(
        [],
        max_length=1000,
        title="Files",
        description="Names or patterns in the landing folder, such as `*.csv` or `crm/november.txt`. "
        "Empty: everything that landed.",
    )
    task_type: Annotated[str, AfterValidator(_known)] = Field(
        AS_SET,
        title="Task type",
        description="The provider's check. As set: `EKYC_TASK_TYPE`.",
        json_schema_extra={"enum": [AS_SET, *known_task_types()]},
    )
    limit: int = Field(
        0,
        ge=0,
        le=10_000_000,
        title="Limit",
        description="Send at most this many numbers in this run; 100 makes a careful first one. 0: no limit.",
    )
    budget: float = Field(
        0,
        ge=0,
        le=1_000_000,
        allow_inf_nan=False,
        title="Budget",
        description="Spend at most this much in this run, by `EKYC_PRICE_PER_10K`. "
        "0: as set in `EKYC_BUDGET_RUN`.",
    )
    max_wait: str = Field(
        "",
        pattern=_DURATION,
        title="Wait at most",
        description="How long to wait for the provider, such as `30s`, `4m`, `2h`; the next run goes on. "
        "Empty: as set in `EKYC_MAX_WAIT`.",
    )

    recheck: bool = Field(
        False,
        title="Ask again",
        description="Also about numbers that were bought recently (`EKYC_FRESH_FOR`): they cost again.",
    )
    dry_run: bool = Field(
        False,
        title="Only look",
        description="Say what would be sent and what it would cost. Nothing is sent, nothing is written.",
    )

    def settings(self) -> Settings:
        """The settings of this moment with what was chosen here."""
        return load_settings(
            task_type=None if self.task_type == AS_SET else self.task_type,
            max_wait=parse_duration(self.max_wait) if self.max_wait else None,
            budget_run=Decimal(str(self.budget)) if self.budget else None,
        )


class ReplayRequest(_Request):
    """Leave it as it is to load everything again."""

    batches: list[BatchId] = Field(
        [],
        max_length=10_000,
        title="Batches",
        description="Ids, as in `20261124-140500-1a2b3c-001`. Empty: every batch that has an archive.",
    )


class ResolveRequest(_Request):
    """Leave it as it is to see all that waits for a decision."""

    batch: str = Field(
        "",
        pattern=f"^({_BATCH_ID})?$",
        title="Batch",
        description="Its id, as in `20261124-140500-1a2b3c-001`. Empty: all that wait for a decision.",
    )


EVERYTHING = CheckRequest()


def check_request(**chosen: Any) -> CheckRequest:
    """From the command line, where None means *as set*; ConfigurationError for a wrong value."""
    try:
        return CheckRequest(**{name: value for name, value in chosen.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0])
        why = "" if first["type"] == "string_pattern_mismatch" else f" ({first['msg']})"
        raise ConfigurationError(f"{_REMEDIES.get(name, name)}{why}.") from None


_REMEDIES = {
    "files": "A file must end in .txt, .csv, .tsv, .xlsx or .parquet (perhaps with .gz or .zst), or in .zip, "
    "and its name must hold no phone number; rename it",
    "limit": "--limit: write a count from 1 to 10,000,000",
    "budget": "--budget: write an amount up to 1,000,000",
    "max_wait": "--max-wait: write a duration as 0.5s, 30s, 10m, 2h, 30d or plain seconds",
}
