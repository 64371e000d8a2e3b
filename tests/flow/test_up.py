"""`ekyc up`: everything a person needs, in the real interface of a real server, and nothing left behind.

One server for the whole module; the browser's part is skipped where there is no Chromium.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import expect, sync_playwright
from support.installed import made
from support.raw_server import unused_port
from support.workstation import (
    BIN,
    NUMBERS,
    ROOT,
    Desk,
    Server,
    chaotic,
    descendants,
    plain_environment,
    wait_until,
)

from ekyc_tasks.sandbox import Sandbox

pytestmark = pytest.mark.flow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SCREENSHOTS = ROOT / "build" / "screenshots"  # what CI keeps
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


@dataclass
class Up:
    """A running `ekyc up` with a desk; the answers to its second and third upload get lost."""

    desk: Desk
    port: int
    process: subprocess.Popen
    said: list[str]

    @property
    def ui(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, body: dict | None = None):
        return self.desk.server.ask(path, body)


def command(port: int) -> list[str]:
    return [str(BIN / "ekyc"), "up", "--port", str(port)]


@pytest.fixture(scope="module")
def up(tmp_path_factory) -> Iterator[Up]:
    home = tmp_path_factory.mktemp("up")
    port = unused_port()
    with Sandbox(chaotic("create:2=504_after", "create:3=504_after")) as sandbox:
        settings = {"EKYC_BATCH_SIZE": "200", "EKYC_PRICE_PER_10K": "4.50"}
        desk = Desk(home, sandbox, Server(f"http://127.0.0.1:{port}/api", home), settings)
        with subprocess.Popen(
            command(port), cwd=home, env=desk.environment, stdout=subprocess.PIPE, text=True
        ) as process:
            said = [process.stdout.readline()]
            while said[-1] and "Ctrl-C" not in said[-1]:
                said.append(process.stdout.readline())
            try:
                yield Up(desk, port, process, said)
            finally:
                process.terminate()


def test_it_says_where_the_interface_is_and_what_is_scheduled(up):
    text = "".join(up.said)

    assert up.ui in text
    assert re.search(r"check-numbers +every 5 minutes, next at \d\d:\d\d UTC", text)
    assert all(f"{name}  " in text for name in ("resolve", "replay"))
    assert str(up.desk.data / "landing") in text
    deployment = up.ask("/deployments/name/check-numbers/check-numbers")
    assert deployment["description"]
    assert deployment["tags"] == ["ekyc"]
    assert deployment["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    assert [one["name"] for one in up.ask("/automations/filter", {})] == [
        "Mark runs whose process is gone as Crashed"
    ]


def test_starting_it_twice_says_so(up):
    again = subprocess.run(
        command(up.port), env=up.desk.environment, capture_output=True, text=True, check=False, timeout=60
    )

    assert (again.returncode, "running for" in again.stderr) == (2, True)


def test_a_taken_port_is_one_sentence(up, tmp_path):
    elsewhere = {"EKYC_HOME": str(tmp_path), "EKYC_DATA_DIR": str(tmp_path)}
    made(tmp_path, up.desk.sandbox.base_url)

    done = subprocess.run(
        command(up.port),
        env=up.desk.environment | elsewhere,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    [said] = [line for line in done.stderr.splitlines() if "Port" in line]
    assert said.startswith(f"ekyc: Port {up.port} cannot be used (Address already in use)")
    assert said.endswith("choose another port with --port.")
    assert done.returncode == 2


def test_doctor_finds_it_and_what_it_runs(up):
    alone = {name: value for name, value in up.desk.environment.items() if not name.startswith("PREFECT_")}

    found = subprocess.run(
        [str(BIN / "ekyc"), "doctor"], env=alone, capture_output=True, text=True, check=False, timeout=120
    )

    assert re.search(r"ok   Prefect   server .*, work pool, worker and deployments found", found.stdout)


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_a_person_runs_reads_and_decides_in_the_browser(up):
    up.desk.drop("first.txt", *NUMBERS)
    up.desk.drop("second.txt", *NUMBERS[:100])
    check = up.ask("/deployments/name/check-numbers/check-numbers")["id"]
    up.desk.server.ask(f"/deployments/{check}/pause_deployment", {})  # no scheduled run comes between
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page(viewport={"width": 1280, "height": 1100})
        page.set_default_timeout(60_000)
        asked: set[str] = set()
        page.on("request", lambda request: asked.add(request.url.split("/")[2]))

        run = run_from_the_form(page, up)
        wait_until(lambda: up.ask(f"/flow_runs/{run}")["state_type"] == "FAILED", what="the held batches")
        page.goto(f"{up.ui}/runs/flow-run/{run}")
        page.get_by_text("Held: 2 batches need a decision").first.wait_for()
        page.wait_for_timeout(2000)  # the timeline is drawn by then; for the picture only
        page.screenshot(path=SCREENSHOTS / "run.png", clip={"x": 0, "y": 0, "width": 1280, "height": 640})
        read_the_report(page)
        first, second = [
            batch["batch_id"] for batch in up.desk.status()["batches"] if batch["state"] == "held"
        ]
        decide_with_the_mouse(page, up, second, up.desk.sandbox.charges[2].task_id)
        decide_by_keyboard(page, up, first, up.desk.sandbox.charges[1].task_id)
        browser.close()

    assert asked == {f"127.0.0.1:{up.port}"}
    assert sorted(up.desk.states()) == ["loaded", "submitted", "submitted"]
    assert len(up.desk.sandbox.charges) == 3
    assert [path.name for path in (up.desk.data / "landing").iterdir()] == ["second.txt"]


def open_deployment(page, up: Up, name: str) -> None:
    page.goto(f"{up.ui}/deployments")
    page.locator("a[href*='/deployments/deployment/']", has_text=name).first.click()
    page.get_by_role("button", name="Run", exact=True).click()


def run_from_the_form(page, up: Up) -> str:
    """Only first.txt, and a wait of its own; a wait that is none is refused. The run's id."""
    open_deployment(page, up, "check-numbers")
    page.get_by_text("Custom run").click()
    page.get_by_role("button", name="Add item").first.click()
    expect(page.locator("textarea")).to_have_count(4)  # a file, region, sheet, longest wait
    page.locator("textarea").first.fill("first.txt")
    page.locator("textarea").last.fill("soon")
    assert submitted(page).status == 409
    page.get_by_text("'soon' does not match").first.wait_for()
    page.screenshot(path=SCREENSHOTS / "form-refused.png", full_page=True)
    page.locator("textarea").last.fill("90s")
    created = submitted(page)
    assert created.status == 201
    return created.json()["id"]


def submitted(page):
    """The answer to the form; a click that comes while the page is still drawn goes nowhere."""
    for _ in range(10):
        with suppress(PlaywrightTimeout):
            with page.expect_request("**/create_flow_run", timeout=10_000) as request:
                page.get_by_role("button", name="Submit").click()
            return request.value.response()
    raise AssertionError("the form was never sent")


def read_the_report(page) -> None:
    page.get_by_text("Artifacts", exact=True).first.click()
    page.get_by_text("run-report").first.click()
    page.get_by_text("What to do next").wait_for()
    page.screenshot(path=SCREENSHOTS / "report.png", full_page=True)
    text = page.inner_text("body")
    assert all(words in text for words in ("Held: 2 batches need a decision", "accepted → dataset", "0.27"))
    assert not any(number.lstrip("+") in text for number in NUMBERS)


def waiting_form(page, up: Up) -> str:
    """A run of resolve that waits, on its page; its id."""
    open_deployment(page, up, "resolve")
    page.get_by_text("Quick run").click()
    paused = {"flow_runs": {"state": {"type": {"any_": ["PAUSED"]}}}}
    [run] = wait_until(lambda: up.ask("/flow_runs/filter", paused), seconds=90, what="the form")
    page.goto(f"{up.ui}/runs/flow-run/{run['id']}")
    return run["id"]


def decide_with_the_mouse(page, up: Up, batch: str, task_id: str) -> None:
    run = waiting_form(page, up)
    page.get_by_role("button", name="Resume").click()
    form = page.get_by_role("dialog")
    choose(page, form.locator(".p-select-button").nth(0), batch)
    choose(page, form.locator(".p-select-button").nth(1), "adopt")
    form.locator("textarea").first.fill(task_id)
    expect(form.get_by_text("probably took the upload")).to_have_count(2)
    form.get_by_role("heading", name=batch).evaluate("one => one.scrollIntoView()")
    form.locator(".p-modal__card").screenshot(path=SCREENSHOTS / "resolve.png")
    form.get_by_role("button", name="Submit").click()
    wait_until(lambda: up.ask(f"/flow_runs/{run}")["state_name"] == "Decided: adopt", what="the end")
    page.reload()
    page.get_by_text("Decided: adopt").first.wait_for()
    page.screenshot(path=SCREENSHOTS / "decided.png")


def choose(page, select, words: str) -> None:
    """A click on the words would open the list and close it again: Prefect's UI hears it twice."""
    select.locator(".p-select-button__icon").click()
    page.get_by_role("option", name=words, exact=True).click()
    expect(select).to_have_text(words)


def decide_by_keyboard(page, up: Up, batch: str, task_id: str) -> None:
    run = waiting_form(page, up)
    tab_to(page, page.get_by_role("button", name="Resume"))
    page.keyboard.press("Enter")
    form = page.get_by_role("dialog")
    named, decision = (form.locator("button.p-select-button__control").nth(index) for index in range(2))
    expect(named).to_have_text(batch)
    tab_to(page, decision)
    for words in ("leave it", "adopt"):
        page.keyboard.press("ArrowDown")
        expect(page.locator(".p-select-option--highlighted")).to_have_text(words)
    page.keyboard.press("Enter")
    expect(decision).to_have_text("adopt")
    tab_to(page, form.locator("textarea").first)
    page.keyboard.type(task_id)
    tab_to(page, form.get_by_role("button", name="Submit"))
    page.keyboard.press("Enter")
    wait_until(lambda: up.ask(f"/flow_runs/{run}")["state_name"] == "Decided: adopt", what="the end")


def tab_to(page, element) -> None:
    element.wait_for()
    for _ in range(60):
        if element.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {element}")


def test_it_leaves_no_process_behind_when_its_server_is_gone(up):
    """The worker has seen the outage then: the first signal may not end it."""
    family = descendants(up.process.pid)
    server = server_of(up.process)

    os.kill(server, signal.SIGKILL)

    assert up.process.wait(timeout=60) == 2
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family), what="the end of them all")


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_ends_a_server_that_hears_nothing_and_pressed_again_at_once(tmp_path, presses):
    own = {"EKYC_HOME": str(tmp_path), "EKYC_DATA_DIR": str(tmp_path), "EKYC_API_KEY": "none"}
    made(tmp_path, "https://api.ekycpro.com")
    with subprocess.Popen(
        command(unused_port()), env=plain_environment() | own, stderr=subprocess.PIPE, text=True
    ) as process:
        server = wait_until(lambda: server_of(process), what="its server")
        os.kill(server, signal.SIGSTOP)
        for _ in range(presses):
            process.send_signal(signal.SIGINT)
            wait_until(lambda: was_asked_to_end(server), what="the first try")
        _, said = process.communicate(timeout=60)

    assert (process.returncode, "Everything is stopped" in said) == (0, True)
    assert not Path(f"/proc/{server}").exists()


def server_of(process: subprocess.Popen) -> int | None:
    for pid in descendants(process.pid):
        with suppress(OSError):
            if b"\0server\0start\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    return None


def was_asked_to_end(pid: int) -> bool:
    """A stopped process has the signals that it was sent still before it."""
    with suppress(FileNotFoundError):
        [pending] = re.findall(r"ShdPnd:\s+(\w+)", Path(f"/proc/{pid}/status").read_text())
        return bool(int(pending, 16) & 1 << signal.SIGTERM - 1)
    return True  # it is gone
