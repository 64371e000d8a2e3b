"""Is there a Prefect server of the right version, with the pool, the deployments and a worker?"""

from __future__ import annotations

import json
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import prefect
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_EPHEMERAL_ENABLED

from ekyc_tasks.errors import ConfigurationError

POOL = "ekyc"
DEPLOYMENTS = ("check-numbers", "resolve", "replay")
_ANSWER_SECONDS = 5.0


def check_server() -> str | None:
    """Its version; None where no server is set and each run brings its own.

    ConfigurationError when the one that is set does not answer, or is of another version.
    """
    url = PREFECT_API_URL.value()
    if url is None:
        return None
    try:
        version = str(_ask(f"{url}/admin/version"))
    except (OSError, ValueError):
        raise ConfigurationError(
            f"No Prefect server answers at {url}. Start it (`ekyc up` does this), or unset PREFECT_API_URL."
        ) from None
    if _series(version) != _series(prefect.__version__):
        raise ConfigurationError(
            f"The Prefect server at {url} is version {version}, but this program uses {prefect.__version__}. "
            "Install the same version on both sides."
        )
    return version


def start_server() -> None:
    """The temporary server of a run, where one is needed and allowed.

    A terminal sends Ctrl-C to every process of the command. The run ends properly with its server's help,
    and waits for minutes where the server has ended first. So a thread that blocks SIGINT starts the server,
    which inherits that, and the main thread hears the signal in the meantime.
    """
    if PREFECT_API_URL.value() is not None or not PREFECT_SERVER_EPHEMERAL_ENABLED.value():
        return
    errors: list[Exception] = []

    def start() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            get_client(sync_client=True)
        except Exception as error:  # raised below, in the main thread
            errors.append(error)

    starting = threading.Thread(target=start, daemon=True)
    starting.start()
    starting.join()
    if errors:
        raise errors[0]


def missing_parts() -> Iterator[str]:
    """A sentence with its remedy for each part that scheduled runs need and do not have."""
    url = PREFECT_API_URL.value()
    if url is None:
        return
    try:
        workers = _ask(f"{url}/work_pools/{POOL}/workers/filter", {})
    except urllib.error.HTTPError:
        yield (
            f"There is no work pool {POOL} on {url}. Run `prefect work-pool create {POOL} --type process`, "
            "then `prefect --no-prompt deploy --all` in the checkout."
        )
        return
    if not any(worker["status"] == "ONLINE" for worker in workers):
        yield f"No worker of the work pool {POOL} is online. Start one: `prefect worker start --pool {POOL}`."
    for name in DEPLOYMENTS:
        try:
            deployment = _ask(f"{url}/deployments/name/{name}/{name}")
        except urllib.error.HTTPError:
            yield f"{name} is not deployed. Run `prefect --no-prompt deploy --all` in the checkout."
            continue
        if deployment["paused"]:
            yield f"The deployment {name} is paused. Resume it in the Prefect UI."


def _ask(url: str, body: dict[str, Any] | None = None) -> Any:
    request = urllib.request.Request(  # noqa: S310 - the server that the user has set
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310
        return json.load(answer)


def _series(version: str) -> list[str]:
    return version.split(".")[:2]
