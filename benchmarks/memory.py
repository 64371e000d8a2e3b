"""The most memory that this process ever had."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def peak_mib() -> float:
    """In MiB. `ru_maxrss` begins with what the parent had when it started us; Linux knows our own peak."""
    if sys.platform == "linux":
        lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
