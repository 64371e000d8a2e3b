"""Regular expressions that every Python from 3.11.0 on matches alike.

Before 3.11.5, possessive quantifiers and atomic groups match some texts wrongly (around a look-ahead, for
one), and distributions still ship such a Python.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("ekyc_tasks", "flows", "tests", "data", "benchmarks")
FILES = sorted({path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")} - {Path(__file__)})

ESCAPED = re.compile(r"\\.", re.DOTALL)
CLASS = re.compile(r"\[\^?\]?[^\]]*\]")
BAD = re.compile(r"(?<=[^(|])(?:[*+?]|\{[0-9]*,?[0-9]*\})\+|\(\?>")


def strings(code: str) -> Iterator[tuple[int, str]]:
    """Each string but docstrings, with its line; what an f-string fills in is one sign."""
    nodes = list(ast.walk(ast.parse(code)))
    alone = {node.value for node in nodes if isinstance(node, ast.Expr)}
    inner = {part for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            parts = (each.value if isinstance(each, ast.Constant) else "x" for each in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and node not in alone | inner:
            if isinstance(node.value, bytes):
                yield node.lineno, node.value.decode("latin-1")
            elif isinstance(node.value, str):
                yield node.lineno, node.value


def gives_nothing_back(pattern: str) -> bool:
    """Whether a part of it, outside of classes, is possessive or atomic."""
    return BAD.search(CLASS.sub("x", ESCAPED.sub("x", pattern))) is not None


@pytest.mark.parametrize(
    "pattern", ["a*+", "a++", "a?+", "a{1,2}+", "a{3}+", "(?>a)", "(?:a|b)*+c", '[^"]++', r"\\++"]
)
def test_the_search_finds_them(pattern):
    re.compile(pattern)
    assert gives_nothing_back(pattern)


@pytest.mark.parametrize(
    "pattern", ["a+", "[*+?]+", r"\++", "[^]*+]", "(?:a+)+", "(?=a)", r"a\?\+", "x{2}y+"]
)
def test_the_search_finds_nothing_else(pattern):
    re.compile(pattern)
    assert not gives_nothing_back(pattern)


def test_no_pattern_gives_nothing_back():
    found = [
        (str(path.relative_to(ROOT)), line, text)
        for path in FILES
        for line, text in strings(path.read_text())
        if gives_nothing_back(text)
    ]
    assert found == [], "write it without (see `ekyc_tasks/tabular/quoting.py`)"
