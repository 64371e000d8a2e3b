"""`ekyc doctor` finds what would stop a run, and says how to mend it."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO

import prefect
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from rich.console import Console
from support.installed import made
from support.raw_server import unused_port

from ekyc_tasks.cli.doctor import examine
from ekyc_tasks.cli.up import address_of_another
from ekyc_tasks.sandbox import Sandbox, SandboxOptions
from ekyc_tasks.support.atomic_files import private_dir, try_lock

pytestmark = pytest.mark.integration


@pytest.fixture
def healthy(tmp_path, monkeypatch):
    """Settings with which nothing is wrong; no Prefect server is set."""
    for name in ("PREFECT_API_URL", "PREFECT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    with Sandbox() as sandbox:
        for name, value in {
            "HOME": str(tmp_path),
            "DATA_DIR": str(tmp_path / "data"),
            "BASE_URL": sandbox.base_url,
            "API_KEY": sandbox.api_key,
        }.items():
            monkeypatch.setenv(f"EKYC_{name}", value)
        made(tmp_path / "data", sandbox.base_url)
        yield sandbox


def examined() -> tuple[int, list[str]]:
    text = StringIO()
    code = examine(Console(file=text, width=300))
    return code, text.getvalue().splitlines()


def test_a_healthy_house_is_well_and_nothing_is_sent(healthy):
    code, lines = examined()

    assert code == 0, lines
    assert all(line.startswith("ok") for line in lines)
    assert any("balance 100" in line for line in lines)
    assert healthy.charges == []


@pytest.mark.parametrize(
    ("files", "code", "shown"),
    [
        ({}, 0, r"ok .*there is no do-not-send\.txt"),
        ({"do-not-send.txt": "+41798284651\n41798284652\n"}, 0, "ok .*2 numbers that are never bought"),
        ({"do-not-send.txt": "+41798284651\n0798284652\n"}, 2, "FAIL.*line 2 cannot be read"),
        ({"do-not-send.csv": "+41798284651\n"}, 2, r"FAIL.*do-not-send\.csv is not read"),
        ({"do-not-send.txt": "", "DO_NOT_SEND.bak": ""}, 0, r"WARN.*DO_NOT_SEND\.bak is not read"),
    ],
)
def test_the_do_not_send_list_is_read_before_a_run_needs_it(healthy, tmp_path, files, code, shown):
    for name, content in files.items():
        (tmp_path / "data" / name).write_text(content)

    ended, lines = examined()

    [line] = [line for line in lines if line[5:].startswith("not sent")]
    assert (ended, bool(re.match(shown, line))) == (code, True), line


def test_a_provider_that_returns_no_balance_is_a_warning_and_no_failure(healthy, tmp_path, monkeypatch):
    """A wrong key looks the same, and the next run would say so."""
    with Sandbox(SandboxOptions(offers_balance=False)) as sandbox:
        made(tmp_path / "other", sandbox.base_url)
        monkeypatch.setenv("EKYC_DATA_DIR", str(tmp_path / "other"))
        monkeypatch.setenv("EKYC_BASE_URL", sandbox.base_url)

        code, lines = examined()

    assert code == 0, lines
    [warning] = [line for line in lines if line.startswith("WARN")]
    assert "no balance returned" in warning


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("API_KEY", "", "EKYC_API_KEY"),
        ("API_KYE", "x", "EKYC_API_KYE"),
        ("TASK_TYPE", "tarot", "tarot"),
        ("DATA_DIR", "/proc/nowhere", "/proc/nowhere"),
        ("DATA_DIR", __file__, "cannot be written to (Not a directory)"),
        ("LANDING_DIR", "not-mounted", "not-mounted"),
        ("LEDGER_URL", "nonsense", "EKYC_LEDGER_URL"),
        ("BASE_URL", "http://127.0.0.1:1", "cannot be reached"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(healthy, monkeypatch, name, value, words):
    monkeypatch.setenv(f"EKYC_{name}", value)

    code, lines = examined()

    wrong = [line for line in lines if line.startswith("FAIL")]
    assert (code, len(wrong) >= 1) == (2, True)
    assert any(words in line for line in wrong)


def test_an_unreadable_dotenv_is_said(healthy, tmp_path):
    (tmp_path / ".env").write_bytes(bytes([0xFF, 0xFE, 0x00]))

    code, lines = examined()

    assert (code, ".env cannot be read" in lines[0]) == (2, True)


def test_a_folder_in_the_place_of_the_dotenv_is_said(healthy, tmp_path):
    (tmp_path / ".env").mkdir()

    code, lines = examined()

    assert (code, ".env is a folder" in lines[0]) == (2, True)


POOL = "/work_pools/ekyc/workers/filter"
DEPLOYED = {f"/deployments/name/{name}/{name}": {"paused": False} for name in ("resolve", "replay")}
CHECK = "/deployments/name/check-numbers/check-numbers"
WELL = {
    "/admin/version": prefect.__version__,
    POOL: [{"status": "ONLINE"}],
    CHECK: {"paused": False},
    **DEPLOYED,
}


@pytest.fixture
def server(healthy):
    """What a Prefect server says, by path; a test changes it."""
    says = dict(WELL)

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            document = says.get(self.path.removeprefix("/api"))
            body = json.dumps(document).encode()
            self.send_response(404 if document is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as far:
        threading.Thread(target=far.serve_forever, args=(0.05,), daemon=True).start()
        with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{far.server_port}/api"}):
            yield says
        far.shutdown()


@pytest.mark.parametrize(
    ("path", "said", "words"),
    [
        ("/admin/version", "2.20.1", ["is version 2.20.1", "Install the same version"]),
        (POOL, None, ["no work pool ekyc", "`prefect work-pool create ekyc --type process`"]),
        (POOL, [], ["No worker", "`prefect worker start --pool ekyc`"]),
        (POOL, [{"status": "OFFLINE"}], ["No worker", "`prefect worker start --pool ekyc`"]),
        (CHECK, None, ["check-numbers is not deployed", "`prefect --no-prompt deploy --all`"]),
        (CHECK, {"paused": True}, ["check-numbers is paused", "Resume it"]),
    ],
)
def test_what_scheduled_runs_miss_on_a_server_is_one_line_with_its_remedy(server, path, said, words):
    server[path] = said

    code, lines = examined()

    [wrong] = [line for line in lines if line.startswith("FAIL")]
    assert (code, [word for word in words if word not in wrong]) == (2, [])


def test_a_server_with_everything_is_well(server):
    assert examined()[0] == 0


def test_a_server_that_does_not_answer_is_said(healthy):
    url = f"http://127.0.0.1:{unused_port()}/api"
    with temporary_settings({PREFECT_API_URL: url}):
        code, lines = examined()

    assert code == 2
    assert f"No Prefect server answers at {url}. Start it (`ekyc up` does this)" in lines[-1]


def test_the_server_of_an_ekyc_up_is_known_while_it_runs(healthy, tmp_path, monkeypatch):
    home = private_dir(tmp_path / "data" / ".prefect")
    assert address_of_another() is None
    (home / "address").write_text("http://127.0.0.1:4200/api")

    with try_lock(home / "up.lock"):
        there = address_of_another()

    assert (there, address_of_another()) == ("http://127.0.0.1:4200/api", None)


@pytest.mark.parametrize(
    ("text", "severity", "words"),
    [
        (None, "ok", "there is no "),
        ('[[files]]\nmatch = "*"', "ok", "1 rule in "),
        (
            '[[files]]\nmatch = "*"\ncolumn = "Mobile"',
            "FAIL",
            "landing.toml, rule 1, column: there is no such key",
        ),
        ('[[files]]\nmatch = "*"\nencoding = "klingon"', "FAIL", "landing.toml, rule 1, encoding: "),
        ("not toml", "FAIL", "landing.toml cannot be read as TOML"),
    ],
)
def test_the_rules_of_landed_files_are_checked(healthy, tmp_path, text, severity, words):
    if text is not None:
        (tmp_path / "data" / "landing.toml").write_text(text)

    code, lines = examined()

    [line] = [line for line in lines if " rules " in line]
    assert (line.startswith(severity), words in line, code) == (True, True, 2 if severity == "FAIL" else 0)
