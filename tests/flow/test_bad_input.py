"""Whatever goes wrong ends in a sentence that names the file or batch, an exit code, and nothing lost."""

from __future__ import annotations

import json
import os
import pty
import subprocess

import pytest
from support.workstation import BIN, NUMBERS, chaotic

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
    assert desk.ekyc("init", "--rebind").returncode == 0

    run = desk.ekyc("run")

    assert (run.returncode, "127.0.0.1:9 could not be reached" in said(run)) == (6, True)
    assert desk.states() == ["planned"]


def test_another_provider_than_the_ledgers_is_said_at_once_and_nothing_is_touched(desk):
    path = desk.drop("numbers.txt", *NUMBERS)
    desk.settings["EKYC_BASE_URL"] = "http://127.0.0.1:9"

    run = desk.ekyc("run")

    assert (run.returncode, "not to 127.0.0.1:9. Correct EKYC_BASE_URL" in said(run)) == (2, True)
    assert (path.exists(), desk.states(), desk.sandbox.calls) == (True, [], [])


@pytest.mark.parametrize("options", [chaotic("create:1=html")])
def test_an_answer_that_is_a_page_holds_the_batch_and_shows_the_evidence(desk):
    desk.drop("numbers.txt", *NUMBERS)

    run = desk.ekyc("run")
    batch_id = desk.status()["batches"][0]["batch_id"]
    shown = desk.ekyc("status", batch_id)

    assert (run.returncode, batch_id in said(run).splitlines()[-1]) == (3, True)
    assert "the answer has no task id" in said(shown)
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
    left = ["binary.txt", "empty.txt", "junk.txt", "unknown.doc"]
    assert sorted(path.name for path in landing.iterdir()) == left
    assert [sentence.split()[0].rstrip(":") for sentence in desk.status()["left_in_landing"]] == left
    assert desk.states() == ["loaded"]
    assert [file["name"] for file in desk.status()["files"]] == ["good.txt"]


def test_a_file_of_rejected_lines_is_taken_when_a_person_accepts_it(desk):
    path = desk.drop("half.txt", NUMBERS[0], "hello")

    asked = desk.ekyc("run")
    shown = desk.ekyc("plan", "--accept-rejected", "--json")
    taken = desk.ekyc("run", "--accept-rejected")

    assert (asked.returncode, "--accept-rejected" in said(asked)) == (5, True)
    assert json.loads(shown.stdout)["total"]["to_send"] == 1
    assert (taken.returncode, path.exists()) == (0, False)
    assert [file["rejected"] for file in desk.status()["files"]] == [1]


@pytest.mark.parametrize(("answer", "exit_code"), [("n", 3), ("", 3), ("y", 0)])
def test_a_person_at_a_terminal_is_asked_before_more_is_sent_than_was_set(desk, answer, exit_code):
    desk.settings["EKYC_ASK_ABOVE"] = "1"
    desk.drop("numbers.txt", *NUMBERS[:2])
    screen, terminal = pty.openpty()
    os.write(screen, f"{answer}\n".encode())

    run = subprocess.run(
        [BIN / "ekyc", "run"],
        check=False,
        cwd=desk.data,
        env=desk.environment,
        stdin=terminal,
        capture_output=True,
        text=True,
    )

    os.close(terminal)
    os.close(screen)
    assert (run.returncode, said(run).count("Send 2 numbers now?")) == (exit_code, 1)
    assert "This plan would send 2 numbers" in said(run)
    assert [charge.numbers for charge in desk.sandbox.charges] == ([] if exit_code else [2])


def test_a_plan_that_is_too_large_waits_for_a_person_where_there_is_no_terminal(desk):
    desk.settings["EKYC_ASK_ABOVE"] = "1"
    path = desk.drop("numbers.txt", *NUMBERS[:2])

    asked = desk.ekyc("run")
    looked = desk.ekyc("plan")
    assert (asked.returncode, looked.returncode, path.exists()) == (3, 3, True)
    assert ["`ekyc run --approve 2`" in said(each) for each in (asked, looked)] == [True, True]
    assert desk.sandbox.charges == []

    assert desk.ekyc("run", "--approve", "2").returncode == 0
    assert [charge.numbers for charge in desk.sandbox.charges] == [2]


def test_a_landing_folder_of_its_own_place_that_is_not_there_is_not_made(desk):
    place = desk.data / "not-mounted"
    desk.settings["EKYC_LANDING_DIR"] = str(place)

    run = desk.ekyc("run")

    assert (run.returncode, str(place) in said(run)) == (2, True)
    assert not place.exists()


def test_broken_rules_buy_nothing_and_what_is_paid_for_is_loaded(desk):
    desk.drop("first.txt", *NUMBERS[:300])
    desk.settings["EKYC_MAX_WAIT"] = "0s"
    assert desk.ekyc("run").returncode == 6
    del desk.settings["EKYC_MAX_WAIT"]
    path = desk.drop("crm/second.csv", "Mobile,Office", f"{NUMBERS[400]},{NUMBERS[401]}")
    rules = desk.data / "landing.toml"
    rules.write_text('[[files]]\nmatch = "crm/*"\ncolumns = "Office"\n')

    broken = desk.ekyc("run")

    assert (broken.returncode, "landing.toml, rule 1, columns: " in said(broken)) == (2, True)
    assert (desk.states(), len(desk.sandbox.charges), path.exists()) == (["loaded"], 1, True)

    rules.write_text('[[files]]\nmatch = "crm/*"\ncolumns = ["Office"]\n')
    other = desk.drop("third.txt", NUMBERS[500])

    right = desk.ekyc("run")

    assert (right.returncode, "third.txt matches no rule" in said(right)) == (5, True)
    assert (path.exists(), other.exists()) == (False, True)
    assert [sorted(task.numbers) for task in desk.sandbox.tasks[1:]] == [[NUMBERS[401]]]

    named = desk.ekyc("run", str(other), "--column", "number")

    assert named.returncode == 0, said(named)
    assert [sorted(task.numbers) for task in desk.sandbox.tasks[2:]] == [[NUMBERS[500]]]
