"""Every kind of trouble, before or after the charge, at the call that a script names."""

from __future__ import annotations

import socket
import time
import zipfile
import zlib
from contextlib import contextmanager
from types import SimpleNamespace

import httpx
import pytest
from support.sandbox_calls import FILE, NUMBERS, TYPE, calling, members, published, shape, wait_until

from ekyc_tasks.sandbox import SCENARIOS, SandboxOptions

pytestmark = pytest.mark.integration


def after(trouble, **options):
    """A sandbox whose first request of the named endpoint meets this."""
    return calling(chaos=(trouble,), **options)


FREE_CODES = [400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 422, 429, 500, 502, 503, 504]


@pytest.mark.parametrize("code", FREE_CODES)
def test_error_codes_are_free_and_pass(code):
    with after(f"create:1={code}") as caller:
        assert caller.create().status_code == code
        assert caller.sandbox.charges == []
        assert caller.create().status_code == 200


@pytest.mark.parametrize("code", [500, 504])
def test_error_codes_may_come_after_the_charge(code):
    with after(f"create:1={code}_after") as caller:
        assert caller.create().status_code == code
        assert len(caller.sandbox.charges) == 1


def test_error_bodies_are_json_or_a_page():
    with calling(chaos=("balance:1=500,balance:2=502",)) as caller:
        own, proxy = caller.http.get("/v1/balance"), caller.http.get("/v1/balance")
        assert own.json().keys() == published("error_invalid_batch_size").keys()
        assert proxy.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(("kind", "retry_after"), [("429", "7"), ("429_bare", None)])
def test_429_tells_when_to_come_back_or_not(kind, retry_after):
    with calling(chaos=(f"create:1={kind},fetch:1={kind}",), retry_after=7) as caller:
        refused = caller.create()
        assert (refused.status_code, refused.headers.get("retry-after")) == (429, retry_after)
        refused = caller.fetch(caller.new_task())
        assert (refused.status_code, refused.headers.get("retry-after")) == (429, retry_after)


@pytest.mark.parametrize(("kind", "charges"), [("reset_before", 0), ("reset_after", 1), ("reset", 1)])
def test_reset_leaves_no_answer(kind, charges):
    with after(f"create:1={kind}") as caller:
        with pytest.raises(httpx.ReadError):
            caller.create()
        assert len(caller.sandbox.charges) == charges
        assert caller.sandbox.calls[0].status is None
        assert caller.create().status_code == 200


def test_cut_comes_while_the_upload_is_on_its_way():
    with after("create:1=cut") as caller:
        upload = {"files": {"file": ("n.txt", bytes(8 << 20))}, "data": {"task_type": "tg_avatar"}}
        with pytest.raises((httpx.NetworkError, httpx.RemoteProtocolError)):
            caller.http.post("/v1/tasks", **upload)
        assert caller.sandbox.charges == []
        assert caller.create().status_code == 200


def test_reset_is_a_reset_on_the_wire():
    with after("balance:1=reset") as caller, raw_request(caller) as sock, pytest.raises(ConnectionResetError):
        sock.recv(1)


@contextmanager
def raw_request(caller):
    url = httpx.URL(caller.sandbox.base_url)
    with socket.create_connection((url.host, url.port), timeout=60) as sock:
        head = f"GET /v1/balance HTTP/1.1\r\nHost: x\r\nX-API-Key: {caller.sandbox.api_key}\r\n\r\n"
        sock.sendall(head.encode())
        yield sock


@pytest.mark.parametrize(("kind", "charges"), [("stall_before", 0), ("stall", 1)])
def test_stall_answers_nothing_until_the_client_leaves(kind, charges):
    with after(f"create:1={kind}") as caller:
        with pytest.raises(httpx.ReadTimeout):
            caller.create(timeout=httpx.Timeout(60, read=0.3))
        wait_until(lambda: caller.sandbox.calls and len(caller.sandbox.charges) == charges)
        assert caller.create().status_code == 200


def test_stalled_request_does_not_hold_up_the_stop():
    with after("balance:*=stall") as caller, raw_request(caller) as sock:
        wait_until(lambda: caller.sandbox.calls)
        began = time.monotonic()
        caller.sandbox.stop()
        assert time.monotonic() - began < 60
        assert sock.recv(1) == b""


def test_slow_is_the_right_answer_late():
    with calling(chaos=("create:1=slow,fetch:1=slow",), slow_seconds=0.2) as caller:
        began = time.monotonic()
        task_id = caller.new_task()
        assert time.monotonic() - began >= 0.2
        began = time.monotonic()
        late = caller.fetch(task_id).content
        assert time.monotonic() - began >= 0.2
        assert late == caller.fetch(task_id).content


def test_slow_answers_end_when_the_client_leaves():
    with calling(chaos=("create:1=slow,fetch:1=slow",), slow_seconds=600) as caller:
        with pytest.raises(httpx.ReadTimeout):
            caller.create(timeout=httpx.Timeout(60, read=0.2))
        wait_until(lambda: caller.sandbox.tasks)
        link = caller.link(caller.sandbox.tasks[0].task_id)
        with pytest.raises(httpx.ReadTimeout):
            caller.bare.get(link, timeout=httpx.Timeout(60, read=0.2))
        began = time.monotonic()
        caller.sandbox.stop()
        assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("kind", "content"), [("html", "<html>"), ("empty", ""), ("no_task_id", '{"status":"pending"')]
)
def test_200_without_a_task_id_is_charged(kind, content):
    with after(f"create:1={kind}") as caller:
        answer = caller.create()
        assert answer.status_code == 200
        assert answer.text.startswith(content)
        assert "task_id" not in answer.text
        assert len(caller.sandbox.charges) == 1


def test_html_may_come_before_anything_is_charged():
    with after("create:1=html_before") as caller:
        assert caller.create().text.startswith("<html>")
        assert caller.sandbox.charges == []


def test_202_is_an_acceptance():
    with after("create:1=202") as caller:
        answer = caller.create()
        assert (answer.status_code, shape(answer.json())) == (202, shape(published("created")))


def test_redirect_points_to_another_host_that_would_notice_the_key():
    with after("create:1=redirect") as caller:
        answer = caller.create()
        assert answer.status_code == 307
        assert answer.headers["location"] == f"{caller.sandbox.storage_url}/v1/tasks"
        assert caller.sandbox.charges == []
        caller.http.post(answer.headers["location"], files=[FILE, TYPE])
        assert [call.credentials for call in caller.sandbox.leaks] == [("x-api-key",)]


@pytest.mark.parametrize(("kind", "status"), [("completed", "completed"), ("unknown_status", "archiving")])
def test_statuses_that_are_not_final(kind, status):
    with after(f"poll:1-2={kind}") as caller:
        task_id = caller.new_task()
        seen = [caller.poll(task_id).json() for _ in range(3)]
        assert [document["status"] for document in seen] == [status, status, "exported"]
        assert ["result_url" in document for document in seen] == [False, False, True]


def test_exported_for_a_moment_without_a_link():
    with after("exported:1=no_link", processing_seconds=5) as caller:
        task_id = caller.new_task()
        assert caller.poll(task_id).json()["status"] == "pending"
        caller.clock.now += 5
        linkless, linked = caller.poll(task_id).json(), caller.poll(task_id).json()
        assert (linkless["status"], linkless.get("result_url")) == ("exported", None)
        assert (linked["status"], "result_url" in linked) == ("exported", True)


def test_exported_counts_only_the_polls_that_would_say_so():
    with after("exported:2=503", processing_seconds=5) as caller:
        task_id = caller.new_task()
        codes = []
        for _ in range(4):
            codes.append(caller.poll(task_id).status_code)
            caller.clock.now += 2.5
        assert codes == [200, 200, 200, 503]


def test_task_created_to_fail_ends_in_failed():
    with after("create:1=failed", processing_seconds=5) as caller:
        task_id = caller.new_task()
        caller.clock.now += 3
        assert caller.poll(task_id).json()["status"] == "processing"
        caller.clock.now += 2
        document = caller.poll(task_id).json()
        assert (document["status"], document["failure"], "result_url" in document) == ("failed", 3, False)
        assert len(caller.sandbox.charges) == 1


def test_task_that_failed_at_a_poll_stays_failed():
    with after("poll:2=failed", processing_seconds=5) as caller:
        task_id = caller.new_task()
        seen = [caller.poll(task_id).json()["status"] for _ in range(3)]
        assert seen == ["pending", "failed", "failed"]


def test_tasks_may_be_unknown_for_a_moment():
    with after("poll:1=404") as caller:
        task_id = caller.new_task()
        assert [caller.poll(task_id).status_code for _ in range(2)] == [404, 200]


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("link_expired", 403, "Request has expired"),
        ("404", 404, "NoSuchKey"),
        ("410", 410, "<Error>"),
        ("503", 503, "SlowDown"),
        ("html", 200, "<html>"),
        ("empty", 200, ""),
    ],
)
def test_downloads_may_be_refused_once(kind, code, words):
    with after(f"fetch:1={kind}") as caller:
        task_id = caller.new_task()
        refused = caller.fetch(task_id)
        assert refused.status_code == code
        assert words in refused.text
        assert not refused.content.startswith(b"PK")
        assert caller.fetch(task_id).content.startswith(b"PK")


def test_download_redirects_to_another_host():
    with after("fetch:1=redirect") as caller:
        answer = caller.fetch(caller.new_task())
        assert answer.status_code == 307
        assert answer.headers["location"].startswith(caller.sandbox.base_url)


def test_truncated_download_announces_more_than_it_sends():
    with after("fetch:1=truncate") as caller:
        task_id = caller.new_task(NUMBERS)
        received = bytearray()
        with caller.bare.stream("GET", caller.link(task_id)) as answer:
            with pytest.raises(httpx.RemoteProtocolError):
                collect(answer, received)
            announced = int(answer.headers["content-length"])
        whole = caller.fetch(task_id).content
        assert announced == len(whole)
        assert received == whole[: len(whole) // 2]


def collect(answer, received):
    for chunk in answer.iter_raw():
        received += chunk


@pytest.mark.parametrize("layout", ["folder", "single"])
@pytest.mark.parametrize("size", [1, len(NUMBERS)])
def test_corrupt_download_is_complete_and_not_readable(layout, size):
    with after("fetch:1=corrupt", layout=layout) as caller:
        task_id = caller.new_task(NUMBERS[:size])
        damaged, whole = caller.fetch(task_id).content, caller.fetch(task_id).content
        assert len(damaged) == len(whole)
        assert damaged[:4] == b"PK\3\4"
        with pytest.raises((zipfile.BadZipFile, zlib.error)):
            members(damaged)


def test_download_is_reset():
    with after("fetch:1=reset") as caller:
        task_id = caller.new_task()
        with pytest.raises(httpx.NetworkError):
            caller.fetch(task_id)
        assert caller.fetch(task_id).status_code == 200


@pytest.mark.parametrize(
    ("script", "codes"),
    [
        (("balance:2=500",), [200, 500, 200, 200, 200]),
        (("balance:2-3=500",), [200, 500, 500, 200, 200]),
        (("balance:4+=500",), [200, 200, 200, 500, 500]),
        (("balance:*=500",), [500] * 5),
        (("balance:1=502, balance:1-2=500",), [502, 500, 200, 200, 200]),
        (("balance:1=502", "balance:3=503"), [502, 200, 503, 200, 200]),
        (("create:*=500",), [200] * 5),
        ((" ", ""), [200] * 5),
    ],
)
def test_script_positions(script, codes):
    with calling(chaos=script) as caller:
        assert [caller.http.get("/v1/balance").status_code for _ in range(5)] == codes


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"chaos": ("ruff",)}, r'chaos "ruff" is neither ENDPOINT:POSITION=KIND nor one of rough, '),
        ({"chaos": ("creat:1=500",)}, r'unknown endpoint "creat"\. Use one of create, poll'),
        ({"chaos": ("create:1=501",)}, r'unknown kind "501" for create\. Use one of 400, '),
        ({"chaos": ("create:1=truncate",)}, r'unknown kind "truncate" for create'),
        ({"chaos": ("poll:1=completed_after",)}, r'unknown kind "completed_after" for poll'),
        ({"chaos": ("poll:0=500",)}, r'"0" is not a position\. Write 3, 3-5, 3\+ or \*'),
        ({"chaos": ("poll:x=500",)}, r'"x" is not a position'),
        ({"layout": "tar"}, r'layout "tar" is not known; choose one of folder, '),
        ({"style": "new"}, r'style "new" is not known; choose one of documented, older'),
    ],
)
def test_words_that_nobody_knows_are_named(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        SandboxOptions(**options)


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenarios_can_be_lived_through(name):
    """A patient client, which never repeats an upload that may have been taken, gets its result."""
    with calling(chaos=(name,)) as caller:
        outcome = live_through(caller)
        assert outcome.status == {"lost": "lost", "failing": "failed"}.get(name, "fetched")
        assert outcome.troubles >= 1
        assert len(caller.sandbox.charges) == 1


def live_through(caller, patience=20):
    outcome = SimpleNamespace(status="", troubles=0, task_id=None)
    for _ in range(patience):
        try:
            outcome.status = one_step(caller, outcome)
        except (httpx.TransportError, zipfile.BadZipFile, zlib.error, ValueError, KeyError):
            outcome.status = "trouble" if outcome.task_id else "lost"
        if outcome.status in {"fetched", "failed", "lost"}:
            break
        outcome.troubles += 1
    outcome.troubles += outcome.status in {"failed", "lost"}
    return outcome


def one_step(caller, outcome):
    if outcome.task_id is None:
        answer = caller.create()
        if answer.status_code != 200:
            return "refused"
        outcome.task_id = answer.json()["task_id"]
    document = caller.poll(outcome.task_id).json()
    if document["status"] == "failed":
        return "failed"
    members(caller.bare.get(document["result_url"]).content)
    return "fetched"
