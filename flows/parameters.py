"""What a person may choose for one run: the form in the Prefect UI and the options of `ekyc run` alike.

Prefect keeps parameters in clear, so no secret and no phone number fits into any of them. Every default
means *as set*; nothing is optional, for Prefect's form draws that badly.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.intake.rules import NO_RULES, parse_rules
from ekyc_tasks.runs.policies import PlanWishes
from ekyc_tasks.settings import Settings, load_settings, parse_duration
from ekyc_tasks.task_types import task_type, task_type_names

AS_SET = "as set"

# A name that ends like a file and holds no +number and no nine digits in a row; 20251121155808 is a time.
_FILE = (
    r"^(?!.*\+\d)(?!.*(?<!\d)(?!20\d{12}(?!\d))\d{9,}[^/]*$)"
    r".*\.(?i:zip|(txt|csv|tsv|xlsx|xls|ods|parquet|jsonl?|ndjson|vcf)(\.(gz|zst))?)$"
)
_BATCH_ID = r"\d{8}-\d{6}-[0-9a-f]{6}-\d{3,6}"
_HEADER = r"^(?!.*\d(?:[\s().\-]{0,2}\d){8})[^\r\n]+$"  # no phone number
_DURATION = r"^(\d{1,6}(\.\d{1,3})?\s*[smhd]?)?$"


def _require_known(name: str) -> str:
    return name if name == AS_SET else task_type(name).name


BatchId = Annotated[str, Field(pattern=f"^{_BATCH_ID}$", title="Batch")]


def _require_region(region: str) -> str:
    return parse_rules({"region": region}).region or "" if region else ""


Header = Annotated[str, Field(pattern=_HEADER, max_length=200, title="Header")]
FileName = Annotated[str, Field(pattern=_FILE, max_length=1000, title="Name or pattern")]


class _Request(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        regex_engine="python-re",  # the other one cannot look ahead
    )


class CheckRequest(_Request):
    """For an ordinary run, leave everything as it is."""

    files: list[FileName] = Field(
        [],
        max_length=1000,
        title="Files",
        description="Names or patterns in the landing folder, such as `*.csv` or `crm/november.txt`. "
        "Empty: all files in the landing folder.",
    )
    columns: list[Header] = Field(
        [],
        max_length=100,
        title="Columns",
        description="Headers of the columns with numbers, for the files named above; `*` means all such "
        "columns. Empty: use `landing.toml` or the setting `EKYC_NUMBER_COLUMN`.",
    )
    region: Annotated[str, AfterValidator(_require_region)] = Field(
        "",
        pattern=r"^([A-Za-z]{2})?$",
        title="Region",
        description="Country of numbers without a calling code, such as `CH`, for the files named above. "
        "Empty: use `landing.toml` or the setting `EKYC_DEFAULT_REGION`.",
    )
    sheet: str = Field(
        "",
        pattern=f"^$|{_HEADER}",
        max_length=200,
        title="Sheet",
        description="Name of the sheet to read, for the workbooks named above. Empty: use `landing.toml`.",
    )
    task_type: Annotated[str, AfterValidator(_require_known)] = Field(
        AS_SET,
        title="Task type",
        description="The provider's check. *as set* means: use the setting `EKYC_TASK_TYPE`.",
        json_schema_extra={"enum": [AS_SET, *task_type_names()]},
    )
    limit: int = Field(
        0,
        ge=0,
        le=10_000_000,
        title="Limit",
        description="Send at most this many numbers in this run, such as 100 for a first run. 0: no limit.",
    )
    budget: float = Field(
        0,
        ge=0,
        le=1_000_000,
        allow_inf_nan=False,
        title="Budget",
        description="Spend at most this much in this run, estimated with `EKYC_PRICE_PER_10K`. "
        "0: use the setting `EKYC_BUDGET_RUN`.",
    )
    max_wait: str = Field(
        "",
        pattern=_DURATION,
        title="Wait at most",
        description="Longest time to wait for results, such as `30s`, `4m` or `2h`. After that, the next run "
        "continues. Empty: use the setting `EKYC_MAX_WAIT`.",
    )

    recheck: bool = Field(
        False,
        title="Buy again",
        description="Also buy numbers whose answer is still recent (`EKYC_FRESH_FOR`); they cost again.",
    )
    accept_rejected: bool = Field(
        False,
        title="Accept rejected lines",
        description="Also take files of which more lines are rejected than `EKYC_MAX_REJECTED` allows. Only "
        "their other lines are sent.",
    )
    approve: int = Field(
        0,
        ge=0,
        le=99_999_999,
        title="Approve",
        description="Plan and send up to this many numbers without a question, although `EKYC_ASK_ABOVE` is "
        "lower. 0: ask.",
    )
    dry_run: bool = Field(
        False,
        title="Only look",
        description="Only show what would be sent and what it would cost. Nothing is sent or written.",
    )

    @model_validator(mode="after")
    def _is_asked_of_named_files(self) -> CheckRequest:
        if self.wishes.asked != NO_RULES and not self.files:
            raise ValueError("columns, region and sheet are for files that are named; name them")
        return self

    @property
    def wishes(self) -> PlanWishes:
        """What is asked of the planning."""
        given = {"columns": self.columns, "region": self.region, "sheet": self.sheet}
        return PlanWishes(
            asked=parse_rules({key: value for key, value in given.items() if value}),
            limit=self.limit or None,
            recheck=self.recheck,
            accept_rejected=self.accept_rejected,
            approved=self.approve,
        )

    def settings(self) -> Settings:
        """The settings of this moment with what was chosen here."""
        return load_settings(
            task_type=None if self.task_type == AS_SET else self.task_type,
            max_wait=parse_duration(self.max_wait) if self.max_wait else None,
            budget_run=Decimal(str(self.budget)) if self.budget else None,
        )


class ReplayRequest(_Request):
    """To load every batch again, leave the form as it is."""

    batches: list[BatchId] = Field(
        [],
        max_length=10_000,
        title="Batches",
        description="Batch ids, such as `20261124-140500-1a2b3c-001`. Empty: all batches with an archive.",
    )


class ResolveRequest(_Request):
    """To see every batch that needs a decision, leave the form as it is."""

    batch: str = Field(
        "",
        pattern=f"^({_BATCH_ID})?$",
        title="Batch",
        description="A batch id, such as `20261124-140500-1a2b3c-001`. Empty: all that need a decision.",
    )


EVERYTHING = CheckRequest()


def check_request(**chosen: Any) -> CheckRequest:
    """From the command line, where None means *as set*; ConfigurationError for a wrong value."""
    try:
        return CheckRequest(**{name: value for name, value in chosen.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(next(iter(first["loc"]), "parameters"))
        why = "" if first["type"] == "string_pattern_mismatch" else f" ({first['msg']})"
        raise ConfigurationError(f"{_REMEDIES.get(name, name)}{why}.") from None


_REMEDIES = {
    "files": "A file name must end in .txt, .csv, .tsv, .xlsx, .xls, .ods, .parquet, .json, .jsonl, .ndjson "
    "or .vcf (.gz or .zst may follow), or in "
    ".zip, and must not contain a phone number. Rename the file",
    "columns": "--column: write a header without a phone number in it",
    "sheet": "--sheet: write a name without a phone number in it",
    "limit": "--limit: write a whole number from 1 to 10,000,000",
    "approve": "--approve: write a whole number from 1 to 99,999,999",
    "budget": "--budget: write an amount up to 1,000,000",
    "max_wait": "--max-wait: write a duration as 0.5s, 30s, 10m, 2h, 30d or plain seconds",
}
