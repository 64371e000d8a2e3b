"""What nobody expected, told without its words: they may hold whatever was at hand, a number or a link.

Prefect keeps the text of every exception, in clear, in states, logs and events.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator

from ekyc_tasks.errors import ConfigurationError, Defect, EkycError
from ekyc_tasks.scrub import without_numbers

_OURS = ("ekyc_tasks/", "flows/")

# Heard with `ekyc --debug` only, and not below `ekyc_tasks`, whose sentences go to Prefect.
log = logging.getLogger("ekyc_defects")
log.setLevel(logging.CRITICAL)


def told(error: Exception) -> EkycError:
    """Fit to be shown: our own errors as they are, the file system's with a remedy, others as defects."""
    if isinstance(error, EkycError):
        return error
    if isinstance(error, OSError):
        shown = bare(error)
        where = f" ({shown.filename})" if shown.filename else ""
        return ConfigurationError(f"{shown.strerror}{where}: mend that; the next run goes on.")
    return defect(error)


def defect(error: Exception) -> Defect:
    """Of what kind it is and where it came up; raise it ``from None``."""
    log.debug("A defect of this program", exc_info=error)
    first = next(_leaves(error))
    where = f"{type(first).__name__}{_place(first)}"
    return Defect(f"unexpected {where}; the same command with `ekyc --debug` shows more")


def bare(error: OSError) -> OSError:
    """The same, without a phone number in the name of its file; raise it ``from None``."""
    words = error.strerror or type(error).__name__
    return OSError(error.errno or 0, words, without_numbers(str(error.filename or "")) or None)


def _leaves(error: Exception) -> Iterator[Exception]:
    if isinstance(error, ExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _place(error: Exception) -> str:
    """The innermost line of ours."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        for package in _OURS:
            _, found, module = frame.filename.replace("\\", "/").rpartition(f"/{package}")
            if found:
                return f" at {package}{module}:{frame.lineno}"
    return ""
