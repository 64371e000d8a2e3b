"""The fetch step: an archive is stored once, as received, or not at all."""

from __future__ import annotations

import base64
import io
import sqlite3
import zipfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from support.archive_files import DOCUMENTED, zip_bytes
from support.batch_fixture import FETCHED, HOUR, IMPATIENCE, KEY, NUMBERS, PATIENCE, SUBMITTED, submitted
from support.fake_clock import FakeClock
from support.raw_server import RawServer, as_json, http, read_request

from ekyc_tasks.errors import (
    AccessDenied,
    DownloadIncomplete,
    LeaseLost,
    LinkExpired,
    ProviderTrouble,
    ResultHostRefused,
)
from ekyc_tasks.provider import ResultHosts

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("no_certificates")]


def whole_zip(text="Number,telegram\n"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("all.csv", text * 50)
    return file.getvalue()


def damaged_zip(text):
    """Another checksum in its directory than its bytes have."""
    content = bytearray(whole_zip(text))
    content[content.index(b"PK\x01\x02") + 16] ^= 0xFF
    return bytes(content)


@pytest.mark.parametrize("layout", ["folder", "bare_csv", "bare_xlsx", "junk"])
def test_archive_is_stored_once_as_received(bench, layout):
    with submitted(bench, layout=layout):
        assert bench.poll() is True
        bench.fetch()
        assert bench.way[-2:] == [SUBMITTED, FETCHED]
        content = bench.archive.read_bytes()
        assert (bench.batch.archive_size, bench.batch.archive_sha256) == (
            len(content),
            sha256(content).hexdigest(),
        )
        assert bench.archive.stat().st_mode & 0o777 == 0o600
        assert bench.folder.raw.stat().st_mode & 0o777 == 0o700
        assert list(bench.folder.staging.iterdir()) == []
        asked = len(bench.sandbox.calls)
        bench.fetch()
        assert len(bench.sandbox.calls) == asked
        assert bench.downloads == 1


def test_time_of_the_answers_is_the_provider_s_last_update(bench):
    with submitted(bench, processing_seconds=60):
        done_at = bench.clock.now() + timedelta(seconds=60)
        bench.poll()
        bench.clock.advance(500)
        bench.fetch()
    assert abs(bench.batch.checked_at - done_at) < timedelta(seconds=1)
    assert bench.batch.checked_at < bench.batch.exported_at + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("updated_at", "was_polled", "expected"),
    [
        ("2025-11-21T08:27:10.241Z", True, datetime(2025, 11, 21, 8, 27, 10, 241000, UTC)),
        ("2025-11-21T08:27:10.241Z", False, datetime(2025, 11, 21, 8, 27, 10, 241000, UTC)),
        (None, True, FakeClock().now()),
        ("rubbish", True, FakeClock().now()),
        (None, False, FakeClock().now() + timedelta(seconds=100)),
    ],
)
def test_time_of_the_answers_is_else_when_the_result_was_first_seen(bench, updated_at, was_polled, expected):
    bench.as_submitted()
    with RawServer(http(200, whole_zip())) as storage:
        document = {"status": "exported", "result_url": f"{storage.url}/r", "updated_at": updated_at}
        with RawServer(http(200, as_json(document))) as server:
            bench.url = server.url
            if was_polled:
                assert bench.poll() is True
            bench.clock.advance(100)
            bench.fetch()
    assert bench.batch.checked_at == expected


DAY = timedelta(days=1)
NOW = FakeClock().now() + 5 * DAY


@pytest.fixture
def uploaded(bench):
    """Planned five days before."""
    bench.clock.advance(5 * DAY.total_seconds())
    with submitted(bench):
        yield bench


def fetch_dated(bench, updated_at):
    with RawServer(http(200, whole_zip())) as storage:
        document = {"status": "exported", "result_url": f"{storage.url}/r", "updated_at": updated_at}
        with RawServer(http(200, as_json(document))) as server:
            bench.url = server.url
            bench.fetch()
    return bench.batch


@pytest.mark.parametrize(
    "impossible",
    [
        "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z",
        (NOW - DAY - timedelta(seconds=1)).isoformat(), (NOW + DAY + timedelta(seconds=1)).isoformat(),
    ],
)  # fmt: skip
@pytest.mark.parametrize("was_polled", [True, False])
def test_a_time_that_cannot_be_true_is_not_believed(uploaded, impossible, was_polled):
    if was_polled:
        uploaded.ledger.progress.exported(uploaded.batch.batch_id, NOW, run_id=uploaded.run_id)
    batch = fetch_dated(uploaded, impossible)
    assert (batch.checked_at, batch.exported_at) == (NOW, NOW)


@pytest.mark.parametrize("offset", [-DAY, -DAY / 2, DAY / 2, DAY])
def test_a_time_within_a_day_of_the_upload_and_of_now_is_believed(uploaded, offset):
    batch = fetch_dated(uploaded, (NOW + offset).isoformat())
    assert (batch.checked_at, batch.exported_at) == (NOW + offset, None)


def xid(moment):
    raw = int(moment.timestamp()).to_bytes(4, "big") + b"\xff" * 8
    return base64.b32hexencode(raw).decode().rstrip("=").lower()


@pytest.mark.parametrize(
    ("task_id", "believed", "not_believed"),
    [
        (xid(NOW - 30 * DAY), NOW - 30 * DAY, NOW - 32 * DAY),
        (xid(datetime(1970, 1, 2, tzinfo=UTC)), NOW, datetime(1970, 1, 2, tzinfo=UTC)),
        ("910000000000", NOW - 6 * DAY, NOW - 7 * DAY),  # says nothing, so it may be as old as the plan
        ("91000000000000000000", NOW - 6 * DAY, NOW - 7 * DAY),
    ],
)
def test_for_an_adopted_task_the_time_of_its_id_counts(uploaded, task_id, believed, not_believed):
    bench = uploaded
    with sqlite3.connect(bench.ledger_file) as connection:  # not the task of our upload
        connection.execute("UPDATE batches SET task_id = ?", [task_id])
    expected = {believed: believed, not_believed: NOW}
    found = {}
    for updated_at in expected:
        found[updated_at] = fetch_dated(bench, updated_at.isoformat()).checked_at
        with sqlite3.connect(bench.ledger_file) as connection:
            connection.execute("UPDATE batches SET state = 'submitted', exported_at = NULL")
        bench.archive.unlink()
    assert found == expected


@pytest.mark.parametrize("times", [1, 2])
def test_link_that_does_not_open_is_asked_for_anew(bench, times):
    with submitted(bench, f"fetch:1-{times}=link_expired"):
        bench.fetch()
        assert bench.state is FETCHED
        assert bench.downloads == times + 1


@pytest.mark.parametrize("trouble", ["link_expired", "403", "404", "410"])
def test_links_that_never_open_are_given_up_for_this_time(bench, trouble):
    with submitted(bench, f"fetch:1-3={trouble}"):
        with pytest.raises(LinkExpired):
            bench.fetch()
        assert (bench.state, bench.downloads) == (SUBMITTED, 3)
        assert not bench.archive.exists()
        assert list(bench.folder.staging.iterdir()) == []
        bench.fetch()
        assert bench.state is FETCHED


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        ("truncate", DownloadIncomplete),
        ("corrupt", DownloadIncomplete),
        ("html", DownloadIncomplete),
        ("empty", DownloadIncomplete),
        ("reset", ProviderTrouble),
        ("stall", ProviderTrouble),
        ("503", ProviderTrouble),
        ("429", ProviderTrouble),
        ("redirect", ProviderTrouble),
    ],
)
def test_download_that_went_wrong_leaves_nothing_and_may_be_tried_again(bench, trouble, error):
    with submitted(bench, f"fetch:1={trouble}"):
        with pytest.raises(error):
            bench.fetch(timeouts=IMPATIENCE if trouble == "stall" else PATIENCE)
        assert bench.state is SUBMITTED
        assert not bench.archive.exists()
        assert list(bench.folder.staging.iterdir()) == []
        bench.fetch()
        assert bench.state is FETCHED
        assert zipfile.ZipFile(bench.archive).testzip() is None


@contextmanager
def storing(bench, *answers):
    """A paid batch whose result is whatever a raw storage host sends."""
    bench.as_submitted()
    with RawServer(*answers) as storage:
        document = {"status": "exported", "result_url": f"{storage.url}/r?X-Amz-Signature=CANARY"}
        with RawServer(http(200, as_json(document))) as server:
            bench.url = server.url
            yield storage


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html><body>Maintenance</body></html>", id="a page"),
        pytest.param(b"\n\n  <?xml version='1.0'?><Error/>", id="a page after blank lines"),
        pytest.param(b"\xef\xbb\xbf<!DOCTYPE html>", id="a page with a BOM"),
        pytest.param(b'{"error": "internal_error"}', id="JSON"),
        pytest.param(b"   \r\n", id="blanks"),
        pytest.param(whole_zip()[:-30], id="a ZIP without its end"),
        pytest.param(whole_zip()[:60], id="the head of a ZIP"),
        pytest.param(b"PK\x03\x04", id="four bytes"),
        pytest.param(damaged_zip("+41790000001,yes"), id="a ZIP with another checksum"),
    ],
)
def test_what_is_no_archive_is_not_kept(bench, body):
    # Without a length, as a proxy may send it: nothing but the bytes can tell.
    with storing(bench, b"HTTP/1.0 200 OK\r\n\r\n" + body):
        with pytest.raises(DownloadIncomplete) as caught:
            bench.fetch()
        assert "CANARY" not in str(caught.value)
        assert bench.state is SUBMITTED
        assert not bench.archive.exists()


def encrypted_zip():
    """Whole, but with the flag of a password: a matter for `load`, and not for another download."""
    content = bytearray(whole_zip())
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + flags] |= 1
    return bytes(content)


def zip_by(method):
    return zip_bytes({"all.csv": DOCUMENTED}, method)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(whole_zip(), id="a ZIP"),
        pytest.param(zip_by(zipfile.ZIP_BZIP2), id="a ZIP by a method that is not read"),
        pytest.param(zip_by(zipfile.ZIP_BZIP2).replace(b"\x0c\0", b"\x63\0"), id="by one that nobody knows"),
        pytest.param(zip_bytes(dict.fromkeys(map(str, range(10_001)), "")), id="a ZIP of too many members"),
        pytest.param(damaged_zip("0" * 1_000_000), id="a ZIP that swells, and is not read to check it"),
        pytest.param(encrypted_zip(), id="a ZIP with a password"),
        pytest.param(b"Number,telegram\n+41790000001,yes\n", id="a CSV"),
        pytest.param(b"\xef\xbb\xbfNumber,telegram\n", id="a CSV with a BOM"),
        pytest.param(b"\x1f\x8b\x08rest", id="gzip"),
    ],
)
def test_whatever_may_be_an_archive_is_kept_as_received(bench, body):
    with storing(bench, b"HTTP/1.0 200 OK\r\n\r\n" + body):
        bench.fetch()
    assert bench.state is FETCHED
    assert bench.archive.read_bytes() == body


def test_archive_that_is_there_already_is_not_downloaded_again(bench):
    bench.folder.raw.mkdir(parents=True)
    bench.archive.write_bytes(b"from a run that died before it could tell the ledger")
    with storing(bench, http(200, whole_zip())) as storage:
        bench.fetch()
        assert storage.connections == 0
    assert bench.archive.read_bytes().startswith(b"from a run")
    assert bench.batch.archive_sha256 == sha256(bench.archive.read_bytes()).hexdigest()


def test_archive_that_another_run_stores_meanwhile_is_not_overwritten(bench):
    def answer(connection):
        read_request(connection)
        bench.folder.raw.mkdir(parents=True)
        bench.archive.write_bytes(b"the other run was faster")
        connection.sendall(http(200, whole_zip()))

    with storing(bench, answer):
        bench.fetch()
    assert bench.archive.read_bytes() == b"the other run was faster"
    assert bench.batch.archive_size == 24


def test_stale_owner_does_not_mark_a_batch_fetched(bench):
    bench.ledger.runs.opened("run-2", host="there", lease=HOUR)
    with storing(bench, http(200, whole_zip())):
        bench.set(owner="run-2")
        with pytest.raises(LeaseLost):
            bench.fetch()
    assert bench.state is SUBMITTED


def test_host_that_nobody_allowed_is_named_and_not_asked(bench):
    with storing(bench, http(200, whole_zip())) as storage:
        with pytest.raises(ResultHostRefused, match=r"127\.0\.0\.1") as caught:
            bench.fetch(hosts=ResultHosts(("*.amazonaws.com",), is_local=False))
        assert storage.connections == 0
    assert "CANARY" not in str(caught.value)
    assert bench.state is SUBMITTED


@pytest.mark.parametrize("trouble", ["completed", "no_link", "404", "503", "html"])
def test_result_that_is_not_offered_any_more_is_asked_for_again(bench, trouble):
    with submitted(bench, f"poll:1={trouble}"):
        with pytest.raises(ProviderTrouble):
            bench.fetch()
        assert (bench.state, bench.downloads) == (SUBMITTED, 0)
        bench.fetch()
        assert bench.state is FETCHED


def test_key_that_is_turned_down_ends_the_fetch(bench):
    with submitted(bench, "poll:1=401"), pytest.raises(AccessDenied):
        bench.fetch()


def test_ledger_and_spool_hold_no_link_no_key_and_no_number(bench):
    with submitted(bench, "poll:1=503,poll:2=no_link,fetch:1=link_expired"):
        assert bench.poll() is True
        bench.fetch()
        bench.ledger.close()
        with sqlite3.connect(bench.ledger_file) as ledger:
            told = "\n".join(ledger.iterdump())
        ledger.close()
        assert bench.batch.task_id in told
        for secret in ("X-Amz", "externalcheck", bench.sandbox.storage_url, KEY, NUMBERS[0][1:]):
            assert secret not in told
