"""On the PYTHONPATH of a worker, and so of the flow runs that it starts: they die where the plan says."""

from __future__ import annotations

import os
from pathlib import Path

from support import kill_points

_folder = Path(os.environ["TORTURE_FOLDER"])
_plan = _folder / "kill-at"
if _plan.exists():
    kill_points.install(kill_points.Killer(int(_plan.read_text()), _folder / "died-at"), root=_folder)
