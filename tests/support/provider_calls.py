"""Questions to a provider at any address, far sides that say nothing, and the patience with each."""

from __future__ import annotations

import asyncio
import io
import time
import traceback

from support.raw_server import as_json, read_request, wait_for_the_client_to_leave

from ekyc_tasks.provider import Provider, ResultHosts, Timeouts, download

KEY = "key-CANARY-d41d8cd9"
NUMBERS = b"+41790000001\n+41790000002\n+41790000003\n"
TASK_ID = "d4g24nep2jvh04o9uoh0"
TASK = as_json({"task_id": TASK_ID, "status": "pending"})
PAGE = b"<html><head><title>Oops</title></head><body><h1>Bad Gateway</h1></body></html>"
PATIENCE = Timeouts(connect=30, read=30, write=30, pool=30)
IMPATIENCE = Timeouts(connect=1, read=1)  # where nothing will come
LOCAL = ResultHosts((), is_local=True)
S3 = ResultHosts(("*.amazonaws.com",), is_local=False)


def ask(url, question, *, timeouts=PATIENCE):
    """The answer to one question to the provider at ``url``."""

    async def asking():
        async with Provider(url, KEY, timeouts=timeouts) as provider:
            return await question(provider)

    return asyncio.run(asking())


def upload(url, *, content=NUMBERS, deadline=30.0, timeouts=PATIENCE):
    return ask(
        url,
        lambda provider: provider.upload(
            io.BytesIO(content), name="batch-1.txt", task_type="tg_avatar", deadline=deadline
        ),
        timeouts=timeouts,
    )


def task(url, **options):
    return ask(url, lambda provider: provider.task(TASK_ID), **options)


def balance(url, **options):
    return ask(url, lambda provider: provider.balance(), **options)


def fetched(link, into, *, hosts=LOCAL, timeouts=PATIENCE):
    return asyncio.run(download(link, into, hosts=hosts, timeouts=timeouts))


def stalled(connection):
    read_request(connection)
    wait_for_the_client_to_leave(connection)


def dropped(connection):
    """An orderly close, no byte of an answer."""
    read_request(connection)


def patience_with(answer):
    """Little where nothing will come; elsewhere nobody has to be fast."""
    return IMPATIENCE if callable(answer) and answer is not dropped else PATIENCE


def trickling(head, drop):
    def answer(connection):
        read_request(connection)
        connection.sendall(head)
        while True:
            time.sleep(0.05)
            connection.sendall(drop)

    return answer


ARCHIVE = b"PK\x05\x06" + bytes(range(256)) * 4000
SIGNED = "/externalcheck/x/x.zip?X-Amz-Signature=SIGNATURE-CANARY&X-Amz-Expires=300%2F1#top"


def everything(error):
    return "".join(traceback.format_exception(error)) + repr(error) + str(error)
