"""Unexpected errors, shown without their own words, which may contain a number or a link.

Prefect keeps the text of every exception, in clear, in states, logs and events.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

from ekyc_tasks.errors import ConfigurationError, EkycError, InternalError
from ekyc_tasks.support.redact import without_numbers
from ekyc_tasks.support.wording import printable

_OURS = ("ekyc_tasks/", "flows/")

# Heard with `ekyc --debug` only, and not below `ekyc_tasks`, whose sentences go to Prefect.
log = logging.getLogger("ekyc_defects")
log.setLevel(logging.CRITICAL)


def reportable(
    error: BaseException, *, place: Path | None = None, remedy: str = "Fix this; the next run will continue."
) -> EkycError:
    """Fit to be shown: our own errors as they are, the file system's with a remedy, others as defects.

    ``place``: where it was, if the file system does not say; ``remedy``: what to do about it.
    """
    if isinstance(error, EkycError):
        return error
    if isinstance(error, OSError):
        name = error.filename2 or error.filename or place
        where = f" ({printable(without_numbers(str(name)))})" if name else ""
        return ConfigurationError(f"{bare(error).strerror}{where}. {remedy}")
    return defect(error)


def defect(error: BaseException) -> InternalError:
    """Of what kind it is and where it came up; raise it ``from None``."""
    log.debug("A defect of this program", exc_info=error)
    first = next(_leaves(error))
    where = f"{type(first).__name__}{_place(first)}"
    return InternalError(f"unexpected {where}. Run the same command with `ekyc --debug` to see more")


def bare(error: OSError) -> OSError:
    """The same, without a phone number in the name of its file; raise it ``from None``."""
    words = error.strerror or type(error).__name__
    return OSError(error.errno or 0, words, without_numbers(str(error.filename or "")) or None)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _place(error: BaseException) -> str:
    """The innermost line of ours."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        for package in _OURS:
            _, found, module = frame.filename.replace("\\", "/").rpartition(f"/{package}")
            if found:
                return f" at {package}{module}:{frame.lineno}"
    return ""
