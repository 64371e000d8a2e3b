"""Which processors the candidates may use."""

from __future__ import annotations

import os


def keep_to_two_cores() -> None:
    """From now on for this process and what it starts: the same two for all. Only Linux can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
