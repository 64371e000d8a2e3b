"""What a user reads is plain English: no rare, old or riddling words in any sentence of the program."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.source_files import ROOT, package_files, syntax_tree

# Their docstrings are shown too: as help texts of the commands, and as descriptions of flows and forms.
WITH_DOCSTRINGS = {"cli/__init__.py", "flows/check_numbers.py", "flows/replay.py", "flows/resolve.py"}
PLAIN = {  # what was seen, and what to write
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\bwait\w* for company\b": "below the minimum batch size",
    r"\b(tells?|is told|was told|as was said)\b": "says, shows, returns, is reported",
    r"\b(goes|go|went|going) on\b": "continues",
    r"\bsay (it|that|this) again\b|\bsay `|\bsay --": "run it again, run `…`, add --…",
    r"\bland (it|each|one|the|them|that|a)\b|\blanded again\b": "save it, copy it again, drop it",
    r"\bstand(s|ing)? still\b|\bstood still\b": "no longer changes",
    r"\b(lies|lie|lay) (in|on|at|before|there|beside)\b": "is in, is on",
    r"(?<!there )\bis no (?!longer\b|\{)": "is not a",
    r"\b(is|are|was|were) (not there|away)\b": "does not exist, cannot be reached",
    r"\ball the same\b": "anyway, if you are sure",
    r"\banew\b|\bafresh\b": "again",
    r"\b(nobody|whoever|himself|somebody's affair)\b": "it is not known, a person who",
    r"\boverrul\w+": "skip the safety checks",
    r"\b(left aside|let go of|taken? in|bring it back)\b": "skipped, abandoned, added, restore it",
    r"\b(turn(s|ed)? \w+ \w+ down|packed again)\b": "rejects, planned again",
    r"\bmake room\b": "free some space",
    r"\b(unlike the contract|not at their end|at its end|ended so)\b": "differences, unfinished, result",
    r", for (it|they|its|their|these|those) \w+": ", because",
}


def docstrings(tree: ast.Module) -> set[ast.AST]:
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                found.add(first.value)
    return found


def sentences(tree: ast.Module, *, with_docstrings: bool = False) -> Iterator[tuple[int, str]]:
    """Line and text of every string that is not a docstring; what an f-string fills in is `{}`."""
    left_out = set() if with_docstrings else docstrings(tree)
    parts = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            filled = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            yield node.lineno, "".join(filled)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in left_out | parts:
            yield node.lineno, node.value


def strange(text: str) -> list[str]:
    """Each word that a user would stumble over, with what to write."""
    return [
        f"“{seen[0]}”: write {better}"
        for pattern, better in PLAIN.items()
        if (seen := re.search(pattern, text, re.IGNORECASE))
    ]


def strange_words_of(file: Path) -> list[str]:
    has_help = any(file.as_posix().endswith(name) for name in WITH_DOCSTRINGS)
    return [
        f"{file.relative_to(ROOT)}, line {line}: {word} ({text!r})"
        for line, text in sentences(syntax_tree(file), with_docstrings=has_help)
        if " " in text
        for word in strange(text)
    ]


def test_no_sentence_of_the_program_needs_a_dictionary():
    assert [word for file in package_files() for word in strange_words_of(file)] == []


def test_no_description_of_a_deployment_needs_a_dictionary():
    assert strange((ROOT / "prefect.yaml").read_text()) == []


@pytest.mark.parametrize(
    ("text", "is_strange"),
    [
        ("Mend what is said above; the next run goes on.", True),
        ("12 numbers are waiting for company.", True),
        ("result.zip is no archive.", True),
        ("No balance is told.", True),
        ("Fix the problem named above. The next run will continue.", False),
        ("The task is no longer known.", False),
        ("Read the documentation and recommend it.", False),
    ],
)
def test_the_words_are_found(text, is_strange):
    assert bool(strange(text)) is is_strange


def test_strings_are_read_as_a_user_sees_them():
    code = '"""A docstring."""\nwhere = f"in {place}, for it " "is no"\nname = "plain"\n'
    assert sorted(text for _, text in sentences(ast.parse(code))) == ["in {}, for it is no", "plain"]
