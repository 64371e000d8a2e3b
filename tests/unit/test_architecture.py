"""What import contracts cannot say of the house: `lint-imports` checks who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from support.source_files import PACKAGE, ROOT, package_files, syntax_tree

IO_CALLS = {
    "open",
    "scan_csv",
    "read_csv",
    "scan_parquet",
    "read_parquet",
    "write_parquet",
    "write_csv",
    "print",
}
WITHOUT_IO = [
    "errors",
    "exchange.poll_schedule",
    "models",
    "money",
    "normalize",
    "phone.msisdns",
    "planning.allocation",
    "planning.batching",
    "results.key_index",
    "results.reconcile",
    "support.redact",
]
AT_THE_EDGES = ["flows", "tasks", "cli", "settings"]


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def syntax_trees() -> dict[str, ast.Module]:
    return {
        name: syntax_tree(path) for path in package_files() if ".migrations." not in (name := name_of(path))
    }


def is_within(name: str, rooms: list[str]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def calls(tree: ast.AST) -> set[str]:
    """The last names of whatever is called: `open`, `pl.read_csv` → read_csv."""
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {getattr(function, "id", getattr(function, "attr", "")) for function in functions}


def test_the_root_has_six_loose_modules_at_most():
    loose = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert loose == {"__main__", "errors", "models", "money", "settings", "tasks"}


@pytest.mark.parametrize("room", sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py")))
def test_a_room_says_what_it_is_for_and_where_to_begin(room):
    docstring = ast.get_docstring(syntax_trees()[room]) or ""
    assert "Begin with " in " ".join(docstring.split())
    assert "ay import " in " ".join(docstring.split())


@pytest.mark.parametrize("room", sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py")))
def test_no_name_of_a_room_is_lost_to_a_module_of_that_name(room):
    """Importing `intake.arrivals` puts the module where a function `arrivals` of the package was."""
    imports = [node for node in syntax_trees()[room].body if isinstance(node, ast.ImportFrom)]
    modules = {path.stem for path in (PACKAGE / room).glob("*.py")}
    lost = [
        name.name
        for node in imports
        for name in node.names
        if name.name in modules
        and node.module not in {f"ekyc_tasks.{room}", f"ekyc_tasks.{room}.{name.name}"}
    ]
    assert lost == []


def test_settings_are_read_at_the_edges_only():
    readers = {
        name
        for name, tree in syntax_trees().items()
        if calls(tree) & {"load_settings", "data_root", "Settings"}
    }
    assert [name for name in readers if not is_within(name, AT_THE_EDGES)] == []
    assert {"flows.parameters", "tasks"} <= readers


@pytest.mark.parametrize("room", WITHOUT_IO)
def test_values_in_values_out(room):
    trees = [tree for name, tree in syntax_trees().items() if is_within(name, [room])]
    assert trees, f"there is no {room}"
    for tree in trees:
        assert calls(tree) & IO_CALLS == set()


def test_nothing_below_the_tasks_brings_prefect_along():
    code = "import sys, importlib\nfor name in sys.argv[1:]: importlib.import_module(name)\n"
    code += "sys.exit(','.join(sorted({'prefect'} & set(sys.modules))) or None)"
    below = [name for name in syntax_trees() if not is_within(name, ["__main__", "cli", "flows", "tasks"])]
    names = [f"ekyc_tasks.{name}".removesuffix(".") for name in below if not name.endswith("migrations.env")]
    done = subprocess.run(
        [sys.executable, "-c", code, *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
