"""After a chaotic demo, no key, link or number is anywhere but in the files that are made to hold numbers."""

from __future__ import annotations

import json
import re
import urllib.error
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.deployed import Deployed
from support.workstation import ROOT, chaotic, wait_until

pytestmark = pytest.mark.flow

KEY = "canary-key-5f0c1d7e"
NUMBERS = [f"+4179829{index:04}" for index in range(4000, 4120)]
NEVER_BOUGHT = [f"+4179829{index:04}" for index in range(7000, 7012)]  # in names, headers, broken lines
LINK = f"https://wapic.s3.amazonaws.com/externalcheck/x.zip?X-Amz-Signature={'c0ffee' * 4}"
SECRETS = (KEY, "X-Amz-Signature", "X-Amz-Security-Token", "externalcheck/", "c0ffeec0ffee")
# The numbers themselves belong into these, and nowhere else.
PERSONAL = {"landing", "inputs", "batches", "raw", "warehouse", "quarantine", "exports", ".keys"}
AS_LANDED = {"landing", "inputs", "quarantine"}  # broken lines, byte by byte
NAMED = NEVER_BOUGHT[6]  # a file that can be read is called so, and its name finds it again
KNOWS_NAMES = {"ledger.db", "ledger.db-wal", "what ekyc status --json said"}
CHAOS = (
    "create:1=429", "create:2=reset_after", "create:3=failed", "create:4=400", "create:6=500",
    "poll:2=503", "poll:4=html", "poll:6=404", "exported:1=no_link",
    "fetch:1=link_expired", "fetch:2=truncate", "fetch:3=redirect", "balance:2=empty",
)  # fmt: skip
DEFECTS = (
    ("ekyc_tasks.results.load", "load_archive", "ValueError", [f"{NEVER_BOUGHT[0]} {LINK} {KEY}"]),
    (
        "ekyc_tasks.results.load",
        "load_archive",
        "OSError",
        [28, "No space left", f"/x/{NEVER_BOUGHT[1]}.csv"],
    ),
    ("ekyc_tasks.flows.artifacts", "run_page", "RuntimeError", [f"{NEVER_BOUGHT[0]} {LINK} {KEY}"]),
)


@pytest.fixture
def options():
    behaviour = {"missing_rate": 0.05, "repeated_rate": 0.05, "odd_rate": 0.2, "foreign_rows": 3}
    return chaotic(*CHAOS, api_key=KEY, processing_seconds=0.3, **behaviour)


def loud(desk) -> dict[str, str]:
    """The worker's environment: whatever can be logged is."""
    names = "ekyc_tasks,httpx,httpcore"
    return {**desk.environment, "PREFECT_LOGGING_LEVEL": "DEBUG", "PREFECT_LOGGING_EXTRA_LOGGERS": names}


@contextmanager
def worker(deployed: Deployed, name: str, defect: tuple | None = None) -> Iterator[None]:
    """With a defect in every run that it starts."""
    plan = deployed.folder / "defect-at"
    if defect is not None:
        plan.write_text(json.dumps(dict(zip(("module", "name", "kind", "words"), defect, strict=True))))
    inside = {
        "PYTHONPATH": str(ROOT / "tests/support/trials/defective"),
        "LEAKS_FOLDER": str(deployed.folder),
    }
    try:
        with deployed.worker(name, environment=inside):
            yield
    finally:
        plan.unlink(missing_ok=True)  # it holds what is looked for


def test_no_key_link_or_number_is_anywhere_after_a_chaotic_demo(desk):
    desk.settings |= {"EKYC_BATCH_SIZE": "20", "EKYC_MAX_WAIT": "20s", "EKYC_PRICE_PER_10K": "4.50"}
    deployed = Deployed(desk.server, desk.data, loud(desk))
    try_to_type_numbers(deployed)
    land_everything(desk)

    with worker(deployed, "first"):
        assert run(deployed, "check-numbers").startswith("Held: 1 batch")
        try_to_decide_with_a_number(deployed)
        run(deployed, "check-numbers", dry_run=True)
    for index, defect in enumerate(DEFECTS):
        desk.drop(f"more-{index}.txt", *(f"+4179829{5000 + 20 * index + each}" for each in range(20)))
        with worker(deployed, f"defect-{index}", defect):
            assert run(deployed, "check-numbers").startswith(("Held", "Failed"))
    with worker(deployed, "last"):
        run(deployed, "check-numbers")
        run(deployed, "replay")
    batch = desk.status()["batches"][0]["batch_id"]
    commands = ("status --json", "plan", "replay --all", "doctor", f"status {batch}", "--debug run", "run")
    said = {f"what ekyc {command} said": output(desk, command) for command in commands}
    wait_until(lambda: b"unexpected RuntimeError" in desk.server.stored_bytes(), what="the last logs")

    places = said | dict(searched(desk))
    assert list(leaks(places)) == []
    known = [number for path in (desk.data / "inputs").iterdir() for number in numbers_in(path)]
    assert len(known) > 100  # the search would find them
    for words in (b"check-numbers", batch.encode(), b"unexpected ValueError at ekyc_tasks/", b"[number].txt"):
        assert words in places["Prefect's database"], words
    assert "held" in desk.states()


def run(deployed: Deployed, name: str, **request) -> str:
    """The name of the state that it ends in."""
    return deployed.ended(deployed.start(name, **request))[1]


def output(desk, command: str) -> bytes:
    done = desk.ekyc(*command.split())
    return (done.stdout + done.stderr).encode()


def numbers_in(path: Path) -> list[str]:
    return re.findall(r"79829\d{4}", path.read_text(errors="replace"))


def try_to_type_numbers(deployed: Deployed) -> None:
    """A form that holds a number is refused before it is kept."""
    number, digits = NEVER_BOUGHT[2], NEVER_BOUGHT[3].lstrip("+")
    for request in (
        {"files": [f"{number}.txt"]},
        {"files": [f"{digits}.csv", "*.csv"]},
        {"files": [f"{digits}*"]},
        {"task_type": number},
        {"max_wait": digits},
        {"limit": int(digits)},
        {"budget": int(digits)},
        {number: True},
    ):
        with pytest.raises(urllib.error.HTTPError, match="409"):
            deployed.start("check-numbers", **request)
    with pytest.raises(urllib.error.HTTPError, match="409"):
        deployed.start("replay", batches=[digits])


def land_everything(desk) -> None:
    """Numbers where they belong, and where nobody wants them: in broken lines, headers, names."""
    odd = NEVER_BOUGHT[4:]
    desk.drop("list.txt", *NUMBERS[:60], f"call {odd[0]} or {odd[1].replace('+', '00')} now", f"{LINK} {KEY}")
    desk.drop(f"{NAMED.lstrip('+')}.txt", *NUMBERS[60:90])
    desk.drop(f"{odd[3]}.doc", NUMBERS[90])
    desk.drop(f"crm/{odd[4].lstrip('+')}/empty-{odd[5]}.csv")
    desk.drop("headed.csv", f"phone,{odd[6]}", *(f"{number},x" for number in NUMBERS[90:110]))
    with zipfile.ZipFile(desk.data / "landing" / "packed.zip", "w") as packed:
        packed.writestr(f"{odd[7]}.csv", "phone\n" + "\n".join(NUMBERS[110:]))


def try_to_decide_with_a_number(deployed: Deployed) -> None:
    waiting = deployed.start("resolve")
    wait_until(lambda: deployed.state(waiting)[0] == "PAUSED", seconds=120, what="the form")
    number = NEVER_BOUGHT[3]
    for answer in ({"reason": f"she is {number}"}, {"task_id": number.lstrip("+")}, {"batch": number}):
        said = deployed.server.ask(f"/flow_runs/{waiting}/resume", {"run_input": answer})
        assert said["status"] == "REJECT", said
    deployed.click(waiting, {"type": "CANCELLED"})


def searched(desk) -> Iterator[tuple[str, bytes]]:
    """Whatever was written anywhere, by name; and the names."""
    server, root = desk.server, desk.data
    yield "Prefect's database", server.stored_bytes()
    yield from ((f"Prefect's {path.name}", path.read_bytes()) for path in server.home.rglob("*.log"))
    yield from ((f"the result {path.name}", path.read_bytes()) for path in server.home.glob("storage/*"))
    for path in root.rglob("*"):
        place = path.relative_to(root)
        if place.parts[0] not in PERSONAL:
            yield f"the name {place}", str(place).encode()
        if path.is_file():
            yield str(place), path.read_bytes()


def leaks(places: dict[str, bytes]) -> Iterator[str]:
    # the microseconds of a time and the year of the next one look like a number once in a hundred runs
    anywhere = re.compile(rb"(?<!:\d\d\.)79[\s.-]?829[\s.-]?[457]\d[\s.-]?\d\d")
    for place, content in places.items():
        folder = place.split("/")[0]
        if folder not in AS_LANDED:
            yield from (f"{place} holds {secret}" for secret in SECRETS if secret.encode() in content)
        if folder not in PERSONAL:
            found = {match.decode() for match in anywhere.findall(content)}
            allowed = {NAMED.lstrip("+")[2:]} if place in KNOWS_NAMES else set()
            yield from (f"{place} holds {number}" for number in sorted(found - allowed))
