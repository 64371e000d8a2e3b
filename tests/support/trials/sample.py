"""`make torture-sample`: a tenth of the torture, drawn by a commit's hash. The ten slices are all of it.

Long trials take every tenth of their points themselves, and are marked `in_parts`; of the other tests every
tenth is drawn, of those with a Prefect server apart: they take longest.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

import pytest

T = TypeVar("T")
SLICES = 10
_SEED = os.environ.get("TORTURE_SAMPLE")
SLICE = int(_SEED, 16) % SLICES if _SEED else None  # None: the whole torture


def share(points: Sequence[T], of: int | None = SLICE) -> Sequence[T]:
    """The points of a long trial that belong to the slice."""
    return points if of is None else points[of::SLICES]


def drawn_tests(items: Sequence[pytest.Item], of: int | None = SLICE) -> list[pytest.Item]:
    """Those that belong to the slice, in the order in which they came."""
    chosen = {item for item in items if item.get_closest_marker("in_parts")}
    others = sorted(set(items) - chosen, key=lambda item: item.nodeid)
    flows = [item for item in others if item.get_closest_marker("flow")]
    chosen |= {*share(flows, of), *share([item for item in others if item not in flows], of)}
    return [item for item in items if item in chosen]
