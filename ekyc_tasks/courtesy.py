"""What Prefect is told for people to see is a courtesy: while its server fails, the work goes on without."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ekyc_tasks.errors import EkycError

log = logging.getLogger("ekyc_tasks")  # the one that Prefect's UI shows


@contextmanager
def courtesy(what: str) -> Iterator[None]:
    """A warning in place of whatever Prefect's client raises; our own errors go on."""
    try:
        yield
    except EkycError:
        raise
    except Exception as error:  # a server that is away must not turn work that is done into a failure
        log.warning("%s cannot be shown in Prefect now (%s).", what, type(error).__name__)
