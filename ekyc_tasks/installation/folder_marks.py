"""The mark of a folder: a small file that says which ledger it belongs to."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.support.atomic_files import open_private, publish


@dataclass(frozen=True, slots=True)
class Mark:
    """Not ``is_ready``: the command that made the folder was interrupted before its ledger was complete;
    ``was`` is then the id that the ledger may still have.

    ``path`` and ``host`` are those of the last writer, for a person to read; neither identifies a place.
    """

    ledger_id: str
    path: str
    host: str
    is_ready: bool = True
    was: str = ""


def new_ledger_id() -> str:
    return uuid4().hex


def read_mark(file: Path) -> Mark | None:
    """None where there is none. ConfigurationError for one that cannot be read: it must not be guessed."""
    try:
        content = json.loads(file.read_bytes())
        return Mark(
            str(content["ledger_id"]),
            str(content.get("path", "")),
            str(content.get("host", "")),
            bool(content.get("is_ready", True)),
            str(content.get("was", "")),
        )
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise ConfigurationError(
            f"{file}, which says which ledger this folder belongs to, cannot be read. Restore it from a "
            "backup, or fix its permissions. Nothing was changed."
        ) from None


def write_mark(file: Path, ledger_id: str, *, is_ready: bool = True, was: str = "") -> None:
    """Whole or not at all, and durable. ConfigurationError where it cannot be written."""
    mark = Mark(ledger_id, str(file.parent.resolve()), socket.gethostname(), is_ready, was)
    staged = file.with_name(f"{file.name}.part")  # hidden, as the mark itself
    try:
        with open_private(staged) as content:
            content.write(json.dumps(asdict(mark)).encode())
        publish(staged, file)
    except OSError as error:
        staged.unlink(missing_ok=True)
        raise ConfigurationError(
            f"{file} cannot be written ({error.strerror}). Fix the permissions of its folder."
        ) from None
