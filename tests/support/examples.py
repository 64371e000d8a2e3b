"""How much of a large family is tried: little in `make check`, the whole in `make test`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

from hypothesis import HealthCheck, settings

Each = TypeVar("Each")

FEW = 25
SHARE = 10
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "whole")


def load_profile() -> None:
    """Either one fails nothing because the machine is busy."""
    calm = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
    settings.register_profile("dev", max_examples=FEW, **calm)
    settings.register_profile("whole", **calm)
    settings.load_profile(PROFILE)


def at_most(examples: int) -> int:
    """For a test that wants another number than Hypothesis has by itself."""
    return min(examples, FEW) if PROFILE == "dev" else examples


def share_of(count: int) -> int:
    """How many to draw by a seed: in `make check` a tenth."""
    return -(-count // SHARE) if PROFILE == "dev" else count


def some_of(family: Sequence[Each]) -> Sequence[Each]:
    """All of a family; in `make check` every tenth, from the first to near the last."""
    return family[::SHARE] if PROFILE == "dev" else family
