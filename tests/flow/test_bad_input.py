"""Whatever goes wrong ends in a sentence that names the file or batch, an exit code, and nothing lost."""

from __future__ import annotations

import pytest
from desk import NUMBERS, chaotic

pytestmark = pytest.mark.flow


def said(run) -> str:
    """Everything on the terminal; a traceback is never part of it."""
    text = run.stdout + run.stderr
    assert "Traceback" not in text
    assert not any(number.lstrip("+") in text for number in NUMBERS)
    return text


@pytest.mark.parametrize(
    ("settings", "exit_code", "words"),
    [
        ({"EKYC_API_KEY": ""}, 2, "EKYC_API_KEY"),
        ({"EKYC_API_KYE": "x"}, 2, "EKYC_API_KYE"),
        ({"EKYC_MAX_WAIT": "soon"}, 2, "EKYC_MAX_WAIT"),
        ({"EKYC_BASE_URL": "http://provider.invalid"}, 2, "EKYC_BASE_URL"),
        ({"EKYC_TASK_TYPE": "tarot"}, 2, "tarot"),
        ({"EKYC_LEDGER_URL": "nonsense"}, 2, "EKYC_LEDGER_URL"),
        ({"EKYC_LEDGER_URL": "postgresql://me:sesame@127.0.0.1:9/ekyc"}, 2, "EKYC_LEDGER_URL"),
    ],
)
def test_a_wrong_setting_is_said_at_once_and_nothing_is_touched(desk, settings, exit_code, words):
    path = desk.drop("numbers.txt", *NUMBERS)
    desk.settings.update(settings)

    run = desk.ekyc("run")

    assert (run.returncode, words in said(run)) == (exit_code, True)
    assert path.exists()
    assert desk.sandbox.calls == []


def test_a_wrong_key_costs_nothing_and_the_right_one_goes_on(desk):
    desk.drop("numbers.txt", *NUMBERS)
    desk.settings["EKYC_API_KEY"] = "mistyped"

    wrong = desk.ekyc("run")

    assert (wrong.returncode, "EKYC_API_KEY" in said(wrong), "mistyped" in said(wrong)) == (2, True, False)
    assert (desk.states(), desk.sandbox.charges) == (["planned"], [])

    del desk.settings["EKYC_API_KEY"]
    assert desk.ekyc("run").returncode == 0
    assert len(desk.sandbox.charges) == 1


def test_a_file_without_a_byte_is_told_once(desk):
    path = desk.drop("nothing.txt")

    run = desk.ekyc("run")

    assert (run.returncode, said(run).count("nothing.txt is empty")) == (5, 1)
    assert path.exists()
    assert desk.sandbox.calls == []


def test_a_provider_that_is_not_there_is_tried_again_by_the_next_run(desk):
    desk.drop("numbers.txt", *NUMBERS)
    desk.settings["EKYC_BASE_URL"] = "http://127.0.0.1:9"

    run = desk.ekyc("run")

    assert (run.returncode, "127.0.0.1:9 could not be reached" in said(run)) == (6, True)
    assert desk.states() == ["planned"]


@pytest.mark.parametrize("options", [chaotic("create:1=html")])
def test_an_answer_that_is_a_page_holds_the_batch_and_shows_the_evidence(desk):
    desk.drop("numbers.txt", *NUMBERS)

    run = desk.ekyc("run")
    batch_id = desk.status()["batches"][0]["batch_id"]
    shown = desk.ekyc("status", batch_id)

    assert (run.returncode, batch_id in said(run).splitlines()[-1]) == (3, True)
    assert "no task id in it" in said(shown)
    assert desk.states() == ["held"]


def test_files_that_are_none_are_named_and_the_others_go_on(desk):
    landing = desk.data / "landing"
    desk.drop("good.txt", *NUMBERS[:5])
    desk.drop("empty.txt")
    desk.drop("junk.txt", "hello", "world")
    desk.drop("unknown.doc", NUMBERS[6])
    (landing / "binary.txt").write_bytes(bytes(range(256)) * 40)

    run = desk.ekyc("run")

    text = said(run)
    assert run.returncode == 5
    assert [name in text for name in ("empty.txt", "junk.txt", "unknown.doc", "binary.txt")] == [True] * 4
    assert sorted(path.name for path in landing.iterdir()) == ["binary.txt", "empty.txt", "unknown.doc"]
    assert [sentence.split()[0] for sentence in desk.status()["left_in_landing"]] == [
        "binary.txt",
        "empty.txt",
        "unknown.doc",
    ]
    assert desk.states() == ["loaded"]
    assert {file["name"]: file["rejected"] for file in desk.status()["files"]} == {
        "good.txt": 0,
        "junk.txt": 2,
    }


def test_a_landing_folder_of_its_own_place_that_is_not_there_is_not_made(desk):
    place = desk.data / "not-mounted"
    desk.settings["EKYC_LANDING_DIR"] = str(place)

    run = desk.ekyc("run")

    assert (run.returncode, str(place) in said(run)) == (2, True)
    assert not place.exists()
