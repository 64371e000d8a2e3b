"""The tree of errors is the one that its docstring draws."""

from __future__ import annotations

import inspect
import re

import pytest

from ekyc_tasks import errors
from ekyc_tasks.errors import EkycError, ProviderTrouble

BRANCH = re.compile(r"(?P<depth>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: +exit (?P<code>\d))?(?: {2,}\S.*)?")


def drawn():
    """Name → (parent, exit code as written or None), as in the docstring."""
    lines = errors.__doc__.splitlines()
    first = next(number for number, line in enumerate(lines) if line.strip().startswith("EkycError"))
    tree, path = {}, []
    for line in lines[first:]:
        if not line.strip():
            break
        match = BRANCH.fullmatch(line.removeprefix("    "))
        assert match, line
        depth = len(match["depth"]) // 4
        tree[match["name"]] = (path[depth - 1] if depth else None, match["code"] and int(match["code"]))
        path[depth:] = [match["name"]]
    return tree


def defined():
    found = [value for value in vars(errors).values() if inspect.isclass(value)]
    return {
        error.__name__: None if error is EkycError else error.__base__.__name__
        for error in found
        if error.__module__ == errors.__name__ and issubclass(error, Exception)
    }


def test_the_drawn_tree_is_the_real_one():
    assert {name: parent for name, (parent, _) in drawn().items()} == defined()


@pytest.mark.parametrize("name", drawn())
def test_an_exit_code_is_drawn_where_it_changes(name):
    _, code = drawn()[name]
    error = getattr(errors, name)
    assert code in {None, error.exit_code}
    assert code is not None or error.exit_code == error.__base__.exit_code


# As the exit codes are promised: configuration or usage, a person, money, input, still waiting.
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("EkycError", 1),
        ("InternalError", 1),
        ("LedgerError", 2),
        ("LedgerCutOff", 2),
        ("LeaseLost", 2),
        ("ConfigurationError", 2),
        ("AccessDenied", 2),
        ("ResultHostRefused", 2),
        ("PersonNeeded", 3),
        ("LoadFailed", 3),
        ("ArchiveError", 3),
        ("ArchiveDamaged", 3),
        ("NoMoney", 4),
        ("InputError", 5),
        ("ProviderTrouble", 6),
        ("NotAccepted", 6),
        ("TaskUnknown", 6),
        ("LinkExpired", 6),
        ("DownloadIncomplete", 6),
    ],
)
def test_exit_codes(name, code):
    assert getattr(errors, name)("what happened").exit_code == code


def test_every_error_has_its_exit_code_in_the_list_above():
    listed = {name for name, _ in test_exit_codes.pytestmark[0].args[1]}
    assert listed == set(defined())


def test_trouble_keeps_what_the_provider_asked_for():
    assert ProviderTrouble("busy", retry_after=30.0).retry_after == 30
    assert errors.NotAccepted("busy").retry_after is None
    assert str(ProviderTrouble("busy", retry_after=30.0)) == "busy"
