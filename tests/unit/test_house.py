"""The rules of the house: who may import whom, and who may not know of what."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# From the top down: a module may import from its own layer and from those below it.
LAYERS = [
    ("cli", ["ekyc_tasks.cli", "ekyc_tasks.__main__"]),
    ("flows", ["flows"]),
    ("tasks", ["ekyc_tasks.tasks"]),
    (
        "run",
        [
            "ekyc_tasks.run",
            "ekyc_tasks.accounts",
            "ekyc_tasks.estimate",
            "ekyc_tasks.report",
            "ekyc_tasks.pages",
            "ekyc_tasks.steps",
        ],
    ),
    (
        "rooms",
        [
            "ekyc_tasks.archive",
            "ekyc_tasks.cadence",
            "ekyc_tasks.clock",
            "ekyc_tasks.conveyor",
            "ekyc_tasks.courtesy",
            "ekyc_tasks.dataset",
            "ekyc_tasks.defects",
            "ekyc_tasks.disk",
            "ekyc_tasks.evidence",
            "ekyc_tasks.export",
            "ekyc_tasks.fates",
            "ekyc_tasks.folders",
            "ekyc_tasks.funnel",
            "ekyc_tasks.halves",
            "ekyc_tasks.keys",
            "ekyc_tasks.landing",
            "ekyc_tasks.lease",
            "ekyc_tasks.ledger",
            "ekyc_tasks.loading",
            "ekyc_tasks.money",
            "ekyc_tasks.normalize",
            "ekyc_tasks.numbers",
            "ekyc_tasks.packing",
            "ekyc_tasks.provider",
            "ekyc_tasks.reconcile",
            "ekyc_tasks.sandbox",
            "ekyc_tasks.scrub",
            "ekyc_tasks.sent",
            "ekyc_tasks.settings",
            "ekyc_tasks.source",
            "ekyc_tasks.spool",
            "ekyc_tasks.task_types",
        ],
    ),
    ("models", ["ekyc_tasks.models", "ekyc_tasks.wording"]),
    ("errors", ["ekyc_tasks.errors", "ekyc_tasks"]),
]
RANKS = {prefix: rank for rank, (_, prefixes) in enumerate(LAYERS) for prefix in prefixes}

# Who alone may import what comes from outside.
KEEPERS = {
    "prefect": ["flows", "ekyc_tasks.tasks"],
    "httpx": ["ekyc_tasks.provider"],
    "sqlalchemy": ["ekyc_tasks.ledger"],
    "alembic": ["ekyc_tasks.ledger"],
    "typer": ["ekyc_tasks.cli"],
    "rich": ["ekyc_tasks.cli"],
    "starlette": ["ekyc_tasks.sandbox"],
    "uvicorn": ["ekyc_tasks.sandbox"],
    "pydantic_settings": ["ekyc_tasks.settings"],
    "phonenumbers": ["ekyc_tasks.numbers"],
}

# Who must not know whom. The rooms of this list know neither the ledger nor the provider nor settings.
BY_THEMSELVES = [
    "archive", "cadence", "conveyor", "dataset", "disk", "fates", "folders", "halves", "keys", "landing",
    "loading", "money", "normalize", "numbers", "packing", "reconcile", "scrub", "sent", "source",
    "task_types",
]  # fmt: skip
STRANGERS = [
    ("provider", ["ledger", "spool"]),
    ("ledger", ["provider", "spool", "settings"]),
    ("spool", ["provider", "settings"]),
    ("lease", ["provider", "settings"]),
    ("steps", ["settings"]),
    *((room, ["ledger", "provider", "settings"]) for room in BY_THEMSELVES),
]

# Values in, values out.
WITHOUT_IO = [
    "normalize",
    "reconcile",
    "fates",
    "halves",
    "keys",
    "cadence",
    "money",
    "packing",
    "scrub",
    "models",
    "errors",
]
IO_MODULES = {
    "os",
    "io",
    "pathlib",
    "shutil",
    "tempfile",
    "socket",
    "subprocess",
    "requests",
    "urllib",
    "sqlite3",
}
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
ONLY_NAMES = {"models"}  # mentions a Path as a type of a field


def source_files() -> Iterator[Path]:
    for package in ("ekyc_tasks", "flows"):
        yield from sorted((ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): ast.parse(path.read_text()) for path in source_files()}


def imports(tree: ast.AST) -> Iterator[str]:
    """Whatever is imported, wherever in the file; `from a import b` is a.b, for b may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are written from the root"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def rank(name: str) -> int:
    """The layer of a module, by the longest prefix that names one."""
    prefix = max((prefix for prefix in RANKS if is_within(name, prefix)), key=len)
    return RANKS[prefix]


def calls(tree: ast.AST) -> set[str]:
    """The last names of whatever is called: `open`, `pl.read_csv` → read_csv."""
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {getattr(function, "id", getattr(function, "attr", "")) for function in functions}


def is_ours(name: str) -> bool:
    return is_within(name, "ekyc_tasks") or is_within(name, "flows")


def test_every_module_has_its_layer():
    unknown = [name for name in MODULES if rank(name) == RANKS["ekyc_tasks"] and name not in RANKS]
    assert unknown == []


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards(module):
    upwards = [name for name in imports(MODULES[module]) if is_ours(name) and rank(name) < rank(module)]
    assert upwards == []


@pytest.mark.parametrize("library", KEEPERS)
def test_a_library_has_its_keeper(library):
    importers = {
        module for module, tree in MODULES.items() if any(is_within(name, library) for name in imports(tree))
    }
    strangers = [
        module for module in importers if not any(is_within(module, keeper) for keeper in KEEPERS[library])
    ]
    assert strangers == []
    assert importers, f"nobody imports {library} any more: take it out of the table"


@pytest.mark.parametrize(("room", "others"), STRANGERS)
def test_who_does_not_know_whom(room, others):
    trees = [tree for module, tree in MODULES.items() if is_within(module, f"ekyc_tasks.{room}")]
    assert trees, f"there is no {room}"
    strangers = [f"ekyc_tasks.{other}" for other in others]
    names = {name for tree in trees for name in imports(tree)}
    known = [name for name in names if any(is_within(name, stranger) for stranger in strangers)]
    assert known == []


def test_the_sandbox_knows_nothing_of_ours():
    """It must be able to contradict the client: not even the values are shared."""
    own = "ekyc_tasks.sandbox"
    names = [name for module, tree in MODULES.items() if is_within(module, own) for name in imports(tree)]
    assert [name for name in names if is_ours(name) and not is_within(name, own)] == []


def test_settings_are_read_at_the_edges_only():
    edges = ["flows", "ekyc_tasks.tasks", "ekyc_tasks.cli", "ekyc_tasks.settings"]
    readers = {
        module for module, tree in MODULES.items() if calls(tree) & {"load_settings", "data_root", "Settings"}
    }
    assert [module for module in readers if not any(is_within(module, edge) for edge in edges)] == []
    assert {"flows.parameters", "ekyc_tasks.tasks"} <= readers


@pytest.mark.parametrize("room", WITHOUT_IO)
def test_values_in_values_out(room):
    trees = [tree for module, tree in MODULES.items() if is_within(module, f"ekyc_tasks.{room}")]
    assert trees, f"there is no {room}"
    for tree in trees:
        outside = {name.split(".")[0] for name in imports(tree)} & IO_MODULES
        assert outside <= ({"pathlib"} if room in ONLY_NAMES else set())
        assert calls(tree) & IO_CALLS == set()


def test_nothing_below_the_tasks_brings_prefect_along():
    code = "import sys, importlib\nfor name in sys.argv[1:]: importlib.import_module(name)\n"
    code += "sys.exit(','.join(sorted({'prefect'} & set(sys.modules))) or None)"
    names = [name for name in MODULES if rank(name) > RANKS["ekyc_tasks.tasks"] and ".migrations" not in name]
    done = subprocess.run(
        [sys.executable, "-c", code, *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
