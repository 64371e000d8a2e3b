"""One worker of the fuzz: ``python -m support.trials.archives SEED COUNT``; one line of JSON a defect."""

from __future__ import annotations

import json
import random
import sys

from support.mutations import drawn, load_whole, read_through

from ekyc_tasks.normalize import values

WHOLE = 50  # every so many are loaded to the disk
_MANY_ROWS = [0] + 9 * [values.MANY_ROWS]  # a tenth as if their few rows were many


def main(seed: str, count: str) -> None:
    lots = random.Random(seed)  # noqa: S311 - repeatable, not secret
    loaded = 0
    for at in range(int(count)):
        data = drawn(lots)
        values.MANY_ROWS = lots.choice(_MANY_ROWS)
        try:
            loaded += (read_through if at % WHOLE else load_whole)(data)
        except BaseException as error:
            _say({"seed": seed, "at": at, "defect": repr(error)[:500], "archive": data.hex()})
            if isinstance(error, KeyboardInterrupt):
                raise
    _say({"loaded": loaded, "tried": int(count)})


def _say(document: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
