"""Several workers on one pool, one ledger in PostgreSQL, one data folder: they share the work."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack

import pytest
from support.deployed import Deployed
from support.workstation import NUMBERS, ROOT, Desk, chaotic, wait_until

from ekyc_tasks.ledger import connect_ledger
from ekyc_tasks.models import BatchState

pytestmark = pytest.mark.flow

WORKERS = [f"worker-{number}" for number in range(1, 4)]


@pytest.mark.parametrize("options", [chaotic("create:*=slow", slow_seconds=1.0)])
def test_runs_of_three_workers_share_the_batches_and_upload_each_once(desk, postgres, tmp_path):
    more = tmp_path / "prefect.yaml"
    more.write_text((ROOT / "prefect.yaml").read_text().replace("limit: 1\n", "limit: 3\n"))

    with postgres.ledger() as url, connect_ledger(url) as ledger, ExitStack() as stack:
        settings = {"EKYC_BATCH_SIZE": "50", "EKYC_LEDGER_URL": url}
        desk = Desk(tmp_path / "shared", desk.sandbox, desk.server, settings)
        for index in range(0, 600, 50):  # twelve files, and each repeats what the one before ends with
            desk.drop(f"{index}.txt", *NUMBERS[max(index - 10, 0) : index + 50])
        deployed = Deployed(desk.server, tmp_path, desk.environment, more)
        for name in WORKERS:
            stack.enter_context(deployed.worker(name, "--limit", "1"))
        with ledger.plans.turn("the test"):  # until all of them are there, one in each worker
            runs = [deployed.start() for _ in WORKERS]
            wait_until(lambda: len(ledger.runs.alive()) == len(runs), seconds=200, what="three runs")
        assert [deployed.ended(run) for run in runs] == [("COMPLETED", "Completed")] * 3

        desk.check_the_end(NUMBERS)
        assert [len(ledger.uploads.of_batch(batch.batch_id)) for batch in ledger.history.batches()] == [
            1
        ] * 12
        assert sum(call.path == "/v1/tasks" for call in desk.sandbox.calls) == 12
        uploads = Counter(
            event.run_id
            for batch in ledger.history.batches()
            for event in ledger.history.events(batch.batch_id)
            if event.to_state is BatchState.SUBMITTING
        )
        assert min(uploads.values()) >= 2, uploads  # one has planned them all; none of the others stood idle
        assert len(uploads) == len(runs)
