"""Links: on another port, for a while, and not to be tampered with."""

from __future__ import annotations

import httpx
import pytest
from support.sandbox_calls import calling

pytestmark = pytest.mark.integration


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
