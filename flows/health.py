"""Is there a Prefect server, the right one, with the pool, the deployments and a worker that are needed?"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import prefect
from prefect.settings import PREFECT_API_URL

from ekyc_tasks.errors import ConfigurationError

POOL = "ekyc"
DEPLOYMENTS = ("check-numbers", "resolve", "replay")
_PATIENCE = 5.0  # seconds


def check_server() -> str | None:
    """Its version; None where no server is set and each run brings its own.

    ConfigurationError when the one that is set does not answer, or is of another version.
    """
    url = PREFECT_API_URL.value()
    if url is None:
        return None
    try:
        version = str(_asked(f"{url}/admin/version"))
    except (OSError, ValueError):
        raise ConfigurationError(
            f"No Prefect server answers at {url}: start it (`ekyc up` does), or unset PREFECT_API_URL."
        ) from None
    if _series(version) != _series(prefect.__version__):
        raise ConfigurationError(
            f"The Prefect server at {url} is {version}, and this is {prefect.__version__}: "
            "install the same version on both sides."
        )
    return version


def missing_parts() -> Iterator[str]:
    """A sentence with its remedy for each part that scheduled runs need and do not have."""
    url = PREFECT_API_URL.value()
    if url is None:
        return
    try:
        workers = _asked(f"{url}/work_pools/{POOL}/workers/filter", {})
    except urllib.error.HTTPError:
        yield (
            f"There is no work pool {POOL} on {url}: `prefect work-pool create {POOL} --type process`, "
            "then `prefect --no-prompt deploy --all` in the checkout."
        )
        return
    if not any(worker["status"] == "ONLINE" for worker in workers):
        yield f"No worker of the pool {POOL} is online: `prefect worker start --pool {POOL}`."
    for name in DEPLOYMENTS:
        try:
            deployment = _asked(f"{url}/deployments/name/{name}/{name}")
        except urllib.error.HTTPError:
            yield f"{name} is not deployed: `prefect --no-prompt deploy --all` in the checkout."
            continue
        if deployment["paused"]:
            yield f"{name} is paused: resume it in the UI."


def _asked(url: str, body: dict[str, Any] | None = None) -> Any:
    request = urllib.request.Request(  # noqa: S310 - the server that the user has set
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310
        return json.load(answer)


def _series(version: str) -> list[str]:
    return version.split(".")[:2]
