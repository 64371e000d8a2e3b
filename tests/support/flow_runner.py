"""A process that runs the flow whenever it is told to, beside a real server: it imports only once."""

from __future__ import annotations

import asyncio
import json
import os
import sys

from ekyc_tasks.flows.check_numbers import check_numbers
from ekyc_tasks.flows.parameters import CheckRequest


def serve() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        for name in [name for name in os.environ if name.startswith("EKYC_")]:
            del os.environ[name]
        os.environ.update(order["settings"])
        state = asyncio.run(check_numbers(CheckRequest(**order["request"]), return_state=True))
        answer = {"run": str(state.state_details.flow_run_id)}
        sys.__stdout__.write(json.dumps(answer) + "\n")
        sys.__stdout__.flush()


if __name__ == "__main__":
    serve()
