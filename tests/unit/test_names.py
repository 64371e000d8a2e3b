"""How things are called: one name for one thing, functions by verbs, past tense for events of the ledger."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from support.source_files import package_files, syntax_tree

FILES = [path for path in package_files() if "migrations" not in path.parts]
# Verbs that look like their own past tense, or like it by their ending.
VERBS = {"bound", "cut", "put", "read", "set", "split"}
# The wrapper inside a decorator; and the column `checked_at`, as modules of task types know it.
ALLOWED = {"guarded", "checked_at_column"}
IRREGULAR = {
    "begun", "bought", "bound", "brought", "broken", "built", "caught", "chosen", "cut", "done",
    "drawn", "felt", "found", "given", "gone", "heard", "held", "hidden", "kept", "known", "laid",
    "led", "left", "lost", "made", "meant", "met", "paid", "put", "read", "said", "seen", "sent",
    "set", "shown", "sold", "spent", "split", "spoken", "stuck", "taken", "taught", "thought",
    "told", "torn", "understood", "worn", "written",
}  # fmt: skip


def functions(path: Path) -> Iterator[str]:
    """Names of all functions and methods; a property is no function to whoever reads it."""
    for node in ast.walk(syntax_tree(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not any(
            "property" in ast.unparse(each) for each in node.decorator_list
        ):
            yield node.name


def is_participle(name: str) -> bool:
    word = name.lstrip("_").split("_")[0]
    return word not in VERBS and (word in IRREGULAR or word.endswith("ed")) and name not in ALLOWED


def test_no_class_name_stands_in_two_modules():
    places = defaultdict(list)
    for path in FILES:
        for node in syntax_tree(path).body:
            if isinstance(node, ast.ClassDef):
                places[node.name.lstrip("_")].append(path.name)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_functions_are_called_by_verbs():
    outside = [path for path in FILES if "ledger" not in path.parts]
    assert len(outside) > 100
    assert {
        f"{path.name}: {name}" for path in outside for name in functions(path) if is_participle(name)
    } == set()
