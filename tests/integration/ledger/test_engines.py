"""What the ledger's databases promise, and what they say when they cannot be used."""

from __future__ import annotations

import pytest
from sqlalchemy import event
from support.ledger_steps import PLANNED, intended, planned, told
from support.postgres import PASSWORD, TEMPLATE

from ekyc_tasks.errors import ConfigurationError, LedgerError
from ekyc_tasks.ledger import Link, make_ledger
from ekyc_tasks.models import Disposition

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_commit_survives_a_power_cut(ledger):
    with ledger._store.reading() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def a_file_instead_of_a_folder(tmp_path):
    (tmp_path / "folder").write_text("not a folder")
    return tmp_path / "folder" / "ledger.db"


def a_folder_instead_of_a_file(tmp_path):
    (tmp_path / "ledger.db").mkdir()
    return tmp_path / "ledger.db"


def something_else(tmp_path):
    (tmp_path / "ledger.db").write_bytes(b"phone,name\n" * 500)
    return tmp_path / "ledger.db"


def a_folder_that_forbids_it(tmp_path):
    return "/proc/nowhere/ledger.db"


@pytest.mark.parametrize(
    "lay",
    [a_file_instead_of_a_folder, a_folder_instead_of_a_file, something_else, a_folder_that_forbids_it],
    ids=lambda lay: lay.__name__,
)
def test_a_ledger_that_cannot_be_opened_is_a_matter_of_configuration(tmp_path, lay):
    with pytest.raises(ConfigurationError, match="EKYC_"):
        make_ledger(f"sqlite:///{lay(tmp_path)}")


@pytest.mark.parametrize(
    "address",
    [
        "nonsense",
        "sqlite",
        "mysql://me:sesame@host/db",
        "postgresql://me:sesame@host:port/db",
        "postgresql+psycopg2://me:sesame@127.0.0.1/db",
        "postgresql://me:open@sesame@127.0.0.1/db",  # an @ that should be %40
        "postgresql://me:sesame@127.0.0.1:1/db",
        "postgresql://me:sesame@127.0.0.1:1/db?sesame=sesame",
    ],
)
def test_an_address_that_leads_nowhere_is_refused_without_showing_it(address):
    with pytest.raises(ConfigurationError, match=r"EKYC_LEDGER_URL.*\.$") as caught:
        make_ledger(address)
    assert "me:" not in str(caught.value)
    assert "sesame@" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_server_may_be_named_in_each_usual_way(postgres, scheme):
    address = postgres.url(TEMPLATE).partition(":")[2]
    make_ledger(f"{scheme}:{address}").close()


@pytest.mark.parametrize(("right", "wrong"), [(PASSWORD, "wrong-sesame"), (TEMPLATE, "nowhere")])
def test_a_server_that_turns_us_down_is_told_in_one_sentence(postgres, right, wrong):
    with pytest.raises(ConfigurationError, match=r"EKYC_LEDGER_URL.*\.$") as caught:
        make_ledger(postgres.url(TEMPLATE).replace(right, wrong))
    assert PASSWORD not in str(caught.value)
    assert "wrong-sesame" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_error_of_sql_says_nothing_of_what_was_written(ledger):
    with pytest.raises(LedgerError) as caught:
        planned(ledger, links=[Link("a-file-of-nobody", "a-batch-of-nobody", Disposition.BATCHED, 100)])
    assert "nobody" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_nothing_of_a_transaction_that_fails_is_kept(ledger):
    planned(ledger, "batch")
    store = ledger._store

    def fail(*_):
        raise OSError("the disk is full")

    event.listen(store.engine, "commit", fail)
    with pytest.raises(OSError, match="full"):
        intended(ledger)
    event.remove(store.engine, "commit", fail)
    assert (ledger.history.batch("batch").state, told(ledger)) == (PLANNED, [(None, PLANNED)])
    assert ledger.uploads.of_batch("batch") == []
