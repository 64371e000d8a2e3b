"""What the pages give to paste, pasted: those that need no server."""

from __future__ import annotations

import subprocess

import pytest
from support.archive_files import DOCUMENTED
from support.doc_pages import RUN_IN_INTEGRATION, checkout, environment_in, script

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("page", RUN_IN_INTEGRATION)
def test_the_blocks_of_the_page_run_as_printed(page, tmp_path):
    folder = checkout(tmp_path / "ekyc")
    results = tmp_path / "results.csv"
    results.write_text(DOCUMENTED)
    with_rows = f"ekyc normalize {results} --out data\n"

    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", with_rows + script(page)],
        cwd=folder,
        env=environment_in(folder),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
