"""Ledgers are made and brought up to date once, whoever opens them at once."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, text
from support.ledger_steps import LEASE, LOADED, WAYS, walk

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.ledger import make_ledger
from ekyc_tasks.ledger.engines import make_engine
from ekyc_tasks.ledger.tables import metadata
from ekyc_tasks.support.atomic_files import hold_lock

pytestmark = pytest.mark.integration


def test_migrations_build_what_the_tables_say(new_url):
    make_ledger(new_url).close()
    engine = make_engine(new_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_a_new_ledger_is_private_with_its_journal(tmp_path, time):
    folder = tmp_path / "new" / "data"
    with make_ledger(f"sqlite:///{folder / 'ledger.db'}", time) as ledger:
        ledger.runs.opened("one", host="here", lease=LEASE)
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes.pop("ledger.db") == 0o600
    assert set(modes.values()) == {0o600}
    assert (folder.stat().st_mode & 0o777, folder.parent.stat().st_mode & 0o777) == (0o700, 0o700)


def test_opening_again_changes_nothing_and_keeps_everything(ledger, url, time):
    walk(ledger, WAYS[LOADED])
    before = ledger.history.batches(), ledger.history.events("batch")
    with make_ledger(url, time) as again:
        assert (again.history.batches(), again.history.events("batch")) == before


def test_a_ledger_from_a_newer_version_is_refused_unchanged(ledger, url):
    walk(ledger, WAYS[LOADED])
    with ledger._store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = contents(ledger)
    with pytest.raises(ConfigurationError, match="newer version"):
        make_ledger(url)
    assert contents(ledger) == before


def contents(ledger):
    """Every row of every table that is there, whoever made it."""
    tables = MetaData()
    with ledger._store.reading() as connection:
        tables.reflect(connection)
        return {
            name: sorted(map(str, connection.execute(table.select())))
            for name, table in tables.tables.items()
        }


def test_who_opens_a_ledger_waits_while_another_does(tmp_path):
    """Turning a new file's journal to WAL is the one thing that SQLite does not wait for."""
    opening = threading.Thread(target=lambda: make_ledger(f"sqlite:///{tmp_path / 'ledger.db'}").close())
    with hold_lock(tmp_path / ".ledger.db.lock"):
        opening.start()
        opening.join(0.1)
        assert opening.is_alive()
        assert not (tmp_path / "ledger.db").exists()
    opening.join(20)
    assert (tmp_path / "ledger.db").exists()


def test_many_processes_may_open_a_new_ledger_at_once(new_url):
    code = (
        "import sys; from ekyc_tasks.ledger import make_ledger;"
        "print('ready', flush=True); sys.stdin.readline();"
        "ledger = make_ledger(sys.argv[1]); ledger.facts.belongs_to_host('host'); ledger.close()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, new_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    ends = [process.communicate(timeout=120)[1] for process in processes]
    assert [(process.returncode, end) for process, end in zip(processes, ends, strict=True)] == [(0, "")] * 4
