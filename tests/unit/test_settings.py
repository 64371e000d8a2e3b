"""Settings: what may be written, what it means, and what is refused without being shown."""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from ekyc_tasks.errors import ConfigurationError
from ekyc_tasks.settings import Settings, data_root, default_home, load_settings, parse_duration
from ekyc_tasks.support.hosts import is_loopback


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of our own, another current folder, and no settings from outside."""
    for name in [name for name in os.environ if name.upper().startswith("EKYC_")]:
        monkeypatch.delenv(name)
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("EKYC_HOME", str(home))
    return home


def refusal(monkeypatch, **values):
    for name, value in values.items():
        monkeypatch.setenv(f"EKYC_{name.upper()}", value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "share"), [("0.2", "0.2"), ("20%", "0.2"), (" 12.5 % ", "0.125"), ("0", "0"), ("100%", "1")]
)
def test_shares(home, monkeypatch, written, share):
    monkeypatch.setenv("EKYC_MAX_REJECTED", written)
    assert load_settings().max_rejected == Decimal(share)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("5000", "5,000 numbers"),
        ("0", "0 numbers"),
        ("25 USD", "25 USD"),
        ("25.50eur", "25.50 EUR"),
        ("$25", "25 $"),
        (" chf 3 ", "3 CHF"),
    ],
)
def test_what_a_person_wants_to_be_asked_about(home, monkeypatch, written, shown):
    monkeypatch.setenv("EKYC_ASK_ABOVE", written)
    monkeypatch.setenv("EKYC_PRICE_PER_10K", "4.50")
    assert str(load_settings().ask_above) == shown


@pytest.mark.parametrize(
    "written", ["5,000", "25.5", "USD", "-3", "1e3", "25 USD CHF", "$25 USD", "25 dollars"]
)
def test_what_could_be_read_in_two_ways_is_not_guessed(home, monkeypatch, written):
    words = refusal(monkeypatch, ask_above=written, price_per_10k="4.50")
    assert words == ("EKYC_ASK_ABOVE: write a count of numbers, such as 5000, or an amount, such as 25 USD.")


def test_an_amount_to_be_asked_about_needs_a_price(home, monkeypatch):
    assert "set EKYC_PRICE_PER_10K" in refusal(monkeypatch, ask_above="25 USD")


@pytest.mark.parametrize("written", ["20", "-1%", "101%", "nan", "some"])
def test_what_is_not_a_share(home, monkeypatch, written):
    assert "EKYC_MAX_REJECTED" in refusal(monkeypatch, max_rejected=written)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("0.5s", 0.5),
        ("30s", 30),
        ("10m", 600),
        ("2h", 7200),
        ("30d", 2_592_000),
        ("45", 45),
        ("1.5", 1.5),
        (" 5 M ", 300),
        (7, 7),
        (timedelta(hours=1), 3600),
        ("0", 0),
    ],
)
def test_durations(written, seconds):
    assert parse_duration(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written", ["", "s", "-3s", "1e3", "10 minutes", "1h30m", "inf", "nan", "5w", ".5s", None]
)
def test_what_is_no_duration(written):
    with pytest.raises(ValueError, match="write a duration as"):
        parse_duration(written)


def test_a_duration_beyond_all_measure_is_refused():
    with pytest.raises(ValueError, match="too long"):
        parse_duration("999999999999999999d")


@pytest.mark.parametrize("name", ["poll_min", "poll_max", "lease", "upload_deadline", "http_timeout"])
def test_a_duration_of_nothing_is_refused_where_it_would_stop_the_work(home, monkeypatch, name):
    assert "longer than zero" in refusal(monkeypatch, **{name: "0s"})


@pytest.mark.parametrize("name", ["max_wait", "max_hold_back", "settle", "fresh_for"])
def test_a_duration_of_nothing_may_be_meant(home, monkeypatch, name):
    monkeypatch.setenv(f"EKYC_{name.upper()}", "0")
    assert getattr(load_settings(), name) == timedelta(0)


def test_defaults_need_no_file_and_no_variable(home):
    settings = load_settings()
    assert settings.base_url == "https://api.ekycpro.com"
    assert (settings.host, settings.is_local) == ("api.ekycpro.com", False)
    assert settings.folder.root == home / "data"
    assert settings.folder.landing == home / "data" / "landing"
    assert settings.folder.warehouse == home / "data" / "warehouse"
    assert settings.ledger_address == f"sqlite:///{home}/data/ledger.db"


# What is written, which of our paths that decides, and what it comes to.
PATHS = [
    ("DATA_DIR=mine", lambda s: s.folder.root, "{home}/mine"),
    ("DATA_DIR=mine", lambda s: s.folder.warehouse, "{home}/mine/warehouse"),
    ("DATA_DIR=mine", lambda s: s.ledger_address, "sqlite:///{home}/mine/ledger.db"),
    ("DATA_DIR=/srv/mine", lambda s: s.folder.root, "/srv/mine"),
    ("DATA_DIR=~/mine", lambda s: s.folder.root, "{user}/mine"),
    ("LANDING_DIR=drop", lambda s: s.folder.landing, "{home}/drop"),
    ("LANDING_DIR=drop", lambda s: s.folder.inputs, "{home}/data/inputs"),
    ("WAREHOUSE_DIR=lake/wh", lambda s: s.folder.warehouse_staging, "{home}/lake/.staging"),
    ("LEDGER_URL=sqlite:///my.db", lambda s: s.ledger_address, "sqlite:///{home}/my.db"),
    ("LEDGER_URL=sqlite+pysqlite:///my.db", lambda s: s.ledger_address, "sqlite+pysqlite:///{home}/my.db"),
    ("LEDGER_URL=sqlite:////srv/my.db", lambda s: s.ledger_address, "sqlite:////srv/my.db"),
    ("LEDGER_URL=sqlite:///file:my.db?uri=true", lambda s: s.ledger_address, "sqlite:///file:my.db?uri=true"),
    ("LEDGER_URL=postgresql://me@db/ekyc", lambda s: s.ledger_address, "postgresql://me@db/ekyc"),
]


@pytest.mark.parametrize("is_dotenv", [False, True])
@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path[0]}-{path[2]}")
def test_relative_paths_begin_at_home(home, monkeypatch, path, is_dotenv):
    setting, look, expected = path
    if is_dotenv:
        (home / ".env").write_text(f"EKYC_{setting}\n")
    else:
        monkeypatch.setenv(*f"EKYC_{setting}".split("=", 1))
    assert str(look(load_settings())) == expected.format(home=home, user=Path.home())


def test_a_home_that_is_no_folder_of_a_person_is_named(home, monkeypatch):
    assert refusal(monkeypatch, data_dir="~nobody-of-that-name/x").startswith("EKYC_DATA_DIR: ")
    assert refusal(monkeypatch, home="~nobody-of-that-name").startswith("EKYC_HOME: ")
    monkeypatch.setenv("EKYC_HOME", str(home))
    with pytest.raises(ConfigurationError, match=r"^EKYC_DATA_DIR: "):
        data_root()


def test_dotenv_is_read_at_home_only_and_the_environment_wins(home, monkeypatch):
    (home / ".env").write_text("EKYC_BATCH_SIZE=11\nEKYC_TASK_TYPE=ws\nOTHER_NAME=1\n")
    Path(".env").write_text("EKYC_BATCH_SIZE=22\nEKYC_API_KEY=wrong\n")
    monkeypatch.setenv("EKYC_TASK_TYPE", "tg")
    settings = load_settings()
    assert (settings.batch_size, settings.task_type, settings.api_key) == (11, "tg", None)


def test_overrides_win_and_none_overrides_nothing(home, monkeypatch):
    monkeypatch.setenv("EKYC_TASK_TYPE", "ws")
    settings = load_settings(task_type=None, max_wait="5m")
    assert (settings.task_type, settings.max_wait) == ("ws", timedelta(minutes=5))


def test_an_empty_variable_is_as_good_as_none(home, monkeypatch):
    for name in ("API_KEY", "BUDGET_RUN", "BATCH_SIZE", "LANDING_DIR"):
        monkeypatch.setenv(f"EKYC_{name}", "")
    settings = load_settings()
    assert (settings.api_key, settings.budget_run, settings.batch_size) == (None, None, 10_000)


@pytest.mark.parametrize("is_dotenv", [False, True])
def test_unknown_names_are_refused_all_at_once(home, monkeypatch, is_dotenv):
    if is_dotenv:
        (home / ".env").write_text("EKYC_BATCHSIZE=secret\nEKYC_KEY=secret\n")
    else:
        monkeypatch.setenv("EKYC_BATCHSIZE", "secret")
        monkeypatch.setenv("EKYC_KEY", "secret")
    words = refusal(monkeypatch)
    assert words.startswith("EKYC_BATCHSIZE, EKYC_KEY: no such setting")
    assert "secret" not in words


def test_a_dotenv_that_is_no_text_is_named(home, monkeypatch):
    (home / ".env").write_bytes(b"EKYC_API_KEY=\xff\xfe\n")
    assert str(home / ".env") in refusal(monkeypatch)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", "sesame"),
        ("batch_size", "0"),
        ("min_batch", "0"),
        ("price_per_10k", "sesame"),
        ("price_per_10k", "-1"),
        ("budget_run", "NaN"),
        ("budget_day", "Infinity"),
        ("max_wait", "sesame"),
        ("on_500", "sesame"),
        ("default_region", "sesame"),
        ("archive_max_ratio", "-5"),
        ("base_url", "sesame"),
        ("base_url", "ftp://sesame"),
    ],
)
def test_a_refusal_names_the_variable_and_never_its_value(home, monkeypatch, name, value):
    words = refusal(monkeypatch, **{name: value, "api_key": "open-sesame"})
    assert words.startswith(f"EKYC_{name.upper()}")
    assert "sesame" not in words
    assert value not in words.split() or value == "0"
    assert "\n" not in words


def test_not_even_an_error_that_escapes_shows_a_value(home):
    with pytest.raises(ValidationError) as caught:
        Settings(home=home, batch_size="open-sesame")
    assert "sesame" not in str(caught.value)


def test_secrets_are_not_in_what_settings_look_like(home, monkeypatch):
    monkeypatch.setenv("EKYC_API_KEY", "open-sesame")
    monkeypatch.setenv("EKYC_LEDGER_URL", "postgresql://me:open-sesame@db/ekyc")
    settings = load_settings()
    assert "sesame" not in repr(settings) + str(settings) + str(settings.model_dump())
    assert settings.require_key() == "open-sesame"


def test_without_a_key_one_is_told_where_to_put_it(home):
    with pytest.raises(ConfigurationError, match="EKYC_API_KEY") as caught:
        load_settings().require_key()
    assert str(home / ".env") in str(caught.value)


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("https://api.ekycpro.com", False),
        ("https://api.ekycpro.com:8443/base", False),
        ("http://localhost:8000", True),
        ("http://LOCALHOST", True),
        ("http://127.0.0.1:1", True),
        ("http://127.1.2.3", True),
        ("http://[::1]:8000", True),
        ("https://localhost", True),
        ("http://api.ekycpro.com", None),
        ("http://127.0.0.1.example.com", None),
        ("http://localhost.example.com", None),
        ("http://10.0.0.1", None),
        ("http://0.0.0.0", None),
        ("ftp://localhost", None),
        ("https://", None),
        ("api.ekycpro.com", None),
        ("https://me:pw@api.ekycpro.com", None),
        ("https://:pw@api.ekycpro.com", None),
        ("http://localhost@example.com", None),
        ("https://api.ekycpro.com?key=1", None),
        ("https://api.ekycpro.com#here", None),
        ("https://api.ekycpro.com:port", None),
        ("https://api.ekycpro.com:99999", None),
        ("https://[::1", None),
        ("https://api.ekycpro.com /", None),
    ],
)
def test_plain_http_is_for_this_machine_only(home, monkeypatch, url, is_local):
    """None: refused."""
    if is_local is None:
        assert "EKYC_BASE_URL must" in refusal(monkeypatch, base_url=url)
    else:
        monkeypatch.setenv("EKYC_BASE_URL", url)
        assert load_settings().is_local is is_local


@pytest.mark.parametrize("host", [None, "", "127.0.0.1 ", "localhost.", "127.0.0", "::2", "example.com"])
def test_what_is_not_this_machine(host):
    assert not is_loopback(host)


@pytest.mark.parametrize("name", ["budget_run", "budget_day", "budget_month"])
def test_a_budget_needs_a_price(home, monkeypatch, name):
    assert "EKYC_PRICE_PER_10K" in refusal(monkeypatch, **{name: "5"})
    monkeypatch.setenv("EKYC_PRICE_PER_10K", "4.50")
    assert getattr(load_settings(), name) == Decimal(5)


def test_a_budget_of_one_run_needs_a_price_too(home):
    with pytest.raises(ConfigurationError, match="EKYC_PRICE_PER_10K"):
        load_settings(budget_run=1.0)


def test_a_batch_is_not_smaller_than_its_least(home, monkeypatch):
    assert "EKYC_MIN_BATCH" in refusal(monkeypatch, min_batch="501", batch_size="500")


def test_hosts_are_listed_with_commas(home, monkeypatch):
    monkeypatch.setenv("EKYC_RESULT_HOSTS", "*.amazonaws.com, files.example.com,,")
    assert load_settings().result_hosts == ("*.amazonaws.com", "files.example.com")


@pytest.mark.parametrize(
    ("dotenv", "environment", "expected"),
    [
        (None, None, "{home}/data"),
        ("mine", None, "{home}/mine"),
        ("mine", "yours", "{home}/yours"),
        (None, "/srv/yours", "/srv/yours"),
    ],
)
def test_the_demos_data_folder_is_that_of_the_settings_whatever_else_they_hold(
    home, monkeypatch, dotenv, environment, expected
):
    if dotenv is not None:
        (home / ".env").write_text(f"EKYC_DATA_DIR={dotenv}\n")
    if environment is not None:
        monkeypatch.setenv("EKYC_DATA_DIR", environment)
    assert data_root() == load_settings().folder.root == Path(expected.format(home=home))
    monkeypatch.setenv("EKYC_BATCH_SIZE", "nonsense")
    monkeypatch.setenv("EKYC_NO_SUCH_NAME", "1")
    assert data_root() == Path(expected.format(home=home))


def test_home_is_the_checkout_that_we_are_in(home, monkeypatch):
    monkeypatch.delenv("EKYC_HOME")
    assert default_home() == Path(__file__).parents[2]


def test_every_setting_says_what_it_is():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_settings_are_those_of_this_moment(home, monkeypatch):
    """However often they were asked for before."""
    assert load_settings().batch_size == 10_000
    for written in ("5", "6"):
        (home / ".env").write_text(f"EKYC_BATCH_SIZE={written}\n")
        assert load_settings().batch_size == int(written)
    monkeypatch.setenv("EKYC_BATCH_SIZE", "7")
    assert load_settings().batch_size == 7
    assert load_settings(task_type="ws_avatar").task_type == "ws_avatar"
    assert load_settings().task_type == "tg_avatar"
    monkeypatch.delenv("EKYC_BATCH_SIZE")
    (home / ".env").unlink()
    assert load_settings().batch_size == 10_000
    (home / ".env").mkdir()
    with pytest.raises(ConfigurationError, match="is a folder"):
        load_settings()
