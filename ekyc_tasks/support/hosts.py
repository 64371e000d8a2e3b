"""Whether a host is this machine."""

from __future__ import annotations

import re

_LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")


def is_loopback(host: str | None) -> bool:
    return bool(host and _LOOPBACK.fullmatch(host))
