"""What several commands read from the command line: times, task ids, files, how to read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ekyc_tasks.errors import ConfigurationError, InputError
from ekyc_tasks.intake.rules import ReadingRules, RuleError, parse_rules
from ekyc_tasks.support.clock import FIRST_ANSWERS
from ekyc_tasks.support.wording import printable

_LONGEST_TASK_ID = 200  # characters
_CLOCKS_MAY_DIFFER = timedelta(minutes=5)


def existing(path: Path) -> Path:
    """A file that can be opened; a device or a pipe might never end."""
    try:
        if not path.is_file():
            raise InputError(
                f"{printable(str(path))} is not a file. Name a result archive or a list of numbers."
            )
        path.open("rb").close()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name cannot be used"
        raise InputError(f"{printable(str(path))} cannot be read ({why}).") from None
    return path


def moment(text: str, *, now: datetime) -> datetime:
    """``2026-01-02T03:04:05Z``, or with any offset; without one it is UTC. It must not be after ``now``."""
    try:
        given = datetime.fromisoformat(text)
        found = (given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            "--checked-at is not a time. Write it as 2026-01-02T03:04:05Z or 2026-01-02."
        ) from None
    if doubt := _doubt(found, now):
        raise ConfigurationError(f"--checked-at {doubt}. Give the time of the answers, in UTC.")
    return found


def moment_of(file: Path, *, now: datetime) -> datetime:
    """When the file was written last, to the second: copies keep no finer time everywhere."""
    try:
        found = datetime.fromtimestamp(int(file.stat().st_mtime), UTC)
        doubt = _doubt(found, now)
    except (ValueError, OverflowError, OSError):
        doubt = "cannot be read"
    if doubt:
        raise ConfigurationError(
            f"{printable(str(file))} has a time that {doubt}. Give the time of the answers with --checked-at."
        )
    return found


def _doubt(moment: datetime, now: datetime) -> str | None:
    """Why no answer was made then; numbers from the future would count as fresh for ever."""
    if moment > now + _CLOCKS_MAY_DIFFER:
        return "is in the future"
    return f"is before {FIRST_ANSWERS.year}" if moment < FIRST_ANSWERS else None


def task_id_of(text: str) -> str:
    if len(text) > _LONGEST_TASK_ID or not text.isprintable():
        raise ConfigurationError(f"--task-id may have at most {_LONGEST_TASK_ID} printable characters.")
    return text


def reading_asked(
    files: Sequence[Path], *, columns: Sequence[str] | None, region: str | None, sheet: str | None
) -> ReadingRules:
    """How the files that are named are to be read; what is None or empty is not asked for."""
    given = {"columns": columns or None, "region": region, "sheet": sheet}
    asked = {key: value for key, value in given.items() if value is not None}
    if asked and not files:
        raise ConfigurationError(
            "--column, --region and --sheet are for files that are named: name the files in this command. "
            "For all files in the landing folder, write rules into landing.toml in the data folder."
        )
    try:
        return parse_rules(asked)
    except RuleError as error:
        raise ConfigurationError(_REMEDIES.get(error.key, f"--{error.key}: {error.why}.")) from None


def require_inputs_alone(*, inputs: bool, since: str | None, has_others: bool) -> None:
    """`ekyc plan --inputs` takes only --since, --task-type and --json."""
    if inputs and has_others:
        raise ConfigurationError(
            "--inputs looks at the files that were planned before. Leave out the files and all options but "
            "--since, --task-type and --json."
        )
    if since is not None and not inputs:
        raise ConfigurationError("--since belongs to --inputs: add --inputs, or leave out --since.")


_REMEDIES = {
    "columns": "--column: write the header of a column, each column once, or * alone for all columns with "
    "numbers."
}
