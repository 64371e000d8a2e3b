"""How many examples Hypothesis tries: few in `make check`, elsewhere as many as each test says."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

FEW = 25
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
