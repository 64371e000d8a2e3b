"""The house in figures: ``python -m benchmarks.house [CHECKOUT]``; an older checkout has those of before."""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median

IRREGULAR = {
    "begun", "bought", "brought", "built", "done", "drawn", "found", "given", "gone", "held", "kept", "known",
    "left", "lost", "made", "paid", "said", "seen", "sent", "shown", "spent", "taken", "told", "written",
}  # fmt: skip
Function = ast.FunctionDef | ast.AsyncFunctionDef


def figures(checkout: Path) -> Iterator[tuple[str, object]]:
    package = checkout / "ekyc_tasks"
    files = [path for path in sorted(package.rglob("*.py")) if "migrations" not in path.parts]
    if not any(path.is_relative_to(package / "flows") for path in files):
        files += sorted((checkout / "flows").glob("*.py"))
    texts = {path: path.read_text() for path in files}
    trees = {path: ast.parse(text) for path, text in texts.items()}
    functions = [
        (path, node) for path, tree in trees.items() for node in ast.walk(tree) if _is_function(node)
    ]
    lines = [text.count("\n") for text in texts.values()]
    total = sum(lines)

    yield "loose modules", len([path for path in package.glob("*.py") if path.stem != "__init__"])
    yield "packages", len([*package.glob("*/__init__.py")])
    yield "class names in two modules", _doubled(trees.values())
    yield "functions", len(functions)
    outside = [node for path, node in functions if "ledger" not in path.parts]
    yield "participles outside the ledger", sum(_is_participle(node.name) for node in outside)
    yield "functions over 25 lines", sum(node.end_lineno - node.lineno + 1 > 25 for _, node in functions)
    yield "functions over 5 parameters", sum(_parameters(node) > 5 for _, node in functions)
    yield "functions over 7 parameters", sum(_parameters(node) > 7 for _, node in functions)
    yield "source lines", total
    yield "docstring lines, %", round(100 * sum(map(_docstring_lines, trees.values())) / total, 1)
    yield "comment lines, %", round(100 * sum(map(_comments, texts.values())) / total, 1)
    yield "module lines, median and longest", f"{median(lines):.0f}, {max(lines)}"
    yield "README, KB", round((checkout / "README.md").stat().st_size / 1000, 1)
    yield "other pages", len([*(checkout / "docs").rglob("*.md"), *checkout.glob("[A-QS-Z]*.md")])


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, Function)


def _is_participle(name: str) -> bool:
    word = name.lstrip("_").split("_")[0]
    return word in IRREGULAR or word.endswith("ed")


def _parameters(node: Function) -> int:
    names = [each.arg for each in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]]
    return len([name for name in names if name not in {"self", "cls"}])


def _doubled(trees) -> int:
    names = [
        {node.name.lstrip("_") for node in tree.body if isinstance(node, ast.ClassDef)} for tree in trees
    ]
    return sum(count > 1 for count in Counter(name for each in names for name in each).values())


def _docstring_lines(tree: ast.Module) -> int:
    kinds = (ast.Module, ast.ClassDef, *Function.__args__)
    found = [ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, kinds)]
    return sum(text.count("\n") + 1 for text in found if text)


def _comments(text: str) -> int:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return len({token.start[0] for token in tokens if token.type == tokenize.COMMENT})


if __name__ == "__main__":
    for name, figure in figures(Path(sys.argv[1] if sys.argv[1:] else ".").resolve()):
        sys.stdout.write(f"{name:<34} {figure}\n")
