"""What Prefect shows to people is a courtesy: while its server fails, the work continues without it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ekyc_tasks.errors import EkycError

log = logging.getLogger("ekyc_tasks")  # the one that Prefect's UI shows


@contextmanager
def courtesy(what: str) -> Iterator[None]:
    """A warning in place of whatever Prefect's client raises; our own errors are raised."""
    try:
        yield
    except EkycError:
        raise
    except Exception as error:  # a server that cannot be reached must not make finished work fail
        log.warning("Not shown in Prefect: %s (%s). The run itself continues.", what, type(error).__name__)
