"""Whoever changes a module finds its tests: by its name, or here, with the reason why they are elsewhere."""

from __future__ import annotations

import ast
from pathlib import Path

from support.source_files import PACKAGE, package_files, syntax_tree

TESTS = Path(__file__).parents[1]
TIERS = ("unit", "integration", "flow", "smoke")

# The tests, the reason, the modules; a module with `test_<module>.py` in its package's folder needs no entry.
ELSEWHERE = [
    # commands: each with the step that it is the door to
    ("flow/test_docs.py", "the pages' own commands, typed at a terminal", "cli.demo cli.sandbox"),
    ("flow/test_check_numbers.py", "what a person types and sees", "cli.prefect_env cli.run cli.status"),
    ("flow/test_up.py", "a server, until Ctrl-C", "cli.up flows.health flows.processes flows.server"),
    ("unit/cli/test_cli.py", "all that is said at a terminal", "cli.tables cli.terminal"),
    ("integration/exchange/test_resolve.py", "the command by its step", "cli.resolve"),
    ("integration/cli/test_imports.py", "by the command", "cli.arguments cli.outcomes"),
    ("integration/reporting/test_export.py", "the command by its step", "cli.export reporting.writers"),
    ("integration/reporting/test_inputs.py", "the command by its step", "cli.inputs"),
    # flows: by runs with a real server
    (
        "flow/test_check_numbers.py",
        "what the server is told",
        "tasks flows.artifacts flows.endings flows.names",
    ),
    ("torture/test_leaks.py", "beside everything else that a worker runs", "flows.replay"),
    ("flow/test_up.py", "scheduled, and decided in a browser", "flows.resolve flows.schedule"),
    ("flow/test_courtesy.py", "a server that turns away", "support.best_effort"),
    # one ledger: stories go through all of its modules
    (
        "integration/installation/test_backup.py",
        "a backup and its restore are one story",
        "cli.backup ledger.copies installation.folder_marks installation.manifests installation.restore"
        " installation.upload_journal",
    ),
    ("torture/one_ledger/test_init.py", "killed anywhere", "cli.dotenv cli.init installation.setup"),
    (
        "torture/one_ledger/test_one_ledger.py",
        "by every command that would write",
        "installation.access installation.outside_folders",
    ),
    ("torture/one_ledger/test_places.py", "copied and moved", "installation.questions"),
    (
        "torture/one_ledger/test_restored.py",
        "set back, with files that the ledger does not know",
        "cli.recover installation.orphans installation.write_intents results.recover",
    ),
    # steps by their whole
    ("integration/planning/test_plan.py", "by plans", "planning.draft intake.arrivals"),
    ("integration/results/test_load_archive.py", "by loads", "results.table_choice normalize.quarantine"),
    ("integration/cli/test_imports.py", "by the command", "results.import_archive"),
    ("integration/cli/test_replay.py", "by the command", "results.load"),
    ("integration/cli/test_normalize.py", "by the command", "intake.sent_list"),
    ("unit/intake/test_columns.py", "by the choice that follows", "intake.number_shapes"),
    ("unit/intake/test_lines.py", "by the readers", "intake.file_layout"),
    ("integration/cli/test_plan.py", "by the command", "reporting.estimate"),
    ("integration/cli/test_explain.py", "by the command", "reporting.explanation"),
    ("integration/exchange/test_check_account.py", "by the step", "ledger.accounts"),
    ("integration/ledger/test_progress.py", "by every transition", "ledger.store ledger.history"),
    ("integration/ledger/test_identity.py", "by the ledger's owner", "ledger.metadata"),
    ("integration/ledger/test_migrate.py", "by whoever opens one", "ledger.__init__ ledger.tables"),
    # what pages show: a run of the flow compares them with the sandbox's record
    (
        "flow/test_check_numbers.py",
        "by reports of real runs",
        "reporting.funnel reporting.markdown reporting.summary",
    ),
    # parts of one thing, which has tests
    ("integration/sandbox/test_answers.py", "by the layouts", "sandbox.archives sandbox.xlsx"),
    ("integration/sandbox/test_api.py", "by the API", "sandbox.backend sandbox.options"),
    ("integration/sandbox/test_storage.py", "by the links", "sandbox.links"),
    ("integration/sandbox/test_chaos.py", "by what goes wrong", "sandbox.trouble"),
    ("integration/sandbox/test_server.py", "by the servers", "sandbox.recorder"),
    ("unit/tabular/test_delimited.py", "by texts", "tabular.dialect"),
    ("unit/tabular/test_members.py", "by archives", "tabular.member_names tabular.table"),
    ("unit/tabular/test_xlsx.py", "by workbooks", "tabular.xlsx_worker"),
    ("unit/phone/test_read.py", "one by one", "phone.clean phone.metadata phone.validity"),
    (
        "unit/task_types/test_task_types.py",
        "each type by the same tests",
        "task_types.active_check task_types.base task_types.pictures task_types.tg task_types.tg_active"
        " task_types.tg_avatar task_types.ws task_types.ws_avatar",
    ),
    # values, names of folders, words: whoever uses them tests them
    (
        "unit/test_architecture.py",
        "values without a rule of their own",
        "installation.context ledger.records storage.paths",
    ),
    ("unit/test_settings.py", "by what settings take", "support.hosts"),
    ("flow/test_check_numbers.py", "by runs that follow the settings", "runs.policies"),
    ("integration/runs/test_lease.py", "by leases, in real time", "support.clock"),
    ("integration/cli/test_plan.py", "by the sentences of commands", "support.wording"),
    ("unit/test_docs.py", "the commands that pages show", "__main__"),
]
ENTRIES = {name: test for test, _, names in ELSEWHERE for name in names.split()}


def modules() -> list[str]:
    """Those that define something; a package's own file only where it holds more than names."""
    found = []
    for path in package_files():
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        tree = syntax_tree(path)
        is_empty = not any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in tree.body)
        if "migrations" in parts or (parts[-1] == "__init__" and is_empty):
            continue
        found.append(".".join(parts))
    return found


def named_after(module: str) -> list[Path]:
    """A package's own file has its tests in `test_<package>.py`."""
    *rooms, name = module.split(".")
    if name == "__init__":
        name = rooms[-1]
    names = [TESTS.joinpath(tier, *rooms, f"test_{name}.py") for tier in TIERS]
    names += [TESTS / "flow" / f"test_{name}.py"] if rooms == ["flows"] else []
    return [path for path in names if path.is_file()]


def test_a_module_has_tests_of_its_name_or_an_entry_that_names_them():
    found = modules()
    assert len(found) > 100
    assert [module for module in found if bool(named_after(module)) == (module in ENTRIES)] == []


def test_entries_are_of_modules_and_name_tests_that_exist():
    assert set(ENTRIES) <= set(modules())
    assert len(ENTRIES) == sum(len(names.split()) for _, _, names in ELSEWHERE)
    assert {test for test in ENTRIES.values() if not (TESTS / test).is_file()} == set()
