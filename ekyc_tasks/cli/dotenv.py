"""Settings that a person typed, kept in `.env`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.settings import PREFIX
from ekyc_tasks.support.atomic_files import open_private, publish


def add_to_dotenv(file: Path, values: Mapping[str, str]) -> Path:
    """Add ``values`` (by name of the setting) to what the file has, which becomes private (0600).

    ConfigurationError where it says something else already, or cannot be written; then it is as before.
    """
    try:
        before = file.read_text() if file.exists() else ""
        there = dotenv_values(file) if file.exists() else {}
        lines = []
        for name, value in values.items():
            variable = PREFIX + name.upper()
            if there.get(variable) not in {None, "", value}:
                raise ConfigurationError(
                    f"{file} already sets another {variable}: change it there, or leave out the option."
                )
            if there.get(variable) != value:
                lines.append(f"{variable}={_quote(value)}\n")
        _write(file, before + ("\n" if before and not before.endswith("\n") else "") + "".join(lines))
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not a text file"
        raise ConfigurationError(
            f"{file} cannot be written ({why}). Fix this. Nothing was created."
        ) from None
    return file


def _write(file: Path, text: str) -> None:
    file = file.resolve()  # a link stays a link
    staged = file.with_name(f"{file.name}.part")  # one that was killed leaves it to the next
    try:
        with open_private(staged) as content:
            content.write(text.encode())
        publish(staged, file)
    finally:
        staged.unlink(missing_ok=True)


def _quote(value: str) -> str:
    plain = value.replace("\\", "\\\\").replace("'", "\\'")
    return value if value.replace("-", "").replace("_", "").replace(".", "").isalnum() else f"'{plain}'"
