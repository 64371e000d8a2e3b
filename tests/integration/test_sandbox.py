"""The sandbox over real sockets, held against the provider's published documents."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from base64 import b32hexdecode
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import fastexcel
import httpx
import pytest

import ekyc_tasks.sandbox
from ekyc_tasks.sandbox import LAYOUTS, SCENARIOS, Sandbox, SandboxOptions

pytestmark = pytest.mark.integration

PUBLISHED = Path(__file__).parent.parent / "fixtures" / "provider"
NUMBERS = [f"+4179{n:07}" for n in range(1500)]
XID = re.compile(r"[0-9a-v]{20}")
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loading certificates costs 30 ms a client
START = 1_763_713_629.933446594


def published(name):
    return json.loads((PUBLISHED / f"{name}.json").read_text())


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now


class Caller:
    """The least a client can be: no retries, no judgement, nothing of the product's."""

    def __init__(self, sandbox, clock):
        self.sandbox = sandbox
        self.clock = clock
        headers = {"X-API-Key": sandbox.api_key}
        self.http = httpx.Client(base_url=sandbox.base_url, headers=headers, timeout=10, verify=NO_TLS)
        self.bare = httpx.Client(timeout=10, verify=NO_TLS)

    def create(self, numbers=NUMBERS[:3], task_type="tg_avatar", **options):
        content = "".join(f"{number}\n" for number in numbers).encode()
        files = {"file": ("numbers.txt", content, "text/plain")}
        return self.http.post("/v1/tasks", files=files, data={"task_type": task_type}, **options)

    def poll(self, task_id):
        return self.http.post("/v1/gettasks", files={"task_id": (None, task_id)})

    def new_task(self, *args, **options):
        return self.create(*args, **options).json()["task_id"]

    def link(self, task_id):
        return self.poll(task_id).json()["result_url"]

    def fetch(self, task_id):
        return self.bare.get(self.link(task_id))


@contextmanager
def calling(**options):
    clock = Clock()
    with Sandbox(SandboxOptions(**{"processing_seconds": 0, **options}), clock=clock) as sandbox:
        caller = Caller(sandbox, clock)
        with caller.http, caller.bare:
            yield caller


@pytest.fixture
def caller():
    with calling() as caller:
        yield caller


# ---------------------------------------------------------------- documents


def shape(document):
    return [(name, type(value)) for name, value in document.items()]


def test_create_answers_with_the_published_document(caller):
    answer = caller.create()
    assert answer.status_code == 200
    assert shape(answer.json()) == shape(published("created"))
    assert answer.json()["message"] == published("created")["message"]
    assert answer.json()["total"] == 3


def test_polls_answer_with_the_published_documents():
    with calling(processing_seconds=10, pending_seconds=2) as caller:
        task_id = caller.new_task()
        caller.clock.now += 6
        processing = caller.poll(task_id).json()
        assert shape(processing) == shape(published("processing"))
        assert processing["status"] == "processing"
        caller.clock.now += 4
        exported = caller.poll(task_id).json()
        assert shape(exported) == shape(published("exported"))
        assert (exported["status"], exported["success"], exported["failure"]) == ("exported", 3, 0)


def test_older_style_answers_202_and_zeros_for_a_full_file():
    with calling(style="older", processing_seconds=9) as caller:
        answer = caller.create()
        assert answer.status_code == 202
        counts = {name: answer.json()[name] for name in ("total", "success", "failure")}
        assert counts == {"total": 0, "success": 0, "failure": 0}
        assert shape(answer.json())[:5] == shape(published("processing"))[:5]
        task_id = answer.json()["task_id"]
        assert caller.poll(task_id).json()["estimated_amount"].keys() == published("amount").keys()
        caller.clock.now += 9
        exported = caller.poll(task_id).json()
        assert exported["total"] == 3
        assert exported["actual_amount"] == {"amount": "0.045", "currency": "USD"}


def test_progress_grows_and_then_a_link_appears():
    with calling(processing_seconds=10, pending_seconds=1) as caller:
        task_id = caller.new_task(NUMBERS)
        seen = []
        for _ in range(12):
            seen.append(caller.poll(task_id).json())
            caller.clock.now += 1
        assert [document["status"] for document in seen] == ["pending"] + ["processing"] * 9 + [
            "exported"
        ] * 2
        successes = [document["success"] for document in seen[:11]]
        assert successes == sorted(successes)
        assert (successes[0], successes[-1]) == (0, len(NUMBERS))
        assert len(set(successes)) > 8
        assert ["result_url" in document for document in seen] == [False] * 10 + [True] * 2
        # The last update of the *status*: it stands still while the count grows.
        assert len({document["updated_at"] for document in seen[1:10]}) == 1


def test_task_ids_are_xids_that_hold_their_second(caller):
    task_ids = [caller.new_task() for _ in range(3)]
    assert len(set(task_ids)) == 3
    for task_id in task_ids:
        assert XID.fullmatch(task_id)
        assert second_of(task_id) == int(caller.clock.now)


def test_published_task_ids_hold_their_second_too():
    created = published("created")
    assert second_of(created["task_id"]) == int(datetime.fromisoformat(created["created_at"]).timestamp())


def second_of(task_id):
    return int.from_bytes(b32hexdecode(task_id.upper() + "====")[:4])


def test_timestamps_have_all_the_lengths_that_were_seen(caller):
    lengths = set()
    for _ in range(4):
        created = caller.create().json()
        polled = caller.poll(created["task_id"]).json()
        assert polled["created_at"] == created["created_at"]
        assert abs(datetime.fromisoformat(created["created_at"]).timestamp() - START) < 1
        lengths.add(len(created["created_at"].rstrip("Z").partition(".")[2]))
    assert lengths == {0, 3, 8, 9}


def test_user_id_belongs_to_the_key():
    ids = set()
    for key in ("first", "first", "second"):
        with calling(api_key=key) as caller:
            ids.add((key, caller.poll(caller.new_task()).json()["user_id"]))
    assert len(ids) == 2
    assert len({user for _, user in ids}) == 2


@pytest.mark.parametrize(("style", "status"), [("documented", 404), ("older", 400)])
def test_unknown_task_is_an_error(style, status):
    with calling(style=style) as caller:
        answer = caller.poll(published("created")["task_id"])
        assert (answer.status_code, answer.json()["error"]) == (status, "task_not_found")


# ---------------------------------------------------------------- strictness

FILE = ("file", ("numbers.txt", b"+41790000001\n", "text/plain"))
TYPE = ("task_type", (None, "tg_avatar"))


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([FILE], id="no task_type"),
        pytest.param([TYPE], id="no file"),
        pytest.param([FILE, TYPE, ("callback", (None, "x"))], id="a field too many"),
        pytest.param([FILE, FILE, TYPE], id="two files"),
        pytest.param([FILE, TYPE, TYPE], id="task_type twice"),
        pytest.param([("file", (None, "+41790000001\n")), TYPE], id="file is a field"),
        pytest.param([FILE, ("task_type", ("t.txt", b"tg_avatar"))], id="task_type is a file"),
        pytest.param([("file", ("numbers.txt", b"")), TYPE], id="empty file"),
        pytest.param([("file", ("numbers.txt", b"hello\n12\n+0123456789\n")), TYPE], id="no number in it"),
        pytest.param([FILE, ("task_type", (None, "tg_avatars"))], id="unknown task type"),
    ],
)
def test_upload_that_is_not_as_documented_is_400_and_free(caller, parts):
    answer = caller.http.post("/v1/tasks", files=parts)
    assert answer.status_code == 400
    assert answer.json().keys() == published("error_invalid_batch_size").keys()
    assert caller.sandbox.charges == []


@pytest.mark.parametrize("path", ["/v1/tasks", "/v1/gettasks"])
def test_only_multipart_is_taken(caller, path):
    answer = caller.http.post(path, data={"task_id": caller.new_task(), "task_type": "tg_avatar"})
    assert answer.status_code == 400
    assert "multipart/form-data" in answer.json()["message"]


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer sandbox-key"}])
def test_wrong_key_is_401_everywhere(caller, headers):
    task_id = caller.new_task()
    with httpx.Client(base_url=caller.sandbox.base_url, headers=headers) as stranger:
        answers = [
            stranger.post("/v1/tasks", files=[FILE, TYPE]),
            stranger.post("/v1/gettasks", files={"task_id": (None, task_id)}),
            stranger.get("/v1/balance"),
        ]
    assert [answer.status_code for answer in answers] == [401] * 3
    assert len(caller.sandbox.charges) == 1


def test_minimum_counts_what_remains_after_repeats_and_rubbish():
    with calling(minimum=3) as caller:
        two = [NUMBERS[0], NUMBERS[1], NUMBERS[0][1:], f" {NUMBERS[1]}\r", "hello", "+41"]
        answer = caller.create(two, task_type="ws")
        assert answer.status_code == 400
        expected = published("error_invalid_batch_size")
        expected["message"] = expected["message"].replace(" N ", " 2 ").replace("500", "3")
        assert answer.json() == expected
        assert caller.create([*two, NUMBERS[2]]).json()["total"] == 3
        assert caller.sandbox.tasks[0].numbers == set(NUMBERS[:3])


def test_more_than_the_maximum_is_413():
    with calling(maximum=2) as caller:
        assert caller.create().status_code == 413
        assert caller.sandbox.charges == []


def test_byte_order_mark_costs_the_first_number(caller):
    assert caller.create(["\ufeff" + NUMBERS[0], NUMBERS[1]]).json()["total"] == 1


# ---------------------------------------------------------------- money


def test_charges_are_counted_in_blocks_of_a_hundred(caller):
    for size in (1, 100, 101):
        caller.create(NUMBERS[:size])
    assert [(charge.numbers, charge.amount) for charge in caller.sandbox.charges] == [
        (1, Decimal("0.045")),
        (100, Decimal("0.045")),
        (101, Decimal("0.090")),
    ]
    assert caller.sandbox.total_charged == Decimal("0.18")
    assert caller.http.get("/v1/balance").json()["balance"] == 99.82


def test_charges_are_told_without_phone_numbers(caller):
    task_id = caller.new_task(NUMBERS[:150], task_type="tg")
    with httpx.Client(base_url=caller.sandbox.base_url) as anybody:
        answer = anybody.get("/_sandbox/charges")
    charge = {"task_id": task_id, "task_type": "tg", "numbers": 150, "amount": 0.09}
    told = answer.json()
    assert charge.items() <= told["charges"][0].items()
    assert datetime.fromisoformat(told["charges"][0]["at"]).timestamp() == pytest.approx(START)
    assert (told["total_numbers"], told["total_amount"]) == (150, 0.09)
    assert NUMBERS[0][1:] not in answer.text


def test_upload_beyond_the_balance_is_402_and_creates_nothing():
    with calling(balance=0.05) as caller:
        assert caller.create().status_code == 200
        answer = caller.create()
        assert (answer.status_code, answer.json()["error"]) == (402, "insufficient_balance")
        assert len(caller.sandbox.tasks) == 1


def test_balance_has_the_documented_fields_and_a_new_day(caller):
    caller.create()
    document = caller.http.get("/v1/balance").json()
    assert list(document) == ["status", "balance", "credit", "used_today", "daily_limit", "reset_time"]
    assert (document["status"], document["used_today"]) == ("OK", 0.045)
    assert document["reset_time"] == "2025-11-22T00:00:00Z"
    caller.clock.now += 86_400
    document = caller.http.get("/v1/balance").json()
    assert (document["used_today"], document["balance"]) == (0, 99.955)


def test_older_balance_is_balance_alone():
    with calling(style="older") as caller:
        assert caller.http.get("/v1/balance").json() == {"balance": 100.0}


def test_balance_may_not_be_offered():
    with calling(offers_balance=False) as caller:
        assert caller.http.get("/v1/balance").status_code == 404


# ---------------------------------------------------------------- results

RATES = {"missing_rate": 0.02, "repeated_rate": 0.03, "undetermined_rate": 0.05, "odd_rate": 0.3}


def expected_answers(caller, numbers=NUMBERS):
    """In the order of the upload, the repeats behind."""
    answers = [caller.sandbox.answers(number) for number in numbers]
    present = [answer for answer in answers if not answer.is_missing]
    return present + [answer for answer in present if answer.is_repeated]


def documented_row(answer):
    verdict = {True: "yes", False: "no", None: ""}[answer.has_account]
    picture = answer.avatar, answer.age, answer.gender, answer.category, answer.hair_color, answer.skin_color
    return [answer.number, verdict, *picture]


def without_plus(rows):
    return [[row[0].removeprefix("+"), *row[1:]] for row in rows]


HEADER = ["Number", "telegram", "avatar", "age", "gender", "category", "hair_color", "skin_color"]


def read_csv(content):
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def read_xlsx(content):
    sheet = fastexcel.read_excel(content).load_sheet(0, header_row=None, dtypes="string")
    rows = zip(*sheet.to_arrow().to_pydict().values(), strict=True)
    return [["" if cell is None else cell for cell in row] for row in rows]


def fetched(caller, numbers=NUMBERS, task_type="tg_avatar"):
    task_id = caller.new_task(numbers, task_type)
    answer = caller.fetch(task_id)
    assert answer.status_code == 200
    return task_id, answer.content


def members(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if damaged := archive.testzip():
            raise zipfile.BadZipFile(damaged)
        return {name: archive.read(name) for name in archive.namelist()}


def test_rates_are_met_and_every_sort_of_number_occurs():
    with calling(**RATES) as caller:
        answers = [caller.sandbox.answers(number) for number in NUMBERS]
    assert 10 < sum(answer.is_missing for answer in answers) < 60
    assert 20 < sum(answer.is_repeated for answer in answers) < 80
    assert 40 < sum(answer.has_account is None for answer in answers) < 120
    assert {"unknown", "30-35", "25~34"} < {answer.age for answer in answers}
    assert {"Male", "male", "unknown", ""} < {answer.gender for answer in answers}
    assert {"pet_avatar", "pet avatar"} < {answer.category for answer in answers}
    pictureless = [answer for answer in answers if not answer.has_account]
    assert {answer.avatar for answer in pictureless} == {"", "unknown"}


def test_rates_of_zero_and_one_are_exact():
    with calling(missing_rate=0, repeated_rate=0, undetermined_rate=0) as caller:
        answers = [caller.sandbox.answers(number) for number in NUMBERS]
        assert not any(answer.is_missing or answer.is_repeated for answer in answers)
        assert {answer.has_account for answer in answers} == {True, False}
    with calling(missing_rate=1) as caller:
        _, content = fetched(caller)
        assert len(read_csv(next(iter(members(content).values())))) == 1


def test_folder_holds_the_same_rows_up_to_four_times():
    with calling(layout="folder", **RATES) as caller:
        task_id, content = fetched(caller)
        answers = expected_answers(caller)
        files = members(content)
        names = ["all.csv", "activated.txt", "unregistered.txt", "result.xlsx"]
        assert list(files) == [f"{task_id}/{name}" for name in names]
        table, activated, unregistered, workbook = files.values()
        rows = without_plus([HEADER, *map(documented_row, answers)])
        assert read_csv(table) == rows
        assert read_xlsx(workbook) == rows
        assert activated.decode().split() == [a.number[1:] for a in answers if a.has_account]
        assert unregistered.decode().split() == [a.number[1:] for a in answers if a.has_account is False]


def test_junk_is_the_folder_and_rubbish():
    with calling(layout="junk", **RATES) as caller:
        task_id, content = fetched(caller)
        files = members(content)
        assert {"README.txt", ".DS_Store", f"__MACOSX/{task_id}/._all.csv"} < set(files)
        assert len(read_csv(files[f"{task_id}/all.csv"])) == 1 + len(expected_answers(caller))


def test_single_is_one_documented_csv():
    with calling(layout="single", **RATES) as caller:
        task_id, content = fetched(caller)
        files = members(content)
        assert list(files) == [f"{task_id}.csv"]
        assert read_csv(files[f"{task_id}.csv"]) == [HEADER, *map(documented_row, expected_answers(caller))]


def test_parts_complete_each_other():
    with calling(layout="parts", **RATES) as caller:
        _, content = fetched(caller)
        parts = [read_csv(part) for part in members(content).values()]
        assert len(parts) == 3
        assert [part[0] for part in parts] == [HEADER] * 3
        assert all(len(part) > 100 for part in parts)
        rows = [row for part in parts for row in part[1:]]
        assert rows == [*map(documented_row, expected_answers(caller))]


def test_bare_csv_has_no_archive_around_it():
    with calling(layout="bare_csv", **RATES) as caller:
        _, content = fetched(caller)
        assert read_csv(content) == [HEADER, *map(documented_row, expected_answers(caller))]


def test_bare_xlsx_has_no_archive_around_it_and_numeric_numbers():
    with calling(layout="bare_xlsx", **RATES) as caller:
        _, content = fetched(caller)
        assert "xl/workbook.xml" in members(content)
        assert read_xlsx(content) == without_plus([HEADER, *map(documented_row, expected_answers(caller))])
        sheet = fastexcel.read_excel(content).load_sheet(0)
        assert sheet.to_arrow().schema[0].type == "double"


def test_verbose_speaks_the_dialect_with_a_mark_and_commas():
    with calling(layout="verbose", **RATES) as caller:
        _, content = fetched(caller)
        (table,) = members(content).values()
        assert table.startswith(b"\xef\xbb\xbfPhone,activated,uid,username,")
        rows = list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"), newline="")))
        answers = expected_answers(caller)
        assert len(rows) == len(answers)
        for row, answer in zip(rows, answers, strict=True):
            assert None not in row
            assert row["Phone"] == answer.number[1:]
            assert row["activated"] == {True: "true", False: "false", None: ""}[answer.has_account]
            assert [row["Avatar"], row["Gender"], row["Age"]] == [answer.avatar, answer.gender, answer.age]
        assert any("," in row["first_name"] for row in rows)


@pytest.mark.parametrize(
    ("task_type", "header", "verdicts"),
    [
        ("tg", ["Number", "telegram"], {"yes", "no", ""}),
        ("tg_active", ["Number", "telegram_days"], {"1", "7", "30", "N/A"}),
        ("ws", ["Number", "whatsapp"], {"yes", "no", ""}),
        (
            "ws_avatar",
            ["number", "activated", "age", "avatar", "category", "gender", "hair_color", "skin_color"],
            {"yes", "no", ""},
        ),
        ("active_check", ["Number", "ActiveStatus"], {"active", "inactive", "unknown"}),
    ],
)
def test_every_task_type_has_its_documented_columns(task_type, header, verdicts):
    with calling(layout="bare_csv", **RATES) as caller:
        _, content = fetched(caller, task_type=task_type)
        assert caller.sandbox.charges[0].task_type == task_type
        rows = read_csv(content)
        assert rows[0] == header
        assert {row[1] for row in rows[1:]} == verdicts
        assert [row[0] for row in rows[1:]] == [answer.number for answer in expected_answers(caller)]


def test_foreign_rows_were_never_asked_for():
    with calling(layout="bare_csv", foreign_rows=2) as caller:
        sent = ["+393330000000", *NUMBERS[:5]]
        _, content = fetched(caller, sent)
        strangers = [row[0] for row in read_csv(content)[1:] if row[0] not in sent]
        assert strangers == ["+393330000001", "+393330000002"]


def test_same_numbers_get_the_same_answers_in_every_run_and_others_by_seed():
    contents = []
    for seed in (0, 0, 1):
        with calling(layout="bare_csv", seed=seed) as caller:
            contents.append(fetched(caller)[1])
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_result_stays_the_same_at_every_download(caller):
    task_id = caller.new_task(NUMBERS)
    assert caller.fetch(task_id).content == caller.fetch(task_id).content


def test_large_results_come_without_the_workbook():
    with calling(processing_seconds=0) as caller:
        numbers = [f"+4179{n:07}" for n in range(100_001)]
        _, content = fetched(caller, numbers, task_type="tg")
        names = [name.rpartition("/")[2] for name in members(content)]
        assert names == ["all.csv", "activated.txt", "unregistered.txt"]


# ---------------------------------------------------------------- links


def test_result_lies_on_another_port_and_needs_no_key(caller):
    link = httpx.URL(caller.link(caller.new_task()))
    assert link.port != httpx.URL(caller.sandbox.base_url).port
    assert link.path == "/externalcheck/{0}/{0}.zip".format(caller.sandbox.tasks[0].task_id)
    assert link.params["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert caller.bare.get(link).status_code == 200
    assert caller.sandbox.leaks == []


@pytest.mark.parametrize("header", ["X-API-Key", "Authorization", "Cookie"])
def test_credentials_at_the_storage_host_are_noticed(caller, header):
    link = caller.link(caller.new_task())
    caller.bare.get(link, headers={header: "secret"})
    assert [call.credentials for call in caller.sandbox.leaks] == [(header.lower(),)]


def test_links_expire_and_are_issued_anew():
    with calling(link_seconds=60) as caller:
        task_id = caller.new_task()
        first = caller.link(task_id)
        caller.clock.now += 58
        assert caller.bare.get(first).status_code == 200
        caller.clock.now += 2
        expired = caller.bare.get(first)
        assert (expired.status_code, expired.headers["content-type"]) == (403, "application/xml")
        assert "<Message>Request has expired</Message>" in expired.text
        assert caller.fetch(task_id).status_code == 200


def test_every_poll_has_a_link_of_its_own(caller):
    task_id = caller.new_task()
    assert caller.link(task_id) != caller.link(task_id)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda url: url.copy_set_param("X-Amz-Signature", "0" * 64), id="signature"),
        pytest.param(lambda url: url.copy_remove_param("X-Amz-Signature"), id="unsigned"),
        pytest.param(lambda url: url.copy_set_param("X-Amz-Expires", "99999"), id="prolonged"),
        pytest.param(lambda url: url.copy_with(path="/externalcheck/another/another.zip"), id="another"),
        pytest.param(lambda url: url.copy_with(query=None), id="bare"),
    ],
)
def test_tampered_links_are_403(caller, spoil):
    answer = caller.bare.get(spoil(httpx.URL(caller.link(caller.new_task()))))
    assert answer.status_code == 403
    assert "<Code>AccessDenied</Code>" in answer.text


def test_storage_knows_nothing_else(caller):
    answer = caller.bare.post(f"{caller.sandbox.storage_url}/v1/tasks")
    assert answer.status_code == 404
    assert "<Code>NoSuchKey</Code>" in answer.text


# ---------------------------------------------------------------- chaos


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
    with socket.create_connection((url.host, url.port), timeout=10) as sock:
        head = f"GET /v1/balance HTTP/1.1\r\nHost: x\r\nX-API-Key: {caller.sandbox.api_key}\r\n\r\n"
        sock.sendall(head.encode())
        yield sock


@pytest.mark.parametrize(("kind", "charges"), [("stall_before", 0), ("stall", 1)])
def test_stall_answers_nothing_until_the_client_leaves(kind, charges):
    with after(f"create:1={kind}") as caller:
        with pytest.raises(httpx.ReadTimeout):
            caller.create(timeout=0.3)
        assert len(caller.sandbox.charges) == charges
        assert caller.create().status_code == 200


def test_stalled_request_does_not_hold_up_the_stop():
    with after("balance:*=stall") as caller, raw_request(caller) as sock:
        wait_until(lambda: caller.sandbox.calls)
        began = time.monotonic()
        caller.sandbox.stop()
        assert time.monotonic() - began < 2
        assert sock.recv(1) == b""


def wait_until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


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
            caller.create(timeout=0.2)
        link = caller.link(caller.sandbox.tasks[0].task_id)
        with pytest.raises(httpx.ReadTimeout):
            caller.bare.get(link, timeout=0.2)
        began = time.monotonic()
        caller.sandbox.stop()
        assert time.monotonic() - began < 2


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
        ({"chaos": ("creat:1=500",)}, r'no endpoint "creat"; there are create, poll'),
        ({"chaos": ("create:1=501",)}, r'no kind "501" for create; there are 400, '),
        ({"chaos": ("create:1=truncate",)}, r'no kind "truncate" for create'),
        ({"chaos": ("poll:1=completed_after",)}, r'no kind "completed_after" for poll'),
        ({"chaos": ("poll:0=500",)}, r'"0" is no position; write 3, 3-5, 3\+ or \*'),
        ({"chaos": ("poll:x=500",)}, r'"x" is no position'),
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


# ---------------------------------------------------------------- the servers


def test_calls_are_recorded_in_order_without_their_query(caller):
    task_id = caller.new_task()
    caller.fetch(task_id)
    assert [(call.server, call.method, call.path, call.status) for call in caller.sandbox.calls] == [
        ("api", "POST", "/v1/tasks", 200),
        ("api", "POST", "/v1/gettasks", 200),
        ("storage", "GET", f"/externalcheck/{task_id}/{task_id}.zip", 200),
    ]


def test_stop_leaves_no_thread_no_port_and_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = threading.active_count()
    with calling() as caller:
        sandbox = caller.sandbox
        fetched(caller)
        assert list(tmp_path.iterdir())
    assert threading.active_count() == before
    assert list(tmp_path.iterdir()) == []
    for url in (sandbox.base_url, sandbox.storage_url):
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
    sandbox.stop()


def test_client_that_leaves_during_its_upload_costs_nothing(caller):
    url = httpx.URL(caller.sandbox.base_url)
    with socket.create_connection((url.host, url.port)) as sock:
        head = "POST /v1/tasks HTTP/1.1\r\nHost: x\r\nX-API-Key: sandbox-key\r\nContent-Length: 9999\r\n"
        sock.sendall(f"{head}Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n".encode())
        wait_until(lambda: caller.sandbox.calls)
    assert caller.create().status_code == 200
    assert len(caller.sandbox.charges) == 1


def test_taken_port_is_an_error_and_leaves_nothing_open(caller):
    taken = httpx.URL(caller.sandbox.base_url).port
    for ports in ({"port": taken}, {"storage_port": taken}):
        with pytest.raises(OSError, match="in use"):
            Sandbox(**ports).start()


def test_given_ports_are_used():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    with Sandbox(port=port) as sandbox:
        assert sandbox.base_url == f"http://127.0.0.1:{port}"


SERVE = """
import sys
from ekyc_tasks.sandbox import SandboxOptions, serve
serve(SandboxOptions(), port=0, storage_port=0, announce=lambda box: print(box.base_url, flush=True))
print("stopped")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_runs_until_it_is_told_to_stop(number):
    command = [sys.executable, "-W", "error", "-c", SERVE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        base_url = process.stdout.readline().strip()
        assert httpx.get(f"{base_url}/_sandbox/charges").json()["total_numbers"] == 0
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "stopped\n", "")


def test_layouts_are_all_tested_here():
    source = Path(__file__).read_text()
    assert all(f'layout="{layout}"' in source for layout in LAYOUTS)


def test_sandbox_imports_nothing_of_the_client():
    allowed = {*sys.stdlib_module_names, "starlette", "uvicorn"}
    for module in Path(ekyc_tasks.sandbox.__file__).parent.glob("*.py"):
        for name in imported(module):
            assert name.partition(".")[0] in allowed or name.startswith("ekyc_tasks.sandbox"), module.name


def imported(module):
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
