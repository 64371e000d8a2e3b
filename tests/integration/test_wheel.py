"""The wheel: beside a project that has `flows` of its own, and with the home folder where it always was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.integration

HOME_AND_FLOWS = """
import flows
from ekyc_tasks.flows import check_numbers, server
from ekyc_tasks.settings import default_home
print(flows.WHOSE, server.__file__, default_home(), sep="\\n")
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """What `pip install` of the wheel puts into site-packages."""
    built = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [wheel] = built.glob("*.whl")
    with ZipFile(wheel) as file:
        file.extractall(built / "site")
    return built / "site"


def test_it_claims_one_top_level_name(site):
    assert {path.name for path in site.iterdir() if path.suffix != ".dist-info"} == {"ekyc_tasks"}


def test_what_prefect_deploys_lies_where_the_file_says(site):
    text = (site / "ekyc_tasks" / "flows" / "prefect.yaml").read_text()
    entrypoints = [line.split()[1] for line in text.splitlines() if line.strip().startswith("entrypoint:")]
    assert len(entrypoints) == 3
    for entrypoint in entrypoints:
        file, flow = entrypoint.split(":")
        assert f"def {flow}(" in (site / file).read_text()


def test_a_project_keeps_its_own_flows_and_the_home_folder_stays(site, tmp_path):
    project = tmp_path / "project"
    (project / "flows").mkdir(parents=True)
    (project / "flows" / "__init__.py").write_text('WHOSE = "the project\'s"\n')
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "PYTHONPATH": f"{site}:{project}",
    }
    done = subprocess.run(
        [sys.executable, "-c", HOME_AND_FLOWS],
        cwd=project,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    whose, server, home = done.stdout.splitlines()
    assert whose == "the project's"
    assert Path(server).is_relative_to(site / "ekyc_tasks" / "flows")
    # As in the version before: of a wheel or a tool install the user's data folder, of a checkout its root.
    by_platform = {"darwin": "Library/Application Support/ekyc"}
    assert Path(home) == tmp_path / "home" / by_platform.get(sys.platform, ".local/share/ekyc")
