"""The package's own files, for tests of how it is written; each is parsed once in a process."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ekyc_tasks"


@cache
def package_files() -> list[Path]:
    """With those of `flows`, which is a link."""
    return sorted([*PACKAGE.rglob("*.py"), *(PACKAGE / "flows").glob("*.py")])


@cache
def syntax_tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())
